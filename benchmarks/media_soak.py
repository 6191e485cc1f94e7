"""Do ports, descriptors, tasks and memory come back when calls come and go, and is any packet lost?

    python -m benchmarks.media_soak [--smoke] [--minutes 2] [--calls 300] [--rate 10]

One worker with so many calls standing, of which `rate` end and as many begin in each second: relayed ones,
anchored ones (PCMU<->PCMA, keys in band), and anchored ones that are recorded. A first round of all calls
comes before the start is taken, so that what the allocator keeps for reuse does not count. Of each call, the
engine says what it missed of the parties, and the gaps in the sequence numbers say what the parties missed.
The floor is the start: memory at the end as a ratio to it. Exits with 1 when something is left, or lost.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks._load import (
    DRAIN_S,
    ENGINE_HOST,
    FRAME_S,
    LOAD_CORE,
    MAX_BURST,
    PARTY_HOST,
    PAYLOAD_TYPES,
    SUBJECT_CORE,
    Plan,
    params_for,
    processes,
    settings_for,
)
from benchmarks._process import memory_kb
from benchmarks._report import pin, show
from sipcc.rtp import WorkerPool
from sipcc.rtp.flow import MediaPort
from sipcc.rtp.packet import HEADER
from sipcc.rtp.sequence import sequence_delta
from sipcc.rtp.udp import UdpSockets

KINDS: tuple[tuple[Plan, bool], ...] = (
    (Plan(2), False),
    (Plan(2, codecs=("PCMU", "PCMA"), keys="inband"), False),
    (Plan(2, codecs=("PCMU", "PCMA"), keys="inband"), True),
)
"""What calls are like, and whether they are recorded; each call takes the next one."""
TAIL_S = 0.25
"""Between a party's last packet and the end of its port: what is under way arrives."""


