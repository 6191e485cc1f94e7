"""sipcc: a call-centre softswitch as a library.

    from sipcc import Call, Switch

The names below load their modules when they are first used, so that `import sipcc` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipcc.acd import QueueResult as QueueResult
    from sipcc.bus import Bus as Bus
    from sipcc.call import BridgeResult as BridgeResult
    from sipcc.call import Call as Call
    from sipcc.call import Leg as Leg
    from sipcc.config import Config as Config
    from sipcc.errors import CallEnded as CallEnded
    from sipcc.errors import CallRejected as CallRejected
    from sipcc.errors import ConfigError as ConfigError
    from sipcc.errors import SipccError as SipccError
    from sipcc.errors import TransactionTimeout as TransactionTimeout
    from sipcc.events import Event as Event
    from sipcc.switch import Switch as Switch

__version__ = "0.1.0"

_HOMES = {
    "BridgeResult": "sipcc.call",
    "Bus": "sipcc.bus",
    "Call": "sipcc.call",
    "CallEnded": "sipcc.errors",
    "CallRejected": "sipcc.errors",
    "Config": "sipcc.config",
    "ConfigError": "sipcc.errors",
    "Event": "sipcc.events",
    "Leg": "sipcc.call",
    "QueueResult": "sipcc.acd",
    "SipccError": "sipcc.errors",
    "Switch": "sipcc.switch",
    "TransactionTimeout": "sipcc.errors",
}

__all__ = [
    "BridgeResult",
    "Bus",
    "Call",
    "CallEnded",
    "CallRejected",
    "Config",
    "ConfigError",
    "Event",
    "Leg",
    "QueueResult",
    "SipccError",
    "Switch",
    "TransactionTimeout",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipcc' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
