"""Whatever is transferred, held, asked and hung up, in any order: the parts of each agent's time add up."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import Centre
from tests.flow.test_transfer import nothing_left
from tests.flow.test_transfer_accounts import EXTRA, QUIET, SALES, records_of

from sipcc.acd.events import AgentStateChanged
from sipcc.errors import LocalProtocolError
from sipcc.records import Cdr
from sipcc.records.outcome import OutcomeFold
from sipcc.testing.fakecall import FakeCall, NotSeenError
from sipcc.testing.phone import Answer, Decline

MISHAPS = (LocalProtocolError, NotSeenError, TimeoutError)
TARGETS = ("1001", "bob", "carol", "help", "main", "4008000009", "4008000020", "nobody", "shut")
OURS = ("agent:bob", "agent:carol", "queue:help", "queue:sales", "menu:main", "1001")


def time_in(centre: Centre, *wanted: str) -> dict[str, float]:
    """Seconds that each agent was in one of these states, by what the agents told."""
    sums, since = defaultdict(float), dict[str, tuple[str, float]]()
    for event in centre.events:
        if isinstance(event, AgentStateChanged):
            state, began = since.get(event.agent, ("offline", event.at))
            if state in wanted:
                sums[event.agent] += event.at - began
            since[event.agent] = event.after, event.at
    return dict(sums)


AGENTS = {"alice": "1001", "bob": "1002", "carol": "1003"}


def time_on_the_phone(centre: Centre, user: str) -> float:
    """Seconds that the phone of `user` was in calls which it took, as the phone saw it."""
    total = 0.0
    for call in centre.phones[user].calls:
        moments = {moment.what: moment.at for moment in call.moments}
        if call.role == "callee" and "answered" in moments:
            total += moments["ended"] - moments["answered"]
    return total


def time_of(records: list[Cdr], agent: str) -> tuple[float, float]:
    """Seconds of talk and hold, and of wrap-up, by the segments."""
    parts = [part for record in records for part in record.segments if part.agent == agent]
    return sum(part.talk + part.hold for part in parts), sum(part.wrap for part in parts)


def talking(centre: Centre) -> list[FakeCall]:
    """The sides of phones that are up and that a call of ours rang."""
    return [
        call
        for phone in centre.phones.values()
        for call in phone.calls
        if call.state == "answered" and call.role == "callee"
    ]


async def act(dice: random.Random, centre: Centre) -> None:
    """Somebody who talks does one thing."""
    live = [call for call in centre.switch.calls.live() if call.conversation is not None]
    sides = talking(centre)
    if not live or not sides:
        return
    side, call = dice.choice(sides), dice.choice(live)
    what = dice.choice(("blind", "blind", "ours", "ours", "hold", "consult", "consult", "own hold", "hangup"))
    if what == "blind":
        await side.refer(f"sip:{dice.choice(TARGETS)}@pbx.example.com")
    elif what == "own hold":
        await side.hold()
        await asyncio.sleep(dice.random() * 8)
        await side.resume()
    elif what == "hold":
        await call.hold()
        await asyncio.sleep(dice.random() * 8)
        await call.resume()
    elif what == "ours":
        await call.transfer(dice.choice(OURS))
    elif what == "hangup" and dice.random() < 0.3:
        await side.hangup()
    elif what == "consult":
        asking = await call.consult(dice.choice(OURS))
        await asyncio.sleep(dice.random() * 8)
        if dice.random() < 0.3:
            asking.merge()
            await asyncio.sleep(dice.random() * 8)
        dice.choice((asking.complete, asking.complete, asking.back))()


@pytest.mark.parametrize("seed", range(12))
async def test_the_parts_add_up(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with Centre(tmp_path, config=QUIET, extra=EXTRA) as centre:
        for user in ("1001", "1002", "1003"):
            phone = await centre.phone(user, Answer(after=dice.random() * 3))
            if dice.random() < 0.4:
                phone.behaviours.insert(0, Decline(486))
        callers = []
        for number in (SALES, "4008000020"):
            callers.append(await centre.carrier.call(number, caller=f"1380013800{len(callers)}"))
            await asyncio.sleep(3 * dice.random())
        for _ in range(8):
            await asyncio.sleep(1 + dice.random() * 4)
            with contextlib.suppress(*MISHAPS):
                async with asyncio.timeout(60):
                    await act(dice, centre)
        for caller in callers:
            with contextlib.suppress(*MISHAPS):
                await caller.hangup()
        for call in talking(centre):
            with contextlib.suppress(*MISHAPS):
                await call.hangup()
        await asyncio.sleep(120)
        assert nothing_left(centre) == {}
        assert centre.switch._scope.crashes == 0
        check(centre)


def check(centre: Centre) -> None:
    outcomes = OutcomeFold()
    for event in centre.events:
        outcomes.apply(event, event.at)
    assert list(outcomes.violations) == []
    records = records_of(centre)
    wrapped = time_in(centre, "wrap_up")
    for agent, user in AGENTS.items():
        told: Any = time_of(records, agent)
        assert told[1] == pytest.approx(wrapped.get(agent, 0.0), abs=1.0), agent
        assert told[0] == pytest.approx(time_on_the_phone(centre, user), abs=1.0), agent
