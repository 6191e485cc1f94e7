"""RFC 3665: the basic call flows, message by message, with the fields that the RFC shows in them.

All of section 2 (registration) and all of section 3 (calls) but for these:

- 3.5 is the affair of an ALG, which looks to a user agent like the proxy of 3.2.
- 3.10 is half a proxy's: here it is what the caller sees of it, with a proxy that refuses, and with none.

Where the RFC has proxies between Alice and Bob, `Relay` stands in for them: a stateless proxy (RFC 3261
§16.11) that records its route. Ladders are what one user agent sees: ``>`` leaves it, ``<`` arrives.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import CARRIER, Centre

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
from sipcc.sip.auth import answer_challenge
from sipcc.sip.build import response as make_response
from sipcc.sip.parser import parse_datagram
from sipcc.sip.resolve import Hop
from sipcc.sip.transport.base import Address, Flow, Listener, TransportName
from sipcc.testing.network import MemoryNetwork
from sipcc.testing.phone import Behaviour, Decline, Ignore

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
MOVED = OFFER.replace(b"m=audio 4000", b"m=audio 4100")
ALICE, BOB, P1, P2 = "10.0.0.1", "10.0.0.2", "10.0.0.11", "10.0.0.12"
SHORT = 0.01
"""Seconds in which everything that was sent has arrived."""


class Quiet(SessionEvents):
    """Listens, and answers offers."""

    def __init__(self) -> None:
        self.refused: Response | None = None
        self.acknowledged: list[bytes] = []

    def on_offer(self, session: InviteSession, request: Request) -> None:
        session.answer_offer(OFFER)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        if session.owes_ack:
            session.acknowledge(MOVED)

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.refused = response

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        self.acknowledged.append(body)


class Relay:
    """A stateless proxy that stays in the path; to others it can be one that challenges or refuses."""

    def __init__(
        self, host: str, *, beyond: str, realm: str = "", refusal: int = 0, moved_to: str = ""
    ) -> None:
        self.host = host
        self.realm, self.refusal, self.moved_to = realm, refusal, moved_to
        self._beyond = Address(beyond, 5060)
        self._listener: Listener

    async def start(self, network: MemoryNetwork) -> None:
        self._listener = await network.listen("udp", Address(self.host, 5060), self)

    def blocked(self, host: str) -> bool:
        return False

    def stream_received(self, data: bytes, flow: Flow) -> None: ...
    def message_received(self, data: bytes, flow: Flow) -> None: ...
    def flow_closed(self, flow: Flow, error: Exception | None) -> None: ...

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        message = parse_datagram(data)
        if isinstance(message, Request):
            self._pass_on(message, flow)
            return
        assert message.via.host == self.host
        rest = message.headers.values("Via")[1:]
        message.headers.remove("Via")
        for value in rest:
            message.headers.add("Via", value)
        back = message.via
        self._send(message, Address(back.params.get("received") or back.host, back.port or 5060))

    def _pass_on(self, request: Request, flow: Flow) -> None:
        opens = request.method == "INVITE" and not request.to.tag
        mine = not request.headers.values("Route")  # what ends here was not routed past us
        answer = self._own_answer(request) if opens else None
        if answer is not None:
            flow.send(bytes(answer))
        if answer is not None or (request.method == "ACK" and mine and self._ends_here(request)):
            return
        routes = request.headers.values("Route")
        if routes and self.host in routes[0]:
            routes = routes[1:]
            request.headers.remove("Route")
            for value in routes:
                request.headers.add("Route", value)
        if opens:
            request.headers.prepend("Record-Route", f"<sip:{self.host};lr>")
        branch = hashlib.sha256(f"{self.host}{request.via.params['branch']}".encode()).hexdigest()[:16]
        request.headers.prepend("Via", f"SIP/2.0/UDP {self.host}:5060;branch=z9hG4bK{branch}")
        request.headers.set("Max-Forwards", str(request.max_forwards - 1))
        if routes:
            uri = NameAddr.parse(routes[0]).uri
            self._send(request, Address(uri.host, uri.port or 5060))
        elif request.to.tag and request.uri.host in (ALICE, BOB):
            self._send(request, Address(request.uri.host, request.uri.port or 5060))
        else:
            self._send(request, self._beyond)

    def _ends_here(self, request: Request) -> bool:
        return request.to.tag == self._tag

    def _own_answer(self, request: Request) -> Response | None:
        if self.moved_to:
            return make_response(
                request, 302, to_tag=self._tag, headers=[("Contact", f"<sip:bob@{self.moved_to}>")]
            )
        if self.refusal:
            return make_response(request, self.refusal, to_tag=self._tag)
        shown = request.headers.get_all("Proxy-Authorization")
        if self.realm and not any(f'realm="{self.realm}"' in value for value in shown):
            challenge = f'Digest realm="{self.realm}", qop="auth", nonce="n-{self.realm}", algorithm=MD5'
            return make_response(request, 407, to_tag=self._tag, headers=[("Proxy-Authenticate", challenge)])
        return None

    @property
    def _tag(self) -> str:
        return f"at-{self.host}"

    def _send(self, message: Request | Response, target: Address) -> None:
        self._listener.flow_to(target).send(bytes(message))


class Known:
    """A resolver that knows one name: its servers, in order."""

    def __init__(self, *hosts: str) -> None:
        self._hops = [Hop("udp", host, 5060, "proxies.example.com") for host in hosts]

    def hops_now(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop]:
        if host == "proxies.example.com":
            return list(self._hops)
        return [Hop("udp", host, port or 5060, host)]

    async def hops(
        self, host: str, port: int | None, transport: TransportName | None, *, sips: bool = False
    ) -> list[Hop]:
        return self.hops_now(host, port, transport, sips=sips)


class Seen:
    """What one user agent sent and got, in order."""

    def __init__(self, network: MemoryNetwork, host: str) -> None:
        self.ladder: list[str] = []
        self.messages: list[Request | Response] = []
        for packet in network.captured:
            if host not in (packet.source.host, packet.target.host):
                continue
            message = parse_datagram(packet.data)
            word = message.method if isinstance(message, Request) else str(message.status)
            self.ladder.append((">" if packet.source.host == host else "<") + word)
            self.messages.append(message)

    def requests(self, step: str) -> list[Request]:
        """The requests of one kind, such as ``>ACK``."""
        found = (m for word, m in zip(self.ladder, self.messages, strict=True) if word == step)
        return [message for message in found if isinstance(message, Request)]

    def responses(self, step: str) -> list[Response]:
        """The responses of one kind, such as ``<180``."""
        found = (m for word, m in zip(self.ladder, self.messages, strict=True) if word == step)
        return [message for message in found if isinstance(message, Response)]

    def check(self) -> None:
        """What every flow of the RFC has in all of its messages."""
        pending: dict[tuple[str, str], Request] = {}
        answers: dict[str, Response] = {}
        highest: dict[tuple[str, str], int] = {}
        for word, message in zip(self.ladder, self.messages, strict=True):
            assert message.headers.get("Content-Length") == str(len(message.body))
            arrow = word[0]
            branch = message.via.params["branch"]
            assert branch.startswith("z9hG4bK")
            if isinstance(message, Response):
                asked = pending[branch, message.cseq.method]
                for name in ("Call-ID", "CSeq", "From"):
                    assert message.headers.get(name) == asked.headers.get(name), (word, name)
                assert len(message.vias) == len(asked.vias)
                assert asked.to.tag in ("", message.to.tag)
                if message.status > 100:
                    assert message.to.tag, word
                if message.cseq.method == "INVITE" and 100 < message.status < 300:
                    assert message.contacts, word
                    route, known = (m.headers.values("Record-Route") for m in (message, asked))
                    assert route[len(route) - len(known) :] == known, word
                    assert arrow == "<" or route == known, word
                if message.status >= 200 and message.cseq.method == "INVITE":
                    answers[branch] = message
                continue
            if arrow == ">":
                assert message.headers.get("Max-Forwards") == "70"
            if message.method == "ACK":
                self._check_ack(message, pending, answers)
            elif message.method == "CANCEL":
                self._check_cancel(message, pending)
            elif (branch, message.method) not in pending:  # else a repetition
                owner = (arrow, message.call_id)
                assert message.cseq.number > highest.get(owner, 0), word
                if owner in highest:
                    assert message.cseq.number == highest[owner] + 1, word
                highest[owner] = message.cseq.number
            else:
                assert bytes(pending[branch, message.method]) == bytes(message)
            if message.method != "ACK":
                pending[branch, message.method] = message
            if message.method in ("INVITE", "REGISTER"):
                assert message.contacts or message.method == "REGISTER"

    def _check_ack(
        self, ack: Request, pending: dict[tuple[str, str], Request], answers: dict[str, Response]
    ) -> None:
        branch = ack.via.params["branch"]
        refused = answers.get(branch)
        if refused is not None:  # RFC 3261 §17.1.1.3
            invite = pending[branch, "INVITE"]
            assert refused.status >= 300
            assert ack.uri == invite.uri
            assert ack.headers.get("To") == refused.headers.get("To")
        else:  # §13.2.2.4: a transaction of its own
            same = [r for r in answers.values() if r.cseq.number == ack.cseq.number and r.status < 300]
            assert same, "an ACK for nothing"
            invite = pending[same[-1].via.params["branch"], "INVITE"]
            assert ack.to.tag == same[-1].to.tag
            assert ack.headers.get_all("Proxy-Authorization") == invite.headers.get_all("Proxy-Authorization")
        assert ack.cseq.number == invite.cseq.number
        assert ack.headers.get("From") == invite.headers.get("From")
        assert ack.call_id == invite.call_id
        assert not ack.contacts

    def _check_cancel(self, cancel: Request, pending: dict[tuple[str, str], Request]) -> None:
        invite = pending[cancel.via.params["branch"], "INVITE"]  # RFC 3261 §9.1
        assert cancel.uri == invite.uri
        assert cancel.cseq.number == invite.cseq.number
        for name in ("From", "To", "Call-ID"):
            assert cancel.headers.get(name) == invite.headers.get(name)
        assert cancel.body == b""


class Flow3665:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.alice, self.bob = self.endpoint(ALICE, 1), self.endpoint(BOB, 2)
        self.sessions: list[InviteSession] = []
        self.heard: list[Quiet] = []
        self.caller = Quiet()

        def on_invite(session: InviteSession) -> None:
            self.heard.append(Quiet())
            session.listener = self.heard[-1]
            self.sessions.append(session)

        self.bob.on_invite = on_invite

    def endpoint(self, host: str, seed: int) -> Endpoint:
        return Endpoint(
            SipSettings(listen=(f"udp:{host}:5060",)),
            network=self.network.host(host),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(seed)),
        )

    async def relays(self, **of_first: str | int) -> None:
        """Alice - proxy 1 - proxy 2 - Bob; `of_first` is what the first one does besides."""
        await Relay(P1, beyond=P2, **of_first).start(self.network)  # type: ignore[arg-type]
        await Relay(P2, beyond=BOB).start(self.network)

    def invite(
        self, through: str = BOB, body: bytes = OFFER, credentials: Credentials | None = None
    ) -> InviteSession:
        return self.alice.invite(
            SipUri.parse("sip:bob@example.com" if through != BOB else f"sip:bob@{BOB}"),
            from_=NameAddr.parse("Alice <sip:alice@example.com>"),
            body=body,
            listener=self.caller,
            destination=Address(through, 5060),
            credentials=credentials,
        )

    async def call(self, through: str = BOB, body: bytes = OFFER) -> tuple[InviteSession, InviteSession]:
        out = self.invite(through, body)
        await asyncio.sleep(SHORT)
        return out, self.sessions[-1]

    async def talk(self, incoming: InviteSession) -> None:
        incoming.ring()
        incoming.accept(OFFER)
        await asyncio.sleep(SHORT)

    def seen(self, host: str = ALICE) -> Seen:
        seen = Seen(self.network, host)
        seen.check()
        return seen


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


# -- 2: registration -----------------------------------------------------------------------------------


class Registering:
    """Bob registers: here our endpoint on both sides, as in all of section 2."""

    CALL_ID = "reg-1"
    HERE = f"<sip:alice@{ALICE}:5060>"

    def __init__(self, flow: Flow3665) -> None:
        self.flow = flow
        self.registrar = Registrar(SipSettings())
        self.clock = LoopClock(wall=0.0)
        self._cseq = 0
        admission = Admission(
            trunks=TrunkTable(()), users=[UserSettings(name="alice", password="secret")],
            realm="example.com", secret=bytes(32), nonce_life=60.0,
        )  # fmt: skip
        flow.bob.admit = lambda request, way: admission.check(request, way, now=self.clock.now())
        flow.bob.on_request["REGISTER"] = self._take

    def _take(self, inbound: InboundRequest) -> None:
        flow, now = inbound.flow, self.clock.now()
        inbound.respond(
            self.registrar.receive(inbound.request, "alice", flow=flow, received=flow.remote, now=now)
        )

    async def send(self, *headers: tuple[str, str], password: str = "secret") -> Response:
        me = NameAddr.parse("<sip:alice@example.com>")
        self._cseq += 1
        answer = await self.flow.alice.request(
            "REGISTER",
            SipUri.parse(f"sip:{BOB}"),
            from_=me,
            to=me,
            headers=headers,
            credentials=Credentials("alice", password),
            call_id=self.CALL_ID,
            cseq=self._cseq,
        )
        self._cseq = answer.cseq.number
        return answer

    def bound(self) -> list[str]:
        return [str(held.uri) for held in self.registrar.bindings("alice", now=self.clock.now())]


@pytest.fixture
async def registering(flow: Flow3665) -> Registering:
    return Registering(flow)


async def test_2_1_successful_new_registration(flow: Flow3665, registering: Registering) -> None:
    answer = await registering.send(("Contact", registering.HERE), ("Expires", "600"))
    seen = flow.seen()
    assert seen.ladder == [">REGISTER", "<401", ">REGISTER", "<200"]
    first, second = seen.requests(">REGISTER")
    (challenge,) = seen.responses("<401")
    told = challenge.headers.get_all("WWW-Authenticate")
    assert all('realm="example.com"' in value and "nonce=" in value for value in told)
    assert first.headers.get("Authorization") is None
    shown = second.headers.get("Authorization") or ""
    assert 'username="alice"' in shown
    assert 'uri="sip:10.0.0.2"' in shown
    assert (first.call_id, second.call_id) == (registering.CALL_ID, registering.CALL_ID)
    assert first.from_ == second.from_
    assert first.to.tag == second.to.tag == ""
    assert answer.contacts[0].params["expires"] == "600"
    assert registering.bound() == [f"sip:alice@{ALICE}:5060"]


async def test_2_2_update_of_contact_list(flow: Flow3665, registering: Registering) -> None:
    await registering.send(("Contact", registering.HERE), ("Expires", "600"))
    answer = await registering.send(("Contact", f"<sip:alice@{ALICE}:5070>"), ("Expires", "300"))
    assert answer.status == 200
    ends = {contact.uri.port: contact.params["expires"] for contact in answer.contacts if contact.uri.port}
    assert ends == {5060: "600", 5070: "300"}
    flow.seen()


class Inquirer:
    """Asks for the contacts: our own endpoint never sends a REGISTER without one."""

    def __init__(self) -> None:
        self.got: list[Response] = []

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        message = parse_datagram(data)
        assert isinstance(message, Response)
        self.got.append(message)

    def stream_received(self, data: bytes, flow: Flow) -> None: ...
    def message_received(self, data: bytes, flow: Flow) -> None: ...
    def flow_closed(self, flow: Flow, error: Exception | None) -> None: ...

    async def ask(self, network: MemoryNetwork) -> Response:
        listener = await network.listen("udp", Address("10.0.0.7", 5060), self)
        extra: list[tuple[str, str]] = []
        for number in (1, 2):
            request = Request.build(
                "REGISTER",
                f"sip:{BOB}",
                headers=[
                    ("Via", f"SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKq{number}"), ("Max-Forwards", "70"),
                    ("From", "<sip:alice@example.com>;tag=q"), ("To", "<sip:alice@example.com>"),
                    ("Call-ID", "q"), ("CSeq", f"{number} REGISTER"), *extra,
                ],
            )  # fmt: skip
            listener.flow_to(Address(BOB, 5060)).send(bytes(request))
            await asyncio.sleep(SHORT)
            if self.got[-1].status == 401:
                login = Credentials("alice", "secret")
                extra = [answer_challenge(self.got[-1], request, login, cnonce="c")]
        await listener.close()
        return self.got[-1]


async def test_2_3_request_for_current_contact_list(flow: Flow3665, registering: Registering) -> None:
    await registering.send(("Contact", registering.HERE), ("Expires", "600"))
    await asyncio.sleep(100)
    inquirer = Inquirer()
    answer = await inquirer.ask(flow.network)
    assert [response.status for response in inquirer.got] == [401, 200]
    (contact,) = answer.contacts
    assert contact.uri == NameAddr.parse(registering.HERE).uri
    assert 490 <= int(contact.params["expires"]) <= 500
    assert registering.bound() == [f"sip:alice@{ALICE}:5060"]


async def test_2_4_cancellation_of_registration(flow: Flow3665, registering: Registering) -> None:
    await registering.send(("Contact", registering.HERE), ("Expires", "600"))
    answer = await registering.send(("Contact", "*"), ("Expires", "0"))
    assert (answer.status, answer.contacts) == (200, [])
    assert registering.bound() == []
    last = flow.seen().requests(">REGISTER")[-1]
    assert last.contact_is_star
    assert last.headers.get("Expires") == "0"


async def test_2_5_unsuccessful_registration(flow: Flow3665, registering: Registering) -> None:
    answer = await registering.send(("Contact", registering.HERE), password="wrong")
    assert answer.status == 401
    assert answer.headers.get("WWW-Authenticate")
    assert flow.seen().ladder[:4] == [">REGISTER", "<401", ">REGISTER", "<401"]
    assert registering.bound() == []


# -- 3: calls ------------------------------------------------------------------------------------------

THROUGH = [pytest.param(BOB, id="3.1-direct"), pytest.param(P1, id="3.2-two-proxies")]


@pytest.mark.parametrize("through", THROUGH)
async def test_3_1_and_3_2_successful_session(flow: Flow3665, through: str) -> None:
    await flow.relays()
    _out, incoming = await flow.call(through)
    await flow.talk(incoming)
    incoming.bye()
    await asyncio.sleep(SHORT)
    alice, bob = flow.seen(), flow.seen(BOB)
    assert alice.ladder == [">INVITE", "<100", "<180", "<200", ">ACK", "<BYE", ">200"]
    assert bob.ladder == ["<INVITE", ">100", ">180", ">200", "<ACK", ">BYE", "<200"]
    (invite,), (ack,), (bye,) = (alice.requests(step) for step in (">INVITE", ">ACK", "<BYE"))
    (accepted,) = alice.responses("<200")
    assert accepted.to.tag == alice.responses("<180")[0].to.tag
    assert ack.uri == accepted.contacts[0].uri
    assert (bye.from_.tag, bye.to.tag) == (accepted.to.tag, invite.from_.tag)
    hops = [] if through == BOB else [P1, P2]
    assert [route.uri.host for route in ack.routes] == hops
    (received,), (hung_up,) = bob.requests("<INVITE"), bob.requests(">BYE")
    assert len(received.vias) == 1 + len(hops)
    assert [route.uri.host for route in hung_up.routes] == hops[::-1]
    assert hung_up.uri == invite.contacts[0].uri


async def test_3_3_multiple_proxy_authentication(flow: Flow3665) -> None:
    await Relay(P1, beyond=P2, realm="atlanta").start(flow.network)
    await Relay(P2, beyond=BOB, realm="biloxi").start(flow.network)
    flow.invite(P1, credentials=Credentials("alice", "secret"))
    await asyncio.sleep(SHORT)
    assert flow.sessions, flow.seen().ladder
    await flow.talk(flow.sessions[-1])
    flow.sessions[-1].bye()
    await asyncio.sleep(SHORT)
    seen = flow.seen()
    assert seen.ladder == [
        ">INVITE", "<407", ">ACK", ">INVITE", "<407", ">ACK", ">INVITE",
        "<100", "<180", "<200", ">ACK", "<BYE", ">200",
    ]  # fmt: skip
    realms = [
        [realm for value in invite.headers.get_all("Proxy-Authorization")
         for realm in ("atlanta", "biloxi") if f'realm="{realm}"' in value]
        for invite in seen.requests(">INVITE")
    ]  # fmt: skip
    assert realms == [[], ["atlanta"], ["atlanta", "biloxi"]]
    assert len({invite.call_id for invite in seen.requests(">INVITE")}) == 1


async def test_3_4_proxy_failure(flow: Flow3665) -> None:
    await Relay(P1, beyond=BOB).start(flow.network)
    await Relay(P2, beyond=BOB, realm="atlanta").start(flow.network)
    flow.network.partition(ALICE, P1)
    flow.alice.outbound.launcher.resolver = Known(P1, P2)
    flow.alice.invite(
        SipUri.parse("sip:bob@proxies.example.com"),
        from_=NameAddr.parse("Alice <sip:alice@example.com>"),
        body=OFFER,
        listener=flow.caller,
        credentials=Credentials("alice", "secret"),
    )
    await asyncio.sleep(5)
    await flow.talk(flow.sessions[-1])
    flow.sessions[-1].bye()
    await asyncio.sleep(SHORT)
    seen = Seen(flow.network, ALICE)
    gone = [packet for packet in flow.network.captured if packet.target.host == P1]
    assert len(gone) >= 2
    assert all(packet.data == gone[0].data for packet in gone)
    assert seen.ladder[len(gone) :] == [
        ">INVITE", "<407", ">ACK", ">INVITE", "<100", "<180", "<200", ">ACK", "<BYE", ">200",
    ]  # fmt: skip
    invites = seen.requests(">INVITE")
    assert len({invite.call_id for invite in invites}) == 1
    assert len({invite.via.params["branch"] for invite in invites}) == 3


async def test_3_6_redirect_and_sdp_in_ack(flow: Flow3665) -> None:
    """The redirect is for the program above to follow; the second call has no offer."""
    await Relay(P1, beyond=BOB, moved_to=P2).start(flow.network)
    await Relay(P2, beyond=BOB).start(flow.network)
    flow.invite(P1, body=b"")
    await asyncio.sleep(SHORT)
    assert flow.caller.refused is not None
    (there,) = flow.caller.refused.contacts
    _out, incoming = await flow.call(there.uri.host, b"")
    await flow.talk(incoming)
    incoming.bye()
    await asyncio.sleep(SHORT)
    seen = flow.seen()
    assert seen.ladder == [
        ">INVITE", "<302", ">ACK", ">INVITE", "<100", "<180", "<200", ">ACK", "<BYE", ">200",
    ]  # fmt: skip
    assert [invite.body for invite in seen.requests(">INVITE")] == [b"", b""]
    assert [ack.body for ack in seen.requests(">ACK")] == [b"", MOVED]
    assert seen.responses("<200")[0].body == OFFER
    assert flow.heard[-1].acknowledged == [MOVED]


async def test_3_7_session_with_reinvite(flow: Flow3665) -> None:
    out, incoming = await flow.call()
    await flow.talk(incoming)
    incoming.reinvite(MOVED)
    await asyncio.sleep(SHORT)
    out.bye()
    await asyncio.sleep(SHORT)
    seen = flow.seen()
    assert seen.ladder == [
        ">INVITE", "<100", "<180", "<200", ">ACK", "<INVITE", ">200", "<ACK", ">BYE", "<200",
    ]  # fmt: skip
    (first,), (again,), (bye,) = (seen.requests(step) for step in (">INVITE", "<INVITE", ">BYE"))
    assert again.call_id == first.call_id
    assert (again.to.tag, again.from_.tag) == (first.from_.tag, bye.to.tag)
    assert again.body == MOVED
    assert bye.cseq.number == first.cseq.number + 1


@pytest.mark.parametrize("through", [BOB, P1])
async def test_3_8_no_answer(flow: Flow3665, through: str) -> None:
    await flow.relays()
    out, incoming = await flow.call(through)
    incoming.ring()
    await asyncio.sleep(5)
    out.cancel()
    await asyncio.sleep(SHORT)
    alice, bob = flow.seen(), flow.seen(BOB)
    assert alice.ladder == [">INVITE", "<100", "<180", ">CANCEL", "<200", "<487", ">ACK"]
    assert bob.ladder == ["<INVITE", ">100", ">180", "<CANCEL", ">200", ">487", "<ACK"]
    assert alice.responses("<487")[0].to.tag == alice.responses("<180")[0].to.tag
    assert flow.caller.refused is not None
    assert flow.caller.refused.status == 487


@pytest.mark.parametrize("through", [BOB, P1])
@pytest.mark.parametrize(("section", "status"), [("3.9 busy", 486), ("3.11 unavailable", 480)])
async def test_3_9_and_3_11_refused(flow: Flow3665, section: str, status: int, through: str) -> None:
    await flow.relays()
    _out, incoming = await flow.call(through)
    if section.startswith("3.11"):
        incoming.ring()
    incoming.reject(status)
    await asyncio.sleep(SHORT)
    rings = ["<180"] if section.startswith("3.11") else []
    assert flow.seen().ladder == [">INVITE", "<100", *rings, f"<{status}", ">ACK"], section
    assert flow.caller.refused is not None
    assert flow.caller.refused.status == status


async def test_3_10_no_response_told_by_a_proxy(flow: Flow3665) -> None:
    await flow.relays(refusal=480)
    flow.invite(P1)
    await asyncio.sleep(SHORT)
    assert flow.seen().ladder == [">INVITE", "<480", ">ACK"]
    assert flow.caller.refused is not None
    assert flow.caller.refused.status == 480


async def test_3_10_no_response_told_by_nobody(flow: Flow3665) -> None:
    flow.network.partition(ALICE, BOB)
    flow.invite()
    await asyncio.sleep(40)
    assert flow.seen().ladder == [">INVITE"] * 7


# -- the same through us, between two phones: what a B2BUA makes of it ----------------------------------

THROUGH_US = [
    ("3.8 no answer", Ignore(), 5.0, ["INVITE", "180", "CANCEL", "200", "487", "ACK"]),
    ("3.9 busy", Decline(486), 0.0, ["INVITE", "180", "486", "ACK"]),
    ("3.11 unavailable", Decline(480), 0.0, ["INVITE", "180", "480", "ACK"]),
]


@pytest.mark.parametrize(("section", "how", "patience", "ladder"), THROUGH_US)
async def test_unsuccessful_calls_through_the_switch(
    tmp_path: Path, section: str, how: Behaviour, patience: float, ladder: list[str]
) -> None:
    """Each side has a dialog of its own, and both see the flow of the RFC."""
    async with Centre(tmp_path) as centre:
        phone = await centre.phone("1001", how)
        call = await centre.carrier.call("4008000005")
        await call.ringing()
        if patience:
            await asyncio.sleep(patience)
            await call.hangup()
        await call.ended()
        await asyncio.sleep(SHORT)
        carrier = Seen(centre.network, CARRIER)
        called = Seen(centre.network, phone.host)
        for seen in (carrier, called):
            seen.check()
            words = [word[1:] for word in seen.ladder]
            begin = words.index("INVITE")
            assert [word for word in words[begin:] if word != "100"] == ladder, section
        ours, theirs = carrier.requests(">INVITE")[0], called.requests("<INVITE")[0]
        assert ours.call_id != theirs.call_id
        assert ours.from_.tag != theirs.from_.tag
