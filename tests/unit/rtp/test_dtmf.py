from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.dtmf import (
    DIGITS,
    SEGMENT,
    DigitReceiver,
    DigitSender,
    KeyBegan,
    KeyEnded,
    KeyEvent,
    event_of,
)

END = 0x80
FIVE = 5


def event(code: int, duration: int, flags: int = 0) -> bytes:
    return struct.pack("!BBH", code, flags | 10, duration)


Step = tuple[float, int, int, int, int]
"""Seconds, timestamp, event, duration, flags."""


def run(steps: list[Step], *, until: float | None = None, rate: int = 8000) -> list[KeyEvent]:
    receiver = DigitReceiver(clock_rate_hz=rate)
    results: list[KeyEvent] = []
    for at, timestamp, code, duration, flags in steps:
        results += receiver.receive(1, timestamp, event(code, duration, flags), now=at)
    if until is not None:
        results += receiver.expire(now=until)
    return results


def press(
    digit: str, *, at: float = 0.0, timestamp: int = 1000, ticks: int = 5, copies: int = 3
) -> list[Step]:
    """A press as a good sender sends it: `ticks` updates of 20 ms, the last one with E, in `copies`."""
    code = DIGITS.index(digit)
    steps: list[Step] = [
        (at + 0.02 * tick, timestamp, code, 160 * (tick + 1), 0) for tick in range(ticks - 1)
    ]
    steps += [(at + 0.02 * (ticks - 1 + copy), timestamp, code, 160 * ticks, END) for copy in range(copies)]
    return steps


ONE_FIVE = [KeyBegan("5"), KeyEnded("5", 100)]


def moved(steps: list[Step], index: int, by: int) -> list[Step]:
    """The steps with the timestamp of each from `index` on moved on and on."""
    return [
        (at, timestamp + max(0, place - index + 1) * by, code, duration, flags)
        for place, (at, timestamp, code, duration, flags) in enumerate(steps)
    ]


@pytest.mark.parametrize("digit", DIGITS)
def test_each_key(digit: str) -> None:
    assert run(press(digit)) == [KeyBegan(digit), KeyEnded(digit, 100)]


def test_the_key_is_known_while_it_is_down() -> None:
    receiver = DigitReceiver()
    assert receiver.digit is None
    assert receiver.deadline is None
    assert receiver.receive(1, 1000, event(FIVE, 160), now=1.0) == [KeyBegan("5")]
    assert receiver.digit == "5"
    assert receiver.deadline == 1.15
    receiver.receive(1, 1000, event(FIVE, 320), now=1.02)
    assert receiver.deadline == pytest.approx(1.17)
    assert receiver.receive(1, 1000, event(FIVE, 480, END), now=1.04) == [KeyEnded("5", 60)]
    assert receiver.deadline is None


# One row for each way in which the world breaks digits (facts: complaints about DTMF).
ONE_PRESS: list[tuple[str, list[Step]]] = [
    ("first packet lost, and the marker with it", press("5")[1:]),
    ("all but one update lost", press("5")[3:4] + press("5")[4:]),
    ("only the E packets came", press("5")[4:]),
    ("only one E packet came", press("5")[6:]),
    ("E packets reordered before an update", [*press("5")[:3], *press("5")[4:6], press("5")[3]]),
    ("every packet doubled by the path", [step for step in press("5") for _ in range(2)]),
    ("E copies with timestamps of their own", moved(press("5"), 5, 160)),
    ("all E packets with timestamps of their own", moved(press("5"), 4, 160)),
    ("the timestamp moves with every update", moved(press("5"), 1, 160)),
    ("E copies 40 ms apart", [*press("5")[:5], (0.12, 1000, FIVE, 800, END), (0.16, 1000, FIVE, 800, END)]),
    ("a single E packet, as large ptimes send it", press("5", copies=1)),
    ("an E copy delayed by a second", [*press("5"), (1.1, 1000, FIVE, 800, END)]),
    ("an update after the end", [*press("5"), (0.2, 1000, FIVE, 640, 0)]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "steps"), ONE_PRESS, ids=[how for how, _ in ONE_PRESS])
