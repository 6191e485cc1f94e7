"""What do calls cost that are begun and left: without an ACK, cancelled, or sent a thousand times?

A peer on a network in memory sends INVITEs, and CANCELs, and nothing else; time is virtual. Memory is what
Python holds for each call once all of them have begun, per INVITE; the floor is what the bytes of one
INVITE take. `left` counts transactions and sessions once the timers of RFC 3261 have ended them, 64*T1
for the ACK and as much again for the answer to our BYE: it must be 0.

    python -m benchmarks.halfopen [--calls 10000] [--smoke] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable

from benchmarks._report import show
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, SipSettings
from sipcc.sip.transport.base import Address
from sipcc.testing.loop import run_virtual
from sipcc.testing.network import MemoryNetwork

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.66\r\ns=-\r\nc=IN IP4 127.0.0.66\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
SERVER, PEER = Address("127.0.0.1", 5060), Address("127.0.0.66", 5060)
BURST = 100
"""INVITEs that come in the same moment; the next ones a millisecond later."""
PATIENCE = 64 * 0.5 * 2 + 10
"""Seconds after which nothing may be left."""


def request(method: str, number: int, body: bytes = b"") -> bytes:
    """An INVITE, or the CANCEL of it."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{method} sip:4008123456@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.66:5060;branch=z9hG4bK{number};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:13800138000@127.0.0.66>;tag=f{number}\r\nTo: <sip:4008123456@127.0.0.1>\r\n"
        f"Call-ID: half-{number}@127.0.0.66\r\nCSeq: 1 {method}\r\nContact: <sip:a@127.0.0.66:5060>\r\n"
        f"{kind}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Bench:
    """One endpoint, and the peer who leaves his calls."""

    def __init__(self, treat: Callable[[InviteSession], None]) -> None:
        self.network = MemoryNetwork()
        self.endpoint = Endpoint(
            SipSettings(listen=("udp:127.0.0.1:5060",)),
            network=self.network.host(SERVER.host),
            clock=LoopClock(),
            ids=Ids(),
        )
        self.invited = 0

        def invited(session: InviteSession) -> None:
            self.invited += 1
            treat(session)

        self.endpoint.on_invite = invited

    async def call(self, numbers: range, *, cancelled: bool) -> None:
        """One INVITE for each number, and its CANCEL at once if wished."""
        for number in numbers:
            self.network.send_datagram(PEER, SERVER, request("INVITE", number, SDP))
            if cancelled:
                self.network.send_datagram(PEER, SERVER, request("CANCEL", number))
            if number % BURST == 0:
                await asyncio.sleep(0.001)
                self.network.captured.clear()
        await asyncio.sleep(0.01)
        self.network.captured.clear()


async def half_open(
    what: str, treat: Callable[[InviteSession], None], calls: int, *, cancelled: bool = False, copies: int = 1
) -> dict[str, object]:
    """One row."""
    bench = Bench(treat)
    await bench.endpoint.start()
    await bench.call(range(1, 201), cancelled=cancelled)  # what is made once is made
    wanted = [number for number in range(1000, 1000 + calls) for _ in range(copies)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for at in range(0, len(wanted), calls):
        first = wanted[at]
        await bench.call(range(first, first + calls if copies == 1 else first + 1), cancelled=cancelled)
    gc.collect()
    held = (tracemalloc.get_traced_memory()[0] - before) / calls
    tracemalloc.stop()
    began = time.process_time()
    last = wanted[-1] + 1
    await bench.call(range(last, last + calls), cancelled=cancelled)  # without the weight of tracemalloc
    cpu = (time.process_time() - began) / calls
    sessions = bench.invited
    await asyncio.sleep(PATIENCE)
    left = len(bench.endpoint.layer) + bench.endpoint.sessions
    crashes = bench.endpoint.counters["crashes"] + bench.endpoint.counters["handler_crashes"]
    await bench.endpoint.stop()
    return {
        "calls": what, "invites": calls * copies, "told": sessions - 200 - calls, "bytes_each": held,
        "us_each": cpu * 1e6, "left": left, "crashes": crashes,
    }  # fmt: skip


def answer(session: InviteSession) -> None:
    """Answer at once."""
    session.accept(SDP)


def refuse(session: InviteSession) -> None:
    """Refuse at once."""
    session.reject(486)


def ring(session: InviteSession) -> None:
    """Ring for good."""
    session.ring()


def measure(calls: int) -> list[dict[str, object]]:
    """All rows."""
    data = request("INVITE", 1000, SDP)
    rows: list[dict[str, object]] = [
        {"calls": "the bytes of one (floor)", "bytes_each": float(sys.getsizeof(data))}
    ]
    rows.append(run_virtual(half_open("answered, no ACK", answer, calls)))
    rows.append(run_virtual(half_open("refused, no ACK", refuse, calls)))
    rows.append(run_virtual(half_open("cancelled at once", ring, calls, cancelled=True)))
    rows.append(run_virtual(half_open("1,000 copies of one branch", answer, 1, copies=1000)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--smoke", action="store_true", help="three hundred calls, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    rows = measure(300 if arguments.smoke else arguments.calls)
    show("Half-open calls", rows, json_path=arguments.json)
    if any(row.get("left") or row.get("crashes") for row in rows):
        raise SystemExit("something is left behind")


if __name__ == "__main__":
    main()
