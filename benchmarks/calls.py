"""What does one call cost: CPU to set it up and tear it down through the B2BUA, and memory while it lasts?

SIPp's callers and agents run on the other core; no audio flows, so that signalling alone is measured, with
the opening and closing of both media ports in it. The floor, measured in the same run, is a bare Python
loop that receives and sends as many datagrams of the same size as a bridged call has messages.

    python -m benchmarks.calls [--smoke]
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from typing import Any

from benchmarks._process import cpu_seconds, memory_kb
from benchmarks._report import show
from benchmarks._server import OurServer
from benchmarks._sipp import AGENT_HOST, AGENT_PORT, CALLER_HOST, CALLER_PORT, Sipp

MESSAGES_PER_CALL = 14
"""INVITE 100 180 200 ACK BYE 200 on each of the two legs."""


def floor_us_per_call(rounds: int = 4000) -> float:
    """CPU of receiving and sending a call's messages in a bare loop, in microseconds."""
    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    near.bind(("127.0.0.1", 0))
    message = b"x" * 700
    address = near.getsockname()
    started = time.process_time()
    for _ in range(rounds):
        near.sendto(message, address)
        near.recv(2048)
    used = time.process_time() - started
    near.close()
    return used / rounds * MESSAGES_PER_CALL * 1e6


def place(server: OurServer, *, rate: float, calls: int, hold_ms: int) -> dict[str, Any]:
    """CPU of the whole server for `calls` short calls at `rate` calls a second."""
    with Sipp("agent", host=AGENT_HOST, port=AGENT_PORT):
        cpu = cpu_seconds(server.pid)
        with Sipp(
            "caller",
            host=CALLER_HOST,
            port=CALLER_PORT,
            target=server.address,
            rate=rate,
            calls=calls,
            hold_ms=hold_ms,
        ) as callers:
            callers.wait(calls / rate + 60)
            time.sleep(1.0)  # the clean-up after the last call belongs to its price
            cpu = cpu_seconds(server.pid) - cpu
            summary = callers.report().summary()
    return {"rate_cps": rate, **summary, "cpu_ms_per_call": 1000 * cpu / max(1, summary["succeeded"])}


def standing_kb(server: OurServer, *, calls: int) -> float:
    """Memory per call with `calls` of them up, in kB (PSS of the whole process tree)."""
    before = memory_kb(server.pid)
    with (
        Sipp("agent", host=AGENT_HOST, port=AGENT_PORT),
        Sipp(
            "caller",
            host=CALLER_HOST,
            port=CALLER_PORT,
            target=server.address,
            rate=50,
            calls=calls,
            hold_ms=(calls // 50 + 4) * 1000,
        ) as callers,
    ):
        time.sleep(calls / 50 + 2)
        during = memory_kb(server.pid)
        callers.wait(60)
    return (during - before) / calls


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few calls only, to see that it runs")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    rates = [(20.0, 20)] if options.smoke else [(30.0, 450), (100.0, 1000)]
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[0]})
        server = OurServer(workers=0)
        os.sched_setaffinity(0, {cores[1]})
    else:
        server = OurServer(workers=0)
    try:
        floor = floor_us_per_call()
        place(server, rate=20, calls=20, hold_ms=100)  # warms what is made once
        runs = [place(server, rate=rate, calls=calls, hold_ms=500) for rate, calls in rates]
        per_call_kb = standing_kb(server, calls=20 if options.smoke else 200)
    finally:
        server.close()
    rows = [
        {
            **result,
            "floor_ms": floor / 1000,
            "of_floor": 1000 * result["cpu_ms_per_call"] / floor,
            "memory_kb_per_call": per_call_kb,
        }
        for result in runs
    ]
    show("What one call through the B2BUA costs (aim: 2.5 ms CPU)", rows, json_path=options.json)
    return 0 if all(result["failed"] == 0 for result in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
