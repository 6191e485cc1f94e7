"""Does memory stay flat? Calls come and go for minutes while a couple of thousand of them stand.

The whole daemon (signalling, media ports, records) bridges SIPp's callers to SIPp's agents. Each call is
held for so long that `rate` times `hold` calls are up at any time. Memory (PSS of the process tree) is read
every few seconds; what counts is the difference between the first and the last third of the time after the
warm-up, and file descriptors must not grow at all.

    python -m benchmarks.standing [--smoke] [--minutes 10] [--rate 200] [--hold 10]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._process import cpu_seconds, memory_kb, tree
from benchmarks._report import median, pin, show
from benchmarks._server import OurServer
from benchmarks._sipp import AGENT_HOST, AGENT_PORT, CALLER_HOST, CALLER_PORT, Sipp


def descriptors(pid: int) -> int:
    """Open file descriptors of the process tree."""
    return sum(len(list(Path(f"/proc/{member}/fd").iterdir())) for member in tree(pid))


def stand(server: OurServer, *, rate: float, hold: float, seconds: float, every: float) -> dict[str, Any]:
    """Offer calls for `seconds` and watch the server's memory."""
    calls = int(rate * seconds)
    samples: list[tuple[float, float, int]] = []
    cpu = cpu_seconds(server.pid)
    with (
        Sipp("agent", host=AGENT_HOST, port=AGENT_PORT, timeout=seconds + 200),
        Sipp(
            "caller",
            host=CALLER_HOST,
            port=CALLER_PORT,
            target=server.address,
            rate=rate,
            calls=calls,
            hold_ms=int(hold * 1000),
            timeout=seconds + hold + 100,
        ) as callers,
    ):
        began = time.monotonic()
        while callers.running and time.monotonic() - began < seconds:
            time.sleep(every)
            at = time.monotonic() - began
            samples.append((at, memory_kb(server.pid) / 1024, descriptors(server.pid)))
        callers.wait(hold + 120)
        summary = callers.report().summary()
    cpu = cpu_seconds(server.pid) - cpu
    warm = 1.5 * hold + seconds / 10
    steady = [(mb, fds) for at, mb, fds in samples if at > warm] or [(samples[-1][1], samples[-1][2])]
    third = max(1, len(steady) // 3)
    first, last = median([mb for mb, _ in steady[:third]]), median([mb for mb, _ in steady[-third:]])
    return {
        "standing": int(rate * hold),
        "rate_cps": rate,
        "minutes": seconds / 60,
        **summary,
        "cpu_ms_per_call": 1000 * cpu / max(1, summary["succeeded"]),
        "first_mb": first,
        "last_mb": last,
        "growth_percent": 100 * (last / first - 1),
        "fds_first": steady[0][1],
        "fds_last": steady[-1][1],
    }


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a few calls only, to see that it runs")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds that each call is held")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    pin(os.getpid(), 0)
    server = OurServer(workers=0)
    pin(os.getpid(), 1)
    try:
        if options.smoke:
            row = stand(server, rate=10, hold=0.5, seconds=2, every=0.5)
        else:
            row = stand(server, rate=options.rate, hold=options.hold, seconds=60 * options.minutes, every=5.0)
    finally:
        server.close()
    show("Memory with calls that come and go (aim: flat within 2 %)", [row], json_path=options.json)
    return 0 if row["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
