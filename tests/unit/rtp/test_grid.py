from __future__ import annotations

import random

import numpy as np
import pytest

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import CodecName
from sipcc.rtp.frame import Coding
from sipcc.rtp.grid import Cut, Decoder, Renderer, StereoGrid

LEFT, RIGHT = 0, 1
SILENCE = 0xFF


class Levels:
    """A codec for tests: two bytes are how many samples of what value."""

    def __init__(self, name: CodecName, clock_rate_hz: int) -> None:
        self.coding = (name, clock_rate_hz)
        self.seen: list[bytes] = []

    def decode(self, payload: bytes) -> Pcm:
        self.seen.append(payload)
        return np.full(payload[0], g711.decode(payload[1:2], "PCMU")[0], dtype=np.int16)


def no_decoder(name: CodecName, clock_rate_hz: int) -> Decoder:
    raise AssertionError("G.711 needs none")


def render(cut: Cut | None, renderer: Renderer | None = None) -> bytes:
    return b"" if cut is None else (renderer or Renderer(no_decoder)).render(cut)


def columns(data: bytes) -> tuple[bytes, bytes]:
    return data[::2], data[1::2]


def runs(column: bytes) -> list[tuple[int, int, int]]:
    """(byte, first sample, length) of each stretch that is not silence."""
    found: list[tuple[int, int, int]] = []
    for index, value in enumerate(column):
        if value == SILENCE:
            continue
        if found and found[-1][0] == value and sum(found[-1][1:]) == index:
            found[-1] = (value, found[-1][1], found[-1][2] + 1)
        else:
            found.append((value, index, 1))
    return found


def frame(value: int) -> bytes:
    return bytes([value]) * 160


def test_both_sides_begin_where_they_arrived() -> None:
    grid = StereoGrid(now=10.0)
    grid.place(LEFT, frame(1), now=10.1, timestamp=5000)
    grid.place(RIGHT, frame(2), now=10.3)
    left, right = columns(render(grid.finish(now=10.5)))
    assert len(left) == len(right) == 4000
    assert runs(left) == [(1, 800, 160)]
    assert runs(right) == [(2, 2400, 160)]
    assert grid.samples == 4000


def test_jitter_does_not_move_frames_with_timestamps() -> None:
    grid = StereoGrid(now=0.0)
    delays = [0.0, 0.03, 0.01, 0.19, 0.17, 0.0, -0.02, 0.05]
    for index, delay in enumerate(delays * 5):
        grid.place(LEFT, frame(1), now=0.1 + 0.02 * index + delay, timestamp=160 * index)
    left, _ = columns(render(grid.finish(now=2.0)))
    assert sum(length for _, _, length in runs(left)) >= 40 * 160 - 200
    assert left.count(1) <= 40 * 160


def test_reordered_frames_take_their_places() -> None:
    grid = StereoGrid(now=0.0)
    for index in (0, 2, 1, 3):
        grid.place(
            LEFT, frame(index + 1), now=0.1 + 0.02 * index, timestamp=(2**32 - 160 + 160 * index) % 2**32
        )
    left, _ = columns(render(grid.finish(now=0.3)))
    assert runs(left) == [(1, 800, 160), (2, 960, 160), (3, 1120, 160), (4, 1280, 160)]


def test_lost_frames_are_silence_and_keep_their_time() -> None:
    grid = StereoGrid(now=0.0)
    for index in (0, 1, 4, 5):
        grid.place(LEFT, frame(1), now=0.02 * index, timestamp=160 * index)
    left, _ = columns(render(grid.finish(now=0.12)))
    assert runs(left) == [(1, 0, 320), (1, 640, 320)]


@pytest.mark.parametrize("timestamps", ["stands still", "goes on", "begins anew", "none"])
def test_a_hold_keeps_its_length(timestamps: str) -> None:
    grid = StereoGrid(now=0.0)
    for index in range(50):
        resumed = index >= 25
        now = 0.02 * index + (3.0 if resumed else 0.0)
        timestamp: int | None = 160 * index
        if timestamps == "goes on" and resumed:
            timestamp = 160 * index + 24000
        if timestamps == "begins anew" and resumed:
            timestamp = 4_000_000_000 + 160 * index
        if timestamps == "none":
            timestamp = None
        grid.place(LEFT, frame(1), now=now, timestamp=timestamp)
    left, _ = columns(render(grid.finish(now=4.0)))
    assert runs(left) == [(1, 0, 4000), (1, 28000, 4000)]
    assert len(left) == 32000


def test_without_timestamps_late_ticks_leave_no_gap() -> None:
    grid = StereoGrid(now=0.0)
    for index in range(50):
        grid.place(RIGHT, frame(1), now=0.02 * index + (0.015 if index % 7 == 3 else 0.0))
    assert runs(columns(render(grid.finish(now=1.0)))[1]) == [(1, 0, 8000)]


