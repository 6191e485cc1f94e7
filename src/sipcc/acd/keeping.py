"""Keeps what agents and callers are for another process, should this one end: the shell of `sipcc.acd.kept`.

Whatever has changed is written down when all that followed from an input has been done. At the start of a
process, `restore` puts the agents as they were; callers who waited get their places when their calls have
been taken up and enter their queue again, under the same entry. Until the last of them is back, nobody is
offered a call, so that nobody is overtaken.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Container

from msgspec.structs import replace

from sipcc.acd import events
from sipcc.acd.agents import AgentInput
from sipcc.acd.events import OfferEnded, QueueLeft, QueueResumed
from sipcc.acd.kept import (
    KeptAgent,
    KeptEntry,
    KeptTalk,
    restored_agent,
    restored_entry,
    restored_place,
    saved_agent,
    saved_entry,
)
from sipcc.acd.lately import CALLERS_KEPT
from sipcc.acd.leftlists import LeftLists
from sipcc.acd.model import AgentState, Entry
from sipcc.acd.service import Acd
from sipcc.bus import Bus
from sipcc.clock import Clock
from sipcc.events import Event
from sipcc.shelves import Shelves

HOLD_S = 3.0
"""So long offers wait for callers to come back to their places."""


class Keeping:
    """What the ACD has to keep, and what it finds."""

    def __init__(self, acd: Acd, shelves: Shelves, *, bus: Bus, clock: Clock) -> None:
        """`shelves` must be open; then `restore` goes into `Acd.start`."""
        self._acd, self._bus, self._clock = acd, bus, clock
        self._agents = shelves.shelf("agents", KeptAgent)
        self._entries = shelves.shelf("entries", KeptEntry)
        self._callers = shelves.shelf("last_agents", KeptTalk)
        self._lists = LeftLists(acd.floor, shelves)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._touched: set[str] = set()
        self._talks: dict[str, str] = {}
        self._waits: dict[str, Entry] = {}
        self._lost: list[Entry] = []
        self._travellers: set[str] = set()
        self._holding: asyncio.TimerHandle | None = None
        for kind in vars(events).values():
            if isinstance(kind, type) and "entry" in getattr(kind, "__struct_fields__", ()):
                bus.on(kind, self._on_event)
        acd.on_settled = self._write_down
        acd.on_elsewhere = self.call_over
        acd.on_renewed = self._renewed

    def close(self) -> None:
        """Write no more: what happens from now on is the end of the process, and not of anybody's day."""
        self._acd.on_settled = self._acd.on_renewed = None
        if self._holding is not None:
            self._holding.cancel()

    # Writing

    def _on_event(self, event: Event) -> None:
        entry_id = getattr(event, "entry", "")
        self._touched.add(entry_id)
        if isinstance(event, QueueLeft) and event.exit == "answered" and event.agent:
            entry = self._acd.floor.entries.get(entry_id)
            if entry is not None:
                self._note_caller(entry.caller, KeptTalk(agent=event.agent, at=self._clock.wall_of(event.at)))

    def _note_caller(self, caller: str, talk: KeptTalk) -> None:
        self._callers.note(caller, talk)
        self._known[caller] = None
        self._known.move_to_end(caller)
        if len(self._known) > CALLERS_KEPT:
            self._callers.over(self._known.popitem(last=False)[0])

    def _renewed(self) -> None:
        """Queues may be called otherwise: who is in one is written down anew, and who comes back finds it."""
        floor, returning = self._acd.floor, self._acd.returning
        self._touched.update(floor.entries)
        for call, place in returning.items():
            if floor.knows(place.queue) and (name := floor.line(place.queue).settings.name) != place.queue:
                returning[call] = replace(place, queue=name, told_as=place.told_as or place.queue)

    def _write_down(self) -> None:
        floor, wall_of = self._acd.floor, self._clock.wall_of
        roster = floor.staff.agents
        for name in sorted(roster.touched):
            agent = roster.get(name)
            if agent is None:
                self._agents.over(name)
            else:
                self._agents.note(name, saved_agent(agent, wall_of=wall_of))
        roster.touched.clear()
        for entry_id in sorted(self._touched):
            entry = floor.entries.get(entry_id)
            if entry is None or (entry.exit is not None and entry.agent is None):  # nothing to come back to
                self._entries.over(entry_id)
            else:
                offers = [floor.offers[name] for name in sorted(entry.offers)]
                self._entries.note(entry_id, saved_entry(entry, offers, wall_of=wall_of))
        self._touched.clear()
        now = self._clock.now()
        self._lists.write_down(ages=now - wall_of(now))

    # Reading

    def restore(self, calls: Container[str]) -> None:
        """Put agents and callers as they were left; `calls` are those that are about to be taken up."""
        now = self._clock.now()
        ages = now - self._clock.wall_of(now)
        staff = self._acd.floor.staff
        for name, agent in self._agents.left.items():
            if name in staff.agents:
                staff.restore(restored_agent(staff.agents[name], agent, ages=ages, now=now), now=now)
            else:
                self._agents.over(name)
        for entry_id, entry in sorted(self._entries.left.items(), key=lambda item: item[1].number):
            self._restore_entry(entry_id, entry, entry.call in calls, ages=ages, now=now)
        for agent_ in list(staff.agents.values()):
            if agent_.state is AgentState.TALKING and agent_.entry not in self._acd.floor.entries:
                staff.apply(agent_.name, AgentInput.RELEASE, now=now, reason="restarted", entry=None)
        last_agents = self._acd.planner.last_agents
        for caller, talk in sorted(self._callers.left.items(), key=lambda item: item[1].at):
            last_agents.talked(caller, talk.agent, now=talk.at + ages)
            self._known[caller] = None
        self._lists.restore(ages=ages, now=now)

    def _restore_entry(self, entry_id: str, kept: KeptEntry, lives: bool, *, ages: float, now: float) -> None:
        floor = self._acd.floor
        self._touched.add(entry_id)
        if not floor.knows(kept.queue):
            return
        kept = kept.called(floor.line(kept.queue).settings.name)
        floor.count_on(kept.number)
        talks = bool(kept.agent) and kept.agent in floor.staff.agents
        if talks:
            floor.take_up(restored_entry(entry_id, kept, ages=ages))
            self._talks[kept.call] = entry_id
        waits = restored_entry(entry_id, kept, ages=ages)
        if not kept.agent:
            self._waits[kept.call] = waits
        if not lives:
            self._forget(kept.call, now=now)
            return
        self._bus.emit(QueueResumed(at=now, entry=entry_id, queue=kept.told_queue, call=kept.call))
        for offer, agent in kept.offers:
            self._bus.emit(
                OfferEnded(
                    at=now,
                    offer=offer,
                    entry=entry_id,
                    queue=kept.told_queue,
                    call=kept.call,
                    agent=agent,
                    outcome="cancelled",
                    sip_status=0,
                )
            )
        if kept.on_journey:
            self._travellers.add(kept.call)
        if not kept.agent:
            self._acd.returning[kept.call] = restored_place(entry_id, kept, ages=ages)
            floor.held.add(kept.call)

    def taken_up(self, live: Container[str]) -> None:
        """Calls have been taken up: those of `live`, and no others."""
        now = self._clock.now()
        for call in [*self._talks, *self._acd.returning]:
            if call not in live:
                self._forget(call, now=now)
        self._acd.present_again()
        asyncio.get_running_loop().call_soon(self._make_up)  # when all of the switch has started
        if self._acd.floor.held:
            self._holding = asyncio.get_running_loop().call_later(HOLD_S, self._let_go)

    def _forget(self, call: str, *, now: float) -> None:
        """A call did not outlive its process; its records are closed by whoever keeps those."""
        floor = self._acd.floor
        if (entry_id := self._talks.pop(call, "")) and entry_id in floor.entries:
            floor.drop_talk(entry_id, now=now)
            self._touched.add(entry_id)
        self._acd.returning.pop(call, None)
        floor.held.discard(call)
        if (entry := self._waits.pop(call, None)) is not None:
            self._touched.add(entry.id)
            self._lost.append(entry)

    def _make_up(self) -> None:
        """Callers whose calls died while they waited are called back, or have given up without wanting to."""
        floor, now = self._acd.floor, self._clock.now()
        for entry in self._lost:
            settings = floor.line(entry.queue).settings
            if (
                settings.callback_lost
                and floor.callbacks is not None
                and not floor.callbacks.refusal(entry.caller)
            ):
                plan = self._acd.planner.plan(entry.queue, entry.caller, now=now)
                floor.callbacks.book(
                    entry.queue,
                    entry.caller,
                    call=entry.call,
                    priority=entry.priority,
                    joined=entry.joined,
                    order=entry.number,
                    plan=plan,
                    now=now,
                )
            else:
                floor.gave_up(replace(entry, exit="abandoned"), now=now)
        self._lost.clear()
        floor.see_to_callbacks(now=now)
        self._acd.pump()

    def _let_go(self) -> None:
        self._acd.floor.held.clear()
        self._acd.pump()

    def queue_of(self, call: str) -> str:
        """The queue in which a caller shall go on waiting; empty for none.

        Who was on a way through several queues begins that anew, and finds its place if it comes by there.
        """
        place = self._acd.returning.get(call)
        return "" if place is None or call in self._travellers else place.queue

    def talk_of(self, call: str) -> str:
        """The entry of a call that talks with an agent since before this process; empty for none."""
        return self._talks.pop(call, "")

    def call_over(self, call: str) -> None:
        """A call had a place and ended, or went elsewhere, without taking it: its entry is over."""
        place = self._acd.returning.pop(call, None)
        if place is not None and place.entry and place.began is not None:
            now = self._clock.now()
            self._bus.emit(
                QueueLeft(
                    at=now,
                    entry=place.entry,
                    queue=place.told_as or place.queue,
                    call=call,
                    exit="failed",
                    waited=now - place.began,
                )
            )
            self._write_down()
