"""CPU of conferences: 200 of 3 members, and one of 50, on one worker.

    python -m benchmarks.conference [--smoke] [--json FILE]

Everybody speaks all the time, half of them in PCMU and half in PCMA, and hears the sum of all others. The
floor receives and sends as many packets and looks at none. Both are processes pinned to one core, with the
generator on the other.
"""

from __future__ import annotations

import argparse

from benchmarks._load import Plan, bare_relay, compare, measure_process, measure_worker, per_frame_us
from benchmarks._report import show

AIM = "at most half of a core"


def measure(rooms: int, members: int, *, seconds: float, runs: int) -> list[dict[str, object]]:
    plan = Plan(rooms * members, codecs=("PCMU", "PCMA"), room=members)
    pairs = plan._replace(legs=plan.legs + plan.legs % 2)
    floors, ours = [], []
    for _ in range(runs):
        floors.append(measure_process(bare_relay, pairs, seconds=seconds))
        ours.append(measure_worker(plan, seconds=seconds))
    size: dict[str, object] = {"conferences": rooms, "members": members}
    subjects = {"floor": floors, "worker": ours}
    return compare(plan, size, "us/leg and tick", per_frame_us(plan), subjects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    sizes = [(200, 3), (1, 50)]
    if options.smoke:
        sizes, options.seconds, options.runs = [(4, 3)], 0.1, 1
    rows = [row for size in sizes for row in measure(*size, seconds=options.seconds, runs=options.runs)]
    show(f"conferences: CPU per leg and 20 ms (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