@pytest.mark.parametrize("ppm", [-500, -200, 200, 500])
def test_a_drifting_sender_stays_within_a_frame_or_two_of_the_clock(ppm: int) -> None:
    grid = StereoGrid(now=0.0)
    interval = 0.02 * (1 + ppm / 1e6)
    count = 9000  # three minutes
    last = 0.0
    taken = []
    for index in range(count):
        last = interval * index
        grid.place(LEFT, frame(1 + index % 100), now=last, timestamp=160 * index)
        if index % 50 == 0:
            taken.append(render(grid.take(now=last)))
    left, _ = columns(b"".join(taken) + render(grid.finish(now=last + 0.1)))
    value, start, _ = runs(left)[-1]
    assert value == 1 + (count - 1) % 100
    assert start == pytest.approx(last * 8000, abs=2 * 160)
    assert grid.late == 0


def test_frames_after_their_place_was_written_are_counted_and_cut() -> None:
    grid = StereoGrid(now=0.0)
    grid.place(LEFT, frame(1), now=0.0, timestamp=0)
    grid.take(now=0.41)  # has written up to 0.11 s: 880 samples
    grid.place(LEFT, frame(2), now=0.19, timestamp=160)
    grid.place(LEFT, frame(3), now=0.19, timestamp=800)
    assert grid.late == 2
    left, _ = columns(render(grid.finish(now=0.2)))
    assert runs(left) == [(3, 0, 80)]


def test_take_holds_back_what_may_still_come() -> None:
    grid = StereoGrid(now=0.0)
    assert grid.take(now=0.2) is None
    assert len(render(grid.take(now=1.3))) == 2 * 8000
    assert grid.take(now=1.3) is None
    assert len(render(grid.finish(now=1.31))) == 2 * 2480
    assert grid.finish(now=1.0) is None


# -- pauses -------------------------------------------------------------------------------------------


def fill(grid: StereoGrid, *, start: float, end: float, value: int = 1) -> None:
    """Both sides talk; the left one with timestamps that count from the beginning."""
    for index in range(round(start * 50), round(end * 50)):
        grid.place(LEFT, frame(value), now=0.02 * index, timestamp=160 * index)
        grid.place(RIGHT, frame(value + 1), now=0.02 * index)


@pytest.mark.parametrize("step", [0.1, 1.0, 9.0])
def test_a_pause_is_silence_of_its_length(step: float) -> None:
    grid, taken, now = StereoGrid(now=0.0), b"", 0.0
    while now < 5.9:
        end = min(now + step, 6.0)
        for at, what in ((2.0, grid.pause), (4.0, grid.resume)):
            if now < at <= end:
                fill(grid, start=now, end=at)
                now = at
                what(now=at)
        fill(grid, start=now, end=end)
        now = end
        taken += render(grid.take(now=now))
    left, right = columns(taken + render(grid.finish(now=6.0)))
    assert runs(left) == [(1, 0, 16000), (1, 32000, 16000)]
    assert runs(right) == [(2, 0, 16000), (2, 32000, 16000)]


def test_a_pause_may_be_marked_by_a_tone_on_both_sides() -> None:
    grid, renderer, taken = StereoGrid(now=0.0), Renderer(no_decoder), b""
    grid.pause(now=1.0, mark=True)
    for now in (0.5, 1.7, 2.2, 3.9):
        taken += render(grid.take(now=now), renderer)
    grid.resume(now=4.0)
    for column in columns(taken + render(grid.finish(now=5.0), renderer)):
        pcm = g711.decode(column, "PCMU")
        (tone,) = tones.find_tones(pcm)
        assert tone.frequency_hz == pytest.approx(1000, abs=2)
        assert tone.start_ms == pytest.approx(1000, abs=20)
        assert tone.end_ms == pytest.approx(4000, abs=20)
        steps = np.abs(np.diff(pcm[8000:32000].astype(int)))
        assert steps.max() <= steps[:100].max()  # from cut to cut without a click


def test_what_was_under_way_before_a_pause_or_in_it_is_not_heard() -> None:
    grid = StereoGrid(now=0.0)
    fill(grid, start=0.0, end=1.0)
    grid.pause(now=0.9)  # as by a clock that lies a little behind the audio
    grid.pause(now=0.95)
    assert grid.paused
    grid.place(LEFT, frame(7), now=0.92, timestamp=160 * 40)
    grid.resume(now=2.0)
    grid.resume(now=2.5)
    assert not grid.paused
    grid.place(LEFT, frame(8), now=2.01, timestamp=160 * 92)  # said at 1.84
    left, _ = columns(render(grid.finish(now=3.0)))
    assert runs(left) == [(1, 0, 7200)]


