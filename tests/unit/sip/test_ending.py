"""How sessions end, and what other usages of their dialog live on (RFC 5057)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.sip.test_session import ANSWER, OFFER, Rig, bye

from sipcc.errors import LocalProtocolError
from sipcc.sip import InboundRequest, InviteSession, SessionState


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.start()
    yield rig
    await asyncio.sleep(200)
    assert (len(rig.endpoint.layer), rig.endpoint.sessions) == (0, 0), "something leaked"
    assert rig.endpoint.outbound.deadlines.first is None
    assert rig.endpoint.counters["crashes"] == 0
    await rig.endpoint.stop()


def yes(session: InviteSession, inbound: InboundRequest) -> None:
    inbound.reply(200)


@pytest.mark.parametrize("by", ["peer", "us"])
async def test_a_subscription_outlives_the_bye(rig: Rig, by: str) -> None:
    await rig.talk_in()
    rig.log.on_request = yes  # type: ignore[method-assign]
    rig.session.hold_dialog()
    rig.session.hold_dialog()
    if by == "peer":
        await rig.send(rig.make("BYE", 2))
    else:
        rig.session.bye()
        await rig.answer(await bye(rig), 200)
    rig.take()
    await rig.send(rig.make("NOTIFY", 3))
    await rig.send(rig.make("INVITE", 4, body=OFFER, branch="z9hG4bKre"))
    await rig.send(rig.make("ACK", 4, branch="z9hG4bKre"))
    await rig.send(rig.make("UPDATE", 5))
    await rig.send(rig.make("INFO", 6))
    assert rig.words() == ["200 NOTIFY", "481 INVITE", "481 UPDATE", "481 INFO"]
    statuses: list[int] = []
    rig.session.send_request("NOTIFY", on_response=lambda r: statuses.append(r.status if r else 0))
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("NOTIFY"), 200)
    assert statuses == [200]
    rig.session.release_dialog()
    await rig.send(rig.make("NOTIFY", 7))
    assert rig.words() == ["200 NOTIFY"]
    rig.session.release_dialog()
    await rig.send(rig.make("NOTIFY", 8))
    assert rig.words() == ["481 NOTIFY"]
    with pytest.raises(LocalProtocolError):
        rig.session.release_dialog()


async def test_a_released_dialog_waits_for_the_bye(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.hold_dialog()
    rig.session.release_dialog()
    assert rig.endpoint.sessions == 1
    await rig.send(rig.make("BYE", 2))
    assert rig.endpoint.sessions == 0
    with pytest.raises(LocalProtocolError):
        rig.session.send_request("NOTIFY")


async def test_our_200_is_repeated_after_the_bye_until_its_ack(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await rig.send(rig.make("BYE", 2))
    rig.take()
    await asyncio.sleep(4)
    assert rig.words() == ["200 INVITE"] * 3  # 0.5, 1.5, 3.5
    await rig.send(rig.make("ACK", 1))
    assert rig.endpoint.sessions == 0
    assert rig.log.said == [("ended", "peer")]


async def test_no_ack_after_the_bye_either(rig: Rig) -> None:
    await rig.ring_in()
    rig.session.accept(ANSWER)
    await rig.send(rig.make("BYE", 2))
    await asyncio.sleep(33)
    assert rig.endpoint.sessions == 0
    assert "BYE" not in rig.words()


async def test_the_2xx_to_our_reinvite_is_acknowledged_long_after_the_bye(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    reinvite = await rig.request("INVITE")
    await rig.answer(reinvite, 100)
    rig.session.bye()
    await rig.answer(await bye(rig), 200)
    await asyncio.sleep(20)
    assert rig.words() == []
    await rig.answer(reinvite, 200, body=ANSWER)
    assert rig.words() == ["ACK"]
    assert rig.endpoint.sessions == 0


async def test_a_reinvite_that_is_never_answered_is_forgotten(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.reinvite(OFFER)
    await asyncio.sleep(0.001)
    await rig.answer(await rig.request("INVITE"), 100)
    await rig.send(rig.make("BYE", 2))
    assert rig.endpoint.sessions == 1
    await asyncio.sleep(33)
    assert (rig.endpoint.sessions, len(rig.endpoint.layer)) == (0, 0)


async def test_byes_that_cross(rig: Rig) -> None:
    await rig.talk_in()
    rig.session.bye()
    await asyncio.sleep(0.001)
    ours = await rig.request("BYE")
    await rig.send(rig.make("BYE", 2))
    assert rig.words() == ["200 BYE"]
    await rig.answer(ours, 481)
    assert rig.log.said == [("ended", "us")]
    assert rig.session.state is SessionState.TERMINATED
