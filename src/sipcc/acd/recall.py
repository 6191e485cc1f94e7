"""Callers who gave up waiting, as cores: the places kept for them, and the list of whom to call back.

A place is regained by calling the same queue again in time. The list has one task for each number in each
window; who calls again closes its task, and who gives up again opens it again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from sipcc.acd.events import RecallClosed, RecallOpened
from sipcc.acd.lately import NOBODY
from sipcc.acd.model import Entry, Place
from sipcc.errors import LocalProtocolError
from sipcc.events import Event

PLACES_KEPT = 10_000
"""Places that are kept at a time; the oldest goes first."""

TASKS_KEPT = 10_000
"""Tasks that are kept at a time; the oldest goes first."""

CloseReason = Literal["called_again", "callback", "done", "expired"]


class KeptPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place that is kept for a while."""

    place: Place
    entry: str
    """The entry that had it."""
    until: float
    """Seconds of the monotonic clock."""


class KeptPlaces:
    """The places of callers who hung up while they waited, by queue and caller."""

    def __init__(self, *, kept: int = PLACES_KEPT) -> None:
        self._kept = kept
        self._places: OrderedDict[tuple[str, str], KeptPlace] = OrderedDict()
        self._changed: dict[tuple[str, str], None] = {}

    def __len__(self) -> int:
        return len(self._places)

    def lost(self, entry: Entry, *, caller: str, until: float) -> None:
        """The caller of `entry`, known as `caller`, hung up; its place is kept up to `until`."""
        if entry.caller.lower() in NOBODY:
            return
        place = Place(joined=entry.joined, number=entry.number, back_why="resumed")
        self.restore((entry.queue, caller), KeptPlace(place=place, entry=entry.id, until=until))

    def restore(self, key: tuple[str, str], kept: KeptPlace) -> None:
        """Keep a place, which a process before us may have kept, by queue and caller."""
        self._places[key] = kept
        self._places.move_to_end(key)
        self._changed[key] = None
        if len(self._places) > self._kept:
            self._changed[self._places.popitem(last=False)[0]] = None

    def rename(self, was: str, name: str) -> None:
        """Keep the places of a queue under its new name."""
        for queue, caller in [key for key in self._places if key[0] == was]:
            self._changed |= {(queue, caller): None, (name, caller): None}
        items = list(self._places.items())
        self._places = OrderedDict(
            ((name if queue == was else queue, caller), kept) for (queue, caller), kept in items
        )

    def regain(self, queue: str, caller: str, *, now: float) -> tuple[Place, str] | None:
        """The place that `caller` has kept in `queue`, and the entry it had; it is kept no longer."""
        kept = self._places.pop((queue, caller), None)
        if kept is None:
            return None
        self._changed[queue, caller] = None
        return None if now > kept.until else (kept.place, kept.entry)

    def changed(self) -> list[tuple[tuple[str, str], KeptPlace | None]]:
        """Those that are otherwise than at the last call; None for one that is kept no longer."""
        found = [(key, self._places.get(key)) for key in self._changed]
        self._changed.clear()
        return found


class RecallTask(msgspec.Struct, frozen=True, kw_only=True):
    """One number that gave up waiting, to be called back. Times are seconds of the monotonic clock."""

    id: str
    number: str
    queue: str
    """Where it gave up last."""
    call: str
    """Its last call."""
    calls: int
    """How often it gave up in this window."""
    first: float
    last: float
    expires: float
    """The end of its window, which begins with `first`."""
    closed: CloseReason | None = None
    """Why nobody needs to call it any more; None while somebody should."""


