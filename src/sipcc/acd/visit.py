"""One caller's stay in a queue, as a coroutine: wait, be answered, talk, leave.

Whatever ends it, its `finally` leaves nothing behind: no task, no sound, no leg, no entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import msgspec

from sipcc.acd.announce import cut, entertain
from sipcc.acd.callback import HERE
from sipcc.acd.events import Exit
from sipcc.acd.model import Entry, Place, QueueResult
from sipcc.acd.planning import Plan
from sipcc.acd.protocols import AgentLeg, Caller, Talk
from sipcc.acd.recall import is_dialable
from sipcc.acd.settings import QueueSettings
from sipcc.errors import CallEnded, SipccError
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.acd.visit")


class Host(Protocol):
    """What a stay asks of the ACD that it takes place in."""

    tasks: TaskScope

    def now(self) -> float:
        """Seconds of the clock."""
        ...

    def position(self, entry_id: str) -> int:
        """The place of a waiting caller; 0 when it is not waiting."""
        ...

    def expected_wait(self, entry_id: str) -> float:
        """Seconds that a waiting caller is expected to wait from now; 0 when it is not waiting."""
        ...

    def hung_up(self, entry_id: str) -> None:
        """The caller's leg is over."""
        ...

    def leave(self, entry_id: str, exit_: Exit, to: str = "") -> bool:
        """Take the caller out, on its way to `to`; False when it has left already or talks."""
        ...

    def bridged(self, entry_id: str) -> Entry | None:
        """Begin the talk; None when the entry is over."""
        ...

    def talk_ended(self, entry_id: str, *, lost: bool) -> float:
        """End the talk, `lost` when the agent's phone died; its seconds."""
        ...

    def hang_up(self, leg: AgentLeg) -> None:
        """End a leg."""
        ...

    @property
    def number_prompt(self) -> str | None:
        """What a caller without a number hears who books a callback; None when nobody is called back."""
        ...

    def book(self, entry_id: str, number: str) -> bool:
        """Take the caller out, to be called back at `number`; False when that may not be."""
        ...


class Wait:
    """A caller's wait in a queue, for whoever lets it hear something else than the queue's music."""

    def __init__(self, host: Host, entry_id: str) -> None:
        self._host, self._id, self._began = host, entry_id, host.now()

    @property
    def position(self) -> int:
        """The caller's place, from 1; 0 when it waits no more."""
        return self._host.position(self._id)

    @property
    def seconds(self) -> float:
        """How long it has waited."""
        return self._host.now() - self._began

    def leave(self) -> None:
        """Take the caller out, unless an agent has it already; the exit is ``withdrawn``."""
        self._host.leave(self._id, "withdrawn")


Show: TypeAlias = Callable[[Wait], Awaitable[None]]
"""Lets a caller hear something while it waits; cancelled when an agent answers. When it returns, the queue's
own music begins."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The next stay of a caller whom somebody moves to another queue."""

    entry: str
    queue: str
    priority: int
    """The caller's own, without its queue's."""
    plan: Plan
    place: Place | None
    """None for the end of the line."""


