"""RFC 3665: the basic call flows, as ladders between two of our endpoints.

Flows through proxies (3.2 to 3.6) need elements that are not ours; the rest is here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Admission,
    Credentials,
    Endpoint,
    InboundRequest,
    InviteSession,
    NameAddr,
    Registrar,
    Request,
    Response,
    SessionEvents,
    SipSettings,
    SipUri,
    TrunkTable,
    UserSettings,
)
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ALICE, BOB = "10.0.0.1", "10.0.0.2"


class Quiet(SessionEvents):
    """Listens, and answers offers."""

    def on_offer(self, session: InviteSession, request: Request) -> None:
        session.answer_offer(OFFER)


class Flow3665:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.alice, self.bob = self.endpoint(ALICE, 1), self.endpoint(BOB, 2)
        self.sessions: list[InviteSession] = []

        def on_invite(session: InviteSession) -> None:
            session.listener = Quiet()
            self.sessions.append(session)

        self.bob.on_invite = on_invite

    def endpoint(self, host: str, seed: int) -> Endpoint:
        return Endpoint(
            SipSettings(listen=(f"udp:{host}:5060",)),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(seed)),
        )

    async def call(self) -> tuple[InviteSession, InviteSession]:
        out = self.alice.invite(
            SipUri.parse(f"sip:bob@{BOB}"),
            from_=NameAddr.parse("Alice <sip:alice@example.com>"),
            body=OFFER,
            listener=Quiet(),
        )
        await asyncio.sleep(0.01)
        return out, self.sessions[-1]

    def ladder(self) -> list[str]:
        """``F1 >INVITE`` for Alice to Bob, ``<180`` for the way back."""
        found = []
        for packet in self.network.captured:
            words = packet.data.split(b"\r\n")[0].decode().split(" ")
            arrow = ">" if packet.source.host == ALICE else "<"
            found.append(arrow + (words[1] if words[0] == "SIP/2.0" else words[0]))
        return found


@pytest.fixture
async def flow() -> AsyncIterator[Flow3665]:
    flow = Flow3665()
    await flow.alice.start()
    await flow.bob.start()
    yield flow
    await asyncio.sleep(100)
    for endpoint in (flow.alice, flow.bob):
        assert (len(endpoint.layer), endpoint.sessions) == (0, 0)
        await endpoint.stop()


async def test_3_1_session_establishment(flow: Flow3665) -> None:
    _out, incoming = await flow.call()
    incoming.ring()
    incoming.accept(OFFER)
    await asyncio.sleep(0.01)
    incoming.bye()
    await asyncio.sleep(0.01)
    assert flow.ladder() == [">INVITE", "<100", "<180", "<200", ">ACK", "<BYE", ">200"]


async def test_3_7_session_with_reinvite(flow: Flow3665) -> None:
    out, incoming = await flow.call()
    incoming.ring()
    incoming.accept(OFFER)
    await asyncio.sleep(0.01)
    incoming.reinvite(OFFER.replace(b"4000", b"4100"))
    await asyncio.sleep(0.01)
    out.bye()
    await asyncio.sleep(0.01)
    assert flow.ladder() == [
        ">INVITE", "<100", "<180", "<200", ">ACK", "<INVITE", ">200", "<ACK", ">BYE", "<200",
    ]  # fmt: skip


async def test_3_8_no_answer(flow: Flow3665) -> None:
    out, incoming = await flow.call()
    incoming.ring()
    await asyncio.sleep(5)
    out.cancel()
    await asyncio.sleep(0.01)
    assert flow.ladder() == [">INVITE", "<100", "<180", ">CANCEL", "<200", "<487", ">ACK"]


@pytest.mark.parametrize(("section", "status"), [("3.9 busy", 486), ("3.11 unavailable", 480)])
async def test_refused(flow: Flow3665, section: str, status: int) -> None:
    _out, incoming = await flow.call()
    incoming.reject(status)
    await asyncio.sleep(0.01)
    assert flow.ladder() == [">INVITE", "<100", f"<{status}", ">ACK"], section


async def test_3_10_no_response(flow: Flow3665) -> None:
    flow.network.partition(ALICE, BOB)
    flow.alice.invite(
        SipUri.parse(f"sip:bob@{BOB}"),
        from_=NameAddr.parse("Alice <sip:alice@example.com>"),
        body=OFFER,
        listener=Quiet(),
    )
    await asyncio.sleep(40)
    assert flow.ladder() == [">INVITE"] * 7


async def test_2_registration(flow: Flow3665) -> None:
    registrar = Registrar(SipSettings())
    clock = LoopClock(wall=0.0)
    admission = Admission(
        trunks=TrunkTable(()), users=[UserSettings(name="alice", password="secret")],
        realm="example.com", secret=bytes(32), nonce_life=60.0,
    )  # fmt: skip
    flow.bob.admit = lambda request, way: admission.check(request, way, now=clock.now())

    def register(inbound: InboundRequest) -> None:
        inbound.respond(
            registrar.receive(
                inbound.request, "alice", flow=inbound.flow, received=inbound.flow.remote, now=clock.now()
            )
        )

    flow.bob.on_request["REGISTER"] = register
    me = NameAddr.parse("<sip:alice@example.com>")

    async def send(password: str, contact: str, expires: str) -> Response:
        return await flow.alice.request(
            "REGISTER",
            SipUri.parse(f"sip:{BOB}"),
            from_=me,
            to=me,
            headers=[("Contact", contact), ("Expires", expires)],
            credentials=Credentials("alice", password),
        )

    here = f"<sip:alice@{ALICE}:5060>"
    assert (await send("secret", here, "600")).status == 200  # 2.1
    assert len(registrar.bindings("alice", now=clock.now())) == 1
    assert (await send("secret", "*", "0")).status == 200  # 2.4
    assert registrar.bindings("alice", now=clock.now()) == []
    assert (await send("wrong", here, "600")).status in (401, 403)  # 2.5
    assert flow.ladder()[:4] == [">REGISTER", "<401", ">REGISTER", "<200"]
