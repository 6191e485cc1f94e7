"""A day of 100,000 calls in the simulator: how long the decisions of a whole centre take.

    python -m benchmarks.day [--smoke] [--json FILE]

The floor, its queues and its strategies are those of the live switch; callers, phones and the clock are
made up. Callers come evenly over 24 hours to four queues, where as many agents serve them as Erlang A asks
for; they give up after 120 seconds in the mean. `cpu us/call` is the processor time of all that the centre
does for one call, the made-up caller and phone included.
"""

from __future__ import annotations

import argparse
import time
from heapq import merge
from math import ceil
from random import Random

from benchmarks._report import show
from sipcc.acd.erlang import Load, agents_needed
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Phone, Simulation, poisson
from sipcc.acd.strategies import BUILT_IN
from sipcc.events import Event

DAY = 86_400.0
QUEUES = ("sales", "help", "orders", "gold")
TALK, WRAP_UP, PATIENCE, ANSWER = 180.0, 15.0, 120.0, 3.0


def day(calls: int, strategy: str, *, seed: int) -> dict[str, object]:
    """One row: a day under one strategy."""
    rate = calls / DAY / len(QUEUES)
    load = Load(rate=rate, handle=TALK + WRAP_UP + ANSWER, patience=PATIENCE)
    each = agents_needed(load, target=0.8, within=20.0)
    team = [
        AgentSettings(name=f"{queue}{i}", user=f"{queue}{i}", queues=(queue,) if i % 4 else (queue, "gold"))
        for queue in QUEUES
        for i in range(each)
    ]
    queues = [
        QueueSettings(name=name, strategy=strategy, wrap_up=WRAP_UP, max_wait=600.0, priority=name == "gold")
        for name in QUEUES
    ]
    happened = 0

    def sink(event: Event) -> None:
        nonlocal happened
        happened += 1

    draw = Random(seed)
    phone = Phone(delay=ANSWER, declines=0.02, misses=0.01)
    simulation = Simulation(team, queues, draw=draw, phone=phone, sink=sink)
    coming = [
        poisson(name, calls=ceil(calls / len(QUEUES)), rate=rate, handle=TALK, patience=PATIENCE,
                draw=Random(f"{seed} {name}"))
        for name in QUEUES
    ]  # fmt: skip
    began, used = time.perf_counter(), time.process_time()
    summaries = simulation.run(merge(*coming, key=lambda arrival: arrival.at))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    offered = sum(one.offered for one in summaries)
    in_time = sum(one.service_level * one.offered for one in summaries)
    return {
        "strategy": strategy,
        "agents": len(team),
        "calls": offered,
        "answered": sum(one.answered for one in summaries),
        "in time %": 100.0 * in_time / offered,
        "events": happened,
        "seconds": seconds,
        "cpu s": used,
        "cpu us/call": 1e6 * used / offered,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--strategy", action="append", help="all when not given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    calls = 400 if options.smoke else options.calls
    rows = [day(calls, strategy, seed=options.seed) for strategy in options.strategy or sorted(BUILT_IN)]
    show("a simulated day", rows, json_path=options.json)


if __name__ == "__main__":
    main()
