"""The ACD as a service: what programs, the interface and the switch say to it, and what they see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from sipcc.acd import invariants, strategies
from sipcc.acd.agents import AgentInput
from sipcc.acd.commands import CallerCommands
from sipcc.acd.floor import Floor
from sipcc.acd.model import AgentState, EntryState, Journey, OfferState, Place, QueueResult, Strategy, Verdict
from sipcc.acd.overflow import Outlook
from sipcc.acd.planning import Plan, Planner
from sipcc.acd.protocols import Caller, Dialer, Presence, Talk
from sipcc.acd.settings import AgentSettings, QueueSettings, RelaxStep
from sipcc.acd.snapshot import CallerSnapshot, Snapshot, take
from sipcc.acd.visit import Show, Visit
from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import LocalProtocolError
from sipcc.ids import Ids
from sipcc.recordpolicy import RecordPolicy


class QueueHandle:
    """One queue, for those who send callers into it."""

    def __init__(self, acd: Acd, name: str) -> None:
        self.name = name
        self._acd = acd

    @property
    def waiting(self) -> tuple[CallerSnapshot, ...]:
        """Who stands in line, best first; their entries are what `Acd.move` and its like are given."""
        name = self._acd.floor.line(self.name).settings.name
        return next(queue.waiting for queue in self._acd.snapshot().queues if queue.name == name)

    @property
    def length(self) -> int:
        """How many wait for whom no phone rings."""
        floor = self._acd.floor
        line = floor.line(self.name)
        return sum(floor.entries[name].state is EntryState.WAITING for name in line.ids)

    @property
    def expected_wait(self) -> float:
        """Seconds that somebody who came now could expect to wait."""
        floor = self._acd.floor
        return Outlook(floor.line(self.name), floor.staff).wait(self.length + 1)

    async def enter(
        self,
        call: Caller,
        *,
        priority: int = 0,
        skills: str | None = None,
        relax: Sequence[RelaxStep] = (),
        plan: Plan | None = None,
        journey: Journey | None = None,
        show: Show | None = None,
    ) -> QueueResult:
        """Put `call` into the line and stay until it has left, the talk with an agent included.

        Nothing that happens in a queue is an error: the result tells the exit. When the caller's leg is
        over, the next verb on the call raises `CallEnded`. Cancelling takes the caller out.

        Args:
            call: An answered call.
            priority: Added to the queue's; higher goes first.
            skills: What this caller wants of an agent, such as ``billing >= 2``, in place of the queue's
                `skills` and `relax`; empty for any member.
            relax: What it is content with later; goes with `skills`.
            plan: Stages made by other rules, in place of all of these.
            journey: The way through several queues that this stay is a part of; the times of `plan` count
                from its beginning.
            show: Lets the caller hear something of its own while it waits.

        Raises:
            LocalProtocolError: `skills` or a step of `relax` cannot be read.
        """
        if plan is None:
            now = self._acd.now()
            name = self._acd.floor.line(self.name).settings.name
            plan = self._acd.planner.plan(name, call.caller, skills=skills, relax=relax, now=now)
        return await self._acd.enter(
            self.name, call, priority=priority, plan=plan, journey=journey, show=show
        )


class Acd(CallerCommands):
    """Agents, queues, and who answers whom."""

    def __init__(
        self,
        agents: Sequence[AgentSettings],
        queues: Sequence[QueueSettings],
        *,
        dialer: Dialer,
        bus: Bus,
        clock: Clock,
        ids: Ids,
        presence: Presence | None = None,
        custom: Mapping[str, Strategy] | None = None,
    ) -> None:
        """Build the ACD; `start` opens it.

        Args:
            agents: In member order, which is the last tie-break of every strategy.
            queues: The queues.
            dialer: Rings agents.
            bus: Where events go.
            clock: Must be the running loop's, because timers are armed on it.
            ids: Makes ids and random bits.
            presence: Asked once, at `start`; without it, agents with a `user` begin offline.
            custom: Strategy objects by name, looked up before the installed ones.

        Raises:
            ConfigError: a name is given twice, or a queue or strategy is unknown.
        """
        self._custom = dict(custom or {})
        floor = self._floor_of(agents, queues, ids)
        super().__init__(floor, Planner(queues), dialer=dialer, bus=bus, clock=clock, ids=ids)
        self._presence = presence
        self._emptied: list[asyncio.Future[None]] = []

    # Life

    async def start(self, restore: Callable[[], None] | None = None) -> None:
        """Open: agents with a fixed contact, and those that `presence` knows, log in.

        Before that, `restore` may put the agents as another process has left them.
        """
        self._driver = Driver(self.floor, self._flush)
        self.floor.staff.open(now=self.now())
        if restore is not None:
            restore()
        for agent in self.floor.staff.agents.values():
            settings = agent.settings
            if not settings.registers or self._present(settings):
                self.floor.staff.registration(settings.name, True, now=self.now())
        self.pump()

    def _floor_of(self, agents: Sequence[AgentSettings], queues: Sequence[QueueSettings], ids: Ids) -> Floor:
        known = self._custom
        by_queue = {
            queue.name: known[queue.strategy] if queue.strategy in known else strategies.load(queue.strategy)
            for queue in queues
        }
        return Floor(agents, queues, strategies=by_queue, new_id=ids.uid)

    def prepare(self, agents: Sequence[AgentSettings], queues: Sequence[QueueSettings]) -> Callable[[], None]:
        """Build and check all that other agents and queues need; what comes back goes over to them.

        Callers and agents keep what they have, as `sipcc.acd.reload` says.

        Raises:
            ConfigError: as at the beginning; nothing has changed.
        """
        fresh = self._floor_of(agents, queues, self._ids)
        Planner(queues)  # reads every condition

        def go_over() -> None:
            changed = self.floor.renew(fresh, now=self.now())
            settled = [line.settings for line in self.floor.lines.values()]
            old = self.planner
            self.planner = Planner(settled, region_of=old.region_of, last_agents=old.last_agents)
            for name in changed:
                settings = self.floor.staff.agents[name].settings
                there = not settings.registers or self._present(settings)
                self.floor.staff.registration(name, there, now=self.now())
            if self.on_renewed is not None:
                self.on_renewed()
            self.pump()

        return go_over

    async def drain(self) -> None:
        """Let nobody in any more (exit ``closed``) and wait until the last caller has gone."""
        self.floor.closed = True
        self.floor.park_callbacks(now=self.now())
        if self._visits:
            emptied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._emptied.append(emptied)
            await emptied

    async def stop(self) -> None:
        """Close: waiting callers leave with ``withdrawn``, ringing stops.

        Talks go on until their calls end; their ends are still counted and told.
        """
        self.floor.park_callbacks(now=self.now())
        self.floor.close(now=self.now())
        self.pump()
        await self._rings.close()
        await asyncio.sleep(0)  # the ends of the ring tasks are told by their callbacks
        if self._driver is not None:
            self._driver.close()

    # Callers

    def queue(self, name: str) -> QueueHandle:
        """The queue of that name.

        Raises:
            LocalProtocolError: there is none; the message lists the known ones.
        """
        self.floor.line(name)
        return QueueHandle(self, name)

    async def enter(
        self,
        queue: str,
        call: Caller,
        *,
        priority: int = 0,
        plan: Plan = (),
        journey: Journey | None = None,
        show: Show | None = None,
    ) -> QueueResult:
        """See `QueueHandle.enter`."""
        if self._driver is None:
            raise LocalProtocolError("the ACD has not been started")
        settings = self.floor.line(queue).settings
        place = self._place_of(queue, call)
        entry_id = (place.entry if place is not None else "") or self._ids.uid("entry")
        while True:
            await call.prepare_recording(
                RecordPolicy(when=settings.record, rules=settings.recording, queue=queue)
            )
            visit = Visit(self, call, settings, entry_id, place=place, show=show)
            result = await self._stay(visit, queue, priority, plan, journey)
            if (move := visit.move) is not None:
                entry_id, queue, priority = move.entry, move.queue, move.priority
                plan, place, settings = move.plan, move.place, self.floor.line(queue).settings
            elif visit.regained is not None:
                entry_id, place = self._ids.uid("entry"), visit.regained
            else:
                return result
            journey = None  # who was moved, or has its old place again, stays there

    def _place_of(self, queue: str, call: Caller) -> Place | None:
        """The place that is kept for this caller in this queue."""
        place = self.returning.get(call.id)
        if place is None:
            return None
        if place.queue != self.floor.line(queue).settings.name:
            if self.on_elsewhere is not None:
                self.on_elsewhere(call.id)
            return None
        return self.returning.pop(call.id)

    async def go_on(self, call: Caller, entry_id: str, talk: Coroutine[Any, Any, Talk]) -> str:
        """Stay with a caller through a talk that another process has begun, until `talk` has ended.

        Returns:
            The queue that it shall enter again because its agent's phone died; empty when all is done.
        """
        entry = self.floor.entries[entry_id]
        visit = Visit(self, call, self.floor.line(entry.queue).settings, entry_id)
        self._visits[entry_id] = visit
        try:
            await visit.go_on(entry, talk)
        finally:
            del self._visits[entry_id]
        if visit.regained is None:
            return ""
        self.returning[call.id] = replace(visit.regained, queue=entry.queue)
        return entry.queue

    async def _stay(
        self, visit: Visit, queue: str, priority: int, plan: Plan, journey: Journey | None
    ) -> QueueResult:
        """One entry of a caller: its wait, and its talk when it is answered."""
        call, entry_id = visit.call, visit.id
        self._visits[entry_id] = visit
        try:
            self.floor.join(
                entry_id,
                queue,
                call=call.id,
                caller=call.caller,
                priority=priority,
                plan=plan,
                place=visit.place,
                journey=journey,
                now=self.now(),
            )
            self.floor.held.discard(call.id)
            if call.ended:
                self.floor.hung_up(entry_id, now=self.now())
            self.pump()
            return await visit.run()
        finally:
            del self._visits[entry_id]
            if not self._visits:
                self._tell_emptied()

    # Agents

    def login(self, name: str) -> None:
        """Log an agent in, to its start state.

        Raises:
            LocalProtocolError: unknown, or not possible now; so for all commands.
        """
        self._command(name, AgentInput.LOGIN)

    def logout(self, name: str) -> None:
        """Log an agent out, after its present activity."""
        self._command(name, AgentInput.LOGOUT, "logout")

    def ready(self, name: str) -> None:
        """Make an agent ready, after its present activity."""
        self._command(name, AgentInput.MAKE_READY)

    def pause(self, name: str, reason: str = "") -> None:
        """Make an agent not ready for `reason`, after its present activity."""
        self._command(name, AgentInput.PAUSE, reason)

    def end_wrap_up(self, name: str) -> None:
        """End an agent's wrap-up now."""
        self._command(name, AgentInput.END_WRAP_UP)

    def force(self, name: str, state: Literal["offline", "not_ready", "ready"], reason: str = "") -> None:
        """Put an agent into a rest state for a supervisor; its wrap-up or quarantine ends, its calls go on.

        While it is offered a call or talks, `state` comes after that. `reason` is told with the change.

        Raises:
            LocalProtocolError: unknown agent, or `state` is none of the three.
        """
        self.floor.staff.force(name, state, now=self.now(), reason=reason)
        self.pump()

    def extend_wrap_up(self, name: str, seconds: float) -> None:
        """Move the end of an agent's wrap-up by `seconds`, up to `QueueSettings.max_wrap_up`."""
        self.floor.staff.extend_wrap_up(name, seconds, now=self.now())
        self.pump()

    def agent_reachable(self, name: str, reachable: bool) -> None:
        """An agent's phone is registered (tell it at each REGISTER), or not any more."""
        self.floor.staff.registration(name, reachable, now=self.now())
        self.pump()

    def user_reachable(self, user: str, reachable: bool, *, reason: str = "", login: bool = True) -> None:
        """A SIP user has phones, or none any more: `agent_reachable` for each agent with that user.

        An agent with several users is there while one of them is.

        Args:
            user: Whose phones.
            reachable: Whether there are any.
            reason: Why not.
            login: False for phones that did nothing themselves: who has logged out stays so.
        """
        for agent in list(self.floor.staff.agents.values()):
            settings = agent.settings
            if settings.registers and user in settings.users:
                there = reachable or (len(settings.users) > 1 and self._present(settings))
                if login or not there or agent.wish is not AgentState.OFFLINE:
                    self.floor.staff.registration(agent.name, there, now=self.now(), reason=reason)
        self.pump()

    def agent_external(self, name: str, dialog: str, began: bool) -> None:
        """A call of the agent's own began or ended; `dialog` tells calls apart."""
        self.floor.staff.external(name, dialog, began, now=self.now())
        self.pump()

    def present_again(self) -> None:
        """Phones are known again: agents whose phone is not registered are offline until it is."""
        for agent in list(self.floor.staff.agents.values()):
            if agent.reachable and agent.settings.registers and not self._present(agent.settings):
                self.floor.staff.registration(agent.name, False, now=self.now())
        self.pump()

    def _present(self, settings: AgentSettings) -> bool:
        return self._presence is not None and self._presence.reachable(settings)

    # Views

    def snapshot(self, now: float | None = None) -> Snapshot:
        """Agents and queues as they stand."""
        return take(self.floor, now=self.now() if now is None else now)

    def trace(self, offer_id: str) -> tuple[Verdict, ...]:
        """Why an offer went to its agent, and why not to the others; empty for one that is forgotten."""
        trace = self.floor.traces.get(offer_id)
        return trace.verdicts() if trace is not None else ()

    def invariants(self) -> list[str]:
        """Every rule of the floor that is broken now; empty when nothing is stuck."""
        found = invariants.violations(self.floor, now=self.now())
        found += [
            f"entry {entry.id}: nobody stays for it"
            for entry in self.floor.entries.values()
            if entry.id not in self._visits and not entry.silent
        ]
        found += [
            f"offer {offer.id}: is {offer.state} but nobody rings"
            for offer in self.floor.offers.values()
            if offer.state is not OfferState.RESERVED and offer.id not in self._ringing
        ]
        return found

    def _command(self, name: str, given: AgentInput, reason: str = "") -> None:
        self.floor.staff.apply(name, given, now=self.now(), reason=reason)
        self.pump()
