"""An agent's phone that dies in the talk: its caller is told so, and waits again at its old place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.acd_fakes import Centre as Fakes
from tests.flow.acd_fakes import FakeCaller, centre
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, Centre

from sipcc.acd import QueueJoined, QueueLeft, QueueResult, TalkEnded
from sipcc.acd.events import AgentStateChanged
from sipcc.acd.settings import OverflowRule
from sipcc.records.outcome import OutcomeFold
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import FakePhone

NOTICE_HZ = 850.0
RTP_TIMEOUT = 20.0
QUEUE = "4008000006"


async def settle(seconds: float = 0.0) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


def enter(it: Fakes, caller: FakeCaller, **more: int) -> asyncio.Task[QueueResult]:
    return asyncio.get_running_loop().create_task(it.acd.queue("q").enter(caller, **more))


async def lose(caller: FakeCaller) -> None:
    assert caller.leg is not None
    caller.leg.end("lost")
    await settle()


# With fakes: the order in line, the counting


async def test_it_is_served_before_callers_who_have_waited_and_not_by_the_agent_who_was_lost() -> None:
    it = await centre("alice", "bob", wrap_up=0.0)
    callers = [FakeCaller(f"c{number}") for number in range(1, 5)]
    stays = [enter(it, caller) for caller in callers]
    await settle(60.0)
    assert [ring[1:] for ring in it.dialer.rings] == [("alice", "c1"), ("bob", "c2")]
    await lose(callers[0])
    assert it.acd.position(it.of(QueueJoined)[-1].entry) == 1
    callers[1].hang_up()
    await settle(4.0)
    assert [ring[1:] for ring in it.dialer.rings][2:] == [("bob", "c1")]
    await settle(2.0)  # the phone that died is left alone for the back-off
    assert [ring[1:] for ring in it.dialer.rings][3:] == [("alice", "c3")]
    for stay in stays:
        stay.cancel()
    await settle(3.0)
    assert it.idle()
    assert it.acd.invariants() == []


async def test_what_it_hears_and_what_is_counted() -> None:
    it = await centre("alice", "bob")
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(13.0)
    it.dialer.default = ("answered", 5.0)
    await lose(caller)
    await settle(15.0)
    assert caller.heard[-6:] == [
        *[(3, "<alice>"), (13, ""), (13, "agent_lost")],
        *[(15, "~hold"), (18, ""), (18, "<bob>")],
    ]
    caller.hang_up()
    result = await stay
    assert (result.exit, result.agent, result.waited, result.lost) == ("answered", "bob", 5.0, False)
    assert [event.requeued for event in it.of(QueueJoined)] == [False, True]
    assert [(event.exit, event.waited) for event in it.of(QueueLeft)] == [("answered", 3), ("answered", 5)]
    assert [(event.agent, event.lost) for event in it.of(TalkEnded)] == [("alice", True), ("bob", False)]
    reasons = {(e.agent, e.after): e.reason for e in it.of(AgentStateChanged)}
    assert reasons["alice", "wrap_up"] == "phone_lost"
    fold = OutcomeFold()
    for event in it.events:
        fold.apply(event, 1_700_000_000.0 + event.at)
    assert (fold.joined, fold.exits, fold.open_count, fold.violation_count) == (2, 2, 0, 0)


@pytest.mark.parametrize("prompt", ["", "sorry"])
async def test_the_notice_can_be_another_or_none(prompt: str) -> None:
    it = await centre("alice", requeue_prompt=prompt, music="")
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(13.0)
    await lose(caller)
    assert [what for at, what in caller.heard if at == 13 and what] == ([prompt] if prompt else [])
    stay.cancel()
    await settle()


async def test_without_requeue_the_visit_ends_and_says_why() -> None:
    it = await centre("alice", requeue=False)
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(13.0)
    await lose(caller)
    result = await stay
    await settle()
    assert (result.exit, result.ended_by, result.lost) == ("answered", "network", True)
    assert it.idle()


async def test_a_full_line_takes_it_back_and_its_wait_is_limited_anew() -> None:
    rule = OverflowRule(when="wait", to="queue:help", at=40.0)
    it = await centre("alice", max_length=1, max_wait=50.0, overflow=(rule,))
    caller, other = FakeCaller("c1"), FakeCaller("c2")
    stay = enter(it, caller)
    await settle(100.0)
    it.acd.pause("alice")
    waiting = enter(it, other)
    await settle(1.0)
    await lose(caller)
    entry = it.of(QueueJoined)[-1].entry
    assert it.acd.position(entry) == 1
    await settle(39.5)
    assert entry not in [event.entry for event in it.of(QueueLeft)]
    await settle(1.0)
    assert (await stay).exit == "overflowed"
    await waiting


async def test_whose_caller_hangs_up_in_the_same_moment_is_not_put_back() -> None:
    it = await centre("alice")
    caller = FakeCaller()
    stay = enter(it, caller)
    await settle(13.0)
    assert caller.leg is not None
    caller.leg.end("lost")
    caller.hang_up()
    assert (await stay).exit == "answered"
    await settle()
    assert len(it.of(QueueJoined)) == 1
    assert it.idle()


# With a whole switch: phones that go without a word


async def talking(caller: FakeCall, phone: FakePhone) -> FakeCall:
    talk = await phone.next_call(timeout=40)
    await talk.answered(timeout=30)
    await talk.hears(CALLER_HZ)
    await caller.hears(AGENT_HZ[phone.user])
    return talk


async def test_a_phone_that_is_cut_off_gives_its_caller_to_the_next_agent(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=CONFIG.replace("wrap_up = 5", "wrap_up = 60")) as centre:
        write_wav(tmp_path / "prompts" / "agent_lost.wav", tone(NOTICE_HZ, 2.0))
        alice = await centre.phone("1001")
        caller = await centre.carrier.call(QUEUE)
        await talking(caller, alice)
        waiting = await centre.carrier.call(QUEUE)
        await waiting.hears(MUSIC_HZ)
        await alice.vanish()
        await caller.hears(NOTICE_HZ, timeout=RTP_TIMEOUT + 1.0)
        bob = await centre.phone("1002")
        await talking(caller, bob)
        assert MUSIC_HZ in map(float, waiting.tones(0.5))
        exits = [(event.exit, event.agent) for event in centre.events if isinstance(event, QueueLeft)]
        assert exits == [("answered", "alice"), ("answered", "bob")]
        await waiting.hangup()
        await caller.hangup()
        await asyncio.sleep(1.0)
        assert caller.media.breaks() == []
        assert centre.switch.acd.invariants() == []
        assert centre.switch.keeper.outcomes.violation_count == 0
        assert centre.switch.engine.open_ports == 0


async def test_a_phone_that_has_restarted_says_481_and_its_caller_need_not_wait(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        write_wav(tmp_path / "prompts" / "agent_lost.wav", tone(NOTICE_HZ, 2.0))
        alice = await centre.phone("1001")
        caller = await centre.carrier.call(QUEUE)
        await talking(caller, alice)
        port = alice.address.port
        await alice.vanish()
        await centre.phone("1001", port=port)
        peer = centre.switch.calls.live()[0].peer
        assert peer is not None
        assert await peer.ping() == 481
        await caller.hears(NOTICE_HZ, timeout=1.0)
        await caller.hangup()
