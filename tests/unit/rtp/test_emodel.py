from __future__ import annotations

from typing import get_args

import pytest

from sipcc.rtp.emodel import (
    FULL,
    G711_PLAIN,
    G729A,
    NARROW,
    OF_CODEC,
    WIDE,
    Impairment,
    estimate_mos,
    mos_of,
    rate,
)
from sipcc.rtp.flow import CodecName


@pytest.mark.parametrize(
    ("loss", "delay_ms", "mos"), [(0.0, 20, 4.40), (0.01, 50, 4.30), (0.03, 50, 4.09), (0.05, 100, 3.82)]
)
def test_check_values_of_g711(loss: float, delay_ms: float, mos: float) -> None:
    assert round(estimate_mos(loss=loss, delay_ms=delay_ms), 2) == mos


@pytest.mark.parametrize(
    ("codec", "loss", "rating"),
    [
        (G711_PLAIN, 0.0, 93.2),
        (G711_PLAIN, 0.01, 93.2 - 95 / 5.3),
        (G729A, 0.0, 82.2),
        (G729A, 0.02, 93.2 - 11 - 84 * 2 / 21),
        (WIDE, 0.0, 137.8 / 1.48),
        (WIDE, 0.01, (137.8 - 121.8 / 5.3) / 1.48),
    ],
)
def test_ratings_of_codecs(codec: Impairment, loss: float, rating: float) -> None:
    assert rate(loss=loss, delay_ms=0, codec=codec) == pytest.approx(rating)


def test_delay_weighs_more_beyond_the_knee() -> None:
    assert rate(loss=0, delay_ms=100) == pytest.approx(93.2 - 2.4)
    assert rate(loss=0, delay_ms=277.3) == pytest.approx(93.2 - 0.024 * 277.3 - 11)
    assert rate(loss=0, delay_ms=100, codec=WIDE) == pytest.approx(137.8 / 1.48 - 2.4)


def test_every_codec_has_its_place() -> None:
    assert set(OF_CODEC) == set(get_args(CodecName))
    assert {codec for codec, found in OF_CODEC.items() if found.scale is FULL} == {"G722", "opus"}
    assert NARROW.stretch == 1.0


@pytest.mark.parametrize(("loss", "delay_ms"), [(1.0, 0), (5.0, 4000), (0.2, 600), (0.9, 300), (1.0, 500)])
@pytest.mark.parametrize("codec", sorted(OF_CODEC))
def test_mos_never_leaves_its_range(loss: float, delay_ms: float, codec: CodecName) -> None:
    assert 1.0 <= estimate_mos(loss=loss, delay_ms=delay_ms, codec=OF_CODEC[codec]) < 1.7


def test_a_fraction_outside_0_to_1_is_taken_as_its_end() -> None:
    assert estimate_mos(loss=-1.0, delay_ms=20) == estimate_mos(loss=0.0, delay_ms=20)
    assert estimate_mos(loss=5.0, delay_ms=20) == estimate_mos(loss=1.0, delay_ms=20)


def test_the_ends_of_the_scale() -> None:
    assert estimate_mos(loss=0.0, delay_ms=0.0, codec=Impairment(-20.0, 4.3)) == 4.5
    assert mos_of(-3.0) == mos_of(0.0) == 1.0
    assert mos_of(4.0) == 1.0  # the cubic dips below one


def test_loss_hurts_more_without_concealment_and_in_bursts() -> None:
    concealed = estimate_mos(loss=0.03, delay_ms=20)
    assert estimate_mos(loss=0.03, delay_ms=20, codec=G711_PLAIN) < concealed - 1.0
    assert estimate_mos(loss=0.03, delay_ms=20, burst_ratio=2.0) < concealed
    assert estimate_mos(loss=0.03, delay_ms=20, burst_ratio=99.0) == estimate_mos(
        loss=0.03, delay_ms=20, burst_ratio=4.0
    )
