"""What is written down of callers who gave up, for another process: whom to call back, and the kept places.

Times are Unix seconds there, because the monotonic clock of another process is another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sipcc.acd.model import Place
from sipcc.acd.recall import CloseReason, KeptPlace, RecallTask
from sipcc.shelves import Shelves

if TYPE_CHECKING:
    from sipcc.acd.floor import Floor


class SavedRecall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number that gave up; the fields are those of `sipcc.acd.recall.RecallTask`."""

    id: str
    number: str
    queue: str
    call: str
    calls: int
    first: float
    last: float
    expires: float
    closed: CloseReason | None = None


class SavedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The place of one caller who hung up."""

    queue: str
    caller: str
    joined: float
    number: int
    entry: str
    until: float


class LeftLists:
    """Writes down who gave up on a floor, and reads it back."""

    def __init__(self, floor: Floor, shelves: Shelves) -> None:
        """`shelves` must be open."""
        self._floor = floor
        self._recalls = shelves.shelf("recalls", SavedRecall)
        self._places = shelves.shelf("kept_places", SavedPlace)

    def write_down(self, *, ages: float) -> None:
        """Write down what has changed; `ages` takes Unix seconds to our clock."""
        for number, task in self._floor.recalls.changed():
            if task is None:
                self._recalls.over(number)
            else:
                self._recalls.note(number, _saved_recall(task, ages=ages))
        for (queue, caller), kept in self._floor.kept.changed():
            if kept is None:
                self._places.over(f"{queue}/{caller}")
            else:
                self._places.note(f"{queue}/{caller}", _saved_place(queue, caller, kept, ages=ages))

    def restore(self, *, ages: float, now: float) -> None:
        """Have the lists as they were left; windows that have ended meanwhile are told as ended."""
        floor = self._floor
        for key, task in sorted(self._recalls.left.items(), key=lambda item: item[1].first):
            if (number := floor.canonical(task.number)) != key:
                self._recalls.over(key)
            queue = floor.line(task.queue).settings.name if floor.knows(task.queue) else task.queue
            floor.recalls.restore(_our_recall(replace(task, number=number, queue=queue), ages=ages))
        floor.recalls.open(now=now)
        for key, kept in sorted(self._places.left.items(), key=lambda item: item[1].until):
            self._places.over(key)
            until = kept.until + ages
            if until >= now and floor.knows(kept.queue):
                floor.count_on(kept.number)
                place = Place(joined=kept.joined + ages, number=kept.number, back_why="resumed")
                key_here = (floor.line(kept.queue).settings.name, floor.canonical(kept.caller))
                floor.kept.restore(key_here, KeptPlace(place=place, entry=kept.entry, until=until))


def _saved_recall(task: RecallTask, *, ages: float) -> SavedRecall:
    return SavedRecall(
        id=task.id,
        number=task.number,
        queue=task.queue,
        call=task.call,
        calls=task.calls,
        first=round(task.first - ages, 3),
        last=round(task.last - ages, 3),
        expires=round(task.expires - ages, 3),
        closed=task.closed,
    )


def _our_recall(task: SavedRecall, *, ages: float) -> RecallTask:
    return RecallTask(
        id=task.id,
        number=task.number,
        queue=task.queue,
        call=task.call,
        calls=task.calls,
        first=task.first + ages,
        last=task.last + ages,
        expires=task.expires + ages,
        closed=task.closed,
    )


def _saved_place(queue: str, caller: str, kept: KeptPlace, *, ages: float) -> SavedPlace:
    return SavedPlace(
        queue=queue,
        caller=caller,
        joined=round(kept.place.joined - ages, 3),
        number=kept.place.number,
        entry=kept.entry,
        until=round(kept.until - ages, 3),
    )
