"""What goes over HTTP about single calls and visits of callers, as structs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sipcc.api.schema import RequestId
from sipcc.call.rooms import Supervising
from sipcc.records import Cdr, QueueOutcome
from sipcc.records.segments import Segment

CallVerb = Literal["hangup", "hold", "resume", "transfer", "consult", "complete", "merge", "return"]
"""What can be done with a call."""

RingTime = Annotated[float, msgspec.Meta(gt=0, le=300)]
"""Seconds to ring."""


class CallCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command to a call."""

    request_id: RequestId
    target: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """Of a transfer: ``agent:NAME``, ``queue:NAME``, ``menu:NAME``, a number, a user or a SIP URI; of a
    consultation a person of these."""
    timeout: RingTime | None = None
    """Of a transfer or consultation: how long it rings; null goes by the settings."""
    party: Literal["caller", "agent"] = "caller"
    """Of a hang-up: ``caller`` ends the call, ``agent`` the agent's side of it alone."""


class Supervise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a supervision."""

    request_id: RequestId
    agent: str
    """The supervisor's name as an agent: whose phone is rung."""
    mode: Supervising = "listen"
    timeout: RingTime = 30.0


class Supervisor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a command to a supervision."""

    request_id: RequestId
    agent: str
    """The supervisor's name as an agent."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """It has been done."""

    call: str
    verb: str


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of a caller: all calls that it was made of, and all that happened in them."""

    interaction: str
    """The id of its first call."""
    calls: tuple[Cdr, ...]
    """Oldest first."""
    entries: tuple[QueueOutcome, ...]
    """The entries into queues, in the order of joining."""
    segments: tuple[Segment, ...]
    """Who served the caller, in the order of time. Who was asked in a call of its own has one of that."""


class Handling(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent did. Times are seconds."""

    agent: str
    segments: int
    talk: float
    hold: float
    wrap: float
    aht: float
    """(talk + hold + wrap-up) / segments."""
    transferred: int
    """Segments that ended by a transfer of the agent's."""


class Handled(msgspec.Struct, frozen=True, kw_only=True):
    """What each agent did in calls, by the records of finished calls."""

    agents: tuple[Handling, ...]
