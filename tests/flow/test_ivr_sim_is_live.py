"""The made-up caller and a real call come to the same answers to the same questions, keys and words."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

from tests.flow.centre import Centre
from tests.flow.test_ivr_live import LINE, centre_with

from sipcc.call.digits import CollectSettings, LengthMatcher, Matcher, OptionsMatcher
from sipcc.ivr.flows.script import At, Keys, Say, Script
from sipcc.ivr.live import LiveSession
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import BargeIn, Gather, Gathered, Heard, Listen, Prompt, Silence
from sipcc.testing.audio import silence

QUESTIONS = int(os.environ.get("SIPCC_SIM_QUESTIONS", "25"))

NEAR_S = 0.12
"""What packets, frames and the ear of the recogniser may take."""


SPEECH_S = 1.0
"""How long each word takes."""


class Case(NamedTuple):
    """One question, and what the caller does after so many seconds."""

    step: Gather
    keys: tuple[tuple[float, str], ...]
    says: tuple[float, str] | None


class Came(NamedTuple):
    """What came of it, and when."""

    answer: Gathered
    after: float


MATCHERS: tuple[Matcher | None, ...] = (
    LengthMatcher(1),
    LengthMatcher(3),
    LengthMatcher(1, 3),
    OptionsMatcher({"1", "12", "2"}),
    None,
)


def random_case(rng: random.Random) -> Case:
    """Prompts end on full seconds, keys go down a quarter past a half: nothing happens at the same time."""
    ways: tuple[BargeIn, ...] = ("off", "keys", "speech", "any")
    prompts = tuple(
        Prompt(items=(Silence(rng.choice([1.0, 2.0])),), bargein=rng.choice(ways))
        for _ in range(rng.choice([0, 1, 2, 3]))
    )
    matcher = rng.choice(MATCHERS)
    at, keys = rng.choice([0.25, 0.75, 1.25, 2.75, 4.25]), []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 4])):
        keys.append((at, rng.choice("11122#3")))
        at += rng.choice([0.5, 0.5, 1.0, 2.5])
    says = None
    if not keys or matcher is None:
        says = rng.choice([None, (rng.choice([0.25, 1.25, 2.75]), rng.choice(["yes", "no"]))])
    listen = Listen(accepts=lambda text: text == "yes") if says or matcher is None else None
    settings = CollectSettings(
        timeout=2.4,
        interdigit=1.8,
        terminators=rng.choice(["#", ""]),
        max_time=rng.choice([None, None, 4.1]),
    )
    return Case(Gather(prompts=prompts, keys=matcher, collect=settings, listen=listen), tuple(keys), says)


class ScriptedEar:
    """A recogniser that knows when the caller speaks, and what."""

    def __init__(self) -> None:
        self.says: tuple[float, str] | None = None
        """When, by the clock of the loop, and what."""

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        """Hear it, if some of it is still to be heard."""
        now = asyncio.get_running_loop().time()
        if self.says is None or self.says[0] + SPEECH_S <= now:
            await asyncio.Event().wait()
        assert self.says is not None
        when, text = self.says
        await asyncio.sleep(max(0.0, when - now))
        on_speech()
        right = step.accepts is None or step.accepts(text)
        patience = step.complete_timeout if right else step.incomplete_timeout
        await asyncio.sleep(when + SPEECH_S + patience - asyncio.get_running_loop().time())
        return Understood(outcome="match" if right else "nomatch", heard=(Heard(text),))


async def live(cases: list[Case], folder: Path) -> list[Came]:
    """Ask all of them on one real call."""
    came: list[Came] = []
    asked: asyncio.Queue[Case | None] = asyncio.Queue()
    typed = asyncio.Event()
    ear = ScriptedEar()

    async def work(session: LiveSession) -> None:
        await session.wait(1.0)
        for case in cases:
            session.forget_keys()
            began = asyncio.get_running_loop().time()
            ear.says = None if case.says is None else (began + case.says[0], case.says[1])
            typed.clear()
            asked.put_nowait(case)
            answer = await session.gather(case.step)
            came.append(Came(answer, asyncio.get_running_loop().time() - began))
            await typed.wait()
            await session.wait(1.0)
        asked.put_nowait(None)

    centre: Centre = centre_with(folder, work, services=Services(recogniser=ear))
    async with centre:
        caller = await centre.carrier.call(LINE)
        caller.media.say(silence(1.0))  # its voice is what the recogniser is told
        while (case := await asyncio.wait_for(asked.get(), 60.0)) is not None:
            began = asyncio.get_running_loop().time()
            for at, key in case.keys:
                await asyncio.sleep(began + at - asyncio.get_running_loop().time())
                await caller.press(key)
            typed.set()
        await caller.ended()
    return came


def simulated(case: Case) -> Came:
    """Ask it of a made-up caller."""
    deeds: list[tuple[float, Keys | Say]] = [(at, Keys(key)) for at, key in case.keys]
    if case.says is not None:
        deeds.append((case.says[0], Say(case.says[1], seconds=SPEECH_S)))
    deeds.sort(key=lambda deed: deed[0])
    session = SimSession(Script(tuple(act for at, deed in deeds for act in (At(at), deed))))
    answer = finish(session.gather(case.step))
    return Came(answer, session.now())


async def test_a_simulated_question_comes_out_as_a_live_one(tmp_path: Path) -> None:
    rng = random.Random(6)
    cases = [random_case(rng) for _ in range(QUESTIONS)]
    outcomes = set()
    for case, real in zip(cases, await live(cases, tmp_path), strict=True):
        made = simulated(case)
        story = (case, real, made)
        same = ("outcome", "keys", "ended_with", "heard", "barged")
        assert [getattr(made.answer, name) for name in same] == [
            getattr(real.answer, name) for name in same
        ], story
        assert abs(made.after - real.after) < NEAR_S, story
        assert abs(made.answer.played.seconds - real.answer.played.seconds) < NEAR_S, story
        assert made.answer.played.complete == real.answer.played.complete, story
        outcomes.add(made.answer.outcome)
    assert outcomes >= {"keys", "speech", "noinput", "nomatch"}
