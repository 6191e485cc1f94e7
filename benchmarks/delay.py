"""What the engine adds to a packet: delay of a relay and of an anchored call, and jitter at the far end.

    python -m benchmarks.delay [--smoke] [--json FILE]

300 calls on one worker. Each packet says in its audio when it was sent; the receiver takes the time of its
arrival from the kernel, and follows the audio through the jitter buffer and the change of law. `jitter` is
that of RFC 3550 at the far end, of the worst leg of twenty and of the median one; that of `sender` is what
the load generator itself makes. The floor is a bare relay that wakes for each packet.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from benchmarks._load import Plan, bare_relay, standing_process, standing_worker
from benchmarks._probe import Probe, Trace, delays_ms, jitter_ms
from benchmarks._report import show
from sipcc.rtp.frame import FRAME_S, SAMPLE_RATE_HZ

AIM = "relay p50 0.6 ms, p99 2 ms; anchored 25 ms; jitter 1 ms at the 95th percentile"


def share(values: list[float], part: float) -> float:
    """The value that `part` of all lie below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def all_delays(traces: list[Trace]) -> list[float]:
    """Of every packet, from when its audio was sent by the other leg."""
    return [delay for leg, trace in enumerate(traces) for delay in delays_ms(trace, traces[leg ^ 1])]


def figures(subject: str, traces: list[Trace], base_ms: float) -> dict[str, object]:
    """Delay over all packets, also as a ratio to `base_ms`; jitter over all legs."""
    delays = all_delays(traces)
    jitters = [
        jitter_ms([(at, timestamp / SAMPLE_RATE_HZ) for at, timestamp, _ in trace.heard]) for trace in traces
    ]
    return {
        "subject": subject,
        "packets": sum(len(trace.heard) for trace in traces),
        "p50 ms": share(delays, 0.5),
        "p99 ms": share(delays, 0.99),
        "max ms": share(delays, 1.0),
        "of floor": share(delays, 0.5) / base_ms if base_ms else 0.0,
        "jitter p50": share(jitters, 0.5),
        "jitter p95": share(jitters, 0.95),
    }


def of_sender(traces: list[Trace]) -> dict[str, object]:
    """The jitter that the generator sends with."""
    jitters = [jitter_ms([(at, n * FRAME_S) for n, at in enumerate(trace.sent)]) for trace in traces]
    return {"subject": "sender", "jitter p50": share(jitters, 0.5), "jitter p95": share(jitters, 0.95)}


def watch(probe: Probe, seconds: float, warm_up: float) -> list[Trace]:
    """What the legs sent and heard in so many seconds."""
    time.sleep(warm_up)
    probe.watch()
    time.sleep(seconds)
    return probe.tell()


def of_worker(plan: Plan, seconds: float, warm_up: float) -> list[Trace]:
    """The same of a worker of ours."""

    async def run() -> list[Trace]:
        loop = asyncio.get_running_loop()
        probe = await loop.run_in_executor(None, Probe, plan)
        async with standing_worker(plan, probe):
            return await loop.run_in_executor(None, watch, probe, seconds, warm_up)

    return asyncio.run(run())


def measure(calls: int, *, seconds: float, warm_up: float) -> list[dict[str, object]]:
    plan = Plan(2 * calls)
    probe = Probe(plan)
    with standing_process(bare_relay, plan, probe):
        floor = watch(probe, seconds, warm_up)
    relayed = of_worker(plan, seconds, warm_up)
    anchored = of_worker(plan._replace(codecs=("PCMU", "PCMA")), seconds, warm_up)
    subjects = {"floor": floor, "relay": relayed, "anchored": anchored}
    rows = [{"calls": calls, **of_sender(floor)}]
    base_ms = share(all_delays(floor), 0.5)
    for subject, traces in subjects.items():
        rows.append({"calls": calls, **figures(subject, traces, base_ms)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    warm_up = 8.0  # an ear watches a new stream for five seconds before it waits less
    if options.smoke:
        options.calls, options.seconds, warm_up = 10, 0.3, 0.2
    rows = measure(options.calls, seconds=options.seconds, warm_up=warm_up)
    show(f"delay: what the engine adds to a packet (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