def test_one_press_is_one_digit(how: str, steps: list[Step]) -> None:
    assert run(steps, until=5.0) == ONE_FIVE


@pytest.mark.parametrize("seed", range(6))
def test_one_press_is_one_digit_in_any_order_within_it(seed: int) -> None:
    steps = press("5", ticks=4)
    order = steps[seed:] + steps[:seed]
    shuffled = [(0.02 * index, *step[1:]) for index, step in enumerate(order)]
    results = run(shuffled, until=5.0)
    assert [type(result) for result in results] == [KeyBegan, KeyEnded]


def test_all_end_packets_lost_ends_by_time_out_with_the_last_known_duration() -> None:
    receiver = DigitReceiver()
    for at, timestamp, code, duration, flags in press("5")[:4]:
        receiver.receive(1, timestamp, event(code, duration, flags), now=at)
    assert receiver.expire(now=0.2) == []
    assert receiver.deadline == pytest.approx(0.21)
    assert receiver.expire(now=0.211) == [KeyEnded("5", 80)]
    assert receiver.expire(now=0.3) == []


def test_packets_after_the_time_out_are_no_second_digit() -> None:
    steps = press("5", ticks=100)
    del steps[20:30]  # 200 ms of loss in the middle of a two-second press
    assert [type(result) for result in run(steps, until=9.0)] == [KeyBegan, KeyEnded]


@pytest.mark.parametrize("gap", [0.06, 0.1, 1.0, 10.0])
def test_the_same_key_twice_is_two_digits(gap: float) -> None:
    second = 0.08 + gap
    steps = press("5") + press("5", at=second, timestamp=1000 + round(second * 8000))
    assert run(steps) == ONE_FIVE * 2


def test_a_fast_dialler_whose_end_packets_are_all_lost() -> None:
    steps = press("1", ticks=3)[:2] + press("2", at=0.1, timestamp=1800, ticks=3)
    assert run(steps) == [KeyBegan("1"), KeyEnded("1", 40), KeyBegan("2"), KeyEnded("2", 60)]


def test_same_key_again_before_the_time_out_with_the_end_lost() -> None:
    steps = press("5")[:4] + press("5", at=0.18, timestamp=1000 + 1440)
    assert run(steps) == [KeyBegan("5"), KeyEnded("5", 80), *ONE_FIVE]


def test_late_packets_of_the_digit_before_are_ignored() -> None:
    first, second = press("1"), press("2", at=0.2, timestamp=2600)
    steps = [*first[:5], second[0], first[5], first[3], *second[1:]]
    steps = [(0.02 * index, *step[1:]) for index, step in enumerate(steps)]
    assert run(steps) == [KeyBegan("1"), KeyEnded("1", 100), KeyBegan("2"), KeyEnded("2", 100)]


def test_a_press_of_ten_seconds_in_segments_is_one_digit() -> None:
    steps: list[Step] = []
    for tick in range(1, 501):
        units = 160 * tick
        if units <= 0xFFFF:
            steps.append((0.02 * tick, 1000, FIVE, units, 0))
        else:
            if not any(step[1] != 1000 for step in steps):
                steps.append((0.02 * tick - 0.01, 1000, FIVE, 0xFFFF, 0))
            steps.append((0.02 * tick, 1000 + 0xFFFF, FIVE, units - 0xFFFF, 0))
    steps.append((10.02, 1000 + 0xFFFF, FIVE, 80000 - 0xFFFF, END))
    assert run(steps) == [KeyBegan("5"), KeyEnded("5", 10000)]
    # The last packet of the first segment may be lost.
    assert run([step for step in steps if step[3] != 0xFFFF]) == [KeyBegan("5"), KeyEnded("5", 10000)]


def test_duration_follows_the_clock_rate() -> None:
    assert run([(0.0, 0, 1, 4800, END)], rate=48000) == [KeyBegan("1"), KeyEnded("1", 100)]


