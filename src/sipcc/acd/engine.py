"""The engine of the ACD: it carries out what the floor orders, tells what has happened, and rings agents.

One loop, one owner: every input goes into the floor, then `_flush` routes and carries out its orders.
Handlers of the bus may call commands; they are carried out after the flush that told them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sipcc.acd.events import Exit
from sipcc.acd.floor import Floor
from sipcc.acd.model import Entry, EntryState, Offer, Place, Release, Ring, StopRinging
from sipcc.acd.overflow import expected
from sipcc.acd.planning import Planner
from sipcc.acd.protocols import AgentLeg, Caller, Dialer, RingOutcome
from sipcc.acd.settings import AgentSettings
from sipcc.acd.visit import Visit
from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import SipccError
from sipcc.events import Event
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.tasks import TaskScope

_log = get_logger("sipcc.acd")


class Engine:
    """The floor, its timer, and who is rung for whom; `sipcc.acd.service.Acd` is the face of it."""

    def __init__(
        self, floor: Floor, planner: Planner, *, dialer: Dialer, bus: Bus, clock: Clock, ids: Ids
    ) -> None:
        """Build it; see `sipcc.acd.service.Acd` for the parts."""
        self.floor, self.planner = floor, planner
        self.tasks = TaskScope("acd")
        self._rings = TaskScope("acd-rings")
        self._dialer, self._bus, self._clock, self._ids = dialer, bus, clock, ids
        self._driver: Driver | None = None
        self._flushing = False
        self._visits: dict[str, Visit] = {}
        self._ringing: dict[str, asyncio.Task[RingOutcome]] = {}
        self._emptied: list[asyncio.Future[None]] = []
        self.returning: dict[str, Place] = {}
        """Places that are kept for callers, by call: they get them when they enter that queue again."""
        self.on_elsewhere: Callable[[str], None] | None = None
        """Told a call for which a place is kept when it enters another queue instead."""
        self.on_renewed: Callable[[], None] | None = None
        """Told when there are other agents and queues."""
        self.on_settled: Callable[[], None] | None = None
        """Told whenever all that followed from an input has been done."""

    # What visits ask (see sipcc.acd.visit.Host)

    def now(self) -> float:
        """Seconds of the clock."""
        return self._clock.now()

    def position(self, entry_id: str) -> int:
        """The place of a waiting caller; 0 when it is not waiting."""
        return self.floor.position(entry_id)

    def expected_wait(self, entry_id: str) -> float:
        """Seconds that a waiting caller is expected to wait from now; 0 when it is not waiting."""
        entry, floor = self.floor.entries.get(entry_id), self.floor
        if entry is None or entry.state is not EntryState.WAITING:
            return 0.0
        return expected(floor.line(entry.queue), entry, floor.entries, floor.staff)

    def hung_up(self, entry_id: str) -> None:
        """The caller's leg is over."""
        self.floor.hung_up(entry_id, now=self.now())
        self.pump()

    def leave(self, entry_id: str, exit_: Exit, to: str = "") -> bool:
        """Take a caller out, on its way to `to`; False when it has left already or talks."""
        left = self.floor.leave(entry_id, exit_, now=self.now(), to=to)
        self.pump()
        return left

    def bridged(self, entry_id: str) -> Entry | None:
        """Begin the talk; None when the entry is over."""
        entry = self.floor.bridged(entry_id, now=self.now())
        if entry is not None and entry.agent is not None:
            self.planner.last_agents.talked(entry.caller, entry.agent, now=self.now())
        self.pump()
        return entry

    def talk_ended(self, entry_id: str, *, lost: bool) -> float:
        """End the talk, `lost` when the agent's phone died; its seconds."""
        talked = self.floor.talk_ended(entry_id, lost=lost, now=self.now())
        self.pump()
        return talked

    def hang_up(self, leg: AgentLeg) -> None:
        """End a leg."""
        try:
            leg.hangup()
        except SipccError as error:
            _log.warning("acd.hang_up_failed", error=str(error))

    # The engine

    def pump(self) -> None:
        """Do all that is possible now; for those who have changed the floor."""
        if self._driver is not None and not self._flushing:
            self._driver.pump()

    def _flush(self) -> None:
        self._flushing = True
        try:
            while True:
                self.floor.route(now=self.now(), bits=self._ids.bits(64))
                orders, events = self.floor.orders(), self.floor.events()
                if not orders and not events and not self.floor.tidy(now=self.now()):
                    break
                for event in events:
                    self._tell(event)
                for order in orders:
                    self._obey(order)
        finally:
            self._flushing = False
        if self.on_settled is not None:
            self.on_settled()

    def _tell(self, event: Event) -> None:
        self._bus.emit(event)

    def _tell_emptied(self) -> None:
        waiting, self._emptied = self._emptied, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _obey(self, order: object) -> None:
        match order:
            case Ring(offer, timeout):
                self._start_ringing(offer, timeout)
            case StopRinging(offer_id):
                if (task := self._ringing.get(offer_id)) is not None:
                    task.cancel()
                else:
                    self.floor.ring_ended(offer_id, "cancelled", 487, now=self.now())
            case Release(entry):
                if (visit := self._visits.get(entry.id)) is not None:
                    visit.released(entry)

    def _start_ringing(self, offer: Offer, timeout: float) -> None:
        visit = self._visits.get(offer.entry)
        if visit is None or not self.floor.ringing(offer.id, now=self.now()):
            self.floor.ring_ended(offer.id, "cancelled", 487, now=self.now())
            return
        agent = self.floor.staff.agents[offer.agent].settings
        task = self._rings.spawn(self._ring(visit.call, agent, timeout), name=offer.id)
        self._ringing[offer.id] = task
        task.add_done_callback(partial(self._rung, offer))

    async def _ring(self, call: Caller, agent: AgentSettings, timeout: float) -> RingOutcome:
        try:
            return await self._dialer.ring(call, agent, timeout=timeout)
        except SipccError as error:
            return RingOutcome("failed", error.disposition.sip_status)

    def _rung(self, offer: Offer, task: asyncio.Task[RingOutcome]) -> None:
        """A ring task has ended. Here, not in the task, because no cancellation can come between."""
        del self._ringing[offer.id]
        if task.cancelled():
            told = RingOutcome("cancelled", 487)
        else:
            told = RingOutcome("failed", 500) if task.exception() is not None else task.result()
        visit, now = self._visits.get(offer.entry), self.now()
        if visit is not None and visit.call.ended:
            self.floor.hung_up(offer.entry, now=now)  # the news of it is still on its way to us
        if told.leg is None:
            outcome = "failed" if told.outcome == "answered" else told.outcome
            self.floor.ring_ended(offer.id, outcome, told.sip_status, now=now)
        elif self.floor.answered(offer.id, now=now) and visit is not None:
            visit.won(told.leg)
        else:
            self.hang_up(told.leg)
        self.pump()
