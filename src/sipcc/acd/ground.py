"""What the floor stands on: agents, lines, entries and offers, and the ways in which each of them ends."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from sipcc.acd import offer as offers_
from sipcc.acd import overflow, tell
from sipcc.acd import queues as queues_
from sipcc.acd.agents import AgentInput, backed_off
from sipcc.acd.events import GAVE_UP, Exit, OfferOutcome
from sipcc.acd.model import (
    AgentState,
    Entry,
    Offer,
    Order,
    Release,
    StopRinging,
    Strategy,
)
from sipcc.acd.offer import OfferInput
from sipcc.acd.queues import EntryInput, WaitingLine
from sipcc.acd.recall import KeptPlaces, RecallList
from sipcc.acd.router import Trace
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.staff import Alarms, Staff
from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.events import Event


class Ground:
    """The state of a centre, and how entries and offers end."""

    def __init__(
        self,
        agents: Sequence[AgentSettings],
        queues: Sequence[QueueSettings],
        *,
        strategies: Mapping[str, Strategy],
        new_id: Callable[[str], str],
    ) -> None:
        """Build an empty floor.

        Args:
            agents: In member order.
            queues: Each with its rules.
            strategies: The strategy of each queue, by the queue's name.
            new_id: Makes an id from a prefix, as `sipcc.ids.Ids.uid` does.

        Raises:
            ConfigError: a name is given twice, or an agent serves an unknown queue.
        """
        self._events: list[Event] = []
        self._orders: list[Order] = []
        self._alarms = Alarms()
        self.staff = Staff(agents, self._alarms, self._events)
        self.lines: dict[str, WaitingLine] = {}
        for index, queue in enumerate(queues):
            if queue.name in self.lines:
                raise ConfigError(f"queues[{index}].name", f"{queue.name!r} is given twice")
            members = tuple(agent.name for agent in agents if queue.name in agent.queues)
            self.lines[queue.name] = WaitingLine(queue, strategies[queue.name], members)
        _check_queues(agents, self.lines)
        self.entries: dict[str, Entry] = {}
        """Entries that have not ended."""
        self.offers: dict[str, Offer] = {}
        """Offers that have not ended, those being cancelled included."""
        self.traces: OrderedDict[str, Trace] = OrderedDict()
        self.canonical: Callable[[str], str] = str
        """The form of a number in which two that are the same are equal: by it callers are known again."""
        self.kept = KeptPlaces()
        self.recalls = RecallList(self._events, new_id=new_id)
        self.closed = False
        self.leaving: dict[str, tuple[AgentState, str]] = {}
        """Agents that are not configured any more, with what they wished; gone when they are done."""
        self.retired: set[str] = set()
        """Queues that are not configured any more; gone when they are empty."""
        self.aliases = {line.settings.was: name for name, line in self.lines.items() if line.settings.was}
        """Old names of queues that are called otherwise now."""
        self._journeys = Alarms()
        """When entries on a journey go on."""
        self._late: set[str] = set()
        """Those whose time has come while an agent was rung for them."""
        self.held: set[str] = set()
        """Calls whose callers are about to come back to their places; until then nobody is offered a call."""
        self._new_id = new_id
        self._count = 0

    def line(self, queue: str) -> WaitingLine:
        """The line of that name, or of the queue that once had it.

        Raises:
            LocalProtocolError: there is none.
        """
        try:
            return self.lines[queue if queue in self.lines else self.aliases.get(queue, queue)]
        except KeyError:
            known = ", ".join(sorted(self.lines)) or "none"
            raise LocalProtocolError(f"there is no queue {queue!r}; known: {known}") from None

    def knows(self, queue: str) -> bool:
        """True for a queue that is there, under this name or after it was renamed."""
        return queue in self.lines or self.aliases.get(queue) in self.lines

    def count_on(self, number: int) -> None:
        """Let the entries that come after be younger than one of another process."""
        self._count = max(self._count, number)

    def take_up(self, entry: Entry) -> None:
        """Know of a talk that another process has begun."""
        line = self.line(entry.queue)
        told_as = entry.told_as or entry.queue
        self.entries[entry.id] = replace(entry, queue=line.settings.name, told_as=told_as)
        line.tally.joined += 1
        line.tally.left(entry, line.settings)

    def drop_talk(self, entry_id: str, *, now: float) -> None:
        """A talk of another process ended with it; only its agent is to know."""
        entry = self.entries.pop(entry_id)
        self._wrap_up(entry.agent or "", self.line(entry.queue).settings, lost=False, now=now)

    # The ends of things

    def _refusal(self, line: WaitingLine, *, back: bool) -> Exit | None:
        if self.closed:
            return "closed"
        if not back and line.settings.max_length and len(line) > line.settings.max_length:
            return "full"
        if line.settings.no_agent == "leave" and not self.staff.present(line.members):
            return "no_agent"
        return None

    def _leave(self, entry: Entry, exit_: Exit, *, now: float, to: str = "") -> Entry:
        """End an entry that is not answered, and whatever goes on for it."""
        offers, agent, line = entry.offers, entry.agent, self.line(entry.queue)
        to = to or overflow.afterwards(line.settings, exit_)
        entry = queues_.step(entry, EntryInput.LEAVE, now=now, exit_=exit_, agent=None, to=to)
        self.entries.pop(entry.id, None)
        line.remove(entry)
        self._tell_left(entry, now=now)
        self._orders.append(Release(entry))
        if agent is not None:  # answered, but the caller had gone: no talk, so no wrap-up and no blame
            self.staff.apply(agent, AgentInput.RELEASE, now=now, reason="caller_left")
        self._cancel(offers, now=now)
        return entry

    def _cancel(self, offer_ids: Iterable[str], *, now: float) -> None:
        """Stop ringing; each agent is free again when its phone is silent."""
        for offer_id in sorted(offer_ids):
            offer = offers_.step(self.offers[offer_id], OfferInput.CANCEL, outcome="cancelled", status=487)
            self.offers[offer_id] = offer
            self._events.append(tell.offer_ended(offer, now=now))
            self._orders.append(StopRinging(offer_id))
            self.staff.hold(offer.agent, until=now + offers_.CANCEL_LEASE)

    def _drop_cancelled(self, offer: Offer, *, now: float) -> None:
        del self.offers[offer.id]
        self.staff.apply(offer.agent, AgentInput.RELEASE, now=now, reason="offer_cancelled")

    def _end_offer(self, offer: Offer, outcome: OfferOutcome, status: int, *, now: float) -> None:
        offer = offers_.step(offer, OfferInput.FINISH, outcome=outcome, status=status)
        del self.offers[offer.id]
        self._events.append(tell.offer_ended(offer, now=now))

    def _fail_offer(self, offer: Offer, outcome: OfferOutcome, status: int, *, now: float) -> None:
        """A live offer was not answered: the caller waits on, the agent bears the consequence."""
        self._end_offer(offer, outcome, status, now=now)
        entry = self.entries[offer.entry]
        left = entry.offers - {offer.id}
        given = EntryInput.OFFER_LOST if left else EntryInput.LAST_OFFER_LOST
        tried = entry.tried | {offer.agent}
        self.entries[entry.id] = queues_.step(entry, given, now=now, offers=left, tried=tried)
        agent, settings = self.staff.agents[offer.agent], self.lines[offer.queue].settings
        verdict = offers_.judge(outcome, agent, settings, began=offer.began, now=now)
        self.staff.apply(
            offer.agent,
            verdict.given,
            now=now,
            reason=verdict.reason,
            deadline=verdict.deadline,
            **verdict.changes,
        )

    def _wrap_up(self, name: str, settings: QueueSettings, *, lost: bool, now: float) -> float:
        """Let an agent rest after a talk; the seconds that it may. A `lost` phone is left alone."""
        agent = self.staff.agents[name]
        own = agent.settings.wrap_up
        seconds = settings.wrap_up if own is None else own
        limit = now + settings.max_wrap_up if settings.max_wrap_up else None
        if limit is not None:
            seconds = min(seconds, settings.max_wrap_up)
        given, end = (AgentInput.TALK_ENDED, now + seconds) if seconds else (AgentInput.RELEASE, None)
        done = {"worked": True, "entry": None, "wrap_up_limit": limit}
        if lost:
            done |= backed_off(agent, "phone_lost", settings.failed_backoff, began=now, now=now)
        reason = "phone_lost" if lost else "talk_ended"
        self.staff.apply(name, given, now=now, reason=reason, deadline=end, **done)
        return seconds

    def _tell_left(self, entry: Entry, *, now: float) -> None:
        line = self.lines[entry.queue]
        line.tally.left(entry, line.settings)
        self._events.append(tell.left(entry, now=now))
        if entry.exit in GAVE_UP:
            self.gave_up(entry, now=now)

    def gave_up(self, entry: Entry, *, now: float) -> None:
        """A caller hung up while it waited: its place is kept, and somebody may call it."""
        settings, caller = self.line(entry.queue).settings, self.canonical(entry.caller)
        if settings.resume_within:
            self.kept.lost(entry, caller=caller, until=now + settings.resume_within)
        if entry.exit == "abandoned":
            window, call = settings.recall_window, entry.call
            self.recalls.gave_up(settings.name, caller, call=call, window=window, now=now)


def _check_queues(agents: Sequence[AgentSettings], lines: Mapping[str, WaitingLine]) -> None:
    for index, agent in enumerate(agents):
        for queue in agent.queues:
            if queue not in lines:
                known = ", ".join(sorted(lines)) or "none"
                raise ConfigError(f"agents[{index}].queues", f"no queue {queue!r}", hint=f"known: {known}")
