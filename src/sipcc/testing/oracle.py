"""What the figures of a centre must be, counted from the SIP messages of the parties around it.

It reads what a carrier and phones have sent and received, and nothing that the switch says of itself: no
event, no record, no log. A caller's time in a queue is what the caller sees of it, from the 200 of its call
to the 200 of the agent who got it. So it serves where callers reach one queue by their number alone, without
a menu before it, and are answered when they enter it; and it can tell what SIP shows: not after-call work,
and not what an agent does between two calls.

The formulas are those of the contact-centre field, written here a second time on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from sipcc.testing.party import Trace

_USER = re.compile(rb"sip:\+?([^@;>\s]+)@")
_HEADER = re.compile(rb"^(call-id|i|from|f|cseq)[ \t]*:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)
_LONG = {b"i": b"call-id", b"f": b"from"}


class SeenLeg(msgspec.Struct, kw_only=True):
    """One call of a party, as its messages show it. Times are those of the trace; 0 for never."""

    call_id: str
    called: str
    """The user part of the Request-URI."""
    caller: str
    """The user part of From."""
    invited: float
    status: int = 0
    """The final status of the INVITE; 0 while there was none."""
    decided: float = 0.0
    """When that status went or came."""
    ended: float = 0.0
    """When the first BYE went or came."""
    ended_by: Literal["", "party", "centre"] = ""
    cancelled: float = 0.0
    """When the INVITE was cancelled."""

    @property
    def answered(self) -> float:
        """When it was answered; 0 for never."""
        return self.decided if 200 <= self.status < 300 else 0.0


class QueueRule(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a queue to read its callers' legs. All times are seconds."""

    queue: str
    short_abandon: float
    service_level: float
    max_wait: float


class Counted(msgspec.Struct, kw_only=True):
    """What the messages say of one queue, in one interval or in all."""

    joined: int = 0
    answered: int = 0
    abandoned: int = 0
    """Without the short ones."""
    short: int = 0
    timed_out: int = 0
    answered_in_time: int = 0
    abandoned_in_time: int = 0
    wait: float = 0.0
    """Sum of the waits of the answered, in seconds."""
    talk: float = 0.0

    @property
    def figures(self) -> dict[str, float | None]:
        """The derived figures by their names in a report; fractions 0..1 and seconds."""
        offered = self.answered + self.abandoned
        return {
            "sl_f1": _ratio(self.answered_in_time + self.abandoned_in_time, offered),
            "sl_f2": _ratio(self.answered_in_time, self.answered),
            "sl_f3": _ratio(self.answered_in_time, offered),
            "sl_f4": _ratio(self.answered_in_time, offered - self.abandoned_in_time),
            "abandon_rate": _ratio(self.abandoned, offered),
            "asa": _ratio(self.wait, self.answered),
            "talk": self.talk,
        }


class CountedAgent(msgspec.Struct, kw_only=True):
    """What the messages say of one agent."""

    offers: int = 0
    answered: int = 0
    missed: int = 0
    """Rung, and neither answered nor called off by the centre because the caller or another agent was
    faster."""
    talk: float = 0.0


def legs_of(trace: Sequence[Trace]) -> list[SeenLeg]:
    """The calls of one party, in the order of their INVITEs; what is no SIP message of a call is left out."""
    legs: dict[str, SeenLeg] = {}
    for seen in trace:
        start, _, rest = seen.data.partition(b"\r\n")
        headers = {_LONG.get(name.lower(), name.lower()): value for name, value in _HEADER.findall(rest)}
        call_id = headers.get(b"call-id", b"").decode("latin-1")
        leg = legs.get(call_id)
        if leg is None:
            if start.startswith(b"INVITE "):
                called, caller = _user(start), _user(headers[b"from"])
                legs[call_id] = SeenLeg(call_id=call_id, called=called, caller=caller, invited=seen.at)
            continue
        _take(leg, start, headers.get(b"cseq", b""), seen)
    return list(legs.values())


