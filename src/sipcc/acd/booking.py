"""Callbacks on the floor: each stands in line as an entry that nobody is told of until its turn has come.

| what happens | the entry of the callback |
|---|---|
| it is booked | joins the line, silent, with the place and the priority of the caller |
| an agent is reserved for it | is told as joined; its wait is counted from here |
| the agent picks up | is connecting while the customer is called |
| the customer answers | leaves by ``answered`` |
| the customer does not | leaves by ``failed``; another one joins after the pause, at the same place |
| the customer calls that queue again before | leaves; the caller has its place |
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from sipcc.acd import overflow, tell
from sipcc.acd import queues as queues_
from sipcc.acd.callback import HERE, Callback, Callbacks, CallbackSettings, CallbackState
from sipcc.acd.events import Exit
from sipcc.acd.ground import Ground
from sipcc.acd.model import Entry, Place
from sipcc.acd.queues import CONNECT_LEASE, EntryInput
from sipcc.errors import LocalProtocolError


class Booking(Ground):
    """A floor that calls back."""

    callbacks: Callbacks | None = None
    """None where nobody can call customers; then the destination ``callback`` leads nowhere."""
    _looks_at: float | None = None
    _ending = False

    def open_callbacks(
        self,
        settings: CallbackSettings,
        *,
        may_call: Callable[[float], bool],
        objection: Callable[[str], str],
    ) -> None:
        """From now on callers may be called back; see `sipcc.acd.callback.Callbacks`."""
        self.callbacks = Callbacks(
            settings,
            self._events,
            new_id=self._new_id,
            may_call=may_call,
            objection=objection,
            canonical=lambda number: self.canonical(number),
        )

    def book(self, queue: str, number: str, *, call: str = "", priority: int = 0, now: float) -> Callback:
        """Book a callback for somebody who does not wait, at the end of the line.

        Raises:
            LocalProtocolError: not for this number or this queue, or nobody is called back here.
        """
        line = self.line(queue)
        self._count += 1
        callback = self._desk().book(
            line.settings.name,
            number,
            call=call,
            priority=line.settings.priority + priority,
            joined=now,
            order=self._count,
            now=now,
        )
        self.see_to_callbacks(now=now)
        return callback

    def leave_for_callback(self, entry_id: str, number: str, *, now: float) -> bool:
        """Let a caller in line leave, to be called back at `number`; False when that may not be."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.state not in queues_.IN_LINE or not self._may_book(entry, number):
            return False
        self._book_for(entry, number, now=now)
        self._leave(entry, "callback_booked", now=now)
        return True

    def cancel_callback(self, callback_id: str, *, now: float) -> Callback:
        """Call nobody back after all.

        Raises:
            LocalProtocolError: there is no such callback, or the customer is being called.
        """
        desk = self._desk()
        before = desk.get(callback_id)
        if before.state is CallbackState.DIALLING:
            raise LocalProtocolError(f"callback {callback_id!r}: {before.number} is being called")
        callback = desk.end(callback_id, "cancelled", now=now)
        self._take_out(before, now=now)
        return callback

    def restore_callback(self, callback: Callback, *, now: float) -> None:
        """Go on with a callback of a process before us."""
        self._desk().restore(callback)
        self.see_to_callbacks(now=now)

    def see_to_callbacks(self, *, now: float) -> None:
        """Put those in line whose time it is, and take out those whose time it is not."""
        if self.callbacks is None:
            return
        ups, outs = self.callbacks.due(now=now)
        for callback in outs:
            self._take_out(callback, now=now)
        for callback in ups:
            if not self._ending and self.knows(callback.queue):
                self._line_up(callback)
        at = self.callbacks.next_look(now=now)
        if at is not None and (self._looks_at is None or at < self._looks_at or self._looks_at <= now):
            self._looks_at = at
            self._alarms.add(at, "callback")

    def park_callbacks(self, *, now: float) -> None:
        """Take every callback out of line for good, because this process ends; who is being called stays."""
        self._ending = True
        for callback in [] if self.callbacks is None else self.callbacks.pending():
            if callback.state is CallbackState.IN_LINE:
                self._desk().parked(callback.id)
                self._take_out(callback, now=now)

    def customer_missed(self, entry_id: str, outcome: str, *, now: float) -> None:
        """The customer did not answer the call that was made for `entry_id`; its agent is free again."""
        entry = self.entries.get(entry_id)
        if entry is not None and entry.callback:
            self._miss(entry, outcome, now=now)
            self._leave(entry, "failed", now=now)

    # What the floor asks

    def _leave(self, entry: Entry, exit_: Exit, *, now: float, to: str = "") -> Entry:
        """End an entry; who goes to ``callback`` has booked one then, if it may."""
        to = to or overflow.afterwards(self.line(entry.queue).settings, exit_)
        if to == HERE and self._may_book(entry, entry.caller):
            self._book_for(entry, entry.caller, now=now)
            exit_, to = "callback_booked", ""
        if entry.callback:
            self._callback_left(entry, exit_, now=now)
        left = super()._leave(entry, exit_, now=now, to=to)
        if exit_ == "callback_booked" or (entry.callback and exit_ == "failed"):
            self.see_to_callbacks(now=now)
        return left

    def _place_of_callback(self, queue: str, caller: str, kept: Place | None, *, now: float) -> Place | None:
        """The place of a caller who comes to `queue`, whose callback there is over: it is on the line.

        Of that and a place that was `kept` for it, the older one; None for a newcomer. Whose number is being
        called at this moment is called.
        """
        callback = None if self.callbacks is None else self.callbacks.of_number(caller)
        if callback is None or callback.state is CallbackState.DIALLING or not self.knows(callback.queue):
            return kept
        if self.line(callback.queue).settings.name != queue:
            return kept
        self._call_again(callback, now=now)
        if kept is not None and kept.joined <= callback.joined:
            return replace(kept, priority=callback.priority)
        return Place(
            joined=callback.joined, number=callback.order, priority=callback.priority, back_why="resumed"
        )

    def _tell_left(self, entry: Entry, *, now: float) -> None:
        if not entry.silent:
            super()._tell_left(entry, now=now)

    def _may_overflow(self, entry: Entry, to: str) -> bool:
        """False for a callback, which waits for its turn, and for a caller who could not book one."""
        return not entry.callback and (to != HERE or self._may_book(entry, entry.caller))

    def _may_stay_alone(self, entry: Entry) -> bool:
        """True for an entry that waits also while nobody is there, whatever its queue says."""
        return bool(entry.callback) and entry.queue not in self.retired

    def _come_forward(self, entry: Entry, *, now: float) -> Entry:
        """The turn of a callback has come: from here on its entry is told of like any other."""
        line = self.line(entry.queue)
        entry = replace(entry, silent=False, back_at=now, back_why="callback")
        line.tally.joined += 1
        self._events.append(tell.joined(entry, line.position(entry)))
        return entry

    def _agent_waits(self, entry: Entry, *, now: float) -> Entry:
        """An agent has picked up for a callback: there is time to ring the customer."""
        desk = self._desk()
        desk.dialling(entry.callback)
        deadline = now + desk.settings.ring_timeout + CONNECT_LEASE
        self._alarms.add(deadline, f"entry:{entry.id}")
        return replace(entry, deadline=deadline)

    def _talks(self, entry: Entry, *, now: float) -> None:
        """A caller or a customer hears an agent: nobody needs to call that number any more."""
        if self.callbacks is None:
            return
        if entry.callback:
            self.callbacks.served(entry.callback, agent=entry.agent or "", call=entry.call, now=now)
            return
        callback = self.callbacks.of_number(entry.caller)
        if callback is not None and callback.state is not CallbackState.DIALLING:
            self._call_again(callback, now=now)

    # Inside

    def _desk(self) -> Callbacks:
        if self.callbacks is None:
            raise LocalProtocolError("nobody is called back here")
        return self.callbacks

    def _may_book(self, entry: Entry, number: str) -> bool:
        if self.callbacks is None or self.closed or entry.callback:
            return False
        return not self.callbacks.refusal(number)

    def _book_for(self, entry: Entry, number: str, *, now: float) -> None:
        self._desk().book(
            entry.queue,
            number,
            call=entry.call,
            priority=entry.priority,
            joined=entry.joined,
            order=entry.number,
            plan=entry.plan,
            now=now,
        )

    def _line_up(self, callback: Callback) -> None:
        line = self.line(callback.queue)
        entry = Entry(
            id=self._new_id("entry"),
            number=callback.order,
            queue=line.settings.name,
            call=self._new_id("call"),
            caller=callback.number,
            priority=callback.priority,
            joined=callback.joined,
            plan=callback.plan,
            callback=callback.id,
            silent=True,
        )
        entry = queues_.step(entry, EntryInput.ADMIT, now=callback.joined)
        self.entries[entry.id] = entry
        line.insert(entry)
        self._desk().lined_up(callback.id, entry.id)

    def _call_again(self, callback: Callback, *, now: float) -> None:
        self._desk().end(callback.id, "called_again", now=now)
        self._take_out(callback, now=now)

    def _take_out(self, callback: Callback, *, now: float) -> None:
        entry = self.entries.get(callback.entry)
        if entry is not None:
            self._leave(entry, "withdrawn", now=now)

    def _callback_left(self, entry: Entry, exit_: Exit, *, now: float) -> None:
        """The entry of a callback leaves unserved, and nobody has said yet why."""
        desk = self._desk()
        if not desk.stands_as(entry.callback, entry.id):
            return
        if exit_ == "failed":
            self._miss(entry, "failed", now=now)
        else:
            desk.end(entry.callback, "cancelled", now=now)

    def _miss(self, entry: Entry, outcome: str, *, now: float) -> None:
        agent = entry.agent or ""
        self._desk().missed(entry.callback, outcome, agent=agent, call=entry.call, now=now)
