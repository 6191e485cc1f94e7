"""Whether a message comes from the peer of a dialog, as pure rules over flows.

Call-ID and tags travel in the clear, so whoever has seen them could end a call. A request in a dialog is
believed when it comes from where the dialog's peer is; anybody else has to prove who he is.
"""

from __future__ import annotations

from sipcc.sip.transport.base import Flow


def is_peer(source: Flow, peer: Flow) -> bool:
    """True when what came on `source` is from the peer that `peer` leads to.

    That is the same address and port, of which a datagram may not stand for a stream, since its source is
    easily forged; or the same verified certificate.
    """
    if source is peer:
        return True
    if source.remote == peer.remote and (source.reliable or not peer.reliable):
        return True
    return not source.peer_names.isdisjoint(peer.peer_names)


def is_host(source: Flow, peer: Flow) -> bool:
    """True when `source` is a stream from the host of `peer`: its handshake has proved the address.

    A peer that we called may open a stream of its own for its requests (RFC 5923 §1).
    """
    return source.reliable and source.remote.host == peer.remote.host
