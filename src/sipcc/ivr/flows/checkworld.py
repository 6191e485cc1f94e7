"""Rules about what a flow uses of the configuration: E15, E20."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Final

from sipcc.call.destination import Destination
from sipcc.ivr.flows.check import Fault, Rule, View, unknown
from sipcc.ivr.flows.nodes import Hours, Lookup
from sipcc.ivr.hours import DAYS, HoursSettings, Span, parse_dates, parse_days, parse_spans
from sipcc.reading.lines import Path

HOLE_S: Final = 600
"""A gap between two spans of hours that is shorter than this is a slip of the pen."""

_DAY_S: Final = 86_400


def uses(view: View) -> Iterator[Fault]:
    """E20: queues, menus, telephones, trunks, calendars and lookups that are not there."""
    for name, node in view.flow.nodes.items():
        for path, text in node.leads_to():
            yield from _destination(view, name, path, text)
        used = key = what = ""
        known: Collection[str] | None = None
        if isinstance(node, Hours):
            used, known, key, what = node.calendar, view.world.calendars, "calendar", "calendar"
        elif isinstance(node, Lookup):
            used, known, key, what = node.source, view.world.lookups, "source", "lookup"
        if used and known is not None and used not in known:
            yield Fault("E20", name, (key,), *unknown(what, used, known))
    for way in view.ways.all:
        if way.target.destination is not None:
            yield from _destination(view, way.source, way.edge.path, way.edge.target)


def _destination(view: View, node: str, path: Path, text: str) -> Iterator[Fault]:
    try:
        kind, argument = str(Destination.parse(text).kind), text.partition(":")[2]
    except ValueError:
        kind, _, argument = text.partition(":")
    if kind == "dial":
        kind, argument = _called(argument)
    known = view.world.known.get(kind)
    if argument and known is not None and argument not in known:
        yield Fault("E20", node, path, *unknown(kind, argument, known))


def _called(argument: str) -> tuple[str, str]:
    """What of ``dial:...`` must be known: the trunk of ``TRUNK/NUMBER``, or a user; nothing of a SIP URI."""
    if argument.startswith(("sip:", "sips:", "tel:")) or "@" in argument:
        return "", ""
    trunk, slash, _ = argument.partition("/")
    return ("trunk", trunk) if slash else ("user", argument)


def calendars(view: View) -> Iterator[Fault]:
    """E15, told at each node that uses the calendar."""
    if view.world.calendars is None:
        return
    for name, node in view.flow.nodes.items():
        if isinstance(node, Hours) and node.calendar in view.world.calendars:
            for message, hint in calendar_faults(view.world.calendars[node.calendar]):
                yield Fault("E15", name, ("calendar",), f"calendar {node.calendar!r}: {message}", hint)


def calendar_faults(settings: HoursSettings) -> Iterator[tuple[str, str]]:
    """What cannot be meant in a calendar, each with its cure; what cannot be read is said elsewhere."""
    try:
        week = [(parse_days(days), parse_spans(text)) for days, text in settings.week.items()]
        holidays = Counter(day for text in settings.holidays for day in parse_dates(text))
        workdays = Counter(day for text in settings.workdays for day in parse_dates(text))
    except ValueError:
        return
    named = Counter(day for days, _ in week for day in days)
    for day, times in named.items():
        if times > 1:
            yield f"{DAYS[day]} stands in two lines of the week", "name each day once"
    yield from _spans(week)
    for what, days in (("holidays", holidays), ("workdays", workdays)):
        twice = [day for day, times in days.items() if times > 1]
        if twice:
            yield f"{twice[0]} stands twice in {what}", "name each date once"
    if not any(spans for _, spans in week):
        yield "it is never open", 'give the week hours, as in {"mon-fri" = "09:00-18:00"}'


def _spans(week: list[tuple[list[int], list[Span]]]) -> Iterator[tuple[str, str]]:
    """Hours that overlap, also past midnight, and holes between them."""
    hours: list[list[Span]] = [[] for _ in DAYS]
    for days, spans in week:
        for day in days:
            hours[day] += spans
    line = sorted(
        (day * _DAY_S + span.start, day * _DAY_S + span.end, day)
        for day, spans in enumerate(hours)
        for span in spans
    )
    told: set[str] = set()
    if line:
        start, end, _ = line[0]
        line.append((start + 7 * _DAY_S, end + 7 * _DAY_S, 0))
    for (_, before, day), (after, _, _) in pairwise(line):
        if after < before and "overlap" not in told:
            told.add("overlap")
            yield f"hours of {DAYS[day]} overlap with the next ones", "let them follow one another"
        if 0 < after - before < HOLE_S and "hole" not in told:
            told.add("hole")
            minutes = (after - before) / 60
            message = f"on {DAYS[day]} there is a hole of {minutes:g} minutes between its hours"
            yield message, "let the next hours begin where the last ones end"


RULES: Final[tuple[Rule, ...]] = (uses, calendars)
