"""Does anything stay behind on a bad network: calls that hang, transactions, sessions, timers, tasks?

Calls between two of our endpoints on a network in memory with 20 % loss, 10 % duplication and reordering,
in virtual time. Both sides ring, answer, refuse, cancel, change and end the calls at random, with and
without reliable provisional responses and session timers; see `benchmarks._pairs`.

    python -m benchmarks.lossy [--calls 10000] [--seed 1] [--smoke]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks._pairs import simulate
from benchmarks._report import show
from sipcc.testing.loop import run_virtual

ROUND = 500
"""Calls that share one pair of endpoints."""


def measure(calls: int, seed: int) -> dict[str, Any]:
    """All rounds summed up."""
    total: dict[str, Any] = {}
    kinds: list[str] = []
    started = time.process_time()
    for number, first in enumerate(range(0, calls, ROUND)):
        result = run_virtual(simulate(min(ROUND, calls - first), seed=seed + number))
        what = result.pop("what")
        if what != "nothing":
            kinds.append(f"seed {seed + number}: {what}")
        total = {name: total.get(name, 0) + count for name, count in result.items()}
    total["what"] = "; ".join(kinds) or "nothing"
    total["cpu_s"] = time.process_time() - started
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="two hundred calls, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    row = measure(200 if arguments.smoke else arguments.calls, arguments.seed)
    show("Calls at 20 % loss, 10 % duplication and reordering", [row], json_path=arguments.json)
    if row["left"] or row["stuck"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
