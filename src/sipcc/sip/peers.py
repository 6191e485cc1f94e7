"""Whether a message comes from the peer of a dialog, as pure rules over flows.

Call-ID and tags travel in the clear, so whoever has seen them could end a call. A request in a dialog is
believed when it comes from where the dialog's peer is; anybody else has to prove who he is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.sip.transport.base import Flow

if TYPE_CHECKING:
    from sipcc.sip.dialog import Dialog
    from sipcc.sip.session_api import Usage
    from sipcc.sip.uri import SipUri


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


def follow(usage: Usage, old: Flow, new: Flow, *, was: SipUri, contact: SipUri) -> bool:
    """Let a usage of a dialog whose peer was at `old` go on at `new`; False when it was not there.

    Its remote target moves along when it was the Contact `was`; another one, such as a GRUU, still leads
    to the device.
    """
    if usage.flow is not old and (old.reliable or usage.flow.reliable or usage.flow.remote != old.remote):
        return False
    usage.flow = new
    dialog: Dialog | None = getattr(usage, "dialog", None)
    if dialog is not None and (dialog.remote_target.host, dialog.remote_target.port) == (was.host, was.port):
        dialog.remote_target = contact
    return True
