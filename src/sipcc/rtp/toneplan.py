"""The tones of telephone networks and fax machines, as data: frequencies, cadences, levels in dBm0."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sipcc.rtp.flow import PlayItem, PlaySilence, PlayTone

Region = Literal["cn", "eu", "uk", "us"]


class ToneSpec(NamedTuple):
    """A supervisory tone: frequencies sounding together, and on/off times that repeat."""

    frequencies_hz: tuple[float, ...]
    cadence_ms: tuple[tuple[int, int], ...]
    level_dbm0: float = -13.0

    def items(self) -> tuple[PlayItem, ...]:
        """One run through the cadence, to be played."""
        parts: list[PlayItem] = []
        for on_ms, off_ms in self.cadence_ms:
            parts.append(PlayTone(self.frequencies_hz, on_ms, self.level_dbm0))
            if off_ms:
                parts.append(PlaySilence(off_ms))
        return tuple(parts)


RINGBACK: dict[Region, ToneSpec] = {
    "cn": ToneSpec((450.0,), ((1000, 4000),)),
    "eu": ToneSpec((425.0,), ((1000, 4000),)),
    "uk": ToneSpec((400.0, 450.0), ((400, 200), (400, 2000))),
    "us": ToneSpec((440.0, 480.0), ((2000, 4000),)),
}
"""Ringback by country or region (ITU-T E.180)."""
BUSY: dict[Region, ToneSpec] = {
    "cn": ToneSpec((450.0,), ((350, 350),)),
    "eu": ToneSpec((425.0,), ((500, 500),)),
    "uk": ToneSpec((400.0,), ((375, 375),)),
    "us": ToneSpec((480.0, 620.0), ((500, 500),)),
}
"""Busy tone by country or region."""
BEEP = ToneSpec((1000.0,), ((250, 0),))
"""What asks the caller to speak."""
LOW_HZ = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = "123A456B789C*0#D"
"""Keys by row (low tone) and column (high tone), ITU-T Q.23."""
CNG = ToneSpec((1100.0,), ((500, 3000),))
"""What a fax machine that calls says (T.30 §4.2)."""
CED = ToneSpec((2100.0,), ((3000, 0),))
"""What one that answers says first (T.30 §4.1)."""
FALLBACK = ToneSpec((520.0,), ((300, 200), (300, 200)))
"""What sounds in place of a prompt that cannot be played: like no tone of the network."""
