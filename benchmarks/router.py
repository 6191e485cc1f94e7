"""Time of one routing decision at 100 to 10,000 agents with as many callers, against sorting the lists.

    python -m benchmarks.router [--smoke] [--json FILE]

`free` 1 is the everyday case: everybody talks, one agent has become ready. All free is the worst one: every
caller gets an agent in one decision, as when a centre opens with a full line. With the plan `skills` half of
the agents are admitted; with `last` each caller waits for the agent who talked with it last, and there is no
other for it. The floor is `sorted()` of the agents by idle time and of the callers by rank, in the same run.
`growth` is how much more time each agent takes than at the size before: 1 is linear.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from operator import attrgetter

from benchmarks._report import median, show
from sipcc.acd.lately import LastAgent
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, Line, Stage
from sipcc.acd.planning import before
from sipcc.acd.router import decide, rank
from sipcc.acd.settings import AgentSettings
from sipcc.acd.skills import skill_stages
from sipcc.acd.strategies import BUILT_IN

NOW = 10_000.0
SKILLS = skill_stages("billing >= 2", ())


def agents(count: int, *, free: int) -> dict[str, Agent]:
    """`count` agents, the last `free` of them ready, with idle times in no order."""
    return {
        f"a{i}": Agent(
            settings=AgentSettings(name=f"a{i}", queues=("q",), skills={"billing": i % 4}),
            order=i,
            state=AgentState.READY if i >= count - free else AgentState.TALKING,
            idle_since=float(i * 7919 % 10_007),
        )
        for i in range(count)
    }


def plan_of(kind: str, number: int, count: int) -> tuple[Stage, ...]:
    """The plan of the caller of that number."""
    if kind == "last":
        return before(LastAgent(f"a{number * 31 % count}"), 600.0, (), label="last agent")
    return SKILLS if kind == "skills" else ()


def callers(count: int, kind: str) -> tuple[Entry, ...]:
    """`count` waiting callers of three priorities, best first."""
    entries = [
        Entry(
            id=f"e{i}",
            number=i,
            queue="q",
            call=f"c{i}",
            caller="13800138000",
            priority=i % 3,
            joined=NOW - 300 + 200 * i / count,
            state=EntryState.WAITING,
            plan=plan_of(kind, i, count),
        )
        for i in range(count)
    ]
    return tuple(sorted(entries, key=rank))


def time_us(work: Callable[[], object], *, runs: int) -> list[float]:
    """Microseconds of processor time of each of `runs` calls."""
    work()
    times = []
    for _ in range(runs):
        began = time.thread_time_ns()
        work()
        times.append((time.thread_time_ns() - began) / 1000)
    return times


def measure(count: int, strategy: str, *, free: int, runs: int, plan: str = "none") -> dict[str, object]:
    """One row: the decision and its floor."""
    team, waiting = agents(count, free=free), callers(count, plan)
    ready = {name for name, agent in team.items() if agent.state is AgentState.READY}
    line = Line(
        queue="q",
        strategy=BUILT_IN[strategy](),
        strategy_name=strategy,
        members=tuple(team),
        entries=waiting,
        team=frozenset(team),
    )
    idle = attrgetter("idle_since", "order")
    floor = time_us(lambda: (sorted(team.values(), key=idle), sorted(waiting, key=rank)), runs=runs)
    times = time_us(lambda: decide([line], team, now=NOW, bits=1, ready=ready), runs=runs)
    offers = sum(len(pick.agents) for pick in decide([line], team, now=NOW, bits=1, ready=ready))
    return {
        "agents": count,
        "callers": count,
        "free": free,
        "strategy": strategy,
        "plan": plan,
        "offers": offers,
        "us": median(times),
        "min": min(times),
        "max": max(times),
        "us/offer": median(times) / offers,
        "floor us": median(floor),
        "of floor": median(times) / median(floor),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=51)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    runs = 3 if options.smoke else options.runs
    cases = [(strategy, "none") for strategy in sorted(BUILT_IN)]
    cases += [("longest-idle", "skills"), ("longest-idle", "last")]
    rows, before = [], dict[tuple[str, str, bool], float]()
    for count in (20,) if options.smoke else (100, 1000, 10_000):
        for strategy, plan in cases:
            for free in (1, count):
                row = measure(count, strategy, free=free, runs=runs, plan=plan)
                each, case = float(row["us"]) / count, (strategy, plan, free > 1)  # type: ignore[arg-type]
                row["growth"] = each / before[case] if case in before else None
                before[case] = each
                rows.append(row)
    show("one routing decision", rows, json_path=options.json)


if __name__ == "__main__":
    main()
