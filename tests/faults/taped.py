"""Two tones, as a recorder gets them: shared with processes that are killed while they write."""

from __future__ import annotations

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.frame import Coding
from sipcc.rtp.recorder import Recorder

MU: Coding = ("PCMU", 8000)
LEFT = g711.encode(tones.make_tone((500.0,), 1000), "PCMU")
RIGHT = g711.encode(tones.make_tone((900.0,), 1000), "PCMU")


def talk(one: Recorder, start: float, end: float) -> None:
    """Two tones, from `start` to `end` seconds."""
    for index in range(round(start * 50), round(end * 50)):
        at = 160 * index % 8000
        one.said(LEFT[at : at + 160], MU, now=0.02 * index, timestamp=160 * index)
        one.heard(RIGHT[at : at + 160], MU, now=0.02 * index)
        one.expire(now=0.02 * index)
