"""Every figure for Prometheus, as a table: the code, the dashboard and the alert rules are made from it.

Names have our own prefix and base units. Labels come from the configuration or from a fixed list, so none
grows with the calls.
"""

from __future__ import annotations

from typing import Literal

import msgspec

WAIT_BUCKETS = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0)
"""Seconds, as service levels are commonly agreed."""

HANDLE_BUCKETS = (15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 1800.0)
JITTER_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)

OTHER = "other"
"""The label of what is in no list, such as a made-up method."""


class Metric(msgspec.Struct, frozen=True):
    """One family of figures."""

    name: str
    """As Prometheus shows it; a counter's ends in ``_total``."""
    kind: Literal["gauge", "counter", "histogram"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "sipcc_calls_active",
            "gauge",
            "Calls that are up: of callers (in), and over trunks to parties that we rang (out).",
            ("direction", "trunk"),
        ),
        Metric(
            "sipcc_calls_total",
            "counter",
            "Calls that have ended; the disposition is a cause of sipcc.call.cause.",
            ("direction", "trunk", "disposition"),
        ),
        Metric(
            "sipcc_sip_requests_total",
            "counter",
            "SIP requests on the wire, both ways, repeats included.",
            ("method",),
        ),
        Metric(
            "sipcc_sip_responses_total",
            "counter",
            "SIP responses on the wire, both ways, repeats included.",
            ("code",),
        ),
        Metric("sipcc_registrations", "gauge", "Places where users can be reached."),
        Metric("sipcc_trunk_up", "gauge", "1 for a trunk that takes calls, else 0.", ("trunk",)),
        Metric("sipcc_queue_waiting", "gauge", "Callers in line.", ("queue",)),
        Metric("sipcc_queue_longest_wait_seconds", "gauge", "Of whoever waits longest now.", ("queue",)),
        Metric(
            "sipcc_queue_wait_seconds",
            "histogram",
            "How long callers waited who have left the line.",
            ("queue",),
            WAIT_BUCKETS,
        ),
        Metric(
            "sipcc_queue_abandoned_total",
            "counter",
            "Callers who gave up, short ones left out.",
            ("queue",),
        ),
        Metric("sipcc_agents", "gauge", "Agents; who serves two queues counts in both.", ("queue", "state")),
        Metric(
            "sipcc_handle_seconds",
            "histogram",
            "Talk, hold and wrap-up of each conversation with an agent.",
            ("queue",),
            HANDLE_BUCKETS,
        ),
        Metric(
            "sipcc_rtp_jitter_seconds",
            "histogram",
            "Inter-arrival jitter of each leg at its end.",
            (),
            JITTER_BUCKETS,
        ),
        Metric("sipcc_rtp_packets_lost_total", "counter", "RTP packets that never came, of legs that ended."),
        Metric("sipcc_loop_lag_seconds", "gauge", "How late the loop was at worst in the last 15 seconds."),
        Metric("sipcc_webhook_failures_total", "counter", "Tries that did not get through.", ("webhook",)),
        Metric(
            "sipcc_recording_failures_total", "counter", "Recordings that failed or were left unfinished."
        ),
    )
}
"""All of them by name."""
