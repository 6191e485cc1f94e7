"""How many phones can register: authenticated REGISTERs per second, and the memory of a binding.

In process, each REGISTER takes the whole way of a datagram: guard, parser, transaction, digest (SHA-256, its
nonce count checked), registrar, 200. The floor is a program that only parses the same bytes and writes a 200.
Over loopback a generator on the other core keeps some phones in flight, each going on with its nonce. The
memory is what the resident set of a fresh process has grown by, once the transactions are over.

    python -m benchmarks.register [--smoke] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing as mp
import os
import socket
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from benchmarks._report import cpu_seconds, pin, show
from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Admission,
    Endpoint,
    Registrar,
    SipSettings,
    TrunkTable,
    UserSettings,
    parse_datagram,
    response,
)
from sipcc.sip.auth import digest, make_ha1, parse_auth
from sipcc.sip.guard import Guard
from sipcc.sip.incoming import InboundRequest
from sipcc.sip.message import Request
from sipcc.sip.settings import GuardSettings
from sipcc.sip.transport.base import Address, TransportName

DOMAIN = "pbx.example.com"
PASSWORD = "a-password-of-some-length"
URI = f"sip:{DOMAIN}"
HA2 = {name: digest(name, f"REGISTER:{URI}") for name in ("SHA-256", "MD5")}
SERVER_CORE, LOAD_CORE = 0, 1
_processes = mp.get_context("spawn")


class StillClock:
    """A clock that the benchmark moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        """The time it was set to."""
        return self.at

    def wall_of(self, at: float) -> float:
        """The same, as wall time."""
        return at


class SilentFlow:
    """A flow whose answers go nowhere but into a count."""

    transport: TransportName = "udp"
    local = Address("127.0.0.1", 5060)
    reliable = False
    closed = False
    peer_names: frozenset[str] = frozenset()

    __slots__ = ("good", "remote")

    def __init__(self, host: str, port: int) -> None:
        self.remote = Address(host, port)
        self.good = 0

    def send(self, data: bytes) -> None:
        """Count a 200."""
        self.good += data.startswith(b"SIP/2.0 200")

    def close(self) -> None:
        """Nothing to close."""


class Server:
    """An endpoint that registers phones and does nothing else."""

    def __init__(self, phones: int, *, clock: StillClock | LoopClock, algorithm: str = "SHA-256") -> None:
        settings = SipSettings(
            listen=("udp:127.0.0.1:0",), digest=(algorithm,), guard=GuardSettings(agent_rate=1e9)
        )
        self.endpoint = Endpoint(settings, clock=clock, ids=Ids())
        self.registrar = Registrar(settings, secret=os.urandom(32))
        guard = Guard(settings.guard)
        guard.is_bound = self.registrar.knows
        self.admission = Admission(
            trunks=TrunkTable([]),
            users=[UserSettings(name=f"u{i}", password=PASSWORD) for i in range(phones)],
            realm=DOMAIN,
            secret=os.urandom(32),
            algorithms=settings.digest,
            guard=guard,
            is_bound=self.registrar.is_bound,
        )
        self.endpoint.guard = guard
        self.endpoint.admit = lambda request, flow: self.admission.check(request, flow, now=clock.now())
        self.endpoint.on_request["REGISTER"] = self._on_register
        self._clock = clock

    def _on_register(self, inbound: InboundRequest) -> None:
        user = inbound.admitted.user  # type: ignore[union-attr]
        answer = self.registrar.receive(
            inbound.request, user, flow=inbound.flow, received=inbound.flow.remote, now=self._clock.now()
        )
        inbound.respond(answer)
        self.registrar.events()


def register(phone: int, number: int, host: str, port: int, authorization: str = "") -> bytes:
    """What a desk phone sends."""
    return (
        f"REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{phone}x{number};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:u{phone}@{DOMAIN}>;tag=t{phone}\r\nTo: <sip:u{phone}@{DOMAIN}>\r\n"
        f"Call-ID: 0a1b2c3d4e5f-{phone}@{host}\r\nCSeq: {number} REGISTER\r\n"
        f"Contact: <sip:u{phone}@{host}:{port}>;"
        f'+sip.instance="<urn:uuid:00000000-0000-1000-8000-{phone:012x}>"\r\n'
        f"Expires: 600\r\nUser-Agent: Desk Phone 66.86.0.15\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n"
        f"{authorization}Content-Length: 0\r\n\r\n"
    ).encode()


