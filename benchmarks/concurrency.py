"""How many calls with real audio does a SIP server carry, and at what price?

Drives any SIP server, ours or another product's: SIPp's callers (127.0.0.2) dial a number on it, and the
server is expected to bridge each call to ``sip:agent@127.0.0.3:5070``, where SIPp's agents answer. Both
sides send G.711 audio by `play_pcap_audio`, a thread a call, so that packets of different calls spread
over the 20 ms as on a trunk; a process of its own receives all of it and counts loss and jitter.

    python -m benchmarks.concurrency                                   # starts and measures our daemon
    python -m benchmarks.concurrency --target 127.0.0.1:5060 --pid 4711   # measures that server

CPU is read from /proc for the process tree of ``--pid`` over the steady part of each run; one relayed
packet is one that arrived at a caller or an agent. SIPp sends audio from raw sockets, which needs root.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._process import cpu_seconds, memory_kb
from benchmarks._server import OurServer
from benchmarks._sink import Sink
from benchmarks._sipp import AGENT_HOST, AGENT_PORT, CALLER_HOST, CALLER_PORT, Sipp, write_audio

RAMP_UP_CPS = 20.0
SETTLE_S = 1.0


def run(
    target: str,
    number: str,
    calls: int,
    *,
    steady: float,
    pid: int | None,
    during: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """One run of `calls` concurrent calls, `steady` seconds of them together; the figures of the run.

    `during` is called for the time that all of them are up, and lasts as long.
    """
    ramp = calls / RAMP_UP_CPS
    hold = ramp + 2 * SETTLE_S + steady
    before_kb = memory_kb(pid) if pid else 0
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "audio.pcap"
        write_audio(audio, hold + 1)
        sink = Sink(calls)
        with (
            Sipp("agent", host=AGENT_HOST, port=AGENT_PORT, audio=audio, timeout=hold + 60),
            Sipp(
                "caller",
                host=CALLER_HOST,
                port=CALLER_PORT,
                target=target,
                audio=audio,
                hold_ms=int(hold * 1000),
                number=number,
                rate=RAMP_UP_CPS,
                calls=calls,
                timeout=hold + ramp + 45,
            ) as callers,
        ):
            time.sleep(ramp + SETTLE_S)
            cpu, packets, at = cpu_seconds(pid) if pid else 0.0, sink.total(), time.monotonic()
            during(steady)
            cpu = cpu_seconds(pid) - cpu if pid else 0.0
            packets, elapsed = sink.total() - packets, time.monotonic() - at
            during_kb = memory_kb(pid) if pid else 0
            try:
                callers.wait(hold + ramp + 60)
            except subprocess.TimeoutExpired:
                print("SIPp did not end in time", file=sys.stderr)
            result = {"calls": calls, **callers.report().summary()}
        streams = sink.finish()
    received = sum(stream.received for stream in streams)
    lost = sum(stream.lost for stream in streams)
    jitters = sorted(stream.jitter_ms for stream in streams if stream.received) or [0.0]
    # the first call's ports belong to SIPp itself, so calls - 1 are counted at both ends
    owed = (calls - 1) * 2 * 50 * elapsed
    result |= {
        "silent_streams": sum(1 for stream in streams if not stream.received),
        "rtp_received": received,
        "rtp_lost": lost,
        "rtp_lost_percent": 100 * lost / max(1, received + lost),
        "rtp_delivered_of_owed": packets / owed if owed else 0.0,
        "jitter_p50_ms": statistics.median(jitters),
        "jitter_p95_ms": jitters[int(len(jitters) * 0.95)],
    }
    if pid:
        relayed = packets * calls / max(1, calls - 1)
        result |= {
            "cpu_percent_of_a_core": 100 * cpu / elapsed,
            "cpu_us_per_packet": 1e6 * cpu / max(1.0, relayed),
            "cpu_s_per_call_minute": 60 * cpu / elapsed / calls,
            "memory_kb_per_call": (during_kb - before_kb) / calls,
        }
    return result


def clean(result: dict[str, Any]) -> bool:
    """True when every call came up and no packet was lost."""
    return (
        result["failed"] == 0
        and result["succeeded"] == result["calls"]
        and not result["rtp_lost"]
        and not result["silent_streams"]
    )


def table(results: list[dict[str, Any]]) -> str:
    """The runs as text, one column each."""
    lines = []
    for key in results[-1]:
        cells = [result.get(key, "") for result in results]
        shown = [f"{cell:>12.3f}" if isinstance(cell, float) else f"{cell!s:>12}" for cell in cells]
        lines.append(f"{key:<26}{''.join(shown)}")
    return "\n".join(lines)


def main() -> int:
    """Parse the command line, run, print; 1 when a call failed in the fixed runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", help="host:port of the server; without it our own daemon is started")
    parser.add_argument("--pid", type=int, help="root of the server's process tree, for CPU and memory")
    parser.add_argument("--number", default="4008123456", help="the number that is bridged to the agents")
    parser.add_argument("--calls", default="50,100,200", help="runs to make, as concurrent calls")
    parser.add_argument("--steady", type=float, default=10.0, help="seconds measured with all calls up")
    parser.add_argument(
        "--ramp", type=int, default=0, metavar="STEP", help="then go up by STEP to the first loss"
    )
    parser.add_argument("--ramp-limit", type=int, default=1000, help="the ramp ends here at the latest")
    parser.add_argument("--workers", type=int, default=1, help="media workers of our own daemon")
    parser.add_argument("--smoke", action="store_true", help="one short run of 5 calls, to see that it works")
    parser.add_argument("--json", type=Path, help="write the results there as JSON")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.steady, options.ramp = "5", 2.0, 0
    sizes = [int(size) for size in options.calls.split(",") if size]
    server = None if options.target else OurServer(workers=options.workers)
    results: list[dict[str, Any]] = []
    try:
        target = options.target or server.address
        pid = options.pid if server is None else server.pid
        for calls in sizes:
            results.append(run(target, options.number, calls, steady=options.steady, pid=pid))
            print(table(results[-1:]), end="\n\n", flush=True)
        fixed = list(results)
        calls = (sizes[-1] if sizes else 0) + options.ramp
        while options.ramp and calls <= options.ramp_limit and (not results or clean(results[-1])):
            results.append(run(target, options.number, calls, steady=options.steady, pid=pid))
            print(table(results[-1:]), end="\n\n", flush=True)
            calls += options.ramp
    finally:
        if server is not None:
            server.close()
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=2) + "\n")
    return 0 if all(result["failed"] == 0 for result in fixed) else 1


if __name__ == "__main__":
    sys.exit(main())
