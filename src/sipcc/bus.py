"""The event bus: a typed face of pyee.

Events tell what happened; nothing decides by event, because handlers run in no promised order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyee.base import EventEmitter

from sipcc.events import Event
from sipcc.log import get_logger

E = TypeVar("E", bound=Event)

_ALL = "*"
_log = get_logger("sipcc.bus")


class Bus:
    """Delivers each event to the handlers of its class, then to the handlers of all events."""

    def __init__(self) -> None:
        self._emitter = EventEmitter()
        self.handler_errors = 0
        """How many handlers raised; a raising handler is logged and stops nobody else."""

    def on(self, kind: type[E], handler: Callable[[E], None]) -> None:
        """Call `handler` for each event of exactly the class `kind`."""
        self._emitter.on(kind.__name__, handler)

    def on_all(self, handler: Callable[[Event], None]) -> None:
        """Call `handler` for every event."""
        self._emitter.on(_ALL, handler)

    def off(self, kind: type[E], handler: Callable[[E], None]) -> None:
        """Take back what `on` registered."""
        self._emitter.remove_listener(kind.__name__, handler)

    def off_all(self, handler: Callable[[Event], None]) -> None:
        """Take back what `on_all` registered."""
        self._emitter.remove_listener(_ALL, handler)

    def emit(self, event: Event) -> None:
        """Deliver `event` now; a handler that raises is logged and counted."""
        for name in (type(event).__name__, _ALL):
            for handler in list(self._emitter.listeners(name)):
                self._deliver(handler, event)

    def _deliver(self, handler: Callable[[Any], None], event: Event) -> None:
        try:
            handler(event)
        except Exception:
            self.handler_errors += 1
            _log.exception("bus.handler_failed", event_type=type(event).__name__)
