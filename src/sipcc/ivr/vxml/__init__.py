"""VoiceXML 2.1: an interpreter for live calls, and a simulated platform for those who judge it.

The names are imported when they are used: a switch without documents loads nothing of this.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipcc.ivr.vxml.documents import Library
    from sipcc.ivr.vxml.errors import DocumentError, Event
    from sipcc.ivr.vxml.interpreter import Setup, interpret
    from sipcc.ivr.vxml.limits import Limits, ParseLimits
    from sipcc.ivr.vxml.platform import HungUp, Pressed, Said, Several, Silent, Spoke, TransferEnds
    from sipcc.ivr.vxml.signals import Exit, Note
    from sipcc.ivr.vxml.simulation import NotWaiting, Simulation, simulate

_HOMES = {
    "documents": ("Library",),
    "errors": ("DocumentError", "Event"),
    "interpreter": ("Setup", "interpret"),
    "limits": ("Limits", "ParseLimits"),
    "platform": ("HungUp", "Pressed", "Said", "Several", "Silent", "Spoke", "TransferEnds"),
    "signals": ("Exit", "Note"),
    "simulation": ("NotWaiting", "Simulation", "simulate"),
}

__all__ = [
    "DocumentError",
    "Event",
    "Exit",
    "HungUp",
    "Library",
    "Limits",
    "NotWaiting",
    "Note",
    "ParseLimits",
    "Pressed",
    "Said",
    "Setup",
    "Several",
    "Silent",
    "Simulation",
    "Spoke",
    "TransferEnds",
    "interpret",
    "simulate",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
