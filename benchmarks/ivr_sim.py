"""How many simulated calls does one core take through a flow of nine menus in a second?

Every call goes through the real flow runner, the real collector and the simulated session, from the first
menu to a queue. Three callers: one who types all nine keys in one burst, one who answers each menu as it
begins to speak, and one who hears every prompt to its end. The walks are those of `sipccd ivr walk` on the
same flow. The floor is nine bare questions to the same collector without flow and session: what no
simulation can undercut.

    python -m benchmarks.ivr_sim [--smoke] [--json FILE]

Times are CPU of one process, the best of several rounds. Fails below 2,000 calls per second of any caller.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from random import Random

from benchmarks._report import show
from sipcc.call.digits import Collector, CollectSettings, DigitBuffer, OptionsMatcher
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.run import playable
from sipcc.ivr.flows.script import parse_script
from sipcc.ivr.flows.simulate import simulate
from sipcc.ivr.flows.walk import walk
from sipcc.log import quiet

LEVELS = 9
LEAST = 2000
"""Calls per second."""


def nine_menus() -> Flow:
    """Menus one below the other, each with a way up and a way to a person."""
    text = 'fallback = "queue:service"\n'
    for level in range(LEVELS):
        below = f"menu{level + 1}" if level + 1 < LEVELS else "queue:sales"
        text += (
            f'[nodes.menu{level}]\ntype = "menu"\nprompt = "For the next menu, press one."\n'
            f'options = {{"1" = "{below}", "2" = "queue:service", "*" = "back"}}\n'
        )
    flow, report = parse_flow(text, "nine")
    assert flow is not None, report.findings
    return flow


CALLERS = {
    "one burst": "at 0s keys " + "1" * LEVELS,
    "key by key": "keys 1\n" * LEVELS,
    "hears all": "listen keys 1\n" * LEVELS,
}


def best(work: Callable[[int], None], count: int, rounds: int) -> float:
    """Calls of `work` per second of CPU, in the best of some rounds."""
    fastest = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work(count)
        fastest = min(fastest, time.process_time() - began)
    return count / fastest


def floor(count: int) -> None:
    """Nine keys to nine questions, and nothing else."""
    matcher, settings = OptionsMatcher(("1", "2", "*")), CollectSettings()
    for _ in range(count):
        buffer = DigitBuffer()
        for level in range(LEVELS):
            collector = Collector(settings, matcher, buffer)
            collector.start(prompt_playing=True, now=level)
            collector.key_began("1", now=level)
            collector.key_ended("1", now=level + 0.1)
            assert collector.result is not None


def measure(*, smoke: bool) -> list[dict[str, object]]:
    """One row for each caller, the walks, and the floor."""
    flow, rounds, count = nine_menus(), 2 if smoke else 7, 100 if smoke else 2000
    through = playable(flow)
    rows: list[dict[str, object]] = []
    for name, text in CALLERS.items():
        script = parse_script(text)
        made = simulate(through, script)
        assert made.exit == "queue:sales", made.report()

        def calls(number: int, script: object = script) -> None:
            for _ in range(number):
                simulate(through, script)  # type: ignore[arg-type]  # a script, as above

        per_second = best(calls, count, rounds)
        seconds = round(made.session.now(), 1)
        rows.append({"what": name, "call s": seconds, **_figures(per_second)})

    def walks(number: int) -> None:
        with quiet():
            walk([flow], "nine", Random(1), walks=number)

    rows.append({"what": "random walks", "calls/s": round(best(walks, count, rounds))})
    per_second = best(floor, count, rounds)
    rows.append({"what": "floor: collector alone", **_figures(per_second)})
    return rows


def _figures(per_second: float) -> dict[str, object]:
    return {"calls/s": round(per_second), "us/menu": round(1e6 / per_second / LEVELS, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="briefly, to see that it works")
    parser.add_argument("--json", help="also write the results to this file")
    options = parser.parse_args()
    rows = measure(smoke=options.smoke)
    show(f"simulated calls through {LEVELS} menus, one core", rows, json_path=options.json)
    slowest = min(int(str(row["calls/s"])) for row in rows[: len(CALLERS)])
    if not options.smoke and slowest < LEAST:
        raise SystemExit(f"{slowest} calls per second are less than {LEAST}")


if __name__ == "__main__":
    main()
