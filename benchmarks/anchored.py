"""CPU per anchored leg and 20 ms: PCMU<->PCMA bridges at 50, 200 and 600 legs.

    python -m benchmarks.anchored [--smoke] [--json FILE]

Every leg receives one packet and sends one packet per 20 ms; between the two lie the source check, the
ear, the 20 ms clock and the change of law. The floor receives and sends as many packets and looks
at none. Both are processes pinned to one core, with the generator on the other.
"""

from __future__ import annotations

import argparse

from benchmarks._load import FRAME_S, Window, bare_relay, compare, measure_process, measure_worker
from benchmarks._report import show

AIM_US = 8.0


def _cost_us(window: Window, legs: int) -> float:
    return window.cpu_seconds * 1e6 / (legs * window.seconds / FRAME_S)


def measure(legs: int, *, seconds: float, runs: int) -> list[dict[str, object]]:
    floors, ours = [], []
    for _ in range(runs):
        floors.append(measure_process(bare_relay, legs, seconds=seconds, payload_types=(0, 8)))
        ours.append(measure_worker(legs, seconds=seconds, payload_types=(0, 8), codecs=("PCMU", "PCMA")))
    return compare(
        {"legs": legs},
        "us/leg and tick",
        lambda window: _cost_us(window, legs),
        {"floor": floors, "worker": ours},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--legs", type=int, nargs="+", default=[50, 200, 600])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.legs, options.seconds, options.runs = [20], 0.3, 1
    rows = [row for legs in options.legs for row in measure(legs, seconds=options.seconds, runs=options.runs)]
    show(f"anchored: CPU per leg and 20 ms (aim: {AIM_US} us)", rows, json_path=options.json)


if __name__ == "__main__":
    main()