def test_a_sender_that_leaves_the_duration_at_zero_is_timed_by_arrival() -> None:
    assert run([(0.0, 0, 1, 0, 0), (0.1, 0, 1, 0, END)]) == [KeyBegan("1"), KeyEnded("1", 100)]


def test_timestamps_wrap() -> None:
    steps = press("5", timestamp=2**32 - 80) + press("5", at=0.3, timestamp=2240)
    assert run(steps) == ONE_FIVE * 2


def test_a_new_time_line_of_the_sender_does_not_lose_digits() -> None:
    steps = press("5", timestamp=4_000_000) + press("5", at=0.5, timestamp=1000)
    assert run(steps) == ONE_FIVE * 2


def test_a_sender_with_a_dead_timestamp() -> None:
    steps = press("1", timestamp=0) + press("2", at=0.5, timestamp=0) + press("2", at=9.0, timestamp=0)
    digits = [result.digit for result in run(steps) if isinstance(result, KeyEnded)]
    assert digits == ["1", "2", "2"]


def test_another_ssrc_is_another_press() -> None:
    receiver = DigitReceiver()
    receiver.receive(1, 1000, event(FIVE, 160), now=0.0)
    assert receiver.receive(2, 1000, event(FIVE, 160), now=0.02) == [KeyEnded("5", 20), KeyBegan("5")]
    assert receiver.receive(2, 1000, event(FIVE, 320, END), now=0.04) == [KeyEnded("5", 40)]


