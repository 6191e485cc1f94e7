from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.bucket import TokenBucket
from sipcc.errors import LocalProtocolError


def test_a_burst_then_the_rate() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(10.25)
    assert bucket.take(10.5)
    assert not bucket.take(10.5)


def test_it_never_holds_more_than_its_burst() -> None:
    bucket = TokenBucket(rate=100.0, burst=2.0)
    assert bucket.take(0.0, cost=2.0)
    assert bucket.level(1000.0) == 2.0


def test_waiting_as_long_as_it_says_is_enough() -> None:
    bucket = TokenBucket(rate=0.5, burst=4.0)
    assert bucket.wait(0.0) == 0.0
    assert bucket.take(0.0, cost=4.0)
    assert bucket.wait(1.0) == pytest.approx(1.0)
    assert bucket.take(2.0)


def test_what_never_comes() -> None:
    assert TokenBucket(rate=1.0, burst=1.0).wait(0.0, cost=2.0) == math.inf
    spent = TokenBucket(rate=0.0, burst=1.0)
    assert spent.take(0.0)
    assert spent.wait(5.0) == math.inf


def test_a_clock_that_goes_back_gains_nothing() -> None:
    bucket = TokenBucket(rate=1.0, burst=1.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(10.9)
    assert bucket.take(11.0)


@pytest.mark.parametrize(("rate", "burst"), [(-1.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_senseless_buckets(rate: float, burst: float) -> None:
    with pytest.raises(LocalProtocolError):
        TokenBucket(rate, burst)


@given(
    rate=st.floats(0.01, 1000),
    burst=st.floats(1, 100),
    pauses=st.lists(st.floats(0, 5), max_size=60),
)
def test_never_more_than_burst_and_rate(rate: float, burst: float, pauses: list[float]) -> None:
    bucket = TokenBucket(rate, burst)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= burst + rate * now + 1e-6
