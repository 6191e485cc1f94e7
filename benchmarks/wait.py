"""How good the spoken estimates of the wait are, on simulated traffic: what was said against what came.

    python -m benchmarks.wait [--smoke] [--json FILE]

Callers come evenly, talk for 180 s in the mean and give up after their patience (both exponential); staff is
a share of the traffic, so that lines form. Of every caller who was answered and was told of a minute or more
when it came, `MAPE %` is the mean of |estimate - wait| / wait, `bias s` the mean of estimate - wait.
`plain %` is the MAPE of the same callers' estimates without regard to those who give up.
"""

from __future__ import annotations

import argparse
from random import Random

from benchmarks._report import show
from sipcc.acd.estimate import Staffing, expected_wait
from sipcc.acd.events import QueueJoined, QueueLeft
from sipcc.acd.overflow import expected
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.simulator import Phone, Simulation, poisson
from sipcc.events import Event

TALK, WRAP_UP, ANSWER = 180.0, 15.0, 3.0
SPOKEN = 60.0
"""A shorter wait is not spoken of."""


def accuracy(calls: int, rate: float, patience: float, share: float, *, seed: int) -> dict[str, object]:
    """One row: a centre with `share` of the agents that its traffic would keep busy."""
    size = int(rate * (TALK + WRAP_UP + ANSWER) * share)
    team = [AgentSettings(name=f"a{i}", user=f"a{i}", queues=("q",)) for i in range(size)]
    said: dict[str, tuple[float, float]] = {}
    errors: list[tuple[float, float, float]] = []

    def sink(event: Event) -> None:
        floor = simulation.floor
        if isinstance(event, QueueJoined) and (entry := floor.entries.get(event.entry)) is not None:
            line = floor.line(event.queue)
            staffing = Staffing.of(agent.state for agent in floor.staff.agents.values())
            plain = expected_wait(floor.position(entry.id), line.tally.handle_time.mean, staffing)
            said[event.entry] = expected(line, entry, floor.entries, floor.staff), plain
        elif isinstance(event, QueueLeft) and event.exit == "answered":
            told, plain = said.get(event.entry, (0.0, 0.0))
            if told >= SPOKEN:
                waited = max(event.waited, 1.0)
                errors.append((abs(told - waited) / waited, told - waited, abs(plain - waited) / waited))

    queue = QueueSettings(name="q", wrap_up=WRAP_UP, max_wait=0.0)
    simulation = Simulation(team, [queue], draw=Random(seed), phone=Phone(delay=ANSWER), sink=sink)
    simulation.run(poisson("q", calls=calls, rate=rate, handle=TALK, patience=patience, draw=Random(seed)))
    count = max(1, len(errors))
    wrong, bias, plainly = (sum(row[place] for row in errors) / count for place in range(3))
    return {
        "callers/h": round(3600 * rate),
        "agents": size,
        "patience s": patience,
        "estimates": len(errors),
        "MAPE %": 100 * wrong,
        "bias s": bias,
        "plain %": 100 * plainly,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="one small centre")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    centres = [(rate, patience, 0.85) for rate in (0.1, 0.3, 1.0) for patience in (120.0, 300.0, 600.0)]
    if options.smoke:
        options.calls, centres = 300, centres[:1]
    rows = [accuracy(options.calls, *centre, seed=options.seed) for centre in centres]
    show("estimates of the wait", rows, json_path=options.json)


if __name__ == "__main__":
    main()
