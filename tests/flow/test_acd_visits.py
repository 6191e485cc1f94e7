"""Whole visits to a queue on the virtual clock: what callers hear, what agents suffer, what is told."""

from __future__ import annotations

import asyncio

import pytest
from tests.flow.acd_fakes import CANCEL_TAKES, Centre, FakeCaller, centre, now

from sipcc.acd import (
    AgentSettings,
    AgentStateChanged,
    OfferEnded,
    OfferMade,
    QueueJoined,
    QueueLeft,
    QueueResult,
    QueueSettings,
    TalkEnded,
)
from sipcc.errors import CallEnded, LocalProtocolError, NoCommonCodec, TransportError
from sipcc.recordpolicy import RecordingRules, RecordPolicy


def enter(it: Centre, caller: FakeCaller, **more: int) -> asyncio.Task[QueueResult]:
    return asyncio.get_running_loop().create_task(it.acd.queue("q").enter(caller, **more))


async def settle(seconds: float = 0.0) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_visit_from_music_to_wrap_up() -> None:
    it = await centre("alice", record=True)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(13.0)
    assert caller.policy == RecordPolicy(when=True, queue="q")
    assert caller.leg is not None
    caller.leg.end("callee")
    result = await stay
    assert result == QueueResult(
        exit="answered", waited=3.0, talked=10.0, agent="alice", ended_by="callee", queue="q"
    )
    assert caller.heard == [(0, "~hold"), (3, ""), (3, "<alice>"), (13, "")]
    assert it.state("alice") == "wrap_up"
    await settle()
    assert it.idle()
    assert it.acd.invariants() == []
    kinds = [type(event) for event in it.events if not isinstance(event, AgentStateChanged)]
    assert kinds == [QueueJoined, OfferMade, OfferEnded, QueueLeft, TalkEnded]


async def test_the_next_offer_comes_when_the_wrap_up_ends() -> None:
    it = await centre("alice", wrap_up=15.0)
    first, second = FakeCaller("c1"), FakeCaller("c2")
    enter(it, first)
    stay = enter(it, second)
    await settle(10.0)
    first.hang_up()
    await settle()
    ended = now()
    await settle(14.0)
    assert it.dialer.rings[-1][2] == "c1"
    it.acd.extend_wrap_up("alice", 5.0)
    await settle(5.9)
    assert it.dialer.rings[-1][2] == "c1"
    await settle(0.1)
    assert it.dialer.rings[-1] == (ended + 20.0, "alice", "c2")
    stay.cancel()


async def test_a_wrap_up_ended_early_frees_the_agent_at_once() -> None:
    it = await centre("alice")
    first, second = FakeCaller("c1"), FakeCaller("c2")
    enter(it, first)
    enter(it, second)
    await settle(10.0)
    first.hang_up()
    await settle(1.0)
    it.acd.end_wrap_up("alice")
    await settle()
    assert it.dialer.rings[-1] == (now(), "alice", "c2")


@pytest.mark.parametrize(("after", "exit_"), [(2.0, "short_abandoned"), (8.0, "abandoned")])
async def test_a_caller_who_hangs_up_while_an_agent_rings(after: float, exit_: str) -> None:
    it = await centre("alice")
    it.dialer.default = ("answered", 15.0)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(after)
    caller.hang_up()
    result = await stay
    assert (result.exit, result.waited, result.agent) == (exit_, after, None)
    assert it.dialer.cancelled == ["alice"]
    await settle(CANCEL_TAKES)
    alice = it.acd.floor.staff.get("alice")
    assert (alice.state.value, alice.misses, alice.not_before) == ("ready", 0, 0.0)
    assert it.idle()


@pytest.mark.parametrize("first", ["answer", "hang-up"])
async def test_answer_and_hang_up_in_the_same_instant(first: str) -> None:
    it = await centre("alice")
    it.dialer.default = ("answered", 6.0)
    caller = FakeCaller()
    loop = asyncio.get_running_loop()
    if first == "hang-up":
        loop.call_at(loop.time() + 6.0, caller.hang_up)
    stay = enter(it, caller)
    if first == "answer":
        await settle()
        loop.call_at(loop.time() + 6.0, caller.hang_up)
    assert (await stay).exit == "abandoned"
    await settle(1.0)
    assert all(leg.over.done() for leg in it.dialer.legs)
    alice = it.acd.floor.staff.get("alice")
    assert (alice.state.value, alice.misses, alice.not_before) == ("ready", 0, 0.0)
    assert [event.exit for event in it.of(QueueLeft)] == ["abandoned"]
    assert it.of(TalkEnded) == []
    assert it.idle()


