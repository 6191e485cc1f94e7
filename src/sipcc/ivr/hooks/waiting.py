"""What a caller hears while it waits, in a queue or for a conference, when an application says it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.desk import Desk, Whisper
from sipcc.ivr.hooks.door import HookFailed
from sipcc.ivr.hooks.model import BadAnswer, Hook, Program, Report
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Left, Waiting

SHORTEST = 1.0
"""Seconds from one question to the next, at least."""


class Pastime:
    """Lets one caller hear what a hook says, again and again."""

    def __init__(
        self,
        session: Session,
        ask: Callable[[Hook, Report], Awaitable[Program | None]],
        do: Callable[[model.Verb], Awaitable[Program | None]],
        defaults: Callable[[], model.Defaults],
        keep_place: Callable[[], Callable[[], None]],
    ) -> None:
        """Make it.

        Args:
            session: The caller.
            ask: Asks a hook.
            do: Carries out a verb, as always.
            defaults: What verbs have that do not say themselves.
            keep_place: Keeps the place of the documents that were left for this.
        """
        self._session, self._ask, self._do, self._defaults = session, ask, do, defaults
        self._keep_place = keep_place

    async def go_on(self, hook: Hook, where: str, report: Callable[[], Report]) -> bool:
        """Play until there is nothing to play, which an error is too; False when the caller shall leave.

        `where` is the queue or conference, for the log.
        """
        put_back = self._keep_place()
        try:
            while True:  # until an agent answers, the conference begins, or the caller leaves otherwise
                began = self._session.now()
                program = await self._ask(hook, report())
                if not program:
                    return True
                if not await self.through(program):
                    return False
                await self._session.wait(max(SHORTEST - (self._session.now() - began), 0.02))
        except (HookFailed, BadAnswer) as error:
            self._session.log("webapp.wait_failed", queue=where, why=str(error))
            return True
        finally:
            put_back()

    async def through(self, program: Program) -> bool:
        """Carry out a program; False when it wants the caller to leave."""
        todo = list(program)
        while todo:
            verb = todo.pop(0)
            action = verb(self._defaults())
            if isinstance(action, model.Leave):
                return False
            if not isinstance(action, _POSSIBLE):
                name = type(action).__name__
                raise BadAnswer("waiting", f"{name} cannot be carried out while a caller waits")
            new = await self._do(verb)
            if new is not None:
                todo = list(new)
        return True


class Lines:
    """The queues, for the runner of one call."""

    def __init__(self, session: Session, desk: Desk, pastime: Pastime) -> None:
        """`desk` takes others out of them, `pastime` lets the caller hear something in them."""
        self._session, self._desk, self._pastime = session, desk, pastime

    async def stand(self, enqueue: model.Enqueue, tags: dict[str, str]) -> Left:
        """Let the caller wait; raises CallEnded when it hangs up."""
        step, wait_hook = enqueue.step, enqueue.wait_hook
        step = msgspec.structs.replace(step, context={**step.context, **tags})
        if wait_hook is not None:
            step = msgspec.structs.replace(
                step, waiting=lambda waiting: self._play(step.queue, wait_hook, waiting)
            )
        return await self._session.enqueue(step)

    async def take(self, take: model.Take, whisper: Whisper | None) -> model.Taken:
        """Let the caller speak with the first one of a line, who hears `whisper` before."""
        return await self._desk.take(self._session, take, whisper)

    async def _play(self, queue: str, hook: Hook, waiting: Waiting) -> None:
        """Play until the wait is over; an error leaves the caller to the queue's music."""

        def report() -> Report:
            return model.InQueue(queue, max(waiting.position, 1), waiting.size, waiting.seconds)

        if not await self._pastime.go_on(hook, queue, report):
            waiting.leave()


_POSSIBLE = (
    model.Say,
    model.Ask,
    model.Pause,
    model.Redirect,
    model.Tag,
    model.Remark,
    model.Configure,
)
