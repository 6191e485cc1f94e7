from __future__ import annotations

import random

import pytest

from sipcc.ids import Ids
from sipcc.rtp.line import OutgoingLine, RelayMap


@pytest.fixture
def line() -> OutgoingLine:
    return OutgoingLine(Ids(random.Random(1)))


def frame(line: OutgoingLine, at: float) -> tuple[int, int, bool]:
    line.follow(at)
    return line.place(160)


def test_frames_follow_one_another(line: OutgoingLine) -> None:
    sequence, timestamp, marker = frame(line, 5.0)
    assert marker
    for tick in range(1, 200):
        assert frame(line, 5.0 + tick * 0.02) == (
            (sequence + tick) & 0xFFFF,
            (timestamp + 160 * tick) & 0xFFFFFFFF,
            False,
        )


def test_timestamp_follows_the_wall_over_a_silence(line: OutgoingLine) -> None:
    sequence, timestamp, _ = frame(line, 5.0)
    assert frame(line, 8.0) == (sequence + 1, (timestamp + 24000) & 0xFFFFFFFF, True)


@pytest.mark.parametrize("late", [-0.009, 0.0, 0.009])
def test_a_tick_that_is_a_little_off_is_no_gap(line: OutgoingLine, late: float) -> None:
    _, timestamp, _ = frame(line, 5.0)
    assert frame(line, 5.02 + late)[1:] == ((timestamp + 160) & 0xFFFFFFFF, False)


def test_a_relay_goes_on_where_the_frames_stopped(line: OutgoingLine) -> None:
    sequence, timestamp, _ = frame(line, 5.0)
    relay = RelayMap(line)
    assert relay.place(7, 65535, 4294967200, 160, 5.02) == (
        sequence + 1,
        (timestamp + 160) & 0xFFFFFFFF,
        False,
    )
    assert relay.place(7, 0, 64, 160, 5.04) == (sequence + 2, (timestamp + 320) & 0xFFFFFFFF, False)
    assert frame(line, 5.06) == (sequence + 3, (timestamp + 480) & 0xFFFFFFFF, False)


def test_loss_and_disorder_pass_through(line: OutgoingLine) -> None:
    relay = RelayMap(line)
    first = relay.place(7, 100, 0, 160, 5.0)
    assert first is not None
    base, zero, _ = first
    placed = [relay.place(7, 100 + step, step * 160, 160, 5.0 + step * 0.02) for step in (1, 4, 3, 5)]
    assert placed == [
        ((base + step) & 0xFFFF, (zero + step * 160) & 0xFFFFFFFF, False) for step in (1, 4, 3, 5)
    ]
    assert relay.place(7, 99, 0, 160, 5.2) is None, "from before the relay: its number is taken"


@pytest.mark.parametrize(
    ("ssrc", "sequence", "timestamp"), [(8, 101, 160), (7, 30000, 160), (7, 101, 5_000_000)]
)
def test_a_source_that_leaps_is_seated_anew(
    line: OutgoingLine, ssrc: int, sequence: int, timestamp: int
) -> None:
    relay = RelayMap(line)
    first = relay.place(7, 100, 0, 160, 5.0)
    assert first is not None
    assert relay.place(ssrc, sequence, timestamp, 160, 6.0) == (
        (first[0] + 1) & 0xFFFF,
        (first[1] + 8000) & 0xFFFFFFFF,
        True,
    )


def test_a_packet_that_is_not_passed_on_leaves_no_hole(line: OutgoingLine) -> None:
    relay = RelayMap(line)
    first = relay.place(7, 100, 0, 160, 5.0)
    assert first is not None
    relay.skip(101)
    assert relay.place(7, 102, 320, 160, 5.04) == (
        (first[0] + 1) & 0xFFFF,
        (first[1] + 320) & 0xFFFFFFFF,
        False,
    )


def test_sender_reports_pair_the_instant_with_the_line(line: OutgoingLine) -> None:
    assert line.timestamp_at(1.0) == line.next_timestamp
    _, timestamp, _ = frame(line, 5.0)
    assert line.timestamp_at(6.0) == (timestamp + 8000) & 0xFFFFFFFF


def test_the_timestamp_goes_on_at_the_rate_of_another_codec(line: OutgoingLine) -> None:
    sequence, timestamp, _ = frame(line, 5.0)
    line.retune(48000)
    line.follow(5.02)
    assert line.place(960) == ((sequence + 1) & 0xFFFF, (timestamp + 160) & 0xFFFFFFFF, False)
    line.follow(5.04)
    assert line.place(960) == ((sequence + 2) & 0xFFFF, (timestamp + 160 + 960) & 0xFFFFFFFF, False)
    line.follow(6.04)
    _, later, marker = line.place(960)
    assert (later, marker) == ((timestamp + 160 + 960 + 48000) & 0xFFFFFFFF, True)
    assert line.timestamp_at(7.04) == (later + 48000) & 0xFFFFFFFF
    line.retune(8000)
    assert frame(line, 6.06) == ((sequence + 4) & 0xFFFF, (later + 960) & 0xFFFFFFFF, False)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_a_relay_counts_in_units_of_the_clock(line: OutgoingLine, rate_hz: int) -> None:
    units = rate_hz // 50
    line.retune(rate_hz)
    relay = RelayMap(line)
    first = relay.place(7, 100, 0, units, 5.0)
    assert first is not None
    for step in range(1, 100):
        placed = relay.place(7, 100 + step, step * units, units, 5.0 + step * 0.02)
        assert placed == ((first[0] + step) & 0xFFFF, (first[1] + step * units) & 0xFFFFFFFF, False)
    line.follow(7.0)
    assert line.place(units) == ((first[0] + 100) & 0xFFFF, (first[1] + 100 * units) & 0xFFFFFFFF, False)
    paused = relay.place(7, 200, 100 * units + 3 * rate_hz, units, 10.0)
    assert paused is not None
    assert paused[2]


def test_a_relay_is_seated_anew_when_the_clock_changes(line: OutgoingLine) -> None:
    relay = RelayMap(line)
    first = relay.place(7, 100, 0, 160, 5.0)
    assert first is not None
    line.retune(48000)
    assert relay.place(7, 101, 77, 960, 5.02) == (
        (first[0] + 1) & 0xFFFF,
        (first[1] + 160) & 0xFFFFFFFF,
        False,
    )