async def test_a_leg_that_crosses_the_cancel_is_hung_up() -> None:
    it = await centre("alice")
    it.dialer.default = ("answered", 15.0)
    it.dialer.answers_cancel = True
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(6.0)
    caller.hang_up()
    assert (await stay).exit == "abandoned"
    await settle()
    assert [leg.over.done() for leg in it.dialer.legs] == [True]
    assert it.state("alice") == "ready"


async def test_ring_all_bridges_one_of_two_that_answer_in_the_same_instant() -> None:
    it = await centre("alice", "bob", "carol", strategy="ring-all")
    it.dialer.behaviour = {"carol": [("answered", 9.0)]}
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(4.0)
    talking = [leg for leg in it.dialer.legs if not leg.over.done()]
    assert len(talking) == 1
    assert caller.leg is talking[0]
    states = sorted(it.state(name) for name in ("alice", "bob", "carol"))
    assert states == ["ready", "ready", "talking"]
    assert sorted(event.outcome for event in it.of(OfferEnded)) == ["answered", "cancelled", "cancelled"]
    caller.hang_up()
    assert (await stay).ended_by == "caller"


@pytest.mark.parametrize("moment", [0.0, 1.0, 3.0, 7.0])
async def test_a_cancelled_stay_leaves_no_trace(moment: float) -> None:
    it = await centre("alice", announce_position=True)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(moment)
    stay.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stay
    await settle(CANCEL_TAKES)
    assert it.idle()
    assert caller.playing == ""
    assert all(leg.over.done() for leg in it.dialer.legs)
    assert it.state("alice") == ("ready" if moment < 3.0 else "wrap_up")
    assert len(it.of(QueueLeft)) == len(it.of(QueueJoined)) == 1
    assert it.acd.invariants() == []


async def test_a_stay_cancelled_in_the_instant_of_the_answer_hangs_the_agent_up() -> None:
    it = await centre("alice")
    caller = FakeCaller()
    loop = asyncio.get_running_loop()
    stay = enter(it, caller)
    await settle()
    loop.call_at(loop.time() + 3.0, stay.cancel)
    with pytest.raises(asyncio.CancelledError):
        await stay
    await settle(1.0)
    assert all(leg.over.done() for leg in it.dialer.legs)
    assert it.state("alice") == "ready"
    assert it.idle()


async def test_a_caller_who_is_gone_before_entering() -> None:
    it = await centre("alice")
    caller = FakeCaller()
    caller.hang_up()
    assert (await enter(it, caller)).exit == "short_abandoned"
    assert it.dialer.rings == []
    await settle()
    assert it.idle()


async def test_positions_are_spoken_and_the_music_comes_back() -> None:
    it = await centre("alice", announce_position=True, announce_every=30.0)
    it.dialer.default = ("answered", 0.0)
    first, second, third = (FakeCaller(f"c{i}") for i in range(3))
    enter(it, first)
    await settle()
    assert first.heard == [(0, "~hold"), (0, ""), (0, "<alice>")]
    enter(it, second)
    enter(it, third)
    await settle(80.0)
    assert second.heard == [
        *[(0, "~hold"), (0, ""), (0, "queue_position"), (2, "number 1"), (3, "~hold")],
        *[(33, ""), (33, "queue_position"), (35, "number 1"), (36, "~hold")],
        *[(66, ""), (66, "queue_position"), (68, "number 1"), (69, "~hold")],
    ]
    assert [what for _, what in third.heard][3] == "number 2"
    second.hang_up()
    await settle(20.0)
    assert third.heard[-4:] == [(84, ""), (84, "queue_position"), (86, "number 1"), (87, "~hold")]


@pytest.mark.parametrize(("stubborn", "delay"), [(0.0, 0.0), (9.0, 0.1)])
async def test_an_answer_cuts_an_announcement_within_100_ms(stubborn: float, delay: float) -> None:
    it = await centre("alice", announce_position=True)
    it.acd.pause("alice", "lunch")
    caller = FakeCaller(prompt_takes=30.0, stubborn=stubborn)
    stay = enter(it, caller)
    await settle(5.0)
    assert caller.playing == "queue_position"
    it.acd.ready("alice")
    await settle(3.0 + delay)
    assert caller.heard[-1] == (8.0 + delay, "<alice>")
    assert it.dialer.rings[0][0] == now() - 3.0 - delay
    stay.cancel()
    await settle(20.0)
    assert it.idle()