def proof(phone: int, ha1: str, nonce: str, count: int, algorithm: str = "SHA-256") -> str:
    """The Authorization line of a phone."""
    answer = digest(algorithm, f"{ha1}:{nonce}:{count:08x}:c0:auth:{HA2[algorithm]}")
    return (
        f'Authorization: Digest username="u{phone}", realm="{DOMAIN}", nonce="{nonce}", uri="{URI}", '
        f'response="{answer}", algorithm={algorithm}, qop=auth, nc={count:08x}, cnonce="c0"\r\n'
    )


def in_process(algorithm: str, *, phones: int, rounds: int) -> tuple[float, float]:
    """CPU seconds for one REGISTER: (with a nonce it has, with the challenge before it)."""

    async def run() -> tuple[float, float]:
        clock = StillClock()
        server = Server(phones, clock=clock, algorithm=algorithm)
        await server.endpoint.start()
        take = server.endpoint.inbound.datagram_received
        flows = [SilentFlow(f"127.{i >> 14}.{(i >> 7) & 127}.{i & 127}", 5060) for i in range(phones)]
        ha1s = [make_ha1(f"u{i}", DOMAIN, PASSWORD, algorithm) for i in range(phones)]
        best = [9e9, 9e9]
        for number in range(rounds):
            clock.at += 40.0  # the transactions of the last round are over
            server.endpoint.expire(now=clock.at)
            data = []
            for phone, flow in enumerate(flows):
                [challenge] = server.admission.digest.challenge(source=flow.remote.host, now=clock.at)
                nonce = parse_auth(challenge)[1]["nonce"]
                line = proof(phone, ha1s[phone], nonce, 1, algorithm)
                host, port = flow.remote
                data.append(
                    (
                        register(phone, 2 * number + 1, host, port),
                        register(phone, 2 * number + 2, host, port, line),
                        flow,
                    )
                )
            before = sum(flow.good for flow in flows)
            gc.collect()
            began = time.process_time()
            for first, _second, flow in data:
                take(first, flow)
            challenged = time.process_time()
            for _first, second, flow in data:
                take(second, flow)
            ended = time.process_time()
            good = sum(flow.good for flow in flows) - before
            if good != phones:
                raise RuntimeError(f"{phones - good} of {phones} were refused: {server.endpoint.counters}")
            best = [min(best[0], ended - challenged), min(best[1], ended - began)]
        await server.endpoint.stop()
        return best[0] / phones, best[1] / phones

    return uvloop.run(run())


def floor(rounds: int) -> float:
    """CPU seconds to parse one such REGISTER and to write a 200 to it."""
    data = register(1, 1, "127.0.0.1", 5060, proof(1, "0" * 64, "n" * 20, 1))
    best = 9e9
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(1000):
            request = parse_datagram(data)
            assert isinstance(request, Request)
            bytes(response(request, 200, to_tag="t"))
        best = min(best, (time.process_time() - began) / 1000)
    return best


