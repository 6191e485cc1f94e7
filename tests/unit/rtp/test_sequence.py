from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.sequence import (
    Arrival,
    JitterEstimator,
    SequenceTracker,
    sequence_delta,
    timestamp_delta,
)


@pytest.mark.parametrize(
    ("new", "old", "delta"),
    [(1, 0, 1), (0, 65535, 1), (65535, 0, -1), (5, 5, 0), (32767, 0, 32767), (32768, 0, -32768), (9, 12, -3)],
)
def test_sequence_delta(new: int, old: int, delta: int) -> None:
    assert sequence_delta(new, old) == delta


@pytest.mark.parametrize(
    ("new", "old", "delta"), [(160, 0, 160), (60, 2**32 - 100, 160), (0, 160, -160), (2**31, 0, -(2**31))]
)
def test_timestamp_delta(new: int, old: int, delta: int) -> None:
    assert timestamp_delta(new, old) == delta


def feed(*sequences: int) -> tuple[SequenceTracker, list[Arrival]]:
    tracker = SequenceTracker(sequences[0])
    return tracker, [tracker.receive(sequence) for sequence in sequences]


def test_a_source_is_valid_after_two_in_order() -> None:
    tracker, arrivals = feed(10, 11, 12)
    assert arrivals == [Arrival.PROBATION, Arrival.IN_ORDER, Arrival.IN_ORDER]
    assert tracker.valid
    assert (tracker.base, tracker.expected, tracker.received, tracker.lost) == (11, 2, 2, 0)


def test_probation_begins_anew_after_a_gap() -> None:
    tracker, arrivals = feed(10, 20, 21)
    assert arrivals == [Arrival.PROBATION, Arrival.PROBATION, Arrival.IN_ORDER]
    assert tracker.base == 21


def test_nothing_is_expected_on_probation() -> None:
    tracker, _ = feed(10)
    assert (tracker.valid, tracker.expected, tracker.lost) == (False, 0, 0)


def test_wrap_counts_a_cycle() -> None:
    tracker, arrivals = feed(65533, 65534, 65535, 0, 1)
    assert arrivals[2:] == [Arrival.IN_ORDER] * 3
    assert (tracker.extended_highest, tracker.expected, tracker.lost) == (65537, 4, 0)


def test_wrap_in_a_gap() -> None:
    tracker, arrivals = feed(65532, 65533, 2)
    assert arrivals[2] is Arrival.GAP
    assert (tracker.expected, tracker.lost) == (6, 4)


@pytest.mark.parametrize(
    ("sequences", "lost", "last"),
    [
        ((1, 2, 3, 5), 1, Arrival.GAP),
        ((1, 2, 3, 5, 4), 0, Arrival.LATE),
        ((1, 2, 3, 5, 4, 4), 0, Arrival.DUPLICATE),
        ((1, 2, 3, 3, 3, 4), 0, Arrival.IN_ORDER),
        ((1, 2, 2, 2), 0, Arrival.DUPLICATE),
        ((1, 2, 3, 5, 5, 5), 1, Arrival.DUPLICATE),  # doubles do not hide the loss of 4
        ((1, 2, 1), 0, Arrival.DUPLICATE),  # from before the first one counted
        ((1, 2, 300), 297, Arrival.GAP),
        ((1, 2, 300, 250), 296, Arrival.LATE),
        ((1, 2, 2000, 5000), 4996, Arrival.JUMP),
        ((65534, 65535, 1, 0), 0, Arrival.LATE),
    ],
)
def test_loss(sequences: tuple[int, ...], lost: int, last: Arrival) -> None:
    tracker, arrivals = feed(*sequences)
    if last is Arrival.JUMP:
        lost = 1997
    assert (tracker.lost, arrivals[-1]) == (lost, last)


def test_a_restart_is_believed_with_its_second_packet_and_keeps_the_loss() -> None:
    tracker, arrivals = feed(1, 2, 4, 40000, 40001, 40002)
    assert arrivals[3:] == [Arrival.JUMP, Arrival.RESTARTED, Arrival.IN_ORDER]
    assert tracker.extended_highest == 40002
    assert (tracker.expected, tracker.lost) == (3 + 2, 1)


def test_a_stray_leap_changes_nothing() -> None:
    tracker, arrivals = feed(1, 2, 40000, 3, 4)
    assert arrivals[2:] == [Arrival.JUMP, Arrival.IN_ORDER, Arrival.IN_ORDER]
    assert (tracker.extended_highest, tracker.lost) == (4, 0)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=300))
def test_loss_is_never_negative(sequences: list[int]) -> None:
    tracker, _ = feed(*sequences)
    assert tracker.lost >= 0
    assert tracker.expected >= 0


@given(st.permutations(range(2, 40)), st.integers(0, 65535))
def test_reordering_is_no_loss(order: list[int], first: int) -> None:
    tracker, _ = feed(*((first + step) & 0xFFFF for step in [0, 1, *order]))
    assert tracker.lost == 0
    assert tracker.expected == 39


def test_jitter_of_a_steady_stream_is_zero() -> None:
    jitter = JitterEstimator()
    for index in range(100):
        jitter.receive((2**32 - 5000 + 160 * index) & 0xFFFFFFFF, now=3.0 + 0.02 * index)
    assert jitter.value == pytest.approx(0.0, abs=1e-6)


def test_jitter_follows_appendix_a8() -> None:
    jitter = JitterEstimator()
    expected = 0.0
    transits = [0.0, 0.004, 0.001, 0.010, 0.0]
    for index, transit in enumerate(transits):
        jitter.receive(160 * index, now=0.02 * index + transit)
        if index:
            step = abs(transit - transits[index - 1]) * 8000
            expected += (step - expected) / 16
    assert jitter.value == pytest.approx(expected)
    assert jitter.value_ms == pytest.approx(expected / 8)
    assert jitter.highest_ms >= jitter.value_ms


def test_a_new_time_line_is_no_jitter() -> None:
    jitter = JitterEstimator()
    jitter.receive(0, now=0.0)
    jitter.receive(160, now=0.02)
    jitter.receive(5_000_000, now=0.04)  # the sender began its timestamps anew
    jitter.receive(5_000_160, now=0.06)
    jitter.receive(5_000_320, now=9.06)  # and was held for nine seconds without telling
    assert jitter.highest == pytest.approx(0.0, abs=1e-6)
