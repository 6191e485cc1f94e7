"""Transfers out of a queue's talk: where they lead, who gets the caller, and who is counted for what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_transfer import hear_each_other, nothing_left, talk_to_alice

from sipcc.records import Cdr, CdrFold, KpiFold
from sipcc.records.outcome import OutcomeFold
from sipcc.testing.phone import Answer, Decline, Ignore

CELLS = "127.0.0.9"
SALES = "4008000006"
QUIET = CONFIG.replace("record = true\n", "")
"""Nothing is recorded: that is written by threads, which a clock that jumps overtakes."""

EXTRA = """
[dialling]
country = "86"
[toll]
allow = ["mobile"]
[[numbers]]
number = "4008000020"
to = "queue:help"
[[numbers]]
number = "4008000021"
to = "menu:main"
[[trunks]]
name = "cells"
addresses = ["127.0.0.9"]
[[queues]]
name = "shut"
max_length = 1
no_agent = "leave"
"""


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    """A centre that must be empty in the end."""
    async with Centre(tmp_path, config=QUIET, extra=EXTRA) as centre:
        yield centre
        await asyncio.sleep(15)
        assert nothing_left(centre) == {}
        outcomes = OutcomeFold()
        for event in centre.events:
            outcomes.apply(event, event.at)
        assert list(outcomes.violations) == []


def records_of(centre: Centre) -> list[Cdr]:
    """The latest record of each call, in the order of their beginning."""
    fold, found = CdrFold(), dict[str, Cdr]()
    for event in centre.events:
        if (record := fold.apply(event, event.at)) is not None:
            found[record.id] = record
    return sorted(found.values(), key=lambda record: record.started)


def chain(record: Cdr) -> list[tuple[str, str, str]]:
    return [(segment.agent, segment.queue, segment.how) for segment in record.segments]


def states(centre: Centre) -> dict[str, str]:
    return {agent.name: agent.state.value for agent in centre.switch.acd.snapshot().agents}


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(
    "target", ["sip:help@pbx.example.com", "sip:4008000020@pbx.example.com", "tel:4008000020"]
)
async def test_blind_to_a_queue(centre: Centre, target: str) -> None:
    """By the queue's name or by a number of ours: that is not dialled outside."""
    alice, carol = await centre.phone("1001"), await centre.phone("1003", Answer(after=3.0))
    caller, talk = await talk_to_alice(centre, alice, SALES)
    answered = now()
    await asyncio.sleep(2)
    assert await talk.hold() == 200
    await caller.hears(MUSIC_HZ)
    await asyncio.sleep(3)
    assert await talk.refer(target) == 202
    await talk.told(200)
    await talk.ended()
    left = now()
    await asyncio.sleep(0.5)
    assert states(centre)["alice"] == "wrap_up"
    other = await carol.next_call()
    await other.answered()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await asyncio.sleep(4)
    await caller.hangup()
    await other.ended()
    await asyncio.sleep(10)
    [record] = records_of(centre)
    assert record.queues == ("sales", "help")
    assert chain(record) == [("alice", "sales", "blind"), ("carol", "help", "caller")]
    first, second = record.segments
    assert first.talk + first.hold == pytest.approx(left - answered, abs=1.0)
    assert first.hold > 3.0
    assert first.wrap == pytest.approx(5.0, abs=0.1)
    assert second.hold == 0.0
    assert second.began - (first.ended or 0.0) == pytest.approx(3.0, abs=0.5)  # the wait in the second queue
    figures = KpiFold()
    for event in centre.events:
        figures.apply(event, event.at)
    assert (figures.queue("sales").answered, figures.queue("help").answered) == (1, 1)
    assert figures.queue("help").answer_wait == pytest.approx(3.0, abs=0.5)
    assert figures.queue("sales").wrap_up == pytest.approx(5.0, abs=0.1)


async def test_a_chain_of_three_through_two_queues(centre: Centre) -> None:
    """Whom a transfer brought to a queue is transferred again, and the first handler is long over."""
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    carol = await centre.phone("1003")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    await talk.refer("sip:help@pbx.example.com")
    second = await carol.next_call()
    await hear_each_other(caller, CALLER_HZ, second, AGENT_HZ["1003"])
    await second.refer("sip:bob@pbx.example.com")
    third = await bob.next_call()
    await hear_each_other(caller, CALLER_HZ, third, AGENT_HZ["1002"])
    await asyncio.sleep(20)
    await hear_each_other(caller, CALLER_HZ, third, AGENT_HZ["1002"])
    await third.hangup()
    await caller.ended()
    await asyncio.sleep(10)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind"), ("carol", "help", "blind"), ("bob", "", "agent")]
    assert record.segments[1].to == "sip:bob@pbx.example.com"


async def test_blind_to_a_menu(centre: Centre) -> None:
    alice, carol = await centre.phone("1001"), await centre.phone("1003")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    assert await talk.refer("sip:main@pbx.example.com") == 202
    await talk.ended()
    await caller.hears(WELCOME_HZ)
    await caller.press("2")
    other = await carol.next_call()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await other.hangup()
    await caller.ended()
    await asyncio.sleep(8)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind"), ("carol", "help", "agent")]


