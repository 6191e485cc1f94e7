"""The section of callbacks, and the queues that lead to it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sipcc.acd import QueueSettings
from sipcc.acd.callback import CallbackSettings
from sipcc.config.callbacks import check_callbacks
from sipcc.config.names import Names, check_queue_exits
from sipcc.reading.findings import Report
from sipcc.sip.settings import TrunkSettings

NAMES: dict[str, Any] = {"queues": [{"name": "sales"}], "trunks": [{"name": "carrier"}]}
NAMES |= {"hours": [{"name": "office"}], "routes": [{"name": "cheap"}]}

KEY = {"keys": {"1": "callback"}}
OURS = {"caller_id": "4008123456"}


def findings(
    callbacks: dict[str, Any], queue: dict[str, Any], trunk: dict[str, Any] | None
) -> list[tuple[str, str]]:
    report, names = Report("sipcc.toml"), Names(NAMES)
    queues = [(0, msgspec.convert({"name": "sales", **queue}, QueueSettings))]
    trunks = [] if trunk is None else [(0, msgspec.convert({"name": "carrier"} | trunk, TrunkSettings))]
    check_queue_exits(queues, names, report)
    check_callbacks(msgspec.convert(callbacks, CallbackSettings), queues, trunks, names, report)
    return [(finding.where.removeprefix("sipcc.toml "), finding.message) for finding in report.findings]


@pytest.mark.parametrize(
    ("callbacks", "queue", "trunk", "where", "message"),
    [
        (OURS | {"hours": "offise"}, KEY, {}, "callbacks.hours", "there is no"),
        (OURS | {"route": "chaep"}, KEY, {}, "callbacks.route", "there is no trunk 'chaep'"),
        (OURS | {"deny": ["1380*", "x"]}, KEY, {}, "callbacks.deny[1]", "'x' is no number"),
        (OURS, KEY, None, "queues[0].name", "callers are called back, and there is no trunk"),
        ({}, {"then": "callback"}, {}, "callbacks.caller_id", "customers would be shown their own number"),
    ],
)
def test_what_is_wrong_names_key_and_cause(
    callbacks: dict[str, Any],
    queue: dict[str, Any],
    trunk: dict[str, Any] | None,
    where: str,
    message: str,
) -> None:
    [(found, said)] = findings(callbacks, queue, trunk)
    assert found == where
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("callbacks", "queue", "trunk"),
    [
        ({}, {}, None),
        (OURS, KEY, {}),
        ({}, KEY, {"numbers": ["4008123456"]}),
        (OURS | {"hours": "office", "route": "cheap", "deny": ["mobile"]}, KEY, {}),
        (OURS, {"overflow": [{"when": "wait", "at": 60, "to": "callback"}]}, {}),
    ],
)
def test_nothing_is_wrong(
    callbacks: dict[str, Any], queue: dict[str, Any], trunk: dict[str, Any] | None
) -> None:
    assert findings(callbacks, queue, trunk) == []
