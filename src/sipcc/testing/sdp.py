"""The session descriptions of fake parties: written and read as text, apart from `sipcc.sip.sdp`.

A second reading of the same rules, so that what the library says is checked by what a stranger would
understand. It knows one audio stream, our codecs and telephone-event.
"""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec

from sipcc.rtp.flow import CodecName
from sipcc.testing.media import PAYLOAD_TYPES, Peer

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

EVENT_PAYLOAD_TYPE = 101
_NAMES: dict[int, str] = {0: "PCMU", 8: "PCMA", 9: "G722", 18: "G729"}
_RTPMAPS: dict[CodecName, str] = {"opus": "opus/48000/2"}
"""All others have a clock of 8000."""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What one side said of its audio."""

    host: str
    port: int
    codecs: tuple[tuple[int, str], ...]
    """Payload types and names of the audio codecs, in order; unknown ones too."""
    event_payload_type: int | None
    direction: Direction
    version: int
    """The version in the o= line."""
    protocol: str = "RTP/AVP"
    crypto: tuple[str, ...] = ()
    """The values of the crypto lines."""


def write(
    host: str,
    port: int,
    *,
    codecs: tuple[CodecName, ...] = ("PCMU", "PCMA"),
    events: bool = True,
    direction: Direction = "sendrecv",
    version: int = 1,
    event_payload_type: int = EVENT_PAYLOAD_TYPE,
) -> bytes:
    """A description with one audio stream."""
    formats = [PAYLOAD_TYPES[codec] for codec in codecs] + ([event_payload_type] if events else [])
    lines = [
        "v=0",
        f"o=- 4711 {version} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(map(str, formats))}",
        *(f"a=rtpmap:{PAYLOAD_TYPES[codec]} {_RTPMAPS.get(codec, f'{codec}/8000')}" for codec in codecs),
    ]
    if events:
        lines += [f"a=rtpmap:{event_payload_type} telephone-event/8000", f"a=fmtp:{event_payload_type} 0-15"]
    lines += ["a=ptime:20", f"a={direction}"]
    return "\r\n".join([*lines, ""]).encode()


def read(body: bytes) -> Description:
    """Understand a description. Raises ValueError when it has no audio stream or breaks the line format."""
    text = body.decode("utf-8")
    if not text.startswith("v=0\r\n") or not text.endswith("\r\n"):
        raise ValueError(f"not a session description: {text[:40]!r}")
    session, *media = re.split(r"(?m)^m=", text)
    section = next((part for part in media if part.startswith("audio ")), None)
    if section is None:
        raise ValueError("no audio stream")
    first = re.match(r"audio ([0-9]+) (RTP/S?AVPF?) ([0-9 ]+)\r\n", section)
    origin = re.search(r"(?m)^o=\S+ [0-9]+ ([0-9]+) IN IP[46] \S+\r$", session)
    connection = re.search(r"(?m)^c=IN IP[46] (\S+)\r$", section) or re.search(
        r"(?m)^c=IN IP[46] (\S+)\r$", session
    )
    if first is None or origin is None or connection is None:
        raise ValueError(f"m=, o= or c= line missing or malformed: {text!r}")
    maps = {
        int(pt): name
        for pt, name in re.findall(
            r"(?m)^a=rtpmap:([0-9]+) (opus(?=/48000/2)|[A-Za-z0-9-]+(?=/8000\b))", section
        )
    }
    formats = [int(pt) for pt in first[3].split()]
    event = next((pt for pt in formats if maps.get(pt, "").lower() == "telephone-event"), None)
    named = [(pt, maps.get(pt, _NAMES.get(pt, "?")).upper()) for pt in formats if pt != event]
    directions = re.findall(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r$", section) or re.findall(
        r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r$", session
    )
    return Description(
        host=connection[1],
        port=int(first[1]),
        codecs=tuple(named),
        event_payload_type=event,
        direction=cast("Direction", directions[0] if directions else "sendrecv"),
        version=int(origin[1]),
        protocol=first[2],
        crypto=tuple(re.findall(r"(?m)^a=crypto:(.*)\r$", section)),
    )


def peer_of(theirs: Description, codecs: tuple[CodecName, ...]) -> Peer | None:
    """How to send to them with the first of their codecs that we have; None when there is none."""
    ours = {codec.upper(): codec for codec in codecs}
    for payload_type, name in theirs.codecs:
        if name in ours:
            return Peer(
                host=theirs.host,
                port=theirs.port,
                codec=ours[name],
                payload_type=payload_type,
                event_payload_type=theirs.event_payload_type,
                send=theirs.direction in ("sendrecv", "recvonly") and theirs.host != "0.0.0.0",
            )
    return None


def answer_direction(offered: Direction, own: Direction = "sendrecv") -> Direction:
    """The direction that answers an offered one (RFC 3264 §6.1), as far as `own` goes: that of our hold."""
    send = offered in ("sendrecv", "recvonly") and own in ("sendrecv", "sendonly")
    receive = offered in ("sendrecv", "sendonly") and own in ("sendrecv", "recvonly")
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"
