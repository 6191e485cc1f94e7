"""Callbacks in the running ACD: when the turn of one has come, a call is made, and somebody stays with it."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from msgspec.structs import replace

from sipcc.acd.callback import Callback, CallbackSettings, SavedCallback, revived, saved
from sipcc.acd.engine import Engine
from sipcc.acd.events import OfferOutcome, QueueJoined
from sipcc.acd.model import Entry, QueueResult
from sipcc.acd.planning import Plan
from sipcc.acd.protocols import Caller, Customer, Customers
from sipcc.acd.settings import QueueSettings
from sipcc.acd.visit import Visit, result_of
from sipcc.errors import CallEnded
from sipcc.events import Event
from sipcc.recordpolicy import RecordPolicy

Keep = Callable[[str, SavedCallback | None], None]
"""Told how each callback stands now, for another process; None when it has ended."""


class CallbackDesk(Engine):
    """Makes the calls of callbacks. Without `call_customers` nobody is called back."""

    _customers: Customers | None = None
    _keep: Keep | None = None

    def call_customers(
        self,
        customers: Customers,
        settings: CallbackSettings,
        *,
        may_call: Callable[[float], bool] = lambda now: True,
        objection: Callable[[str], str] = lambda number: "",
        keep: Keep | None = None,
    ) -> None:
        """Let callers book callbacks, by the destination ``callback`` of a queue. Comes before `start`.

        Args:
            customers: Makes the calls.
            settings: The rules.
            may_call: Whether customers may be called at that time of the clock.
            objection: Why a number must not be called, in words; empty when it may be.
            keep: Told of each change, so that another process can go on by `restore_callbacks`.
        """
        self.floor.open_callbacks(settings, may_call=may_call, objection=objection)
        self._customers, self._keep = customers, keep

    def callbacks(self) -> list[Callback]:
        """Who is to be called back, the oldest place of each queue first."""
        desk = self.floor.callbacks
        return [] if desk is None else desk.pending()

    def book_callback(self, queue: str, number: str, *, priority: int = 0) -> Callback:
        """Have a customer called back who does not wait; it joins `queue` now.

        Raises:
            LocalProtocolError: nobody can be called, or not this number, or there is no such queue.
        """
        callback = self.floor.book(queue, number, priority=priority, now=self.now())
        self.pump()
        return callback

    def cancel_callback(self, callback_id: str) -> Callback:
        """Call nobody back after all; the callback as it was at last.

        Raises:
            LocalProtocolError: there is none of that id, or the customer is being called.
        """
        callback = self.floor.cancel_callback(callback_id, now=self.now())
        self.pump()
        return callback

    def call_back(self, recall: str) -> Callback:
        """Make a callback of a task of the list of those who gave up; the task is closed.

        Raises:
            LocalProtocolError: there is no such open task, or its number cannot be called.
        """
        task, now = self.floor.recalls.get(recall, now=self.now()), self.now()
        callback = self.floor.book(task.queue, task.number, call=task.call, now=now)
        self.floor.recalls.close(recall, "callback", now=now)
        self.pump()
        return callback

    def stop_calling_back(self) -> None:
        """Call no more customers, because this process ends; the next one goes on with those who are left."""
        self.floor.park_callbacks(now=self.now())
        self.pump()

    def saved_callbacks(self) -> list[SavedCallback]:
        """All callbacks, as another process can go on with them."""
        return [saved(one, wall_of=self._clock.wall_of) for one in self.callbacks()]

    def restore_callbacks(self, left: list[SavedCallback]) -> None:
        """Go on with the callbacks of a process before us, at their old places; comes after `start`.

        Those of queues that are not there any more are dropped.
        """
        now = self.now()
        for one in left:
            if self.floor.knows(one.queue):
                queue = self.floor.line(one.queue).settings.name
                plan = self.planner.plan(queue, one.number, now=now)
                self.floor.restore_callback(
                    revived(one, now=now, wall=self._clock.wall_of(now), plan=plan), now=now
                )
            elif self._keep is not None:
                self._keep(one.id, None)
        self.pump()

    # What visits ask

    def book(self, entry_id: str, number: str) -> bool:
        """Let a waiting caller leave, to be called back at `number`; False when that may not be."""
        booked = self.floor.leave_for_callback(entry_id, number, now=self.now())
        self.pump()
        return booked

    @property
    def number_prompt(self) -> str | None:
        """What a caller without a number hears who books a callback; None when nobody is called back."""
        desk = self.floor.callbacks
        return None if desk is None else desk.settings.number_prompt

    def missed(self, entry_id: str, outcome: OfferOutcome) -> None:
        """The customer was not reached."""
        self.floor.customer_missed(entry_id, outcome, now=self.now())
        self.pump()

    # The engine

    def _tell(self, event: Event) -> None:
        if isinstance(event, QueueJoined) and event.callback:
            self._begin(event)  # first the call, then what happens to it
        super()._tell(event)

    def _flush(self) -> None:
        super()._flush()
        desk = self.floor.callbacks
        for name, one in [] if desk is None else desk.changed():
            if self._keep is not None:
                self._keep(name, None if one is None else saved(one, wall_of=self._clock.wall_of))

    def _begin(self, event: QueueJoined) -> None:
        assert self._customers is not None
        assert self.floor.callbacks is not None
        customer = self._customers.call(event.call, event.caller, event.queue)
        settings = self.floor.line(event.queue).settings
        timeout = self.floor.callbacks.settings.ring_timeout
        visit = CallbackVisit(self, customer, settings, event.entry, timeout=timeout)
        self._visits[event.entry] = visit
        self.tasks.spawn(self._see_through(visit, customer), name=f"callback-{event.entry}")

    @abstractmethod
    async def enter(self, queue: str, call: Caller, *, plan: Plan = ()) -> QueueResult:
        """See `sipcc.acd.service.QueueHandle.enter`."""

    async def _see_through(self, visit: CallbackVisit, customer: Customer) -> None:
        queue = self.floor.entries[visit.id].queue
        try:
            try:
                await visit.run()
            finally:
                del self._visits[visit.id]
                if not self._visits:
                    self._tell_emptied()
            await customer.free()
            if visit.regained is not None:  # it waits again like any caller whose agent's phone died
                name = self.floor.line(queue).settings.name
                self.returning[customer.id] = replace(visit.regained, queue=name)
                plan = self.planner.plan(name, customer.caller, now=self.now())
                await self.enter(name, customer, plan=plan)
                await customer.free()
        except CallEnded:
            pass
        finally:
            customer.release()


class CallbackVisit(Visit):
    """The stay of a callback whose turn has come: an agent picks up, the customer is called, they talk."""

    def __init__(
        self,
        desk: CallbackDesk,
        customer: Customer,
        settings: QueueSettings,
        entry_id: str,
        *,
        timeout: float,
    ) -> None:
        """`timeout` is how long the customer is rung, in seconds."""
        super().__init__(desk, customer, settings, entry_id)
        self._desk, self._customer, self._timeout = desk, customer, timeout
        self._reaching: asyncio.Task[OfferOutcome] | None = None

    def released(self, entry: Entry) -> None:
        """Nobody is called any more."""
        super().released(entry)
        if self._reaching is not None:
            self._reaching.cancel()

    async def run(self) -> QueueResult:
        """Stay until the entry is over and, if the customer was reached, the talk."""
        desk, customer = self._desk, self._customer
        watcher = desk.tasks.spawn(self._watch(), name=f"watch-{self.id}")
        try:
            await self._decided
            if self._leg is not None:
                outcome = await self._reach()
                entry = desk.bridged(self.id) if outcome == "answered" else None
                if entry is not None:
                    return await self.go_on(entry, customer.bridge(self._leg))
                desk.missed(self.id, outcome)
        finally:
            watcher.cancel()
            if self._leg is not None:
                desk.hang_up(self._leg)
            desk.leave(self.id, "failed")
        assert self._entry is not None  # woken without a leg, or not bridged: released
        return result_of(self._entry, now=desk.now())

    async def _reach(self) -> OfferOutcome:
        """Call the customer; who answers is told of the recording first, if there is one."""
        leg, settings = self._leg, self._settings
        self._reaching = asyncio.ensure_future(self._customer.reach(leg, timeout=self._timeout))
        await asyncio.wait({self._reaching})
        if self._reaching.cancelled() or isinstance(self._reaching.exception(), CallEnded):
            return "failed"
        outcome = self._reaching.result()
        if outcome == "answered":
            policy = RecordPolicy(when=settings.record, rules=settings.recording, queue=settings.name)
            try:
                await self._customer.prepare_recording(policy)
            except CallEnded:
                return "failed"
        return outcome
