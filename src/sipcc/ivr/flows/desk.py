"""What operators see of flows: the current version, the calls in each, and an override."""

from __future__ import annotations

from typing import Literal

import msgspec

from sipcc.errors import LocalProtocolError
from sipcc.ivr.flows.trial import TrialView


class UnknownFlow(LocalProtocolError):
    """There is no flow of that name."""


class FlowOverride(msgspec.Struct, frozen=True, kw_only=True):
    """What all callers who come to a flow meet, for a time."""

    prompt: str = ""
    """A prompt's name or a text that they hear first."""
    to: str = ""
    """The destination in place of the flow; empty for the flow."""
    until: float
    """The Unix time (seconds) at which it ends."""
    by: str = ""
    """Who did it; empty for a program."""


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """How a flow stands."""

    name: str
    version: str
    """The version that calls get from now on, but for those that try another one."""
    kind: Literal["graph", "program"]
    nodes: int
    """How many nodes it has; 0 for a program."""
    live: dict[str, int]
    """How many calls are in each version."""
    here: dict[str, int]
    """How many calls are in each node, whatever version of the flow they came with."""
    trial: TrialView | None
    """Of a changed version on some callers; None when all get the same."""
    override: FlowOverride | None
    """The one that counts now."""
