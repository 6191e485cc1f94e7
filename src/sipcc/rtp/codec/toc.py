"""How long an Opus packet lasts, read from its first bytes (RFC 6716 §3.1, §3.2)."""

from __future__ import annotations

#    0 1 2 3 4 5 6 7
#   +-+-+-+-+-+-+-+-+
#   | config  |s| c |   config: mode, bandwidth and length of a frame; s: stereo; c: how many frames
#   +-+-+-+-+-+-+-+-+

_SILK = (480, 960, 1920, 2880)  # 10, 20, 40, 60 ms at 48 kHz
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)

FRAME_UNITS = _SILK * 3 + _HYBRID * 2 + _CELT * 4
"""Units of 48 kHz of one frame, by the 32 configurations."""

MAX_UNITS = 5760
"""120 ms, the longest packet (§3.2.5, R5)."""


def units_of(payload: bytes) -> int:
    """Units of 48 kHz in one packet; 0 when its first bytes break the rules."""
    if not payload:
        return 0
    first = payload[0]
    code = first & 3
    if code == 0:
        frames = 1
    elif code < 3:
        frames = 2
    elif len(payload) > 1:
        frames = payload[1] & 63
    else:
        return 0
    units = FRAME_UNITS[first >> 3] * frames
    return units if units <= MAX_UNITS else 0
