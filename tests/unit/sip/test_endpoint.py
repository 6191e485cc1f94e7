from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import ConnectError
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, NameAddr, Request, Response, SipSettings, SipUri
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = OFFER.replace(b"4000", b"5000")


class Log:
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

    def on_info(self, session: InviteSession, request: Request) -> None:
        self.said.append(("info", request.body))


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
