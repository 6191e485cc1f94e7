"""What a packet of a banned source costs, against a bare receive loop on the same socket.

A generator on the other core floods the endpoint's UDP socket from a banned address; the CPU time of the
server is divided by the packets that it took in. The floor is a process that receives the same flood with
one `recv` after the other and looks at nothing. In process stands what the guard alone adds: one look-up.

    python -m benchmarks.blocked [--smoke] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing as mp
import os
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import uvloop

from benchmarks._report import cpu_seconds, median, pin, show
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, SipSettings
from sipcc.sip.guard import Guard
from sipcc.sip.settings import GuardSettings

ATTACKER = "127.0.0.66"
SERVER_CORE, LOAD_CORE = 0, 1
REGISTER = (
    b"REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.66:6666;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:1001@pbx.example.com>;tag=1\r\nTo: <sip:1001@pbx.example.com>\r\nCall-ID: flood\r\n"
    b"CSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:1001@127.0.0.66:6666>\r\n"
    b"User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
)
_processes = mp.get_context("spawn")


def bare(pipe: Connection) -> None:
    """The floor: one blocking socket, one `recv` for each packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        pipe.send(sock.getsockname()[1])
        counted = [0]

        def answer() -> None:
            while pipe.recv() != "stop":
                pipe.send(counted[0])
            os._exit(0)

        threading.Thread(target=answer, daemon=True).start()
        while True:
            sock.recv(65535)
            counted[0] += 1


def endpoint(pipe: Connection, banned: bool) -> None:
    """The subject: an endpoint whose guard has banned the attacker, or only limits him."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock()
        subject = Endpoint(SipSettings(listen=("udp:127.0.0.1:0",)), clock=clock, ids=Ids())
        guard = Guard(GuardSettings(trusted=(), ban=86400.0))
        subject.guard = guard
        if banned:
            guard.ban(ATTACKER, "scanner", now=clock.now())
        else:
            guard.welcome(ATTACKER, now=clock.now())  # an agent is limited, but never banned
        await subject.start()
        pipe.send(subject.listeners[0].local.port)
        while await loop.run_in_executor(None, pipe.recv) != "stop":
            counters = subject.counters
            pipe.send(counters["blocked" if banned else "received"])
        await subject.stop()

    uvloop.run(run())


def flood(pipe: Connection, port: int, per_second: int) -> None:
    """The generator: bursts of packets from the attacker's address, until it is told to stop."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ATTACKER, 0))
        sock.connect(("127.0.0.1", port))
        began, sent = time.monotonic(), 0
        while not pipe.poll():
            due = int((time.monotonic() - began) * per_second)
            for _ in range(min(due - sent, 64)):
                try:
                    sock.send(REGISTER)
                except OSError:
                    break  # the subject's buffer is full
            sent = due
            time.sleep(0.001)


def cost_us(
    target: Callable[..., None], *args: object, seconds: float, per_second: int
) -> tuple[float, float]:
    """(CPU microseconds of `target` for each packet, packets per second that it took)."""
    pipe, theirs = _processes.Pipe()
    subject = _processes.Process(target=target, args=(theirs, *args), daemon=True)
    subject.start()
    port: int = pipe.recv()
    load_pipe, load_theirs = _processes.Pipe()
    load = _processes.Process(target=flood, args=(load_theirs, port, per_second), daemon=True)
    load.start()
    assert subject.pid is not None
    assert load.pid is not None
    pin(subject.pid, SERVER_CORE)
    pin(load.pid, LOAD_CORE)
    time.sleep(0.5)

    def count() -> int:
        pipe.send("count")
        found: int = pipe.recv()
        return found

    before, cpu = count(), cpu_seconds(subject.pid)
    time.sleep(seconds)
    packets, cpu = count() - before, cpu_seconds(subject.pid) - cpu
    load_pipe.send("stop")
    load.join(5)
    pipe.send("stop")
    subject.join(5)
    return cpu / max(1, packets) * 1e6, packets / seconds


def look_up_us(entries: int) -> float:
    """CPU microseconds of `Guard.blocked` with so many bans."""
    guard = Guard(GuardSettings(trusted=()))
    hosts = [f"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}" for i in range(entries)]
    for host in hosts:
        guard.ban(host, "scanner", now=0.0)
    blocked = guard.blocked
    began = time.process_time()
    for host in hosts:
        blocked(host, now=1.0)
    return (time.process_time() - began) / entries * 1e6


def measure(*, smoke: bool) -> list[dict[str, object]]:
    """All rows."""
    seconds, runs, per_second = (0.5, 1, 5000) if smoke else (3.0, 3, 20_000)
    floor = median([cost_us(bare, seconds=seconds, per_second=per_second)[0] for _ in range(runs)])
    rows: list[dict[str, object]] = [{"what": "bare recv loop (floor)", "us": floor, "of_floor": 1.0}]
    for what, banned in (("a banned source", True), ("a source over its rate", False)):
        found = [cost_us(endpoint, banned, seconds=seconds, per_second=per_second) for _ in range(runs)]
        cost = median([each for each, _ in found])
        rate = median([each for _, each in found])
        rows.append({"what": what, "us": cost, "of_floor": cost / floor, "per_s": rate})
    entries = 1000 if smoke else 50_000
    rows.append({"what": f"the look-up among {entries} bans", "us": look_up_us(entries)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a run of a few seconds, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    show("The cost of a blocked packet", measure(smoke=arguments.smoke), json_path=arguments.json)


if __name__ == "__main__":
    main()
