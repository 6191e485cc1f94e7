"""Is any phone refused that has the right password? A million registrations, each with a proof.

Hundreds of phones go on with the nonce that they have, through minutes of virtual time. What they send
in one burst overtakes itself, so that nonce counts come out of order, and some datagrams come twice. A
nonce that is too old earns a new one (``stale=true``), and the answer to that must be a 200. Everything
else that is no 200 is a false refusal. The floor is the way of one REGISTER in `benchmarks.register`.

    python -m benchmarks.reauth [--count 1000000] [--smoke] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from typing import Any

from benchmarks._report import show
from benchmarks.register import DOMAIN, PASSWORD, Server, SilentFlow, StillClock, proof, register
from sipcc.sip.auth import make_ha1, parse_auth
from sipcc.sip.parser import parse_datagram

PHONES = 500
COPIES = 0.02
"""The part of the datagrams that the network doubles."""


class LastFlow(SilentFlow):
    """A flow that keeps the last answer."""

    __slots__ = ("last",)

    def send(self, data: bytes) -> None:
        """Take an answer."""
        self.last = data


class Phone:
    """One user, his nonce and his counters."""

    def __init__(self, number: int, server: Server, dice: random.Random) -> None:
        self.number = number
        self.flow = LastFlow(f"127.0.{number >> 7}.{number & 127}", 5060)
        self.proofs = self.stale = self.refused = self.copies = 0
        self._take = server.endpoint.inbound.datagram_received
        self._dice = dice
        self._ha1 = make_ha1(f"u{number}", DOMAIN, PASSWORD, "SHA-256")
        self._nonce = ""
        self._count = 0
        self._cseq = 0

    def burst(self) -> None:
        """One registration, or a few at once whose nonce counts are out of order."""
        if not self._nonce:
            self._send("")
            self._renew()
        size = 1 if self._dice.random() < 0.8 else self._dice.randrange(2, 9)
        counts = list(range(self._count + 1, self._count + 1 + size))
        self._count += size
        self._dice.shuffle(counts)
        for count in counts:
            if self._prove(count):
                continue
            if b"stale=true" not in self.flow.last:
                self.refused += 1
            else:
                self.stale += 1
                self._renew()
                self._count = 1
                self.refused += not self._prove(1)
            return

    def _prove(self, count: int) -> bool:
        self.proofs += 1
        return self._send(proof(self.number, self._ha1, self._nonce, count))

    def _send(self, line: str) -> bool:
        self._cseq += 1
        data = register(self.number, self._cseq, *self.flow.remote, line)
        self._take(data, self.flow)
        good = self.flow.last.startswith(b"SIP/2.0 200")
        if good and self._dice.random() < COPIES:
            self.copies += 1
            self._take(data, self.flow)
            good = self.flow.last.startswith(b"SIP/2.0 200")
        return good

    def _renew(self) -> None:
        challenge = parse_datagram(self.flow.last).headers.get("WWW-Authenticate") or ""
        self._nonce = parse_auth(challenge)[1]["nonce"]
        self._count = 0


async def measure(count: int, seed: int) -> dict[str, Any]:
    """The one row."""
    clock, dice = StillClock(), random.Random(seed)
    server = Server(PHONES, clock=clock)
    await server.endpoint.start()
    phones = [Phone(number, server, dice) for number in range(PHONES)]
    began = time.process_time()
    while sum(phone.proofs for phone in phones) < count:
        clock.at += dice.uniform(5.0, 25.0)
        server.endpoint.expire(now=clock.at)
        for phone in phones:
            phone.burst()
    total = {
        name: sum(getattr(phone, name) for phone in phones)
        for name in ("proofs", "stale", "copies", "refused")
    }
    assert server.endpoint.counters["crashes"] == 0
    await server.endpoint.stop()
    return {**total, "us_each": (time.process_time() - began) / total["proofs"] * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="ten thousand, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    row = asyncio.run(measure(10_000 if arguments.smoke else arguments.count, arguments.seed))
    show("Registrations with a proof", [row], json_path=arguments.json)
    if row["refused"]:
        raise SystemExit("false refusals")


if __name__ == "__main__":
    main()