async def test_silence_is_a_choice_of_music() -> None:
    it = await centre("alice", music="")
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(3.0)
    assert caller.heard == [(3, "<alice>")]
    stay.cancel()


async def test_a_dialer_that_fails_moves_the_caller_on() -> None:
    for error in (TransportError("no route"), RuntimeError("a bug")):
        it = await centre("alice", "bob")
        it.dialer.error = error
        stay = enter(it, FakeCaller())
        await settle(0.5)
        assert [event.outcome for event in it.of(OfferEnded)] == ["failed", "failed"]
        it.dialer.error = None
        await settle(10.0)
        assert it.state("alice") == "talking"
        stay.cancel()


async def test_ended_by_tells_who_hung_up_and_codecs_may_not_fit() -> None:
    it = await centre("alice", wrap_up=0.0)
    caller = FakeCaller()
    caller.bridge_error = NoCommonCodec("nothing in common")
    result = await enter(it, caller)
    assert (result.exit, result.talked, result.ended_by) == ("answered", 0.0, "us")
    assert [leg.over.done() for leg in it.dialer.legs] == [True]
    caller.bridge_error = CallEnded("normal")
    assert (await enter(it, caller)).ended_by == "caller"
    caller.bridge_error = None
    stay = enter(it, caller)
    await settle(5.0)
    it.dialer.legs[-1].end("network")
    assert (await stay).ended_by == "network"


async def test_the_caller_is_told_of_the_recording_before_it_stands_in_line() -> None:
    it = await centre("alice", record=True, recording=RecordingRules(prompt="recorded"))
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(1.0)
    assert it.acd.floor.entries == {}
    await settle(3.0)
    assert caller.heard[0] == (0, "recorded")
    caller.hang_up()
    assert (await stay).exit == "short_abandoned"


async def test_priority_of_the_call_goes_before_the_order_of_joining() -> None:
    it = await centre("alice", wrap_up=0.0)
    it.acd.pause("alice")
    enter(it, FakeCaller("plain"))
    enter(it, FakeCaller("gold"), priority=5)
    await settle()
    it.acd.ready("alice")
    await settle()
    assert it.dialer.rings[0][2] == "gold"


async def test_timed_out_and_withdrawn() -> None:
    it = await centre("alice", max_wait=30.0)
    it.acd.pause("alice")
    late, taken = FakeCaller("late"), FakeCaller("taken")
    first, second = enter(it, late), enter(it, taken)
    await settle(10.0)
    entry = next(each.entry for each in it.acd.snapshot().queues[0].waiting if each.call == "taken")
    assert it.acd.withdraw(entry, "key_exit")
    assert not it.acd.withdraw(entry, "key_exit")
    assert (await second).exit == "key_exit"
    result = await first
    assert (result.exit, result.waited) == ("timed_out", 30.0)
    assert late.playing == ""


async def test_stop_withdraws_who_waits_and_lets_talks_end() -> None:
    it = await centre("alice")
    talking, waiting = FakeCaller("c1"), FakeCaller("c2")
    first, second = enter(it, talking), enter(it, waiting)
    await settle(5.0)
    await it.acd.stop()
    assert (await second).exit == "withdrawn"
    assert (await enter(it, FakeCaller("c3"))).exit == "closed"
    talking.hang_up()
    assert (await first).exit == "answered"
    await settle()
    assert it.idle()


async def test_drain_waits_for_the_last_caller() -> None:
    it = await centre("alice")
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(5.0)
    drain = asyncio.get_running_loop().create_task(it.acd.drain())
    await settle()
    assert not drain.done()
    assert (await enter(it, FakeCaller("c2"))).exit == "closed"
    caller.hang_up()
    await stay
    await drain
    await it.acd.drain()


async def test_a_handler_of_the_bus_may_command() -> None:
    it = await centre("alice", wrap_up=0.0)
    it.bus.on(QueueLeft, lambda event: it.acd.pause("alice", "after this one"))
    caller = FakeCaller()
    enter(it, caller)
    enter(it, FakeCaller("c2"))
    await settle(5.0)
    caller.hang_up()
    await settle()
    assert it.state("alice") == "not_ready"
    assert it.of(AgentStateChanged)[-1].reason == "after this one"
    assert it.acd.invariants() == []


