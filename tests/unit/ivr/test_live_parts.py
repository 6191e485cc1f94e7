"""The parts of a live session that need no call: outcomes of transfers, keys in a talk, ends of messages."""

import pytest

from sipcc.call.digits import LengthMatcher, OptionsMatcher
from sipcc.call.message import MessageClock, MessageLimits
from sipcc.ivr.keywatch import KeyWatch
from sipcc.ivr.live_prompts import Score
from sipcc.ivr.steps import Reached, failure_of

OUTCOMES = {
    "busy": (486, 600),
    "noanswer": (408, 480, 487),
    "network_busy": (500, 502, 503, 504),
    "failed": (400, 401, 403, 404, 410, 482, 483, 484, 488, 501, 505, 603, 604, 606),
}


@pytest.mark.parametrize(
    ("status", "outcome"), [(status, name) for name, group in OUTCOMES.items() for status in group]
)
def test_what_a_status_says_of_a_transfer(status: int, outcome: str) -> None:
    assert failure_of(status) == outcome


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("*9", "*9"),
        ("7*9", "*9"),
        ("**9", "*9"),
        ("*8*9", "*9"),
        ("*8", ""),
        ("0", "0"),
        ("1", ""),
    ],
)
def test_keys_that_part_a_talk_are_found_among_others(typed: str, found: str) -> None:
    watch = KeyWatch(OptionsMatcher({"*9", "0"}))
    assert [watch.push(digit, now=float(at)) for at, digit in enumerate(typed)][-1] == found


def test_keys_far_apart_do_not_belong_together() -> None:
    watch = KeyWatch(LengthMatcher(2))
    assert watch.push("1", now=0) == ""
    assert watch.push("2", now=4) == ""
    assert watch.push("3", now=5) == "23"


def ends(limits: MessageLimits, voice: str) -> tuple[str | None, int]:
    """The end of a message in which somebody speaks (``v``) or not, half a second a sign; and its frames."""
    clock = MessageClock(limits)
    for sign in voice:
        for _ in range(25):
            ended = clock.push(sign == "v")
            if ended is not None:
                return ended, clock.frames
    return None, clock.frames


@pytest.mark.parametrize(
    ("limits", "voice", "ended", "frames"),
    [
        (MessageLimits(max_time=2), "vvvvvv", "max_time", 100),
        (MessageLimits(max_time=2), "......", "max_time", 100),
        (MessageLimits(timeout=1), "......", "noinput", 50),
        (MessageLimits(timeout=1), ".v....", None, 150),
        (MessageLimits(final_silence=1), "......", None, 150),
        (MessageLimits(final_silence=1), ".v.v....", "silence", 150),
        (MessageLimits(final_silence=1, timeout=3), "..vv..", "silence", 150),
    ],
)
def test_what_ends_a_message(limits: MessageLimits, voice: str, ended: str | None, frames: int) -> None:
    assert ends(limits, voice) == (ended, frames)


def test_the_last_mark_that_was_heard() -> None:
    score = Score(marks=[("a", 1.0), ("b", 2.5)])
    assert score.reached(0.5) is None
    assert score.reached(1.0) == Reached("a", 0.0)
    assert score.reached(2.0) == Reached("a", 1.0)
    assert score.reached(9.0) == Reached("b", 6.5)
