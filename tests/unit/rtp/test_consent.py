from __future__ import annotations

import numpy as np
import pytest

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.consent import LEVEL_DBM0, ConsentTone
from sipcc.rtp.flow import Law

SPEECH = tones.make_tone((600.0,), 20_000, level_dbm0=-15)


def hear(law: Law | None, *, speech: bool, seconds: float = 20.0, late: float = 0.0) -> Pcm:
    """What a leg hears over `seconds`, from 20 ms clock ticks that come `late`."""
    tone = ConsentTone(14.0, now=100.0)
    heard = []
    for index in range(round(seconds * 50)):
        pcm = SPEECH[160 * index : 160 * (index + 1)]
        frame = (pcm if law is None else g711.encode(pcm, law)) if speech else None
        mixed = tone.mix(frame, law, at=100.0 + 0.02 * index + late)
        if mixed is None:
            mixed = np.zeros(160, dtype=np.int16)
        heard.append(g711.decode(mixed, law or "PCMU") if isinstance(mixed, bytes) else mixed)
    return np.concatenate(heard)


@pytest.mark.parametrize("law", ["PCMU", "PCMA", None])
@pytest.mark.parametrize("late", [0.0, 0.007])
def test_half_a_second_of_1400_hz_at_once_and_every_14_s(law: Law | None, late: float) -> None:
    found = tones.find_tones(hear(law, speech=False, late=late))
    assert [round(tone.frequency_hz, -1) for tone in found] == [1400, 1400]
    assert [tone.duration_ms for tone in found] == [pytest.approx(500, abs=20)] * 2
    assert [tone.start_ms for tone in found] == [pytest.approx(0, abs=20), pytest.approx(14_000, abs=20)]


@pytest.mark.parametrize("law", ["PCMU", "PCMA", None])
def test_it_is_mixed_into_what_is_said(law: Law | None) -> None:
    pcm = hear(law, speech=True)
    sounding, quiet = pcm[112_400:115_600], pcm[8000:16_000]
    assert tones.measure_tone(sounding, 1400.0) == pytest.approx(LEVEL_DBM0, abs=0.5)
    assert tones.measure_tone(sounding, 600.0) == pytest.approx(-15, abs=0.5)
    assert tones.measure_tone(quiet, 1400.0) < -60
    assert tones.measure_tone(quiet, 600.0) == pytest.approx(-15, abs=0.5)


def test_between_the_tones_frames_are_left_alone() -> None:
    tone = ConsentTone(14.0, now=0.0)
    frame = bytes(160)
    assert tone.mix(frame, "PCMU", at=1.0) is frame
    assert tone.mix(None, "PCMU", at=1.0) is None


def test_a_frame_of_another_length_and_a_loud_one() -> None:
    tone = ConsentTone(14.0, now=0.0)
    odd = np.ones(80, dtype=np.int16)
    assert tone.mix(odd, None, at=0.1) is odd
    loud = np.full(160, 32767, dtype=np.int16)
    mixed = tone.mix(loud, None, at=0.1)
    assert isinstance(mixed, np.ndarray)
    assert mixed.min() > 28_000  # clipped, not wrapped