def resident_bytes() -> int:
    """The resident set of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def memory(pipe: Connection, phones: int) -> None:
    """In a process of its own: the resident set before and with all bindings."""

    async def run() -> None:
        clock = StillClock()
        server = Server(phones, clock=clock)
        await server.endpoint.start()
        gc.collect()
        before = resident_bytes()
        ha1 = {}
        for phone in range(phones):
            flow = SilentFlow(f"127.{phone >> 14}.{(phone >> 7) & 127}.{phone & 127}", 5060)
            [challenge] = server.admission.digest.challenge(source=flow.remote.host, now=clock.at)
            ha1 = make_ha1(f"u{phone}", DOMAIN, PASSWORD, "SHA-256")
            line = proof(phone, ha1, parse_auth(challenge)[1]["nonce"], 1)
            server.endpoint.inbound.datagram_received(register(phone, 1, *flow.remote, line), flow)
            if phone % 333 == 332:  # as many a second as 100,000 phones that refresh in 5 minutes send
                clock.at += 1.0
                server.endpoint.expire(now=clock.at)
        clock.at += 40.0
        server.endpoint.expire(now=clock.at)
        gc.collect()
        pipe.send(
            (
                before,
                resident_bytes(),
                sum(1 for i in range(phones) if server.registrar.bindings(f"u{i}", now=clock.at)),
            )
        )
        await server.endpoint.stop()

    uvloop.run(run())


def serve(pipe: Connection, phones: int) -> None:
    """In a process of its own: the server on a real socket."""

    async def run() -> None:
        server = Server(phones, clock=LoopClock())
        await server.endpoint.start()
        pipe.send(server.endpoint.listeners[0].local.port)
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        await server.endpoint.stop()

    uvloop.run(run())


def over_loopback(*, phones: int, seconds: float, in_flight: int = 32) -> tuple[float, float, int]:
    """(200s per second, CPU seconds of the server for each, answers that were no 200) over real UDP."""
    pipe, theirs = _processes.Pipe()
    process = _processes.Process(target=serve, args=(theirs, phones), daemon=True)
    process.start()
    port: int = pipe.recv()
    assert process.pid is not None
    pin(process.pid, SERVER_CORE)
    pin(os.getpid(), LOAD_CORE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(2.0)
        ours = sock.getsockname()[1]
        messages = _authenticated(sock, phones, ours)
        for _ in range(in_flight):
            sock.send(next(messages))
        cpu, began = cpu_seconds(process.pid), time.perf_counter()
        good = other = 0
        while (now := time.perf_counter()) - began < seconds:
            data = sock.recv(4096)
            if data.startswith(b"SIP/2.0 200"):
                good += 1
            else:
                other += 1
            sock.send(next(messages))
        cpu = cpu_seconds(process.pid) - cpu
    pipe.send("stop")
    process.join(5)
    return good / (now - began), cpu / max(1, good), other


def _authenticated(sock: socket.socket, phones: int, port: int) -> Iterator[bytes]:
    """REGISTERs of all phones in turn, each with its next nonce count; a nonce is asked for once a while."""
    ha1s = [make_ha1(f"u{i}", DOMAIN, PASSWORD, "SHA-256") for i in range(phones)]
    nonces = []
    for phone in range(phones):
        sock.send(register(phone, 1, "127.0.0.1", port))
        answer = parse_datagram(sock.recv(4096))
        nonces.append(parse_auth(answer.headers.get("WWW-Authenticate") or "")[1]["nonce"])
    count = 0
    while True:
        count += 1
        for phone in range(phones):
            line = proof(phone, ha1s[phone], nonces[phone], count)
            yield register(phone, count + 1, "127.0.0.1", port, line)


def in_a_process(target: Callable[..., None], *args: object) -> tuple[int, int, int]:
    """What `target` says in a process of its own."""
    pipe, theirs = _processes.Pipe()
    process = _processes.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    found: tuple[int, int, int] = pipe.recv()
    process.join(10)
    return found


def measure(*, smoke: bool) -> list[dict[str, object]]:
    """All rows."""
    phones, rounds = (200, 2) if smoke else (2000, 8)
    bindings, seconds = (2000, 1.0) if smoke else (100_000, 8.0)
    least = floor(3 if smoke else 20)
    rows: list[dict[str, object]] = [
        {"what": "parse and write a 200 (floor)", "us": least * 1e6, "per_s": 1 / least, "of_floor": 1.0}
    ]
    for algorithm in ("SHA-256", "MD5"):
        known, both = in_process(algorithm, phones=phones, rounds=rounds)
        for what, cost in ((f"{algorithm}, nonce at hand", known), (f"{algorithm}, challenged first", both)):
            rows.append({"what": what, "us": cost * 1e6, "per_s": 1 / cost, "of_floor": cost / least})
    rate, cpu, other = over_loopback(phones=50 if smoke else 500, seconds=seconds)
    rows.append(
        {
            "what": "over loopback UDP",
            "us": cpu * 1e6,
            "per_s": rate,
            "of_floor": cpu / least,
            "refused": other,
        }
    )
    before, after, bound = in_a_process(memory, bindings)
    rows.append(
        {
            "what": f"memory of {bound} bindings",
            "bytes_each": (after - before) / max(1, bound),
            "resident_mb": after / 2**20,
        }
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a run of a few seconds, for a smoke test")
    parser.add_argument("--json", metavar="FILE", help="also write the JSON here")
    arguments = parser.parse_args()
    show("Authenticated REGISTERs", measure(smoke=arguments.smoke), json_path=arguments.json)


if __name__ == "__main__":
    main()
