"""CPU per relayed RTP packet: our relay at 50 and 200 calls, against a bare epoll relay in Python.

    python -m benchmarks.relay [--smoke] [--json FILE]

Every call is two legs with one codec; every packet is received, checked against its source, counted, put
on the other leg's line (SSRC, sequence, timestamp, payload type) and sent. The floor looks at nothing and
wakes for each packet. Both are processes pinned to one core, with the generator on the other; `offered` is
the share of the packets that it managed to send. `--calls 1000` is 100,000 packets a second.
"""

from __future__ import annotations

import argparse

from benchmarks._load import (
    Plan,
    bare_relay,
    compare,
    local_engine,
    measure_process,
    measure_worker,
    per_packet_us,
)
from benchmarks._report import show

AIM_US = 9.0


def measure(calls: int, *, seconds: float, runs: int) -> list[dict[str, object]]:
    plan = Plan(2 * calls)
    floors, workers, locals_ = [], [], []
    for _ in range(runs):
        floors.append(measure_process(bare_relay, plan, seconds=seconds))
        workers.append(measure_worker(plan, seconds=seconds))
        locals_.append(measure_process(local_engine, plan, seconds=seconds))
    subjects = {"floor": floors, "worker": workers, "in process": locals_}
    return compare(plan, {"calls": calls}, "us/packet", per_packet_us, subjects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds, options.runs = [10], 0.1, 1
    rows = [
        row for calls in options.calls for row in measure(calls, seconds=options.seconds, runs=options.runs)
    ]
    show(f"relay: CPU per relayed packet (aim: {AIM_US} us at 200 calls)", rows, json_path=options.json)


if __name__ == "__main__":
    main()
