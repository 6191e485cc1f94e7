"""What can be done: an agent is commanded, a waiting caller is taken out of its queue.

Each command carries a request id; sent again with the same id it gets the same answer and is not done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, post
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.params import FromPath, JSONBody

from sipcc.acd import Acd, AgentSnapshot
from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.once import once
from sipcc.api.schema import Command, Force, Verb, Withdrawal, Withdrawn
from sipcc.errors import LocalProtocolError

VERBS: dict[Verb, Callable[[Acd, str, Command], None]] = {
    "login": lambda acd, agent, _: acd.login(agent),
    "logout": lambda acd, agent, _: acd.logout(agent),
    "ready": lambda acd, agent, _: acd.ready(agent),
    "pause": lambda acd, agent, given: acd.pause(agent, given.reason),
    "end-wrap-up": lambda acd, agent, _: acd.end_wrap_up(agent),
    "extend-wrap-up": lambda acd, agent, given: acd.extend_wrap_up(agent, given.seconds),
}
"""What each verb calls."""


@post("/agents/{agent:str}/{verb:str}", guards=[needs(Permit.COMMAND_OWN)], status_code=200)
async def command(
    request: Request[Any, Any, Any], agent: FromPath[str], verb: FromPath[Verb], data: JSONBody[Command]
) -> Response[AgentSnapshot]:
    """Command an agent: how the agent stands then, or 409 when that is not possible now."""
    acd = office_of(request).centre.acd
    if not bearer_of(request).may_command(agent):
        raise PermissionDeniedException(f"this token does not command {agent!r}")
    if agent not in acd.floor.staff.agents:
        raise NotFoundException(f"there is no agent {agent!r}")

    def act() -> AgentSnapshot:
        VERBS[verb](acd, agent, data)
        return _seen(acd, agent)

    return await once(request, data.request_id, data, act)


@post("/agents/{agent:str}/force", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def force(
    request: Request[Any, Any, Any], agent: FromPath[str], data: JSONBody[Force]
) -> Response[AgentSnapshot]:
    """Put an agent into a state of rest; its calls go on, and the state comes after them."""
    acd = office_of(request).centre.acd
    if agent not in acd.floor.staff.agents:
        raise NotFoundException(f"there is no agent {agent!r}")

    def act() -> AgentSnapshot:
        acd.force(agent, data.state, data.reason)
        return _seen(acd, agent)

    return await once(request, data.request_id, data, act)


def _seen(acd: Acd, agent: str) -> AgentSnapshot:
    return next(row for row in acd.snapshot().agents if row.name == agent)


@post("/entries/{entry:str}/withdraw", guards=[needs(Permit.COMMAND_ALL)], status_code=200)
async def withdraw(
    request: Request[Any, Any, Any], entry: FromPath[str], data: JSONBody[Withdrawal]
) -> Response[Withdrawn]:
    """Take a waiting caller out of its queue; 409 when it talks, 404 when it is not there (any more)."""
    acd = office_of(request).centre.acd

    def act() -> Withdrawn:
        known = entry in acd.floor.entries
        if not acd.withdraw(entry):
            if known:
                raise LocalProtocolError(f"{entry!r} does not wait any more: it has an agent")
            raise NotFoundException(f"there is no entry {entry!r}")
        return Withdrawn(entry=entry)

    return await once(request, data.request_id, data, act)


COMMANDS = [command, force, withdraw]
