"""The ring of events: nothing lost, nothing doubled, and no place is invented."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.api.ring import EventRing, Gone


def ring_of(count: int, size: int = 4) -> EventRing:
    ring = EventRing("run", size)
    for number in range(1, count + 1):
        ring.add(b'{"n":%d}' % number, wall=number + 0.5)
    return ring


def test_an_event_has_its_number_its_cursor_and_the_time() -> None:
    (told,) = ring_of(1).after(0, 10)
    assert (told.seq, told.cursor) == (1, "run-1")
    assert json.loads(told.json) == {"seq": 1, "cursor": "run-1", "wall": 1.5, "n": 1}


@pytest.mark.parametrize(
    ("cursor", "place"), [("", 10), ("run-10", 10), ("run-9", 9), ("run-6", 6)]
)  # fmt: skip
def test_a_cursor_that_is_kept(cursor: str, place: int) -> None:
    assert ring_of(10).place_of(cursor) == place


@pytest.mark.parametrize(
    "cursor", ["run-5", "run-11", "old-10", "run", "run-", "run--1", "run-x", "10", "-", "run-" + "9" * 5000]
)
def test_a_cursor_that_is_not(cursor: str) -> None:
    with pytest.raises(Gone) as caught:
        ring_of(10).place_of(cursor)
    assert caught.value.oldest == "run-6"


def test_an_empty_ring_can_be_followed_from_its_beginning() -> None:
    ring = ring_of(0)
    assert ring.place_of("") == ring.place_of("run-0") == 0
    assert ring.after(0, 10) == []


def test_a_reader_that_is_too_slow_has_lost_its_place() -> None:
    ring = ring_of(10)
    assert [told.seq for told in ring.after(6, 10)] == [7, 8, 9, 10]
    with pytest.raises(Gone, match="run-6"):
        ring.after(5, 10)


@given(
    size=st.integers(1, 9),
    steps=st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), max_size=30),
)
def test_a_reader_sees_each_event_once_or_is_told(size: int, steps: list[tuple[int, int]]) -> None:
    ring, place, seen = EventRing("run", size), 0, []
    for added, limit in steps:
        for _ in range(added):
            ring.add(b'{"n":0}', wall=0.0)
        try:
            batch = ring.after(place, limit)
        except Gone:
            assert ring.last - place > size
            return
        seen += [told.seq for told in batch]
        place = seen[-1] if seen else 0
        assert seen == list(range(1, len(seen) + 1))
