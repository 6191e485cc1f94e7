"""Callbacks that keep the caller's place, as a core.

A caller books one and leaves; a callback stands in line in its place, as old and as important as it was.
When its turn has come and an agent has picked up, the customer is called. So no more customers are called
at a time than agents wait for them, and nobody is served out of turn. Where it stands is for the floor
(`sipcc.acd.booking`) to do; how often, until when and to whom is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from sipcc.acd import tables
from sipcc.acd.events import CallbackBooked, CallbackEnded, CallbackTried
from sipcc.acd.model import Stage
from sipcc.acd.recall import is_dialable
from sipcc.errors import LocalProtocolError
from sipcc.events import Event

HERE = "callback"
"""The destination of callers who book a callback in the queue that they leave."""

LOOK_EVERY = 60.0
"""Seconds between two looks at the calendar, while callbacks wait."""

Outcome = Literal["served", "cancelled", "expired", "unreached", "called_again"]


class CallbackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How callers who left a queue by the destination ``callback`` are called back. All times are seconds."""

    retries: Annotated[int, Meta(ge=0, le=20)] = 2
    """How often a customer who was not reached is called again."""
    pause: Annotated[float, Meta(gt=0)] = 300.0
    """From a call that did not reach the customer to the next turn; the place in line stays."""
    expiry: Annotated[float, Meta(gt=0)] = 86400.0
    """After this, counted from the booking, nobody is called any more: 24 hours."""
    ring_timeout: Annotated[float, Meta(gt=0, le=180)] = 45.0
    """How long a customer is rung, while the agent waits and hears it."""
    hours: str = ""
    """The calendar of ``[[hours]]`` outside of which nobody is called; empty for any time."""
    deny: tuple[str, ...] = ()
    """Numbers that are never called back: a number, a beginning such as ``0108*``, or a kind such as
    ``mobile``, as in ``[toll]``."""
    route: str = ""
    """The trunk or route that customers are called over; empty for the first of ``[[routes]]`` that fits."""
    caller_id: str = ""
    """The number that customers are shown; a trunk with numbers of its own takes only one of them."""
    prompt: str = "callback_booked"
    """What a caller who has booked hears before the call ends; empty for nothing."""
    number_prompt: str = "enter_number"
    """What an anonymous caller hears who is asked for a number."""


class CallbackState(StrEnum):
    """How far a callback has come."""

    PARKED = "parked"
    IN_LINE = "in_line"
    DIALLING = "dialling"
    ENDED = "ended"


class CallbackInput(StrEnum):
    """What can happen to a callback."""

    LINE_UP = "line_up"
    PARK = "park"
    DIAL = "dial"
    MISS = "miss"
    END = "end"


_S, _I = CallbackState, CallbackInput

TABLE: dict[CallbackState, dict[CallbackInput, CallbackState | None]] = {
    _S.PARKED: {_I.LINE_UP: _S.IN_LINE, _I.END: _S.ENDED},
    _S.IN_LINE: {_I.PARK: _S.PARKED, _I.DIAL: _S.DIALLING, _I.MISS: _S.PARKED, _I.END: _S.ENDED},
    _S.DIALLING: {_I.MISS: _S.PARKED, _I.END: _S.ENDED},
    _S.ENDED: {},
}
"""Next state by state and input; what is not listed is refused with LocalProtocolError."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, made from the table."""
    return tables.diagram(TABLE, free="")


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """One customer to be called back. Times are seconds of the monotonic clock."""

    id: str
    queue: str
    number: str
    """Whom to call."""
    call: str
    """The call in which it was booked; empty for none."""
    priority: int
    """The sum that counts, with the queue's."""
    joined: float
    """When the caller joined: the age of its place."""
    order: int
    """The order among equals, as `sipcc.acd.model.Entry.number`."""
    booked: float
    expires: float
    plan: tuple[Stage, ...] = ()
    """Whom the customer may have."""
    state: CallbackState = CallbackState.PARKED
    attempts: int = 0
    """Calls that did not reach the customer."""
    not_before: float = 0.0
    """The end of the pause after the last of them."""
    entry: str = ""
    """The entry that stands in line for it, if one does."""
    outcome: Outcome | None = None


class SavedCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A callback for the next process. Times are Unix seconds."""

    id: str
    queue: str
    number: str
    call: str
    priority: int
    joined: float
    order: int
    booked: float
    expires: float
    attempts: int
    not_before: float


class Callbacks:
    """The callbacks of all queues."""

    def __init__(
        self,
        settings: CallbackSettings,
        events: list[Event],
        *,
        new_id: Callable[[str], str],
        may_call: Callable[[float], bool] = lambda now: True,
        objection: Callable[[str], str] = lambda number: "",
        canonical: Callable[[str], str] = str,
    ) -> None:
        """Begin without any.

        Args:
            settings: The rules.
            events: What happens is appended to this.
            new_id: Makes an id from a prefix.
            may_call: Whether customers may be called at that time of the monotonic clock.
            objection: Why a number must not be called, in words; empty when it may be.
            canonical: The form of a number in which two that are the same are equal.
        """
        self.settings = settings
        self._events = events
        self._new_id = new_id
        self._may_call, self._objection, self._canonical = may_call, objection, canonical
        self._pending: dict[str, Callback] = {}
        self._numbers: dict[str, str] = {}
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def pending(self) -> list[Callback]:
        """Those that have not ended, the oldest place first."""
        return sorted(
            self._pending.values(), key=lambda one: (one.queue, -one.priority, one.joined, one.order)
        )

    def get(self, callback_id: str) -> Callback:
        """The callback of that id.

        Raises:
            LocalProtocolError: there is none that has not ended.
        """
        try:
            return self._pending[callback_id]
        except KeyError:
            raise LocalProtocolError(f"there is no callback {callback_id!r}") from None

    def refusal(self, number: str) -> str:
        """Why `number` is not called back, in words; empty when it may be booked."""
        if not is_dialable(number := self._canonical(number)):
            return f"{number!r} is no number that can be called"
        why = self._objection(number)
        return f"{number!r} must not be called: {why}" if why else ""

    def book(
        self,
        queue: str,
        number: str,
        *,
        call: str,
        priority: int,
        joined: float,
        order: int,
        plan: tuple[Stage, ...] = (),
        now: float,
    ) -> Callback:
        """Book a callback; a number that has one already keeps that.

        Raises:
            LocalProtocolError: `refusal` has something against it.
        """
        if why := self.refusal(number):
            raise LocalProtocolError(why)
        number = self._canonical(number)
        if number in self._numbers:
            return self._pending[self._numbers[number]]
        callback = Callback(
            id=self._new_id("callback"),
            queue=queue,
            number=number,
            call=call,
            priority=priority,
            joined=joined,
            order=order,
            booked=now,
            expires=now + self.settings.expiry,
            plan=plan,
        )
        self._add(callback)
        self._events.append(
            CallbackBooked(
                at=now, callback=callback.id, queue=queue, call=call, number=number, credit=now - joined
            )
        )
        return callback

    def due(self, *, now: float) -> tuple[list[Callback], list[Callback]]:
        """Who shall be put in line now; and, as they were, those whose entry shall be taken out of it.

        The latter have ended, because they are too old, or are parked, because nobody is called at this time.
        """
        open_ = self._may_call(now)
        ups, outs = list[Callback](), list[Callback]()
        for one in list(self._pending.values()):
            if one.state is CallbackState.DIALLING:
                continue
            if one.expires <= now:
                outs.append(one)
                self.end(one.id, "expired", now=now)
            elif one.state is CallbackState.IN_LINE and not open_:
                outs.append(one)
                self.parked(one.id)
            elif one.state is CallbackState.PARKED and open_ and one.not_before <= now:
                ups.append(one)
        return sorted(ups, key=lambda one: (one.joined, one.order)), outs

    def next_look(self, *, now: float) -> float | None:
        """When to ask `due` next; None while there are none."""
        if not self._pending:
            return None
        times = [one.expires for one in self._pending.values()]
        times += [one.not_before for one in self._pending.values() if one.not_before > now]
        return min([*times, now + LOOK_EVERY] if self.settings.hours else times)

    def lined_up(self, callback_id: str, entry: str) -> None:
        """It stands in line as `entry`."""
        self._step(self.get(callback_id), _I.LINE_UP, entry=entry)

    def parked(self, callback_id: str) -> None:
        """It was taken out of the line, for now."""
        self._step(self.get(callback_id), _I.PARK, entry="")

    def dialling(self, callback_id: str) -> None:
        """An agent has picked up, and the customer is called."""
        self._step(self.get(callback_id), _I.DIAL)

    def missed(self, callback_id: str, outcome: str, *, agent: str, call: str, now: float) -> None:
        """The customer was not reached, or nobody could try: again after a pause, or no more."""
        before = self.get(callback_id)
        attempts = before.attempts + 1
        self._tell_try(before, outcome, attempts, agent=agent, call=call, now=now)
        if attempts > self.settings.retries:
            self.end(callback_id, "unreached", now=now, attempts=attempts)
        else:
            until = now + self.settings.pause
            self._step(before, _I.MISS, attempts=attempts, not_before=until, entry="")

    def served(self, callback_id: str, *, agent: str, call: str, now: float) -> None:
        """The customer and an agent hear each other."""
        one = self.get(callback_id)
        self._tell_try(one, "answered", one.attempts + 1, agent=agent, call=call, now=now)
        self.end(callback_id, "served", now=now)

    def end(self, callback_id: str, outcome: Outcome, *, now: float, **changes: int) -> Callback:
        """It is over; the callback as it was at last."""
        one = self._step(self.get(callback_id), _I.END, outcome=outcome, entry="", **changes)
        del self._pending[one.id], self._numbers[one.number]
        self._events.append(
            CallbackEnded(
                at=now,
                callback=one.id,
                queue=one.queue,
                call=one.call,
                number=one.number,
                outcome=outcome,
                attempts=one.attempts + (outcome == "served"),
            )
        )
        return one

    def stands_as(self, callback_id: str, entry: str) -> bool:
        """True while that callback waits or is tried as `entry`."""
        one = self._pending.get(callback_id)
        return one is not None and one.entry == entry

    def of_number(self, number: str) -> Callback | None:
        """The callback that a number has booked."""
        return self._pending.get(self._numbers.get(self._canonical(number), ""))

    # For the next process

    def changed(self) -> list[tuple[str, Callback | None]]:
        """Those that are otherwise than at the last call, by id; None for one that has ended."""
        found = [(name, self._pending.get(name)) for name in self._changed]
        self._changed.clear()
        return found

    def restore(self, callback: Callback) -> None:
        """Go on with a callback of a process before us; one whose number has another is dropped."""
        callback = replace(callback, number=self._canonical(callback.number))
        if callback.number not in self._numbers:
            self._add(callback)
        else:
            self._changed[callback.id] = None

    def _add(self, callback: Callback) -> None:
        self._pending[callback.id] = callback
        self._numbers[callback.number] = callback.id
        self._changed[callback.id] = None

    def _step(self, before: Callback, given: CallbackInput, **changes: object) -> Callback:
        state = tables.advance(TABLE, before.state, given, who=f"callback {before.id}")
        after = self._pending[before.id] = replace(before, state=state, **changes)
        self._changed[before.id] = None
        return after

    def _tell_try(
        self, one: Callback, outcome: str, attempt: int, *, agent: str, call: str, now: float
    ) -> None:
        self._events.append(
            CallbackTried(
                at=now,
                callback=one.id,
                queue=one.queue,
                call=call,
                agent=agent,
                outcome=outcome,
                attempt=attempt,
            )
        )


def saved(callback: Callback, *, wall_of: Callable[[float], float]) -> SavedCallback:
    """A callback for the next process; `wall_of` gives the Unix time of a monotonic one."""
    return SavedCallback(
        id=callback.id,
        queue=callback.queue,
        number=callback.number,
        call=callback.call,
        priority=callback.priority,
        joined=wall_of(callback.joined),
        order=callback.order,
        booked=wall_of(callback.booked),
        expires=wall_of(callback.expires),
        attempts=callback.attempts,
        not_before=wall_of(callback.not_before) if callback.not_before else 0.0,
    )


def revived(kept: SavedCallback, *, now: float, wall: float, plan: tuple[Stage, ...] = ()) -> Callback:
    """A callback of a process before us, parked; `wall` is the Unix time of `now`."""
    shift = now - wall
    return Callback(
        id=kept.id,
        queue=kept.queue,
        number=kept.number,
        call=kept.call,
        priority=kept.priority,
        joined=kept.joined + shift,
        order=kept.order,
        booked=kept.booked + shift,
        expires=kept.expires + shift,
        plan=plan,
        attempts=kept.attempts,
        not_before=kept.not_before + shift if kept.not_before else 0.0,
    )
