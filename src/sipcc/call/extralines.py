"""Media lines besides the audio - video, and fax by T.38 - as one party's description gives them to another.

What such a line says is left alone but for where it is received: its port becomes a raw port of ours, and
what names addresses, keys or groups of the other side is left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache

from sipcc.sip.sdp import MediaDescription, SessionDescription

PROTOCOLS = {"video": {"RTP/AVP", "RTP/AVPF"}, "image": {"UDPTL"}}
"""The kinds that can be passed on, and how they may travel: what is encrypted for us is not passed on."""

OF_ONE_SIDE = frozenset(
    ("candidate", "crypto", "end-of-candidates", "fingerprint", "ice-options", "ice-pwd", "ice-ufrag", "mid")
) | {"rtcp", "setup"}
"""Attributes that speak of an address, a key or a description of one side alone."""


@lru_cache(maxsize=4096)
def why_not_to(host: str) -> str:
    """Why media must not be sent to `host` (reliability D05); an empty text when they may."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "the audio's address is a name"
    if address.version == 4 and address.is_link_local:  # where a cloud tells its secrets to whoever asks
        return "audio is not sent to link-local addresses"
    return "audio is not sent to groups" if address.is_multicast or host == "255.255.255.255" else ""


def passable(description: SessionDescription, kinds: frozenset[str]) -> dict[str, MediaDescription]:
    """The first line of each of `kinds` that is offered and can be passed on."""
    found: dict[str, MediaDescription] = {}
    for line in description.media:
        if line.kind in kinds and line.kind not in found and line.port:
            connection = description.connection_of(line)
            known = line.protocol.upper() in PROTOCOLS[line.kind]
            if (
                known
                and connection is not None
                and not connection.is_null
                and not why_not_to(connection.host)
            ):
                found[line.kind] = line
    return found


def carried(line: MediaDescription, port: int) -> MediaDescription:
    """What another party is told of `line`, which it reaches by a raw port of ours."""
    kept = tuple((name, value) for name, value in line.attributes if name not in OF_ONE_SIDE)
    return MediaDescription(
        line.kind, port, line.protocol, line.formats, attributes=kept, bandwidth=line.bandwidth
    )


def address_of(description: SessionDescription, line: MediaDescription) -> tuple[str, int, int]:
    """Host, port and RTCP port of a line; an RTCP host of its own is not believed."""
    connection = description.connection_of(line)
    _, rtcp_port = description.rtcp_of(line)
    return connection.host if connection is not None else "", line.port, rtcp_port


def place_lines(
    before: SessionDescription | None, lines: Mapping[str, MediaDescription]
) -> list[MediaDescription]:
    """The lines of an offer, each kind in the place that it has had (RFC 3264 §8).

    A place of a kind that has nothing to say any more is refused; a new kind takes a refused place of its
    own kind, or the end.
    """
    waiting = dict(lines)
    placed: list[MediaDescription] = []
    earlier = before.media if before is not None else ()
    live = {line.kind for line in earlier if line.port}
    for line in earlier:
        if line.kind in waiting and (line.port or line.kind not in live):
            placed.append(waiting.pop(line.kind))
        else:
            placed.append(line.refused())
    return [*placed, *waiting.values()]
