from __future__ import annotations

import pytest

from sipcc.rtp.jitter import MAX_PACKETS, JitterBuffer, Piece
from sipcc.rtp.transit import MARGIN_S, MAX_TRANSITS, MEMORY_S, Transits

START = 100.0
PAYLOAD = bytes(160)


class Bench:
    """A buffer, its sender and its clock; packets are put in at the moment they are due unless told."""

    def __init__(self) -> None:
        self.buffer = JitterBuffer()
        self.number = 0
        self.now = START

    def put(
        self, number: int | None = None, *, late_s: float = 0.0, shift: int = 0, marker: bool = False
    ) -> None:
        number = self.number if number is None else number
        due = START + number * 0.02 + late_s
        self.buffer.put(7, number & 0xFFFF, number * 160 + shift, marker, PAYLOAD, now=due)

    def take(self) -> list[Piece] | bytes:
        """What comes in the tick at `now`."""
        at = self.now + 0.011
        self.now += 0.02
        payload = self.buffer.whole(at)
        if payload is not None:
            return payload
        if not self.buffer.begin(at):
            return []
        pieces: list[Piece] = []
        if self.buffer.want:
            if self.buffer.want < 0:
                self.buffer.advance(160)
            self.buffer.adjusted(at)
        left = 160
        while left > 0:
            piece = self.buffer.advance(left)
            pieces.append(piece)
            left -= piece.units
        self.buffer.end(at, 0)
        return pieces

    def run(self, packets: int) -> list[list[Piece] | bytes]:
        taken = []
        for _ in range(packets):
            self.put()
            self.number += 1
            taken.append(self.take())
        return taken


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.run(300)
    return bench


def kinds(taken: list[Piece] | bytes) -> list[str]:
    return ["whole"] if isinstance(taken, bytes) else [piece.kind for piece in taken]


def test_the_first_packet_waits_for_the_second() -> None:
    bench = Bench()
    assert [kinds(item) for item in bench.run(4)] == [[], ["audio"], ["whole"], ["whole"]]


@pytest.mark.parametrize(("known", "kind"), [(True, "silent"), (False, "lost")])
def test_numbers_that_events_took_are_no_loss(bench: Bench, known: bool, kind: str) -> None:
    for _ in range(3):
        if known:
            bench.buffer.skip(bench.number)
        bench.number += 1
    bench.put()
    assert [kinds(bench.take()) for _ in range(3)] == [[kind]] * 3


def test_what_follows_a_hole_is_told_when_it_is_there(bench: Bench) -> None:
    bench.number += 1
    bench.put()
    pieces = [piece for _ in range(2) for piece in bench.take() if isinstance(piece, Piece)]
    assert pieces == [Piece("lost", 160, PAYLOAD), Piece("audio", 160, PAYLOAD)]


def test_a_packet_that_two_have_overtaken_asks_for_one_more_frame(bench: Bench) -> None:
    missing = bench.number
    bench.number += 1
    for _ in range(3):
        bench.put()
        bench.number += 1
        bench.take()
    bench.put(missing, late_s=0.051)
    assert bench.buffer.want == 1
    assert bench.buffer.late == 1
    bench.buffer.adjusted(bench.now)
    assert bench.buffer.want == 0


def test_a_late_packet_is_played_after_all(bench: Bench) -> None:
    missing = bench.number
    delay_s = bench.buffer.delay_s
    bench.number += 1
    assert kinds(bench.take()) == ["lost"]
    bench.put(missing, late_s=0.015)
    assert kinds(bench.take()) == ["audio"]
    assert bench.buffer.late == 0
    assert bench.buffer.delay_s == pytest.approx(delay_s + 0.02, abs=0.005)


def test_more_late_packets_than_anybody_counts(bench: Bench) -> None:
    for _ in range(4):
        bench.number += 1
        bench.take()
    first = bench.number - 4
    for n in range(2 * MAX_TRANSITS):
        bench.buffer.put(7, (first + n) & 0xFFFF, first * 160 + n % 600, False, PAYLOAD, now=bench.now)
    assert len(bench.buffer._packets) <= MAX_PACKETS
    assert bench.buffer.late + bench.buffer.discarded > 0


