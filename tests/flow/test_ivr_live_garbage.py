"""What live sessions make of a call is freed with it: nothing waits for the garbage collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, WELCOME_HZ, Centre
from tests.flow.test_ivr_live import LINE, centre_with
from tests.flow.test_no_garbage import CALLS, FORGOTTEN_S, no_collector

from sipcc.call.digits import OptionsMatcher
from sipcc.ivr.live import LiveSession
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.steps import Gather, Heard, Listen, Record, Transfer, named
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Answer

ASK = Gather(prompts=named("welcome"), keys=OptionsMatcher({"1"}), listen=Listen())


class AtOnce:
    """Understands something after a second."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        for _ in range(50):
            await anext(frames)
        on_speech()
        return Understood(outcome="match", heard=(Heard("bill"),))


async def work(session: LiveSession) -> None:
    session.on_hangup(lambda: session.log("call.left"))
    session.variables["asked"] = await session.gather(ASK)
    await session.record(Record(max_time=1))
    await session.transfer(Transfer(targets=("1001",), max_time=2, keys=OptionsMatcher({"*"})))


async def answers_by_key(centre: Centre, caller: FakeCall) -> None:
    await caller.press("1")
    await caller.hears(AGENT_HZ["1001"], timeout=20)
    await caller.ended(timeout=20)


async def answers_by_voice(centre: Centre, caller: FakeCall) -> None:
    await caller.hears(AGENT_HZ["1001"], timeout=20)
    await caller.press("*")
    await caller.ended(timeout=20)


async def hangs_up_in_the_question(centre: Centre, caller: FakeCall) -> None:
    await caller.hangup()


async def hangs_up_in_the_recording(centre: Centre, caller: FakeCall) -> None:
    await caller.press("1")
    await asyncio.sleep(0.5)
    await caller.hangup()


@pytest.mark.parametrize(
    "act", [answers_by_key, answers_by_voice, hangs_up_in_the_question, hangs_up_in_the_recording]
)
async def test_an_ended_session_leaves_no_ring_of_objects(
    tmp_path: Path, act: Callable[[Centre, FakeCall], Awaitable[None]]
) -> None:
    async with centre_with(tmp_path, work, services=Services(recogniser=AtOnce())) as centre:
        await centre.phone("1001", Answer(after=0.2))
        with no_collector() as garbage:
            for _ in range(CALLS):
                caller = await centre.carrier.call(LINE)
                await caller.hears(WELCOME_HZ)
                await act(centre, caller)
            await asyncio.sleep(FORGOTTEN_S)
        assert not garbage
