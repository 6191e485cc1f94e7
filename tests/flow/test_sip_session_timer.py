"""Session timers on the wire: our endpoint against a peer that only does what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import pytest
from tests.unit.sip.test_session import ANSWER, OFFER, Rig, bye

from sipcc.sip import Request, SessionState, SipSettings
from sipcc.sip.message import Response

Mode = Literal["off", "supported", "required"]
Start = Callable[..., Awaitable[Rig]]
TIMER = ("Supported", "timer")


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    rigs: list[Rig] = []

    async def make(mode: Mode, interval: int = 600) -> Rig:
        rig = Rig(
            SipSettings(
                listen=("udp:10.0.0.2:5060",), user_agent="", session_timer=mode, session_expires=interval
            )
        )
        await rig.start()
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        if rig.session.state is SessionState.CONFIRMED:
            rig.take()
            rig.session.bye()
            await rig.answer(await bye(rig), 200)
        await asyncio.sleep(100)
        assert (len(rig.endpoint.layer), rig.endpoint.sessions) == (0, 0), "something leaked"
        assert rig.endpoint.counters["crashes"] == 0
        await rig.endpoint.stop()


async def talk_in(rig: Rig, *headers: tuple[str, str], number: int = 1) -> Response:
    await rig.send(rig.make("INVITE", number, body=OFFER, headers=headers))
    rig.session.accept(ANSWER)
    await rig.send(rig.make("ACK", number))
    answer = rig.take()[-1]
    assert isinstance(answer, Response)
    rig.log.said.clear()
    return answer


async def talk_out(rig: Rig, *headers: tuple[str, str]) -> Request:
    request = await rig.call_out()
    await rig.answer(request, 200, body=ANSWER, headers=headers)
    rig.take()
    rig.log.said.clear()
    return request


async def test_off_lets_the_caller_refresh_and_hangs_up_when_it_does_not(start: Start) -> None:
    rig = await start("off")
    answer = await talk_in(rig, TIMER, ("Session-Expires", "90"))
    assert answer.headers.get("Session-Expires") == "90;refresher=uac"
    assert answer.headers.get("Require") == "timer"
    await asyncio.sleep(50)
    await rig.send(
        rig.make("INVITE", 2, body=OFFER, headers=(TIMER, ("Session-Expires", "90;refresher=uac")))
    )
    await rig.send(rig.make("ACK", 2))
    assert rig.words() == ["200 INVITE"]
    assert rig.log.said == [("offer", "INVITE", OFFER), ("acknowledged", b"")]
    await asyncio.sleep(59)
    assert rig.words() == []
    await asyncio.sleep(2)
    await rig.answer(await rig.request("BYE"), 200)
    assert rig.log.said[-1] == ("ended", "network")


async def test_off_has_no_timer_of_its_own(start: Start) -> None:
    rig = await start("off")
    request = await talk_out(rig, ("Session-Expires", "90;refresher=uac"))
    assert "Session-Expires" not in request.headers
    await asyncio.sleep(500)
    assert rig.words() == []


async def test_a_short_interval_is_422(start: Start) -> None:
    rig = await start("off")
    await rig.send(rig.make("INVITE", 1, body=OFFER, headers=(TIMER, ("Session-Expires", "60"))))
    refusal = rig.take()[-1]
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Min-SE")) == (422, "90")
    assert not hasattr(rig, "session")
    await rig.send(rig.make("INVITE", 2, body=OFFER, headers=(TIMER, ("Session-Expires", "90"))))
    rig.session.reject(486)


async def test_required_refuses_a_caller_without_timers(start: Start) -> None:
    rig = await start("required")
    await rig.send(rig.make("INVITE", 1, body=OFFER))
    refusal = rig.take()[-1]
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Require")) == (421, "timer")
    await talk_in(rig, TIMER, number=2)


async def test_422_to_our_invite_is_answered_once(start: Start) -> None:
    rig = await start("supported")
    request = await rig.call_out()
    assert (request.headers.get("Session-Expires"), request.headers.get("Supported")) == ("600", "timer")
    await rig.answer(request, 422, headers=(("Min-SE", "1200"),))
    again = await rig.request("INVITE")
    assert again.cseq.number == request.cseq.number + 1
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("1200", "1200")
    await rig.answer(again, 422, headers=(("Min-SE", "2400"),))
    assert rig.log.said == [("rejected", 422)]


@pytest.mark.parametrize("role", ["uas", "uac"])
async def test_our_refresh_by_reinvite_is_not_told(start: Start, role: str) -> None:
    rig = await start("supported")
    if role == "uas":
        await talk_in(rig)  # a caller without timers: we refresh
    else:
        await talk_out(rig, ("Session-Expires", "600;refresher=uac"))
    for _ in range(3):
        await asyncio.sleep(269)
        assert rig.words() == []
        await asyncio.sleep(32)
        refresh = await rig.request("INVITE")
        assert refresh.body == (ANSWER if role == "uas" else OFFER)
        assert refresh.headers.get("Session-Expires") == "600;refresher=uac"
        await rig.answer(refresh, 200, body=OFFER, headers=(("Session-Expires", "600;refresher=uac"),))
        assert rig.words() == ["ACK"]
    assert rig.log.said == []


async def test_our_refresh_by_update(start: Start) -> None:
    rig = await start("supported")
    await talk_out(rig, ("Session-Expires", "600;refresher=uac"), ("Allow", "INVITE, UPDATE"))
    await asyncio.sleep(301)
    refresh = await rig.request("UPDATE")
    assert (refresh.body, refresh.headers.get("Session-Expires")) == (b"", "600;refresher=uac")
    await rig.answer(refresh, 501)
    refresh = await rig.request("INVITE")
    await rig.answer(refresh, 200, body=ANSWER, headers=(("Session-Expires", "600;refresher=uas"),))
    rig.take()
    await asyncio.sleep(567)  # the peer took the duty over
    assert rig.words() == []
    await asyncio.sleep(2)
    assert rig.words()[0] == "BYE"
    assert rig.log.said == [("ended", "network")]


@pytest.mark.parametrize("status", [408, 481])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_refresh_that_finds_nobody_ends_the_call(start: Start, status: int, method: str) -> None:
    rig = await start("supported")
    await talk_out(rig, ("Session-Expires", "600"), ("Allow", f"ACK, {method}"))
    await asyncio.sleep(301)
    await rig.answer(await rig.request(method), status)
    await rig.answer(await rig.request("BYE"), 200)
    assert rig.log.said == [("ended", "network")]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_a_refresh_without_answer_ends_the_call(start: Start, method: str) -> None:
    rig = await start("supported")
    await talk_out(rig, ("Session-Expires", "600"), ("Allow", f"ACK, {method}"))
    await asyncio.sleep(335)
    assert rig.words()[-1] == "BYE"
    assert rig.log.said == [("ended", "network")]


async def test_491_and_422_to_a_refresh_keep_the_call(start: Start) -> None:
    rig = await start("supported")
    await talk_out(rig, ("Session-Expires", "600"))
    await asyncio.sleep(301)
    await rig.answer(await rig.request("INVITE"), 491)
    await asyncio.sleep(4.1)
    await rig.answer(await rig.request("INVITE"), 422, headers=(("Min-SE", "900"),))
    longer = await rig.request("INVITE")
    assert longer.headers.get("Session-Expires") == "900;refresher=uac"
    await rig.answer(longer, 422, headers=(("Min-SE", "9000"),))
    await asyncio.sleep(150)
    await rig.answer(await rig.request("INVITE"), 200, body=ANSWER, headers=(("Session-Expires", "900"),))
    assert rig.session.state is SessionState.CONFIRMED
    assert rig.log.said == []


async def test_a_refresh_waits_for_an_offer_under_way(start: Start) -> None:
    rig = await start("supported")
    await talk_in(rig)
    rig.log.answer = None
    await rig.send(rig.make("INVITE", 2, body=OFFER))
    await asyncio.sleep(320)
    assert rig.words() == ["100 INVITE"]
    rig.session.refuse_offer(488)
    await rig.send(rig.make("BYE", 3))


def when(rig: Rig, start_of_line: str, since: float) -> float:
    """Seconds from `since` to the first message of ours that begins so."""
    packets = rig.network.captured
    return next(
        packet.at - since
        for packet in packets
        if packet.source.host == "10.0.0.2" and packet.data.startswith(start_of_line.encode())
        and packet.at > since
    )  # fmt: skip


@pytest.mark.parametrize("interval", [90, 600, 1800])
@pytest.mark.parametrize("calling", [True, False])
async def test_a_refresh_comes_at_half_of_the_interval(start: Start, interval: int, calling: bool) -> None:
    rig = await start("supported", interval)
    side = "uac" if calling else "uas"
    said = ("Session-Expires", f"{interval};refresher={side}")
    await (talk_out(rig, said, ("Require", "timer")) if calling else talk_in(rig, TIMER, said))
    began = asyncio.get_running_loop().time()
    for round_ in (1, 2):
        await asyncio.sleep(interval / 2)
        refresh = await rig.request("INVITE")
        due = round_ * interval / 2
        assert due - 2 * round_ <= when(rig, "INVITE", began + due - 10) + due - 10 <= due + 2
        await rig.answer(
            refresh, 200, body=ANSWER, headers=(("Session-Expires", f"{interval};refresher=uac"),)
        )


@pytest.mark.parametrize("interval", [90, 600, 1800])
@pytest.mark.parametrize("calling", [True, False])
async def test_a_bye_comes_when_the_peer_does_not_refresh(start: Start, interval: int, calling: bool) -> None:
    rig = await start("supported", interval)
    side = "uas" if calling else "uac"
    said = ("Session-Expires", f"{interval};refresher={side}")
    await (talk_out(rig, said, ("Require", "timer")) if calling else talk_in(rig, TIMER, said))
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(interval)
    assert when(rig, "BYE", began) == pytest.approx(interval - min(32, interval / 3), abs=2)
    assert "INVITE" not in rig.words()
    assert rig.log.said == [("ended", "network")]


async def test_the_peer_takes_the_refreshes_over_and_gives_them_back(start: Start) -> None:
    rig = await start("supported")
    await talk_out(rig, ("Session-Expires", "600;refresher=uac"), ("Require", "timer"))
    await asyncio.sleep(100)
    swap = (TIMER, ("Session-Expires", "600;refresher=uac"))
    await rig.send(rig.make("UPDATE", 2, headers=swap))
    answer = rig.take()[-1]
    assert isinstance(answer, Response)
    assert answer.headers.get("Session-Expires") == "600;refresher=uac"
    await asyncio.sleep(450)
    assert rig.words() == []  # one timer for the dialog: the one of before is gone
    back = (TIMER, ("Session-Expires", "600;refresher=uas"))
    await rig.send(rig.make("UPDATE", 3, headers=back))
    rig.take()
    await asyncio.sleep(301)
    refresh = await rig.request("INVITE")
    assert refresh.headers.get("Session-Expires") == "600;refresher=uac"
    await rig.answer(refresh, 200, body=ANSWER, headers=(("Session-Expires", "600;refresher=uac"),))


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
async def test_each_request_of_the_peer_counts_as_a_refresh(start: Start, method: str) -> None:
    rig = await start("supported")
    await talk_in(rig, TIMER, ("Session-Expires", "600;refresher=uac"))
    for number in range(2, 8):
        await asyncio.sleep(500)
        headers = (TIMER, ("Session-Expires", "600;refresher=uac"))
        await rig.send(rig.make(method, number, body=OFFER, headers=headers))
        if method == "INVITE":
            await rig.send(rig.make("ACK", number))
        assert f"200 {method}" in rig.words()
