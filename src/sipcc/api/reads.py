"""What can be read: the floor, live calls, decision traces, health, call records, and reports."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, FromQuery, QueryParameter

from sipcc.acd import AgentSnapshot, QueueSnapshot
from sipcc.api.access import Permit
from sipcc.api.office import needs, office_of
from sipcc.api.reports import REPORT_PAGES
from sipcc.api.schema import Health, Invariants, LiveCall, OfferTrace, RecordPage, State
from sipcc.records import CdrFilter

FLOOR = [needs(Permit.FLOOR)]
TRACES = [needs(Permit.TRACES)]
RECORDS = [needs(Permit.RECORDS)]


@get("/state", guards=FLOOR)
async def state(request: Request[Any, Any, Any]) -> State:
    """Agents and queues as they stand."""
    office = office_of(request)
    seen, ring = office.centre.acd.snapshot(), office.feed.ring
    return State(
        at=seen.at,
        wall=office.centre.clock.wall_of(seen.at),
        cursor=ring.cursor_of(ring.last),
        agents=seen.agents,
        queues=seen.queues,
    )


@get("/agents", guards=FLOOR)
async def agents(request: Request[Any, Any, Any]) -> tuple[AgentSnapshot, ...]:
    """All agents, in member order."""
    return office_of(request).centre.acd.snapshot().agents


@get("/queues", guards=FLOOR)
async def queues(request: Request[Any, Any, Any]) -> tuple[QueueSnapshot, ...]:
    """All queues."""
    return office_of(request).centre.acd.snapshot().queues


@get("/calls", guards=FLOOR)
async def calls(request: Request[Any, Any, Any]) -> tuple[LiveCall, ...]:
    """The calls that are up, oldest first."""
    centre = office_of(request).centre
    return tuple(
        LiveCall(
            call=call.id,
            caller=call.caller,
            called=call.called,
            trunk=call.trunk,
            context=centre.talks.context(call.id),
        )
        for call in centre.calls.live()
    )


@get("/offers/{offer:str}/trace", guards=TRACES)
async def trace(request: Request[Any, Any, Any], offer: FromPath[str]) -> OfferTrace:
    """Why an offer went to its agent; the latest few hundred offers are remembered."""
    verdicts = office_of(request).centre.acd.trace(offer)
    if not verdicts:
        raise NotFoundException(f"no trace of an offer {offer!r} is kept")
    return OfferTrace(offer=offer, verdicts=verdicts)


@get("/health")
async def health() -> Health:
    """Answers while the loop of the switch turns; without a token, for probes."""
    return Health()


@get("/health/invariants", guards=TRACES)
async def invariants(request: Request[Any, Any, Any]) -> Response[Invariants]:
    """Which rules of the floor are broken: 200 for none, 503 when something is stuck."""
    found = tuple(office_of(request).centre.acd.invariants())
    return Response(Invariants(ok=not found, violations=found), status_code=503 if found else 200)


@get("/records/calls", guards=RECORDS)
async def records(
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    after: FromQuery[str] = "",
    since: FromQuery[float | None] = None,
    until: FromQuery[float | None] = None,
    caller: FromQuery[str] = "",
    called: FromQuery[str] = "",
    agent: FromQuery[str] = "",
    queue: FromQuery[str] = "",
    trunk: FromQuery[str] = "",
    cause: FromQuery[str] = "",
) -> RecordPage:
    """Records of finished calls, newest first; `since` and `until` are Unix times of the start."""
    where = CdrFilter(
        since=since,
        until=until,
        caller=caller,
        called=called,
        agent=agent,
        queue=queue,
        trunk=trunk,
        cause=cause,
    )
    store = office_of(request).centre.keeper.store
    found = await store.cdrs(where, limit=limit + 1, after=place_of(after))
    more = f"{found[limit - 1].started!r}:{found[limit - 1].id}" if len(found) > limit else None
    return RecordPage(records=tuple(found[:limit]), next=more)


def place_of(after: str) -> tuple[float, str] | None:
    """The start and the id of the record behind which a page begins."""
    if not after:
        return None
    started, _, key = after.partition(":")
    try:
        return float(started), key
    except ValueError:
        wrong = {"message": f"{after!r} was not the `next` of a page", "key": "after"}
        raise ValidationException("wrong place", extra=[wrong]) from None


READS = [state, agents, queues, calls, trace, health, invariants, records, *REPORT_PAGES]
