"""Reading visits of callers, and what agents did in them."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from sipcc.api.access import Permit
from sipcc.api.callschema import Handled, Handling, Interaction
from sipcc.api.office import needs, office_of
from sipcc.records import CdrFilter
from sipcc.records.segments import handling_of

RECORDS = [needs(Permit.RECORDS)]


@get("/interactions/{call:str}", guards=RECORDS)
async def interaction(request: Request[Any, Any, Any], call: FromPath[str]) -> Interaction:
    """The visit that a finished call was a part of: its calls, its entries into queues, and who served."""
    store = office_of(request).centre.keeper.store
    calls = await store.interaction(call)
    if not calls:
        raise NotFoundException(f"there is no record of a call {call!r}")
    entries = [entry for record in calls for entry in await store.outcomes(call=record.id)]
    segments = [segment for record in calls for segment in record.segments]
    return Interaction(
        interaction=calls[0].id,
        calls=tuple(calls),
        entries=tuple(sorted(entries, key=lambda entry: (entry.joined, entry.entry))),
        segments=tuple(sorted(segments, key=lambda segment: (segment.began, segment.leg))),
    )


@get("/records/handling", guards=RECORDS)
async def handling(
    request: Request[Any, Any, Any],
    since: FromQuery[float | None] = None,
    until: FromQuery[float | None] = None,
    agent: FromQuery[str] = "",
) -> Handled:
    """Talk, hold and wrap-up of each agent in the calls that began in [`since`, `until`), as Unix times."""
    store = office_of(request).centre.keeper.store
    where = CdrFilter(since=since, until=until, agent=agent)
    sums = handling_of([segment async for record in store.all_cdrs(where) for segment in record.segments])
    return Handled(
        agents=tuple(
            Handling(
                agent=name,
                segments=work.segments,
                talk=round(work.talk, 3),
                hold=round(work.hold, 3),
                wrap=round(work.wrap, 3),
                aht=round(work.aht, 3),
                transferred=work.transferred,
            )
            for name, work in sorted(sums.items())
            if not agent or name == agent
        )
    )


VISITS = [interaction, handling]
