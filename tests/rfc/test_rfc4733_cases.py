"""Telephone events as senders of all kinds make them, row by row, and ten digits as four kinds of gateway do.

Each row is what came, as (ms, timestamp, event, duration, E), and what must have been understood. The rows
follow the complaints in the issue trackers of rtpengine, Asterisk, FreeSWITCH, pjproject, livekit and others.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from sipcc.rtp.dtmf import DIGITS, SEGMENT, DigitReceiver, DigitSender, KeyBegan, KeyEnded

Packet = tuple[float, int, int, int, bool]


class Case(NamedTuple):
    """One row."""

    name: str
    packets: list[Packet]
    keys: list[tuple[str, int]]
    """(digit, ms) of each press that must be told."""
    rate: int = 8000
    slack_ms: int = 0


def press(
    digit: str,
    ms: int,
    *,
    at: float = 0,
    timestamp: int = 16000,
    every: int = 20,
    ends: int = 3,
    spaced: float | None = None,
    rate: int = 8000,
) -> list[Packet]:
    """What a plain sender sends: an update each `every` ms, then `ends` packets with E, `spaced` ms apart."""
    event, unit = DIGITS.index(digit), rate // 1000
    times = list(range(every, ms, every))
    packets: list[Packet] = [(at + t, timestamp, event, t * unit, False) for t in times]
    gap = every if spaced is None else spaced
    packets += [(at + ms + index * gap, timestamp, event, ms * unit, True) for index in range(ends)]
    return packets


def without(packets: list[Packet], *indexes: int) -> list[Packet]:
    return [packet for index, packet in enumerate(packets) if index % len(packets) not in indexes]


def restamped(packets: list[Packet], first: int, step: int) -> list[Packet]:
    """From packet `first` on each has a timestamp of its own."""
    return [
        (at, stamp + max(0, index - first + 1) * step, event, duration, end)
        for index, (at, stamp, event, duration, end) in enumerate(packets)
    ]


def late(packets: list[Packet], index: int, ms: float) -> list[Packet]:
    at, *rest = packets[index]
    return sorted([*without(packets, index), (at + ms, *rest)])  # type: ignore[list-item]


def segments(digit: str, ms: int, *, rate: int = 8000) -> list[Packet]:
    """RFC 4733 §2.5.1.3: what lasts longer than 0xFFFF units goes on under a new timestamp."""
    event, total = DIGITS.index(digit), ms * rate // 1000
    packets: list[Packet] = []
    base = 0
    for at in range(20, ms + 1, 20):
        units = at * rate // 1000
        if units - base > SEGMENT:
            packets.append((at - 1, 16000 + base, event, SEGMENT, False))
            base += SEGMENT
        packets.append((at, 16000 + base, event, units - base, False))
    packets += [(ms + 20 * copy, 16000 + base, event, total - base, True) for copy in (1, 2, 3)]
    return packets


FIVE = press("5", 100)
FIFTH = [("5", 100)]

CASES = [
    Case("as the RFC has it", FIVE, FIFTH),
    Case("the first packet lost, and with it the marker", without(FIVE, 0), FIFTH),
    Case("all updates lost, three E packets left", FIVE[-3:], FIFTH),
    Case("one E packet left of all", FIVE[-1:], FIFTH),
    Case("all E packets lost", FIVE[:-3], [("5", 80)]),
    Case("an update that comes after the end", late(FIVE, 1, 100), FIFTH),
    Case("an E copy that comes a second late", late(FIVE, -1, 1000), FIFTH),
    Case("every packet twice", [packet for packet in FIVE for _ in range(2)], FIFTH),
    Case("E copies back to back", press("5", 100, spaced=0), FIFTH),
    Case("E copies with timestamps of their own (rtpengine #1812)", restamped(FIVE, 5, 160), FIFTH),
    Case("a timestamp for each update (rtpengine #1929)", restamped(FIVE, 1, 160), FIFTH),
    Case("one E packet at 60 ms a packet (pjproject #1542)", press("5", 120, every=60, ends=1), [("5", 120)]),
    Case("updates 50 ms apart", press("5", 200, every=50), [("5", 200)]),
    Case("the same key again after 60 ms", FIVE + press("5", 100, at=200, timestamp=17600), FIFTH * 2),
    Case(
        "the next key before the E of the one before (all lost)",
        FIVE[:-3] + press("6", 100, at=120, timestamp=16960),
        [("5", 80), ("6", 100)],
    ),
    Case("a press of ten seconds, in segments (unimrcp #44)", segments("5", 10_000), [("5", 10_000)]),
    Case("the same at 48000, in eight of them", segments("5", 10_000, rate=48_000), [("5", 10_000)], 48_000),
    Case("48000 units a second (FreeSWITCH #1724)", press("5", 100, rate=48_000), FIFTH, 48_000),
    Case(
        "timestamps that wrap between two keys",
        press("5", 100, timestamp=2**32 - 400) + press("5", 100, at=200, timestamp=1200),
        FIFTH * 2,
    ),
]
"""The 19 cases of media M10."""


def hear(packets: Iterable[Packet], rate: int = 8000) -> list[tuple[str, int]]:
    """The presses that are told; each begun and ended once."""
    receiver = DigitReceiver(clock_rate_hz=rate)
    told = []
    now = 0.0
    for at, timestamp, event, duration, end in packets:
        now = at / 1000
        told += receiver.expire(now=now)
        payload = struct.pack("!BBH", event, 10 | (0x80 if end else 0), duration)
        told += receiver.receive(7, timestamp & 0xFFFFFFFF, payload, now=now)
    told += receiver.expire(now=now + 1)
    keys = []
    for began, ended in zip(told[::2], told[1::2], strict=True):
        assert isinstance(began, KeyBegan)
        assert isinstance(ended, KeyEnded)
        assert began.digit == ended.digit
        keys.append((ended.digit, ended.duration_ms))
    return keys


def test_there_are_nineteen_cases() -> None:
    assert len({case.name for case in CASES}) == 19


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case) -> None:
    assert hear(case.packets, case.rate) == case.keys


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case_at_another_place_in_time(case: Case) -> None:
    """The same hours later, with timestamps just before their wrap."""
    moved = [(at + 9e6, stamp + 2**32 - 16500, *rest) for at, stamp, *rest in case.packets]
    assert hear(moved, case.rate) == case.keys  # type: ignore[arg-type]


# -- ten digits, as four gateways send them ---------------------------------------------------------------

NUMBER = "1380013800"


def softphone() -> list[Packet]:
    """20 ms updates, three E packets 20 ms apart, 100 ms of key and 100 of pause."""
    return [
        packet
        for index, digit in enumerate(NUMBER)
        for packet in press(digit, 100, at=200 * index, timestamp=1000 + 1600 * index)
    ]


def gateway() -> list[Packet]:
    """50 ms updates, a first packet of duration 0, E packets at once, keys of 80 ms each 160 ms."""
    packets: list[Packet] = []
    for index, digit in enumerate(NUMBER):
        at, stamp = 160.0 * index, 50_000 + 1280 * index
        packets.append((at, stamp, DIGITS.index(digit), 0, False))
        packets += press(digit, 80, at=at, timestamp=stamp, every=50, spaced=1)
    return packets


def lossy_line() -> list[Packet]:
    """A softphone's, of which each third packet is lost, and each seventh comes 30 ms late."""
    kept = [packet for index, packet in enumerate(softphone()) if index % 3 != 1]
    return sorted(
        (at + (30 if index % 7 == 3 else 0), *rest)  # type: ignore[misc]
        for index, (at, *rest) in enumerate(kept)
    )


