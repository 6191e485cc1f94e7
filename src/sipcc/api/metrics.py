"""Figures for Prometheus: own prefix, base units, and no label that grows with the calls.

What stands is read when it is asked for; what happens is counted from the bus.
"""

from __future__ import annotations

from collections import Counter as Tally
from typing import Any

import prometheus_client
from litestar import Request, Response, get
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sipcc.acd import QueueLeft
from sipcc.api.access import Permit
from sipcc.api.office import needs, office_of
from sipcc.api.schema import CentreApi
from sipcc.call.events import CallEndedEvent, CallStarted

WAIT_BUCKETS = (5, 10, 15, 20, 30, 60, 120)
"""Seconds, as service levels are commonly agreed."""

INBOUND = "in"
"""The direction of a caller's visit."""


class Figures:
    """Listens to the bus of `centre` until it is closed."""

    def __init__(self, centre: CentreApi) -> None:
        self._centre = centre
        self._trunk_of: dict[str, str] = {}
        self._registry = CollectorRegistry()
        calls = ("direction", "trunk")
        self._active = self._gauge("sipcc_calls_active", "Calls that are up.", *calls)
        self._calls = Counter(
            "sipcc_calls", "Calls that have ended.", (*calls, "disposition"), registry=self._registry
        )
        self._waiting = self._gauge("sipcc_queue_waiting", "Callers in line.", "queue")
        self._longest = self._gauge(
            "sipcc_queue_longest_wait_seconds", "Of whoever waits longest now.", "queue"
        )
        self._waits = Histogram(
            "sipcc_queue_wait_seconds",
            "How long callers waited who have left the line.",
            ("queue",),
            buckets=WAIT_BUCKETS,
            registry=self._registry,
        )
        self._abandoned = Counter(
            "sipcc_queue_abandoned", "Callers who gave up, short ones left out.", ("queue",),
            registry=self._registry,
        )  # fmt: skip
        self._agents = self._gauge(
            "sipcc_agents", "Agents; who serves two queues counts in both.", "queue", "state"
        )
        centre.bus.on(CallStarted, self._on_started)
        centre.bus.on(CallEndedEvent, self._on_ended)
        centre.bus.on(QueueLeft, self._on_left)

    def close(self) -> None:
        """Listen no more."""
        self._centre.bus.off(CallStarted, self._on_started)
        self._centre.bus.off(CallEndedEvent, self._on_ended)
        self._centre.bus.off(QueueLeft, self._on_left)

    def page(self) -> bytes:
        """All figures in the text form of Prometheus."""
        for gauge in (self._active, self._agents):
            gauge.clear()
        for trunk, count in Tally(call.trunk or "" for call in self._centre.calls.live()).items():
            self._active.labels(INBOUND, trunk).set(count)
        seen = self._centre.acd.snapshot()
        for queue in seen.queues:
            self._waiting.labels(queue.name).set(len(queue.waiting))
            self._longest.labels(queue.name).set(queue.longest_wait)
        states = Tally((queue, agent.state.value) for agent in seen.agents for queue in agent.queues)
        for labels, count in states.items():
            self._agents.labels(*labels).set(count)
        return prometheus_client.generate_latest(self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry)

    def _on_started(self, event: CallStarted) -> None:
        self._trunk_of[event.call] = event.trunk or ""

    def _on_ended(self, event: CallEndedEvent) -> None:
        trunk = self._trunk_of.pop(event.call, "")
        self._calls.labels(INBOUND, trunk, event.cause).inc()

    def _on_left(self, event: QueueLeft) -> None:
        self._waits.labels(event.queue).observe(event.waited)
        if event.exit == "abandoned":
            self._abandoned.labels(event.queue).inc()


@get("/metrics", guards=[needs(Permit.METRICS)])
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The figures for Prometheus."""
    page = office_of(request).figures.page()
    return Response(page, media_type=prometheus_client.CONTENT_TYPE_LATEST)
