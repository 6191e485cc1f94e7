"""What an application says to somebody who was called for a caller, before the two talk.

jambonz' ``confirmHook``, and ``url`` of Number, Sip and Client in TwiML: the program is carried out for
whoever has answered. It may speak, ask for keys, let time pass and go on elsewhere. The caller is connected
when it is over, unless it has hung up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypedDict, Unpack

import msgspec

from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.desk import Whisper
from sipcc.ivr.hooks.door import Door, HookFailed
from sipcc.ivr.hooks.model import BadAnswer, Defaults, Facts, Hook, Program, Report, Take
from sipcc.ivr.hooks.saying import Sayer
from sipcc.ivr.session import Speaker

MAX_HOOKS = 20
"""Questions to the application about one party."""


class Log(Protocol):
    """Writes down why a party was refused."""

    def __call__(self, *, why: str) -> None:
        """That is the application's fault."""
        ...


class Surroundings(TypedDict):
    """What both have of the call: see `Screening`."""

    permit: Callable[[str], Awaitable[None]] | None
    defaults: Defaults
    log: Log


def screen_by(
    confirm: Mapping[str, Hook],
    door: Door,
    facts: Facts,
    **ours: Unpack[Surroundings],
) -> Callable[[Speaker, str], Coroutine[Any, Any, bool]]:
    """What decides for a step `Transfer` who has the caller: `confirm` has the hooks of its targets.

    `facts` are those of the caller's call; the rest is as with `Screening`.
    """

    async def screen(speaker: Speaker, target: str) -> bool:
        if target not in confirm:
            return True
        there = msgspec.structs.replace(facts, dialled=target, parent=facts.call)
        screening = Screening(speaker, door.apart(), there, **ours)
        return await screening.decide(confirm[target], model.Started())

    return screen


def whisper_by(
    take: Take,
    door: Door,
    facts: Facts,
    **ours: Unpack[Surroundings],
) -> Whisper | None:
    """What one who waited hears before it talks to the call of `facts`; None for nothing."""
    hook = take.whisper
    if hook is None:
        return None

    async def whisper(speaker: Speaker, call: str, caller: str, seconds: float) -> None:
        there = msgspec.structs.replace(facts, call=call, caller=caller)
        screening = Screening(speaker, door.apart(), there, **ours)
        await screening.decide(hook, model.Dequeued(take.queue, seconds, facts.call))

    return whisper


class Screening:
    """Carries out what an application says to one who was called."""

    def __init__(
        self,
        speaker: Speaker,
        door: Door,
        facts: Facts,
        *,
        permit: Callable[[str], Awaitable[None]] | None,
        defaults: Defaults,
        log: Log,
    ) -> None:
        """Make one.

        Args:
            speaker: Speaks with the party.
            door: Asks the application, and keeps the place of its documents for this alone.
            facts: What is known of the call to the party.
            permit: Raises HookFailed for a sound that must not be fetched; None takes all.
            defaults: What verbs have that do not say themselves.
            log: Told why the party is refused when that is the application's fault.
        """
        self._speaker, self._door, self._facts, self._defaults = speaker, door, facts, defaults
        self._sayer, self._log = Sayer(speaker, door, permit), log
        self._asked = 0

    async def decide(self, hook: Hook, first: Report) -> bool:
        """Whether the party shall have the caller: `hook` is asked first, and told `first`.

        Raises CallEnded when it has hung up.
        """
        try:
            todo = list(await self._ask(hook, first) or ())
            while todo:
                action = todo.pop(0)(self._defaults)
                if isinstance(action, model.Hangup | model.Reject):
                    return False
                new = await self._do(action)
                if new is not None:
                    todo = list(new)
        except (HookFailed, BadAnswer) as error:
            self._log(why=str(error))
            return False
        return True

    async def _do(self, action: model.Action) -> Program | None:
        match action:
            case model.Say():
                played = await self._sayer.play(action)
                return await self._ask(action.hook, played)
            case model.Ask():
                prompts = await self._sayer.here(action.step.prompts)
                step = msgspec.structs.replace(action.step, prompts=prompts, listen=None)
                result = await self._speaker.gather(step)
                if result.outcome != "keys" and not result.keys and not action.silence_too:
                    return None
                return await self._ask(action.hook, result)
            case model.Pause():
                await self._speaker.wait(action.seconds)
            case model.Redirect():
                return await self._ask(action.hook, model.Redirected())
            case model.Configure():
                self._defaults = action.change(self._defaults)
            case model.Answer() | model.Tag() | model.Remark():
                pass  # it has answered; what is written down is written of the caller's call
            case _:
                name = type(action).__name__
                raise BadAnswer("confirming", f"{name} cannot be carried out for somebody who was called")
        return None

    async def _ask(self, hook: Hook | None, report: Report) -> Program | None:
        if hook is None:
            return None
        self._asked += 1
        if self._asked > MAX_HOOKS:
            raise HookFailed("loop", f"more than {MAX_HOOKS} questions about one party")
        return await self._door.ask(hook, self._facts, report)
