"""Makes the Grafana dashboard and the Prometheus alert rules from the table of figures in the code.

    python tools/make_monitoring.py            # writes examples/monitoring/

A figure that is not in the table cannot be named here: that is a KeyError.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sipcc.api.metrictable import METRICS  # noqa: E402

FOLDER = ROOT / "examples" / "monitoring"


def the(name: str, where: str = "") -> str:
    """The figure `name`, restricted to `where`."""
    return METRICS[name].name + (f"{{{where}}}" if where else "")


def rate(name: str, by: str = "", where: str = "") -> str:
    """How often a second, summed up by `by`."""
    return f"sum{f' by ({by})' if by else ''} (rate({the(name, where)}[5m]))"


def part(name: str, share: float, by: str = "") -> str:
    """The value that `share` of the observations do not exceed."""
    METRICS[name]
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({name}_bucket[5m])))"


def mean(name: str, by: str) -> str:
    """The mean of the observations."""
    METRICS[name]
    return f"sum by ({by}) (rate({name}_sum[5m])) / sum by ({by}) (rate({name}_count[5m]))"


PANELS: list[tuple[str, str, list[tuple[str, str]]]] = [
    ("Calls up", "short", [(the("sipcc_calls_active"), "{{direction}} {{trunk}}")]),
    ("Calls ended per second", "cps", [(rate("sipcc_calls_total", "disposition"), "{{disposition}}")]),
    ("Callers in line", "short", [(the("sipcc_queue_waiting"), "{{queue}}")]),
    ("Longest wait now", "s", [(the("sipcc_queue_longest_wait_seconds"), "{{queue}}")]),
    ("Wait, 80 % at most", "s", [(part("sipcc_queue_wait_seconds", 0.8, "queue"), "{{queue}}")]),
    ("Gave up per second", "cps", [(rate("sipcc_queue_abandoned_total", "queue"), "{{queue}}")]),
    ("Agents", "short", [(f"sum by (queue, state) ({the('sipcc_agents')})", "{{queue}} {{state}}")]),
    ("Handling time, mean", "s", [(mean("sipcc_handle_seconds", "queue"), "{{queue}}")]),
    ("Trunks up", "bool_yes_no", [(the("sipcc_trunk_up"), "{{trunk}}")]),
    ("Registered phones", "short", [(the("sipcc_registrations"), "phones")]),
    ("SIP requests per second", "reqps", [(rate("sipcc_sip_requests_total", "method"), "{{method}}")]),
    ("SIP responses per second", "reqps", [(rate("sipcc_sip_responses_total", "code"), "{{code}}")]),
    ("Jitter, 95 % of legs at most", "s", [(part("sipcc_rtp_jitter_seconds", 0.95), "p95")]),
    ("RTP packets lost per second", "pps", [(rate("sipcc_rtp_packets_lost_total"), "lost")]),
    ("Loop lag, worst", "s", [(the("sipcc_loop_lag_seconds"), "lag")]),
    (
        "Failures in an hour",
        "short",
        [
            (f"increase({the('sipcc_recording_failures_total')}[1h])", "recordings"),
            (f"increase({the('sipcc_webhook_failures_total')}[1h])", "webhook {{webhook}}"),
        ],
    ),
]  # fmt: skip
"""Title, unit, and what is drawn with its legend."""

AT_WORK = 'state!~"offline|not_ready|quarantined"'

RULES: list[tuple[str, str, str, str, str]] = [
    (
        "SipccTrunkDown",
        f"{the('sipcc_trunk_up')} == 0",
        "1m",
        "critical",
        "Trunk {{ $labels.trunk }} takes no calls.",
    ),
    (
        "SipccNoAgents",
        f"{the('sipcc_queue_waiting')} > 0 unless on (queue) "
        f"(sum by (queue) ({the('sipcc_agents', AT_WORK)}) > 0)",
        "1m",
        "critical",
        "Callers wait in {{ $labels.queue }} and no agent is at work.",
    ),
    (
        "SipccLongWait",
        f"{the('sipcc_queue_longest_wait_seconds')} > 120",
        "1m",
        "warning",
        "Somebody has waited {{ $value | humanizeDuration }} in {{ $labels.queue }}.",
    ),
    (
        "SipccManyGiveUp",
        "sum by (queue) (increase(sipcc_queue_abandoned_total[15m])) "
        "/ sum by (queue) (increase(sipcc_queue_wait_seconds_count[15m])) > 0.2 "
        "and sum by (queue) (increase(sipcc_queue_wait_seconds_count[15m])) >= 20",
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the callers of {{ $labels.queue }} give up.",
    ),
    (
        "SipccLoopLate",
        f"{the('sipcc_loop_lag_seconds')} > 0.1",
        "1m",
        "warning",
        "The loop is {{ $value }} s late: calls suffer.",
    ),
    (
        "SipccRecordingFailed",
        f"increase({the('sipcc_recording_failures_total')}[10m]) > 0",
        "0m",
        "warning",
        "A recording failed.",
    ),
    (
        "SipccWebhookFails",
        f"increase({the('sipcc_webhook_failures_total')}[15m]) > 5",
        "15m",
        "warning",
        "Webhook {{ $labels.webhook }} does not take its messages.",
    ),
]
"""Name, expression, how long it must hold, severity, text."""


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    for number, (title, unit, drawn) in enumerate(PANELS):
        panels.append(
            {
                "id": number + 1,
                "type": "timeseries",
                "title": title,
                "datasource": {"type": "prometheus", "uid": "${source}"},
                "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [
                    {"refId": chr(65 + index), "expr": expression, "legendFormat": legend}
                    for index, (expression, legend) in enumerate(drawn)
                ],
            }
        )
    variable = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    board = {
        "title": "sipcc",
        "uid": "sipcc",
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [variable]},
        "panels": panels,
    }
    return json.dumps(board, indent=2) + "\n"


def rules() -> str:
    """The alert rules as Prometheus reads them; JSON strings are YAML."""
    lines = ["groups:", "  - name: sipcc", "    rules:"]
    for name, expression, lasting, severity, text in RULES:
        lines += [
            f"      - alert: {name}",
            f"        expr: {json.dumps(expression)}",
            f"        for: {lasting}",
            "        labels:",
            f"          severity: {severity}",
            "        annotations:",
            f"          summary: {json.dumps(text)}",
        ]
    return "\n".join(lines) + "\n"


FILES = {"grafana-dashboard.json": dashboard, "prometheus-rules.yml": rules}


if __name__ == "__main__":
    for name, make in FILES.items():
        (FOLDER / name).write_text(make())