class RecallList:
    """The tasks of all queues."""

    def __init__(self, events: list[Event], *, new_id: Callable[[str], str], kept: int = TASKS_KEPT) -> None:
        """What happens is appended to `events`; `new_id` makes an id from a prefix."""
        self._events = events
        self._new_id = new_id
        self._kept = kept
        self._tasks: OrderedDict[str, RecallTask] = OrderedDict()
        """By number, in the order of their windows' beginnings."""
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def open(self, *, now: float) -> list[RecallTask]:
        """The tasks that somebody should see to, oldest first."""
        self._expire(now=now)
        return [task for task in self._tasks.values() if task.closed is None]

    def gave_up(self, queue: str, number: str, *, call: str, window: float, now: float) -> None:
        """`number` hung up while it waited in `queue`, whose window is so many seconds; 0 keeps no list."""
        if not window or not is_dialable(number):
            return
        self._expire(now=now)
        task = self._tasks.get(number)
        if task is None:
            task = RecallTask(
                id=self._new_id("recall"),
                number=number,
                queue=queue,
                call=call,
                calls=1,
                first=now,
                last=now,
                expires=now + window,
            )
            if len(self._tasks) >= self._kept:
                self._drop(next(iter(self._tasks)), now=now)
        else:
            task = replace(task, queue=queue, call=call, calls=task.calls + 1, last=now, closed=None)
        self._tasks[number] = task
        self._changed[number] = None
        self._events.append(
            RecallOpened(at=now, recall=task.id, queue=queue, call=call, number=number, calls=task.calls)
        )

    def rename(self, was: str, name: str) -> None:
        """Have the tasks of a queue under its new name."""
        for number, task in self._tasks.items():
            if task.queue == was:
                self._tasks[number] = replace(task, queue=name)
                self._changed[number] = None

    def called(self, number: str, *, now: float) -> None:
        """`number` came into a queue again: its task is closed."""
        self._expire(now=now)
        task = self._tasks.get(number)
        if task is not None and task.closed is None:
            self._close(task, "called_again", now=now)

    def close(self, task_id: str, why: CloseReason, *, now: float) -> RecallTask:
        """Somebody has seen to a task; the task as it is then.

        Raises:
            LocalProtocolError: there is no open task of that id.
        """
        return self._close(self.get(task_id, now=now), why, now=now)

    def get(self, task_id: str, *, now: float) -> RecallTask:
        """The open task of that id.

        Raises:
            LocalProtocolError: there is none.
        """
        self._expire(now=now)
        task = self.known(task_id)
        if task is None:
            raise LocalProtocolError(f"there is no recall {task_id!r}")
        if task.closed is not None:
            raise LocalProtocolError(f"recall {task_id!r} is closed: {task.closed}")
        return task

    def known(self, task_id: str) -> RecallTask | None:
        """The task of that id, open or closed, while its window lasts."""
        return next((task for task in self._tasks.values() if task.id == task_id), None)

    def changed(self) -> list[tuple[str, RecallTask | None]]:
        """Those that are otherwise than at the last call, by number; None for one whose window is over."""
        found = [(number, self._tasks.get(number)) for number in self._changed]
        self._changed.clear()
        return found

    def restore(self, task: RecallTask) -> None:
        """Go on with a task of a process before us; these come in the order of their windows' beginnings."""
        self._tasks[task.number] = task
        self._changed[task.number] = None

    def _close(self, task: RecallTask, why: CloseReason, *, now: float) -> RecallTask:
        task = self._tasks[task.number] = replace(task, closed=why)
        self._changed[task.number] = None
        self._events.append(
            RecallClosed(
                at=now, recall=task.id, queue=task.queue, call=task.call, number=task.number, why=why
            )
        )
        return task

    def _expire(self, *, now: float) -> None:
        for number in [task.number for task in self._tasks.values() if task.expires <= now]:
            self._drop(number, now=now)

    def _drop(self, number: str, *, now: float) -> None:
        task = self._tasks[number]
        if task.closed is None:
            self._close(task, "expired", now=now)
        del self._tasks[number]
        self._changed[number] = None


def is_dialable(number: str) -> bool:
    """True for what can be dialled: digits, with a + before them at most."""
    digits = number.removeprefix("+")
    return 3 <= len(digits) <= 15 and digits.isascii() and digits.isdigit()
