"""What each answer of an agent's phone does: to the offer, to the agent, and to the caller who waits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import AGENT_HZ, Centre
from tests.flow.test_agents_contacts import outcomes
from tests.flow.test_transfer_accounts import QUIET, SALES, now, states

from sipcc.testing.phone import Answer, Behaviour, Deaf, Decline, Ignore

PAUSES = {"declined": 11.0, "busy": 7.0, "no_answer": 3.0, "failed": 9.0}


def rules(**more: float) -> str:
    """The settings of a centre whose queue sales has a pause of its own for each way to fail."""
    given = {
        "ring_timeout": 6,
        "reject_backoff": PAUSES["declined"],
        "busy_backoff": PAUSES["busy"],
        "no_answer_backoff": PAUSES["no_answer"],
        "failed_backoff": PAUSES["failed"],
        "quarantine": 20.0,
        "max_misses": 2,
        "max_wait": 600,
        "wrap_up": 0,
    } | more
    keys = "".join(f"{key} = {value}\n" for key, value in given.items())
    return QUIET.replace("ring_timeout = 10\nwrap_up = 5\nmax_wait = 60\n", keys)


def told(centre: Centre, kind: str, agent: str) -> list[Any]:
    events: list[Any] = centre.told(kind)
    return [event for event in events if event.agent == agent]


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Decline(480), "no_answer"),
        (Decline(480, rings=False), "no_answer"),  # do not disturb: the phone is there
        (Decline(486), "busy"),
        (Decline(486, rings=False), "busy"),
        (Decline(600), "busy"),
        (Decline(600, rings=False), "busy"),
        (Decline(603, after=1.0), "declined"),
        (Decline(603, rings=False), "declined"),
        (Decline(404), "no_answer"),  # it rang, so it was there
        (Decline(408), "no_answer"),
        (Decline(500), "failed"),
        (Decline(500, rings=False), "failed"),
        (Decline(503), "no_answer"),
        (Ignore(), "no_answer"),
    ],
)
async def test_an_agent_is_left_alone_for_the_pause_of_the_cause(
    tmp_path: Path, behaviour: Behaviour, outcome: str
) -> None:
    """The next agent is rung at once, and the next caller gets the first agent when the pause is over."""
    async with Centre(tmp_path, config=rules()) as centre:
        alice, _ = await centre.phone("1001"), await centre.phone("1002")
        alice.behaviours[:] = [behaviour, Answer(after=0.5)]
        first = await centre.carrier.call(SALES)
        await first.hears(AGENT_HZ["1002"], timeout=30.0)
        assert states(centre)["alice"] == "ready"
        second = await centre.carrier.call(SALES)
        await second.hears(AGENT_HZ["1001"], timeout=30.0)
        assert outcomes(centre) == [("alice", outcome), ("bob", "answered"), ("alice", "answered")]
        [failed, _] = told(centre, "OfferEnded", "alice")
        if isinstance(behaviour, Decline):
            assert failed.sip_status == behaviour.status
        [at_bob] = told(centre, "OfferMade", "bob")
        assert at_bob.at - failed.at == pytest.approx(0.0, abs=0.05)
        again = told(centre, "OfferMade", "alice")[1]
        assert again.at - failed.at == pytest.approx(PAUSES[outcome], abs=0.05)
        assert centre.switch.acd.invariants() == []
        await first.hangup()
        await second.hangup()


@pytest.mark.parametrize("way_back", ["probe", "register"])
@pytest.mark.parametrize(
    "behaviour", [Decline(404, rings=False), Decline(408, rings=False), Decline(503, rings=False), Deaf()]
)
async def test_an_agent_whose_phone_cannot_take_calls_is_offline_until_it_is_back(
    tmp_path: Path, behaviour: Behaviour, way_back: str
) -> None:
    """Nobody stays away for ever: the phone's next REGISTER counts, and its answer to our OPTIONS."""
    config = rules()
    if way_back == "register":
        config = config.replace("[sip]\n", "[sip]\nprobe_phones = 0\n")
    async with Centre(tmp_path, config=config) as centre:
        alice, _ = await centre.phone("1001"), await centre.phone("1002")
        alice.behaviours[:] = [behaviour, Answer(after=0.5)]
        first = await centre.carrier.call(SALES)
        await first.hears(AGENT_HZ["1002"], timeout=12.0)
        assert outcomes(centre) == [("alice", "unreachable"), ("bob", "answered")]
        [failed] = told(centre, "OfferEnded", "alice")
        [change] = [
            event for event in told(centre, "AgentStateChanged", "alice") if event.before == "ringing"
        ]
        assert (change.after, change.at) == ("offline", failed.at)
        [at_bob] = told(centre, "OfferMade", "bob")
        assert at_bob.at - failed.at == pytest.approx(0.0, abs=0.05)
        second = await centre.carrier.call(SALES)
        if way_back == "register":
            await asyncio.sleep(40)
            assert states(centre)["alice"] == "offline"
            assert await alice.register(keep=False) == 200
        await second.hears(AGENT_HZ["1001"], timeout=60.0)
        assert centre.switch.acd.invariants() == []
        await first.hangup()
        await second.hangup()


