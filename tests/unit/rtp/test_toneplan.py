from __future__ import annotations

import pytest

from sipcc.rtp.flow import PlaySilence, PlayTone
from sipcc.rtp.toneplan import BEEP, BUSY, RINGBACK, Region


def test_a_tone_is_played_as_its_cadence() -> None:
    assert RINGBACK["uk"].items() == (
        PlayTone((400.0, 450.0), 400),
        PlaySilence(200),
        PlayTone((400.0, 450.0), 400),
        PlaySilence(2000),
    )
    assert BEEP.items() == (PlayTone((1000.0,), 250),)


@pytest.mark.parametrize("region", ["cn", "eu", "uk", "us"])
def test_each_region_has_both_tones(region: Region) -> None:
    assert len(RINGBACK[region].frequencies_hz) in (1, 2)
    assert len(BUSY[region].frequencies_hz) in (1, 2)
