"""The fixed script of `sipccd demo` without a terminal, and the outcomes that must come true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sipcc.cli.demo_world import DemoWorld

LIMIT_S = 28.0
"""The whole script; a healthy run takes about 16 s."""


class Check(msgspec.Struct, frozen=True):
    """One expectation: what, what came of it, and whether that is right."""

    what: str
    found: str
    good: bool


async def play_script(world: DemoWorld) -> None:
    """One caller, then a burst of five, then one that loses patience; returns when all have gone."""
    tasks = [world.add_caller(talk=1.5)]
    await asyncio.sleep(3.0)
    tasks += [world.add_caller(talk=1.5) for _ in range(5)]
    await asyncio.sleep(0.5)
    tasks.append(world.add_caller("impatient", patience=1.5))
    done, late = await asyncio.wait(tasks, timeout=LIMIT_S - 3.5)
    for task in late:
        task.cancel()
    for task in done:
        task.result()
    await asyncio.sleep(0.5)  # the last BYE is still on its way through the switch


async def verify(world: DemoWorld) -> list[Check]:
    """Hold what happened against what the script must bring about."""
    patient = [visit for visit in world.visits if visit.manner == "patient"]
    served = [visit for visit in patient if visit.agent and visit.done and not visit.problem]
    proved = [visit for visit in served if visit.heard_agent and visit.agent_heard]
    queue = world.snapshot().queues[0]
    exits = sum(queue.exits.values())
    tallies = world.tallies
    second_chance = tallies.declined_entries & tallies.answered_entries
    problems = [f"{visit.caller} {visit.problem}" for visit in world.visits if visit.problem]
    records = await _count_records(world)
    sessions = world.switch.endpoint.sessions
    return [
        _count("callers served by an agent", len(served), len(patient)),
        _count("caller and agent heard each other", len(proved), len(patient)),
        Check(
            "a declined caller was served by another agent or later",
            f"{len(tallies.declined_entries)} declined, {len(second_chance)} of them served",
            bool(second_chance) and second_chance == tallies.declined_entries,
        ),
        _count("callers who lost patience in the queue", queue.abandoned, 1),
        _count("queue entries with exactly one exit", exits, queue.offered),
        _count("call records", records, len(world.visits)),
        _count("SIP sessions left over", sessions, 0),
        _count("crashes in the switch", world.switch.endpoint.counters["crashes"], 0),
        Check("nothing else went wrong", "; ".join(problems) or "nothing", not problems),
    ]


def _count(what: str, found: int, expected: int) -> Check:
    return Check(what, str(found) if found == expected else f"{found}, not {expected}", found == expected)


async def _count_records(world: DemoWorld) -> int:
    keeper = world.switch.keeper
    await keeper.flush(5.0)
    return len(await keeper.store.cdrs(limit=1000))
