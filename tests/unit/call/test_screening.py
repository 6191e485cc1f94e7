"""Screening: the lists, the nameless, the insistent; who is allowed is never stopped; memory is bounded."""

from __future__ import annotations

import random

import pytest

from sipcc.call import screening
from sipcc.call.screening import Screening, ScreeningSettings
from sipcc.numbers import Number, parse, plan_of

CHINA = plan_of("86", "010")

RULES = ScreeningSettings(
    allow=("13800138000", "0108123*"),
    deny=("+852*", "0108*", "13900139000", "premium"),
    anonymous="reject",
    calls=3,
    window=60.0,
)


def number(text: str) -> Number:
    """A number as it is read here."""
    read = parse(text, CHINA)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("caller", "anonymous", "why"),
    [
        ("13800138000", False, "allowed"),
        ("+8613800138000", False, "allowed"),
        ("13800138000", True, "allowed"),  # known to us, although nobody is to be shown the number
        ("01081234567", False, "allowed"),  # on both lists
        ("01086543210", False, "denied"),
        ("+85291234567", False, "denied"),
        ("+86 139 0013 9000", False, "denied"),
        ("13900139000", True, "denied"),
        ("13700137000", True, "anonymous"),
        ("", True, "anonymous"),
        ("", False, "passed"),
        ("13700137000", False, "passed"),
    ],
)
def test_the_lists(caller: str, anonymous: bool, why: str) -> None:
    read = number(caller) if caller else None
    verdict = Screening(RULES, CHINA).judge(read, anonymous=anonymous, now=0.0)
    assert verdict.why == why, verdict.detail
    assert verdict.passes == (why in {"allowed", "passed"})


def test_nothing_is_stopped_by_default() -> None:
    guard = Screening(ScreeningSettings(), CHINA)
    for second in range(100):
        assert guard.judge(number("13700137000"), anonymous=True, now=float(second)).passes
    assert len(guard) == 0


def test_who_calls_too_often_waits_until_the_window_is_over() -> None:
    guard = Screening(RULES, CHINA)
    caller = number("13700137000")
    at = [0.0, 10.0, 20.0, 59.999, 80.0, 119.998, 200.0]
    passes = [guard.judge(caller, anonymous=False, now=now).passes for now in at]
    # at 80.0 the last three calls are those of 10, 20 and 59.999; at 119.998 those of 20, 59.999 and 80
    assert passes == [True, True, True, False, True, True, True]
    assert guard.judge(number("13700137001"), anonymous=False, now=20.0).passes


@pytest.mark.parametrize(("after", "passes"), [(59.0, False), (60.0, True), (61.0, True)])
def test_the_window_is_half_open(after: float, passes: bool) -> None:
    guard = Screening(RULES, CHINA)
    caller = number("13700137000")
    for _ in range(3):
        assert guard.judge(caller, anonymous=False, now=100.0).passes
    assert guard.judge(caller, anonymous=False, now=100.0 + after).passes == passes


def test_an_attack_of_a_thousand_calls() -> None:
    """Ten numbers call a thousand times in ten minutes, among callers who are allowed and some others."""
    chance = random.Random(5)
    guard = Screening(RULES, CHINA)
    attackers = [number(f"137001370{digit:02}") for digit in range(10)]
    friends = [number(f"0108123{digit:04}") for digit in range(5)]
    stopped, falsely = 0, 0
    for index in range(1000):
        now = index * 0.6
        stopped += not guard.judge(chance.choice(attackers), anonymous=False, now=now).passes
        falsely += not guard.judge(chance.choice(friends), anonymous=index % 2 == 0, now=now).passes
    assert stopped >= 950
    assert falsely == 0


def test_memory_is_bounded_and_the_quiet_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "MAX_CALLERS", 3)
    guard = Screening(RULES, CHINA)
    callers = [number(f"1370013700{digit}") for digit in range(4)]
    for caller in callers[:3] * 3:
        guard.judge(caller, anonymous=False, now=0.0)
    guard.judge(callers[3], anonymous=False, now=1.0)
    assert len(guard) == 3
    assert guard.judge(callers[2], anonymous=False, now=1.0).why == "too_often"
    assert guard.judge(callers[0], anonymous=False, now=1.0).passes


CHALLENGING = ScreeningSettings(
    allow=("13800138000",),
    deny=("13900139000",),
    anonymous="reject",
    calls=2,
    window=600.0,
    challenge=("anonymous", "too_often"),
)


def test_who_may_come_through_by_a_key() -> None:
    guard = Screening(CHALLENGING, CHINA)

    def judge(caller: str, *, anonymous: bool = False) -> tuple[str, bool]:
        verdict = guard.judge(number(caller) if caller else None, anonymous=anonymous, now=0.0)
        return verdict.why, verdict.challenge

    assert judge("", anonymous=True) == ("anonymous", True)
    assert judge("13900139000") == ("denied", False)
    assert [judge("13700137000") for _ in range(3)] == [
        ("passed", False), ("passed", False), ("too_often", True),
    ]  # fmt: skip
    guard.forgive(number("13700137000"))
    guard.forgive(None)
    assert judge("13700137000") == ("passed", False)
    only = Screening(ScreeningSettings(anonymous="reject", challenge=("too_often",)), CHINA)
    assert not only.judge(None, anonymous=True, now=0.0).challenge


def test_a_mixed_attack_is_stopped_and_nobody_on_the_list() -> None:
    """1000 calls: robots of 20 numbers and of none, which press no key, and allowed callers among them."""
    rng = random.Random(7)
    robots = [f"137{index:08d}" for index in range(20)]
    callers = [rng.choice(robots) for _ in range(700)] + [""] * 200 + ["13800138000"] * 100
    rng.shuffle(callers)
    guard = Screening(CHALLENGING, CHINA)
    stopped = dict.fromkeys(["robot", "nameless", "allowed"], 0)
    for second, caller in enumerate(callers):
        kind = "allowed" if caller == "13800138000" else "robot" if caller else "nameless"
        read = number(caller) if caller else None
        # a call every 0.1 s
        stopped[kind] += not guard.judge(read, anonymous=not caller, now=second / 10).passes
    assert stopped["allowed"] == 0
    assert stopped["nameless"] == 200
    assert stopped["robot"] == 700 - 2 * len(robots)
    assert (stopped["robot"] + stopped["nameless"]) / 900 >= 0.95
