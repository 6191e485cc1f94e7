"""Requests at a steady rate over kept connections, as a process of its own: prints what it saw as JSON.

Each request has its time, whether or not those before were answered; its latency counts from that time, so
that a server that stalls is not spared the requests that it kept waiting.

    python -m benchmarks._apiload 127.0.0.1:8080 TOKEN --rate 300 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from itertools import count, cycle

CONNECTIONS = 32
PATIENCE_S = 10.0
"""Seconds for one answer; what takes longer has failed."""
READS = (
    "/state",
    "/agents",
    "/queues",
    "/calls",
    "/records/calls?limit=20",
    "/metrics",
    "/health/invariants",
)
"""What wallboards, desktops and Prometheus ask; every eighth request is a command."""


class Connection:
    """One kept connection."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._place = (host, port)
        self._head = f"Host: {host}\r\nAuthorization: Bearer {token}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """The status of one request."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{more}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        await reader.readexactly(int(length.partition(":")[2]))
        return int(head.split()[1])


async def load(host: str, port: int, token: str, *, rate: float, seconds: float) -> dict[str, object]:
    """Ask for `seconds`; the latencies in ms and how many were answered with anything but 200."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(host, port, token))
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    failed = 0
    paths, numbers = cycle(READS), count()

    async def ask(connection: Connection, number: int) -> int:
        if number % 8:
            return await connection.ask("GET", next(paths))
        verb = "pause" if number % 16 else "ready"
        body = json.dumps({"request_id": f"r{next(numbers)}", "reason": "load"}).encode()
        return await connection.ask("POST", f"/agents/agent{number % 50}/{verb}", body)

    async def one(due: float, number: int) -> None:
        nonlocal failed
        connection = await free.get()
        try:
            async with asyncio.timeout(PATIENCE_S):
                status = await ask(connection, number)
            failed += status not in (200, 409)  # an agent that is offline cannot be made ready
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            failed += 1
            connection = Connection(host, port, token)
        latencies.append(1000 * (loop.time() - due))
        free.put_nowait(connection)

    began = loop.time() + 0.1
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(due - loop.time())
            group.create_task(one(due, number))
    elapsed = loop.time() - began
    latencies.sort()
    return {
        "asked": len(latencies),
        "failed": failed,
        "answered_per_s": len(latencies) / elapsed,
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        "max_ms": latencies[-1],
    }


def main() -> None:
    """Run and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("token")
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    found = asyncio.run(load(host, int(port), options.token, rate=options.rate, seconds=options.seconds))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