class _Party:
    """One socket that speaks when it is told to."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.kind = 0
        self.count = 0
        self.last = -1
        self.missed = 0

    def begin(self, port: int, kind: int) -> None:
        self.target, self.kind, self.count, self.last = (ENGINE_HOST, port), kind, 0, -1

    def hear(self, data: bytes) -> None:
        if len(data) < 12 or 192 <= data[1] <= 223:
            return
        sequence = data[2] << 8 | data[3]
        if self.last >= 0:
            self.missed += max(0, sequence_delta(sequence, self.last) - 1)
        self.last = sequence


def speak(pipe: Connection, legs: int) -> None:
    """The parties: bind, say the ports, then begin and end single ones as told."""
    sockets = UdpSockets()
    handles = [sockets.open(PARTY_HOST, 0) for _ in range(legs)]
    parties = {handle: _Party() for handle in handles}
    pipe.send([sockets.port_of(handle) for handle in handles])
    payload = bytes(range(160))
    sent = done = 0
    begin = drain_at = time.monotonic()
    while True:
        now = time.monotonic()
        due = int((now - begin) / FRAME_S * legs) - done
        for place in range(done, done + min(due, MAX_BURST)):
            handle = handles[place % legs]
            party = parties[handle]
            if party.target is not None:
                count = party.count
                header = HEADER.pack(0x80, party.kind, count & 0xFFFF, count * 160, handle)
                sockets.send(handle, header + payload, party.target)
                party.count += 1
                sent += 1
        done += min(due, MAX_BURST)
        if now < drain_at:
            continue
        drain_at = now + DRAIN_S
        for handle, data, _ in sockets.drain():
            parties[handle].hear(data)
        while pipe.poll():
            match pipe.recv():
                case ("begin", leg, port, kind):
                    parties[handles[leg]].begin(port, kind)
                case ("end", leg):
                    parties[handles[leg]].target = None
                case "tell":
                    pipe.send((sent, sum(party.missed for party in parties.values())))
                case _:
                    return


class Calls:
    """The calls of a soak, each with its two parties."""

    def __init__(self, pool: WorkerPool, pipe: Connection, party_ports: list[int], folder: Path) -> None:
        self._pool = pool
        self._pipe = pipe
        self._party_ports = party_ports
        self._folder = folder
        self._ports: dict[int, list[MediaPort]] = {}
        self._number = 0
        self.lost = 0
        self.done = 0

    async def begin(self, place: int) -> None:
        """A call between two parties."""
        plan, recorded = KINDS[self._number % len(KINDS)]
        self._number += 1
        ports: list[MediaPort] = [await self._pool.open() for _ in range(2)]
        for index, port in enumerate(ports):
            leg = 2 * place + index
            params = params_for(plan, index, self._party_ports[leg])
            port.configure(params)
            self._pipe.send(("begin", leg, port.port, PAYLOAD_TYPES[params.codec]))
        ports[0].bridge(ports[1])
        if recorded:
            ports[0].record(str(self._folder / f"{place}.wav"))
        self._ports[place] = ports

    async def end(self, place: int) -> None:
        """Both parties fall silent, then their ports are closed."""
        for index in range(2):
            self._pipe.send(("end", 2 * place + index))
        await asyncio.sleep(TAIL_S)
        for port in self._ports.pop(place):
            self.lost += (await port.close()).lost
        self.done += 1

    async def renew(self, place: int) -> None:
        """A call ends and another begins in its place."""
        await self.end(place)
        await self.begin(place)


def left_of(pid: int, pool: WorkerPool) -> dict[str, int]:
    """What must come back to what it was."""
    return {
        "ports": pool.open_ports,
        "worker fds": len(os.listdir(f"/proc/{pid}/fd")),
        "worker threads": len(os.listdir(f"/proc/{pid}/task")),
        "fds": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
    }


async def at_rate(work: Callable[[int], object], count: int, rate: float, places: int) -> None:
    """Do `work` for one place after the other, so many in a second, and wait for all of it."""
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(work(number % places))  # type: ignore[arg-type]
            await asyncio.sleep(1 / rate)


async def soak(calls: int, rate: float, seconds: float, folder: Path) -> dict[str, object]:
    """The whole run."""
    loop = asyncio.get_running_loop()
    pipe, theirs = processes.Pipe()
    process = processes.Process(target=speak, args=(theirs, 2 * calls), daemon=True)
    process.start()
    party_ports: list[int] = await loop.run_in_executor(None, pipe.recv)
    assert process.pid is not None
    pin(process.pid, LOAD_CORE)
    pool = WorkerPool(settings_for(2 * calls))
    await pool.start()
    pid = pool.pids[0]
    pin(pid, SUBJECT_CORE)
    all_calls = Calls(pool, pipe, party_ports, folder)
    fast = max(rate, 50.0)
    await at_rate(all_calls.begin, calls, fast, calls)
    await at_rate(all_calls.renew, calls, fast, calls)
    await at_rate(all_calls.end, calls, fast, calls)
    start, start_kb = left_of(pid, pool), memory_kb(pid)
    await at_rate(all_calls.begin, calls, fast, calls)
    standing_kb = memory_kb(pid)
    await at_rate(all_calls.renew, int(seconds * rate), rate, calls)
    stood_kb = memory_kb(pid)
    await at_rate(all_calls.end, calls, fast, calls)
    await asyncio.sleep(TAIL_S)
    end, end_kb = left_of(pid, pool), memory_kb(pid)
    pipe.send("tell")
    sent, missed = await loop.run_in_executor(None, pipe.recv)
    pipe.send("stop")
    await loop.run_in_executor(None, process.join, 5)
    restarts = pool.restarts
    await pool.stop()
    return {
        "calls": calls,
        "rate": rate,
        "minutes": seconds / 60,
        "done": all_calls.done,
        "packets": sent,
        "lost in": all_calls.lost,
        "lost out": missed,
        "left": ", ".join(f"{name} {end[name] - was:+d}" for name, was in start.items() if end[name] != was)
        or "nothing",
        "start MB": start_kb / 1024,
        "end MB": end_kb / 1024,
        "of floor": end_kb / start_kb,
        "standing MB": standing_kb / 1024,
        "stood MB": stood_kb / 1024,
        "restarts": restarts,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rate", type=float, default=10.0, help="calls that end and begin in a second")
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    seconds = 60 * options.minutes
    if options.smoke:
        options.calls, seconds = 3, 0.1
    with tempfile.TemporaryDirectory() as folder:
        row = asyncio.run(soak(options.calls, options.rate, seconds, Path(folder)))
    show(
        "media soak (aim: nothing left, nothing lost, memory as at the start)", [row], json_path=options.json
    )
    good = row["left"] == "nothing" and not row["lost in"] and not row["lost out"] and not row["restarts"]
    return 0 if good or options.smoke else 1


if __name__ == "__main__":
    sys.exit(main())