def _take(leg: SeenLeg, start: bytes, cseq: bytes, seen: Trace) -> None:
    if start.startswith(b"SIP/2.0 "):
        status = int(start[8:11])
        if status >= 200 and not leg.status and cseq.endswith(b"INVITE"):
            leg.status, leg.decided = status, seen.at
    elif start.startswith(b"BYE ") and not leg.ended:
        leg.ended = seen.at
        leg.ended_by = "party" if seen.direction == "out" else "centre"
    elif start.startswith(b"CANCEL ") and not leg.cancelled:
        leg.cancelled = seen.at


def recount(
    callers: Sequence[SeenLeg],
    agents: Mapping[str, Sequence[SeenLeg]],
    rules: Mapping[str, QueueRule],
    *,
    interval: Callable[[float], float],
) -> tuple[dict[tuple[float, str], Counted], dict[str, CountedAgent]]:
    """The figures by interval and queue, and by agent.

    Args:
        callers: The carrier's calls.
        agents: Each agent's calls.
        rules: The queue behind each number.
        interval: The begin of the interval that a time of the traces falls into. A call counts in the one
            in which it was answered to the caller.

    Raises:
        ValueError: a caller's number is not among `rules`, or an agent's call has no caller.
    """
    queues: dict[tuple[float, str], Counted] = {}
    of_caller: dict[str, list[tuple[SeenLeg, str]]] = {leg.caller: [] for leg in callers}
    people = {name: CountedAgent() for name in agents}
    for name, legs in agents.items():
        for leg in legs:
            if leg.caller not in of_caller:
                raise ValueError(f"{name} was rung for {leg.caller!r}, who has not called")
            of_caller[leg.caller].append((leg, name))
    for caller in callers:
        if caller.called not in rules:
            raise ValueError(f"{caller.called!r} is no number of a queue")
        rule = rules[caller.called]
        if not caller.answered:
            continue
        rung = [
            (leg, name)
            for leg, name in of_caller[caller.caller]
            if caller.answered <= leg.invited and (not caller.ended or leg.invited <= caller.ended)
        ]
        taken = [(leg, name) for leg, name in rung if leg.answered]
        winner, name = min(taken, key=lambda pair: pair[0].answered, default=(None, ""))
        counted = queues.setdefault((interval(caller.answered), rule.queue), Counted())
        _count(counted, caller, winner, rule)
        if winner is not None:
            people[name].answered += 1
            people[name].talk += winner.ended - winner.answered
        for leg, other in rung:
            people[other].offers += 1
            people[other].missed += not leg.answered and not _called_off(leg, caller, winner, rule)
    return queues, people


def _count(counted: Counted, caller: SeenLeg, winner: SeenLeg | None, rule: QueueRule) -> None:
    counted.joined += 1
    waited = (winner.answered if winner is not None else caller.ended) - caller.answered
    if winner is not None:
        counted.answered += 1
        counted.answered_in_time += waited <= rule.service_level
        counted.wait += waited
        counted.talk += winner.ended - winner.answered
    elif rule.max_wait and waited >= rule.max_wait:
        counted.timed_out += 1
    elif waited < rule.short_abandon:
        counted.short += 1
    else:
        counted.abandoned += 1
        counted.abandoned_in_time += waited <= rule.service_level


def _called_off(leg: SeenLeg, caller: SeenLeg, winner: SeenLeg | None, rule: QueueRule) -> bool:
    """True when the centre took the call back because it was no longer this agent's turn."""
    if not leg.cancelled:
        return False
    gone = [caller.ended or float("inf")]
    if winner is not None:
        gone.append(winner.answered)
    if rule.max_wait:
        gone.append(caller.answered + rule.max_wait)
    return leg.cancelled >= min(gone) - 0.001  # the same instant, apart from the last bit


def totals(queues: Mapping[tuple[float, str], Counted]) -> dict[str, Counted]:
    """The sum over all intervals for each queue."""
    sums: dict[str, Counted] = {}
    for (_, queue), counted in sorted(queues.items()):
        total = sums.setdefault(queue, Counted())
        for name in Counted.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(counted, name))
    return sums


def _user(text: bytes) -> str:
    found = _USER.search(text)
    return found[1].decode("latin-1") if found else ""


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
