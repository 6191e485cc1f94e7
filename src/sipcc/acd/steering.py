"""What a supervisor does with callers in line, as a core: another queue, another priority, a certain agent.

Each takes effect at the next offer: an agent that rings goes on ringing, but for a caller who is moved.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from sipcc.acd.events import CallerAssigned, CallerMoved, CallerPrioritised
from sipcc.acd.ground import Ground
from sipcc.acd.model import Agent, Entry, Stage
from sipcc.acd.plan import ABSENT
from sipcc.acd.queues import IN_LINE
from sipcc.errors import LocalProtocolError


class Only(msgspec.Struct, frozen=True):
    """Wants one agent; see `sipcc.acd.model.Want`."""

    agent: str

    @property
    def only(self) -> str:
        """The agent."""
        return self.agent

    def why_not(self, agent: Agent) -> str:
        """What speaks against everybody else."""
        return "" if agent.name == self.agent else f"the caller is for {self.agent}"


class Steering(Ground):
    """A floor whose callers can be steered. LocalProtocolError says why one cannot, and nothing changes."""

    def in_line(self, entry_id: str) -> Entry:
        """The entry of that id, if it is in line.

        Raises:
            LocalProtocolError: it is not, or there is none.
        """
        entry = self.entries.get(entry_id)
        if entry is None:
            raise LocalProtocolError(f"there is no entry {entry_id!r}")
        if entry.state not in IN_LINE:
            raise LocalProtocolError(f"{entry_id!r} does not wait any more: it has an agent")
        return entry

    def movable(self, entry_id: str, queue: str) -> Entry:
        """The entry of that id, if it may go to `queue` now.

        Raises:
            LocalProtocolError: it may not.
        """
        entry, line = self.in_line(entry_id), self.line(queue)
        name = line.settings.name
        if entry.callback:
            raise LocalProtocolError(f"{entry_id!r} is a callback: it is served in its queue or cancelled")
        if name == entry.queue:
            raise LocalProtocolError(f"{entry_id!r} waits in queue {name!r} already")
        if self.closed:
            raise LocalProtocolError("nobody is let into a queue any more")
        if line.full:
            raise LocalProtocolError(f"queue {name!r} is full: {len(line)} wait there")
        if line.settings.no_agent == "leave" and not self.staff.present(line.members):
            raise LocalProtocolError(f"no agent of queue {name!r} is there, and nobody waits there then")
        return entry

    def move(self, entry: Entry, queue: str, *, new: str, kept: bool, by: str, now: float) -> None:
        """Take a `movable` caller out of its line; it joins `queue` as the entry `new` next."""
        self._leave(entry, "withdrawn", now=now, to=f"queue:{queue}")
        self._events.append(
            CallerMoved(
                at=now,
                entry=entry.id,
                queue=entry.queue,
                call=entry.call,
                to=queue,
                new=new,
                kept=kept,
                by=by,
            )
        )

    def prioritise(self, entry_id: str, priority: int, *, by: str, now: float) -> Entry:
        """Give a caller in line `priority`, to which its queue's is added."""
        entry = self.in_line(entry_id)
        line = self.line(entry.queue)
        line.remove(entry)
        entry = self.entries[entry_id] = replace(entry, priority=line.settings.priority + priority)
        line.insert(entry)
        self._events.append(
            CallerPrioritised(
                at=now,
                entry=entry.id,
                queue=entry.queue,
                call=entry.call,
                priority=entry.priority,
                position=line.position(entry),
                by=by,
            )
        )
        return entry

    def assign(self, entry_id: str, agent: str, *, by: str, now: float) -> Entry:
        """Reserve a caller in line for `agent`; others may have it only while that one is not there."""
        entry, state = self.in_line(entry_id), self.staff.get(agent).state
        if agent not in self.line(entry.queue).members:
            raise LocalProtocolError(f"{agent!r} does not serve queue {entry.queue!r}; move the caller first")
        if state in ABSENT:
            raise LocalProtocolError(f"{agent!r} is {state}")
        stage = Stage(after=0.0, want=Only(agent), label="assigned", skip_absent=True)
        entry = self.entries[entry_id] = replace(entry, plan=(stage,))
        self._events.append(
            CallerAssigned(
                at=now,
                entry=entry.id,
                queue=entry.queue,
                call=entry.call,
                agent=agent,
                by=by,
            )
        )
        return entry
