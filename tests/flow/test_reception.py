"""What stands between a number and its treatment: calls meet opening hours at the second."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.flow.centre import CALLER_HZ, WELCOME_HZ, Centre

from sipcc.call import Call, events
from sipcc.testing.fakecall import FakeCall

HOURS = """
[[hours]]
name = "office"
week = { "mon-fri" = "09:00-18:00" }
holidays = ["2026-10-01..2026-10-07"]
workdays = ["2026-10-10"]
[[numbers]]
number = "4008100001"
to = "reject:480"
hours = "office"
closed = "reject:603"
"""


def at(text: str) -> float:
    """A time in Shanghai as Unix seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


def turn_to(centre: Centre, wall: float) -> None:
    """Have the switch's clock show the Unix time `wall`."""
    centre.switch.clock._offset = wall - asyncio.get_running_loop().time()


async def status_of(centre: Centre, number: str, *, caller: str = "13800138000") -> int:
    """How a call that is not answered ends."""
    call = await centre.carrier.call(number, caller=caller)
    await call.ended()
    return call.status


def decided(centre: Centre, begin: str) -> list[events.Decision]:
    """The decisions that begin so."""
    return [
        event
        for event in centre.events
        if isinstance(event, events.Decision) and event.what.startswith(begin)
    ]


@pytest.mark.parametrize(
    ("local", "status", "why"),
    [
        ("2026-11-23 08:59:59", 603, "outside the hours of mon 2026-11-23"),
        ("2026-11-23 09:00:00", 480, "mon 09:00-18:00"),
        ("2026-11-23 17:59:59", 480, "mon 09:00-18:00"),
        ("2026-11-23 18:00:00", 603, "outside the hours of mon 2026-11-23"),
        ("2026-10-01 10:00:00", 603, "holiday 2026-10-01..2026-10-07"),
        ("2026-10-10 10:00:00", 480, "make-up workday 2026-10-10 09:00-18:00"),
    ],
)
async def test_the_hours_decide_at_the_second(tmp_path: Path, local: str, status: int, why: str) -> None:
    async with Centre(tmp_path, extra=HOURS) as centre:
        turn_to(centre, at(local))
        assert await status_of(centre, "4008100001") == status
        (decision,) = decided(centre, "calendar ")
        state = "open" if status == 480 else "closed"
        assert (decision.what, decision.why) == (f"calendar office: {state}", why)


SCREENING = """
[screening]
allow = ["13800138000"]
deny = ["0108*"]
anonymous = "reject"
calls = 2
window = 60.0
to = "reject:607"
[[numbers]]
number = "4008100002"
to = "reject:480"
"""


async def test_callers_from_a_trunk_are_screened(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=SCREENING) as centre:

        async def call(caller: str) -> int:
            return await status_of(centre, "4008100002", caller=caller)

        assert [await call("13800138000") for _ in range(4)] == [480] * 4
        assert await call("01081234567") == 607
        assert await call("anonymous") == 607
        assert [await call("13900139000") for _ in range(3)] == [480, 480, 607]
        await asyncio.sleep(61.0)
        assert await call("13900139000") == 480
        told = [event for event in centre.events if isinstance(event, events.CallScreened)]
        assert [event.why for event in told] == ["denied", "anonymous", "too_often"]
        assert {event.to for event in told} == {"reject:607"}
        assert [event.why for event in decided(centre, "screening: reject:607")] == [
            "0108* is denied",
            "calls without a number are rejected",
            "more than 2 calls in 60 s",
        ]


async def test_users_of_ours_are_not_screened(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=SCREENING.replace("calls = 2", "calls = 1")) as centre:
        phone = await centre.phone("1001")
        for _ in range(3):
            call = await phone.call("4008100002")
            await call.ended()
            assert call.status == 480


REGIONS = """
[regions]
file = "regions.csv"
overrides = { "13900139*" = "上海" }
default = "elsewhere"
[[numbers]]
number = "4008100003"
to = "reject:480"
regions = { "北京" = "reject:600", "上海" = "reject:606" }
"""


