"""Memory of a standing leg: relayed, anchored, anchored and recorded.

    python -m benchmarks.media_memory [--smoke] [--json FILE]

KiB of one worker process (proportional set size, without what the kernel keeps for the sockets) for each leg
of as many calls as stand, under audio, against the same worker without any. The floor is what the two sockets
of a leg take in the same process when nothing is done with them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from benchmarks._load import Load, Plan, join_all, settings_for
from benchmarks._process import memory_kb
from benchmarks._report import show
from benchmarks.recorded import Recordings
from sipcc.rtp import WorkerPool
from sipcc.rtp.udp import UdpSockets

KINDS: dict[str, Plan] = {
    "relayed": Plan(0),
    "anchored": Plan(0, codecs=("PCMU", "PCMA")),
    "anchored, keys in band": Plan(0, codecs=("PCMU", "PCMA"), keys="inband"),
    "and recorded": Plan(0, codecs=("PCMU", "PCMA"), keys="inband"),
}


async def worker_kb(plan: Plan, folder: Path | None, seconds: float) -> float:
    """KiB per leg."""
    loop = asyncio.get_running_loop()
    pool = WorkerPool(settings_for(plan.legs))
    await pool.start()
    await asyncio.sleep(0.1)
    pid = pool.pids[0]
    before = memory_kb(pid)
    load = await loop.run_in_executor(None, Load, plan)
    ports = await join_all(pool, plan, load.ports)
    load.begin([port.port for port in ports])
    recordings = Recordings(folder) if folder is not None else None
    if recordings is not None:
        await recordings.begin(ports)
    await asyncio.sleep(seconds)
    after = memory_kb(pid)
    if recordings is not None:
        await recordings.end(ports)
    load.stop()
    await pool.stop()
    return (after - before) / plan.legs


def sockets_kb(legs: int) -> float:
    """KiB that a pair of sockets takes here."""
    sockets = UdpSockets()
    before = memory_kb(os.getpid())
    for _ in range(2 * legs):
        sockets.open("127.0.0.1", 0)
    after = memory_kb(os.getpid())
    sockets.close_all()
    return max(0.1, (after - before) / legs)


def measure(legs: int, *, seconds: float, kinds: list[str]) -> list[dict[str, object]]:
    floor = sockets_kb(legs)
    rows: list[dict[str, object]] = [
        {"legs": legs, "kind": "bare sockets", "KiB/leg": floor, "of floor": 1.0}
    ]
    for kind in kinds:
        plan = KINDS[kind]._replace(legs=legs)
        with tempfile.TemporaryDirectory() as files:
            folder = Path(files) if kind == "and recorded" else None
            kb = asyncio.run(worker_kb(plan, folder, seconds))
        rows.append({"legs": legs, "kind": kind, "KiB/leg": kb, "of floor": kb / floor})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--legs", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    kinds = list(KINDS)
    if options.smoke:
        options.legs, options.seconds, kinds = 20, 0.2, ["relayed", "and recorded"]
    rows = measure(options.legs, seconds=options.seconds, kinds=kinds)
    show("memory of a standing leg, in the worker", rows, json_path=options.json)


if __name__ == "__main__":
    main()