async def test_blind_to_an_agent_by_name(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002", Answer(after=2.0))
    caller, talk = await talk_to_alice(centre, alice, SALES)
    assert await talk.refer("sip:bob@pbx.example.com") == 202
    ringing = await bob.next_call()
    assert states(centre)["alice"] == "talking"  # until it is done
    await talk.told(200)
    await talk.ended()
    await hear_each_other(caller, CALLER_HZ, ringing, AGENT_HZ["1002"])
    assert states(centre) == {"alice": "wrap_up", "bob": "external", "carol": "offline"}
    await ringing.hangup()
    await caller.ended()
    await asyncio.sleep(6)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind"), ("bob", "", "agent")]
    assert states(centre)["bob"] == "ready"


async def test_blind_to_the_outside(centre: Centre) -> None:
    alice = await centre.phone("1001")
    mobile = await centre.outside("mobile", CELLS, tone_hz=2200.0, behaviour=Answer(after=2.0))
    caller, talk = await talk_to_alice(centre, alice, SALES)
    assert await talk.refer(f"sip:13900139000@{CELLS}") == 202
    outside = await mobile.next_call()
    assert outside.request is not None
    assert outside.request.uri.user == "13900139000"
    await talk.told(200)
    await talk.ended()
    await hear_each_other(caller, CALLER_HZ, outside, 2200.0)
    await asyncio.sleep(8)
    assert states(centre)["alice"] == "ready"
    await caller.hangup()
    await outside.ended()
    await asyncio.sleep(1)
    await mobile.stop()
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind")]


async def test_an_agent_at_a_mobile_is_not_free_while_it_has_the_caller(tmp_path: Path) -> None:
    """It is no user of ours, so its name alone tells who is busy."""
    dora = (
        '[[queues]]\nname = "far"\n[[agents]]\nname = "dora"\nuri = "cells/13900139000"\nqueues = ["far"]\n'
    )
    async with Centre(tmp_path, config=QUIET, extra=EXTRA + dora) as centre:
        alice = await centre.phone("1001")
        mobile = await centre.outside("mobile", CELLS, tone_hz=2200.0)
        caller, talk = await talk_to_alice(centre, alice, SALES)
        assert states(centre)["dora"] == "ready"
        assert await talk.refer("sip:dora@pbx.example.com") == 202
        other = await mobile.next_call()
        await talk.ended()
        await hear_each_other(caller, CALLER_HZ, other, 2200.0)
        assert states(centre)["dora"] == "external"
        await caller.hangup()
        await other.ended()
        await asyncio.sleep(8)
        assert states(centre)["dora"] == "ready"
        assert chain(records_of(centre)[0]) == [("alice", "sales", "blind"), ("dora", "", "caller")]
        await mobile.stop()


async def test_a_number_of_ours_that_rings_a_phone_is_rung_and_not_sent(centre: Centre) -> None:
    """So it can fail, and the agent has kept its caller."""
    alice = await centre.phone("1001")
    await centre.phone("1002", Decline(486))
    caller, talk = await talk_to_alice(centre, alice, SALES)
    assert await talk.refer("sip:4008000009@pbx.example.com") == 202
    await talk.told(486)
    await hear_each_other(caller, CALLER_HZ, talk, AGENT_HZ["1001"])
    assert states(centre)["alice"] == "talking"
    await talk.hangup()
    await caller.ended()
    await asyncio.sleep(6)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "agent")]


async def test_a_queue_that_takes_nobody_returns_the_caller(centre: Centre) -> None:
    """The agent was released when the caller had been sent; it is rung again."""
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    assert await talk.refer("sip:shut@pbx.example.com") == 202
    await talk.ended()
    back = await alice.next_call()
    await hear_each_other(caller, CALLER_HZ, back, AGENT_HZ["1001"])
    await back.hangup()
    await caller.ended()
    await asyncio.sleep(8)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind"), ("alice", "", "agent")]


async def test_the_caller_leaves_in_the_second_queue(centre: Centre) -> None:
    alice = await centre.phone("1001")
    await centre.phone("1003", Ignore())
    caller, talk = await talk_to_alice(centre, alice, SALES)
    await talk.refer("sip:help@pbx.example.com")
    await talk.ended()
    await asyncio.sleep(6)
    await caller.hangup()
    await asyncio.sleep(6)
    exits = [(event.queue, event.exit) for event in centre.told("QueueLeft")]  # type: ignore[attr-defined]
    assert exits == [("sales", "answered"), ("help", "abandoned")]
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "blind")]


# -- attended -----------------------------------------------------------------------------------------------


