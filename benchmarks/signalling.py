"""How many calls a second does one core carry, and what is left of that at three times the load?

The back-to-back user agent of examples/12 stands between SIPp's callers and SIPp's agents, over UDP, without
media: INVITE 100 180 200 ACK BYE 200 on both legs. It has one core, SIPp has the other. First the rate is
raised for as long as no call fails; then several times the best rate is offered, and then a half of it. The
floor, measured in the same run, is a bare loop that receives and sends as many datagrams.

    python -m benchmarks.signalling [--smoke] [--seconds 10]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks._process import cpu_seconds, memory_kb
from benchmarks._report import pin, show
from benchmarks._sipp import AGENT_HOST, AGENT_PORT, CALLER_HOST, CALLER_PORT, Sipp
from benchmarks.calls import floor_us_per_call

LISTEN = "127.0.0.1:5090"
RATES = (200, 400, 600, 800, 1000, 1100, 1200, 1300, 1400, 1500, 1750, 2000)
OVER = 3.0
"""How many times the best rate is offered to see what overload does."""


class B2bua:
    """The program under test, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._b2bua", LISTEN], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit("the user agent did not start")
        pin(self._process.pid, 0)
        self.pid = self._process.pid

    def close(self) -> dict[str, int]:
        """End it; what it counted."""
        assert self._process.stdout is not None
        self._process.terminate()
        counted: dict[str, int] = json.loads(self._process.stdout.readline())
        self._process.wait(10)
        return counted


def offer(b2bua: B2bua, rate: float, seconds: float, *, hold_ms: int = 0) -> dict[str, Any]:
    """Offer `rate` calls a second for `seconds`."""
    calls = int(rate * seconds)
    with Sipp("agent", host=AGENT_HOST, port=AGENT_PORT):
        cpu = cpu_seconds(b2bua.pid)
        with Sipp(
            "caller",
            host=CALLER_HOST,
            port=CALLER_PORT,
            target=LISTEN,
            rate=rate,
            calls=calls,
            hold_ms=hold_ms,
            timeout=seconds + 60,
        ) as callers:
            callers.wait(seconds + 90)
            cpu = cpu_seconds(b2bua.pid) - cpu
            summary = callers.report().summary()
    took = max(seconds, cpu)
    return {
        "offered_cps": rate,
        **summary,
        "good_cps": summary["succeeded"] / took,
        "cpu_us_per_call": 1e6 * cpu / max(1, summary["succeeded"]),
        "memory_mb": memory_kb(b2bua.pid) / 1024,
    }


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few calls only, to see that it runs")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each rate is offered")
    parser.add_argument("--rates", help="rates to try, with commas between them")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")] if options.rates else list(RATES)
    seconds = 1.0 if options.smoke else options.seconds
    rates = [20.0] if options.smoke else rates
    pin(os.getpid(), 1)
    floor = floor_us_per_call()
    b2bua = B2bua()
    rows: list[dict[str, Any]] = []
    best, peak = rates[0], 0.0
    try:
        offer(b2bua, 20, 1)  # warms what is made once
        for rate in rates:
            rows.append({"what": "sustained", **offer(b2bua, rate, seconds)})
            peak = max(peak, rows[-1]["good_cps"])
            if rows[-1]["failed"]:
                break
            best = rate
        if not options.smoke:
            rows.append({"what": "overload", **offer(b2bua, OVER * best, seconds)})
            rows.append({"what": "after it", **offer(b2bua, best / 2, 2.0)})
    finally:
        counted = b2bua.close()
    for row in rows:
        row["of_floor"] = row["cpu_us_per_call"] / floor
        row["of_peak"] = row["good_cps"] / peak
    show(
        f"Calls a second on one core: {best:g} without a failure (aim 1000); shed {counted.get('shed', 0)}, "
        f"dialogs left {counted['dialogs_left']}",
        rows,
        json_path=options.json,
    )
    return 0 if counted["dialogs_left"] == 0 and not rows[0]["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
