"""Calls: legs, media and policy joined."""

from sipcc.call.call import Call
from sipcc.call.caller import CallIdentity
from sipcc.call.context import CallContext, Locator
from sipcc.call.conversation import BridgeResult
from sipcc.call.destination import Destination
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.protocols import Handler, PromptSource
from sipcc.call.registry import Calls
from sipcc.call.ringing import Target
from sipcc.call.routing import Route, Routes
from sipcc.call.settings import NumberSettings

__all__ = [
    "BridgeResult",
    "Call",
    "CallContext",
    "CallIdentity",
    "Calls",
    "Destination",
    "Handler",
    "Leg",
    "LegState",
    "Locator",
    "NumberSettings",
    "PromptSource",
    "Route",
    "Routes",
    "Target",
]
