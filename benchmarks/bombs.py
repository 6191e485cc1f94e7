"""What do messages cost that are made to be dear: huge headers, thousands of them, endless parameters?

Each bomb goes the whole way of what arrives: parser, checks, transaction, answer, and a session that
refuses the call when it is valid. It comes as a datagram when one can hold it, and as a stream in segments
of 1,460 bytes. Times are CPU of one message, the best of several; memory is the peak of what Python holds
while the message is taken, beyond that of an ordinary INVITE (the first rows, whole), over its size.

    python -m benchmarks.bombs [--smoke] [--json FILE]

Fails when one message costs more than 5 ms, or more than 8 times its size.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from benchmarks._report import show
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, SipSettings
from sipcc.sip.parser import parse_datagram
from sipcc.sip.transport.base import Address, TransportName
from sipcc.testing.network import MemoryNetwork

MOST_MS, MOST_TIMES = 5.0, 8.0
LARGEST_DATAGRAM = 65_507
SEGMENT = 1460


class Bomb(NamedTuple):
    """Name, header lines beside those that each INVITE has, what stands behind the first Via and in To."""

    name: str
    headers: list[str]
    via: str = ""
    to: str = "<sip:4008123456@127.0.0.1>"


class Sink:
    """A flow that counts what is sent, and notes the last status."""

    local = Address("127.0.0.1", 5060)
    peer_names: frozenset[str] = frozenset()

    def __init__(self, transport: TransportName, port: int) -> None:
        self.transport: TransportName = transport
        self.reliable = transport != "udp"
        self.remote = Address("127.0.0.66", port)
        self.closed = False
        self.status = 0

    def send(self, data: bytes) -> None:
        """Take an answer."""
        if data.startswith(b"SIP/2.0 ") and data[8:11] != b"100":
            self.status = int(data[8:11])

    def close(self) -> None:
        """Be closed."""
        self.closed = True


def listed(name: str, value: str, count: int, line_bytes: int = 8000) -> list[str]:
    """`count` times `value`, in lines that are read."""
    each = max(1, line_bytes // (len(value) + 1))
    return [f"{name}: " + ",".join([value] * min(each, count - at)) for at in range(0, count, each)]


def bombs() -> list[Bomb]:
    """All kinds: as the catalogue has them, and as large as our limits let them in."""
    params = "".join(f";{_name(i)}" for i in range(100_000))
    few = params[: params.rindex(";", 0, 7900)]
    wide = "".join(f";{_name(i + 1000):x<24}" for i in range(250))
    vias = [f"Via: SIP/2.0/UDP h{few}"] * 3
    spread = [f"Contact: <sip:a@192.0.2.1>{few}" if not i else f"Route: <sip:h{i};lr>{few}" for i in range(3)]
    return [
        Bomb("64 KiB header", ["Y: " + "x" * 65_536]),
        Bomb("8 KB header", ["Y: " + "x" * 8000]),
        Bomb("8 KB of folds", ["Y: " + "\r\n ".join(["x"] * 2600)]),
        Bomb("10,000 headers", ["Y: 1"] * 10_000),
        Bomb("250 headers of 250 B", ["Y: " + "x" * 246] * 240),
        Bomb("240 names", [f"X-{'n' * 200}-{i}: 1" for i in range(240)]),
        Bomb("5,000 Via", ["Via: SIP/2.0/UDP h;branch=z9hG4bK1"] * 5000),
        Bomb("5,000 Via in lists", listed("Via", "SIP/2.0/UDP h", 5000)),
        Bomb("4,000 Via in lists", listed("Via", "SIP/2.0/UDP h", 4000)),
        Bomb("1,000 Route", ["Route: <sip:h;lr>"] * 1000),
        Bomb("1,000 Route in lists", listed("Route", "<sip:h;lr>", 1000)),
        Bomb("1,000 Record-Route in lists", listed("Record-Route", "<sip:h;lr>", 1000)),
        Bomb("1,000 Contact", ["Contact: <sip:a@h>"] * 1000),
        Bomb("1,000 Contact in lists", listed("Contact", "<sip:a@h>", 1000)),
        Bomb("5,000 Contact in lists", listed("Contact", "<sip:a@h>", 5000)),
        Bomb("100,000 params", [], to=f"<sip:a@b>{params}"),
        Bomb("as many params in To as a line holds", [], to=f"<sip:a@b>{few}"),
        Bomb("as many in Contact as we read", [f"Contact: <sip:a@b>{wide}"]),
        Bomb("the same behind quotes", [], to=f'"a" <sip:a@b>{few}'),
        Bomb("as many params in Via", [], via=few),
        Bomb("params in seven headers", [*spread, *vias], to=f"<sip:a@b>{few}"),
        Bomb("2,000 params of Authorization", ["Authorization: Digest " + ",".join(["a=b"] * 1990)]),
        Bomb("7 Authorization of 8 KB", ["Authorization: Digest " + ",".join(["a=b"] * 1990)] * 7),
        Bomb("4,000 Require", listed("Require", "a", 4000)),
        Bomb("4,000 Supported", listed("Supported", "a", 4000)),
        Bomb("4,000 Accept", listed("Accept", "a/b", 2000)),
    ]  # fmt: skip


def _name(number: int) -> str:
    """Short names, each another one."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    name = ""
    while True:
        number, digit = divmod(number, 26)
        name += letters[digit]
        if not number:
            return name


