"""RFC 3262, reliable provisional responses: both roles against a peer that does only what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.unit.sip.test_session import ANSWER, OFFER, Rig, bye

from sipcc.errors import LocalProtocolError
from sipcc.sip import InviteSession, Request, Response, SessionPolicy, SessionState

KNOWS = ("Supported", "100rel")
DEMANDS = ("Require", "100rel")
Start = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    rigs: list[Rig] = []

    async def make(reliable: str = "supported") -> Rig:
        rig = Rig()
        policy = SessionPolicy(reliable=reliable)  # type: ignore[arg-type]
        rig.endpoint.policy_of = lambda _admitted: policy
        await rig.start()
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        await asyncio.sleep(200)
        assert (len(rig.endpoint.layer), rig.endpoint.sessions) == (0, 0), "something leaked"
        assert rig.endpoint.outbound.deadlines.first is None
        assert rig.endpoint.counters["crashes"] == 0
        await rig.endpoint.stop()


async def ring_in(rig: Rig, *headers: tuple[str, str], body: bytes = OFFER) -> None:
    await rig.send(rig.make("INVITE", 1, body=body, branch="z9hG4bKinvite", headers=headers or (KNOWS,)))


async def provisional(rig: Rig) -> Response:
    """The last provisional response."""
    await asyncio.sleep(0.001)
    return [m for m in rig.take() if isinstance(m, Response) and 100 < m.status < 200][-1]


def prack(
    rig: Rig, number: int, response: Response, *, body: bytes = b"", rseq: int | None = None
) -> Request:
    rack = rseq if rseq is not None else int(response.headers.get("RSeq") or 0)
    return rig.make("PRACK", number, body=body, headers=(("RAck", f"{rack} 1 INVITE"),))


async def end_in(rig: Rig) -> None:
    """The caller gives up."""
    await rig.send(rig.make("CANCEL", 1, branch="z9hG4bKinvite"))
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


# -- called: what a policy allows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "header", "status", "said"),
    [
        ("off", DEMANDS, 420, ("Unsupported", "100rel")),
        ("required", None, 421, ("Require", "100rel")),
        ("required", KNOWS, 0, None),
        ("supported", None, 0, None),
        ("off", KNOWS, 0, None),
    ],
)
async def test_who_may_call(start: Start, policy: str, header: tuple[str, str] | None, status: int,
                            said: tuple[str, str] | None) -> None:  # fmt: skip
    rig = await start(policy)
    await rig.send(
        rig.make("INVITE", 1, body=OFFER, branch="z9hG4bKinvite", headers=(header,) if header else ())
    )
    answer = rig.take()[-1]
    assert isinstance(answer, Response)
    if status:
        assert answer.status == status
        assert said is not None
        assert answer.headers.get(said[0]) == said[1]
        await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))
        return
    rig.session.ring()
    ringing = await provisional(rig)
    assert ("RSeq" in ringing.headers) == (policy != "off" and header is not None)
    if "RSeq" in ringing.headers:
        await rig.send(prack(rig, 2, ringing))
    await end_in(rig)


async def test_what_ring_refuses(start: Start) -> None:
    rig = await start("supported")
    await rig.send(rig.make("INVITE", 1, branch="z9hG4bKinvite"))
    with pytest.raises(LocalProtocolError, match="knows no reliable"):
        rig.session.ring(reliable=True)
    with pytest.raises(LocalProtocolError, match="unreliable"):
        rig.session.ring(183, body=OFFER)
    await end_in(rig)


async def test_a_caller_that_demands_gets_no_unreliable_one(start: Start) -> None:
    rig = await start("supported")
    await ring_in(rig, DEMANDS)
    with pytest.raises(LocalProtocolError, match="demands"):
        rig.session.ring(reliable=False)
    await end_in(rig)


# -- called: repetition, order, acknowledgement ----------------------------------------------------------


async def test_repeated_at_t1_doubling_until_the_prack(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring()
    await asyncio.sleep(7.6)
    got = [m for m in rig.take() if isinstance(m, Response) and m.status == 180]
    assert len(got) == 5  # 0, 0.5, 1.5, 3.5, 7.5
    assert len({bytes(m) for m in got}) == 1
    await rig.send(prack(rig, 2, got[0]))
    await asyncio.sleep(30)
    assert rig.words() == ["200 PRACK"]
    await end_in(rig)


async def test_no_prack_in_64_t1_refuses_the_call(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring()
    await asyncio.sleep(31.9)
    assert "504 INVITE" not in rig.words()
    await asyncio.sleep(0.2)
    assert rig.words() == ["504 INVITE"]
    assert rig.log.said == [("ended", "network")]
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))


async def test_a_wrong_rack_is_481_and_changes_nothing(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(183, body=ANSWER)
    early = await provisional(rig)
    rseq = int(early.headers.get("RSeq") or 0)
    rig.session.accept(ANSWER)
    await rig.send(prack(rig, 2, early, rseq=rseq + 1))
    await rig.send(rig.make("PRACK", 3, headers=(("RAck", f"{rseq} 2 INVITE"),)))
    await rig.send(rig.make("PRACK", 4, headers=(("RAck", f"{rseq} 1 UPDATE"),)))
    await rig.send(rig.make("PRACK", 5, headers=(("RAck", "1_0 1 INVITE"),)))
    await rig.send(rig.make("PRACK", 6))
    assert [w for w in rig.words() if "PRACK" in w] == ["481 PRACK"] * 3 + ["400 PRACK"] * 2
    assert rig.session.state is SessionState.EARLY  # the 200 waits for the right one
    await rig.send(prack(rig, 7, early))
    await rig.send(prack(rig, 8, early))
    assert rig.words() == ["200 PRACK", "200 INVITE", "481 PRACK"]
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 9))


async def test_several_leave_one_after_the_other_with_rising_rseq(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(180)
    rig.session.ring(183, body=ANSWER)
    rig.session.ring(181)
    seen = []
    for number in (2, 3, 4):
        response = await provisional(rig)
        seen.append((response.status, int(response.headers.get("RSeq") or 0), bool(response.body)))
        await rig.send(prack(rig, number, response))
    first = seen[0][1]
    assert 1 <= first < 2**31
    assert seen == [(180, first, False), (183, first + 1, True), (181, first + 2, False)]
    rig.session.accept(ANSWER)
    answer = await final(rig)
    assert not answer.body  # RFC 6337 §3.1.1: settled in the 183
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 9))


async def final(rig: Rig) -> Response:
    await asyncio.sleep(0.001)
    return [
        m for m in rig.take() if isinstance(m, Response) and m.status >= 200 and m.cseq.method == "INVITE"
    ][-1]


async def test_a_200_without_need_does_not_wait_and_a_late_prack_is_taken(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(180)
    ringing = await provisional(rig)
    rig.session.accept(ANSWER)
    assert (await final(rig)).body == ANSWER
    await rig.send(rig.make("ACK", 1))
    await rig.send(prack(rig, 2, ringing))
    assert rig.words() == ["200 PRACK"]
    await asyncio.sleep(20)
    assert rig.words() == []
    await rig.send(rig.make("BYE", 3))


@pytest.mark.parametrize("how", ["cancel", "reject"])
async def test_a_late_prack_after_the_end_of_the_call(start: Start, how: str) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(180)
    ringing = await provisional(rig)
    if how == "cancel":
        await rig.send(rig.make("CANCEL", 1, branch="z9hG4bKinvite"))
    else:
        rig.session.reject(486)
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))
    rig.take()
    await rig.send(prack(rig, 2, ringing))
    await rig.send(prack(rig, 3, ringing))
    assert rig.words() == ["200 PRACK", "481 PRACK"]


async def test_a_prack_that_a_later_request_overtook(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(180)
    ringing = await provisional(rig)
    await rig.send(rig.make("OPTIONS", 3))
    await rig.send(prack(rig, 2, ringing))
    assert rig.words() == ["200 OPTIONS", "200 PRACK"]
    await end_in(rig)


async def test_a_bye_of_ours_while_the_200_waits(start: Start) -> None:
    rig = await start()
    await ring_in(rig)
    rig.session.ring(183, body=ANSWER)
    early = await provisional(rig)
    rig.session.accept(ANSWER)
    rig.session.bye()
    assert rig.log.said == [("ended", "us")]
    await rig.send(rig.make("ACK", 1, branch="z9hG4bKinvite"))
    await rig.send(prack(rig, 2, early))
    assert rig.words() == ["480 INVITE", "200 PRACK"]


# -- called: offers ------------------------------------------------------------------------------------


async def test_an_offer_in_a_reliable_183_is_answered_in_the_prack(start: Start) -> None:
    rig = await start()
    await ring_in(rig, body=b"")
    rig.session.ring(183, body=OFFER)
    early = await provisional(rig)
    assert early.body == OFFER
    rig.session.accept(OFFER)
    await rig.send(rig.make("UPDATE", 2, body=OFFER))
    await rig.send(prack(rig, 3, early, body=ANSWER))
    got = rig.take()
    assert [f"{m.status} {m.cseq.method}" for m in got if isinstance(m, Response)] == [
        "491 UPDATE", "200 PRACK", "200 INVITE",
    ]  # fmt: skip
    assert not got[-1].body
    assert rig.log.said == [("acknowledged", ANSWER)]
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 4))


@pytest.mark.parametrize(("answer", "word"), [(ANSWER, "200 PRACK"), (488, "488 PRACK"), (None, "504 PRACK")])
async def test_an_offer_in_the_prack(start: Start, answer: bytes | int | None, word: str) -> None:
    rig = await start()
    rig.log.answer = answer
    await ring_in(rig)
    rig.session.ring(183, body=ANSWER)
    early = await provisional(rig)
    await rig.send(prack(rig, 2, early, body=OFFER))
    rig.session.accept(ANSWER)
    assert rig.log.said == [("offer", "PRACK", OFFER)]
    await asyncio.sleep(16.1)
    words = [w for w in rig.words() if not w.startswith("100")]
    assert words[:2] == [word, "200 INVITE"]  # the 200 waited for the answer to the offer
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 3))


# -- calling -------------------------------------------------------------------------------------------


async def answer(
    rig: Rig, invite: Request, status: int, rseq: int, tag: str = "p", body: bytes = b""
) -> None:
    await rig.answer(invite, status, tag, body, headers=(DEMANDS, ("RSeq", str(rseq))))


@pytest.mark.parametrize(
    ("policy", "headers"),
    [("off", (None, None)), ("supported", ("100rel", None)), ("required", ("100rel", "100rel"))],
)
async def test_what_our_invite_says(
    start: Start, policy: str, headers: tuple[str | None, str | None]
) -> None:
    rig = await start(policy)
    invite = await rig.call_out()
    assert (invite.headers.get("Supported"), invite.headers.get("Require")) == headers
    await rig.answer(invite, 486)


async def test_pracked_once_and_in_order_per_fork(start: Start) -> None:
    rig = await start()
    invite = await rig.call_out()
    await answer(rig, invite, 183, 7, "a", ANSWER)
    await answer(rig, invite, 183, 7, "a", ANSWER)
    await answer(rig, invite, 180, 9, "a")  # overtook 8
    await answer(rig, invite, 180, 8, "a")
    await answer(rig, invite, 180, 4000000000, "b")
    pracks = {bytes(m): m for m in rig.take() if isinstance(m, Request)}.values()
    told = [
        (m.to.tag, m.headers.get("RAck"), m.cseq.number, str(m.uri)) for m in pracks if m.method == "PRACK"
    ]
    assert told == [
        ("a", "7 1 INVITE", 2, "sip:alice-a@10.0.0.1:5060"),
        ("a", "8 1 INVITE", 3, "sip:alice-a@10.0.0.1:5060"),
        ("b", "4000000000 1 INVITE", 2, "sip:alice-b@10.0.0.1:5060"),
    ]
    assert rig.log.said == [("provisional", 183), ("provisional", 180), ("provisional", 180)]
    for sent in pracks:
        await rig.answer(sent, 200)
    await rig.answer(invite, 486)


@pytest.mark.parametrize("status", [481, 400, 500, 0])
async def test_a_peer_that_does_not_like_the_prack_keeps_the_call(start: Start, status: int) -> None:
    rig = await start()
    invite = await rig.call_out()
    await answer(rig, invite, 180, 1)
    sent = await rig.request("PRACK")
    if status:
        await rig.answer(sent, status)
    else:
        await asyncio.sleep(33)
    rig.take()
    await rig.answer(invite, 200, body=ANSWER)
    assert rig.words() == ["ACK"]
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_an_offer_in_a_reliable_183_waits_for_our_answer(start: Start) -> None:
    rig = await start()
    invite = await rig.call_out(body=b"")
    offers: list[Response] = []

    def rung(session: InviteSession, response: Response) -> None:
        offers.append(response)
        assert session.owes_prack(response)

    rig.log.on_provisional = rung  # type: ignore[method-assign]
    await answer(rig, invite, 183, 1, body=OFFER)
    assert rig.words() == []
    rig.session.acknowledge_provisional(offers[0], ANSWER)
    with pytest.raises(LocalProtocolError):
        rig.session.acknowledge_provisional(offers[0], ANSWER)
    await asyncio.sleep(0.001)
    sent = await rig.request("PRACK")
    assert sent.body == ANSWER
    rig.session.update(OFFER)  # leaves when the PRACK has its answer: it must not overtake it
    await asyncio.sleep(0.1)
    assert "UPDATE" not in rig.words()
    await rig.answer(sent, 200)
    update = await rig.request("UPDATE")
    assert update.cseq.number == sent.cseq.number + 1
    await rig.answer(update, 200, body=ANSWER)
    await rig.answer(invite, 200)
    assert rig.words() == ["ACK"]
    assert not rig.session.owes_ack
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_no_prack_after_our_cancel(start: Start) -> None:
    rig = await start()
    invite = await rig.call_out()
    rig.session.cancel()
    await answer(rig, invite, 180, 1)
    assert rig.words() == ["CANCEL"]
    await rig.answer(invite, 487)


async def test_a_peer_that_sends_reliably_to_our_reinvite_gets_its_prack(start: Start) -> None:
    rig = await start()
    await rig.talk_out()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    reinvite = await rig.request("INVITE")
    assert "100rel" not in (reinvite.headers.get("Supported") or "")
    await answer(rig, reinvite, 183, 5)
    await answer(rig, reinvite, 183, 5)
    sent = await rig.request("PRACK")
    assert sent.headers.get("RAck") == f"5 {reinvite.cseq.number} INVITE"
    await rig.answer(sent, 200)
    await rig.answer(reinvite, 200, body=ANSWER)
    rig.session.bye()
    await rig.answer(await bye(rig), 200)
