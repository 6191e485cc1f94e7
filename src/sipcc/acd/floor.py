"""The floor: the core of the ACD. It owns agents, lines, entries and offers, and decides all that happens.

Inputs come from callers (`join`, `hung_up`, `leave`), from the dialer (`ringing`, `answered`,
`ring_ended`), from talks (`bridged`, `talk_ended`) and, through `staff`, from agents. After any input,
`route` makes the offers that are possible; `orders` and `events` tell what the shell must do and say.
No input of the network's pace is an error: what comes too late for an offer or an entry that has ended
is answered with "too late" and changes nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from sipcc.acd import offer as offers_
from sipcc.acd import overflow, tell
from sipcc.acd import queues as queues_
from sipcc.acd.agents import AgentInput
from sipcc.acd.booking import Booking
from sipcc.acd.events import Exit, OfferOutcome
from sipcc.acd.model import (
    Agent,
    Entry,
    EntryState,
    Journey,
    Offer,
    OfferState,
    Order,
    Place,
    Ring,
    Stage,
    StopRinging,
)
from sipcc.acd.offer import OfferInput
from sipcc.acd.queues import IN_LINE, EntryInput
from sipcc.acd.reload import Renewable
from sipcc.acd.router import Pick, Trace, decide
from sipcc.acd.steering import Steering
from sipcc.events import Event

TRACES_KEPT = 256
"""How many decision traces can be asked for after their offer has ended."""


class Floor(Renewable, Steering, Booking):
    """The rules of a centre: what each input does to its state."""

    # Callers

    def join(
        self,
        entry_id: str,
        queue: str,
        *,
        call: str,
        caller: str,
        priority: int,
        plan: tuple[Stage, ...] = (),
        place: Place | None = None,
        journey: Journey | None = None,
        now: float,
    ) -> Entry:
        """Let a caller in. The entry that comes back has ended already when the queue refuses it.

        With a `place` that it has had, the caller stands there again, however long the line is; so does who
        has booked a callback here. On a `journey` it stands as if it had come when that began.
        """
        line = self.line(queue)
        known = self.canonical(caller)
        newcomer = place is None
        regained = self.kept.regain(line.settings.name, known, now=now) if newcomer else None
        place = place if regained is None else regained[0]
        if newcomer and self._refusal(line, back=True) is None:
            place = self._place_of_callback(line.settings.name, known, place, now=now)
        self._count += place is None
        entry = Entry(
            id=entry_id,
            number=self._count,
            queue=line.settings.name,
            call=call,
            caller=caller,
            priority=line.settings.priority + priority,
            joined=now,
            plan=plan,
        )
        if journey is not None:
            entry = replace(entry, journey=journey, joined=journey.began, moved_at=now)
            if journey.until is not None:
                self._alarms.add(journey.until, "wake")
                self._journeys.add(journey.until, entry_id)
        if place is not None:
            entry = place.given_to(entry, now=now)
        line.tally.joined += 1
        line.insert(entry)
        if place is None or not place.entry:
            self._events.append(tell.joined(entry, line.position(entry)))
            self.recalls.called(known, now=now)
        if regained is not None:
            self._events.append(tell.regained(entry, lost=regained[1]))
        if (
            not self.closed
            and place is None
            and (to := overflow.at_join(line, entry, self.entries, self.staff))
            and self._may_overflow(entry, to)
        ):
            return self._leave(entry, "overflowed", now=now, to=to)
        refusal = self._refusal(line, back=place is not None)
        if refusal is not None:
            return self._leave(entry, refusal, now=now)
        began = now if place is None or place.began is None else place.began
        deadline = began + line.settings.max_wait if line.settings.max_wait else None
        entry = queues_.step(entry, EntryInput.ADMIT, now=now, deadline=deadline)
        self.entries[entry_id] = entry
        if deadline is not None:
            self._alarms.add(deadline, f"entry:{entry_id}")
        for at in [
            *(entry.joined + stage.after for stage in plan),
            *overflow.alarms(line.settings, joined=began),
        ]:
            self._alarms.add(at, "wake")
        return entry

    def position(self, entry_id: str) -> int:
        """The place of a caller that waits and is not being offered; else 0."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.state is not EntryState.WAITING:
            return 0
        return self.line(entry.queue).position(entry)

    def hung_up(self, entry_id: str, *, now: float) -> None:
        """The caller's leg is over. A talk is not ended by this; its bridge tells."""
        entry = self.entries.get(entry_id)
        if entry is not None and entry.state is not EntryState.CONNECTED:
            self._leave(entry, queues_.hang_up_exit(entry, self.line(entry.queue).settings, now=now), now=now)

    def leave(self, entry_id: str, exit_: Exit, *, now: float, to: str = "") -> bool:
        """Take a caller out of the line, on its way to `to`; False when it is not in line any more."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.state is EntryState.CONNECTED:
            return False
        self._leave(entry, exit_, now=now, to=to)
        return True

    def close(self, *, now: float) -> None:
        """Let nobody in any more, and send away who waits; talks go on."""
        self.closed = True
        for entry in [entry for entry in self.entries.values() if entry.state in IN_LINE]:
            self._leave(entry, "withdrawn", now=now)

    # The dialer

    def ringing(self, offer_id: str, *, now: float) -> bool:
        """Ringing begins; False when the offer is over already and nobody shall be rung."""
        offer = self.offers.get(offer_id)
        if offer is None or offer.state is not OfferState.RESERVED:
            return False
        self.offers[offer_id] = offers_.step(offer, OfferInput.RING)
        accepting = self.staff.get(offer.agent).settings.accepting
        lease = now + self.line(offer.queue).settings.ring_timeout + accepting + offers_.RING_GRACE
        self.staff.apply(offer.agent, AgentInput.RING, now=now, deadline=lease)
        return True

    def answered(self, offer_id: str, *, now: float) -> bool:
        """The agent answered. True: bridge and tell `bridged`. False: too late, hang the leg up.

        Either way the offer is over.
        """
        offer = self.offers.get(offer_id)
        if offer is None or offer.state is not OfferState.RINGING:
            self.ring_ended(offer_id, "cancelled", 200, now=now)
            return False
        entry = self.entries[offer.entry]
        rivals = entry.offers - {offer_id}
        self._end_offer(offer, "answered", 200, now=now)
        self.staff.apply(offer.agent, AgentInput.ANSWER, now=now, entry=entry.id, offer=None, misses=0)
        entry = queues_.step(entry, EntryInput.ANSWER, now=now, agent=offer.agent)
        self.entries[entry.id] = self._agent_waits(entry, now=now) if entry.callback else entry
        self.line(entry.queue).remove(entry)
        self._alarms.add(now + queues_.CONNECT_LEASE, f"entry:{entry.id}")
        self._cancel(rivals, now=now)
        return True

    def ring_ended(self, offer_id: str, outcome: OfferOutcome, sip_status: int, *, now: float) -> None:
        """Ringing has ended without an answer that counts; the phone is silent."""
        offer = self.offers.get(offer_id)
        if offer is None:
            return
        if offer.state is OfferState.CANCELLING:
            self._drop_cancelled(offer, now=now)
            return
        if outcome == "cancelled" or offer.state is OfferState.RESERVED:
            outcome = "failed"  # nobody cancelled it, or it was never rung: a fault on our side
        self._fail_offer(offer, outcome, sip_status, now=now)

    # Talks

    def bridged(self, entry_id: str, *, now: float) -> Entry | None:
        """Caller and agent hear each other; None when the caller has left meanwhile."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.state is not EntryState.CONNECTING:
            return None
        entry = queues_.step(entry, EntryInput.BRIDGE, now=now)
        self.entries[entry_id] = entry
        self._tell_left(entry, now=now)
        self._talks(entry, now=now)
        return entry

    def taken(self, entry_id: str, *, now: float) -> Entry | None:
        """Somebody who is no agent speaks with the caller now; None when it does not wait any more.

        Whom an agent is being rung for stays that agent's, and a callback waits for agents only.
        """
        entry = self.entries.get(entry_id)
        if entry is None or entry.state is not EntryState.WAITING or entry.callback:
            return None
        entry = queues_.step(entry, EntryInput.TAKE, now=now)
        self.entries[entry_id] = entry
        self.line(entry.queue).remove(entry)
        self._tell_left(entry, now=now)
        self._talks(entry, now=now)
        return entry

    def talk_ended(self, entry_id: str, *, lost: bool = False, now: float) -> float:
        """Caller and agent have parted, `lost` because the agent's phone died; the seconds they talked."""
        entry = self.entries.get(entry_id)
        if entry is None or entry.state is not EntryState.CONNECTED:
            return 0.0
        entry = queues_.step(entry, EntryInput.PART, now=now)
        del self.entries[entry_id]
        self._events.append(tell.talk_ended(entry, lost=lost, now=now))
        line = self.lines[entry.queue]
        if entry.agent is not None:  # else nobody's work: agents are neither busy with it nor rest from it
            wrap_up = self._wrap_up(entry.agent, line.settings, lost=lost, now=now)
            line.tally.handle_time.add(entry.talked(now=now) + wrap_up)
        return entry.talked(now=now)

    # Time

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called; it may turn out that there is nothing to do."""
        return self._alarms.next

    def expire(self, *, now: float) -> None:
        """Do all that is due: leases, wrap-ups, quarantines, longest waits."""
        for key in self._alarms.due(now=now):
            kind, _, name = key.partition(":")
            if kind == "callback":
                self.see_to_callbacks(now=now)
            elif kind == "agent" and (agent := self.staff.agents.get(name)) is not None:
                self._expire_agent(agent, now=now)
            elif kind == "entry" and (entry := self.entries.get(name)) is not None:
                self._expire_entry(entry, now=now)

    def _expire_agent(self, agent: Agent, *, now: float) -> None:
        if agent.deadline is None or agent.deadline > now:
            return
        offer = self.offers.get(agent.offer or "")
        if offer is None:
            self.staff.apply(agent.name, AgentInput.EXPIRED, now=now)
        elif offer.state is OfferState.CANCELLING:
            self._drop_cancelled(offer, now=now)
        else:
            # The dialer did not keep its time: the phone is taken from it, and the caller moves on.
            self._orders.append(StopRinging(offer.id))
            self._fail_offer(offer, "failed", 408, now=now)

    def _expire_entry(self, entry: Entry, *, now: float) -> None:
        if entry.deadline is None or entry.deadline > now:
            return
        exit_: Exit = "failed" if entry.state is EntryState.CONNECTING else "timed_out"
        self._leave(entry, exit_, now=now)

    # Routing

    def route(self, *, now: float, bits: int) -> None:
        """Make every offer that is possible now. Call this after each input."""
        if not self.entries:
            return
        self._send_on(now=now)
        for line in [line for line in self.lines.values() if len(line)]:
            for entry_id, to in overflow.due(line, self.entries, self.staff, now=now):
                if self._may_overflow(self.entries[entry_id], to):
                    self._leave(self.entries[entry_id], "overflowed", now=now, to=to)
            if line.settings.no_agent == "leave" and len(line) and not self.staff.present(line.members):
                for entry in [self.entries[name] for name in line.ids]:
                    if not self._may_stay_alone(entry):
                        self._leave(entry, "no_agent", now=now)
        for pick in self.possible(now=now, bits=bits):
            self._offer(pick, now=now)

    def _send_on(self, *, now: float) -> None:
        """Let those go on whose journey says so, but for those who are being rung for."""
        self._late.update(self._journeys.due(now=now))
        for name in sorted(self._late):
            entry = self.entries.get(name)
            if entry is None or entry.state not in IN_LINE:
                self._late.discard(name)
            elif entry.state is EntryState.WAITING and (journey := entry.journey) is not None:
                self._leave(entry, "overflowed" if journey.to else "timed_out", now=now, to=journey.to)

    def possible(self, *, now: float, bits: int = 0) -> list[Pick]:
        """What the router would offer now."""
        agents = self.staff.agents
        if not agents.ready or self.held:
            return []
        lines = [line.view(self.entries) for line in self.lines.values() if len(line)]
        return decide(lines, agents, now=now, bits=bits, ready=agents.ready) if lines else []

    def orders(self) -> list[Order]:
        """What the shell has to do, since the last call."""
        orders, self._orders[:] = list(self._orders), []
        return orders

    def events(self) -> list[Event]:
        """What has happened, since the last call."""
        events, self._events[:] = list(self._events), []
        return events

    def _offer(self, pick: Pick, *, now: float) -> None:
        entry, line = self.entries[pick.entry], self.lines[pick.queue]
        entry = self._come_forward(entry, now=now) if entry.silent else entry
        for name in pick.agents:
            offer = Offer(
                id=self._new_id("offer"),
                entry=entry.id,
                queue=entry.queue,
                call=entry.call,
                agent=name,
                began=now,
                told_as=entry.told_as,
            )
            self.offers[offer.id] = offer
            self._keep_trace(offer.id, pick.trace)
            lease = now + offers_.RESERVE_LEASE
            self.staff.apply(name, AgentInput.RESERVE, now=now, deadline=lease, offer=offer.id)
            line.last = self.staff.agents[name].order
            entry = queues_.step(entry, EntryInput.OFFER, now=now, offers=entry.offers | {offer.id})
            self._events.append(tell.offer_made(offer))
            self._orders.append(Ring(offer, line.settings.ring_timeout))
        if line.ring_step:
            self._alarms.add(now + line.ring_step, "wake")
        if pick.new_round:
            entry = replace(entry, tried=frozenset())
        self.entries[entry.id] = entry

    def _keep_trace(self, offer_id: str, trace: Trace) -> None:
        self.traces[offer_id] = trace
        if len(self.traces) > TRACES_KEPT:
            self.traces.popitem(last=False)