@pytest.mark.parametrize("slide_s", [-0.1, 0.1])
def test_after_a_silence_the_delay_is_put_right_at_once(bench: Bench, slide_s: float) -> None:
    before = bench.number
    for _ in range(500):
        bench.take()
    bench.number += 500
    for index in range(200):  # ten seconds later, and the sender's clock has slid
        number = bench.number
        due = START + number * 0.02 + slide_s
        bench.buffer.put(7, before + index, number * 160, not index, PAYLOAD, now=max(due, bench.now - 0.01))
        bench.number += 1
        bench.take()
        assert bench.buffer.delay_s <= 0.08
    assert bench.buffer.late == 0
    assert bench.buffer.resyncs == 0


def test_honest_lengths_only(bench: Bench) -> None:
    buffer = bench.buffer
    for size in (0, 1, 19, 600, 1400):
        buffer.put(7, bench.number, bench.number * 160, False, bytes(size), now=bench.now)
    assert buffer.discarded == 5
    buffer.configure(48000, lambda payload: 48000 if payload else 0)
    for payload in (b"", b"x"):
        buffer.put(7, 1, 2, False, payload, now=bench.now)
    assert buffer.discarded == 7
    assert buffer.queued == 0


def test_a_packet_that_is_too_long_is_cut_to_60_ms(bench: Bench) -> None:
    bench.buffer.put(7, bench.number, bench.number * 160, False, bytes(1400), now=bench.now)
    assert bench.buffer.queued <= 480 + 2 * 160


# -- transits -------------------------------------------------------------------------------------------


def of(*values: float) -> Transits:
    transits = Transits()
    for value in values:
        assert transits.note(value)
    return transits


def test_the_need_covers_the_95th_percentile_and_a_margin() -> None:
    transits = of(*(n / 1000 for n in range(100)))
    assert transits.look(now=0.0)
    assert transits.low == 0.005
    assert transits.need == pytest.approx(0.095 + 0.008)
    even = of(*[1.0] * 100)
    assert even.look(now=0.0)
    assert even.need == pytest.approx(1.0 + MARGIN_S)


def test_few_are_not_enough_to_go_by() -> None:
    assert not Transits().look(now=0.0)
    assert not of(*[1.0] * 9).turn(now=0.0)
    assert of(*[1.0] * 10).turn(now=0.0)


def test_two_seconds_are_remembered() -> None:
    transits = of(*[1.2] * 50)
    for second, need in enumerate([1.2, 1.2, 1.0, 1.0]):
        transits.turn(now=float(second))
        assert transits.need == pytest.approx(need + MARGIN_S, abs=0.002)
        for _ in range(50):
            transits.note(1.0)
    assert transits.known


def test_a_straggler_is_remembered_for_a_while_but_not_for_all_that_it_took() -> None:
    transits = of(*[1.0] * 100)
    transits.look(now=0.0)
    transits.remember(1.02, now=0.0)
    assert transits.need == pytest.approx(1.023)
    transits.remember(1.5, now=1.0)
    assert transits.need == pytest.approx(1.045)
    transits.look(now=1.0 + MEMORY_S - 0.1)
    assert transits.need == pytest.approx(1.045)
    transits.look(now=1.0 + MEMORY_S + 0.1)
    assert transits.need == pytest.approx(1.003)


def test_a_flood_is_not_counted() -> None:
    transits = of(*[1.0] * MAX_TRANSITS)
    assert not transits.note(5.0)
    assert len(transits.arrivals) == MAX_TRANSITS
    transits.clear()
    assert not transits.known


def test_late_packets_beyond_all_measure_are_counted_and_no_more(bench: Bench) -> None:
    missing = bench.number
    bench.number += 1
    bench.take()
    bench.buffer._transits.arrivals.extend([START] * MAX_TRANSITS)
    bench.put(missing, late_s=0.015)
    assert bench.buffer.late == 1
