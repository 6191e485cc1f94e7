"""The codecs we carry, as data: what each is on the wire and what we can do with it.

Light on purpose: `sipcc.call` reads it to describe a call, without loading what codes and decodes
(`sipcc.rtp.codec`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sipcc.rtp.flow import CodecName

MAX_PAYLOAD_MS = 240
"""No honest payload holds more audio: Opus ends at 120 ms (RFC 6716 §3.2), and what a datagram of an
Ethernet frame can hold of G.711 is 182 ms. What holds more is passed over, so that one datagram never costs
more than its share."""


COMPLEXITY = 5
"""How hard the Opus encoder works: 0 is cheapest, 10 best. Past 5 the ear finds little at 8 kHz, and each
step costs (benchmarks/codec.py)."""


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """One codec at one RTP clock rate."""

    name: CodecName
    clock_rate_hz: int
    """Rate of the RTP timestamps, which need not be that of the samples."""
    payload_type: int | None = None
    """The static payload type (RFC 3551 §6), or None for a dynamic one."""
    channels: int = 1
    """As the rtpmap has it: 2 for Opus, whatever it carries (RFC 7587 §7)."""
    encodes: bool = True
    """False when we can only pass it on and listen."""
    decodes: bool = True
    packet_times_ms: tuple[int, ...] = (10, 20, 30, 40, 50, 60)
    """How much audio a packet of ours may hold."""

    @property
    def law(self) -> bool:
        """True for G.711, whose payloads need no codec to be carried."""
        return self.name in {"PCMU", "PCMA"}

    def packet_ms(self, wanted_ms: int) -> int:
        """The longest packet of ours that is not longer than `wanted_ms`, or else the shortest."""
        return max((ms for ms in self.packet_times_ms if ms <= wanted_ms), default=self.packet_times_ms[0])


SPECS: tuple[CodecSpec, ...] = (
    CodecSpec("PCMU", 8000, 0),
    CodecSpec("PCMA", 8000, 8),
    # "G722" has the clock rate 8000 by an old mistake that RFC 3551 §4.5.2 keeps: its audio has 16 kHz
    CodecSpec("G722", 8000, 9),
    # libopus makes frames of 10, 20, 40 and 60 ms (RFC 6716 §2.1.4); 30 and 50 are none
    CodecSpec("opus", 48000, channels=2, packet_times_ms=(10, 20, 40, 60)),
    CodecSpec("L16", 8000),
    CodecSpec("L16", 16000),
    CodecSpec("G729", 8000, 18, encodes=False),
)
"""Each codec at each of its clock rates, the usual one first."""

_BY_NAME = {(entry.name, entry.clock_rate_hz): entry for entry in SPECS}
_FIRST = {entry.name: entry for entry in reversed(SPECS)}


def spec(name: CodecName, clock_rate_hz: int = 0) -> CodecSpec:
    """What is known of a codec, at its usual clock rate when none is given.

    Raises:
        KeyError: there is no such codec, or not at this rate.
    """
    return _BY_NAME[name, clock_rate_hz] if clock_rate_hz else _FIRST[name]