def test_two_pauses_and_one_that_lasts_to_the_end() -> None:
    grid = StereoGrid(now=0.0)
    for start in (1.0, 3.0, 5.0):
        fill(grid, start=start - 1.0, end=start)
        grid.pause(now=start)
        if start < 5.0:
            grid.resume(now=start + 1.0)
    left, _ = columns(render(grid.finish(now=6.0)))
    assert runs(left) == [(1, 0, 8000), (1, 16000, 8000), (1, 32000, 8000)]


# -- other codecs -------------------------------------------------------------------------------------


def test_packets_of_other_codecs_are_decoded_in_order_by_one_decoder_a_side() -> None:
    made: list[Levels] = []

    def make(name: CodecName, clock_rate_hz: int) -> Levels:
        made.append(Levels(name, clock_rate_hz))
        return made[-1]

    grid, renderer, taken = StereoGrid(now=0.0), Renderer(make), b""
    order = [0, 2, 1, *range(3, 100)]
    for index, which in enumerate(order):
        payload = bytes([160, 1 + which])
        grid.place(
            LEFT, payload, ("opus", 48000), now=0.02 * index, timestamp=(2**32 - 4800 + 960 * which) % 2**32
        )
        grid.place(RIGHT, payload, ("G722", 8000), now=0.02 * index, timestamp=160 * which)
        if index % 30 == 7:
            taken += render(grid.take(now=0.02 * index), renderer)
    for column in columns(taken + render(grid.finish(now=2.0), renderer)):
        assert runs(column) == [(1 + which, 160 * which, 160) for which in range(100)]
    assert sorted(decoder.coding for decoder in made) == [("G722", 8000), ("opus", 48000)]
    for decoder in made:
        assert [payload[1] for payload in decoder.seen] == list(range(1, 101))


def test_a_packet_over_the_edge_of_a_cut_is_whole() -> None:
    grid, renderer = StereoGrid(now=0.0), Renderer(Levels)
    grid.place(LEFT, bytes([160, 9]), ("opus", 48000), now=0.095)
    grid.place(LEFT, bytes([160, 8]), ("opus", 48000), now=0.115)
    taken = render(grid.take(now=0.4), renderer) + render(grid.take(now=0.405), renderer)
    left, _ = columns(taken + render(grid.finish(now=1.0), renderer))
    assert runs(left) == [(9, 760, 160), (8, 920, 160)]


def test_the_codec_changes_in_mid_call() -> None:
    grid = StereoGrid(now=0.0)
    for index in range(25):
        grid.place(LEFT, frame(1), now=0.02 * index, timestamp=160 * index)
    for index in range(25, 50):
        grid.place(LEFT, bytes([160, 2]), ("opus", 48000), now=0.02 * index, timestamp=7 + 960 * index)
    for index in range(50, 75):
        grid.place(LEFT, frame(3), now=0.02 * index, timestamp=160 * index)
    left, _ = columns(render(grid.finish(now=1.5), Renderer(Levels)))
    assert runs(left) == [(1, 0, 4000), (2, 4000, 4000), (3, 8000, 4000)]


def test_a_codec_that_cannot_be_decoded_is_silence() -> None:
    def make(name: CodecName, clock_rate_hz: int) -> Decoder:
        raise KeyError(name)

    grid, renderer = StereoGrid(now=0.0), Renderer(make)
    grid.place(LEFT, b"??", ("G729", 8000), now=0.0)
    grid.place(LEFT, frame(1), now=0.02)
    assert runs(columns(render(grid.finish(now=1.0), renderer))[0]) == [(1, 160, 160)]


# -- floods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", [None, ("opus", 48000), ("L16", 16000)])
def test_a_flood_neither_lengthens_the_recording_nor_is_it_kept(coding: Coding | None) -> None:
    """D07: 1000 packets a second of 1200 bytes, with timestamps as wild as they come."""
    grid, decoder, size = StereoGrid(now=0.0), Levels("opus", 48000), 0
    renderer, wild = Renderer(lambda *_: decoder), random.Random(5)
    for index in range(10_000):
        now = index / 1000
        stamp = wild.choice([index * 1200, index * 160, wild.getrandbits(32)])
        grid.place(LEFT, bytes([160]) * 1200, coding, now=now, timestamp=stamp)
        cut = grid.take(now=now) if index % 500 == 0 else None
        if cut is not None:
            assert cut.size_bytes < 8000 + 400 * 1200
            size += len(render(cut, renderer))
    size += len(render(grid.finish(now=10.0), renderer))
    assert size == 2 * 80_000
    assert grid.dropped > 8000
    assert len(decoder.seen) <= 1650  # 150 a second, where 50 are usual


def test_what_comes_late_all_at_once_is_no_flood() -> None:
    grid = StereoGrid(now=0.0)
    for index in range(100):
        now = 0.02 * index if index < 25 or index >= 75 else 1.5
        grid.place(LEFT, frame(1), now=now, timestamp=160 * index)
    assert grid.dropped == 0
