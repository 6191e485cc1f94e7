from __future__ import annotations

import numpy as np
import pytest

from sipcc.rtp.resample import Resampler, to_pcm


@pytest.mark.parametrize("rate", [44100, 48000, 11025, 6000])
@pytest.mark.parametrize("block", [1, 37, 1000, 100_000])
def test_blocks_make_no_difference(rate: int, block: int) -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, 3000).astype(np.float32)
    whole = Resampler(rate)
    expected = np.concatenate([whole.push(wave), whole.finish()])
    parts = Resampler(rate)
    found = [parts.push(wave[start : start + block]) for start in range(0, len(wave), block)]
    found.append(parts.finish())
    assert np.allclose(np.concatenate(found), expected, atol=1e-6)
    assert len(expected) == 3000 * 8000 // rate


def test_a_rate_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="resample"):
        Resampler(500)
    with pytest.raises(ValueError, match="resample"):
        Resampler(48001)


def test_what_is_too_loud_is_clipped() -> None:
    assert to_pcm(np.array([1.5, -1.5, 0.5, 0.0], dtype=np.float32)).tolist() == [32767, -32768, 16384, 0]
