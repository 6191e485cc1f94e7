"""Holds by either side in each spelling, and what an application may do inside a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CARRIER, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc import Call
from sipcc.call import Leg
from sipcc.call.events import LegHeld, LegResumed
from sipcc.sip import InboundRequest, Request
from sipcc.sip.sdp import SessionDescription
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.link import Link

Handler = Callable[[Call], Awaitable[None]]


def bench(tmp_path: Path, handler: Handler) -> Centre:
    """A centre in which calls for 400 800 0001 are a program's."""
    config = CONFIG.replace('number = "4008000001"\nto = "echo"', 'number = "4008000001"\nto = "app:bench"')
    return Centre(tmp_path, config=config, apps={"bench": handler})


async def empty(centre: Centre) -> None:
    await asyncio.sleep(3)
    left = len(centre.switch.calls), centre.switch.endpoint.sessions, centre.switch.engine.open_ports
    assert left == (0, 0, 0)


def direction_of(message: bytes) -> str:
    description = SessionDescription.parse(message.partition(b"\r\n\r\n")[2])
    assert description.audio is not None
    return description.direction_of(description.audio)


def holding_after_a_second(done: list[bool]) -> Handler:
    """A call that is put on hold once, and whether that came about."""

    async def handler(call: Call) -> None:
        await call.answer()
        call.start_playing("welcome", loop=True)
        await call.wait(1)
        done.append(await call.hold())
        await call.wait_ended()

    return handler


@pytest.mark.parametrize("how", ["sendonly", "inactive", "null"])
async def test_a_program_holds_the_caller_in_a_talk_and_takes_it_back(tmp_path: Path, how: str) -> None:
    agreed: list[bool] = []

    async def handler(call: Call) -> None:
        leg = await call.dial("1001")
        call.context.scope.spawn(hold(call), name="hold")
        await call.bridge(leg)

    async def hold(call: Call) -> None:
        await asyncio.sleep(2)
        agreed.append(await call.hold(how))  # type: ignore[arg-type]
        await asyncio.sleep(3)
        agreed.append(await call.resume())

    async with bench(tmp_path, handler) as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call("4008000001")
        talk = await alice.next_call()
        await caller.answered()
        await caller.hears(AGENT_HZ["1001"])
        await asyncio.sleep(2)
        await talk.hears(MUSIC_HZ)
        if how == "inactive":
            await caller.hears_silence()
        else:
            await caller.hears(MUSIC_HZ)
        await caller.hears(AGENT_HZ["1001"])
        await talk.hears(CALLER_HZ)
        assert agreed == [True, True]
        events = [type(event) for event in centre.events if isinstance(event, LegHeld | LegResumed)]
        assert events == [LegHeld, LegResumed]
        await caller.hangup()
        await talk.ended()
        await empty(centre)


async def test_both_sides_hold_and_each_takes_back_its_own(tmp_path: Path) -> None:
    done: list[bool] = []

    async def handler(call: Call) -> None:
        await call.answer()
        call.start_playing("welcome", loop=True)
        await call.wait(1)
        done.append(await call.hold())
        await call.wait(4)
        done.append(await call.resume())
        await call.wait_ended()

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        await asyncio.sleep(2)
        assert await caller.hold() == 200  # inactive now, as far as we say
        await caller.hears_silence()
        await asyncio.sleep(4)
        assert done == [True, True]
        await caller.hears_silence()  # ours is over, the caller's is not
        assert await caller.resume() == 200
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        await empty(centre)


async def test_a_hold_that_is_refused_breaks_nothing(tmp_path: Path) -> None:
    done: list[bool] = []
    async with bench(tmp_path, holding_after_a_second(done)) as centre:
        caller = await centre.carrier.call("4008000001")
        caller.on_offer = lambda session, request: session.refuse_offer(488)  # type: ignore[method-assign]
        await caller.answered()
        await asyncio.sleep(2)
        assert done == [False]
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        await empty(centre)


async def test_holds_that_cross_are_sorted_out_by_491(tmp_path: Path) -> None:
    done: list[bool] = []
    async with bench(tmp_path, holding_after_a_second(done)) as centre:
        centre.network.set_link(Link(delay=0.05), source=CARRIER)
        centre.network.set_link(Link(delay=0.05), target=CARRIER)
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        started = next(m.at for m in caller.moments if m.what == "answered")
        await asyncio.sleep(max(0.0, started + 0.93 - asyncio.get_running_loop().time()))
        status = await caller.reinvite("sendrecv", timeout=30)
        assert status == 200
        statuses = [trace.start for trace in centre.carrier.trace if "491" in trace.start]
        assert len(statuses) >= 2  # each refused the other's, and both came through in the end
        await asyncio.sleep(8)
        assert done == [True]
        await caller.hears(WELCOME_HZ)  # held with music
        await caller.hangup()
        await empty(centre)


