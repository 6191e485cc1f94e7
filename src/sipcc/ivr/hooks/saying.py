"""What applications let a caller hear: their URLs are made absolute, and only what may be fetched is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sipcc.ivr import steps
from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.door import Door, HookFailed
from sipcc.ivr.hooks.sounds import mute, placed, sources
from sipcc.ivr.session import Speaker

BREATH = 0.5
"""Seconds between repetitions of something that takes no time."""


class Sayer:
    """Says things to one caller, or to one who was called."""

    def __init__(
        self, session: Speaker, door: Door, permit: Callable[[str], Awaitable[None]] | None = None
    ) -> None:
        """`permit` raises HookFailed for the URL of a sound that must not be fetched; None takes all."""
        self._session, self._door, self._permit = session, door, permit

    async def here(self, prompts: tuple[steps.Prompt, ...]) -> tuple[steps.Prompt, ...]:
        """`prompts` with absolute URLs; raises HookFailed for one of a sound that must not be fetched."""
        prompts = placed(prompts, self._door.absolute)
        if self._permit is not None:
            for url in sources(prompts):
                try:
                    await self._permit(url)
                except HookFailed as failed:
                    if failed.kind == "refused":  # what only cannot be had is left out
                        raise
        return prompts

    async def play(self, say: model.Say) -> steps.Played:
        """Say it as often as it is wanted; a limit counts for all of it."""
        prompts, left, until = await self.here(say.prompts), say.times or None, None
        if say.limit is not None:
            until = self._session.now() + say.limit
        total = 0.0
        while left is None or left > 0:
            began = self._session.now()
            if until is None:
                played = await self._session.play(prompts)
            else:
                played = (await self._session.gather(mute(prompts, max(until - began, 0.01)))).played
            total += played.seconds
            if until is not None and self._session.now() >= until:
                break
            left = None if left is None else left - 1
            if self._session.now() <= began and left != 0:
                await self._session.wait(BREATH)
        return steps.Played(complete=True, seconds=total)

    async def fill(self, delay: model.Delay, defaults: model.Defaults) -> None:
        """Fill the time until a hook answers."""
        for _ in range(delay.retries + 1):
            await self._session.wait(delay.after)
            for verb in delay.actions:
                action = verb(defaults)
                if isinstance(action, model.Say):
                    await self.play(action)
                elif isinstance(action, model.Pause):
                    await self._session.wait(action.seconds)
