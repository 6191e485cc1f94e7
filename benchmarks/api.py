"""Does the HTTP interface harm live calls? A steady load of requests beside calls with audio.

The whole daemon bridges SIPp's callers to SIPp's agents, with audio both ways; a process of its own counts
what arrives at both ends. Rounds without and with the requests follow each other, so that what else goes on
on the machine meets both. Requests are reads of all kinds and commands to agents, from a process of its own,
each at its time whether or not others were answered. Shown are the latencies of the interface, and for the
calls: packets lost, jitter where audio arrives, set-up delay, and how late the daemon's loop was at worst,
with the requests as a multiple of without.

    python -m benchmarks.api [--smoke] [--calls 100] [--rate 300] [--seconds 20] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.request
from typing import Any

from benchmarks._report import median, show
from benchmarks._server import OurServer
from benchmarks.concurrency import run
from sipcc.api import digest_of

TOKEN = "sipcc_bench"  # of a daemon that lives for this benchmark
PORT = 18080

DOOR = f"""
[api]
listen = "127.0.0.1:{PORT}"
[[tokens]]
name = "bench"
role = "admin"
digest = "{digest_of(TOKEN)}"
"""
QUEUE = """
[[queues]]
name = "queue{number}"
"""
AGENT = """
[[agents]]
name = "agent{number}"
uri = "sip:a{number}@127.0.0.9"
queues = ["queue{queue}"]
"""
CENTRE = DOOR + "".join(
    [QUEUE.format(number=number) for number in range(5)]
    + [AGENT.format(number=number, queue=number % 5) for number in range(50)]
)
"""Queues and agents that requests are about; no caller is in them."""

SHOWN = ("rtp_lost", "jitter_p50_ms", "jitter_p95_ms", "setup_p95_ms", "loop_lag_ms")


def requests(rate: float, seconds: float) -> dict[str, Any]:
    """Ask for `seconds`, in another process."""
    command = [sys.executable, "-m", "benchmarks._apiload", f"127.0.0.1:{PORT}", TOKEN]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def loop_lag_ms() -> float:
    """How late the loop was at worst in the last 15 seconds."""
    asked = urllib.request.Request(f"http://127.0.0.1:{PORT}/metrics")  # our own daemon
    asked.add_header("Authorization", f"Bearer {TOKEN}")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        page = answer.read().decode()
    found = re.search(r"^sipcc_loop_lag_seconds (\S+)$", page, re.MULTILINE)
    assert found is not None
    return 1000 * float(found[1])


def round_of(calls: int, seconds: float, rate: float) -> dict[str, Any]:
    """One round; no requests with a `rate` of 0."""
    asked: dict[str, Any] = {}

    def during(steady: float) -> None:
        if rate:
            asked.update(requests(rate, steady))
        else:
            time.sleep(steady)
        asked["loop_lag_ms"] = loop_lag_ms()

    server = OurServer(workers=1, extra=CENTRE)
    try:
        result = run(server.address, "4008123456", calls, steady=seconds, pid=server.pid, during=during)
    finally:
        server.close()
    return {"requests_per_s": rate, **asked, **result}


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few calls only, to see that it runs")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=2, help="with and without, each so often")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.rate, options.seconds, options.rounds = 3, 20.0, 1.0, 1
    rounds = [
        round_of(options.calls, options.seconds, rate)
        for _ in range(options.rounds)
        for rate in (0.0, options.rate)
    ]
    rows: list[dict[str, Any]] = []
    for rate in (0.0, options.rate):
        same = [each for each in rounds if each["requests_per_s"] == rate]
        keys = [key for key in ("p50_ms", "p99_ms", *SHOWN) if key in same[0]]
        row = {"requests_per_s": rate, "calls": options.calls}
        row |= {"calls_failed": sum(each["failed"] for each in same)}
        rows.append(row | {key: median([float(each[key]) for each in same]) for key in keys})
    without, beside = rows
    rows.append(
        {"requests_per_s": "ratio"}
        | {key: beside[key] / without[key] if without[key] else None for key in SHOWN if key in without}
    )
    show("Calls beside the HTTP interface under load (aim: ratios of 1)", rows, json_path=options.json)
    return 0 if not any(each["failed"] for each in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
