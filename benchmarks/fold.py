"""Events folded into reports per second: how long a report over a big log takes.

    python -m benchmarks.fold [--smoke] [--json FILE]

The events are those of a simulated day, in the JSON in which they stand in the log. `decode` reads them and
does nothing; `fold` is `ReportFold.apply` of events that are read already; `log` is both, as `sipccd report`
does for each row, the database left out. `fold of decode` is its time against that of the reading, in the
same run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC
from heapq import merge
from random import Random

from benchmarks._report import median, show
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Phone, Simulation, poisson
from sipcc.events import Event
from sipcc.records.eventlog import REGISTRY, LogRow
from sipcc.records.report import By, ReportFold

MIDNIGHT = 1_800_000_000 // 86_400 * 86_400.0
STEP = 900.0
AGENTS, QUEUES = 60, ("sales", "help", "orders", "gold")


def day(calls: int) -> list[LogRow]:
    """The log of a simulated day."""
    rows: list[LogRow] = []

    def sink(event: Event) -> None:
        rows.append(REGISTRY.encode(event, wall=MIDNIGHT + event.at))

    team = [
        AgentSettings(name=f"a{i}", user=f"a{i}", queues=(QUEUES[i % 4], QUEUES[i * 7 % 4]))
        for i in range(AGENTS)
    ]
    phone = Phone(delay=3.0, declines=0.02, misses=0.01)
    queues = [QueueSettings(name=name) for name in QUEUES]
    simulation = Simulation(team, queues, draw=Random(1), phone=phone, sink=sink)
    coming = [
        poisson(name, calls=calls // len(QUEUES), rate=0.06, handle=180.0, patience=120.0, draw=Random(name))
        for name in QUEUES
    ]
    simulation.run(merge(*coming, key=lambda arrival: arrival.at))
    return rows


def decoded(rows: Sequence[LogRow]) -> list[tuple[Event, float]]:
    """The events behind the rows."""
    found = [(REGISTRY.decode(row.type, row.json), row.wall) for row in rows]
    return [(event, wall) for event, wall in found if event is not None]


def fold(events: Sequence[tuple[Event, float]], by: By) -> ReportFold:
    """A report of the events."""
    report = ReportFold(by, step=STEP, zone=UTC)
    for event, wall in events:
        report.apply(event, wall)
    return report


def seconds(work: Callable[[], object], *, runs: int) -> float:
    """The median time of `work`."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    rows = day(200 if options.smoke else options.calls)
    runs = 1 if options.smoke else options.runs
    events = decoded(rows)
    reading = seconds(lambda: decoded(rows), runs=runs)
    results: list[dict[str, object]] = []
    kinds: list[By] = ["queue", "agent"]
    for by in kinds:
        folding = seconds(lambda by=by: fold(events, by), runs=runs)  # type: ignore[misc]
        whole = seconds(lambda by=by: fold(decoded(rows), by), runs=runs)  # type: ignore[misc]
        results.append(
            {
                "by": by,
                "events": len(events),
                "rows": len(fold(events, by).rows(since=0.0, until=MIDNIGHT * 2, now=events[-1][1])),
                "decode events/s": len(events) / reading,
                "fold events/s": len(events) / folding,
                "log events/s": len(events) / whole,
                "fold of decode": folding / reading,
            }
        )
    show("events folded into a report", results, json_path=options.json)


if __name__ == "__main__":
    main()
