"""Reports over HTTP: the folds of ``sipccd report`` over the same log.

One report is made at a time, in small steps: calls go before figures. A request that finds one being made
waits for its turn.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import ValidationException
from litestar.params import FromQuery, QueryParameter

from sipcc.api.access import Permit
from sipcc.api.office import Office, needs, office_of
from sipcc.ivr.flows.counts import NodeCounts
from sipcc.records import FirstContacts
from sipcc.records.export import report_csv
from sipcc.records.funnel import Funnel
from sipcc.records.heatmap import HeatSpot, heat_map
from sipcc.records.reading import first_contacts, flow_counts, funnel, report_cells, surveys
from sipcc.records.report import (
    AnsweredWithin,
    By,
    Cell,
    ReportFold,
    ReportRow,
    answered_within,
    row_of,
    totals,
)
from sipcc.records.surveys import SurveyBy, SurveyRow, survey_row, survey_rows

REPORTS = [needs(Permit.RECORDS)]

LONGEST_S = 100 * 86_400.0
"""What one report may be about, in seconds."""

From = Annotated[str, QueryParameter(name="from", description="Unix time, or ISO 8601 with an offset.")]
To = Annotated[str, QueryParameter(name="to", description="The same; now when empty.")]
Threshold = Annotated[float | None, QueryParameter(ge=0)]
Minutes = Literal["15", "30", "60"]


class Span(msgspec.Struct, frozen=True):
    """What a report is about, Unix times."""

    since: float
    until: float
    now: float


def span_of(office: Office, since: str, until: str) -> Span:
    """The span that a request names. ValidationException names the parameter that is wrong."""
    clock = office.centre.clock
    now = clock.wall_of(clock.now())
    begin, end = _moment("from", since), now if not until else _moment("to", until)
    if not begin < end <= begin + LONGEST_S:
        raise _wrong("to", f"must be after `from`, by up to {LONGEST_S / 86_400:g} days")
    return Span(begin, end, now)


def _moment(key: str, text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        if when.tzinfo is not None:
            return when.timestamp()
    try:
        return float(text) if len(text) < 20 and float(text) >= 0 else _bad(key, text)
    except ValueError:
        return _bad(key, text)


def _bad(key: str, text: str) -> float:
    raise _wrong(key, f"{text!r} is no Unix time, and no time such as 2026-11-21T09:00:00+08:00")


def _wrong(key: str, message: str) -> ValidationException:
    return ValidationException("wrong time", extra=[{"message": message, "key": key}])


async def _cells(
    office: Office, span: Span, by: By, minutes: str, threshold: float | None
) -> dict[tuple[float, str], Cell]:
    centre = office.centre
    levels = centre.keeper.kpi.thresholds if threshold is None else {}
    fold = ReportFold(
        by,
        step=60.0 * int(minutes),
        thresholds=levels,
        threshold=20.0 if threshold is None else threshold,
        region_of=centre.reception.regions.of,
    )
    async with office.reporting:
        await centre.keeper.flush(1.0)
        return await report_cells(
            centre.keeper.log, fold, since=span.since, until=span.until, now=min(span.now, span.until)
        )


@get("/reports", guards=REPORTS)
async def reports(
    request: Request[Any, Any, Any],
    since: From = "",
    until: To = "",
    by: FromQuery[By] = "queue",
    interval: FromQuery[Minutes] = "60",
    threshold: Threshold = None,
    total: FromQuery[bool] = False,
    format: FromQuery[Literal["json", "csv"]] = "json",
) -> Response[list[ReportRow]] | Response[str]:
    """The figures of each interval (minutes) by queue, agent, number, trunk or region of the caller.

    `total` sums up the intervals. `threshold` is T of the service levels in place of the queues' own.
    """
    office = office_of(request)
    cells = await _cells(office, span_of(office, since, until), by, interval, threshold)
    if total:
        rows = [row_of(None, key, cell) for key, cell in totals(cells).items()]
    else:
        rows = [row_of(start, key, cell) for (start, key), cell in cells.items()]
    if format == "csv":
        return Response("".join(report_csv(rows)), media_type="text/csv")
    return Response(rows)


@get("/reports/heat-map", guards=REPORTS)
async def heat(request: Request[Any, Any, Any], since: From = "", until: To = "") -> list[HeatSpot]:
    """Callers of all queues by weekday and hour, in the time zone of the switch: 168 spots, Monday first."""
    office = office_of(request)
    return heat_map(await _cells(office, span_of(office, since, until), "queue", "60", None))


@get("/reports/answered-within", guards=REPORTS)
async def within(
    request: Request[Any, Any, Any],
    n: Annotated[list[int], QueryParameter(min_items=1, max_items=100)],
    since: From = "",
    until: To = "",
    by: FromQuery[By] = "queue",
) -> list[AnsweredWithin]:
    """How many callers were answered within each of `n` seconds, of all who asked for an agent."""
    office = office_of(request)
    return answered_within(await _cells(office, span_of(office, since, until), by, "60", None), n)


@get("/reports/fcr", guards=REPORTS)
async def fcr(
    request: Request[Any, Any, Any],
    since: From = "",
    until: To = "",
    hours: Annotated[float, QueryParameter(gt=0, le=24 * 31)] = 72.0,
) -> FirstContacts:
    """First-contact resolution within `hours`; `mature` tells whether the figures will change any more."""
    office = office_of(request)
    span = span_of(office, since, until)
    async with office.reporting:
        await office.centre.keeper.flush(1.0)
        return await first_contacts(
            office.centre.keeper.log, 3600.0 * hours, since=span.since, until=span.until, now=span.now
        )


@get("/reports/funnel", guards=REPORTS)
async def walked(request: Request[Any, Any, Any], since: From = "", until: To = "") -> Funnel:
    """What callers did in each menu, and how many keys it took to an agent."""
    office = office_of(request)
    span = span_of(office, since, until)
    async with office.reporting:
        await office.centre.keeper.flush(1.0)
        return await funnel(office.centre.keeper.log, since=span.since, until=span.until)


@get("/reports/flows", guards=REPORTS)
async def flows(request: Request[Any, Any, Any], since: From = "", until: To = "") -> tuple[NodeCounts, ...]:
    """What callers did in each node of the flows: how many came, where they went, where they were lost."""
    office = office_of(request)
    span = span_of(office, since, until)
    async with office.reporting:
        await office.centre.keeper.flush(1.0)
        counts = await flow_counts(office.centre.keeper.log, since=span.since, until=span.until)
    return tuple(counts.values())


class SurveyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How content callers are."""

    by: SurveyBy
    rows: tuple[SurveyRow, ...]
    total: SurveyRow


@get("/reports/surveys", guards=REPORTS)
async def asked(
    request: Request[Any, Any, Any],
    since: From = "",
    until: To = "",
    by: FromQuery[SurveyBy] = "agent",
    survey: FromQuery[str] = "",
    queue: FromQuery[str] = "",
    agent: FromQuery[str] = "",
) -> SurveyReport:
    """What callers were asked, how many answered, and what: by agent, queue or survey."""
    office = office_of(request)
    span = span_of(office, since, until)
    async with office.reporting:
        await office.centre.keeper.flush(1.0)
        found = await surveys(office.centre.keeper.log, since=span.since, until=span.until)
    wanted = [
        one
        for one in found
        if survey in ("", one.survey) and queue in ("", one.queue) and agent in ("", one.agent)
    ]
    return SurveyReport(by=by, rows=tuple(survey_rows(wanted, by)), total=survey_row("", wanted))


REPORT_PAGES = [reports, heat, within, fcr, walked, flows, asked]
