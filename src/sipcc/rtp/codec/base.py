"""What a codec is to the rest of this package, and the one place where they are made.

Whatever travels, audio in here is int16 at 8 kHz. A decoder takes any bytes: what it cannot read is no
samples, and no payload makes more than `sipcc.rtp.formats.MAX_PAYLOAD_MS` of them. Decoders and encoders keep
state, one of each per stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import CodecName, Law
from sipcc.rtp.formats import COMPLEXITY, CodecSpec, spec

__all__ = [
    "CodecSpec",
    "Decoder",
    "Encoder",
    "load_codecs",
    "make_decoder",
    "make_encoder",
    "spec",
    "units_of",
]


class Decoder(Protocol):
    """Payloads of one stream to samples."""

    def decode(self, payload: bytes) -> Pcm:
        """Samples of one payload at 8 kHz; none for a payload that cannot be read."""
        ...

    def conceal(self, samples: int, following: bytes | None) -> Pcm | None:
        """`samples` samples in place of what was lost, by the codec's own means; None when it has none.

        `following` is the payload after the gap when it is there already: Opus may hold a copy of the last
        lost frame. It must still be decoded in its turn.
        """
        ...

    def units_of(self, payload: bytes) -> int:
        """How long a payload lasts, in units of the RTP clock; 0 for one that cannot be read."""
        ...


class Encoder(Protocol):
    """Samples of one stream to payloads."""

    def encode(self, pcm: Pcm) -> bytes:
        """The payload of one packet of samples at 8 kHz; nothing when there is nothing to be sent (DTX)."""
        ...


def load_codecs(names: Iterable[CodecName]) -> None:
    """Load what these codecs need, before a clock runs that the loading of libav would stop for 0.2 s.

    Raises:
        ConfigError: a codec's library is not on this machine.
    """
    for name in names:
        make_decoder(name)


def make_decoder(name: CodecName, clock_rate_hz: int = 0) -> Decoder:
    """A decoder for one stream; the codec's library is loaded when it is first needed.

    Raises:
        KeyError: there is no such codec at this clock rate.
        ConfigError: the codec's library is not on this machine.
    """
    entry = spec(name, clock_rate_hz)
    match name:
        case "PCMU" | "PCMA":
            return g711.LawDecoder(name)
        case "G722":
            from sipcc.rtp.codec.g722 import G722Decoder

            return G722Decoder()
        case "L16":
            from sipcc.rtp.codec.linear import L16Decoder

            return L16Decoder(entry.clock_rate_hz)
        case "opus":
            from sipcc.rtp.codec.opus import OpusDecoder

            return OpusDecoder()
        case "G729":
            from sipcc.rtp.codec.g729 import G729Decoder

            return G729Decoder()


def make_encoder(
    name: CodecName,
    clock_rate_hz: int = 0,
    fmtp: str = "",
    ptime_ms: int = 20,
    complexity: int = COMPLEXITY,
) -> Encoder:
    """An encoder for one stream.

    Args:
        name: the codec.
        clock_rate_hz: its RTP clock; 0 for the usual one.
        fmtp: what the peer's description says of the codec, such as ``useinbandfec=1``.
        ptime_ms: how much each call of `encode` brings; take it from `CodecSpec.packet_ms`.
        complexity: how hard the Opus encoder works, 0 to 10; of no meaning to the others.

    Raises:
        KeyError: there is no such codec at this clock rate.
        ValueError: we only decode it, or it has no packets of this length.
        ConfigError: the codec's library is not on this machine.
    """
    entry = spec(name, clock_rate_hz)
    if not entry.encodes:
        raise ValueError(f"{name} can be passed on and decoded, but not encoded")
    if ptime_ms not in entry.packet_times_ms:
        raise ValueError(f"{name} has no packets of {ptime_ms} ms")
    match name:
        case "G722":
            from sipcc.rtp.codec.g722 import G722Encoder

            return G722Encoder()
        case "L16":
            from sipcc.rtp.codec.linear import L16Encoder

            return L16Encoder(entry.clock_rate_hz)
        case "opus":
            from sipcc.rtp.codec.opus import OpusEncoder

            return OpusEncoder(fmtp, complexity=complexity)
        case _:
            return g711.LawEncoder(cast("Law", name))


def units_of(name: CodecName, clock_rate_hz: int, payload: bytes) -> int:
    """As `Decoder.units_of`, of a codec whose payloads are only passed on."""
    match name:
        case "L16":
            from sipcc.rtp.codec.linear import units_of as count

            return count(payload, clock_rate_hz or 8000)
        case "opus":
            from sipcc.rtp.codec.toc import units_of as count_opus

            return count_opus(payload)
        case "G729":
            from sipcc.rtp.codec.g729 import units_of as count_g729

            return count_g729(payload)
        case _:
            return g711.units_of(payload)