async def test_callers_go_where_their_region_goes(tmp_path: Path) -> None:
    (tmp_path / "regions.csv").write_text("1380013,北京\n", encoding="utf-8")
    async with Centre(tmp_path, extra=REGIONS) as centre:
        callers = {
            "13800138000": 600,
            "13900139000": 606,
            "02161234567": 606,
            "13700137000": 480,
            "anonymous": 480,
        }
        for caller, status in callers.items():
            assert await status_of(centre, "4008100003", caller=caller) == status, caller
        told = decided(centre, "region: ")
        assert (told[0].what, told[0].why) == ("region: reject:600", "the caller's number is of 北京")
        assert (told[-1].what, told[-1].why) == (
            "region: none of the number's",
            "the caller's is elsewhere",
        )


async def test_a_program_is_told_the_region(tmp_path: Path) -> None:
    seen = []

    async def app(call: Call) -> None:
        seen.append(call.variables["region"])
        await call.reject(480)

    async with Centre(tmp_path, apps={"4008100004": app}) as centre:
        assert await status_of(centre, "4008100004", caller="02161234567") == 480
        assert seen == ["上海"]


FULL = """
[[numbers]]
number = "4008100005"
to = "echo"
max_calls = 2
full = "play:welcome"
[[numbers]]
number = "4008100006"
to = "echo"
max_calls = 1
"""


async def test_the_call_that_is_too_many_gets_its_own_treatment(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=FULL) as centre:
        first = await centre.carrier.call("4008100005")
        second = await centre.carrier.call("4008100005")
        for caller in (first, second):
            await caller.answered()
            await caller.hears(CALLER_HZ)
        third = await centre.carrier.call("4008100005")
        await third.answered()
        await third.hears(WELCOME_HZ)
        (told,) = decided(centre, "route 4008100005: full")
        assert told.why == "it has its 2 calls"
        await first.hangup()
        await asyncio.sleep(0.5)
        fourth = await centre.carrier.call("4008100005")  # a place is free again, also beside the third
        await fourth.answered()
        await fourth.hears(CALLER_HZ)
        for caller in (second, third, fourth):
            await caller.hangup()


async def test_without_one_the_call_that_is_too_many_is_busy(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=FULL) as centre:
        first = await centre.carrier.call("4008100006")
        await first.answered()
        assert await status_of(centre, "4008100006") == 486
        await first.hangup()


CHALLENGE = """
[screening]
anonymous = "reject"
calls = 1
window = 600.0
challenge = ["anonymous", "too_often"]
challenge_prompt = "welcome"
to = "reject:607"
[[numbers]]
number = "4008100007"
to = "echo"
"""


async def challenged(centre: Centre, caller: str) -> FakeCall:
    """A call that hears that it must press a key."""
    call = await centre.carrier.call("4008100007", caller=caller)
    await call.answered()
    await call.hears(WELCOME_HZ)
    return call


def screened(centre: Centre) -> list[tuple[str, bool]]:
    told = [event for event in centre.events if isinstance(event, events.CallScreened)]
    return [(event.why, event.challenged) for event in told]


async def test_a_person_presses_the_key_and_comes_through(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=CHALLENGE) as centre:
        call = await challenged(centre, "anonymous")
        await call.press("7")
        await call.press("1")
        await call.hears(CALLER_HZ)
        await call.hangup()
        assert screened(centre) == []
        (told,) = decided(centre, "screening: ")
        assert (told.what, told.why) == (
            "screening: the key was pressed",
            "calls without a number are rejected",
        )


async def test_a_number_that_pressed_the_key_is_counted_anew(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=CHALLENGE) as centre:

        async def straight() -> None:
            call = await centre.carrier.call("4008100007", caller="13900139000")
            await call.answered()
            await call.hears(CALLER_HZ)
            await call.hangup()

        await straight()
        call = await challenged(centre, "13900139000")
        await call.press("1")
        await call.hears(CALLER_HZ)
        await call.hangup()
        await straight()
        again = await challenged(centre, "13900139000")
        await again.hangup()


async def test_a_robot_presses_nothing_and_does_not(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=CHALLENGE) as centre:
        call = await challenged(centre, "anonymous")
        await asyncio.sleep(20.0)  # the prompt twice, and 5 s behind each
        await call.ended()
        assert screened(centre) == [("anonymous", True)]
        assert decided(centre, "screening: ")[0].why == (
            "calls without a number are rejected, and the key was not pressed"
        )
        hasty = await challenged(centre, "anonymous")
        await hasty.hangup()
        await asyncio.sleep(1.0)
        assert screened(centre) == [("anonymous", True)] * 2