async def test_a_phone_that_is_gone_is_unreachable_however_long_it_may_ring(tmp_path: Path) -> None:
    """Also when the INVITE is given up before the time to ring is over."""
    config = rules(ring_timeout=40).replace("[sip]\n", "[sip]\nprobe_phones = 0\n")
    async with Centre(tmp_path, config=config) as centre:
        alice = await centre.phone("1001")
        await alice.vanish()
        caller = await centre.carrier.call(SALES)
        await asyncio.sleep(45)
        assert outcomes(centre) == [("alice", "unreachable")]
        assert states(centre)["alice"] == "offline"
        await caller.hangup()


async def test_misses_in_a_row_are_a_quarantine_which_ends(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=rules()) as centre:
        alice = await centre.phone("1001")
        alice.behaviours[:] = [Ignore(), Ignore(), Answer(after=0.5)]
        caller = await centre.carrier.call(SALES)
        await caller.hears(AGENT_HZ["1001"], timeout=60.0)
        assert outcomes(centre) == [("alice", "no_answer"), ("alice", "no_answer"), ("alice", "answered")]
        first, second, _ = told(centre, "OfferEnded", "alice")
        made = [event.at for event in told(centre, "OfferMade", "alice")]
        assert made[1] - first.at == pytest.approx(PAUSES["no_answer"], abs=0.05)
        assert made[2] - second.at == pytest.approx(20.0, abs=0.05)
        moves = [
            (event.before, event.after, round(event.at - second.at))
            for event in told(centre, "AgentStateChanged", "alice")
            if "quarantined" in (event.before, event.after)
        ]
        assert moves == [("ringing", "quarantined", 0), ("quarantined", "ready", 20)]
        await caller.hangup()


@pytest.mark.parametrize(
    "between",
    [Answer(after=0.5), None],
    ids=["an answer", "none"],
)
async def test_an_answer_wipes_the_misses_out(tmp_path: Path, between: Behaviour | None) -> None:
    async with Centre(tmp_path, config=rules(max_misses=2)) as centre:
        alice = await centre.phone("1001")
        answer = [] if between is None else [between]
        alice.behaviours[:] = [Ignore(), *answer, Ignore(), Answer(after=0.5)]
        for _ in range(1 + len(answer)):
            caller = await centre.carrier.call(SALES)
            await caller.hears(AGENT_HZ["1001"], timeout=60.0)
            await caller.hangup()
            await asyncio.sleep(1)
        quarantined = [
            event for event in told(centre, "AgentStateChanged", "alice") if event.after == "quarantined"
        ]
        assert len(quarantined) == (0 if answer else 1)


@pytest.mark.parametrize("status", [486, 603, 500])
async def test_a_refusal_is_no_miss(tmp_path: Path, status: int) -> None:
    """Whoever declines is there."""
    async with Centre(tmp_path, config=rules(max_misses=1)) as centre:
        alice = await centre.phone("1001")
        alice.behaviours[:] = [Decline(status)] * 3 + [Answer(after=0.5)]
        began = now()
        caller = await centre.carrier.call(SALES)
        await caller.hears(AGENT_HZ["1001"], timeout=60.0)
        assert len(outcomes(centre)) == 4
        pause = PAUSES[outcomes(centre)[0][1]]
        assert now() - began == pytest.approx(3 * pause, abs=4.0)
        assert not [
            event for event in told(centre, "AgentStateChanged", "alice") if event.after == "quarantined"
        ]
        await caller.hangup()
