"""The event log in the words of Asterisk's ``queue_log``, for tools that read that file.

One line is ``time|call|queue|agent|event|data...``, with whole Unix seconds and ``NONE`` for what there is
not. The events and their data are those of Asterisk's manual ("Queue Logs"):

| line | when |
|---|---|
| ``ENTERQUEUE||caller|position`` | a caller joined |
| ``CONNECT|waited|leg|rang`` | an agent answered |
| ``RINGNOANSWER|rang_ms`` | an offer was not answered, whatever the phone said |
| ``RINGCANCELED|rang_ms`` | the caller left, or another agent was faster |
| ``COMPLETEAGENT|waited|talked|position`` | the agent ended the talk; else ``COMPLETECALLER`` |
| ``BLINDTRANSFER|target|context|waited|talked|position`` | the agent sent the caller on |
| ``ATTENDEDTRANSFER|BRIDGE|leg|waited|talked|position`` | the same after asking |
| ``ABANDON|position|first position|waited`` | the caller hung up, however soon |
| ``EXITWITHTIMEOUT``, ``EXITEMPTY`` with the same data | waited too long; no agent was there |
| ``EXITWITHKEY|key|position|first position|waited`` | a key was pressed; the log does not have which |
| ``WITHDRAW|position|first position|waited|exit`` | every other exit, by its name |
| ``PAUSE|reason``, ``UNPAUSE|``, ``ADDMEMBER|``, ``REMOVEMEMBER|`` | an agent is not ready, ready, in, out |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sipcc.acd.events import AgentStateChanged, OfferEnded, OfferMade, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import (
    CallEndedEvent,
    LegEnded,
    LegStarted,
    TransferCompleted,
    TransferFailed,
    TransferStarted,
)
from sipcc.events import Event

_EXITS = {
    "abandoned": "ABANDON",
    "short_abandoned": "ABANDON",
    "timed_out": "EXITWITHTIMEOUT",
    "no_agent": "EXITEMPTY",
    "key_exit": "EXITWITHKEY",
}
_NONE = "NONE"


class _Visit(msgspec.Struct):
    """An entry whose last line is not written yet."""

    joined: QueueJoined
    number: int
    position: int = 0
    waited: float = 0.0
    ended: tuple[float, TalkEnded] | None = None


class QueueLogFold:
    """Folds events into lines of a ``queue_log``, in the order in which they are complete."""

    def __init__(self, members: Mapping[str, Sequence[str]] | None = None) -> None:
        """Take the queues of each agent; an agent without any has its lines under the queue ``NONE``."""
        self._members = members or {}
        self._visits: dict[str, _Visit] = {}
        self._offers: dict[str, float] = {}
        self._legs: dict[str, dict[str, str]] = {}
        self._asked: dict[str, TransferStarted] = {}
        self._moved: dict[str, TransferCompleted] = {}
        self._count = 0

    def apply(self, event: Event, wall: float) -> list[str]:
        """The lines that `event` completes, which happened at the Unix time `wall`; without line ends."""
        match event:
            case QueueJoined() if event.entry not in self._visits:
                self._count += 1
                self._visits[event.entry] = _Visit(event, self._count, event.position)
                return [_line(wall, event, _NONE, "ENTERQUEUE", "", event.caller, event.position)]
            case OfferMade():
                self._offers[event.offer] = wall
            case OfferEnded() if (made := self._offers.pop(event.offer, None)) is not None:
                if event.outcome == "answered":
                    self._offers[f"{event.entry} {event.agent}"] = wall - made
                    return []
                name = "RINGCANCELED" if event.outcome == "cancelled" else "RINGNOANSWER"
                return [_line(wall, event, event.agent, name, round(1000 * (wall - made)))]
            case QueueLeft():
                return self._exit(event, wall)
            case TalkEnded() if (visit := self._visits.get(event.entry)) is not None:
                visit.ended = (wall, event)
            case AgentStateChanged():
                return self._state(event, wall)
            case _:
                return self._of_call(event)
        return []

    def flush(self) -> list[str]:
        """The lines of talks that are over, but whose end nobody told: the log stops there."""
        return [
            line for visit in list(self._visits.values()) if visit.ended for line in self._close(visit, None)
        ]

    def _of_call(self, event: Event) -> list[str]:
        match event:
            case LegStarted() if event.agent is not None:
                self._legs.setdefault(event.call, {})[event.agent] = event.leg
            case TransferStarted():
                self._asked[event.call] = event
            case TransferFailed():
                self._asked.pop(event.call, None)
            case TransferCompleted():
                self._moved[event.call] = event
            case LegEnded() | CallEndedEvent():
                return self._parted(event)
            case _:
                pass
        return []

    def _exit(self, event: QueueLeft, wall: float) -> list[str]:
        visit = self._visits.get(event.entry)
        if visit is None or visit.waited:
            return []
        first, waited = visit.joined.position, round(event.waited)
        place = self._place(visit)
        if event.exit == "answered":
            visit.position, visit.waited = 0, event.waited or 1e-9
            leg = self._legs.get(event.call, {}).get(event.agent or "", "")
            rang = self._offers.pop(f"{event.entry} {event.agent}", 0.0)
            return [_line(wall, event, event.agent or _NONE, "CONNECT", waited, leg, round(rang))]
        del self._visits[event.entry]
        name = _EXITS.get(event.exit, "WITHDRAW")
        data: list[object] = [place, first, waited]
        if name == "EXITWITHKEY":
            data.insert(0, "")
        elif name == "WITHDRAW":
            data.append(event.exit)
        return [_line(wall, event, _NONE, name, *data)]

    def _place(self, visit: _Visit) -> int:
        """1 and how many wait before it: those of a higher priority, and the earlier ones of the same."""
        mine = (-visit.joined.priority, visit.number)
        return 1 + sum(
            not other.waited
            and other.joined.queue == visit.joined.queue
            and (-other.joined.priority, other.number) < mine
            for other in self._visits.values()
        )

    def _parted(self, event: LegEnded | CallEndedEvent) -> list[str]:
        """A party hung up; which one tells who completed the talk that ended with it."""
        lines: list[str] = []
        for visit in list(self._visits.values()):
            if visit.joined.call == event.call and visit.ended is not None:
                lines += self._close(visit, event)
        if isinstance(event, CallEndedEvent):
            for known in (self._legs, self._asked, self._moved):
                known.pop(event.call, None)
        return lines

    def _close(self, visit: _Visit, event: LegEnded | CallEndedEvent | None) -> list[str]:
        assert visit.ended is not None
        wall, talk = visit.ended
        del self._visits[visit.joined.entry]
        times = (round(visit.waited), round(talk.talked), visit.joined.position)
        leg, moved = self._legs.get(talk.call, {}).get(talk.agent), self._moved.get(talk.call)
        if moved is not None and moved.leg == leg and moved.kind in ("attended", "consult"):
            return [_line(wall, talk, talk.agent, "ATTENDEDTRANSFER", "BRIDGE", moved.new, *times)]
        asked = self._asked.get(talk.call)
        if asked is not None and asked.leg == leg:  # done, or the agent has hung up before it was
            return [_line(wall, talk, talk.agent, "BLINDTRANSFER", asked.target, "default", *times)]
        by_agent = event is not None and event.ended_by == "callee"
        return [
            _line(wall, talk, talk.agent or _NONE, "COMPLETEAGENT" if by_agent else "COMPLETECALLER", *times)
        ]

    def _state(self, event: AgentStateChanged, wall: float) -> list[str]:
        told: list[tuple[str, str]] = []
        if event.before == "offline":
            told.append(("ADDMEMBER", ""))
        if event.after == "not_ready":
            told.append(("PAUSE", event.reason))
        elif event.before == "not_ready":
            told.append(("UNPAUSE", ""))
        if event.after == "offline":
            told.append(("REMOVEMEMBER", ""))
        queues = self._members.get(event.agent) or (_NONE,)
        return [
            "|".join((str(int(wall)), _NONE, _clean(queue), _clean(event.agent), name, _clean(data)))
            for name, data in told
            for queue in queues
        ]


def _line(
    wall: float,
    event: QueueJoined | OfferEnded | QueueLeft | TalkEnded,
    agent: str,
    name: str,
    *data: object,
) -> str:
    cells = (int(wall), event.call, event.queue, agent, name, *data)
    return "|".join(_clean(str(cell)) for cell in cells)


def _clean(text: str) -> str:
    """`text` without what ends a field or a line; a caller chooses their own name."""
    return "".join(" " if char == "|" or not char.isprintable() else char for char in text)