async def test_registrations_log_agents_in_and_out() -> None:
    settings = [AgentSettings(name="alice", user="1001", queues=("q",))]
    it = await centre(settings=settings)
    assert it.state("alice") == "offline"
    enter(it, FakeCaller())
    await settle(1.0)
    assert it.dialer.rings == []
    it.acd.user_reachable("1001", True)
    await settle()
    assert it.state("alice") == "ringing"
    await settle(5.0)
    it.acd.agent_reachable("alice", False)
    assert it.state("alice") == "talking"
    it.dialer.legs[0].end("callee")
    await settle(15.0)
    assert it.state("alice") == "offline"
    it.acd.login("alice")
    it.acd.agent_external("alice", "d1", True)
    assert it.state("alice") == "external"
    it.acd.agent_external("alice", "d1", False)
    it.acd.logout("alice")
    with pytest.raises(LocalProtocolError):
        it.acd.pause("alice", "lunch")


class Known:
    def reachable(self, agent: AgentSettings) -> bool:
        return agent.user == "1001"


async def test_presence_is_asked_at_the_start() -> None:
    settings = [AgentSettings(name="alice", user="1001"), AgentSettings(name="bob", user="1002")]
    it = Centre(settings, [], presence=Known())
    await it.acd.start()
    assert (it.state("alice"), it.state("bob")) == ("ready", "offline")


async def test_nobody_enters_before_the_start_or_an_unknown_queue() -> None:
    it = Centre([], [])
    with pytest.raises(LocalProtocolError, match="no queue"):
        it.acd.queue("q")
    other = Centre([], [QueueSettings(name="q")])
    with pytest.raises(LocalProtocolError, match="not been started"):
        await other.acd.enter("q", FakeCaller())


async def test_the_trace_of_an_offer_can_be_read() -> None:
    it = await centre("alice", "bob")
    it.acd.pause("alice", "lunch")
    stay = enter(it, FakeCaller())
    await settle()
    offer = it.of(OfferMade)[0].offer
    assert [(v.agent, v.chosen, v.reason) for v in it.acd.trace(offer)] == [
        ("alice", False, "is not_ready (lunch)"),
        ("bob", True, ""),
    ]
    assert it.acd.trace("offer-of-long-ago") == ()
    stay.cancel()


KEYS = {"0": "menu:main", "*": "hangup"}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("announced", [False, True])
async def test_a_key_takes_a_caller_out_at_once_whatever_it_hears(key: str, announced: bool) -> None:
    it = await centre("alice", keys=KEYS, announce_position=announced)
    it.acd.pause("alice", "lunch")
    caller = FakeCaller(prompt_takes=30.0)
    stay = enter(it, caller)
    await settle(5.0)
    assert caller.playing == ("queue_position" if announced else "~hold")
    caller.press("5")
    await settle()
    assert not stay.done()
    caller.press(key)
    await settle()
    assert stay.done()
    assert (await stay) == QueueResult(exit="key_exit", waited=5.0, to=KEYS[key], queue="q")
    assert (caller.playing, caller.key_sinks) == ("", [])
    [left] = it.of(QueueLeft)
    assert (left.exit, left.to, left.waited) == ("key_exit", KEYS[key], 5.0)
    assert it.idle()


async def test_a_key_while_an_agent_rings_stops_the_ringing() -> None:
    it = await centre("alice", keys=KEYS)
    it.dialer.default = ("answered", 15.0)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(5.0)
    caller.press("0")
    assert (await stay).exit == "key_exit"
    await settle(CANCEL_TAKES)
    assert it.dialer.cancelled == ["alice"]
    assert it.state("alice") == "ready"


async def test_keys_of_a_talk_are_no_concern_of_the_queue() -> None:
    it = await centre("alice", keys=KEYS)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(5.0)
    assert caller.key_sinks == []
    caller.hang_up()
    assert (await stay).exit == "answered"


async def test_a_caller_is_told_its_wait_and_comforted_between() -> None:
    it = await centre(
        "alice",
        announce_wait=True,
        announce_every=100.0,
        handle_time=90.0,
        comfort=("please_wait",),
        comfort_every=40.0,
    )
    it.dialer.default = ("answered", 0.0)
    enter(it, FakeCaller("c1"))
    await settle()
    caller = FakeCaller("c2")
    stay = enter(it, caller)
    await settle(60.0)
    assert caller.heard == [
        *[(0, "~hold"), (0, ""), (0, "queue_wait"), (2, "duration 120"), (3, "~hold")],
        *[(43, ""), (43, "please_wait"), (45, "~hold")],
    ]
    stay.cancel()