class Visit:
    """The stay of `call` under `entry_id`."""

    def __init__(
        self,
        host: Host,
        call: Caller,
        settings: QueueSettings,
        entry_id: str,
        *,
        place: Place | None = None,
        show: Show | None = None,
    ) -> None:
        """`place` is what the caller had before its agent's phone died, or this process did.

        `show` lets it hear something of its own.
        """
        self.call = call
        self.id = entry_id
        self.place = place
        self.regained: Place | None = None
        """Where the caller stands again when the phone of the agent died in this stay."""
        self.move: Move | None = None
        """Where the caller goes next, when somebody moves it out of this stay."""
        self._host = host
        self._settings = settings
        self._shown = show
        self._leg: AgentLeg | None = None
        self._entry: Entry | None = None
        self._meet: Callable[[Caller, float], Coroutine[Any, Any, Talk]] | None = None
        self._decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._show: asyncio.Task[None] | None = None

    def won(self, leg: AgentLeg) -> None:
        """An agent has answered."""
        self._leg = leg
        self._wake()

    def taken(self, entry: Entry, meet: Callable[[Caller, float], Coroutine[Any, Any, Talk]]) -> None:
        """Somebody who is no agent speaks with the caller."""
        self._entry, self._meet = entry, meet
        self._wake()

    def released(self, entry: Entry) -> None:
        """The entry is over without a talk."""
        self._entry = entry
        self._wake()

    def _wake(self) -> None:
        if not self._decided.done():  # it is, when the stay was cancelled in the same instant
            self._decided.set_result(None)

    async def run(self) -> QueueResult:
        """Stay until the caller has left the queue and, if answered, the talk is over."""
        host, call = self._host, self.call
        watcher = host.tasks.spawn(self._watch(), name=f"watch-{self.id}")
        self._show = host.tasks.spawn(self._entertain(), name=f"entertain-{self.id}")
        try:
            with self._keys():
                await self._decided
            if self._meet is not None and self._entry is not None:
                await cut(self._show, call)
                return await self.go_on(self._entry, self._meet(call, self._entry.waited(now=host.now())))
            if self._leg is not None:
                await cut(self._show, call)
                if call.ended:
                    host.hung_up(self.id)
                if (entry := host.bridged(self.id)) is not None:
                    return await self.go_on(entry, call.bridge(self._leg))
        finally:
            watcher.cancel()
            self._show.cancel()
            call.stop_playing()
            if self._leg is not None:
                host.hang_up(self._leg)
            if call.ended:
                host.hung_up(self.id)
            if self._meet is not None:
                host.talk_ended(self.id, lost=False)  # of a caller who left before it began
            host.leave(self.id, "withdrawn")
        assert self._entry is not None  # woken without a leg, or refused by `bridged`: released
        return result_of(self._entry, now=host.now())

    @contextmanager
    def _keys(self) -> Iterator[None]:
        """Let the caller's keys take it out of the line; the talk has its keys for itself."""
        if not self._settings.keys:
            yield
            return
        self.call.listen_keys(self._on_key)
        try:
            yield
        finally:
            self.call.unlisten_keys(self._on_key)

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitBegan) or self._leg is not None:
            return  # at its end, for else whoever asks next would be told of that
        to = self._settings.keys.get(event.digit)
        if to == HERE:
            self._book()
        elif to:
            self._host.leave(self.id, "key_exit", to)

    def _book(self) -> None:
        """Book a callback; who shows no number is asked for one, and waits on meanwhile."""
        host, prompt = self._host, self._host.number_prompt
        if prompt is None or host.book(self.id, self.call.caller) or is_dialable(self.call.caller):
            return
        if (show := self._show) is not None:
            self._show = host.tasks.spawn(self._ask_number(show, prompt), name=f"callback-number-{self.id}")

    async def _ask_number(self, show: asyncio.Task[None], prompt: str) -> None:
        await cut(show, self.call)
        try:
            number = await self.call.ask(prompt, digits=(3, 15), timeout=10.0)
        except CallEnded:
            return
        if not number or not self._host.book(self.id, number):
            await entertain(self.call, self._settings, self.id, self._host)

    async def go_on(self, entry: Entry, bridge: Coroutine[Any, Any, Talk]) -> QueueResult:
        """Stay through a talk, which `bridge` waits for, also one that another process has begun."""
        host, talked, ended_by, lost = self._host, 0.0, "us", False
        try:
            talk = await bridge
            ended_by, lost = talk.ended_by, talk.lost
        except CallEnded:
            ended_by = "caller"
        except SipccError as error:
            _log.warning("acd.bridge_failed", call_id=self.call.id, error=str(error))
        finally:
            talked = host.talk_ended(self.id, lost=lost)
        if lost and self._settings.requeue and not self.call.ended:
            self.regained = Place(
                joined=entry.joined,
                number=entry.number,
                priority=entry.priority,
                tried=frozenset({entry.agent or ""}),
            )
        return result_of(entry, now=host.now(), talked=talked, ended_by=ended_by, lost=lost)

    async def _entertain(self) -> None:
        """What the caller hears while it waits; who was cut off is told so first."""
        cut_off = self.place is not None and self.place.back_why == "lost"
        prompt = self._settings.requeue_prompt if cut_off else ""
        try:
            if prompt:
                await self.call.play(prompt)
            if self._shown is not None:
                await self._shown(Wait(self._host, self.id))
        except CallEnded:
            return
        await entertain(self.call, self._settings, self.id, self._host)

    async def _watch(self) -> None:
        await self.call.wait_ended()
        self._host.hung_up(self.id)


def result_of(
    entry: Entry, *, now: float, talked: float = 0.0, ended_by: str = "", lost: bool = False
) -> QueueResult:
    """The result of an entry that has its exit."""
    assert entry.exit is not None
    return QueueResult(
        exit=entry.exit,
        waited=entry.waited(now=now),
        talked=talked,
        agent=entry.agent,
        ended_by=ended_by,
        to=entry.to,
        lost=lost,
        queue=entry.queue,
    )
