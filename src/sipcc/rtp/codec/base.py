"""What a codec is to the rest of this package, and the table of those we have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Coded, Pcm
from sipcc.rtp.flow import Law
from sipcc.rtp.frame import SAMPLE_RATE_HZ, SILENCE_BYTE


class Codec(Protocol):
    """A sample-based codec without state: any shape in, the same shape out."""

    @property
    def name(self) -> Law:
        """Encoding name of the rtpmap."""
        ...

    @property
    def payload_type(self) -> int:
        """The static payload type (RFC 3551 §6)."""
        ...

    @property
    def clock_rate_hz(self) -> int:
        """The rate of the RTP timestamp."""
        ...

    @property
    def silence(self) -> int:
        """The byte that stands for silence."""
        ...

    def encode(self, pcm: Pcm) -> bytes:
        """Code 16-bit samples."""
        ...

    def decode(self, payload: bytes) -> Pcm:
        """Samples of a payload."""
        ...

    def encode_into(self, pcm: Pcm, out: Coded) -> None:
        """Code a whole matrix into `out`."""
        ...

    def decode_into(self, coded: Coded, out: Pcm) -> None:
        """Decode a whole matrix into `out`."""
        ...


@dataclass(frozen=True, slots=True)
class G711:
    """One law of G.711 as a `Codec`."""

    name: Law
    payload_type: int
    clock_rate_hz: int = SAMPLE_RATE_HZ

    @property
    def silence(self) -> int:
        """The byte that stands for silence."""
        return SILENCE_BYTE[self.name]

    def encode(self, pcm: Pcm) -> bytes:
        """Code 16-bit samples, one byte each."""
        return g711.encode(pcm, self.name)

    def decode(self, payload: bytes) -> Pcm:
        """Samples of a payload."""
        return g711.decode(payload, self.name)

    def encode_into(self, pcm: Pcm, out: Coded) -> None:
        """Code a whole matrix into `out`."""
        g711.encode_into(pcm, self.name, out)

    def decode_into(self, coded: Coded, out: Pcm) -> None:
        """Decode a whole matrix into `out`."""
        g711.decode_into(coded, self.name, out)


CODECS: dict[Law, Codec] = {"PCMU": G711("PCMU", 0), "PCMA": G711("PCMA", 8)}
