from __future__ import annotations

import pytest

from sipcc.rtp import frame
from sipcc.rtp.codec import decode
from sipcc.rtp.flow import Law


@pytest.mark.parametrize(("ms", "samples"), [(20, 160), (0, 0), (1, 8), (0.0625, 0), (30000, 240000)])
def test_samples_of_ms(ms: float, samples: int) -> None:
    assert frame.samples_of_ms(ms) == samples
    assert frame.ms_of_samples(samples) == int(ms)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_silence_is_silent(codec: Law) -> None:
    assert len(frame.SILENCE_FRAME[codec]) == frame.FRAME_SAMPLES
    assert abs(decode(frame.SILENCE_FRAME[codec], codec)).max() <= 8
