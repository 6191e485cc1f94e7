"""What can be done with a live call: hang up, hold, transfer, ask first, supervise, take over.

An agent's token commands the calls that this agent talks in; supervisors and admins command all of them,
and only they supervise. A verb that waits for somebody answers when that is decided. Sent again with the
same request id meanwhile, it waits for the same decision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody

from sipcc.api.access import Bearer, Permit, may
from sipcc.api.callschema import CallCommand, CallVerb, Done, Supervise, Supervisor
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.call import Call, Leg
from sipcc.call.consulting import Consultation
from sipcc.call.overseeing import ring_supervisor
from sipcc.call.rooms import Supervision
from sipcc.errors import LocalProtocolError


def own_leg(call: Call, bearer: Bearer) -> Leg | None:
    """The side of the conversation for which `bearer` may speak; None for no side.

    For an agent it is its own; for whoever commands all, that of the agent who talks, if there is one.
    """
    if may(bearer.role, Permit.COMMAND_ALL):
        return call.agent_leg
    sides = () if call.peer is None else (call.leg, call.peer)
    return next((leg for leg in sides if call.context.agent_at(leg) == bearer.agent), None)


def _call_of(request: Request[Any, Any, Any], call_id: str) -> Call:
    call = office_of(request).centre.calls.get(call_id)
    if call is None or call.ended:
        raise NotFoundException(f"there is no live call {call_id!r}")
    return call


async def _hangup(call: Call, side: Leg | None, given: CallCommand) -> None:
    if given.party == "caller":
        await call.hangup()
    elif side is None:
        raise LocalProtocolError("no agent talks in this call")
    else:
        side.hangup()


async def _hold(call: Call, side: Leg | None, given: CallCommand) -> None:
    if not await _other_side(call, side).hold():
        raise LocalProtocolError("the phone refused to be held")


async def _resume(call: Call, side: Leg | None, given: CallCommand) -> None:
    if not await _other_side(call, side).resume():
        raise LocalProtocolError("the phone refused to be taken back")


def _other_side(call: Call, side: Leg | None) -> Leg:
    talk = call.conversation
    if talk is None or talk.over or side is None:
        raise LocalProtocolError("no agent talks in this call")
    return talk.other(side)


async def _transfer(call: Call, side: Leg | None, given: CallCommand) -> None:
    _know_target(call, given.target)
    if call.conversation is None or call.conversation.over:
        raise LocalProtocolError("nobody talks in this call; who waits in a queue is moved by its entry")
    status = await call.transfer(given.target, timeout=given.timeout, by=side)
    if status != 200:
        raise LocalProtocolError(f"the transfer failed with {status}; all is as before")


def _know_target(call: Call, target: str) -> None:
    if not target:
        raise LocalProtocolError("this needs a target")
    try:
        call.context.signpost.find(target)
    except LocalProtocolError as error:
        raise NotFoundException(str(error)) from error


async def _consult(call: Call, side: Leg | None, given: CallCommand) -> None:
    _know_target(call, given.target)
    await call.consult(given.target, timeout=given.timeout, by=side)


async def _complete(call: Call, side: Leg | None, given: CallCommand) -> None:
    asking = _consultation(call)
    asking.complete()
    await asyncio.shield(asking.decided)


async def _merge(call: Call, side: Leg | None, given: CallCommand) -> None:
    _consultation(call).merge()


async def _return(call: Call, side: Leg | None, given: CallCommand) -> None:
    asking = _consultation(call)
    asking.back()
    await asyncio.shield(asking.decided)


def _consultation(call: Call) -> Consultation:
    under_way = call.transfer_under_way
    if not isinstance(under_way, Consultation):
        raise LocalProtocolError("nobody is being asked in this call")
    return under_way


VERBS: dict[CallVerb, Callable[[Call, Leg | None, CallCommand], Awaitable[None]]] = {
    "hangup": _hangup,
    "hold": _hold,
    "resume": _resume,
    "transfer": _transfer,
    "consult": _consult,
    "complete": _complete,
    "merge": _merge,
    "return": _return,
}
"""What each verb calls."""


@post("/calls/{call:str}/{verb:str}", guards=[needs(Permit.COMMAND_OWN)], status_code=200)
async def control(
    request: Request[Any, Any, Any],
    call: FromPath[str],
    verb: FromPath[CallVerb],
    data: JSONBody[CallCommand],
) -> Response[Done]:
    """Command a call: 409 with the reason when that is not possible now, or came to nothing.

    404 for a call that is over, and for an agent, queue or menu to go to that is not there.
    """
    bearer = bearer_of(request)

    async def act() -> Done:
        found = _call_of(request, call)
        side = own_leg(found, bearer)
        if side is None and not may(bearer.role, Permit.COMMAND_ALL):
            raise PermissionDeniedException(f"agent {bearer.agent!r} does not talk in this call")
        await VERBS[verb](found, side, data)
        return Done(call=call, verb=verb)

    return await once(request, data.request_id, data, act)


# -- supervision --------------------------------------------------------------------------------------------


@post("/calls/{call:str}/supervise", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def supervise(
    request: Request[Any, Any, Any], call: FromPath[str], data: JSONBody[Supervise]
) -> Response[Done]:
    """Ring a supervisor, named as an agent, into a call, or change what one who is there does."""

    async def act() -> Done:
        found = _call_of(request, call)
        _know(request, data.agent)
        there = supervision_of(found, data.agent)
        if there is not None:
            there.role = data.mode
        else:
            await _ring(request, found, data)
        return Done(call=call, verb=data.mode)

    return await once(request, data.request_id, data, act)


async def _ring(request: Request[Any, Any, Any], call: Call, data: Supervise) -> None:
    talk, context = call.conversation, call.context
    if talk is not None and data.agent in {context.agent_at(leg) for leg in (talk.caller, talk.peer)}:
        raise LocalProtocolError(f"agent {data.agent!r} talks in this call")
    waypoint = context.signpost.find(f"agent:{data.agent}")
    if waypoint is None or not waypoint.places:
        raise LocalProtocolError(f"agent {data.agent!r} has no phone that could be rung")
    ringing, key = office_of(request).supervisors, (call.id, data.agent)
    if key in ringing:
        raise LocalProtocolError(f"agent {data.agent!r} is being rung for this call")
    ringing.add(key)
    try:
        await ring_supervisor(call, waypoint.places, data.mode, timeout=data.timeout)
    finally:
        ringing.discard(key)


@post("/calls/{call:str}/leave", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def leave(
    request: Request[Any, Any, Any], call: FromPath[str], data: JSONBody[Supervisor]
) -> Response[Done]:
    """End a supervision; the call goes on."""

    async def act() -> Done:
        _supervision(request, call, data.agent).leave()
        return Done(call=call, verb="leave")

    return await once(request, data.request_id, data, act)


@post("/calls/{call:str}/take-over", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def take_over(
    request: Request[Any, Any, Any], call: FromPath[str], data: JSONBody[Supervisor]
) -> Response[Done]:
    """Let a supervisor who is in the call take its agent's place; the agent is released."""

    async def act() -> Done:
        await _supervision(request, call, data.agent).take_over()
        return Done(call=call, verb="take-over")

    return await once(request, data.request_id, data, act)


def supervision_of(call: Call, agent: str) -> Supervision | None:
    """How that agent supervises `call`; None when it does not."""
    return next((one for one in call.supervisors if one.agent == agent), None)


def _supervision(request: Request[Any, Any, Any], call_id: str, agent: str) -> Supervision:
    call = _call_of(request, call_id)
    _know(request, agent)
    found = supervision_of(call, agent)
    if found is None:
        raise LocalProtocolError(f"agent {agent!r} does not supervise this call")
    return found


def _know(request: Request[Any, Any, Any], agent: str) -> None:
    if agent not in office_of(request).centre.acd.floor.staff.agents:
        raise NotFoundException(f"there is no agent {agent!r}")


CALL_CONTROL = [control, supervise, leave, take_over]
