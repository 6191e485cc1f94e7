from __future__ import annotations

import asyncio
import weakref
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.negotiate import MediaNegotiation
from sipcc.errors import LocalProtocolError, NoCommonCodec, TransactionTimeout
from sipcc.rtp.events import DigitBegan, DigitEnded, RecordingEnded
from sipcc.rtp.flow import RtpStats, StreamParams
from sipcc.sip import Request, Response
from sipcc.sip.sdp import SessionDescription

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
HELD = OFFER.replace(b"1 1 IN", b"1 2 IN") + b"a=sendonly\r\n"
NO_EVENTS = OFFER.replace(b" 101", b"").replace(b"a=rtpmap telephone-event/8000\r\n", b"")
FOREIGN = OFFER.replace(b"RTP/AVP 0 101", b"RTP/AVP 18")


class Port:
    id = "port-1"
    host, port = "127.0.0.1", 20000

    def __init__(self) -> None:
        self.configured: list[StreamParams] = []
        self.closed = False
        self.on_event: Any = None

    def configure(self, params: StreamParams) -> None:
        self.configured.append(params)

    def read_stats(self) -> RtpStats:
        return RtpStats()

    async def close(self) -> RtpStats:
        self.closed = True
        return RtpStats(packets_received=5)


class Session:
    """Records what a leg asks of its session."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.listener: Any = None
        self.failure: Exception | None = None

    def __getattr__(self, verb: str) -> Any:
        return lambda *args, **kwargs: self.said.append((verb, *args))


class Owner:
    def __init__(self, *, refreshes: bool = False) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.refreshes = refreshes

    def leg_ringing(self, leg: Leg, response: Any) -> None:
        self.told.append(("ringing",))

    def leg_progress(self, leg: Leg, response: Any) -> None:
        self.told.append(("progress", response.status))

    def leg_offered(self, leg: Leg, request: Any) -> Any:
        return None

    def leg_request(self, leg: Leg, inbound: Any) -> None:
        self.told.append(("request", inbound.request.method))

    def leg_answered(self, leg: Leg) -> None:
        self.told.append(("answered",))

    def leg_ended(self, leg: Leg) -> None:
        self.told.append(("ended", leg.end_cause, leg.end_status, leg.ended_by))

    def leg_held(self, leg: Leg, *, held: bool, by_us: bool = False) -> None:
        self.told.append(("held", held))

    def leg_refreshed(self, leg: Leg) -> bool:
        self.told.append(("refreshed",))
        return self.refreshes

    def leg_media(self, leg: Leg, event: Any) -> None:
        self.told.append(("media", event))


def make(role: str, *, refreshes: bool = False) -> tuple[Leg, Session, Owner, Port]:
    port, owner, session = Port(), Owner(refreshes=refreshes), Session()
    negotiation = MediaNegotiation(
        host="127.0.0.1", port=20000, codecs=("PCMU", "PCMA"), ptime_ms=20, session_id=1
    )
    leg = Leg("leg-1", role=role, media=port, negotiation=negotiation, owner=owner)  # type: ignore[arg-type]
    leg.attach(session)  # type: ignore[arg-type]
    return leg, session, owner, port


def verbs(session: Session) -> Sequence[str]:
    return [said[0] for said in session.said]


def answer(status: int, body: bytes = b"", *, tag: str = "b", rseq: str = "") -> Any:
    headers = [("To", f"<sip:b@example.com>;tag={tag}"), ("Content-Type", "application/sdp")]
    return Response.build(status, headers=[*headers, *([("RSeq", rseq)] if rseq else [])], body=body)


def request(method: str, body: bytes = b"", kind: str = "application/sdp") -> Any:
    return Request.build(method, "sip:a@example.com", headers=[("Content-Type", kind)], body=body)


def inbound(method: str, body: bytes, kind: str = "application/dtmf-relay") -> Any:
    return SimpleNamespace(request=request(method, body, kind), reply=lambda status: None)


async def test_a_caller_is_rung_answered_and_hung_up() -> None:
    leg, session, owner, port = make("caller")
    leg.take_offer(OFFER)
    leg.ring()
    leg.accept()
    assert port.configured[0].remote_port == 40000
    leg.on_acknowledged(session, b"")  # type: ignore[arg-type]
    leg.hangup("normal")
    assert verbs(session) == ["ring", "accept", "bye"]
    assert owner.told == [("answered",), ("ended", "normal", 200, "us")]
    assert (await leg.stats()).packets_received == 5
    assert port.closed


async def test_a_late_offer_goes_into_the_200_and_its_answer_comes_in_the_ack() -> None:
    leg, session, owner, port = make("caller")
    leg.take_offer(b"")
    leg.accept()
    assert port.configured == []
    assert b"m=audio 20000 RTP/AVP 0 8 101" in session.said[-1][1]
    leg.on_acknowledged(session, OFFER)  # type: ignore[arg-type]
    assert port.configured[0].codec == "PCMU"
    assert owner.told == [("answered",)]


async def test_a_late_offer_that_gets_no_usable_answer_is_hung_up() -> None:
    leg, session, owner, _ = make("caller")
    leg.take_offer(b"")
    leg.accept()
    leg.on_acknowledged(session, b"")  # type: ignore[arg-type]
    assert verbs(session) == ["accept", "bye"]
    assert owner.told == [("ended", "incompatible", 200, "us")]


async def test_an_offer_without_a_codec_of_ours_is_no_common_codec() -> None:
    leg, _, _, _ = make("caller")
    with pytest.raises(NoCommonCodec):
        leg.take_offer(FOREIGN)


@pytest.mark.parametrize(
    ("cause", "status", "sent"), [("busy", None, 486), ("normal", None, 480), ("declined", 603, 603)]
)
async def test_an_unanswered_caller_is_refused(cause: str, status: int | None, sent: int) -> None:
    leg, session, owner, _ = make("caller")
    leg.hangup(cause, status=status)
    assert session.said[0][:2] == ("reject", sent)
    assert owner.told == [("ended", cause, sent, "us")]


async def test_a_callee_rings_answers_and_leaves() -> None:
    leg, session, owner, port = make("callee")
    leg.negotiation.make_offer()
    leg.on_provisional(session, answer(100))  # type: ignore[arg-type]
    leg.on_provisional(session, answer(180))  # type: ignore[arg-type]
    leg.on_provisional(session, answer(183))  # type: ignore[arg-type]
    leg.on_accepted(session, answer(200, OFFER))  # type: ignore[arg-type]
    leg.on_ended(session, "peer", None)  # type: ignore[arg-type]
    assert owner.told == [
        ("ringing",),
        ("progress", 180),
        ("progress", 183),
        ("answered",),
        ("ended", "normal", 200, "callee"),
    ]
    assert port.configured[0].remote_host == "127.0.0.2"


async def test_a_callee_that_answers_with_a_foreign_codec_is_hung_up() -> None:
    leg, session, owner, _ = make("callee")
    leg.negotiation.make_offer()
    leg.on_accepted(session, answer(200, FOREIGN))  # type: ignore[arg-type]
    assert verbs(session) == ["bye"]
    assert owner.told == [("ended", "incompatible", 488, "us")]


async def test_a_callee_that_answers_after_we_gave_up_is_hung_up() -> None:
    leg, session, owner, _ = make("callee")
    leg.negotiation.make_offer()
    leg.hangup("cancelled")
    leg.on_accepted(session, answer(200, OFFER))  # type: ignore[arg-type]
    assert verbs(session) == ["cancel", "bye"]
    assert owner.told == [("ended", "cancelled", 487, "us")]


@pytest.mark.parametrize(
    ("response", "failure", "told"),
    [
        (answer(486), None, ("ended", "busy", 486, "callee")),
        (None, TransactionTimeout("B"), ("ended", "no_response", 408, "network")),
        (None, None, ("ended", "no_response", 408, "network")),
    ],
)
async def test_a_refusal_or_silence_ends_a_callee(response: Any, failure: Any, told: tuple[Any, ...]) -> None:
    leg, session, owner, _ = make("callee")
    session.failure = failure
    leg.on_rejected(session, response)  # type: ignore[arg-type]
    assert owner.told == [told]


async def test_a_cancel_ends_a_caller_once() -> None:
    leg, session, owner, _ = make("caller")
    leg.on_cancelled(session)  # type: ignore[arg-type]
    leg.hangup("normal")
    assert owner.told == [("ended", "cancelled", 487, "caller")]
    assert session.said == []


async def test_hold_and_resume_are_answered_and_told() -> None:
    leg, session, owner, port = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    leg.on_offer(session, request("INVITE", HELD))  # type: ignore[arg-type]
    leg.on_offer(session, request("INVITE", OFFER.replace(b"1 1 IN", b"1 3 IN")))  # type: ignore[arg-type]
    assert owner.told == [("held", True), ("held", False)]
    assert verbs(session) == ["accept", "answer_offer", "answer_offer"]
    assert [params.send for params in port.configured] == [True, False, True]
    assert leg.state is LegState.ANSWERED


async def test_a_refresh_is_the_owners_if_it_wants_it() -> None:
    leg, session, owner, _ = make("caller", refreshes=True)
    leg.take_offer(OFFER)
    leg.accept()
    leg.on_offer(session, request("INVITE", OFFER))  # type: ignore[arg-type]
    assert owner.told == [("refreshed",)]
    assert verbs(session) == ["accept"]
    leg.answer_refresh(200)
    assert session.said[-1] == ("answer_offer", leg.negotiation.local_body)


async def test_a_refresh_that_nobody_wants_is_answered_at_once() -> None:
    leg, session, _, _ = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    leg.on_offer(session, request("INVITE", OFFER))  # type: ignore[arg-type]
    assert verbs(session) == ["accept", "answer_offer"]


@pytest.mark.parametrize(("body", "status"), [(FOREIGN, 488), (b"rubbish", 400)])
async def test_a_bad_reinvite_is_refused_and_the_call_goes_on(body: bytes, status: int) -> None:
    leg, session, owner, _ = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    leg.on_offer(session, request("INVITE", body))  # type: ignore[arg-type]
    assert session.said[-1][:2] == ("refuse_offer", status)
    assert owner.told == []


async def test_an_offerless_reinvite_gets_our_offer_and_an_update_without_sdp_just_200() -> None:
    leg, session, _, port = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    leg.on_offer(session, request("UPDATE"))  # type: ignore[arg-type]
    assert session.said[-1] == ("answer_offer", b"")
    leg.on_offer(session, request("INVITE"))  # type: ignore[arg-type]
    assert b"m=audio" in session.said[-1][1]
    leg.on_acknowledged(session, HELD)  # type: ignore[arg-type]
    assert port.configured[-1].send is False


@pytest.mark.parametrize(
    ("body", "digit", "duration"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "5", 160),
        (b"Signal= # \r\n", "#", 100),
        (b"Signal=d\n", "D", 100),
    ],
)
async def test_info_digits_count_when_the_peer_has_no_telephone_event(
    body: bytes, digit: str, duration: int
) -> None:
    leg, session, owner, _ = make("caller")
    leg.take_offer(NO_EVENTS)
    leg.on_request(session, inbound("INFO", body))  # type: ignore[arg-type]
    assert owner.told == [
        ("media", DigitBegan("port-1", digit)),
        ("media", DigitEnded("port-1", digit, duration)),
    ]


@pytest.mark.parametrize("body", [b"", b"Signal=\r\n", b"Signal=xx", b"Signal=%", b"Duration=9"])
async def test_info_without_a_key_is_nothing(body: bytes) -> None:
    leg, session, owner, _ = make("caller")
    leg.take_offer(NO_EVENTS)
    leg.on_request(session, inbound("INFO", body))  # type: ignore[arg-type]
    assert owner.told == []


@pytest.mark.parametrize("first", ["info", "events"])
async def test_keys_count_in_the_way_in_which_the_first_one_came(first: str) -> None:
    """Phones that are set to INFO agree to telephone-event all the same, and some send both."""
    leg, session, owner, port = make("caller")
    leg.take_offer(OFFER)
    for key in "56":
        if first == "events":
            port.on_event(DigitBegan("port-1", key))
            port.on_event(DigitEnded("port-1", key, 80))
        leg.on_request(session, inbound("INFO", b"Signal=%b\r\n" % key.encode()))  # type: ignore[arg-type]
        if first == "info":
            port.on_event(DigitBegan("port-1", key))
            port.on_event(DigitEnded("port-1", key, 80))
    assert [event.digit for _, event in owner.told] == ["5", "5", "6", "6"]


async def test_after_the_end_only_the_recording_is_still_told() -> None:
    leg, session, owner, port = make("caller")
    leg.on_cancelled(session)  # type: ignore[arg-type]
    port.on_event(DigitBegan("port-1", "1"))
    recording = RecordingEnded("port-1", "a.wav", 1.0, "closed")
    told: list[RecordingEnded] = []
    leg.on_recorded = told.append
    port.on_event(recording)
    assert owner.told[1:] == []
    assert told == [recording]


async def test_early_media_is_heard_and_the_200_decides() -> None:
    leg, session, owner, port = make("callee")
    leg.negotiation.make_offer()
    leg.on_provisional(session, answer(183, OFFER))  # type: ignore[arg-type]
    assert leg.early
    assert port.configured[-1].remote_port == 40000
    leg.on_provisional(session, answer(180, FOREIGN))  # type: ignore[arg-type]  # not ours: passed over
    leg.on_accepted(session, answer(200, OFFER.replace(b"40000", b"40100")))  # type: ignore[arg-type]
    assert port.configured[-1].remote_port == 40100
    assert owner.told == [("ringing",), ("progress", 183), ("progress", 180), ("answered",)]


async def test_an_answer_in_a_reliable_18x_stands_until_another_fork_answers() -> None:
    leg, session, _, port = make("callee")
    leg.negotiation.make_offer()
    leg.on_provisional(session, answer(183, OFFER, tag="a", rseq="1"))  # type: ignore[arg-type]
    other = OFFER.replace(b"40000", b"40100")
    leg.on_provisional(session, answer(183, other, tag="a"))  # type: ignore[arg-type]
    assert port.configured[-1].remote_port == 40000
    leg.on_accepted(session, answer(200, other, tag="b"))  # type: ignore[arg-type]
    assert port.configured[-1].remote_port == 40100


class Engine:
    """Opens one port, elsewhere."""

    def __init__(self) -> None:
        self.port = Port()
        self.port.id, self.port.host, self.port.port = "port-2", "127.0.0.9", 22000

    async def open(self, *, near: Any = None) -> Port:
        return self.port


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_leg_moves_to_another_port_if_the_far_side_agrees(agreed: bool) -> None:
    leg, session, _, old = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    engine = Engine()
    moving = asyncio.ensure_future(leg.move(engine, near=old))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert session.said[-1][0] == "reinvite"
    assert b"c=IN IP4 127.0.0.9" in session.said[-1][1]
    leg.on_reinvite_answered(session, answer(200, OFFER) if agreed else answer(488))  # type: ignore[arg-type]
    assert await moving is agreed
    assert leg.media is (engine.port if agreed else old)
    assert (old.closed, engine.port.closed) == (agreed, not agreed)
    assert leg.media.on_event is not None


async def test_a_leg_that_ends_while_it_moves_leaves_no_port_open() -> None:
    leg, session, _, old = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    engine = Engine()
    moving = asyncio.ensure_future(leg.move(engine, near=old))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    leg.on_ended(session, "peer", None)  # type: ignore[arg-type]
    assert await moving is False
    assert (old.closed, engine.port.closed) == (True, True)


async def test_a_hold_that_meets_an_offer_is_tried_again_and_given_up() -> None:
    leg, _, owner, _ = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    leg.negotiation._ledger.receive_offer(SessionDescription.parse(OFFER))  # one of the peer is open
    assert await leg.hold() is False
    assert leg.negotiation.local_hold == ""
    assert owner.told == []


async def test_hold_and_resume_tell_the_owner() -> None:
    leg, session, owner, port = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    for verb, body in ((leg.hold, HELD.replace(b"sendonly", b"recvonly")), (leg.resume, OFFER)):
        asking = asyncio.ensure_future(verb())
        await asyncio.sleep(0)
        leg.on_reinvite_answered(session, answer(200, body))  # type: ignore[arg-type]
        assert await asking is True
    assert owner.told == [("held", True), ("held", False)]
    assert [params.receive for params in port.configured] == [True, False, True]


async def test_the_peers_offer_comes_first_while_ours_waits_after_a_491() -> None:
    leg, session, _, port = make("caller")
    leg.take_offer(OFFER)
    leg.accept()
    asking = asyncio.ensure_future(leg.hold())
    await asyncio.sleep(0)
    leg.on_offer(session, request("INVITE", HELD))  # type: ignore[arg-type]
    assert session.said[-1][0] == "answer_offer"
    leg.on_reinvite_answered(session, answer(200, OFFER + b"a=recvonly\r\n"))  # type: ignore[arg-type]
    assert await asking is True
    assert port.configured[-1].send


async def test_a_request_that_is_no_key_is_the_owners() -> None:
    leg, session, owner, _ = make("caller")
    leg.on_request(session, inbound("MESSAGE", b"x", "text/plain"))  # type: ignore[arg-type]
    leg.on_request(session, inbound("INFO", b"x", "text/plain"))  # type: ignore[arg-type]
    assert owner.told == [("request", "MESSAGE"), ("request", "INFO")]


async def test_an_ended_leg_that_has_let_go_does_not_keep_its_call_and_answers_what_comes_late() -> None:
    class Whole(Owner):
        @property
        def call(self) -> Whole:
            return self

    leg, session, _, _ = make("caller")
    owner: Any = Whole()
    leg.owner = owner
    leg.take_offer(OFFER)
    leg.hangup("busy")
    leg.let_go()
    leg.let_go()
    assert leg.owner is owner  # somebody else keeps it still
    gone = weakref.ref(owner)
    del owner
    assert gone() is None
    assert (leg.end_cause, leg.end_status, leg.ended_by) == ("busy", 486, "us")
    statuses: list[int] = []
    late = SimpleNamespace(request=request("MESSAGE", b"hello", "text/plain"), reply=statuses.append)
    leg.on_request(session, late)  # type: ignore[arg-type]
    assert statuses == [481]
    leg.on_offer(session, request("INVITE", HELD))  # type: ignore[arg-type]
    assert "answer_offer" in verbs(session)
    other, its_session, _, _ = make("caller")
    leg.owner.leg_replaced(leg, other)
    assert other.ended
    assert verbs(its_session) == ["reject"]
    with pytest.raises(LocalProtocolError):
        assert leg.owner.call
