"""The agent machine, as a table.

Nothing can stick: reserved, ringing, wrap_up and quarantined end by a deadline, talking and external by
the end of a live dialog; only offline, not_ready and ready last as long as the agent likes.

Two things move apart. `Agent.wish` is the rest state that the agent asked for last; every command writes
it, at any time. `Agent.state` is what the agent does now. When an activity ends, the agent settles: the
table says None, and the wish decides, unless the phone is gone (offline) or used for a call of the
agent's own (external). So a pause pressed during a call never ends the call or its wrap-up, and is never
forgotten.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from sipcc.acd import tables
from sipcc.acd.model import Agent, AgentState

RETRY_FLOOR = 1.0
"""An offer that fails sooner than this many seconds after it began costs at least as much back-off: a
phone that refuses at once must not turn the queue into a busy loop."""


class AgentInput(StrEnum):
    """What can happen to an agent."""

    LOGIN = "login"
    LOGOUT = "logout"
    MAKE_READY = "ready"
    PAUSE = "pause"
    REGISTERED = "registered"
    LOST = "registration_lost"
    EXTERNAL_BEGAN = "external_began"
    EXTERNAL_ENDED = "external_ended"
    RESERVE = "reserve"
    RING = "ring"
    ANSWER = "answer"
    RELEASE = "release"
    MISS = "miss"
    REFUSE = "refuse"
    UNREACHABLE = "unreachable"
    QUARANTINE = "quarantine"
    TALK_ENDED = "talk_ended"
    END_WRAP_UP = "end_wrap_up"
    EXTEND_WRAP_UP = "extend_wrap_up"
    EXPIRED = "expired"


_S, _I = AgentState, AgentInput
_NETWORK = (_I.REGISTERED, _I.LOST, _I.EXTERNAL_BEGAN, _I.EXTERNAL_ENDED)
_WISHES = (_I.MAKE_READY, _I.PAUSE, _I.LOGOUT)


def _row(
    *groups: tuple[tuple[AgentInput, ...], AgentState | None],
) -> dict[AgentInput, AgentState | None]:
    return {given: target for inputs, target in groups for given in inputs}


TABLE: dict[AgentState, dict[AgentInput, AgentState | None]] = {
    _S.OFFLINE: _row(((_I.LOGIN, _I.LOGOUT, *_NETWORK), None)),
    _S.NOT_READY: _row(((*_WISHES, *_NETWORK), None)),
    _S.READY: _row(((_I.RESERVE,), _S.RESERVED), ((*_WISHES, *_NETWORK), None)),
    _S.RESERVED: _row(
        ((_I.RING,), _S.RINGING),
        ((_I.RELEASE, _I.REFUSE), None),
        ((*_WISHES, *_NETWORK), _S.RESERVED),
    ),
    _S.RINGING: _row(
        ((_I.ANSWER,), _S.TALKING),
        ((_I.RELEASE, _I.MISS, _I.REFUSE, _I.UNREACHABLE), None),
        ((_I.QUARANTINE,), _S.QUARANTINED),
        ((*_WISHES, *_NETWORK), _S.RINGING),
    ),
    _S.TALKING: _row(
        ((_I.TALK_ENDED,), _S.WRAP_UP),
        ((_I.RELEASE,), None),
        ((*_WISHES, *_NETWORK), _S.TALKING),
    ),
    _S.WRAP_UP: _row(
        ((_I.END_WRAP_UP, _I.EXPIRED), None),
        ((_I.EXTEND_WRAP_UP, *_WISHES, *_NETWORK), _S.WRAP_UP),
    ),
    _S.EXTERNAL: _row(((*_WISHES, *_NETWORK), None)),
    _S.QUARANTINED: _row(((_I.EXPIRED, *_WISHES, *_NETWORK), None)),
}
"""Next state by state and input; None where the agent settles by its wish. An input that is not listed
is refused with LocalProtocolError and changes nothing."""


def diagram() -> str:
    """The machine as a Mermaid state diagram, made from the table."""
    return tables.diagram(TABLE, free="settled")


def settled(agent: Agent) -> AgentState:
    """The state of an agent without a queue call."""
    if not agent.reachable or agent.wish is AgentState.OFFLINE:
        return AgentState.OFFLINE
    return AgentState.EXTERNAL if agent.external else agent.wish


def step(
    agent: Agent,
    given: AgentInput,
    *,
    now: float,
    reason: str = "",
    deadline: float | None = None,
    **changes: Any,
) -> Agent:
    """The agent after `given`.

    Args:
        agent: The agent before.
        given: What happened.
        now: When.
        reason: The pause reason, or more about the cause than the name of the input tells.
        deadline: End of the new state; each of reserved, ringing, wrap_up and quarantined needs one.
        changes: Other fields to set on the way, such as ``offer`` or ``misses``.

    Raises:
        LocalProtocolError: the table has no row for this; the agent is as before.
    """
    if given is _I.REGISTERED and agent.reachable:
        return agent  # a refresh: neither ends a pause nor undoes a logout
    target = tables.advance(TABLE, agent.state, given, who=f"agent {agent.name}")
    agent = replace(agent, **_wish(agent, given, reason), **changes)
    settling = target is None
    state = settled(agent) if target is None else target
    fields: dict[str, Any] = {}
    if settling:
        fields |= {"offer": None, "entry": None}
    if deadline is not None or settling or state is not agent.state:
        fields["deadline"] = deadline
    if state is not agent.state:
        fields |= {"state": state, "since": now, "reason": _reason(agent, state, given, reason)}
    elif state is AgentState.NOT_READY:
        fields["reason"] = agent.wish_reason
    if agent.state is AgentState.OFFLINE and state is not AgentState.OFFLINE:
        fields["idle_since"] = now
    if state is AgentState.READY and agent.worked:
        fields |= {"idle_since": now, "worked": False}
    return replace(agent, **fields) if fields else agent


def _wish(agent: Agent, given: AgentInput, reason: str) -> dict[str, Any]:
    """What an input changes in the wish and in what is known of the phone."""
    start = AgentState(agent.settings.start)
    if given is _I.LOGIN:
        # Somebody says the phone is there; an offer that fails will correct it.
        return {"wish": start, "wish_reason": "", "reachable": True, **_FORGIVEN}
    if given is _I.REGISTERED:
        fresh = agent.wish is AgentState.OFFLINE
        return {"reachable": True, **({"wish": start, "wish_reason": ""} if fresh else {}), **_FORGIVEN}
    if given in (_I.LOST, _I.UNREACHABLE):
        return {"reachable": False}
    if given is _I.LOGOUT:
        return {"wish": AgentState.OFFLINE, "wish_reason": reason}
    if given is _I.PAUSE:
        return {"wish": AgentState.NOT_READY, "wish_reason": reason}
    if given is _I.MAKE_READY:
        return {"wish": AgentState.READY, "wish_reason": "", **_FORGIVEN}
    return {}


_FORGIVEN: dict[str, Any] = {"misses": 0, "not_before": 0.0, "backoff_cause": ""}
"""What an agent who says "I am here" is not blamed for any more."""


def _reason(agent: Agent, state: AgentState, given: AgentInput, reason: str) -> str:
    if state is AgentState.NOT_READY:
        return agent.wish_reason
    return reason or str(given)


def backed_off(agent: Agent, cause: str, seconds: float, *, began: float, now: float) -> dict[str, Any]:
    """The fields that keep `agent` from offers for a while after one that failed for `cause`."""
    if now - began < RETRY_FLOOR:
        seconds = max(seconds, RETRY_FLOOR)
    if seconds <= 0:
        return {}
    return {"not_before": max(agent.not_before, now + seconds), "backoff_cause": cause}
