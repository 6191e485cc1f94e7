"""Settings of flows, as they stand in the configuration."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from sipcc.ivr.flows.model import FlowBase


class FlowSettings(FlowBase, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flow that calls go through; its nodes stand here below ``[flows.nodes.NAME]``, or in a file.

    Calls come to it by the destination ``flow:NAME``.
    """

    name: str
    """Unique among flows."""
    file: str = ""
    """A file with the flow, TOML or JSON, in place of `nodes` and all keys here but `name` and `canary`."""
    program: bool = False
    """True for a flow that a Python program has under this name; nothing else is said of it here."""
    canary: Annotated[float, Meta(ge=0, lt=100)] = 0.0
    """So many of a hundred callers get this flow when a reload has changed it, until it is promoted; the
    others get the version before. 0 gives it to all."""
    retry: dict[str, Any] = field(default_factory=dict)
    """How often questions are asked again that have no `retry` of their own: `noinput` and `nomatch` (2 each)
    times, `total` times together, then the target `then`; with the prompts `noinput_prompt` and
    `nomatch_prompt` before them."""
    nodes: dict[str, Any] = field(default_factory=dict)
    """The nodes by their names; each has a `type`."""
