"""CPU of anchored calls, PCMU<->PCMA: with telephone events, and with keys looked for in all audio.

    python -m benchmarks.anchored [--smoke] [--json FILE]

Every leg receives one packet and sends one packet per 20 ms; between the two lie the source check, the
ear, the 20 ms clock and the change of law. With `inband` both legs have no telephone events, so that the
audio of each is searched for tones all the time. The floor receives and sends as many packets and looks
at none. Both are processes pinned to one core, with the generator on the other.
"""

from __future__ import annotations

import argparse

from benchmarks._load import Plan, Window, bare_relay, compare, measure_process, measure_worker, per_frame_us
from benchmarks._report import show

AIM = "600 calls with keys in band on at most 60 % of a core, none lost"


def measure(calls: int, *, seconds: float, runs: int) -> list[dict[str, object]]:
    plan = Plan(2 * calls, codecs=("PCMU", "PCMA"))
    subjects: dict[str, list[Window]] = {"floor": [], "events": [], "inband": []}
    for _ in range(runs):
        subjects["floor"].append(measure_process(bare_relay, plan, seconds=seconds))
        subjects["events"].append(measure_worker(plan, seconds=seconds))
        subjects["inband"].append(measure_worker(plan._replace(keys="inband"), seconds=seconds))
    return compare(plan, {"calls": calls}, "us/leg and tick", per_frame_us(plan), subjects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 200, 600])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds, options.runs = [10], 0.1, 1
    rows = [
        row for calls in options.calls for row in measure(calls, seconds=options.seconds, runs=options.runs)
    ]
    show(f"anchored: CPU per leg and 20 ms (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
