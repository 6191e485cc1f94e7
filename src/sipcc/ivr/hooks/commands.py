"""What is said to a call without being asked for, one command after the other, so that none is lost.

Some comes from its application, over a WebSocket, and some from outside, over our HTTP interface.
"""

from __future__ import annotations

import asyncio

from sipcc.errors import CallEnded, LocalProtocolError, SipccError
from sipcc.ivr.hooks.door import Command, Door, Finish, HookFailed
from sipcc.tasks import TaskScope

MAX_WAITING = 100
"""Commands from outside that wait until the call gets to them."""


class Commands:
    """The commands of one call."""

    def __init__(self, door: Door, tasks: TaskScope) -> None:
        self._door, self._tasks = door, tasks
        self.open = door.talks
        """Whether the application may still say something: then the call waits for it when all is done."""
        self._waiting: asyncio.Queue[tuple[Command | SipccError | None, bool]] = asyncio.Queue()
        self._ready = asyncio.Semaphore(1)  # what the application says is read when it can be done
        self._next: asyncio.Task[tuple[Command | SipccError | None, bool]] | None = None
        self._listening: asyncio.Task[None] | None = None

    def put(self, command: Command) -> None:
        """Take a command from outside.

        Raises:
            LocalProtocolError: too many wait.
        """
        if self._waiting.qsize() >= MAX_WAITING:
            raise LocalProtocolError(f"more than {MAX_WAITING} commands wait for this call")
        self._waiting.put_nowait((command, False))

    async def _listen(self) -> None:
        """Pass on what the application says, until it says nothing any more."""
        said: Command | SipccError | None = None
        while True:
            await self._ready.acquire()
            try:
                said = await self._door.command()
            except SipccError as error:
                said = error
            self._waiting.put_nowait((said, True))
            if said is None or isinstance(said, SipccError):
                return

    def next(self) -> asyncio.Task[tuple[Command | SipccError | None, bool]]:
        """What waits for the next command: one task, which goes on from verb to verb."""
        if self._listening is None and self.open:
            self._listening = self._tasks.spawn(self._listen(), name="listen")
        if self._next is None:
            self._next = self._tasks.spawn(self._waiting.get(), name="command")
        return self._next

    def take(self) -> Command | None:
        """The command that has come; None when the application says nothing any more."""
        said, ours = self.next().result()
        self._next = None
        if ours:
            self._ready.release()
        if isinstance(said, SipccError):
            raise said
        if said is None:
            self.open = False
        return said

    async def wait(self, gone: asyncio.Event, limit: float) -> Command:
        """Wait for a command, with nothing else to do, for `limit` seconds at most.

        Raises:
            CallEnded: the caller is `gone`.
            HookFailed: nothing was said.
        """
        leaving = self._tasks.spawn(gone.wait(), name="gone")
        await asyncio.wait({self.next(), leaving}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if self.next().done():
            return self.take() or Finish()
        if gone.is_set():
            raise CallEnded("the caller has hung up")
        raise HookFailed("slow", f"the application left the caller with nothing for {limit:g} s")

    def close(self) -> None:
        """Nothing is waited for any more."""
        for task in (self._next, self._listening):
            if task is not None:
                task.cancel()
