"""Queues: what a caller hears there when an application says it, and who takes it out of the line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.desk import Desk
from sipcc.ivr.hooks.door import HookFailed
from sipcc.ivr.hooks.model import BadAnswer, Hook, Program, Report
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Left, Waiting

SHORTEST = 1.0
"""Seconds from one question to the next, at least."""


class Lines:
    """The queues, for the runner of one call."""

    def __init__(
        self,
        session: Session,
        desk: Desk,
        ask: Callable[[Hook, Report], Awaitable[Program | None]],
        do: Callable[[model.Verb], Awaitable[Program | None]],
        defaults: Callable[[], model.Defaults],
    ) -> None:
        """Make them.

        Args:
            session: The caller.
            desk: Takes others out of them.
            ask: Asks a hook.
            do: Carries out a verb, as always.
            defaults: What verbs have that do not say themselves.
        """
        self._session, self._desk = session, desk
        self._ask, self._do, self._defaults = ask, do, defaults

    async def stand(self, enqueue: model.Enqueue, tags: dict[str, str]) -> Left:
        """Let the caller wait; raises CallEnded when it hangs up."""
        step, wait_hook = enqueue.step, enqueue.wait_hook
        step = msgspec.structs.replace(step, context={**step.context, **tags})
        if wait_hook is not None:
            step = msgspec.structs.replace(
                step, waiting=lambda waiting: self._play(step.queue, wait_hook, waiting)
            )
        return await self._session.enqueue(step)

    async def take(self, take: model.Take) -> model.Taken:
        """Let the caller speak with the first one of a line."""
        return await self._desk.take(self._session, take)

    async def _play(self, queue: str, hook: Hook, waiting: Waiting) -> None:
        """Play until the wait is over; an error leaves the caller to the queue's music."""
        try:
            while True:  # until an agent answers, or the caller leaves the queue otherwise
                began = self._session.now()
                told = model.InQueue(queue, max(waiting.position, 1), waiting.size, waiting.seconds)
                program = await self._ask(hook, told)
                if not program or not await self._through(program, waiting):
                    return
                await self._session.wait(max(SHORTEST - (self._session.now() - began), 0.02))
        except (HookFailed, BadAnswer) as error:
            self._session.log("webapp.wait_failed", queue=queue, why=str(error))

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
