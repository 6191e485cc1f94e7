"""Sessions against a peer that is scripted message by message: the races that break B2BUAs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import LocalProtocolError, TransactionTimeout
from sipcc.ids import Ids
from sipcc.sip import (
    Address,
    Credentials,
    Endpoint,
    InboundRequest,
    InviteSession,
    NameAddr,
    Request,
    Response,
    SessionEvents,
    SessionState,
    SipSettings,
    SipUri,
    parse_datagram,
)
from sipcc.sip import response as build_response
from sipcc.sip.build import ack as build_ack
from sipcc.sip.transport.base import Flow
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = OFFER.replace(b"4000", b"5000")


class Log(SessionEvents):
    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.answer: bytes | int | None = ANSWER

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.said.append(("provisional", response.status))

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.said.append(("accepted", response.to.tag))

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("rejected", response and response.status))

    def on_cancelled(self, session: InviteSession) -> None:
        self.said.append(("cancelled",))

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        self.said.append(("acknowledged", body))

    def on_offer(self, session: InviteSession, request: Request) -> None:
        self.said.append(("offer", request.method, request.body))
        if isinstance(self.answer, bytes):
            session.answer_offer(self.answer)
        elif self.answer is not None:
            session.refuse_offer(self.answer)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        self.said.append(("reinvite", response and response.status))

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.said.append(("ended", by))

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        self.said.append((inbound.request.method.lower(), inbound.request.body))
        super().on_request(session, inbound)


class Rig:
    """Our endpoint at 10.0.0.2, and a peer at 10.0.0.1 that only does what the test says."""

    def __init__(self, settings: SipSettings | None = None) -> None:
        self.network = MemoryNetwork()
        self.log = Log()
        self.endpoint = Endpoint(
            settings or SipSettings(listen=("udp:10.0.0.2:5060",), user_agent=""),
            network=self.network.host("10.0.0.2"),
            clock=LoopClock(wall=0.0),
            ids=Ids(random.Random(7)),
        )
        self.endpoint.on_invite = self._on_invite
        self.session: InviteSession
        self.got: list[Request | Response] = []
        self._flow: Flow
        self._branch = 0

    async def start(self) -> None:
        await self.endpoint.start()
        listener = await self.network.listen("udp", Address("10.0.0.1", 5060), self)
        self._flow = listener.flow_to(Address("10.0.0.2", 5060))

    def _on_invite(self, session: InviteSession) -> None:
        session.listener = self.log
        self.session = session

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.got.append(parse_datagram(data))

    def stream_received(self, data: bytes, flow: Flow) -> None:
        raise AssertionError("no streams here")

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        raise AssertionError("no streams here")

    async def send(self, message: Request | Response) -> None:
        self._flow.send(bytes(message))
        await asyncio.sleep(0.001)

    def take(self) -> list[Request | Response]:
        got, self.got = self.got, []
        return got

    def words(self) -> list[str]:
        """What came since the last look, in short."""
        return [f"{m.status} {m.cseq.method}" if isinstance(m, Response) else m.method for m in self.take()]

    # -- the peer calls --------------------------------------------------------------------------

    def make(self, method: str, number: int, *, body: bytes = b"", branch: str = "", tag: str = "p",
             headers: tuple[tuple[str, str], ...] = ()) -> Request:  # fmt: skip
        if not branch:
            self._branch += 1
            branch = f"z9hG4bKp{self._branch}"
        to = "<sip:bob@10.0.0.2>"
        if hasattr(self, "session") and method not in ("CANCEL",) and (method, number) != ("INVITE", 1):
            to += f";tag={self.session.local_tag}"
        lines = [
            ("Via", f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:alice@example.com>;tag={tag}"),
            ("To", to),
            ("Call-ID", self.session.call_id if hasattr(self, "session") else "c1"),
            ("CSeq", f"{number} {method}"),
            ("Contact", "<sip:alice@10.0.0.1:5060>"),
            *headers,
        ]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return Request.build(method, "sip:bob@10.0.0.2", headers=lines, body=body)

    async def ring_in(self, body: bytes = OFFER) -> None:
        await self.send(self.make("INVITE", 1, body=body, branch="z9hG4bKinvite"))

    async def talk_in(self) -> None:
        await self.ring_in()
        self.session.accept(ANSWER)
        await self.send(self.make("ACK", 1))
        self.take()
        self.log.said.clear()

    # -- the peer is called ----------------------------------------------------------------------

    async def call_out(self, body: bytes = OFFER, credentials: Credentials | None = None) -> Request:
        self.session = self.endpoint.invite(
            SipUri.parse("sip:alice@10.0.0.1"),
            from_=NameAddr.parse("<sip:bob@example.com>"),
            body=body,
            listener=self.log,
            credentials=credentials,
        )
        await asyncio.sleep(0.001)
        request = self.take()[0]
        assert isinstance(request, Request)
        return request

    async def answer(self, request: Request, status: int, tag: str = "p", body: bytes = b"",
                     headers: tuple[tuple[str, str], ...] = ()) -> None:  # fmt: skip
        contact = ("Contact", f"<sip:alice-{tag}@10.0.0.1:5060>")
        await self.send(build_response(request, status, to_tag=tag, body=body, headers=[contact, *headers]))

    async def talk_out(self) -> Request:
        request = await self.call_out()
        await self.answer(request, 200, body=ANSWER)
        self.take()
        self.log.said.clear()
        return request

    async def request(self, method: str) -> Request:
        """The one request of that method among what came since the last look, copies aside."""
        found = {bytes(m): m for m in self.take() if isinstance(m, Request) and m.method == method}
        assert len(found) == 1, found
        return next(iter(found.values()))


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.start()
    yield rig
    await asyncio.sleep(200)
    assert (len(rig.endpoint.layer), rig.endpoint.sessions) == (0, 0), "something leaked"
    assert rig.endpoint.counters["crashes"] == 0
    await rig.endpoint.stop()


# -- called ------------------------------------------------------------------------------------------


async def test_2xx_is_repeated_until_the_ack_comes(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await asyncio.sleep(4)
    assert rig.words() == ["100 INVITE"] + ["200 INVITE"] * 4  # 0, 0.5, 1.5, 3.5
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("ACK", 1))
    await asyncio.sleep(60)
    assert rig.words() == []
    assert rig.log.said == [("acknowledged", b"")]
    assert rig.session.state is SessionState.CONFIRMED
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def bye(rig: Rig) -> Request:
    await asyncio.sleep(0.001)
    return await rig.request("BYE")


async def test_no_ack_ends_in_a_bye_at_64_t1(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await asyncio.sleep(31.9)
    assert "BYE" not in rig.words()
    await asyncio.sleep(0.2)
    assert rig.words()[:1] == ["BYE"]
    assert rig.log.said == [("ended", "network")]


async def test_a_bye_waits_for_the_ack(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    rig.session.bye()
    assert rig.log.said == [("ended", "us")]
    await asyncio.sleep(0.7)
    assert rig.words() == ["100 INVITE", "200 INVITE", "200 INVITE"]
    await rig.send(rig.make("ACK", 1))
    await rig.answer(await bye(rig), 200)
    assert rig.log.said == [("ended", "us")]


async def test_a_bye_that_waits_leaves_at_64_t1_without_ack(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    rig.session.bye()
    await asyncio.sleep(32.1)
    assert rig.words()[-1] == "BYE"
    assert rig.log.said == [("ended", "us")]


async def test_the_ack_that_comes_after_the_peers_bye(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await rig.send(rig.make("BYE", 2))
    await rig.send(rig.make("ACK", 1))
    assert rig.words() == ["100 INVITE", "200 INVITE", "200 BYE"]
    assert rig.log.said == [("ended", "peer")]
    await asyncio.sleep(10)
    assert rig.words() == []


async def test_cancel_and_a_second_cancel(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.ring()
    for branch in ("z9hG4bKinvite", "z9hG4bKinvite"):
        await rig.send(rig.make("CANCEL", 1, branch=branch))
    assert rig.words() == ["100 INVITE", "180 INVITE", "200 CANCEL", "487 INVITE", "200 CANCEL"]
    rig.session.accept(ANSWER)
    rig.session.reject(486)
    rig.session.ring()
    assert rig.log.said == [("cancelled",)]
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


async def test_cancel_after_the_final_answer_changes_nothing(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await rig.send(rig.make("CANCEL", 1, branch="z9hG4bKinvite"))
    assert rig.words() == ["100 INVITE", "200 INVITE", "200 CANCEL"]
    assert rig.session.state is SessionState.ACCEPTED
    await rig.send(rig.make("ACK", 1))
    assert rig.session.state is SessionState.CONFIRMED
    await rig.send(rig.make("BYE", 2))


async def test_cancel_of_nothing_is_481(rig: Rig) -> None:
    await rig.send(rig.make("CANCEL", 1))
    assert rig.words() == ["481 CANCEL"]


async def test_bye_in_an_early_dialog(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.ring()
    await rig.send(rig.make("BYE", 2))
    assert rig.words() == ["100 INVITE", "180 INVITE", "200 BYE", "487 INVITE"]
    assert rig.log.said == [("cancelled",)]
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


async def test_late_offer_in(rig: Rig) -> None:
    await rig.ring_in(body=b"")
    rig.session.accept(OFFER)
    await rig.send(rig.make("INVITE", 2, body=OFFER))
    assert rig.words()[-1] == "491 INVITE"  # our own offer still has no answer
    await rig.send(rig.make("ACK", 1, body=ANSWER))
    assert rig.log.said == [("acknowledged", ANSWER)]
    await rig.send(rig.make("BYE", 3))


async def test_provisionals_are_repeated_each_minute(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.ring()
    await asyncio.sleep(121)
    assert rig.words() == ["100 INVITE", "180 INVITE", "180 INVITE", "180 INVITE"]
    rig.session.reject(480)
    await asyncio.sleep(0.01)
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


async def test_verbs_in_the_wrong_state(rig: Rig) -> None:
    await rig.ring_in()
    for verb in (rig.session.bye, rig.session.cancel, lambda: rig.session.reinvite(OFFER),
                 rig.session.acknowledge, lambda: rig.session.reject(200)):  # fmt: skip
        with pytest.raises(LocalProtocolError):
            verb()
    rig.session.accept(ANSWER)
    for verb in (rig.session.ring, lambda: rig.session.accept(ANSWER), lambda: rig.session.reject(486),
                 lambda: rig.session.answer_offer(ANSWER)):  # fmt: skip
        with pytest.raises(LocalProtocolError):
            verb()
    await rig.send(rig.make("BYE", 2))
    rig.session.bye()


# -- in dialog ---------------------------------------------------------------------------------------


async def test_cseq_order(rig: Rig) -> None:
    await rig.talk_in()
    await rig.send(rig.make("INFO", 5, body=b"x"))
    await rig.send(rig.make("INFO", 4))
    await rig.send(rig.make("INFO", 6, tag="other"))
    await rig.send(rig.make("REFER", 7))
    await rig.send(rig.make("OPTIONS", 8))
    await rig.send(rig.make("INFO", 9, headers=(("Require", "magic"),)))
    assert rig.words() == ["200 INFO", "500 INFO", "481 INFO", "405 REFER", "200 OPTIONS", "420 INFO"]
    assert rig.log.said == [("info", b"x"), ("refer", b"")]
    await rig.send(rig.make("BYE", 10))


async def test_reinvite_and_update_in(rig: Rig) -> None:
    await rig.talk_in()
    await rig.send(rig.make("INVITE", 2, body=OFFER))
    await rig.send(rig.make("ACK", 2))
    await rig.send(rig.make("UPDATE", 3))
    rig.log.answer = 488
    await rig.send(rig.make("INVITE", 4, body=OFFER))
    assert rig.words() == ["200 INVITE", "200 UPDATE", "488 INVITE"]
    assert rig.log.said == [
        ("offer", "INVITE", OFFER),
        ("acknowledged", b""),
        ("offer", "UPDATE", b""),
        ("offer", "INVITE", OFFER),
    ]
    await rig.send(rig.make("BYE", 5))


async def test_overlapping_reinvite_is_500_with_retry_after(rig: Rig) -> None:
    await rig.talk_in()
    rig.log.answer = None
    await rig.send(rig.make("INVITE", 2, body=OFFER, branch="z9hG4bKfirst"))
    await rig.send(rig.make("INVITE", 3, body=OFFER))
    first, second = rig.take()
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (first.status, second.status) == (100, 500)
    assert 0 <= int(second.headers.get("Retry-After") or "-1") <= 10
    await rig.send(rig.make("CANCEL", 2, branch="z9hG4bKfirst"))
    assert rig.words() == ["200 CANCEL", "487 INVITE"]
    rig.session.answer_offer(ANSWER)  # too late, and passed over
    with pytest.raises(LocalProtocolError):
        rig.session.answer_offer(ANSWER)
    await rig.send(rig.make("BYE", 4))


async def test_reinvite_while_the_call_ends(rig: Rig) -> None:
    await rig.talk_in()
    rig.log.answer = None
    await rig.send(rig.make("INVITE", 2, body=OFFER))
    await rig.send(rig.make("BYE", 3))
    await rig.send(rig.make("INVITE", 4, body=OFFER))
    assert rig.words() == ["100 INVITE", "200 BYE", "487 INVITE", "481 INVITE"]


async def test_bye_crosses_our_reinvite_which_is_still_acknowledged(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    reinvite = await rig.request("INVITE")
    await rig.send(rig.make("BYE", 2))
    await rig.answer(reinvite, 200, body=ANSWER)
    assert rig.words() == ["200 BYE", "ACK"]
    assert rig.log.said == [("ended", "peer")]


async def test_reinvite_out(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    with pytest.raises(LocalProtocolError):
        rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    reinvite = await rig.request("INVITE")
    assert str(reinvite.uri) == "sip:alice@10.0.0.1:5060"
    await rig.answer(reinvite, 100)
    await rig.answer(reinvite, 200, tag="p", body=ANSWER)
    await rig.answer(reinvite, 200, tag="p", body=ANSWER)
    assert rig.words() == ["ACK", "ACK"]
    assert rig.log.said == [("reinvite", 200)]
    assert str(rig.session.remote_contact) == "sip:alice-p@10.0.0.1:5060"
    await rig.send(rig.make("BYE", 2))


async def test_offerless_reinvite_out(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(b"")
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("INVITE"), 200, body=OFFER)
    assert rig.words() == []
    rig.session.acknowledge(ANSWER)
    await asyncio.sleep(0.001)
    assert (await rig.request("ACK")).body == ANSWER
    await rig.send(rig.make("BYE", 2))


@pytest.mark.parametrize("role", ["uas", "uac"])
async def test_glare(rig: Rig, role: str) -> None:
    await (rig.talk_in() if role == "uas" else rig.talk_out())
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    ours = await rig.request("INVITE")
    theirs = rig.make("INVITE", 20, body=OFFER)
    theirs.headers.set("Call-ID", rig.session.call_id)
    await rig.send(theirs)
    assert rig.words() == ["491 INVITE"]
    await rig.send(build_ack(theirs, build_response(theirs, 491)))
    await rig.answer(ours, 491)
    assert rig.words() == ["ACK"]
    low, high = (0.0, 2.0) if role == "uas" else (2.1, 4.0)
    await asyncio.sleep(max(0.0, low - 0.01))
    assert rig.words() == []
    await asyncio.sleep(high - low + 0.02)
    again = await rig.request("INVITE")
    assert again.cseq.number == ours.cseq.number + 1
    await rig.answer(again, 200, body=ANSWER)
    assert rig.log.said == [("reinvite", 200)]
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_481_to_a_reinvite_ends_the_session(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("INVITE"), 481)
    assert rig.log.said == [("reinvite", 481), ("ended", "network")]


async def test_a_reinvite_without_answer_ends_in_a_bye(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(33)
    assert rig.log.said == [("reinvite", None), ("ended", "network")]
    assert rig.words()[-1] == "BYE"


async def test_requests_in_the_dialog_and_their_answers(rig: Rig) -> None:
    await rig.talk_in()
    answers: list[Response | None] = []
    rig.session.send_request(
        "INFO", body=b"Signal=1", content_type="application/dtmf-relay", on_response=answers.append
    )
    await asyncio.sleep(0.001)
    info = await rig.request("INFO")
    assert (info.content_type, info.body) == ("application/dtmf-relay", b"Signal=1")
    await rig.answer(info, 200)
    rig.session.send_request("INFO", on_response=answers.append)
    await asyncio.sleep(33)
    assert [a and a.status for a in answers] == [200, None]
    rig.take()
    await rig.send(rig.make("BYE", 2))


# -- calling -----------------------------------------------------------------------------------------


async def test_the_to_tag_of_the_2xx_wins(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 180, tag="one")
    await rig.answer(request, 200, tag="two", body=ANSWER)
    ack = await rig.request("ACK")
    assert ack.to.tag == "two"
    assert rig.log.said == [("provisional", 180), ("accepted", "two")]
    rig.session.bye()
    end = await bye(rig)
    assert end.to.tag == "two"
    await rig.answer(end, 200)


async def test_forks_are_acknowledged_and_hung_up(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 183, tag="a")
    await rig.answer(request, 180, tag="b")
    await rig.answer(request, 200, tag="a", body=ANSWER)
    assert rig.words() == ["ACK"]
    await rig.answer(request, 200, tag="b", body=ANSWER)
    ack, end = rig.take()
    assert isinstance(ack, Request)
    assert isinstance(end, Request)
    assert (ack.method, ack.to.tag, end.method, end.to.tag) == ("ACK", "b", "BYE", "b")
    assert str(end.uri) == "sip:alice-b@10.0.0.1:5060"
    await rig.answer(end, 200)
    await rig.answer(request, 200, tag="b", body=ANSWER)
    await rig.answer(request, 200, tag="a", body=ANSWER)
    assert rig.words() == ["ACK", "ACK"]
    assert rig.log.said == [("provisional", 183), ("provisional", 180), ("accepted", "a")]
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_cancel_waits_for_a_provisional(rig: Rig) -> None:
    request = await rig.call_out()
    rig.session.cancel(reason="SIP;cause=200")
    await asyncio.sleep(0.1)
    assert rig.words() == []
    await rig.answer(request, 100)
    killer = await rig.request("CANCEL")
    assert killer.via.branch == request.via.branch
    assert killer.headers.get("Reason") == "SIP;cause=200"
    await rig.answer(killer, 200)
    await rig.answer(request, 180)
    await rig.answer(request, 487)
    assert rig.words() == ["ACK"]
    assert rig.log.said == [("rejected", 487)]


async def test_cancel_crosses_a_200(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 180)
    rig.session.cancel()
    await asyncio.sleep(0.001)
    killer = await rig.request("CANCEL")
    await rig.answer(request, 200, body=ANSWER)
    await rig.answer(killer, 481)
    ack, end = rig.take()
    assert isinstance(end, Request)
    assert [ack.cseq.method, end.cseq.method] == ["ACK", "BYE"]
    await rig.answer(end, 200)
    assert rig.log.said == [("provisional", 180), ("rejected", None)]
    assert rig.session.failure is None


async def test_a_cancel_that_nobody_heeds_ends_at_64_t1(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 180)
    rig.session.cancel()
    await asyncio.sleep(31)
    assert rig.log.said == [("provisional", 180)]
    await asyncio.sleep(1.1)
    assert rig.log.said == [("provisional", 180), ("rejected", None)]


async def test_cancel_after_the_answer_is_a_bye(rig: Rig) -> None:
    await rig.talk_out()
    rig.session.cancel(reason="SIP;cause=200")
    end = await bye(rig)
    assert end.headers.get("Reason") == "SIP;cause=200"
    await rig.answer(end, 200)
    assert rig.log.said == [("ended", "us")]


async def test_timer_b(rig: Rig) -> None:
    await rig.call_out()
    await asyncio.sleep(32.1)
    assert rig.log.said == [("rejected", None)]
    assert isinstance(rig.session.failure, TransactionTimeout)


async def test_late_offer_out(rig: Rig) -> None:
    request = await rig.call_out(body=b"")
    await rig.answer(request, 200, body=OFFER)
    await rig.answer(request, 200, body=OFFER)
    assert rig.words() == []
    rig.session.acknowledge(ANSWER)
    await asyncio.sleep(0.001)
    assert (await rig.request("ACK")).body == ANSWER
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_an_owed_ack_leaves_before_the_bye(rig: Rig) -> None:
    request = await rig.call_out(body=b"")
    await rig.answer(request, 200, body=OFFER)
    rig.session.bye()
    await asyncio.sleep(0.001)
    ack, end = rig.take()
    assert isinstance(end, Request)
    assert [ack.cseq.method, end.cseq.method] == ["ACK", "BYE"]
    await rig.answer(end, 200)


async def test_crossing_byes(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.bye()
    ours = await bye(rig)
    await rig.send(rig.make("BYE", 2))
    await rig.answer(ours, 481)
    assert rig.words() == ["200 BYE"]
    assert rig.log.said == [("ended", "us")]


async def test_a_called_party_may_not_say_bye_before_it_answers(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 180)
    wrong = rig.make("BYE", 1)
    wrong.headers.set("Call-ID", rig.session.call_id)
    await rig.send(wrong)
    assert rig.words() == ["481 BYE"]
    await rig.answer(request, 486)
    assert rig.log.said == [("provisional", 180), ("rejected", 486)]


CHALLENGE = 'Digest realm="example.com", nonce="{}", algorithm=MD5, qop="auth"'


async def test_a_challenge_is_answered_once_per_nonce(rig: Rig) -> None:
    request = await rig.call_out(credentials=Credentials("bob", "secret"))
    for nonce in ("n1", "n2"):
        await rig.answer(request, 407, headers=(("Proxy-Authenticate", CHALLENGE.format(nonce)),))
        ack, again = rig.take()
        assert isinstance(again, Request)
        assert (ack.cseq.number, again.cseq.number) == (request.cseq.number, request.cseq.number + 1)
        assert again.call_id == request.call_id
        assert again.from_.tag == request.from_.tag
        assert again.via.branch != request.via.branch
        assert f'nonce="{nonce}"' in (again.headers.get("Proxy-Authorization") or "")
        assert len(again.headers.get_all("Proxy-Authorization")) == 1
        request = again
    await rig.answer(request, 200, body=ANSWER)
    ack = await rig.request("ACK")
    assert ack.cseq.number == request.cseq.number
    assert ack.headers.get("Proxy-Authorization") == request.headers.get("Proxy-Authorization")
    rig.session.bye()
    end = await bye(rig)
    assert end.cseq.number == request.cseq.number + 1
    await rig.answer(end, 200)


@pytest.mark.parametrize("nonces", [["n1", "n1"], ["n1", "n2", "n3"]])
async def test_but_not_for_ever(rig: Rig, nonces: list[str]) -> None:
    request = await rig.call_out(credentials=Credentials("bob", "secret"))
    for nonce in nonces:
        await rig.answer(request, 401, headers=(("WWW-Authenticate", CHALLENGE.format(nonce)),))
        requests = [m for m in rig.take() if isinstance(m, Request) and m.method == "INVITE"]
        if requests:
            request = requests[0]
    assert rig.log.said == [("rejected", 401)]


async def test_a_challenge_without_credentials_is_a_refusal(rig: Rig) -> None:
    request = await rig.call_out()
    await rig.answer(request, 401, headers=(("WWW-Authenticate", CHALLENGE.format("n")),))
    assert rig.log.said == [("rejected", 401)]
