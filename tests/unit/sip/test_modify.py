"""Offers under way after the answer, on a session whose host only writes down what it is asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import pytest

from sipcc.errors import LocalProtocolError, TransactionTimeout, TransportError
from sipcc.ids import Ids
from sipcc.sip import Request, Response, SessionState, Timers
from sipcc.sip import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.modify import MAX_GLARE_RETRIES
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import AckSent, Exchange
from sipcc.sip.session_timer import TimerPolicy
from sipcc.sip.transaction.machine import ServerTransaction

SDP = b"v=0\r\n"
HEAD = [
    ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
    ("From", "<sip:a@example.com>;tag=p"),
    ("To", "<sip:b@example.com>"),
    ("Call-ID", "c"),
    ("Contact", "<sip:a@10.0.0.1>"),
]


class Host:
    """A `SessionHost` without a network."""

    def __init__(self) -> None:
        self.ids = Ids(random.Random(3))
        self.timers = Timers()
        self.session_timer = TimerPolicy()
        self.allow = "INVITE"
        self.supported = ""
        self.request_headers: list[tuple[str, str]] = []
        self.response_headers: list[tuple[str, str]] = []
        self.time = 0.0
        self.out: list[Exchange] = []
        self.said: list[str] = []

    def now(self) -> float:
        return self.time

    def contact(self, session: InviteSession) -> str:
        return "<sip:b@10.0.0.2>"

    def send(
        self,
        session: InviteSession,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        dialog: Dialog | None,
    ) -> Exchange:
        self.said.append(request.method)
        self.out.append(Exchange(request, on_response, on_failure))
        return self.out[-1]

    def send_ack(self, session: InviteSession, request: Request, dialog: Dialog) -> AckSent:
        self.said.append("ACK")
        return AckSent(None, b"")

    def repeat_ack(self, ack: AckSent) -> None:
        self.said.append("ACK again")

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        self.said.append(str(response.status))

    def changed(self, session: InviteSession) -> None: ...

    def timer_fired(self, session: InviteSession, name: str, now: float) -> None: ...
    def finished(self, session: InviteSession) -> None: ...

    def take(self) -> list[str]:
        said, self.said = self.said, []
        return said


class Listener:
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_offer(self, session: InviteSession, request: Request) -> None:
        self.told.append(request.method)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        self.told.append(response and response.status)

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        self.told.append(by)


class Served:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.flow = None
        self.user: object = None


def theirs(method: str, number: int, body: bytes = b"", content_type: str = "application/sdp") -> Any:
    headers = [*HEAD, ("CSeq", f"{number} {method}")]
    if body:
        headers.append(("Content-Type", content_type))
    return Served(Request.build(method, "sip:b@10.0.0.2", headers=headers, body=body))


class Talk:
    """A confirmed session of either role."""

    def __init__(self, role: str = "uas") -> None:
        self.host = Host()
        invite = theirs("INVITE", 1, SDP).request
        self.session = InviteSession(cast(Any, self.host), invite, cast(Any, None), "u")
        self.session.role = cast(Any, role)
        self.session.dialog = Dialog.of_request(invite, "u")
        self.session.state = SessionState.CONFIRMED
        self.listener = Listener()
        self.session.listener = cast(Any, self.listener)

    def answer(self, status: int, which: int = -1) -> None:
        exchange = self.host.out[which]
        exchange.on_response(build_response(exchange.request, status, to_tag="p"))

    def wait(self, seconds: float) -> None:
        self.host.time += seconds
        self.session.expire(now=self.host.time)


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (200, ["ACK"], [200]),
        (488, [], [488]),
        (481, [], [481, "network"]),
        (408, ["BYE"], [408, "network"]),
    ],
)
def test_the_answer_to_our_reinvite(status: int, said: list[str], told: list[object]) -> None:
    talk = Talk()
    talk.session.reinvite(SDP)
    talk.answer(180)
    assert talk.host.take() == ["INVITE"]
    talk.answer(status)
    assert (talk.host.take(), talk.listener.told) == (said, told)


@pytest.mark.parametrize(
    ("error", "said", "told"),
    [
        (TransactionTimeout("B"), ["BYE"], [None, "network"]),
        (TransportError("gone"), [], [None]),
    ],
)
def test_no_answer_to_our_reinvite(error: Exception, said: list[str], told: list[object]) -> None:
    talk = Talk()
    talk.session.reinvite(SDP)
    talk.host.take()
    talk.host.out[-1].on_failure(error)
    assert (talk.host.take(), talk.listener.told) == (said, told)


def test_a_copy_of_the_2xx_gets_a_copy_of_the_ack() -> None:
    talk = Talk()
    talk.session.reinvite(SDP)
    talk.answer(200)
    talk.answer(200)
    assert talk.host.take() == ["INVITE", "ACK", "ACK again"]
    assert talk.listener.told == [200]


@pytest.mark.parametrize(("role", "low", "high"), [("uas", 0.0, 2.0), ("uac", 2.1, 4.0)])
def test_glare_is_retried_within_its_bounds_and_not_for_ever(role: str, low: float, high: float) -> None:
    talk = Talk(role)
    talk.session.reinvite(SDP)
    for _ in range(MAX_GLARE_RETRIES):
        talk.host.take()
        talk.answer(491)
        with pytest.raises(LocalProtocolError):
            talk.session.reinvite(SDP)
        deadline = talk.session.deadline
        assert deadline is not None
        assert low <= deadline - talk.host.time <= high
        talk.wait(deadline - talk.host.time)
        assert talk.host.take() == ["INVITE"]
    assert talk.listener.told == []
    talk.answer(491)
    assert talk.listener.told == [491]


def test_a_retry_waits_while_the_peer_has_an_offer() -> None:
    talk = Talk()
    talk.session.reinvite(SDP)
    talk.answer(491)
    talk.session.receive(theirs("INVITE", 2, SDP))
    talk.host.take()
    talk.wait(2.0)
    assert talk.host.take() == []
    talk.session.refuse_offer(488)
    talk.wait(2.0)
    assert talk.host.take() == ["488", "INVITE"]


@pytest.mark.parametrize(
    ("incoming", "status"),
    [
        (theirs("INVITE", 2, b"x", "text/plain"), "415"),
        (theirs("UPDATE", 2, b"x", "text/plain"), "415"),
        (theirs("INVITE", 1, SDP), "500"),  # its number was used before
    ],
)
def test_offers_that_nobody_hears_of(incoming: Any, status: str) -> None:
    talk = Talk()
    talk.session.receive(incoming)
    assert (talk.host.take(), talk.listener.told) == ([status], [])


def test_their_offer_while_ours_is_under_way_is_glare() -> None:
    talk = Talk()
    talk.session.reinvite(SDP)
    talk.session.receive(theirs("INVITE", 2, SDP))
    assert talk.host.take() == ["INVITE", "491"]


def test_a_second_offer_of_theirs_has_to_wait() -> None:
    talk = Talk()
    talk.session.receive(theirs("INVITE", 2, SDP))
    talk.session.receive(theirs("UPDATE", 3, SDP))
    with pytest.raises(LocalProtocolError):
        talk.session.reinvite(SDP)
    talk.session.answer_offer(SDP)
    with pytest.raises(LocalProtocolError):
        talk.session.answer_offer(SDP)
    assert talk.host.take() == ["100", "500", "200"]
    assert talk.listener.told == ["INVITE"]
    assert talk.session.deadline == 0.5  # the 200 waits for its ACK


def test_an_update_needs_no_ack() -> None:
    talk = Talk()
    talk.session.receive(theirs("UPDATE", 2))
    talk.session.answer_offer(b"")
    assert (talk.host.take(), talk.session.deadline) == (["200"], None)


def test_without_a_listener_offers_are_refused() -> None:
    talk = Talk()
    talk.session.listener = None
    talk.session.receive(theirs("INVITE", 2, SDP))
    assert talk.host.take() == ["488"]


def test_an_offer_that_the_peer_withdrew() -> None:
    talk = Talk()
    incoming = theirs("INVITE", 2, SDP)
    talk.session.receive(incoming)
    talk.session.receive_cancel(incoming)
    assert talk.host.take() == ["100", "487"]
    talk.session.answer_offer(SDP)  # too late, and no mistake of its caller
    assert talk.host.take() == []


@pytest.mark.parametrize("updates", [False, True])
def test_a_refresh_repeats_our_description_and_is_told_to_nobody(updates: bool) -> None:
    talk = Talk()
    talk.host.session_timer = TimerPolicy("supported")
    talk.session = InviteSession(cast(Any, talk.host), talk.session.request, cast(Any, None), "u")
    talk.session.role = "uas"
    talk.session.dialog = Dialog.of_request(talk.session.request, "u")
    talk.session.state = SessionState.CONFIRMED
    talk.session.listener = cast(Any, talk.listener)
    talk.session.local_body = SDP
    talk.session.timer.peer_updates = updates
    talk.session.timer.take_answer(build_response(talk.session.request, 200), now=0.0)
    talk.session.set_due("timer", 900.0)
    talk.wait(900.0)
    assert talk.host.out[-1].request.body == (b"" if updates else SDP)
    talk.answer(200)
    assert talk.host.take() == (["UPDATE"] if updates else ["INVITE", "ACK"])
    assert talk.listener.told == []
    assert (talk.session.deadline or 0.0) > 1700.0
