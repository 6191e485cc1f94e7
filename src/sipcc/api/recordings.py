"""Recordings over HTTP: controlled while a call is up, found, listened to, held and erased.

Whoever looks at one is told on the bus, and so stands in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException, PermissionDeniedException, ServiceUnavailableException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from sipcc.api.access import Permit, may
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.reads import place_of
from sipcc.api.schema import RequestId
from sipcc.api.soundfiles import sound_of
from sipcc.call import Call
from sipcc.records.archive import RecordingFilter
from sipcc.records.events import RecordingAccessed
from sipcc.records.recordings import Recording
from sipcc.records.retention import Erased, RecordsBehind

FLUSH_S = 5.0
"""Seconds that an erasure waits until its proofs are written, and a hold until the index is up to date."""

LISTENING = [needs(Permit.LISTEN_OWN)]
KEEPING = [needs(Permit.KEEP)]

RecordingVerb = Literal["start", "pause", "resume", "stop"]
"""What can be done with the recording of a call that is up."""


class RecordingCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command about the recording of a call."""

    request_id: RequestId
    reason: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of a pause."""
    mark: bool = False
    """Of a pause: a tone of 1 kHz stands in its place, else silence."""


class RecordingState(msgspec.Struct, frozen=True, kw_only=True):
    """How the recording of a call that is up stands."""

    call: str
    recording: str
    """The id of the one that runs, or ran last; empty before the first."""
    running: bool
    paused: bool
    consent: Literal["", "announced", "given", "blocked"]
    """What is known of the caller's consent."""


class RecordingPage(msgspec.Struct, frozen=True, kw_only=True):
    """Recordings, newest first."""

    recordings: tuple[Recording, ...]
    next: str | None
    """Give it as ``after`` to have the next page; None at the end."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a hold."""

    request_id: RequestId
    held: bool
    """True keeps the recordings of the call whatever their age."""
    why: Annotated[str, msgspec.Meta(max_length=256)] = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The recordings that are held now, or are no longer."""

    call: str
    held: bool
    recordings: tuple[str, ...]


class Erasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of an erasure."""

    request_id: RequestId
    number: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """The subject: who called, or was called by a user; every spelling of a number is that number."""


VERBS: dict[RecordingVerb, Callable[[Call, RecordingCommand], object]] = {
    "start": lambda call, _: call.demand_recording(),
    "pause": lambda call, given: call.pause_recording(given.reason, mark=given.mark),
    "resume": lambda call, _: call.resume_recording(),
    "stop": lambda call, _: call.refuse_recording(),
}
"""What each verb calls."""


@post("/calls/{call:str}/recording/{verb:str}", guards=LISTENING, status_code=200)
async def control(
    request: Request[Any, Any, Any],
    call: FromPath[str],
    verb: FromPath[RecordingVerb],
    data: JSONBody[RecordingCommand],
) -> Response[RecordingState]:
    """Start, pause, resume or stop the recording of a call: one's own, or any for who commands all agents."""
    found, bearer = office_of(request).centre.calls.get(call), bearer_of(request)
    if bearer.role == "auditor":
        raise PermissionDeniedException("the role auditor commands nothing")
    if found is None:
        raise NotFoundException(f"there is no call {call!r}")
    if not may(bearer.role, Permit.COMMAND_ALL):
        agent = found.peer.agent if found.peer is not None else None
        if agent is None or agent != bearer.agent:
            raise PermissionDeniedException(f"{bearer.agent!r} does not talk in this call")

    def act() -> RecordingState:
        VERBS[verb](found, data)
        taping = found.taping
        return RecordingState(
            call=found.id,
            recording=taping.recording_id,
            running=taping.path is not None,
            paused=taping.paused,
            consent=taping.consent,
        )

    return await once(request, data.request_id, data, act)


