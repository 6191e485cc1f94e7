"""CPU per packet of the ear: jitter buffer, frames and concealment, against a bare list used as a queue.

    python -m benchmarks.jitter [--smoke] [--json FILE]

One leg in virtual time: packets are put in as they come and a frame is taken every 20 ms. `clean` is G.711 in
packets of 20 ms, the path of nearly all calls; the others are what costs more.
"""

from __future__ import annotations

import argparse
import random
from statistics import median
from time import perf_counter

from benchmarks._report import show
from sipcc.rtp.ear import Ear

Trace = list[tuple[float, int, int, bytes]]


def steady(count: int, samples: int = 160) -> Trace:
    payload = bytes(range(256)) * 2
    return [(n * samples / 8000, n & 0xFFFF, n * samples, payload[:samples]) for n in range(count)]


def jittered(trace: Trace) -> Trace:
    chance = random.Random(1)
    return sorted((at + max(0.0, chance.gauss(0.03, 0.01)), *rest) for at, *rest in trace)  # type: ignore[misc]


def lossy(trace: Trace) -> Trace:
    chance = random.Random(1)
    return [packet for packet in trace if chance.random() > 0.05]


def run_ear(trace: Trace) -> float:
    ear = Ear()
    put, take = ear.put, ear.take
    now = trace[0][0] + 0.011
    begin = perf_counter()
    for at, sequence, timestamp, payload in trace:
        while now < at:
            take(now=now)
            now += 0.02
        put(7, sequence, timestamp, False, payload, now=at)
    return perf_counter() - begin


def run_list(trace: Trace) -> float:
    queue: list[tuple[int, bytes]] = []
    now = trace[0][0] + 0.011
    begin = perf_counter()
    for at, sequence, _, payload in trace:
        while now < at:
            if queue:
                queue.pop(0)
            now += 0.02
        queue.append((sequence, payload))
    return perf_counter() - begin


def measure(count: int, runs: int) -> list[dict[str, object]]:
    clean = steady(count)
    traces = {
        "clean": clean,
        "packets of 30 ms": steady(count, 240),
        "jitter of 10 ms": jittered(clean),
        "5 % lost": lossy(clean),
    }
    floor = median(run_list(clean) for _ in range(runs)) / count * 1e6
    rows: list[dict[str, object]] = [
        {"trace": "bare list, clean", "us/packet": round(floor, 3), "ratio": 1.0}
    ]
    for name, trace in traces.items():
        cost = median(run_ear(trace) for _ in range(runs)) / len(trace) * 1e6
        rows.append({"trace": name, "us/packet": round(cost, 3), "ratio": round(cost / floor, 2)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.packets, options.runs = 2000, 1
    show("ear: CPU per packet, put and taken", measure(options.packets, options.runs), json_path=options.json)


if __name__ == "__main__":
    main()
