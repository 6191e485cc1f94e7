"""Fail-over between the servers of one name (RFC 3263 §4.3), and what one that was given up may still do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import LoopDetected, ResolveError, TransactionTimeout, TransportError
from sipcc.ids import Ids
from sipcc.sip import Credentials, Endpoint, InviteSession, NameAddr, Request, Response, SipSettings, SipUri
from sipcc.sip.launching import Route
from sipcc.sip.outbound import _over_tcp
from sipcc.sip.resolve import Hop
from sipcc.sip.settings import DnsSettings
from sipcc.sip.transport.base import TransportName
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ALICE, ONE, TWO, THREE = "10.0.0.1", "10.0.1.1", "10.0.1.2", "10.0.1.3"
NOBODY = "10.0.9.9"


class Names:
    """A resolver that knows one name; `later` makes everybody wait for it."""

    def __init__(self, *hosts: str, transport: TransportName = "udp") -> None:
        self.known = [Hop(transport, host, 5060, "carrier.example.com") for host in hosts]
        self.later = 0.0

    def hops_now(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop] | None:
        if host != "carrier.example.com":
            return [Hop(transport or "udp", host, port or 5060, host)]
        return None if self.later or not self.known else list(self.known)

    async def hops(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop]:
        await asyncio.sleep(self.later)
        if not self.known:
            raise ResolveError(f"{host} has no address")
        return list(self.known)


class Caller:
    """Listens to one call."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.at: list[float] = []

    def note(self, *what: object) -> None:
        self.said.append(what)
        self.at.append(asyncio.get_running_loop().time())

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.note("provisional", response.status)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.note("accepted", response.headers.get("Server"))

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.note("rejected", response.status if response is not None else type(session.failure).__name__)

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.note("ended", by)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_args, **_more: None


