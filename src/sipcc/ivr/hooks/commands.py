"""What an application says without being asked, one command after the other, so that none is lost."""

from __future__ import annotations

import asyncio

from sipcc.errors import CallEnded, SipccError
from sipcc.ivr.hooks.door import Command, Door, Finish
from sipcc.ivr.hooks.errands import Over, caught, unpacked
from sipcc.ivr.session import Session
from sipcc.tasks import TaskScope


class Commands:
    """The commands of one call."""

    def __init__(self, door: Door, tasks: TaskScope) -> None:
        self._door, self._tasks = door, tasks
        self._saying: asyncio.Task[Command | SipccError | Over | None] | None = None

    def next(self) -> asyncio.Task[Command | SipccError | Over | None]:
        """What waits for the next command: one task, which goes on from verb to verb."""
        if self._saying is None:
            self._saying = self._tasks.spawn(caught(self._door.command()), name="command")
        return self._saying

    def take(self) -> Command | None:
        """The command that has come; None from an application that says nothing any more."""
        saying = self.next()
        self._saying = None
        command: Command | None = unpacked(saying.result())
        return command

    async def wait(self, session: Session) -> Command:
        """Wait for a command, with nothing else to do; raises CallEnded when the caller hangs up."""
        over = asyncio.Event()
        session.on_hangup(over.set)
        gone = self._tasks.spawn(over.wait(), name="gone")
        await asyncio.wait({self.next(), gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not self.next().done():
            raise CallEnded("the caller has hung up")
        return self.take() or Finish()

    def close(self) -> None:
        """Nothing is waited for any more."""
        if self._saying is not None:
            self._saying.cancel()