async def test_attended_to_an_agent_who_was_asked(centre: Centre) -> None:
    alice, bob = await centre.phone("1001"), await centre.phone("1002")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    await asyncio.sleep(2)
    await talk.hold()
    consult = await alice.call("4008000009")
    await consult.answered(timeout=30)
    other = await bob.next_call()
    await hear_each_other(consult, AGENT_HZ["1001"], other, AGENT_HZ["1002"])
    await asyncio.sleep(5)
    assert states(centre)["alice"] == "talking"
    assert await talk.refer("sip:1002@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    await asyncio.sleep(0.5)
    assert states(centre)["alice"] == "wrap_up"
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
    await asyncio.sleep(8)
    assert states(centre)["alice"] == "ready"
    await other.hangup()
    await caller.ended()
    await asyncio.sleep(2)
    visit, consulted = records_of(centre)
    assert chain(visit) == [("alice", "sales", "attended"), ("bob", "", "agent")]
    assert visit.segments[0].hold > 5.0
    assert visit.segments[0].wrap == pytest.approx(5.0, abs=0.1)
    assert consulted.interaction == visit.interaction == visit.id
    assert chain(consulted) == [("bob", "", "moved")]


async def test_attended_to_a_queue_whose_agent_was_asked(centre: Centre) -> None:
    """The agent whom the queue rang talks on in another call: it is not free, and wraps up after that."""
    alice, carol = await centre.phone("1001"), await centre.phone("1003")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    await talk.hold()
    consult = await alice.call("4008000020")
    other = await carol.next_call()
    await hear_each_other(consult, AGENT_HZ["1001"], other, AGENT_HZ["1003"])
    await asyncio.sleep(3)
    assert await talk.refer("sip:x@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    await consult.ended()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await asyncio.sleep(20)
    assert states(centre)["carol"] == "talking"
    assert states(centre)["alice"] == "ready"
    assert [call.id for call in centre.switch.calls.live()] == [records_of_live(centre)]
    await other.hangup()
    await caller.ended()
    await asyncio.sleep(1)
    assert states(centre)["carol"] == "wrap_up"
    centre.switch.acd.end_wrap_up("carol")
    visit, consulted = records_of(centre)
    assert chain(visit) == [("alice", "sales", "attended"), ("carol", "", "agent")]
    assert chain(consulted) == [("carol", "help", "moved")]
    assert visit.segments[1].talk > 20
    assert visit.segments[1].wrap == pytest.approx(1.0, abs=0.2)
    [ended] = [event for event in centre.told("TalkEnded") if event.agent == "carol"]  # type: ignore[attr-defined]
    assert ended.talked > 23  # type: ignore[attr-defined]


def records_of_live(centre: Centre) -> str:
    """The first call that began."""
    first = centre.told("CallStarted")[0]
    return str(first.call)  # type: ignore[attr-defined]


async def test_a_talk_that_goes_on_at_another_phone_is_one_segment(centre: Centre) -> None:
    alice = await centre.phone("1001")
    caller, talk = await talk_to_alice(centre, alice, SALES)
    answered = now()
    await asyncio.sleep(4)
    there = await alice.call("1001", headers=[("Replaces", str(talk.dialog)), ("Require", "replaces")])
    await there.answered()
    assert await talk.ended() == "peer"
    await hear_each_other(caller, CALLER_HZ, there, AGENT_HZ["1001"])
    await asyncio.sleep(4)
    left = now()
    await there.hangup()
    await caller.ended()
    await asyncio.sleep(8)
    [record] = records_of(centre)
    assert chain(record) == [("alice", "sales", "agent")]
    assert record.segments[0].talk == pytest.approx(left - answered, abs=1.0)
    assert record.segments[0].wrap == pytest.approx(5.0, abs=0.1)


async def test_a_caller_takes_the_place_of_the_agent_who_waits_in_a_queue(centre: Centre) -> None:
    alice = await centre.phone("1001")
    carol = await centre.phone("1003", Answer(after=8.0))
    caller, talk = await talk_to_alice(centre, alice, SALES)
    await talk.hold()
    consult = await alice.call("4008000020")
    await consult.answered()
    await asyncio.sleep(2)
    assert await talk.refer("sip:x@pbx.example.com", replaces=consult) == 202
    await talk.ended()
    await consult.ended()
    other = await carol.next_call()
    await other.answered()
    await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1003"])
    await other.hangup()
    await caller.ended()
    await asyncio.sleep(8)
    first, second = records_of(centre)
    assert first.cause == "transferred"
    assert second.interaction == first.id
    assert chain(first) == [("alice", "sales", "attended")]
    assert chain(second) == [("carol", "help", "agent")]


async def test_the_agent_of_a_queue_is_left_alone_with_somebody_else(centre: Centre) -> None:
    """A user who called the queue transfers its agent to a colleague: the agent is not free meanwhile."""
    bob, carol = await centre.phone("1002"), await centre.phone("1003")
    call = await bob.call("4008000020")
    talk = await carol.next_call()
    await hear_each_other(call, AGENT_HZ["1002"], talk, AGENT_HZ["1003"])
    alice = await centre.phone("1001")
    await call.refer("sip:1001@pbx.example.com")
    other = await alice.next_call()
    await hear_each_other(talk, AGENT_HZ["1003"], other, AGENT_HZ["1001"])
    await call.ended()
    await asyncio.sleep(5)
    assert states(centre)["carol"] == "talking"
    await other.hangup()
    await talk.ended()
    await asyncio.sleep(1)
    assert states(centre)["carol"] == "wrap_up"
