"""Overflow: which callers of a line go on to somewhere else, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from sipcc.acd.estimate import Staffing, expected_wait
from sipcc.acd.events import Exit
from sipcc.acd.model import Entry, EntryState

if TYPE_CHECKING:
    from sipcc.acd.queues import WaitingLine
    from sipcc.acd.settings import OverflowRule, QueueSettings
    from sipcc.acd.staff import Staff

_AFTERWARDS: frozenset[Exit] = frozenset({"timed_out", "full", "no_agent"})


class Outlook:
    """What the callers of one line have to expect at one moment; worked out once, when a rule asks."""

    def __init__(self, line: WaitingLine, staff: Staff) -> None:
        self._line, self._staff = line, staff

    @cached_property
    def present(self) -> bool:
        """True when at least one member is there."""
        return self._staff.present(self._line.members)

    @cached_property
    def staffing(self) -> Staffing:
        """What the members do; counted anew only when an agent has changed."""
        agents, line = self._staff.agents, self._line
        counted = (agents.version, line.members)
        if line.counted != counted:
            line.counted = counted
            line.staffing = Staffing.of(agents[name].state for name in line.members)
        return line.staffing

    def wait(self, place: int) -> float:
        """Seconds until whoever stands at `place` of those who wait is answered; 0 for place 0."""
        tally = self._line.tally
        return expected_wait(place, tally.handle_time.mean, self.staffing, giving_up=tally.giving_up.rate)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller's rules look at."""

    joined: float
    now: float
    outlook: Outlook
    place: int
    """Among those for whom no phone rings, from 1; 0 for one who is being rung for."""
    ahead: int | None = None
    """Callers in line before it came; None for one who is in line already."""


def applies(rule: OverflowRule, standing: Standing) -> bool:
    """True when `rule` sends a caller away who stands like this."""
    in_time = standing.now < standing.joined + rule.at
    match rule.when:
        case "size":
            return standing.ahead is not None and standing.ahead >= rule.at
        case "wait":
            return not in_time
        case "estimate":
            return standing.outlook.wait(standing.place) > rule.at
        case "no_agent":
            return not in_time and not standing.outlook.present


def destination(settings: QueueSettings, standing: Standing) -> str:
    """Where the first rule that applies leads; empty when the caller stays."""
    return next((rule.to for rule in settings.overflow if applies(rule, standing)), "")


def afterwards(settings: QueueSettings, exit_: Exit) -> str:
    """Where a caller goes that was not served: `QueueSettings.then`, after the exits that it is for."""
    return settings.then if exit_ in _AFTERWARDS else ""


def alarms(settings: QueueSettings, *, joined: float) -> list[float]:
    """When a caller's rules are to be looked at again, beside each change on the floor."""
    return [joined + rule.at for rule in settings.overflow if rule.at and rule.when in ("wait", "no_agent")]


def at_join(line: WaitingLine, entry: Entry, entries: Mapping[str, Entry], staff: Staff) -> str:
    """Where a caller goes who has just been put in line; empty when it may stay."""
    if not line.settings.overflow:
        return ""
    standing = Standing(
        joined=entry.began,
        now=entry.began,
        outlook=Outlook(line, staff),
        place=_place(line, entry, entries) if _estimates(line) else 0,
        ahead=len(line) - 1,
    )
    return destination(line.settings, standing)


def due(
    line: WaitingLine, entries: Mapping[str, Entry], staff: Staff, *, now: float
) -> list[tuple[str, str]]:
    """The callers in line that leave now, each with its destination."""
    if not line.settings.overflow or not len(line):
        return []
    outlook, found, place = Outlook(line, staff), list[tuple[str, str]](), 1
    if not _anybody(line, outlook, now=now):
        return []
    line.oldest = min(entries[entry_id].began for entry_id in line.ids)
    for entry_id in line.ids:
        entry = entries[entry_id]
        # who is being rung for is as good as answered, and keeps no agent from those behind
        waits = entry.state is EntryState.WAITING
        standing = Standing(
            joined=entry.began,
            now=now,
            outlook=outlook,
            place=place if waits else 0,
        )
        if to := destination(line.settings, standing):
            found.append((entry_id, to))
        else:
            place += waits
    return found


def _anybody(line: WaitingLine, outlook: Outlook, *, now: float) -> bool:
    """False when no rule can apply to anybody in line, so that nobody looks at all of them for each event."""
    rules = line.settings.overflow
    if any(rule.when in ("wait", "no_agent") and now >= line.oldest + rule.at for rule in rules):
        return True
    return any(rule.when == "estimate" and outlook.wait(len(line)) > rule.at for rule in rules)


def _estimates(line: WaitingLine) -> bool:
    return any(rule.when == "estimate" for rule in line.settings.overflow)


def expected(line: WaitingLine, entry: Entry, entries: Mapping[str, Entry], staff: Staff) -> float:
    """Seconds that a caller in line is expected to wait from now."""
    return Outlook(line, staff).wait(_place(line, entry, entries))


def _place(line: WaitingLine, entry: Entry, entries: Mapping[str, Entry]) -> int:
    before = line.ids[: line.position(entry) - 1]
    return 1 + sum(entries[name].state is EntryState.WAITING for name in before)
