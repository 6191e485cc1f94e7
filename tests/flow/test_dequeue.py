"""Callers whom another call takes out of a queue, however they came into it, and what the records say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_webapps import Net, centre_with

from sipcc.acd.events import QueueLeft, TalkEnded
from sipcc.call.events import Decision, RecordingStarted
from sipcc.records.outcome import OutcomeFold
from sipcc.records.queuelog import QueueLogFold
from sipcc.testing.phone import Answer

DESK_HZ = 1500.0
LINE = "4008000301"

MORE = """
[[webapps]]
name = "desk"
url = "http://app.example.com/desk"
fallback = "hangup"
[[numbers]]
number = "4008000201"
to = "webapp:desk"
[[numbers]]
number = "4008000301"
to = "queue:sales"
"""


def desk(**more: Any) -> Net:
    return Net(
        {
            "/desk": [{"verb": "dequeue", "name": "sales", "actionHook": "/taken", **more}],
            "/taken": [{"verb": "play", "url": "prompt:welcome"}],
        }
    )


def of(centre: Centre, kind: type[Any]) -> list[Any]:
    return [event for event in centre.events if isinstance(event, kind)]


async def test_a_caller_of_any_queue_is_taken_and_its_wait_is_counted(tmp_path: Path) -> None:
    net = desk()
    async with centre_with(tmp_path, net, more=MORE) as centre:
        first = await centre.carrier.call(LINE)
        await first.hears(MUSIC_HZ)
        second = await centre.carrier.call(LINE, caller="13700137000")
        await second.hears(MUSIC_HZ)
        await asyncio.sleep(5.0)
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
        await first.hears(DESK_HZ)
        await other.hears(CALLER_HZ)
        (waits,) = centre.switch.acd.queue("sales").waiting
        assert (waits.caller, waits.position) == ("13700137000", 1)
        await asyncio.sleep(4.0)
        assert centre.switch.acd.invariants() == []
        await first.hangup()
        await other.hears(WELCOME_HZ)
        await other.ended()
        await second.hangup()
        await asyncio.sleep(1.0)
        assert centre.switch.acd.invariants() == []
        fold, wall_of = OutcomeFold(), centre.switch.clock.wall_of
        outcomes = [told for event in centre.events for told in fold.apply(event, wall_of(event.at))]
        log = QueueLogFold()
        lines = [line for event in centre.events for line in log.apply(event, wall_of(event.at))]
    assert not fold.violations
    assert [line.split("|")[3:5] for line in lines if "|CO" in line] == [
        ["NONE", "CONNECT"],
        ["NONE", "COMPLETECALLER"],
    ]
    assert net.told("/taken")["dequeue_result"] == "complete"
    taken, gone = of(centre, QueueLeft)
    assert (taken.exit, taken.agent, gone.exit) == ("answered", None, "abandoned")
    assert 5.0 <= taken.waited < 9.0
    (talk,) = of(centre, TalkEnded)
    assert talk.agent == ""
    assert 4.0 <= talk.talked < 7.0
    (told,) = [outcome for outcome in outcomes if outcome.exit == "answered" and outcome.talked is not None]
    assert told.waited == round(taken.waited, 3)
    (started,) = of(centre, RecordingStarted)  # as its queue wants it
    assert (started.call, started.queue) == (taken.call, "sales")


async def test_a_caller_for_whom_an_agent_is_rung_stays_that_agents(tmp_path: Path) -> None:
    net = desk(timeout=3)
    async with centre_with(tmp_path, net, more=MORE) as centre:
        phone = await centre.phone("1001", Answer(after=6.0))
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
        await other.hears(WELCOME_HZ)
        await other.ended()
        await caller.hears(AGENT_HZ["1001"])
        await (await phone.next_call()).hangup()
        await caller.ended()
    assert net.told("/taken")["dequeue_result"] == "timeout"
    (left,) = of(centre, QueueLeft)
    assert left.agent == "alice"


async def test_a_certain_caller_can_be_taken(tmp_path: Path) -> None:
    net = desk()
    async with centre_with(tmp_path, net, more=MORE) as centre:
        first = await centre.carrier.call(LINE)
        second = await centre.carrier.call(LINE, caller="13700137000", tone_hz=900.0)
        await second.hears(MUSIC_HZ)
        wanted = centre.switch.acd.queue("sales").waiting[1].call
        net.answers["/desk"] = [[{"verb": "dequeue", "name": "sales", "callSid": wanted}]]
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
        await other.hears(900.0)
        await second.hears(DESK_HZ)
        await other.hangup()
        await second.ended()
        await first.hears(MUSIC_HZ)
        await first.hangup()


async def test_who_hangs_up_as_it_is_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    net = desk()
    async with centre_with(tmp_path, net, more=MORE) as centre:
        for delay in (0.0, 0.1, 0.2, 0.3):
            caller = await centre.carrier.call(LINE)
            await caller.hears(MUSIC_HZ)
            other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
            await asyncio.sleep(delay)
            await caller.hangup()
            await asyncio.sleep(0.5)
            await other.hangup()
            await asyncio.sleep(1.0)
        assert centre.switch.acd.invariants() == []
        assert not centre.switch.acd.floor.entries


async def test_a_queue_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    net = Net({"/desk": [{"verb": "dequeue", "name": "nosuch"}]})
    async with centre_with(tmp_path, net, more=MORE) as centre:
        caller = await centre.carrier.call("4008000201")
        await caller.ended()
    (decided,) = [event for event in of(centre, Decision) if "webapp" in event.what]
    assert decided.why.startswith("unreadable: $[0].name")


async def test_who_waited_hears_something_before_the_two_talk(tmp_path: Path) -> None:
    net = Net(
        {
            "/desk": "<Response><Dial action='/taken'><Queue url='/whisper'>sales</Queue></Dial></Response>",
            "/whisper": "<Response><Play>prompt:welcome</Play></Response>",
            "/taken": "<Response><Hangup/></Response>",
        }
    )
    async with centre_with(
        tmp_path, net, more=MORE.replace("fallback", 'kind = "twiml"\nfallback')
    ) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        other = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
        await caller.hears(WELCOME_HZ)
        await caller.hears(DESK_HZ)
        await caller.hangup()
        await other.ended()
        second = await centre.carrier.call(LINE)
        await second.hears(MUSIC_HZ)
        third = await centre.carrier.call("4008000201", caller="13900139000", tone_hz=DESK_HZ)
        await second.hears(WELCOME_HZ)
        await second.hangup()  # in the middle of it
        await third.ended()
        assert centre.switch.acd.invariants() == []
    whispered = net.told("/whisper")
    assert (whispered["From"], whispered["QueueSid"]) == ("13800138000", "sales")
    assert whispered["DequeingCallSid"] == net.told("/taken")["CallSid"]
