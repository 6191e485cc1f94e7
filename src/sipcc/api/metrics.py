"""Figures for Prometheus, as `sipcc.api.metrictable` lists them.

What stands is read when it is asked for; what happens is counted from the bus, and SIP messages as they
pass, which costs nothing while the interface is closed.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import prometheus_client
from litestar import Request, Response, get
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sipcc.acd import QueueLeft
from sipcc.acd.events import AgentStateChanged, QueueJoined, TalkEnded
from sipcc.api.access import Permit
from sipcc.api.lag import LagWatch
from sipcc.api.metrictable import METRICS, OTHER
from sipcc.api.office import needs, office_of
from sipcc.api.schema import CentreApi
from sipcc.call.cause import CAUSES
from sipcc.call.events import (
    CallEndedEvent,
    CallStarted,
    LegEnded,
    LegStarted,
    RecordingFinished,
    RecordingStored,
)
from sipcc.rtp.flow import RtpStats
from sipcc.sip.message import METHODS
from sipcc.sip.trace import Direction
from sipcc.sip.transport.base import Flow

INBOUND = "in"
"""The direction of a caller's visit."""
OUTBOUND = "out"
"""The direction of a call that we placed over a trunk."""

WRAP_UP = "wrap_up"

_METHODS = {method.encode(): method for method in METHODS}


