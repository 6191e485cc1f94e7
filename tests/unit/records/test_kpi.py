"""The figures of a queue."""

from __future__ import annotations

import pytest

from sipcc.acd.events import AgentStateChanged, QueueJoined, QueueLeft, TalkEnded
from sipcc.events import Event
from sipcc.records.kpi import KpiFold, QueueFigures, ServiceLevels, figures_of
from sipcc.records.outcome import QueueOutcome

WALL = 1_790_000_000.0


def figures_with(**exits: list[float]) -> QueueFigures:
    figures = QueueFigures(queue="sales", threshold=20.0)
    for exit_, waits in exits.items():
        for waited in waits:
            figures.add_exit(exit_, waited)  # type: ignore[arg-type]
    return figures


def test_golden_vector_of_the_four_service_levels() -> None:
    figures = figures_with(answered=[20.0] * 70 + [20.001] * 15, abandoned=[8.0] * 10 + [40.0] * 5)
    levels = figures.service_levels
    assert [round(100 * (value or 0), 2) for value in (levels.f1, levels.f2, levels.f3, levels.f4)] == [
        80.00,
        82.35,
        70.00,
        77.78,
    ]
    assert figures.offered == 100
    assert figures.abandon_rate == pytest.approx(0.15)
    assert figures.asa == pytest.approx((70 * 20.0 + 15 * 20.001) / 85)


def test_short_abandons_are_in_no_rate() -> None:
    figures = figures_with(answered=[5.0], abandoned=[30.0], short_abandoned=[1.0, 2.0], timed_out=[300.0])
    assert (figures.offered, figures.answered, figures.abandoned, figures.short) == (2, 1, 1, 2)
    assert figures.abandon_rate == 0.5
    assert figures.answer_rate == 0.2
    assert figures.longest_wait == 300.0
    assert figures.exits == {"answered": 1, "abandoned": 1, "short_abandoned": 2, "timed_out": 1}


def test_nothing_yet_has_no_rates() -> None:
    figures = QueueFigures(queue="sales")
    assert (figures.asa, figures.aht, figures.abandon_rate, figures.answer_rate) == (None, None, None, None)
    assert figures.service_levels == ServiceLevels(None, None, None, None)


def joined(at: float, entry: str) -> QueueJoined:
    return QueueJoined(at=at, entry=entry, queue="sales", call="c", caller="x", priority=0, position=1)


def left(at: float, entry: str, exit_: str, waited: float, agent: str | None = None) -> QueueLeft:
    return QueueLeft(
        at=at,
        entry=entry,
        queue="sales",
        call="c",
        exit=exit_,
        waited=waited,
        agent=agent,  # type: ignore[arg-type]
    )


def state(at: float, before: str, after: str) -> AgentStateChanged:
    return AgentStateChanged(at=at, agent="bob", before=before, after=after)


def talk(at: float, talked: float) -> TalkEnded:
    return TalkEnded(at=at, entry="e1", queue="sales", call="c", agent="bob", talked=talked)


STORY: list[Event] = [
    joined(0.0, "e1"),
    joined(4.0, "e2"),
    left(10.0, "e1", "answered", 10.0, "bob"),
    state(10.0, "ringing", "talking"),
    talk(70.0, 60.0),
    state(70.0, "talking", "wrap_up"),
    state(85.0, "wrap_up", "ready"),
]


def test_the_fold_of_events() -> None:
    fold = KpiFold({"sales": 15.0})
    for event in STORY:
        fold.apply(event, WALL + event.at)
    figures = fold.queue("sales")
    assert (figures.joined, figures.waiting, figures.answered, figures.handled) == (2, 1, 1, 1)
    assert (figures.talk, figures.wrap_up, figures.aht) == (60.0, 15.0, 75.0)
    assert figures.threshold == 15.0
    assert fold.longest_waiting("sales", wall=WALL + 85.0) == 81.0
    assert fold.longest_waiting("help", wall=WALL + 85.0) == 0.0
    assert fold.agent_states() == {"ready": 1}


def test_the_order_of_talk_end_and_wrap_up_does_not_matter() -> None:
    fold = KpiFold()
    swapped = [*STORY[:4], STORY[5], STORY[4], STORY[6]]
    for event in swapped:
        fold.apply(event, WALL + event.at)
    assert fold.queue("sales").aht == 75.0


def test_told_twice_counts_once() -> None:
    once, twice = KpiFold(), KpiFold()
    for event in STORY:
        once.apply(event, WALL + event.at)
        twice.apply(event, WALL + event.at)
        twice.apply(event, WALL + event.at)
    assert twice.queues == once.queues


def test_figures_of_stored_entries() -> None:
    def outcome(entry: str, exit_: str, waited: float, talked: float | None) -> QueueOutcome:
        return QueueOutcome(
            entry=entry,
            queue="sales",
            call="c",
            caller="x",
            priority=0,
            joined=WALL,
            left=WALL + waited,
            waited=waited,
            exit=exit_,  # type: ignore[arg-type]
            agent=None,
            talked=talked,
        )

    figures = figures_of([outcome("a", "answered", 3.0, 40.0), outcome("b", "abandoned", 30.0, None)])[
        "sales"
    ]
    assert (figures.joined, figures.offered, figures.asa, figures.aht) == (2, 2, 3.0, 40.0)
    assert figures.service_levels.f3 == 0.5