class World:
    """Alice and three servers of one carrier, each of which does as it is told."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.alice = self.endpoint(ALICE, 1)
        self.names = Names(ONE, TWO)
        self.alice.outbound.launcher.resolver = self.names
        self.servers = {host: self.endpoint(host, seed) for seed, host in enumerate((ONE, TWO, THREE), 2)}
        self.took: dict[str, list[InviteSession]] = {host: [] for host in self.servers}
        self.does: dict[str, Callable[[InviteSession], None]] = {}
        self.at_servers = {host: Caller() for host in self.servers}
        for host, server in self.servers.items():
            server.on_invite = self.taker(host)

    def endpoint(self, host: str, seed: int) -> Endpoint:
        return Endpoint(
            SipSettings(
                listen=(f"udp:{host}:5060", f"tcp:{host}:5060"),
                user_agent=host,
                dns=DnsSettings(servers=("10.9.9.9",)),
            ),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(seed)),
        )

    def taker(self, host: str) -> Callable[[InviteSession], None]:
        def take(session: InviteSession) -> None:
            session.listener = self.at_servers[host]  # type: ignore[assignment]
            self.took[host].append(session)
            self.does.get(host, lambda one: one.accept(OFFER))(session)

        return take

    def call(
        self,
        *,
        patience: float | None = None,
        host: str = "carrier.example.com",
        credentials: Credentials | None = None,
    ) -> tuple[InviteSession, Caller]:
        caller = Caller()
        session = self.alice.invite(
            SipUri.parse(f"sip:4008123456@{host}"),
            from_=NameAddr.parse("<sip:alice@example.com>"),
            body=OFFER,
            listener=caller,  # type: ignore[arg-type]
            patience=patience,
            credentials=credentials,
        )
        return session, caller

    def sent(self, method: str, target: str) -> int:
        return sum(1 for p in self.network.sent(method.encode() + b" ") if p.target.host == target)

    async def assert_nothing_left(self) -> None:
        await asyncio.sleep(200)
        for endpoint in (self.alice, *self.servers.values()):
            assert (len(endpoint.layer), endpoint.sessions) == (0, 0)
            assert endpoint.outbound.deadlines.first is None
            assert endpoint.counters["crashes"] == 0
            assert len(endpoint.scope) == 0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    for endpoint in (world.alice, *world.servers.values()):
        await endpoint.start()
    yield world
    for endpoint in (world.alice, *world.servers.values()):
        await endpoint.stop()


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_silent_server_costs_less_than_a_second_and_a_half(world: World) -> None:
    world.names.known[0] = world.names.known[0]._replace(host=NOBODY)
    began = now()
    session, caller = world.call()
    await asyncio.sleep(2)
    assert caller.said == [("accepted", TWO)]
    assert caller.at[0] - began < 1.5
    assert session.flow.remote.host == TWO
    session.bye()
    await asyncio.sleep(1)
    assert world.sent("INVITE", NOBODY) == 2  # T1 after the first, and then no more
    assert world.sent("BYE", TWO) == 1
    await world.assert_nothing_left()


async def test_503_leads_to_the_next_server_at_once(world: World) -> None:
    world.does[ONE] = lambda session: session.reject(503, headers=(("Retry-After", "120"),))
    session, caller = world.call()
    await asyncio.sleep(0.2)
    assert caller.said == [("accepted", TWO)]
    session.bye()
    # the next call leaves that one alone for as long as it asked
    await asyncio.sleep(100)
    _other, later = world.call()
    await asyncio.sleep(0.2)
    assert later.said == [("accepted", TWO)]
    assert len(world.took[ONE]) == 1
    await asyncio.sleep(30)
    world.does.clear()
    _third, recovered = world.call()
    await asyncio.sleep(0.2)
    assert recovered.said == [("accepted", ONE)]


async def test_a_server_that_failed_is_tried_again_after_its_penalty(world: World) -> None:
    world.network.partition(ALICE, ONE)
    world.call()
    await asyncio.sleep(2)
    world.network.heal()
    _session, second = world.call()
    await asyncio.sleep(0.2)
    assert second.said == [("accepted", TWO)]
    await asyncio.sleep(60)
    _session, third = world.call()
    await asyncio.sleep(0.2)
    assert third.said == [("accepted", ONE)]


async def test_a_refused_connection_leads_to_the_next_server(world: World) -> None:
    world.names.known = [
        Hop("tcp", NOBODY, 5060, "carrier.example.com"),
        Hop("tcp", TWO, 5060, "carrier.example.com"),
    ]
    _session, caller = world.call()
    await asyncio.sleep(2)
    assert caller.said == [("accepted", TWO)]


async def test_a_stream_that_breaks_before_any_answer_leads_to_the_next_server(world: World) -> None:
    world.names.known = [hop._replace(transport="tcp") for hop in world.names.known]
    world.does[ONE] = lambda session: session.flow.close()
    _session, caller = world.call()
    await asyncio.sleep(2)
    assert caller.said[-1] == ("accepted", TWO)


@pytest.mark.parametrize("status", [404, 486, 488, 500, 603])
async def test_what_a_server_says_of_the_call_stands(world: World, status: int) -> None:
    world.does[ONE] = lambda session: session.reject(status)
    _session, caller = world.call()
    await asyncio.sleep(0.2)
    assert caller.said == [("rejected", status)]
    assert world.took[TWO] == []
    await world.assert_nothing_left()


async def test_503_after_ringing_stands(world: World) -> None:
    def ring_and_refuse(session: InviteSession) -> None:
        session.ring()
        session.reject(503)

    world.does[ONE] = ring_and_refuse
    _session, caller = world.call()
    await asyncio.sleep(0.2)
    assert caller.said == [("provisional", 180), ("rejected", 503)]


async def test_the_last_word_is_that_of_the_last_server(world: World) -> None:
    world.does[ONE] = world.does[TWO] = lambda session: session.reject(503)
    _session, caller = world.call()
    await asyncio.sleep(0.2)
    assert caller.said == [("rejected", 503)]
    assert len(world.took[TWO]) == 1
    await world.assert_nothing_left()


async def test_the_last_server_has_until_timer_b(world: World) -> None:
    world.names.known = [Hop("udp", NOBODY, 5060, ""), Hop("udp", "10.0.9.8", 5060, "")]
    began = now()
    _session, caller = world.call()
    await asyncio.sleep(60)
    assert caller.said == [("rejected", "TransactionTimeout")]
    assert 32 < caller.at[0] - began < 34
    await world.assert_nothing_left()


async def test_patience_ends_all_servers_together(world: World) -> None:
    world.names.known = [Hop("udp", NOBODY, 5060, ""), Hop("udp", "10.0.9.8", 5060, "")]
    began = now()
    session, caller = world.call(patience=1.9)
    await asyncio.sleep(5)
    assert caller.said == [("rejected", "TransactionTimeout")]
    assert caller.at[0] - began < 2.0
    assert isinstance(session.failure, TransactionTimeout)
    assert world.sent("INVITE", "10.0.9.8") >= 1
    await world.assert_nothing_left()


async def test_patience_has_no_say_once_somebody_answered(world: World) -> None:
    world.does[ONE] = lambda session: asyncio.get_running_loop().call_later(10, session.accept, OFFER)
    _session, caller = world.call(patience=1.9)
    await asyncio.sleep(15)
    assert caller.said == [("accepted", ONE)]


async def test_a_slow_dns_counts_as_patience(world: World) -> None:
    world.names.later = 30.0
    began = now()
    _session, caller = world.call(patience=1.9)
    await asyncio.sleep(60)
    assert caller.said == [("rejected", "TransportError")]
    assert caller.at[0] - began < 2.0


async def test_a_name_without_address(world: World) -> None:
    world.names.known = []
    _session, caller = world.call()
    await asyncio.sleep(1)
    assert caller.said == [("rejected", "ResolveError")]
    await world.assert_nothing_left()


async def test_our_own_address_is_refused(world: World) -> None:
    for host in (ALICE, f"{ALICE};transport=tcp"):
        session, caller = world.call(host=host)
        await asyncio.sleep(1)
        assert caller.said == [("rejected", "LoopDetected")]
        assert isinstance(session.failure, LoopDetected)
    await world.assert_nothing_left()


# -- the server that was given up lives after all ---------------------------------------------------------


async def given_up(world: World, answer: Callable[[InviteSession], None], delay: float = 1.6) -> Caller:
    """A call whose first server gets the INVITE, but whose answer takes `delay`."""
    world.network.set_link(Link(delay=delay), source=ONE, target=ALICE)
    world.does[ONE] = answer
    _session, caller = world.call()
    await asyncio.sleep(10)
    return caller


async def test_a_late_180_is_cancelled(world: World) -> None:
    caller = await given_up(world, lambda session: session.ring())
    assert caller.said == [("accepted", TWO)]
    assert world.sent("CANCEL", ONE) >= 1
    assert [session.state for session in world.took[ONE]] == ["terminated"]


async def test_a_late_200_is_acknowledged_and_hung_up(world: World) -> None:
    caller = await given_up(world, lambda session: session.accept(OFFER))
    assert caller.said == [("accepted", TWO)]
    assert world.sent("ACK", ONE) >= 1
    assert world.sent("BYE", ONE) >= 1
    assert world.at_servers[ONE].said[-1] == ("ended", "peer")
    assert world.alice.sessions == 1


async def test_a_late_200_after_the_whole_call_failed_is_hung_up_too(world: World) -> None:
    world.names.known = world.names.known[:1]
    world.network.set_link(Link(delay=3.0), source=ONE, target=ALICE)
    _session, caller = world.call(patience=1.9)
    await asyncio.sleep(20)
    assert caller.said == [("rejected", "TransactionTimeout")]
    assert world.at_servers[ONE].said[-1] == ("ended", "peer")
    await world.assert_nothing_left()


async def test_a_late_refusal_is_only_acknowledged(world: World) -> None:
    caller = await given_up(world, lambda session: session.reject(486))
    assert caller.said == [("accepted", TWO)]
    assert world.sent("ACK", ONE) >= 1


async def test_a_ghost_that_never_ends_is_forgotten(world: World) -> None:
    world.network.set_link(Link(delay=1.6), source=ONE, target=ALICE)
    world.does[ONE] = lambda session: None
    _session, _caller = world.call()
    await asyncio.sleep(1.7)
    world.network.partition(ALICE, ONE)
    await asyncio.sleep(5)
    world.took[TWO][0].bye()
    await asyncio.sleep(100)
    assert (len(world.alice.layer), world.alice.sessions) == (0, 0)


# -- cancelled in between ----------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0.0, 0.3, 1.39, 1.41, 2.0])
async def test_cancel_at_any_moment(world: World, after: float) -> None:
    world.names.known[0] = world.names.known[0]._replace(host=NOBODY)
    world.does[TWO] = lambda session: session.ring()
    session, caller = world.call()
    await asyncio.sleep(after)
    session.cancel()
    await asyncio.sleep(60)
    assert caller.said[-1][0] == "rejected"
    assert [name for name, *_ in caller.said].count("rejected") == 1
    assert all(taken.state == "terminated" for taken in world.took[TWO])
    if after < 1.4:
        assert world.took[TWO] == []  # whoever has given up is not sent on to the next server
    await world.assert_nothing_left()


async def test_cancel_while_a_connection_is_made(world: World) -> None:
    world.network.set_link(Link(delay=0.5), source=ALICE, target=ONE)
    world.names.known = [Hop("tcp", ONE, 5060, "")]
    session, caller = world.call()
    session.cancel()
    await asyncio.sleep(5)
    assert caller.said == [("rejected", "NoneType")]
    assert world.took[ONE] == []
    await world.assert_nothing_left()


async def test_requests_other_than_invite_go_on_too(world: World) -> None:
    world.names.known[0] = world.names.known[0]._replace(host=NOBODY)
    began = now()
    answer = await world.alice.request(
        "OPTIONS",
        SipUri.parse("sip:carrier.example.com"),
        from_=NameAddr.parse("<sip:alice@example.com>"),
        to=NameAddr.parse("<sip:carrier.example.com>"),
    )
    assert answer.status == 200
    assert now() - began < 1.5
    world.names.known = [Hop("tcp", NOBODY, 5060, "")]
    with pytest.raises(TransportError):
        await world.alice.request(
            "OPTIONS",
            SipUri.parse("sip:carrier.example.com"),
            from_=NameAddr.parse("<sip:alice@example.com>"),
            to=NameAddr.parse("<sip:carrier.example.com>"),
        )
    await world.assert_nothing_left()


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_the_servers_do_and_when_one_outcome_and_nothing_left(world: World, seed: int) -> None:
    dice = random.Random(seed)
    loop = asyncio.get_running_loop()
    world.names.known = [Hop("udp", host, 5060, "") for host in (ONE, TWO, THREE)]
    for host in world.servers:
        link = Link(delay=dice.choice([0.0, 0.2, 0.8, 1.5]), jitter=dice.random(), loss=0.2, duplicate=0.2)
        world.network.set_link(link, source=host, target=ALICE)
        world.does[host] = behaviour(dice, loop)
    session, caller = world.call(patience=dice.choice([None, 1.9, 3.0]))
    if dice.random() < 0.5:
        loop.call_later(dice.random() * 5, session.cancel)
    await asyncio.sleep(40)
    ends = [what for what, *_ in caller.said if what in ("accepted", "rejected")]
    assert len(ends) == 1
    if session.state == "confirmed":
        session.bye()
    await asyncio.sleep(80)
    for sessions in world.took.values():
        assert all(taken.state == "terminated" for taken in sessions)
    await world.assert_nothing_left()


def behaviour(dice: random.Random, loop: asyncio.AbstractEventLoop) -> Callable[[InviteSession], None]:
    """What one server does with its INVITE, drawn by chance."""
    delay, status = dice.random() * 3, dice.choice([486, 503, 404])
    rings, answers = dice.random() < 0.5, dice.random() < 0.5

    def do(session: InviteSession) -> None:
        if session.state in ("terminated", "accepted", "confirmed"):
            return
        if answers:
            session.accept(OFFER)
        else:
            session.reject(status)

    def begin(session: InviteSession) -> None:
        if rings:
            session.ring()
        loop.call_later(delay, do, session)

    return begin


@pytest.mark.parametrize(
    ("route", "transport"),
    [
        (Route(host="192.0.2.1"), "tcp"),
        (Route(host="192.0.2.1", transport="udp"), "tcp"),
        (Route(host="192.0.2.1", transport="tls"), "tls"),
        (Route(host="192.0.2.1", transport="wss"), "wss"),
        (Route(host="192.0.2.1", sips=True), None),
    ],
)
def test_a_request_too_long_for_udp_never_leaves_tls(route: Route, transport: str | None) -> None:
    assert _over_tcp(route).transport == transport


async def test_a_challenge_and_then_503_leads_to_the_next_server(world: World) -> None:
    """The second server has nonces of its own: its challenge is answered as well."""
    asked: dict[str, int] = {ONE: 0, TWO: 0}

    def challenge(session: InviteSession) -> None:
        host = session.flow.local.host
        asked[host] += 1
        if asked[host] == 1:
            header = f'Digest realm="carrier", nonce="{host}", algorithm=MD5, qop="auth"'
            session.reject(401, headers=(("WWW-Authenticate", header),))
        elif host == ONE:
            session.reject(503)
        else:
            session.accept(OFFER)

    world.does = {ONE: challenge, TWO: challenge}
    session, caller = world.call(credentials=Credentials("4008123456", "a-password"))
    await asyncio.sleep(1)
    assert caller.said == [("accepted", TWO)]
    assert asked == {ONE: 2, TWO: 2}
    session.bye()
    await world.assert_nothing_left()