def message(number: int, bomb: Bomb, *, body: int = 0) -> bytes:
    """One INVITE."""
    extra = "".join(f"{line}\r\n" for line in bomb.headers)
    return (
        "INVITE sip:4008123456@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.66;branch=z9hG4bK{number};rport{bomb.via}\r\n"
        f"From: <sip:13800138000@127.0.0.66>;tag=f{number}\r\nTo: {bomb.to}\r\n"
        f"Call-ID: bomb-{number}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
        f"{'' if 'Contact: ' in extra else 'Contact: <sip:a@127.0.0.66>' + chr(13) + chr(10)}"
        f"{extra}Content-Length: {body}\r\n\r\n"
    ).encode() + b"x" * body  # fmt: skip


async def by_datagram(endpoint: Endpoint, data: bytes, number: int) -> int:
    """The status that one datagram gets."""
    flow = Sink("udp", 1024 + number % 60_000)
    endpoint.inbound.datagram_received(data, flow)
    await asyncio.sleep(0)
    return flow.status


async def by_stream(endpoint: Endpoint, data: bytes, number: int) -> int:
    """The status that a message gets on a connection of its own."""
    flow = Sink("tcp", 1024 + number % 60_000)
    for at in range(0, len(data), SEGMENT):
        if flow.closed:
            break
        endpoint.inbound.stream_received(data[at : at + SEGMENT], flow)
    await asyncio.sleep(0)
    endpoint.inbound.flow_closed(flow, None)
    return flow.status


class Bench:
    """One endpoint that refuses each call, and the bombs that it gets."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        settings = SipSettings(listen=("udp:127.0.0.1:5060",))
        network = MemoryNetwork().host("127.0.0.1")
        self.endpoint = Endpoint(settings, network=network, clock=LoopClock(), ids=Ids())
        self.endpoint.on_invite = lambda session: session.reject(486)
        self._number = 0
        self._ordinary = {"datagram": 0, "stream": 0}
        """Peak bytes of an INVITE without a bomb: its transaction and its session."""

    async def ordinary(self, way: str) -> dict[str, object]:
        """The row of an INVITE without a bomb; the others are held against it."""
        row = await self.row(Bomb("none (an ordinary INVITE)", []), way)
        self._ordinary[way] = int(float(str(row["x_memory"])) * int(str(row["bytes"])))
        return row

    async def row(self, bomb: Bomb, way: str, *, body: int = 0) -> dict[str, object]:
        """What one bomb costs, by one way."""
        take: Callable[[Endpoint, bytes, int], Awaitable[int]] = (
            by_datagram if way == "datagram" else by_stream
        )
        best, peak, status, size = float("inf"), 0, 0, 0
        for _ in range(self.rounds):
            data, number = self._next(bomb, body)
            gc.collect()
            began = time.process_time()
            status = await take(self.endpoint, data, number)
            best = min(best, time.process_time() - began)
            size = len(data)
        for _ in range(2):  # the first time pays for tables that stay
            data, number = self._next(bomb, body)
            tracemalloc.start()
            await take(self.endpoint, data, number)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return {
            "bomb": bomb.name,
            "way": way,
            "bytes": size,
            "status": status,
            "ms": best * 1e3,
            "x_memory": (peak - self._ordinary[way]) / size,
        }

    def _next(self, bomb: Bomb, body: int) -> tuple[bytes, int]:
        self._number += 1
        return message(self._number, bomb, body=body), self._number


async def measure(rounds: int) -> list[dict[str, object]]:
    """All rows."""
    bench = Bench(rounds)
    await bench.endpoint.start()
    rows = [await bench.ordinary(way) for way in ("datagram", "stream")]
    for bomb in bombs():
        if len(message(1, bomb)) <= LARGEST_DATAGRAM:
            rows.append(await bench.row(bomb, "datagram"))
        rows.append(await bench.row(bomb, "stream"))
    assert bench.endpoint.counters["crashes"] == 0, bench.endpoint.counters
    await bench.endpoint.stop()
    return rows


def too_dear(rows: list[dict[str, object]]) -> list[str]:
    """The rows beyond the promise."""
    return [
        f"{row['bomb']} ({row['way']})"
        for row in rows[2:]
        if float(str(row["ms"])) > MOST_MS or float(str(row["x_memory"])) > MOST_TIMES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="each bomb a few times, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    parse_datagram(message(0, Bomb("", [])))  # what is imported late is no cost of a bomb
    rows = asyncio.run(measure(2 if arguments.smoke else 10))
    show("Header bombs", rows, json_path=arguments.json)
    if not arguments.smoke and (dear := too_dear(rows)):
        raise SystemExit(f"beyond {MOST_MS:g} ms or {MOST_TIMES:g} x: {', '.join(dear)}")


if __name__ == "__main__":
    main()