@get("/recordings", guards=LISTENING)
async def recordings(
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    after: FromQuery[str] = "",
    call: FromQuery[str] = "",
    queue: FromQuery[str] = "",
    agent: FromQuery[str] = "",
    caller: FromQuery[str] = "",
    since: FromQuery[float | None] = None,
    until: FromQuery[float | None] = None,
) -> RecordingPage:
    """Recordings, newest first; agents get those of calls that they have answered."""
    bearer = bearer_of(request)
    if not may(bearer.role, Permit.LISTEN_ALL):
        if agent not in ("", bearer.agent):
            raise PermissionDeniedException(f"this token hears the recordings of {bearer.agent!r} only")
        agent = bearer.agent
    where = RecordingFilter(call=call, queue=queue, agent=agent, caller=caller, since=since, until=until)
    index = office_of(request).centre.keeper.recordings
    found = await index.find(where, limit=limit + 1, after=place_of(after))
    more = f"{found[limit - 1].started!r}:{found[limit - 1].id}" if len(found) > limit else None
    return RecordingPage(recordings=tuple(found[:limit]), next=more)


@get("/recordings/{recording:str}", guards=LISTENING)
async def metadata(request: Request[Any, Any, Any], recording: FromPath[str]) -> Recording:
    """What is known of a recording: its call, its masked spans, the caller's consent, when it goes."""
    found = await _heard(request, recording)
    _tell(request, found, "metadata")
    return found


@get("/recordings/{recording:str}/audio", guards=LISTENING)
async def audio(request: Request[Any, Any, Any], recording: FromPath[str]) -> Response[Any]:
    """The audio of a recording, whole or the bytes of a ``Range``."""
    found = await _heard(request, recording)
    return await sound_of(request, found.path, recording, lambda: _tell(request, found, "audio"))


@post("/calls/{call:str}/recording/hold", guards=KEEPING, status_code=200)
async def hold(request: Request[Any, Any, Any], call: FromPath[str], data: JSONBody[Hold]) -> Response[Held]:
    """Keep the recordings of a call whatever their age, or no longer."""
    keeper = office_of(request).centre.keeper

    async def act() -> Held:
        await keeper.flush(FLUSH_S)
        found = await keeper.recordings.find(RecordingFilter(call=call), limit=500)
        if not found:
            raise NotFoundException(f"there are no recordings of a call {call!r}")
        with _asked_again():
            await keeper.retention.hold(call, held=data.held, by=bearer_of(request).name, why=data.why)
        there = await keeper.recordings.find(RecordingFilter(call=call), limit=500)
        return Held(call=call, held=data.held, recordings=tuple(one.id for one in there))

    return await once(request, data.request_id, data, act)


@post("/recordings/erase", guards=KEEPING, status_code=200)
async def erase(request: Request[Any, Any, Any], data: JSONBody[Erasure]) -> Response[Erased]:
    """Delete every recording of a subject, but for those that are held, and its messages in mailboxes."""
    keeper = office_of(request).centre.keeper

    async def act() -> Erased:
        with _asked_again():
            by = bearer_of(request).name
            done = await keeper.retention.erase(data.number, by=by)
            left = await office_of(request).centre.voicemail.erase(data.number, by=by)
            done = msgspec.structs.replace(done, deleted=done.deleted + left)
        await keeper.flush(FLUSH_S)
        return done

    return await once(request, data.request_id, data, act)


@contextmanager
def _asked_again() -> Iterator[None]:
    """A database that is locked for a while is no answer to keep: the same request may come again."""
    try:
        yield
    except RecordsBehind as error:
        raise ServiceUnavailableException(str(error)) from error


async def _heard(request: Request[Any, Any, Any], key: str) -> Recording:
    """A recording that the bearer may hear; what it may not, is not there for it."""
    bearer = bearer_of(request)
    own = "" if may(bearer.role, Permit.LISTEN_ALL) else bearer.agent
    found = await office_of(request).centre.keeper.recordings.get(key, agent=own)
    if found is None:
        raise NotFoundException(f"there is no recording {key!r}")
    return found


def _tell(request: Request[Any, Any, Any], found: Recording, what: Literal["audio", "metadata"]) -> None:
    centre, bearer = office_of(request).centre, bearer_of(request)
    centre.bus.emit(
        RecordingAccessed(
            at=centre.clock.now(),
            call=found.call,
            recording=found.id,
            by=bearer.name,
            role=bearer.role,
            what=what,
        )
    )


RECORDINGS = [control, recordings, erase, metadata, audio, hold]