def test_what_is_no_key_is_counted() -> None:
    receiver = DigitReceiver()
    for copy in range(3):
        assert receiver.receive(1, 1000, event(16, 160, END), now=0.02 * copy) == []
        assert receiver.flashes == 1
    assert receiver.receive(1, 2000, event(16, 160, END), now=0.5) == []
    assert receiver.receive(1, 3000, event(32, 160), now=1.0) == []
    assert receiver.receive(1, 4000, b"\x05\x0a\x00", now=1.0) == []
    assert (receiver.flashes, receiver.unknown, receiver.malformed) == (2, 1, 1)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 17), st.integers(0, 0xFFFF), st.booleans(), st.integers(0, 200)
        ),
        max_size=60,
    )
)
def test_began_and_ended_always_come_in_pairs(
    packets: list[tuple[int, int, int, bool, int]],
) -> None:
    receiver = DigitReceiver()
    now, results = 0.0, []
    for press_number, code, duration, ended, wait_ms in packets:
        now += wait_ms / 1000
        flags = END if ended else 0
        results += receiver.receive(1, press_number * 1600, event(code, duration, flags), now=now)
    results += receiver.expire(now=now + 1)
    kinds = [type(result) for result in results]
    assert kinds == [KeyBegan, KeyEnded] * (len(kinds) // 2)
    for began, ended_ in zip(results[::2], results[1::2], strict=True):
        assert began.digit == ended_.digit


def ticks(sender: DigitSender, count: int, start: int = 0) -> list[tuple[int, int, int, bool] | None]:
    """(event, flags of E, duration, marker) of each tick."""
    made: list[tuple[int, int, int, bool] | None] = []
    for tick in range(count):
        frame = sender.tick(start + 160 * tick)
        if frame is None:
            made.append(None)
        else:
            code, flags, duration = struct.unpack("!BBH", frame.payload)
            made.append((code, flags & END, duration, frame.marker))
    return made


def test_sender_of_one_digit() -> None:
    sender = DigitSender()
    assert not sender.busy
    assert sender.tick(0) is None
    sender.send("5")
    assert sender.busy
    assert ticks(sender, 9) == [
        (5, 0, 160, True),
        (5, 0, 320, False),
        (5, 0, 480, False),
        (5, 0, 640, False),
        (5, END, 800, False),
        (5, END, 800, False),
        (5, END, 800, False),
        None,
        None,
    ]
    assert not sender.busy


def test_sender_keeps_the_start_timestamp_and_takes_the_next_from_the_running_line() -> None:
    sender = DigitSender()
    sender.send("12", duration_ms=60, gap_ms=80)
    frames = [sender.tick(5000 + 160 * tick) for tick in range(20)]
    stamps = [frame.timestamp if frame else None for frame in frames]
    # 60 ms of tone, 80 ms of gap of which 40 ms carry the copies of the end, then the next digit.
    assert stamps == [5000] * 5 + [None] * 2 + [5000 + 7 * 160] * 5 + [None] * 8
    assert [frame.marker for frame in frames if frame] == [True] + [False] * 4 + [True] + [False] * 4


def test_sender_volume_is_on_each_packet() -> None:
    sender = DigitSender(volume=7)
    sender.send("1", duration_ms=40)
    frames = [sender.tick(160 * tick) for tick in range(4)]
    assert [frame.payload[1] & 0x3F for frame in frames if frame] == [7] * 4


@pytest.mark.parametrize(("asked", "sent"), [(0, 320), (1, 320), (70, 640), (99, 800), (8000, 64000)])
def test_sender_durations(asked: int, sent: int) -> None:
    sender = DigitSender()
    sender.send("1", duration_ms=asked)
    durations = [made[2] for made in ticks(sender, 500) if made]
    assert max(durations) == sent


def frames_of(sender: DigitSender, count: int, *, rate: int = 8000, start: int = 0) -> list[tuple[int, ...]]:
    """(tick, timestamp, E, duration, marker) of each packet."""
    made = []
    for tick in range(count):
        frame = sender.tick((start + tick * (rate // 50)) & 0xFFFFFFFF)
        if frame is not None:
            _, flags, duration = struct.unpack("!BBH", frame.payload)
            made.append((tick, frame.timestamp, flags >> 7, duration, int(frame.marker)))
    return made


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_sender_at_each_clock_rate(rate: int) -> None:
    sender = DigitSender(clock_rate_hz=rate)
    sender.send("5", duration_ms=100)
    unit = rate // 50
    assert frames_of(sender, 20, rate=rate, start=700) == [
        *((tick, 700, 0, unit * (tick + 1), int(tick == 0)) for tick in range(4)),
        *((tick, 700, 1, 5 * unit, 0) for tick in (4, 5, 6)),
    ]


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_long_press_goes_out_in_segments_and_comes_in_as_one_digit(rate: int) -> None:
    sender, receiver = DigitSender(clock_rate_hz=rate), DigitReceiver(clock_rate_hz=rate)
    start = 2**32 - 5000
    sender.send("5", duration_ms=10_000)
    made = frames_of(sender, 600, rate=rate, start=start)
    segments = list(dict.fromkeys((stamp - start) & 0xFFFFFFFF for _, stamp, *_ in made))
    assert segments == [number * SEGMENT for number in range(10 * rate // SEGMENT + 1)]
    for begins in segments[:-1]:  # told in full, without E
        told = [(ended, units) for _, stamp, ended, units, _ in made if stamp == (start + begins) % 2**32]
        assert told[-1] == (0, SEGMENT)
        assert not any(ended for ended, _ in told)
    assert [marker for *_, marker in made] == [1] + [0] * (len(made) - 1)
    assert [ended for _, _, ended, *_ in made[-4:]] == [0, 1, 1, 1]
    results: list[KeyEvent] = []
    for tick, stamp, ended, units, _ in made:
        results += receiver.receive(1, stamp, event(FIVE, units, END * ended), now=0.02 * tick)
    assert results == [KeyBegan("5"), KeyEnded("5", 10_000)]


@pytest.mark.parametrize(
    ("held_ticks", "held_ms", "units"), [(5, 100, 800), (6, 110, 960), (2, 100, 800), (1, 20, 320)]
)
def test_a_key_that_is_played_on_while_it_is_held(held_ticks: int, held_ms: int, units: int) -> None:
    sender = DigitSender()
    sender.begin("7")
    made = frames_of(sender, held_ticks)
    assert all(not ended for _, _, ended, *_ in made)
    assert sender.busy
    sender.end(held_ms)
    rest = frames_of(sender, 20)
    durations = [duration for _, _, _, duration, _ in made + rest]
    assert durations == sorted(durations)
    assert [duration for _, _, ended, duration, _ in rest if ended] == [units] * 3
    assert not sender.busy


def test_a_held_key_ends_when_the_next_begins_or_all_is_cleared() -> None:
    sender = DigitSender()
    sender.begin("1")
    sender.begin("2")
    assert [made[0] for made in ticks(sender, 14) if made] == [1] * 4 + [2] * 9
    sender.clear()
    assert [made[1] for made in ticks(sender, 9) if made] == [END] * 3
    assert not sender.busy
    sender.end(100)
    assert not sender.busy


def test_a_held_key_that_is_never_let_go_ends() -> None:
    sender = DigitSender()
    sender.begin("1")
    made = frames_of(sender, 3100)
    assert [ended for _, _, ended, *_ in made][-4:] == [0, 1, 1, 1]
    assert not sender.busy


def test_a_hook_flash_is_sent_and_heard() -> None:
    sender, receiver = DigitSender(), DigitReceiver()
    sender.send("!5", duration_ms=40)
    told: list[KeyEvent] = []
    for tick in range(30):
        frame = sender.tick(160 * tick)
        if frame is not None:
            told += receiver.receive(1, frame.timestamp, frame.payload, now=0.02 * tick)
    assert told == [KeyBegan("5"), KeyEnded("5", 40)]
    assert receiver.flashes == 1


def test_event_codes() -> None:
    assert [event_of(digit) for digit in "0a*#!"] == [0, 12, 10, 11, 16]
    for wrong in ("", "12", "x"):
        with pytest.raises(ValueError, match="not a DTMF digit"):
            event_of(wrong)


def test_a_gap_too_short_is_made_long_enough() -> None:
    sender = DigitSender()
    sender.send("11", duration_ms=40, gap_ms=0)
    made = ticks(sender, 12)
    assert made[4] is None
    assert made[5] == (1, 0, 160, True)


def test_clear_ends_the_digit_under_way_properly() -> None:
    sender = DigitSender()
    sender.send("123", duration_ms=40)
    sender.tick(0)
    sender.clear()
    assert [made[1] for made in ticks(sender, 10, 160) if made] == [END] * 3
    assert not sender.busy


@pytest.mark.parametrize("digits", ["1x", "E", "一", " "])
def test_sender_refuses_what_is_no_digit(digits: str) -> None:
    sender = DigitSender()
    with pytest.raises(ValueError, match="not a DTMF digit"):
        sender.send(digits)
    assert not sender.busy


def test_sender_takes_small_letters() -> None:
    sender = DigitSender()
    sender.send("a")
    assert ticks(sender, 1) == [(12, 0, 160, True)]


@given(
    st.text(alphabet=DIGITS, min_size=1, max_size=8),
    st.integers(40, 300),
    st.integers(0, 300),
    st.integers(0, 2**32 - 1),
    st.sets(st.integers(0, 400), max_size=60),
)
def test_what_we_send_we_understand(
    digits: str, duration_ms: int, gap_ms: int, start: int, lost: set[int]
) -> None:
    """Through a path that loses packets, as long as one packet of each digit comes through."""
    sender, receiver = DigitSender(), DigitReceiver()
    sender.send(digits, duration_ms=duration_ms, gap_ms=gap_ms)
    heard: list[str] = []
    tick, through = 0, False
    while sender.busy:
        now, timestamp = 0.02 * tick, (start + 160 * tick) & 0xFFFFFFFF
        heard += [key.digit for key in receiver.expire(now=now) if isinstance(key, KeyEnded)]
        frame = sender.tick(timestamp)
        if frame is not None:
            if frame.marker:
                through = False
            last_chance = frame.payload[1] & END and not through
            if tick not in lost or last_chance:
                through = True
                results = receiver.receive(1, frame.timestamp, frame.payload, now=now)
                heard += [key.digit for key in results if isinstance(key, KeyEnded)]
        tick += 1
    heard += [key.digit for key in receiver.expire(now=0.02 * tick + 1) if isinstance(key, KeyEnded)]
    assert "".join(heard) == digits
