from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import ConnectError, TransactionTimeout
from sipcc.ids import Ids
from sipcc.sip import (
    Address,
    Admitted,
    Endpoint,
    Flow,
    InboundRequest,
    InviteSession,
    NameAddr,
    Refused,
    Request,
    Response,
    SessionEvents,
    SessionState,
    SipSettings,
    SipUri,
)
from sipcc.sip import response as build_response
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = OFFER.replace(b"4000", b"5000")


class Log(SessionEvents):
    """A listener that writes down what it is told, and can act on it."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.sessions: list[InviteSession] = []
        self.answer_offers: bytes | int | None = ANSWER

    def names(self) -> list[str]:
        return [str(item[0]) for item in self.said]

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.said.append(("provisional", response.status))

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.said.append(("accepted", response.body))

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("rejected", response and response.status))

    def on_cancelled(self, session: InviteSession) -> None:
        self.said.append(("cancelled",))

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        self.said.append(("acknowledged", body))

    def on_offer(self, session: InviteSession, request: Request) -> None:
        self.said.append(("offer", request.method, request.body))
        if isinstance(self.answer_offers, bytes):
            session.answer_offer(self.answer_offers)
        elif self.answer_offers is not None:
            session.refuse_offer(self.answer_offers)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("reinvite", response and response.status))

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.said.append(("ended", by))

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        self.said.append((inbound.request.method.lower(), inbound.request.body))
        super().on_request(session, inbound)


class Pair:
    """Alice calls Bob over a network in memory."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        loop = asyncio.get_running_loop()
        self.alice = self.endpoint("10.0.0.1", 1)
        self.bob = self.endpoint("10.0.0.2", 2)
        self.at_alice, self.at_bob = Log(), Log()
        self.clock = LoopClock(loop, wall=0.0)
        self.bob.on_invite = self.on_invite
        self.incoming: list[InviteSession] = []

    def endpoint(self, host: str, seed: int) -> Endpoint:
        return Endpoint(
            SipSettings(listen=(f"udp:{host}:5060", f"tcp:{host}:5060")),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(seed)),
        )

    def on_invite(self, session: InviteSession) -> None:
        session.listener = self.at_bob
        self.incoming.append(session)

    def call(self, transport: str = "udp", body: bytes = OFFER) -> InviteSession:
        return self.alice.invite(
            SipUri.parse(f"sip:bob@10.0.0.2;transport={transport}"),
            from_=NameAddr.parse("<sip:alice@example.com>"),
            body=body,
            listener=self.at_alice,
        )

    async def settle(self, seconds: float = 0.1) -> None:
        await asyncio.sleep(seconds)

    async def talk(self, transport: str = "udp") -> tuple[InviteSession, InviteSession]:
        out = self.call(transport)
        await self.settle()
        self.incoming[-1].ring()
        self.incoming[-1].accept(ANSWER)
        await self.settle()
        return out, self.incoming[-1]

    def lines(self, prefix: bytes = b"") -> list[str]:
        return [p.data.split(b"\r\n")[0].decode() for p in self.network.sent(prefix)]

    async def assert_nothing_left(self) -> None:
        await self.settle(100)
        for endpoint in (self.alice, self.bob):
            assert (len(endpoint.layer), endpoint.sessions) == (0, 0)
            assert endpoint.counters["crashes"] == 0


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.alice.start()
    await pair.bob.start()
    yield pair
    await pair.alice.stop()
    await pair.bob.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_whole_call(pair: Pair, transport: str) -> None:
    out, _incoming = await pair.talk(transport)
    assert pair.at_alice.said == [("provisional", 180), ("accepted", ANSWER)]
    assert pair.at_bob.said == [("acknowledged", b"")]
    assert out.flow.transport == transport
    out.bye()
    await pair.settle()
    assert pair.at_alice.said[-1] == ("ended", "us")
    assert pair.at_bob.said[-1] == ("ended", "peer")
    methods = [line.split(" ")[0] for line in pair.lines() if not line.startswith("SIP")]
    assert methods == ["INVITE", "ACK", "BYE"]
    await pair.assert_nothing_left()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_called_side_hangs_up(pair: Pair, transport: str) -> None:
    _out, incoming = await pair.talk(transport)
    incoming.bye()
    await pair.settle()
    assert pair.at_alice.said[-1] == ("ended", "peer")
    assert pair.at_bob.said[-1] == ("ended", "us")
    await pair.assert_nothing_left()


async def test_refusal(pair: Pair) -> None:
    pair.call()
    await pair.settle()
    pair.incoming[0].reject(486)
    await pair.settle()
    assert pair.at_alice.said == [("rejected", 486)]
    await pair.assert_nothing_left()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_cancel(pair: Pair, transport: str) -> None:
    out = pair.call(transport)
    await pair.settle()
    pair.incoming[0].ring()
    await pair.settle()
    out.cancel(reason='SIP;cause=200;text="Call completed elsewhere"')
    await pair.settle()
    assert pair.at_alice.said == [("provisional", 180), ("rejected", 487)]
    assert pair.at_bob.said == [("cancelled",)]
    await pair.assert_nothing_left()


