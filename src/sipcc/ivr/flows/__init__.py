"""Flows: graphs of nodes that are read from TOML or JSON, or written in Python.

The names below load their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipcc.ivr.flows.check import check_flows as check_flows
    from sipcc.ivr.flows.load import parse_flow as parse_flow
    from sipcc.ivr.flows.load import read_flow as read_flow
    from sipcc.ivr.flows.lookup import Asking as Asking
    from sipcc.ivr.flows.model import Flow as Flow
    from sipcc.ivr.flows.model import FlowHead as FlowHead
    from sipcc.ivr.flows.model import Node as Node
    from sipcc.ivr.flows.model import Retry as Retry
    from sipcc.ivr.flows.program import FlowCall as FlowCall
    from sipcc.ivr.flows.run import Ending as Ending
    from sipcc.ivr.flows.run import FlowServices as FlowServices
    from sipcc.ivr.flows.run import playable as playable
    from sipcc.ivr.flows.run import run_flow as run_flow

_HOMES = {
    "Asking": "lookup",
    "Ending": "run",
    "Flow": "model",
    "FlowCall": "program",
    "FlowHead": "model",
    "FlowServices": "run",
    "Node": "model",
    "Retry": "model",
    "check_flows": "check",
    "parse_flow": "load",
    "playable": "run",
    "read_flow": "load",
    "run_flow": "run",
}

__all__ = [
    "Asking",
    "Ending",
    "Flow",
    "FlowCall",
    "FlowHead",
    "FlowServices",
    "Node",
    "Retry",
    "check_flows",
    "parse_flow",
    "playable",
    "read_flow",
    "run_flow",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipcc.ivr.flows' has no attribute {name!r}")
    return getattr(import_module(f"sipcc.ivr.flows.{home}"), name)
