"""What a caller hears in a queue when an application says it: the application is asked again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.door import HookFailed
from sipcc.ivr.hooks.model import BadAnswer, Hook, Program, Report
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Waiting

SHORTEST = 1.0
"""Seconds from one question to the next, at least."""


class WaitShow:
    """The show of one wait; it is over when the application says nothing more, or fails."""

    def __init__(
        self,
        session: Session,
        queue: str,
        hook: Hook,
        ask: Callable[[Hook, Report], Awaitable[Program | None]],
        do: Callable[[model.Verb], Awaitable[Program | None]],
        defaults: Callable[[], model.Defaults],
    ) -> None:
        """Make one.

        Args:
            session: The caller.
            queue: Where it waits.
            hook: Who says what is heard.
            ask: Asks it.
            do: Carries out a verb, as always.
            defaults: What verbs have that do not say themselves.
        """
        self._session, self._queue, self._hook = session, queue, hook
        self._ask, self._do, self._defaults = ask, do, defaults

    async def run(self, waiting: Waiting) -> None:
        """Play until the wait is over; an error leaves the caller to the queue's music."""
        try:
            while True:  # until an agent answers, or the caller leaves the queue otherwise
                began = self._session.now()
                told = model.InQueue(self._queue, max(waiting.position, 1), waiting.size, waiting.seconds)
                program = await self._ask(self._hook, told)
                if not program or not await self._through(program, waiting):
                    return
                await self._session.wait(max(SHORTEST - (self._session.now() - began), 0.02))
        except (HookFailed, BadAnswer) as error:
            self._session.log("webapp.wait_failed", queue=self._queue, why=str(error))

    async def _through(self, program: Program, waiting: Waiting) -> bool:
        """Carry out a program; False when it has taken the caller out."""
        todo = list(program)
        while todo:
            verb = todo.pop(0)
            action = verb(self._defaults())
            if isinstance(action, model.Leave):
                waiting.leave()
                return False
            if not isinstance(action, _POSSIBLE):
                name = type(action).__name__
                raise BadAnswer("waiting", f"{name} cannot be carried out while a caller waits")
            new = await self._do(verb)
            if new is not None:
                todo = list(new)
        return True


_POSSIBLE = (
    model.Say,
    model.Ask,
    model.Pause,
    model.Redirect,
    model.Tag,
    model.Remark,
    model.Configure,
)