async def test_an_offerless_reinvite_on_hold_is_offered_all(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        call.start_playing("welcome", loop=True)
        await call.wait_ended()

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        assert await caller.hold() == 200
        await caller.hears_silence()
        session = caller._session_now
        answered: list[bytes] = []

        def take(session: object, response: object) -> None:
            answered.append(bytes(response))  # type: ignore[call-overload]
            caller._direction = "sendrecv"
            caller._version += 1
            caller._session_now.acknowledge(caller._describe())

        caller.on_reinvite_answered = take  # type: ignore[method-assign,assignment]
        session.reinvite(b"")
        await asyncio.sleep(1)
        assert direction_of(answered[0]) == "sendrecv"
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        await empty(centre)


async def test_a_program_may_take_its_time_over_an_offer_or_refuse_it(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        verdicts = iter([200, 488])

        async def decide(leg: Leg, request: Request) -> int:
            await asyncio.sleep(2)
            return next(verdicts)

        call.on_offer = decide
        await call.answer()
        call.start_playing("welcome", loop=True)
        await call.wait_ended()

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        before = asyncio.get_running_loop().time()
        assert await caller.hold() == 200
        assert 1.9 < asyncio.get_running_loop().time() - before < 2.5
        await caller.hears_silence()
        assert await caller.resume() == 488
        await caller.hears_silence()
        await caller.hangup()
        await empty(centre)


async def test_a_program_asks_the_caller_for_this_and_that(tmp_path: Path) -> None:
    said: list[int] = []

    async def handler(call: Call) -> None:
        assert call.request is not None
        assert call.request.headers.get("X-Test") == "yes"
        await call.ring(183, headers=[("X-Ring", "one")])
        await call.wait(1)
        await call.answer(headers=[("X-Answer", "two")])
        await call.wait(0.5)
        said.append(await call.ping())
        said.append(await call.send_message("hello"))
        said.append(await call.send_info("text/plain", b"x"))
        call.send_digits("12#", method="info")
        update = await call.leg.update()
        said.append(update.status if update is not None else 0)
        asked = await call.leg.reinvite(b"", headers=[("X-Offer", "three")])
        said.append(asked.status if asked is not None else 0)
        await call.hangup(headers=[("X-Bye", "four")])

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001", headers=[("X-Test", "yes")])
        await caller.answered()
        await caller.ended()
        assert said == [200, 200, 200, 200, 200]
        bodies = [request.body for request in caller.infos]
        assert bodies == [b"x", *(b"Signal=%b\r\nDuration=100\r\n" % key for key in (b"1", b"2", b"#"))]
        seen = b"".join(trace.data for trace in centre.carrier.trace if trace.direction == "in")
        for header in (b"X-Ring: one", b"X-Answer: two", b"X-Offer: three", b"X-Bye: four"):
            assert header in seen
        await empty(centre)


@pytest.mark.parametrize(("status", "contact"), [(302, "sip:4008123457@carrier.example.com"), (603, "")])
async def test_a_program_refuses_and_redirects_as_it_likes(tmp_path: Path, status: int, contact: str) -> None:
    async def handler(call: Call) -> None:
        await call.wait(3)  # before any answer but 100
        if contact:
            await call.redirect(contact, headers=[("X-Why", "moved")])
        else:
            await call.reject(status, "Not Now", headers=[("X-Why", "moved")])

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.ended()
        assert caller.status == status
        [final] = centre.carrier.seen(f"SIP/2.0 {status}", "in")
        assert b"X-Why: moved" in final.data
        assert not contact or b"Contact: <sip:4008123457@carrier.example.com>" in final.data
        assert centre.carrier.seen("SIP/2.0 18", "in") == []
        await empty(centre)


async def test_a_program_answers_a_request_of_the_caller_by_itself(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        def take(leg: Leg, inbound: InboundRequest) -> bool:
            inbound.reply(299 if inbound.request.method == "MESSAGE" else 699)
            return True

        call.on_request = take
        await call.answer()
        await call.wait_ended()

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        assert await caller.send("MESSAGE", body=b"x", content_type="text/plain") == 299
        assert await caller.send("REFER", headers=[("Refer-To", "<sip:1001@pbx.example.com>")]) == 699
        await caller.hangup()
        await empty(centre)


@pytest.mark.parametrize("kind", ["application/dtmf-relay", "application/dtmf"])
async def test_keys_by_info_are_keys(tmp_path: Path, kind: str) -> None:
    typed: list[str | None] = []

    async def handler(call: Call) -> None:
        await call.answer()
        typed.append(await call.ask("welcome", digits=(1, 5)))

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        for key in (b"1", b"2", b"#"):
            body = b"Signal=%b\r\nDuration=160\r\n" % key if kind.endswith("relay") else key
            assert await caller.send("INFO", body=body, content_type=kind) == 200
        await caller.ended()
        assert typed == ["12"]
        await empty(centre)


@pytest.mark.parametrize("first", ["info", "events"])
async def test_a_phone_that_sends_each_key_in_both_ways_types_it_once(tmp_path: Path, first: str) -> None:
    typed: list[str | None] = []

    async def handler(call: Call) -> None:
        await call.answer()
        typed.append(await call.ask("welcome", digits=(1, 9)))
        await call.wait_ended()

    async with bench(tmp_path, handler) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        for key in "12#":
            body = b"Signal=%b\r\nDuration=160\r\n" % key.encode()
            if first == "info":
                await caller.send("INFO", body=body, content_type="application/dtmf-relay")
            await caller.press(key)
            if first == "events":
                await caller.send("INFO", body=body, content_type="application/dtmf-relay")
        await caller.hangup()
        assert typed == ["12"]
        await empty(centre)


async def test_keys_by_info_reach_the_other_party_as_that_one_takes_them(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call("4008000005")
        talk = await alice.next_call()
        await caller.answered(timeout=30)
        for key in b"7", b"#":
            assert await talk.send("INFO", body=key, content_type="application/dtmf") == 200
            await asyncio.sleep(0.5)
        await caller.gets_digits("7#")
        await caller.press("3")
        await talk.gets_digits("3")
        assert not caller.infos
        assert not talk.infos
        await caller.hangup()
        await empty(centre)


async def test_early_audio_of_a_program(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.ring(183, early=True)
        await call.play("welcome")
        await call.reject(404)

    async with bench(tmp_path, handler) as centre:
        caller: FakeCall = await centre.carrier.call("4008000001")
        await caller.ringing()
        await caller.hears(WELCOME_HZ)
        await caller.ended()
        assert caller.status == 404
        assert not any(trace.data for trace in centre.carrier.seen("SIP/2.0 200", "in"))
        await empty(centre)