class Figures:
    """Listens to the bus and the messages of `centre` until it is closed."""

    def __init__(self, centre: CentreApi) -> None:
        self._centre = centre
        self._trunk_of: dict[str, str] = {}
        self._handling: dict[str, tuple[str, float]] = {}
        self._wrapping: dict[str, float] = {}
        self._callbacks: set[str] = set()
        self.lag = LagWatch()
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS.values():
            place = (metric.name, metric.text, metric.labels)
            if metric.kind == "gauge":
                self._gauges[metric.name] = Gauge(*place, registry=self._registry)
            elif metric.kind == "counter":
                self._counters[metric.name] = Counter(*place, registry=self._registry)
            else:
                self._histograms[metric.name] = Histogram(
                    *place, buckets=metric.buckets, registry=self._registry
                )
        self._hook_failures: Tally[str] = Tally()
        self._requests: Tally[bytes] = Tally()
        self._responses: Tally[bytes] = Tally()
        self._heard: dict[type[Any], Callable[[Any], None]] = {
            CallStarted: self._on_started,
            CallEndedEvent: self._on_ended,
            LegStarted: self._on_leg_started,
            LegEnded: self._on_leg_ended,
            QueueJoined: self._on_joined,
            QueueLeft: self._on_left,
            TalkEnded: self._on_talked,
            AgentStateChanged: self._on_state,
            RecordingFinished: self._on_recorded,
            RecordingStored: self._on_stored,
        }
        for kind, handler in self._heard.items():
            centre.bus.on(kind, handler)
        self._passed_on = centre.endpoint.on_message
        centre.endpoint.on_message = self._saw

    def close(self) -> None:
        """Listen no more."""
        self.lag.stop()
        for kind, handler in self._heard.items():
            self._centre.bus.off(kind, handler)
        if self._centre.endpoint.on_message == self._saw:
            self._centre.endpoint.on_message = self._passed_on

    def page(self) -> bytes:
        """All figures in the text form of Prometheus."""
        for name in ("sipcc_calls_active", "sipcc_agents", "sipcc_trunk_up", "sipcc_queue_waiting",
                     "sipcc_queue_longest_wait_seconds"):  # fmt: skip
            self._gauges[name].clear()
        self._read_calls()
        self._read_floor()
        self._gauges["sipcc_registrations"].set(len(self._centre.registrar))
        self._gauges["sipcc_loop_lag_seconds"].set(self.lag.worst)
        self._read_messages()
        self._read_webhooks()
        return prometheus_client.generate_latest(self._registry)

    def _read_calls(self) -> None:
        active, up = self._gauges["sipcc_calls_active"], self._gauges["sipcc_trunk_up"]
        inbound = Tally(call.trunk or "" for call in self._centre.calls.live())
        for trunk, count in inbound.items():
            active.labels(INBOUND, trunk).set(count)
        for row in self._centre.desk().trunks():
            up.labels(row.name).set(row.up)
            if placed := row.calls - inbound[row.name]:
                active.labels(OUTBOUND, row.name).set(placed)

    def _read_floor(self) -> None:
        seen = self._centre.acd.snapshot()
        for queue in seen.queues:
            self._gauges["sipcc_queue_waiting"].labels(queue.name).set(len(queue.waiting))
            self._gauges["sipcc_queue_longest_wait_seconds"].labels(queue.name).set(queue.longest_wait)
        states = Tally((queue, agent.state.value) for agent in seen.agents for queue in agent.queues)
        for labels, count in states.items():
            self._gauges["sipcc_agents"].labels(*labels).set(count)

    def _read_messages(self) -> None:
        for method, count in self._requests.items():
            label = _METHODS.get(method, OTHER)
            self._counters["sipcc_sip_requests_total"].labels(label).inc(count)
        for code, count in self._responses.items():
            known = len(code) == 3 and code.isdigit() and b"100" <= code < b"700"
            label = code.decode() if known else OTHER
            self._counters["sipcc_sip_responses_total"].labels(label).inc(count)
        self._requests.clear()
        self._responses.clear()

    def _read_webhooks(self) -> None:
        failures = self._centre.keeper.webhooks.failures
        for name, count in failures.items():
            self._counters["sipcc_webhook_failures_total"].labels(name).inc(count - self._hook_failures[name])
            self._hook_failures[name] = count

    # What happens

    def _saw(self, direction: Direction, data: bytes, flow: Flow, at: float) -> None:
        if data.startswith(b"SIP/2.0 "):
            self._responses[data[8:11]] += 1
        else:
            method = data[: data.find(b" ", 0, 32)] if data else b""
            self._requests[method if method in _METHODS else b""] += 1
        if self._passed_on is not None:
            self._passed_on(direction, data, flow, at)

    def _on_started(self, event: CallStarted) -> None:
        self._trunk_of[event.call] = event.trunk or ""

    def _on_ended(self, event: CallEndedEvent) -> None:
        trunk = self._trunk_of.pop(event.call, None)
        if trunk is None and (call := self._centre.calls.get(event.call)) is not None:
            trunk = call.trunk  # it began in another process
        self._count_call(INBOUND, trunk or "", event.cause, event.stats)

    def _on_leg_started(self, event: LegStarted) -> None:
        if event.trunk:
            self._trunk_of[event.leg] = event.trunk

    def _on_leg_ended(self, event: LegEnded) -> None:
        trunk = self._trunk_of.pop(event.leg, "")
        if trunk:
            self._count_call(OUTBOUND, trunk, event.cause, event.stats)
        else:
            self._count_media(event.stats)

    def _count_call(self, direction: str, trunk: str, cause: str, stats: RtpStats | None) -> None:
        disposition = cause if cause in CAUSES else OTHER
        self._counters["sipcc_calls_total"].labels(direction, trunk, disposition).inc()
        self._count_media(stats)

    def _count_media(self, stats: RtpStats | None) -> None:
        if stats is not None and stats.packets_received:
            self._histograms["sipcc_rtp_jitter_seconds"].observe(stats.jitter_ms / 1000)
            self._counters["sipcc_rtp_packets_lost_total"].inc(max(0, stats.lost))

    def _on_joined(self, event: QueueJoined) -> None:
        if event.callback:
            self._callbacks.add(event.entry)

    def _on_left(self, event: QueueLeft) -> None:
        if event.entry in self._callbacks:
            self._callbacks.discard(event.entry)  # nobody waited
            return
        self._histograms["sipcc_queue_wait_seconds"].labels(event.queue).observe(event.waited)
        if event.exit == "abandoned":
            self._counters["sipcc_queue_abandoned_total"].labels(event.queue).inc()

    def _on_talked(self, event: TalkEnded) -> None:
        self._handled(event.agent, 0.0)
        self._handling[event.agent] = (event.queue, event.talked)
        if not event.agent:
            self._handled("", 0.0)  # nobody wraps up

    def _on_state(self, event: AgentStateChanged) -> None:
        since = self._wrapping.pop(event.agent, None)
        if event.after == WRAP_UP:
            self._wrapping[event.agent] = event.at
        elif since is not None or event.before != WRAP_UP:
            self._handled(event.agent, 0.0 if since is None else event.at - since)

    def _handled(self, agent: str, wrap_up: float) -> None:
        """Count the conversation that `agent` has ended, if there is one."""
        if (talk := self._handling.pop(agent, None)) is not None:
            self._histograms["sipcc_handle_seconds"].labels(talk[0]).observe(talk[1] + wrap_up)

    def _on_recorded(self, event: RecordingFinished) -> None:
        if event.reason.startswith("error"):
            self._counters["sipcc_recording_failures_total"].inc()

    def _on_stored(self, event: RecordingStored) -> None:
        if event.error:
            self._counters["sipcc_recording_failures_total"].inc()


@get("/metrics", guards=[needs(Permit.METRICS)])
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The figures for Prometheus."""
    page = office_of(request).figures.page()
    return Response(page, media_type=prometheus_client.CONTENT_TYPE_LATEST)
