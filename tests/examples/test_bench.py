"""The bench of example 13: what a caller gets for each number, on a network in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.examples.stage import load_example

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Address,
    Endpoint,
    InboundRequest,
    InviteSession,
    NameAddr,
    Request,
    Response,
    SessionEvents,
    SessionPolicy,
    SipSettings,
    SipUri,
)
from sipcc.testing import MemoryNetwork

BENCH = Address("127.0.0.1", 5080)
OURS = b"v=0\r\no=- 7 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n"

EXPECTED: dict[str, list[str]] = {
    "180": ["180 reliable", "200+"],
    "183": ["183+", "200+"],
    "184": ["183+ reliable", "UPDATE", "200"],
    "late": ["200+"],
    "mute": ["200"],
    "slow": ["200+"],
    "hold": ["200+", "INVITE+", "INVITE+"],
    "change": ["200+", "UPDATE+", "INVITE"],
    "words": ["200+", "INFO+", "MESSAGE+"],
    "refer": ["200+", "REFER"],
    "302": ["302"],
    "486": ["180 reliable", "486"],
    "no such number": ["404"],
}
"""What the caller gets after 100, in order; a plus is a body."""


class Caller(SessionEvents):
    """Calls the bench and answers what it asks for."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.ended = False
        self.refused = 0
        self.changed: list[float] = []

    def call(self, number: str, body: bytes = OURS) -> InviteSession:
        me = NameAddr(SipUri(user="caller", host="example.com"))
        target = SipUri(user=number.replace(" ", "-"), host="example.com")
        policy = SessionPolicy(reliable="supported")
        self.session = self.endpoint.invite(
            target, from_=me, body=body, listener=self, destination=BENCH, policy=policy
        )
        return self.session

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        if session.owes_prack(response):
            session.acknowledge_provisional(response, OURS)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        if session.owes_ack:
            session.acknowledge(OURS)

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.ended, self.refused = True, response.status if response is not None else 0

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.ended = True

    def on_offer(self, session: InviteSession, request: Request) -> None:
        session.answer_offer(OURS if request.body or request.method == "INVITE" else b"")

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        assert response is not None
        assert response.status == 200
        self.changed.append(asyncio.get_running_loop().time())

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        inbound.reply(202 if inbound.request.method == "REFER" else 200)


class Pair:
    """The bench and a caller."""

    def __init__(self) -> None:
        network = MemoryNetwork()
        self.bench = self._endpoint(network, BENCH)
        self.bench.on_invite = load_example("13_test_bench").Callee
        self.caller = Caller(self._endpoint(network, Address("127.0.0.2", 5060)))
        self.network = network

    @staticmethod
    def _endpoint(network: MemoryNetwork, local: Address) -> Endpoint:
        settings = SipSettings(listen=(f"udp:{local}",), reliable="supported")
        return Endpoint(settings, network=network.host(local.host), clock=LoopClock(), ids=Ids())

    def got(self) -> list[str]:
        """What came to the caller but 100, and the answers to its own requests in the call."""
        found = []
        for packet in self.network.captured:
            head, _, body = packet.data.decode().partition("\r\n\r\n")
            if packet.source.host != BENCH.host:
                continue
            first, *lines = head.split("\r\n")
            cseq = next(line for line in lines if line.startswith("CSeq"))
            word = first.split(" ")[1 if first.startswith("SIP/") else 0]
            if word in ("100", "ACK") or (word.isdigit() and cseq != "CSeq: 1 INVITE"):
                continue
            found.append(word + ("+" if body else "") + (" reliable" if "RSeq:" in head else ""))
        return found


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    await pair.bench.start()
    await pair.caller.endpoint.start()
    yield pair
    if not pair.caller.ended:
        pair.caller.session.bye()
    await asyncio.sleep(40)
    for endpoint in (pair.bench, pair.caller.endpoint):
        assert (endpoint.sessions, len(endpoint.layer), endpoint.counters["crashes"]) == (0, 0, 0)
        await endpoint.stop()


@pytest.mark.parametrize("number", list(EXPECTED))
async def test_a_number_does_what_its_script_says(pair: Pair, number: str) -> None:
    pair.caller.call(number)
    await asyncio.sleep(15)
    assert pair.got() == EXPECTED[number]


@pytest.mark.parametrize("number", ["180", "184", "hold"])
async def test_without_an_offer_the_bench_makes_one(pair: Pair, number: str) -> None:
    pair.caller.call(number, b"")
    await asyncio.sleep(15)
    assert pair.got() == EXPECTED[number]
    assert pair.caller.session.local_body == OURS


def test_every_number_is_tried() -> None:
    assert {*load_example("13_test_bench").scripts("127.0.0.1"), "no such number"} == {*EXPECTED}


async def test_a_hold_of_ours_is_answered_in_kind(pair: Pair) -> None:
    session = pair.caller.call("180")
    await asyncio.sleep(5)
    session.reinvite(OURS + b"a=sendonly\r\n")
    await asyncio.sleep(1)
    assert b"a=recvonly" in pair.network.captured[-2].data


async def test_a_reinvite_waits_for_its_answer(pair: Pair) -> None:
    session = pair.caller.call("slow")
    await asyncio.sleep(1)
    asked = asyncio.get_running_loop().time()
    session.reinvite(OURS)
    await asyncio.sleep(10)
    assert [round(at - asked) for at in pair.caller.changed] == [5]


async def test_who_gives_up_is_left_alone(pair: Pair) -> None:
    session = pair.caller.call("late")
    await asyncio.sleep(1)
    session.cancel()
    await asyncio.sleep(10)
    assert pair.got() == ["487"]
