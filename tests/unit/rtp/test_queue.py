from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.queue import MAX_FRAMES, FrameQueue


def frame(number: int) -> bytes:
    return bytes([number & 0xFF]) * 160


def filled(*numbers: int) -> FrameQueue:
    queue = FrameQueue()
    for number in numbers:
        queue.put(number, frame(number))
    return queue


def drain(queue: FrameQueue) -> list[int]:
    taken = [queue.take() for _ in range(10)]
    return [item[0] for item in taken if item is not None]


def test_waits_for_a_second_frame_or_a_second_tick() -> None:
    queue = filled(1)
    assert queue.take() is None
    assert queue.take() == frame(1)
    assert filled(1, 2).take() == frame(1)


def test_orders_and_drops_doubles() -> None:
    assert drain(filled(1, 3, 2, 3, 4)) == [1, 2, 3, 4]


def test_orders_across_the_wrap() -> None:
    assert drain(filled(65534, 0, 65535, 1)) == [254, 255, 0, 1]


def test_what_comes_after_its_place_was_played_is_late() -> None:
    queue = filled(10, 12)
    assert queue.take() == frame(10)
    assert queue.take() == frame(12)
    queue.put(11, frame(11))
    assert queue.take() is None
    assert queue.late == 1


def test_never_holds_more_than_its_limit() -> None:
    queue = filled(*range(20))
    assert len(queue) == MAX_FRAMES
    assert queue.dropped == 20 - MAX_FRAMES
    assert drain(queue) == [15, 16, 17, 18, 19]


def test_gives_a_frame_back_that_is_never_needed() -> None:
    queue = filled(0, 1, 2, 3)
    for number in range(4, 60):
        queue.take()
        queue.put(number, frame(number))
    assert len(queue) == 3
    assert queue.dropped == 1


def test_cuts_and_joins_other_packet_times() -> None:
    queue = FrameQueue()
    sound = b"".join(bytes([number]) * 240 for number in range(3))
    for start in range(0, 720, 240):
        queue.put(start // 240, sound[start : start + 240])
    assert b"".join(queue.take() or b"" for _ in range(5)) == sound[:640]


def test_clear_forgets() -> None:
    queue = filled(1, 2, 3)
    queue.clear()
    assert drain(queue) == []


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 700)), max_size=200))
def test_any_packets_stay_bounded(packets: list[tuple[int, int]]) -> None:
    queue = FrameQueue()
    for index, (sequence, size) in enumerate(packets):
        queue.put(sequence, bytes(size))
        assert len(queue) <= MAX_FRAMES
        if index % 3 == 0:
            taken = queue.take()
            assert taken is None or len(taken) == 160
