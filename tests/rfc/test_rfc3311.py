"""RFC 3311, UPDATE: early and confirmed dialogs, both directions, and what may not cross."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.rfc.test_rfc3262 import DEMANDS, KNOWS, Start, answer, end_in, prack, provisional, ring_in, start
from tests.unit.sip.test_session import ANSWER, OFFER, Rig, bye

from sipcc.errors import LocalProtocolError
from sipcc.sip import InviteSession, Request, Response, SessionState

__all__ = ["start"]


@pytest.fixture
async def talking(start: Start) -> AsyncIterator[Rig]:
    rig = await start("off")
    await rig.talk_out()
    yield rig
    rig.take()
    rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def early_in(start: Start) -> tuple[Rig, Response]:
    """Called, with our answer in a reliable 183 that has its PRACK."""
    rig = await start("supported")
    await ring_in(rig, KNOWS)
    rig.session.ring(183, body=ANSWER)
    early = await provisional(rig)
    await rig.send(prack(rig, 2, early))
    rig.take()
    return rig, early


async def early_out(start: Start, *tags: str) -> tuple[Rig, Request]:
    """Calling, with the answer in a reliable 183 of each fork."""
    rig = await start("supported")
    invite = await rig.call_out()
    for tag in tags:
        await answer(rig, invite, 183, 1, tag, ANSWER)
        await rig.answer(await rig.request("PRACK"), 200, tag)
    rig.take()
    return rig, invite


# -- the peer's ----------------------------------------------------------------------------------------


async def test_in_an_early_dialog_before_the_first_answer(start: Start) -> None:
    rig = await start("supported")
    await ring_in(rig, KNOWS)
    rig.session.ring(180)
    await rig.send(rig.make("UPDATE", 3, body=OFFER))
    got = [m for m in rig.take() if isinstance(m, Response) and m.cseq.method == "UPDATE"]
    # §5.2: an offer of theirs has no answer yet
    assert got[0].status == 500
    assert 0 <= int(got[0].headers.get("Retry-After") or "-1") <= 10
    await rig.send(rig.make("UPDATE", 4))
    assert rig.words()[-1] == "200 UPDATE"
    assert rig.log.said == []
    await end_in(rig)


async def test_in_an_early_dialog_after_it(start: Start) -> None:
    rig, _ = await early_in(start)
    await rig.send(rig.make("UPDATE", 3, body=OFFER))
    assert rig.words() == ["200 UPDATE"]
    rig.log.answer = None
    await rig.send(rig.make("UPDATE", 4, body=OFFER))
    await rig.send(rig.make("UPDATE", 5, body=OFFER))
    assert rig.words() == ["500 UPDATE"]
    rig.session.accept(ANSWER)
    assert rig.words() == []  # the 200 waits for the answer to the offer
    rig.session.answer_offer(ANSWER)
    await asyncio.sleep(0.001)
    assert rig.words() == ["200 UPDATE", "200 INVITE"]
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 6))


async def test_a_second_invite_before_the_answer_to_the_first(start: Start) -> None:
    rig, _ = await early_in(start)
    await rig.send(rig.make("INVITE", 3, body=OFFER, branch="z9hG4bKtwo"))
    assert rig.words() == ["500 INVITE"]
    await rig.send(rig.make("ACK", 3, branch="z9hG4bKtwo"))
    await end_in(rig)


async def test_one_that_nobody_answers_gets_504(talking: Rig) -> None:
    rig = talking
    rig.log.answer = None
    await rig.send(rig.make("UPDATE", 2, body=OFFER, tag="p"))
    await asyncio.sleep(16.1)
    assert rig.words() == ["504 UPDATE"]
    rig.session.answer_offer(ANSWER)  # too late, and passed over


async def test_one_that_crosses_ours_gets_491(talking: Rig) -> None:
    rig = talking
    rig.session.update(OFFER)
    await asyncio.sleep(0.001)
    ours = await rig.request("UPDATE")
    await rig.send(rig.make("UPDATE", 2, body=OFFER))
    await rig.send(rig.make("INVITE", 3, body=OFFER, branch="z9hG4bKre"))
    await rig.send(rig.make("ACK", 3, branch="z9hG4bKre"))
    await rig.send(rig.make("UPDATE", 4))  # offers nothing, and so crosses nothing
    assert rig.words() == ["491 UPDATE", "491 INVITE", "200 UPDATE"]
    await rig.answer(ours, 200, body=ANSWER)
    assert rig.log.said[-1] == ("reinvite", 200)


# -- ours ----------------------------------------------------------------------------------------------


async def test_what_may_not_be_offered(start: Start) -> None:
    rig = await start("supported")
    invite = await rig.call_out()
    with pytest.raises(LocalProtocolError, match="calling"):
        rig.session.update(OFFER)
    await rig.answer(invite, 180)
    with pytest.raises(LocalProtocolError, match="no answer yet"):
        rig.session.update(OFFER)
    rig.session.update()
    with pytest.raises(LocalProtocolError, match="ours is pending"):
        rig.session.update()
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("UPDATE"), 200)
    await rig.answer(invite, 486)


async def test_ours_in_the_early_dialog_of_one_fork(start: Start) -> None:
    rig, invite = await early_out(start, "a", "b")
    first = rig.session.dialogs["a"]
    rig.session.update(OFFER, dialog=first)
    await asyncio.sleep(0.001)
    update = await rig.request("UPDATE")
    assert (update.to.tag, update.cseq.number) == ("a", 3)
    await rig.answer(update, 200, "a", ANSWER)
    assert rig.log.said[-1] == ("reinvite", 200)
    rig.session.update(OFFER, dialog=first)
    await rig.answer(invite, 200, "b", ANSWER)  # the other one answers: what was under way is void
    assert rig.log.said[-2:] == [("reinvite", None), ("accepted", "b")]
    late = {bytes(m): m for m in rig.take() if isinstance(m, Request) and m.method == "UPDATE"}
    await rig.answer(next(iter(late.values())), 481, "a")
    assert rig.session.state is SessionState.CONFIRMED
    rig.session.bye()
    await rig.answer(await bye(rig), 200, "b")


async def test_the_peers_in_the_early_dialog_of_one_fork(start: Start) -> None:
    rig, invite = await early_out(start, "a", "b")
    forks: list[str] = []

    def offered(session: InviteSession, request: Request) -> None:
        dialog = session.fork_of(request)
        assert dialog is not None
        forks.append(dialog.remote_tag)

    rig.log.on_offer = offered  # type: ignore[method-assign]
    await rig.send(rig.make("UPDATE", 1, body=OFFER, tag="a"))
    assert forks == ["a"]
    await rig.answer(invite, 200, "b", ANSWER)
    assert rig.words() == ["ACK", "481 UPDATE"]
    rig.session.answer_offer(ANSWER)  # void, and passed over
    rig.session.bye()
    await rig.answer(await bye(rig), 200, "b")


@pytest.mark.parametrize(("body", "waits"), [(OFFER, True), (b"", False)])
async def test_the_200_waits_for_the_answer_to_our_offer(start: Start, body: bytes, waits: bool) -> None:
    rig, _ = await early_in(start)
    rig.session.update(body)
    await asyncio.sleep(0.001)
    update = await rig.request("UPDATE")
    rig.session.accept(ANSWER)
    assert rig.words() == []
    await asyncio.sleep(0.001)
    assert ("200 INVITE" in rig.words()) is not waits
    await rig.answer(update, 491)  # it will be offered again, but for now nothing is open
    assert ("200 INVITE" in rig.words()) is waits
    await rig.send(rig.make("ACK", 1))
    await rig.send(rig.make("BYE", 3))


@pytest.mark.parametrize(("role", "least", "most"), [("uac", 2.1, 4.0), ("uas", 0.0, 2.0)])
@pytest.mark.parametrize("verb", ["update", "reinvite"])
async def test_the_bands_after_a_491(start: Start, role: str, least: float, most: float, verb: str) -> None:
    rig = await start("off")
    await (rig.talk_out() if role == "uac" else rig.talk_in())
    method = "UPDATE" if verb == "update" else "INVITE"
    getattr(rig.session, verb)(OFFER)
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request(method), 491)
    rig.take()
    await asyncio.sleep(max(0.0, least - 0.02))
    assert method not in rig.words() or role == "uas"
    if role == "uac":
        await asyncio.sleep(most - least + 0.05)
        await rig.answer(await rig.request(method), 200, body=ANSWER)
        assert rig.log.said == [("reinvite", 200)]
    else:
        rig.session.bye()
    if rig.session.state is SessionState.CONFIRMED:
        rig.session.bye()
    await rig.answer(await bye(rig), 200)


async def test_a_500_with_retry_after_is_tried_again_then(talking: Rig) -> None:
    rig = talking
    rig.session.update(OFFER)
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("UPDATE"), 500, headers=(("Retry-After", "7"),))
    rig.take()
    await asyncio.sleep(6.9)
    assert rig.words() == []
    await asyncio.sleep(0.2)
    await rig.answer(await rig.request("UPDATE"), 200, body=ANSWER)
    assert rig.log.said == [("reinvite", 200)]


async def test_a_peer_that_demands_100rel_in_a_reinvite(talking: Rig) -> None:
    rig = talking
    await rig.send(rig.make("INVITE", 2, body=OFFER, headers=(DEMANDS,), branch="z9hG4bKre"))
    assert rig.words() == ["420 INVITE"]  # the policy is off
    await rig.send(rig.make("ACK", 2, branch="z9hG4bKre"))


@pytest.mark.parametrize(("status", "said"), [(481, "network"), (408, "network"), (488, "")])
async def test_what_ends_the_call(start: Start, status: int, said: str) -> None:
    rig = await start("off")
    await rig.talk_in()
    rig.session.update(OFFER)
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("UPDATE"), status)
    assert rig.log.said[0] == ("reinvite", status)
    assert rig.log.said[1:] == ([("ended", said)] if said else [])
    await asyncio.sleep(0.001)
    if status == 488:
        rig.session.bye()
    if status != 481:
        await rig.answer(await bye(rig), 200)
