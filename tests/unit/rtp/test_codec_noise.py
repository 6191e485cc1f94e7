from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.noise import OVERLOAD, NoiseMaker, describe, level_of


def coloured(count: int = 8000, *, rms: float = 300.0) -> Pcm:
    white = np.random.default_rng(2).normal(0.0, 1.0, count)
    shaped = np.convolve(white, [1.0, 0.9, 0.5, 0.2], "same")
    return (shaped * rms / shaped.std()).astype(np.int16)


def rms_dbov(pcm: Pcm) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) / OVERLOAD))


@pytest.mark.parametrize("level", [20, 40, 60])
@pytest.mark.parametrize("shape", [b"", bytes([40]), bytes([200, 60, 127, 140])])
def test_the_noise_has_the_level_of_the_payload(level: int, shape: bytes) -> None:
    noise = NoiseMaker(bytes([level]) + shape).take(8000)
    assert rms_dbov(noise) == pytest.approx(-level, abs=0.6)


def test_what_was_described_sounds_alike() -> None:
    sent = describe(coloured(), order=4)
    made = np.concatenate([NoiseMaker(sent).take(8000), NoiseMaker(sent, start=9000).take(8000)])
    again = describe(made, order=4)
    assert again[0] == pytest.approx(sent[0], abs=1)
    assert [*again[1:]] == pytest.approx([*sent[1:]], abs=4)


def test_the_first_coefficient_of_dull_noise_is_below_the_middle() -> None:
    """The sign of §3.1 and of libav's encoder: noise with its power at low frequencies has k1 near -1."""
    assert describe(coloured(), order=1)[1] < 64
    assert describe(np.tile(np.array([900, -900], np.int16), 400), order=1)[1] > 190


def test_a_square_wave_at_the_ends_of_mu_law_is_0_dbov() -> None:
    assert describe(np.tile(np.array([32124, -32124], np.int16), 80)) == b"\x00"
    assert describe(np.zeros(160, np.int16)) == b"\x7f"
    assert describe(np.zeros(0, np.int16)) == b"\x7f"
    assert describe(np.zeros(160, np.int16), order=10) == b"\x7f"


def test_taking_it_in_pieces_changes_nothing() -> None:
    payload = describe(coloured(), order=10)
    one, other = NoiseMaker(payload, start=40), NoiseMaker(payload, start=40)
    pieces = np.concatenate([one.take(size) for size in (160, 7, 333, 0, 80)])
    assert np.array_equal(pieces, other.take(580))


def test_it_goes_around_without_end() -> None:
    maker = NoiseMaker(bytes([40, 90]), start=32700)
    assert all(len(maker.take(160)) == 160 for _ in range(210))


@given(st.lists(st.binary(max_size=64), max_size=4), st.integers(-5, 10**7), st.integers(-1, 20_000))
def test_any_payload_is_survived_and_stays_in_bounds(payloads: list[bytes], start: int, samples: int) -> None:
    maker = NoiseMaker(start=start)
    for payload in payloads:
        maker.put(payload)
        level_of(payload)
        made = maker.take(samples)
        assert len(made) == min(max(samples, 0), 8000)
    assert maker.take(160).dtype == np.int16


def test_an_empty_payload_changes_nothing() -> None:
    maker = NoiseMaker(bytes([30]))
    maker.put(b"")
    assert rms_dbov(maker.take(8000)) == pytest.approx(-30, abs=0.6)
