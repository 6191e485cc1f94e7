"""Speaking with somebody who was called and has answered, before the caller does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sipcc.call import Call
from sipcc.call.accepting import Party
from sipcc.call.asking import Question, ask_for
from sipcc.errors import CallEnded
from sipcc.ivr.live import gathered
from sipcc.ivr.live_prompts import compose
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.steps import Gather, Gathered, Played, Prompt


class PartySession:
    """Prompts for one party, and its keys; a `sipcc.ivr.session.Speaker`. Nobody listens to its voice."""

    def __init__(self, call: Call, services: Services, party: Party) -> None:
        """`call` is the caller's: prompts are in its language."""
        self._call, self._services, self._party = call, services, party

    def now(self) -> float:
        """Seconds of the clock."""
        return self._call.context.clock.now()

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end; keys are kept for the next question."""
        score = await compose(self._call, self._services, prompts)
        player = self._party.player
        complete = await player.play(score.items) if score.items else True
        seconds = await player.halt() if score.items else 0.0
        self._check()
        return Played(complete=complete, seconds=seconds, reached=score.reached(seconds))

    async def gather(self, step: Gather) -> Gathered:
        """Ask for keys."""
        score = await compose(self._call, self._services, step.prompts)
        question: Question[Understood] = Question(
            items=score.items, matcher=step.keys, settings=step.collect, keys_turns=score.keys_turns
        )
        self._check()
        asked = await ask_for(self._party, question)
        self._check()
        return gathered(asked, score, secret=step.collect.secret)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._party.ended:
            raise CallEnded("the party has hung up")
