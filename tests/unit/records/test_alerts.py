"""Alert rules: once up, once down, with room between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.records.conftest import WALL, Kept

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.call.events import DiskFilling, TrunkDown, TrunkUp
from sipcc.config import check, load
from sipcc.events import Event
from sipcc.records.alerts import AlertFold, AlertSettings
from sipcc.records.events import AlertCleared, AlertRaised
from sipcc.records.kpi import KpiFold


def rule(metric: Any, threshold: float, **more: Any) -> AlertSettings:
    return AlertSettings(name="low", queue="sales", metric=metric, threshold=threshold, **more)


def exit_(at: float, kind: Any) -> QueueLeft:
    return QueueLeft(at=at, entry=f"e{at}", queue="sales", call="c", exit=kind, waited=10.0)


def joined(at: float, entry: str = "e1") -> QueueJoined:
    return QueueJoined(at=at, entry=entry, queue="sales", call="c", caller="x", priority=0, position=1)


def told(settings: AlertSettings, events: list[Event], *, until: int) -> list[tuple[str, float, float]]:
    """Name, second and value of each alert, when it is judged every second."""
    kpi = KpiFold({"sales": 20.0})
    fold = AlertFold([settings], kpi, members={"sales": ("alice",)})
    found: list[tuple[str, float, float]] = []
    for second in range(until):
        for event in events:
            if second <= event.at < second + 1:
                kpi.apply(event, event.at)
                fold.apply(event, event.at)
        for alert in fold.judge(now=float(second), wall=float(second)):
            assert isinstance(alert, AlertRaised | AlertCleared)
            fold.apply(alert, float(second))
            found.append((type(alert).__name__, alert.at, alert.value))
    return found


def test_a_rate_is_raised_once_and_cleared_once_beyond_the_hysteresis() -> None:
    kinds = ["answered"] * 15 + ["abandoned"] * 5 + ["answered"] * 15
    events: list[Event] = [exit_(float(at), kind) for at, kind in enumerate(kinds)]
    assert told(rule("answer_rate", 80.0), events, until=60) == [
        ("AlertRaised", 19.0, 75.0),
        ("AlertCleared", 33.0, 85.29),
    ]


def test_other_rules_keep_what_was_counted_and_clear_what_has_no_rule_any_more() -> None:
    kpi = KpiFold({"sales": 20.0})
    fold = AlertFold([rule("abandon_rate", 10.0)], kpi, members={})
    for at in range(20):
        fold.apply(exit_(float(at), "abandoned"), float(at))
    for alert in fold.judge(now=20.0, wall=20.0):
        fold.apply(alert, 20.0)
    assert fold.raised == {"low"}
    other = AlertSettings(name="other", queue="sales", metric="answer_rate", threshold=50.0)
    fold.load([other], members={})
    again = fold.judge(now=21.0, wall=21.0)
    assert [(type(event).__name__, getattr(event, "alert", "")) for event in again] == [
        ("AlertCleared", "low"),
        ("AlertRaised", "other"),
    ]
    for alert in again:
        fold.apply(alert, 21.0)
    fold.load([other, rule("abandon_rate", 10.0)], members={})
    assert [getattr(event, "alert", "") for event in fold.judge(now=22.0, wall=22.0)] == ["low"]


def test_a_queue_keeps_the_level_by_which_its_figures_were_counted() -> None:
    kpi = KpiFold({"sales": 20.0})
    kpi.apply(joined(1.0), 1.0)
    kpi.load({"sales": 5.0, "help": 30.0})
    assert (kpi.queue("sales").threshold, kpi.queue("help").threshold) == (20.0, 30.0)


def test_too_few_callers_are_not_judged_and_an_empty_window_clears() -> None:
    few: list[Event] = [exit_(float(at), "abandoned") for at in range(19)]
    assert told(rule("abandon_rate", 10.0), few, until=60) == []
    alert = rule("abandon_rate", 10.0, min_sample=19, window=100.0)
    assert told(alert, few, until=200) == [("AlertRaised", 18.0, 100.0), ("AlertCleared", 118.0, 0.0)]


@pytest.mark.parametrize(
    ("settings", "events", "expected"),
    [
        (rule("longest_wait", 30.0), [joined(0.0), exit_(50.0, "abandoned")], [31.0]),
        (rule("waiting", 1.0), [joined(0.0), joined(5.0, "e2")], [5.0]),
        (rule("service_level", 80.0, min_sample=1), [exit_(3.0, "abandoned")], [3.0]),
        (rule("service_level", 80.0, min_sample=1), [exit_(3.0, "answered")], []),
    ],
)
def test_metrics(settings: AlertSettings, events: list[Event], expected: list[float]) -> None:
    assert [at for name, at, _ in told(settings, events, until=60) if name == "AlertRaised"] == expected


def test_nobody_is_ready() -> None:
    ready = AgentStateChanged(at=5.0, agent="alice", before="offline", after="ready")
    found = told(rule("agents_ready", 1.0), [ready], until=10)
    assert found == [("AlertRaised", 0.0, 0.0), ("AlertCleared", 5.0, 1.0)]


def state(at: float, after: str, before: str = "offline") -> AgentStateChanged:
    return AgentStateChanged(at=at, agent="alice", before=before, after=after)


def disk(at: float, level: Any) -> DiskFilling:
    return DiskFilling(at=at, folder="/rec", level=level, percent=90.0, free_mb=100)


def talked(at: float) -> TalkEnded:
    return TalkEnded(at=at, entry="e0.0", queue="sales", call="c", agent="alice", talked=120.0)


def down(at: float, trunk: str = "carrier") -> TrunkDown:
    return TrunkDown(at=at, trunk=trunk, why="no answer")


def up(at: float, trunk: str = "carrier") -> TrunkUp:
    return TrunkUp(at=at, trunk=trunk, why="")


@pytest.mark.parametrize(
    ("settings", "events", "expected"),
    [
        (
            rule("agents_at_work", 1.0),
            [state(2.0, "ready"), state(5.0, "talking"), state(9.0, "not_ready", "talking")],
            [("AlertRaised", 0.0), ("AlertCleared", 2.0), ("AlertRaised", 9.0)],
        ),
        (
            AlertSettings(name="low", metric="trunks_down", threshold=0.0),
            [down(3.0), down(4.0, "other"), up(6.0), up(8.0, "other")],
            [("AlertRaised", 3.0), ("AlertCleared", 8.0)],
        ),
        (
            AlertSettings(name="low", metric="trunks_down", threshold=0.0, trunk="carrier"),
            [down(3.0, "other"), down(4.0), up(6.0)],
            [("AlertRaised", 4.0), ("AlertCleared", 6.0)],
        ),
        (
            AlertSettings(name="low", metric="disk", threshold=1.0),
            [disk(2.0, "low"), disk(4.0, "critical"), disk(6.0, "low"), disk(8.0, "ok")],
            [("AlertRaised", 4.0), ("AlertCleared", 6.0)],
        ),
        (
            rule("expected_wait", 100.0, hysteresis=30.0),
            [
                joined(0.0, "e0.0"), exit_(0.0, "answered"), joined(1.0, "e20.0"), talked(5.0),
                exit_(20.0, "abandoned"),
            ],
            [("AlertRaised", 5.0), ("AlertCleared", 20.0)],
        ),
    ],
)  # fmt: skip
def test_trunks_the_disk_agents_and_the_expected_wait(
    settings: AlertSettings, events: list[Event], expected: list[tuple[str, float]]
) -> None:
    assert [(name, at) for name, at, _ in told(settings, events, until=40)] == expected


async def test_what_was_down_in_a_run_before_is_told_anew(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.db"
    alerts = [AlertSettings(name="low", metric="trunks_down", threshold=0.0)]
    heard: list[Event] = []
    for event in (down(1.0), down(3.0, "other")):
        kept = Kept(path, alerts=alerts, figures_since=WALL - 60.0)
        kept.bus.on_all(heard.append)
        await kept.keeper.start()
        if event.trunk == "other":
            kept.bus.emit(joined(2.0))
        kept.bus.emit(event)
        await kept.keeper.stop()
    kinds = [type(event).__name__ for event in heard if isinstance(event, AlertRaised | AlertCleared)]
    assert kinds == ["AlertRaised", "AlertCleared", "AlertRaised"]


async def test_a_keeper_tells_alerts_on_the_bus_and_knows_them_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.db"
    for expected in (["AlertRaised"], []):
        kept = Kept(path, alerts=[rule("waiting", 0.0)], figures_since=WALL - 60.0)
        heard: list[Event] = []
        kept.bus.on_all(heard.append)
        await kept.keeper.start()
        kept.bus.emit(joined(1.0, f"e{len(expected)}"))
        kept.bus.emit(joined(2.0, "e3"))
        await kept.keeper.stop()
        assert [type(event).__name__ for event in heard if not isinstance(event, QueueJoined)] == expected


TEXT = """
[[queues]]
name = "sales"
[[alerts]]
name = "low"
queue = "sales"
metric = "answer_rate"
threshold = 80
"""


def test_the_configuration_has_alerts_and_knows_their_queues(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(TEXT)
    assert load(path, {}).alerts == (rule("answer_rate", 80.0),)
    path.write_text(TEXT.replace('queue = "sales"', 'queue = "sale"'))
    (finding,) = [finding for finding in check(path, {}) if finding.severity == "error"]
    assert (finding.message, finding.hint) == ("there is no queue 'sale'", "did you mean 'sales'?")


QUEUE = 'queue = "sales"\nmetric = "answer_rate"'
METRIC = 'metric = "answer_rate"'


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        (QUEUE, 'metric = "waiting"', "waiting is about a queue", "name one"),
        (METRIC, 'metric = "disk"', "disk is not about a queue", "leave it out"),
        (METRIC, 'metric = "waiting"\ntrunk = "t"', "waiting is not about a trunk", "leave it out"),
        (QUEUE, 'metric = "trunks_down"\ntrunk = "t"', "there is no trunk 't'", ""),
    ],
)
def test_alerts_about_nothing(tmp_path: Path, old: str, new: str, message: str, hint: str) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text(TEXT.replace(old, new))
    (finding,) = [finding for finding in check(path, {}) if finding.severity == "error"]
    assert message in finding.message
    assert hint in finding.hint