def moving_stamps() -> list[Packet]:
    """A proxy that gives the E copies timestamps of their own, in a fast dialler's hand: 60 on, 80 off."""
    packets: list[Packet] = []
    for index, digit in enumerate(NUMBER):
        one = press(digit, 60, at=140 * index, timestamp=2**32 - 3000 + 1120 * index)
        packets += restamped(one, len(one) - 2, 160)
    return packets


@pytest.mark.parametrize(
    ("stream", "ms"), [(softphone, 100), (gateway, 80), (lossy_line, 100), (moving_stamps, 60)]
)
def test_ten_digits(stream: object, ms: int) -> None:
    packets = stream()  # type: ignore[operator]
    keys = hear(packets)
    assert "".join(digit for digit, _ in keys) == NUMBER
    assert all(lasted == ms for _, lasted in keys)


# -- what we send -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("ms", [40, 100, 1000, 3000])
def test_what_we_send(ms: int, rate: int) -> None:
    """One timestamp, or one per segment; a growing duration; three ends 20 ms apart; the marker once."""
    sender = DigitSender(clock_rate_hz=rate)
    sender.send(NUMBER, duration_ms=ms, gap_ms=100)
    packets: list[Packet] = []
    markers = ends = 0
    tick = 0
    while sender.busy:
        frame = sender.tick(tick * rate // 50)
        if frame is not None:
            event, flags, duration = struct.unpack("!BBH", frame.payload)
            packets.append((20.0 * tick, frame.timestamp, event, duration, bool(flags & 0x80)))
            markers += frame.marker
        tick += 1
    assert markers == len(NUMBER)
    for stamp, group in itertools.groupby(packets, key=lambda packet: packet[1]):
        rows = list(group)
        durations = [duration for _, _, _, duration, _ in rows]
        assert durations == sorted(durations)
        final = [at for at, _, _, _, end in rows if end]
        assert len(final) in (0, 3), stamp
        ends += len(final)
        if final:
            assert [at - final[0] for at in final] == [0, 20, 40]
        else:
            assert durations[-1] == SEGMENT
    assert ends == 3 * len(NUMBER)
    assert hear(packets, rate) == [(digit, ms) for digit in NUMBER]
