"""The resolver against name servers on loopback: good ones, dead ones, and ones that lie (C28)."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable

import dns.message
import dns.rcode
import dns.rrset
import pytest

from sipcc.clock import LoopClock
from sipcc.errors import ConfigError, ResolveError
from sipcc.sip.dns import DnsResolver, parse_server
from sipcc.sip.settings import DnsSettings

pytestmark = pytest.mark.realtime

Zone = dict[tuple[str, str], tuple[int, list[str]]]

ZONE: Zone = {
    ("example.com", "NAPTR"): (300, ['10 10 "s" "SIP+D2T" "" _sip._tcp.example.com.']),
    ("_sip._tcp.example.com", "SRV"): (300, ["1 5 5070 a.example.com.", "2 5 5071 b.example.com."]),
    ("a.example.com", "A"): (300, ["192.0.2.1"]),
    ("b.example.com", "A"): (300, ["192.0.2.2", "0.0.0.0", "224.0.0.1"]),
    ("b.example.com", "AAAA"): (300, ["2001:db8::2"]),
    ("short.example.com", "A"): (1, ["192.0.2.7"]),
}


class FakeServer(asyncio.DatagramProtocol):
    """A name server whose answers a test writes."""

    def __init__(self) -> None:
        self.zone: Zone = dict(ZONE)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.lie: Callable[[bytes], bytes | None] | None = None
        """Replaces every answer; None sends nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        self.port: int = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        answer = dns.message.make_response(query)
        if (name, kind) in self.zone:
            ttl, texts = self.zone[name, kind]
            answer.answer.append(dns.rrset.from_text(question.name, ttl, "IN", kind, *texts))
        elif not any(known == name for known, _kind in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
            soa = "ns.example.com. host.example.com. 1 2 3 4 30"
            answer.authority.append(dns.rrset.from_text("example.com.", 600, "IN", "SOA", soa))
        wire = answer.to_wire()
        if self.lie is not None:
            lied = self.lie(wire)
            if lied is None:
                return
            wire = lied
        self.transport.sendto(wire, addr)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(FakeServer, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


class StepClock(LoopClock):
    """The loop's clock, which a test can put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def resolver(*servers: FakeServer, timeout: float = 2.0, **more: float) -> tuple[DnsResolver, StepClock]:
    clock = StepClock(wall=0.0)
    settings = DnsSettings(
        servers=tuple(f"127.0.0.1:{one.port}" for one in servers),
        timeout=timeout,
        **more,  # type: ignore[arg-type]
    )
    return DnsResolver(settings, clock=clock, chance=lambda: 0.0), clock


def way(hops: list[object]) -> list[tuple[object, ...]]:
    return [tuple(hop)[:3] for hop in hops]  # type: ignore[arg-type]


HOPS = [("tcp", "192.0.2.1", 5070), ("tcp", "192.0.2.2", 5071), ("tcp", "2001:db8::2", 5071)]


async def test_naptr_srv_and_addresses(server: FakeServer) -> None:
    found, _clock = resolver(server)
    assert found.hops_now("example.com", None, None) is None
    assert way(await found.hops("example.com", None, None)) == HOPS  # type: ignore[arg-type]
    assert all(hop.name == "example.com" for hop in await found.hops("example.com", None, None))


async def test_what_is_remembered_needs_no_question(server: FakeServer) -> None:
    found, _clock = resolver(server)
    await found.hops("example.com", None, None)
    asked = server.asked.total()
    now = found.hops_now("example.com", None, None)
    assert now is not None
    assert way(now) == HOPS  # type: ignore[arg-type]
    await found.hops("EXAMPLE.com.", None, None)
    assert server.asked.total() == asked


async def test_an_answer_that_has_run_out_is_asked_for_again(server: FakeServer) -> None:
    found, clock = resolver(server)
    await found.hops("short.example.com", 5060, None)
    clock.ahead = 0.5
    assert found.hops_now("short.example.com", 5060, None) is not None
    clock.ahead = 2.0
    assert found.hops_now("short.example.com", 5060, None) is None
    server.zone["short.example.com", "A"] = (1, ["192.0.2.8"])
    assert [hop.host for hop in await found.hops("short.example.com", 5060, None)] == ["192.0.2.8"]


async def test_many_who_wait_ask_once(server: FakeServer) -> None:
    found, _clock = resolver(server)
    await asyncio.gather(*(found.hops("a.example.com", 5060, None) for _ in range(50)))
    assert server.asked["a.example.com", "A"] == 1


async def test_a_name_that_does_not_exist_is_remembered_as_long_as_its_zone_says(server: FakeServer) -> None:
    found, clock = resolver(server)
    for _ in range(3):
        with pytest.raises(ResolveError):
            await found.hops("gone.example.com", 5060, None)
    assert server.asked["gone.example.com", "A"] == 1
    clock.ahead = 31.0
    with pytest.raises(ResolveError):
        await found.hops("gone.example.com", 5060, None)
    assert server.asked["gone.example.com", "A"] == 2


async def test_when_the_name_server_is_dead_an_old_answer_serves(server: FakeServer) -> None:
    found, clock = resolver(server, timeout=0.3)
    await found.hops("short.example.com", 5060, None)
    server.lie = lambda wire: None
    clock.ahead = 3600.0
    assert [hop.host for hop in await found.hops("short.example.com", 5060, None)] == ["192.0.2.7"]
    assert found.hops_now("short.example.com", 5060, None) is not None  # and for a while nobody waits
    server.lie = None
    server.zone["short.example.com", "A"] = (1, ["192.0.2.9"])
    clock.ahead += 31.0
    assert [hop.host for hop in await found.hops("short.example.com", 5060, None)] == ["192.0.2.9"]


async def test_a_dead_server_is_passed_over(server: FakeServer) -> None:
    loop = asyncio.get_running_loop()
    transport, dead = await loop.create_datagram_endpoint(FakeServer, local_addr=("127.0.0.1", 0))
    dead.lie = lambda wire: None
    found, _clock = resolver(dead, server, timeout=1.0)
    assert [hop.host for hop in await found.hops("a.example.com", 5060, None)] == ["192.0.2.1"]
    transport.close()


def with_header(wire: bytes, *, answers: int) -> bytes:
    """`wire` with another number of answers."""
    return wire[:6] + struct.pack("!H", answers) + wire[8:]


def name_loop(wire: bytes) -> bytes:
    """An answer whose name points to itself."""
    end = len(wire)
    return with_header(wire, answers=1) + struct.pack("!H", 0xC000 | end) + b"\0\1\0\1\0\0\1\0\0\4\1\2\3\4"


def names_in_a_ring(wire: bytes) -> bytes:
    """An answer whose name points to a second one that points back."""
    end = len(wire)
    first, second = struct.pack("!H", 0xC000 | (end + 2)), struct.pack("!H", 0xC000 | end)
    return with_header(wire, answers=1) + first + second + b"\0\1\0\1\0\0\1\0\0\4\1\2\3\4"


LIES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda wire: b"",
    "two bytes": lambda wire: wire[:2],
    "header only": lambda wire: wire[:12],
    "cut in the middle": lambda wire: wire[: len(wire) - 3],
    "ten thousand answers": lambda wire: with_header(wire, answers=10_000),
    "a length past the end": lambda wire: (
        with_header(wire, answers=1) + b"\xc0\x0c\0\1\0\1\0\0\1\0\xff\xff\1\2\3\4"
    ),
    "a length of three for an address": lambda wire: (
        with_header(wire, answers=1) + b"\xc0\x0c\0\1\0\1\0\0\1\0\0\3\1\2\3"
    ),
    "a name that points to itself": name_loop,
    "names in a ring": names_in_a_ring,
    "a label past the end": lambda wire: with_header(wire, answers=1) + b"\x3fabc",
    "a pointer past the end": lambda wire: with_header(wire, answers=1) + b"\xff\xff\0\1\0\1\0\0\1\0\0\4aaaa",
    "noise": lambda wire: wire[:2] + bytes(range(256)),
    "64 KB of noise behind": lambda wire: wire + b"\xff" * 8000,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_c28_a_server_that_lies_is_passed_over(
    server: FakeServer, lie: Callable[[bytes], bytes]
) -> None:
    loop = asyncio.get_running_loop()
    transport, liar = await loop.create_datagram_endpoint(FakeServer, local_addr=("127.0.0.1", 0))
    liar.zone = {("a.example.com", "X"): (1, [])}
    liar.lie = lie
    found, _clock = resolver(liar, timeout=0.3)
    with pytest.raises(ResolveError):
        await asyncio.wait_for(found.hops("a.example.com", 5060, None), 5.0)
    found, _clock = resolver(liar, server, timeout=0.5)
    assert [hop.host for hop in await found.hops("a.example.com", 5060, None)] == ["192.0.2.1"]
    transport.close()


async def test_cnames_in_a_ring_end(server: FakeServer) -> None:
    server.zone["x.example.com", "A"] = (60, [])

    def ring(wire: bytes) -> bytes:
        answer = dns.message.make_response(dns.message.from_wire(wire[:2] + b"\1\0" + wire[4:]))
        name = answer.question[0].name
        answer.answer = [
            dns.rrset.from_text(name, 60, "IN", "CNAME", "y.example.com."),
            dns.rrset.from_text("y.example.com.", 60, "IN", "CNAME", name.to_text()),
        ]
        return answer.to_wire()

    server.lie = ring
    found, _clock = resolver(server, timeout=0.3)
    with pytest.raises(ResolveError):
        await asyncio.wait_for(found.hops("x.example.com", 5060, None), 5.0)


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", ".".join(["abc"] * 80), "a..b", "-", "."])
async def test_names_that_cannot_be_asked_for(server: FakeServer, host: str) -> None:
    found, _clock = resolver(server, timeout=0.5)
    with pytest.raises(ResolveError):
        await found.hops(host, 5060, None)


async def test_a_plain_name_comes_from_this_machine() -> None:
    found, _clock = resolver()
    assert "127.0.0.1" in [hop.host for hop in await found.hops("localhost", 5060, None)]


async def test_an_address_needs_no_question() -> None:
    found, _clock = resolver()
    assert found.hops_now("192.0.2.1", None, None) is not None
    assert found.asked == 0


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)), ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)), ("[2001:db8::53]:54", ("2001:db8::53", 54)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
    ],
)  # fmt: skip
def test_parse_server(text: str, server: tuple[str, int]) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text", ["", "ns.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:5_3", "[::1]x", "1.2.3.4:99999"]
)
def test_parse_server_refuses(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_server(text)


@pytest.mark.parametrize(
    "host", ["a" * 64, "a" * 64 + ".example.com", "a..example.com", "", "-", "\udc80", "a b"]
)
async def test_what_is_no_name_leads_nowhere(server: FakeServer, host: str) -> None:
    found, _clock = resolver(server)
    with pytest.raises(ResolveError):
        await found.hops(host, 5060, None)
