"""Codecs in descriptions: what we offer, and which of the peer's we take (RFC 3264 §6.1, RFC 3551 §6)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sipcc.errors import NoCommonCodec
from sipcc.rtp.flow import CodecName, Law, StreamParams
from sipcc.sip.sdp import Attribute, MediaDescription, RtpMap

STATIC_TYPES: dict[Law, int] = {"PCMU": 0, "PCMA": 8}
"""Payload types of RFC 3551 §6."""

EVENT_TYPE = 101
"""The payload type under which we offer telephone-event; in an answer the peer's own is kept."""


class Agreed(msgspec.Struct, frozen=True):
    """The formats of an audio line that both sides have."""

    codec: CodecName
    audio: RtpMap
    fmtp: str = ""
    """The peer's parameters of the codec."""
    events: RtpMap | None = None
    noise: RtpMap | None = None

    @property
    def maps(self) -> list[RtpMap]:
        """What an answer lists."""
        return [entry for entry in (self.audio, self.noise, self.events) if entry is not None]


class CodecTable:
    """The codecs of one leg, best first."""

    def __init__(self, codecs: Sequence[Law]) -> None:
        self._codecs = tuple(codecs)

    def offer(self, *, prefer: CodecName | None, params: StreamParams | None) -> list[RtpMap]:
        """What our offer lists: `prefer` first, or else the codec of `params`, the stream as it is."""
        event_type = EVENT_TYPE
        if params is not None:
            prefer = prefer or params.codec
            event_type = params.event_payload_type or EVENT_TYPE
        ordered = sorted(self._codecs, key=lambda codec: codec != prefer)
        maps = [RtpMap(STATIC_TYPES[codec], codec, 8000) for codec in ordered]
        return [*maps, RtpMap(event_type, "telephone-event", 8000)]

    def choose(self, audio: MediaDescription) -> Agreed:
        """The first codec of a line that is ours, and its telephone-event.

        Raises:
            NoCommonCodec: there is none.
        """
        maps = audio.rtpmaps
        codec = next(
            (m for m in maps if m.encoding.upper() in self._codecs and (m.rate_hz, m.channels) == (8000, 1)),
            None,
        )
        if codec is None:
            raise NoCommonCodec(f"none of {', '.join(self._codecs)} is offered")
        events = next(
            (m for m in maps if m.encoding.lower() == "telephone-event" and m.rate_hz == 8000), None
        )
        name: Law = "PCMU" if codec.encoding.upper() == "PCMU" else "PCMA"
        return Agreed(name, codec, audio.fmtp(codec.payload_type) or "", events)


def format_attributes(maps: Sequence[RtpMap]) -> list[Attribute]:
    """The rtpmap and fmtp lines of formats that we list."""
    attributes = [("rtpmap", str(entry)) for entry in maps]
    attributes += [
        ("fmtp", f"{entry.payload_type} 0-15")
        for entry in maps
        if entry.encoding.lower() == "telephone-event"
    ]
    return attributes