async def test_nobody_there(pair: Pair) -> None:
    pair.network.partition("10.0.0.1", "10.0.0.2")
    out = pair.call()
    await pair.settle(33)
    assert pair.at_alice.said == [("rejected", None)]
    assert out.failure is not None
    await pair.assert_nothing_left()


async def test_no_connection(pair: Pair) -> None:
    out = pair.alice.invite(
        SipUri.parse("sip:bob@10.0.0.9;transport=tcp"),
        from_=NameAddr.parse("<sip:alice@example.com>"),
        body=OFFER,
        listener=pair.at_alice,
    )
    assert pair.at_alice.said == []
    await pair.settle()
    assert pair.at_alice.said == [("rejected", None)]
    assert isinstance(out.failure, ConnectError)
    await pair.assert_nothing_left()


# -- requests outside of dialogs ---------------------------------------------------------------------


class Peer:
    """Sends bytes to Bob and reads what comes back."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.got: list[bytes] = []
        self.closed = False

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.got.append(data)

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self.got.append(data)

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed = True

    async def ask(self, data: bytes) -> list[bytes]:
        listener = await self.pair.network.listen("udp", Address("10.0.0.7", 5060), self)
        listener.flow_to(Address("10.0.0.2", 5060)).send(data)
        await self.pair.settle()
        await listener.close()
        got, self.got = self.got, []
        return got


def make(method: str = "OPTIONS", *, uri: str = "sip:bob@10.0.0.2", branch: str = "z9hG4bK1", to: str = "",
         headers: str = "", body: bytes = b"") -> bytes:  # fmt: skip
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch={branch}\r\nMax-Forwards: 0\r\n"
        f"From: <sip:x@example.com>;tag=x\r\nTo: <sip:bob@example.com>{to}\r\nCall-ID: c9\r\n"
        f"CSeq: 1 {method}\r\nContact: <sip:x@10.0.0.7>\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


REFUSALS = [
    ("unknown method", make("FETCH"), 501, b"Allow"),
    ("method without handler", make("SUBSCRIBE"), 405, b"Allow"),
    ("unknown scheme", make(uri="soap.beep://10.0.0.2"), 416, b""),
    ("unknown extension", make(headers="Require: magic, gruu2\r\n"), 420, b"Unsupported: magic, gruu2"),
    ("body that is not SDP", make("INVITE", headers="Content-Type: text/plain\r\n", body=b"x"), 415,
     b"Accept: application/sdp"),
    ("encoded body", make("INVITE", headers="Content-Encoding: gzip\r\n", body=b"x"), 415,
     b"Accept-Encoding"),
    ("answers we cannot give", make("INVITE", headers="Accept: text/plain\r\n"), 406, b""),
    ("no such dialog", make("BYE", to=";tag=zz"), 481, b""),
    ("a BYE without dialog", make("BYE"), 481, b""),
    ("a re-INVITE without dialog", make("INVITE", to=";tag=zz"), 481, b""),
    ("broken", make(headers="From: <sip:y@example.com>\r\n"), 400, b""),
    ("old version", make().replace(b"SIP/2.0\r\nVia", b"SIP/1.0\r\nVia"), 505, b""),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "data", "status", "header"), REFUSALS, ids=[r[0] for r in REFUSALS])
async def test_refusals(pair: Pair, _name: str, data: bytes, status: int, header: bytes) -> None:
    peer = Peer(pair)
    (first,) = await peer.ask(data)
    (second,) = await peer.ask(data)
    assert first.startswith(b"SIP/2.0 %d " % status)
    assert header in first
    assert b";tag=" in first.split(b"\r\nTo:")[1].split(b"\r\n")[0]
    assert first == second  # without memory, and yet with the same tag
    assert len(pair.bob.layer) == 0


async def test_options_and_keepalives(pair: Pair) -> None:
    peer = Peer(pair)
    (answer,) = await peer.ask(make())
    assert answer.startswith(b"SIP/2.0 200 OK\r\n")
    assert b"Accept: application/sdp\r\n" in answer
    assert await peer.ask(b"\r\n\r\n") == []
    flow = await pair.network.connect(Address("10.0.0.2", 5060), peer, local_host="10.0.0.7")
    flow.send(b"\r\n\r\n")
    await pair.settle()
    assert peer.got == [b"\r\n"]
    assert pair.bob.counters["keepalives"] == 2


async def test_merged_requests(pair: Pair) -> None:
    peer = Peer(pair)
    assert [a[:11] for a in await peer.ask(make("INVITE", body=b""))] == [b"SIP/2.0 100"]
    assert [a[:11] for a in await peer.ask(make("INVITE", branch="z9hG4bK2"))] == [b"SIP/2.0 482"]
    assert len(pair.incoming) == 1
    pair.incoming[0].reject(486)


async def test_strays_are_counted_and_not_answered(pair: Pair) -> None:
    peer = Peer(pair)
    assert await peer.ask(make("ACK", to=";tag=zz")) == []
    assert await peer.ask(make().replace(b"OPTIONS sip:bob@10.0.0.2 SIP/2.0", b"SIP/2.0 200 OK")) == []
    assert await peer.ask(b"garbage") == []
    assert pair.bob.counters["stray_acks"] == pair.bob.counters["stray_responses"] == 1
    assert pair.bob.counters["malformed"] == 1


async def test_admission_and_draining(pair: Pair) -> None:
    peer = Peer(pair)
    pair.bob.admit = lambda request, _flow: Refused(build_response(request, 403), "stranger")
    assert [a[:11] for a in await peer.ask(make("INVITE"))] == [b"SIP/2.0 403"]
    pair.bob.admit = lambda _request, _flow: Admitted(user="x")
    pair.bob.draining = True
    (answer,) = await peer.ask(make("INVITE", branch="z9hG4bK2"))
    assert answer.startswith(b"SIP/2.0 503")
    assert b"Retry-After: " in answer
    pair.bob.draining = False
    await peer.ask(make("INVITE", branch="z9hG4bK3"))
    assert pair.incoming[0].admitted == Admitted(user="x")
    pair.incoming[0].reject(486)


async def test_request_and_handler(pair: Pair) -> None:
    def handler(inbound: InboundRequest) -> None:
        assert inbound.flow.remote == Address("10.0.0.1", 5060)
        inbound.reply(200, headers=(("Expires", "60"),))

    pair.bob.on_request["REGISTER"] = handler
    me = NameAddr.parse("<sip:alice@10.0.0.2>")
    answer = await pair.alice.request("REGISTER", SipUri.parse("sip:10.0.0.2"), from_=me, to=me)
    assert (answer.status, answer.headers.get("Expires"), bool(answer.to.tag)) == (200, "60", True)
    await pair.assert_nothing_left()


async def test_a_handler_that_fails_or_never_answers(pair: Pair) -> None:
    kept: list[InboundRequest] = []
    pair.bob.on_request = {"REGISTER": kept.append, "MESSAGE": lambda _inbound: 1 / 0}
    me = NameAddr.parse("<sip:alice@10.0.0.2>")
    for method in ("REGISTER", "MESSAGE"):
        target = SipUri.parse("sip:10.0.0.2;transport=tcp")
        with contextlib.suppress(TransactionTimeout):
            answer = await pair.alice.request(method, target, from_=me, to=me)
            assert answer.status == 500
    assert pair.bob.counters["unanswered"] == 1
    await pair.assert_nothing_left()


async def test_nobody_answers_a_request(pair: Pair) -> None:
    me = NameAddr.parse("<sip:alice@10.0.0.2>")
    with pytest.raises(TransactionTimeout):
        await pair.alice.request("OPTIONS", SipUri.parse("sip:10.0.0.77"), from_=me, to=me)
    with pytest.raises(ConnectError):
        await pair.alice.request("OPTIONS", SipUri.parse("sip:10.0.0.77;transport=tcp"), from_=me, to=me)
    await pair.assert_nothing_left()


async def test_long_requests_take_tcp_when_told_so(pair: Pair) -> None:
    pair.alice.outbound.tcp_above_bytes = 1300
    pair.call(body=OFFER + b"a=x:" + b"y" * 1300 + b"\r\n")
    await pair.settle()
    assert pair.incoming[0].flow.transport == "tcp"
    pair.incoming[0].reject(486)
    await pair.assert_nothing_left()


async def test_calls_over_a_bad_network(pair: Pair) -> None:
    pair.network.set_link(Link(loss=0.25, duplicate=0.2, reorder=0.2, delay=0.05, jitter=0.05))
    pair.bob.on_invite = lambda session: (pair.on_invite(session), session.ring(), session.accept(ANSWER))
    calls = [pair.call() for _ in range(50)]
    await pair.settle(20)
    for out in calls:
        out.cancel()
    await pair.settle(100)
    assert all(session.state is SessionState.TERMINATED for session in calls + pair.incoming)
    assert pair.at_alice.names().count("ended") + pair.at_alice.names().count("rejected") == 50
    await pair.assert_nothing_left()


async def test_a_handler_that_raises_costs_its_call_only(pair: Pair) -> None:
    pair.bob.on_invite = lambda _session: 1 / 0
    pair.call()
    await pair.settle()
    assert pair.at_alice.said == [("rejected", 500)]
    await pair.assert_nothing_left()


async def test_streams_that_stall_are_closed(pair: Pair) -> None:
    peer = Peer(pair)
    flow = await pair.network.connect(Address("10.0.0.2", 5060), peer, local_host="10.0.0.7")
    flow.send(make()[:40])
    await pair.settle(31)
    assert peer.closed
    assert pair.bob.counters["streams_timed_out"] == 1


async def test_control_characters_in_quotes_break_no_answer(pair: Pair) -> None:
    pair.bob.on_request["MESSAGE"] = lambda inbound: inbound.reply(200)
    peer = Peer(pair)
    (answer,) = await peer.ask(make("MESSAGE").replace(b"To: <", b'To: "\\\0\\\x07" <'))
    assert answer.startswith(b"SIP/2.0 200")
    assert pair.bob.counters["handler_crashes"] == pair.bob.counters["crashes"] == 0
    await pair.assert_nothing_left()
