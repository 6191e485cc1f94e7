"""Reads reports from the event log, for the command line and over HTTP alike.

The log is read in small steps, so that a long report holds nobody up for long.
"""

from __future__ import annotations

from sipcc.events import Event
from sipcc.ivr.flows.counts import Counts, CountsFold
from sipcc.records.eventlog import EventLog
from sipcc.records.fcr import FcrFold, FirstContacts
from sipcc.records.funnel import Funnel, FunnelFold
from sipcc.records.report import Cell, ReportFold
from sipcc.records.surveys import SurveyAsked, SurveyFold

LEAD_S = 86_400.0
"""How long before a report the log is read, for who was in which state when it began, and how long after
its end for the ends of what began in it, in seconds."""

STEP = 100
"""Events between two looks at what else there is to do: about 2 ms of work."""


async def report_cells(
    log: EventLog, fold: ReportFold, *, since: float, until: float, now: float
) -> dict[tuple[float, str], Cell]:
    """Fold what the log has of [`since`, `until`) into a fresh `fold`; its first interval is counted whole.

    Times are Unix seconds.
    """
    begin = fold.start_of(since)
    await _feed(log, fold, since=begin - LEAD_S, until=until + LEAD_S)
    return fold.cells(since=begin, until=until, now=now)


async def first_contacts(
    log: EventLog, window: float, *, since: float, until: float, now: float
) -> FirstContacts:
    """First-contact resolution; the log is read from one `window` before to one after."""
    fold = FcrFold(window)
    await _feed(log, fold, since=since - window, until=until + window)
    return fold.result(since=since, until=until, now=now)


async def funnel(log: EventLog, *, since: float, until: float) -> Funnel:
    """Where callers left the menus that they entered in [`since`, `until`)."""
    fold = FunnelFold(since=since, until=until)
    await _feed(log, fold, since=since - LEAD_S, until=until + LEAD_S)
    return fold.result()


async def flow_counts(log: EventLog, *, since: float, until: float) -> Counts:
    """What callers did in the nodes of flows in [`since`, `until`)."""
    fold = CountsFold()
    await _feed(log, fold, since=since, until=until)
    return fold.counts()


async def surveys(log: EventLog, *, since: float, until: float) -> list[SurveyAsked]:
    """What callers were asked in [`since`, `until`), and what they answered."""
    fold = SurveyFold()
    await _feed(log, fold, since=since, until=until + LEAD_S)
    return fold.askings(since=since, until=until)


async def _feed(
    log: EventLog,
    fold: ReportFold | FcrFold | FunnelFold | SurveyFold | CountsFold,
    *,
    since: float,
    until: float,
) -> None:
    event: Event
    async for _, wall, event in log.replay(from_wall=since, page=STEP):
        if wall > until:
            break
        fold.apply(event, wall)
