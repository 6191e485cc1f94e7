"""What can be said to the ACD about callers who wait."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sipcc.acd.callbackdesk import CallbackDesk
from sipcc.acd.events import Exit
from sipcc.acd.model import Place
from sipcc.acd.protocols import Caller, Talk
from sipcc.acd.recall import RecallTask
from sipcc.acd.visit import Move


class CallerCommands(CallbackDesk):
    """Commands about waiting callers, by the id of their entry.

    All but `withdraw` and `take` raise LocalProtocolError, with the reason, when they are not possible now.
    `by` is who gave the command, for the event.
    """

    def withdraw(self, entry_id: str, exit_: Exit = "withdrawn") -> bool:
        """Take a waiting caller out of its queue; False when it is not waiting any more."""
        return self.leave(entry_id, exit_)

    def take(
        self, queue: str, meet: Callable[[Caller, float], Coroutine[Any, Any, Talk]], *, call: str = ""
    ) -> bool:
        """Let somebody who is no agent speak with the first caller of a queue; its exit is ``answered``.

        Passed over are callbacks, and callers for whom an agent is being rung.

        Args:
            queue: Whose line.
            meet: The conversation: called for the caller, and the seconds of its wait, when it has heard the
                last of the queue. When it returns, the stay is over.
            call: The call of the caller who is wanted; empty for whoever is first.

        Returns:
            False when nobody is there.
        """
        for entry_id in self.floor.line(queue).ids:
            visit = self._visits.get(entry_id)
            if visit is None or visit.call.ended or call not in ("", visit.call.id):
                continue
            entry = self.floor.taken(entry_id, now=self.now())
            if entry is not None:
                visit.taken(entry, meet)
                self.pump()
                return True
        return False

    def move(self, entry_id: str, queue: str, *, keep_place: bool = True, by: str = "") -> str:
        """Send a waiting caller to another queue; the id of its entry there.

        It leaves its queue by ``withdrawn``, and whoever rings for it is stopped. Its `QueueHandle.enter`
        goes on in the other queue, by whose skills it is served then.

        Args:
            entry_id: The caller.
            queue: Where to.
            keep_place: True lets it stand there as if it had joined when it joined here.
            by: Who wants it.
        """
        entry, line = self.floor.movable(entry_id, queue), self.floor.line(queue)
        name, now = line.settings.name, self.now()
        move = Move(
            entry=self._ids.uid("entry"),
            queue=name,
            priority=entry.priority - self.floor.line(entry.queue).settings.priority,
            plan=self.planner.plan(name, entry.caller, now=now),
            place=Place(joined=entry.joined, number=entry.number, back_why="moved") if keep_place else None,
        )
        self._visits[entry_id].move = move
        self.floor.move(entry, name, new=move.entry, kept=keep_place, by=by, now=now)
        self.pump()
        return move.entry

    def recalls(self) -> list[RecallTask]:
        """The numbers that gave up waiting and did not call again, longest ago first."""
        tasks = self.floor.recalls.open(now=self.now())
        self.pump()
        return tasks

    def close_recall(self, recall: str) -> RecallTask:
        """Somebody has called a number of that list; the task as it is then."""
        task = self.floor.recalls.close(recall, "done", now=self.now())
        self.pump()
        return task

    def prioritise(self, entry_id: str, priority: int, *, by: str = "") -> int:
        """Give a waiting caller another priority, to which that of its queue is added; its place then."""
        entry = self.floor.prioritise(entry_id, priority, by=by, now=self.now())
        self.pump()
        return self.floor.line(entry.queue).position(entry)

    def assign(self, entry_id: str, agent: str, *, by: str = "") -> None:
        """Reserve a waiting caller for one agent of its queue, whatever skills it wanted.

        Others may have it only when that agent is offline or quarantined.
        """
        self.floor.assign(entry_id, agent, by=by, now=self.now())
        self.pump()
