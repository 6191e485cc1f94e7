"""Erlang B, C and A against published tables, against each other, and against the birth-death chain."""

from __future__ import annotations

from math import inf

import pytest

from sipcc.acd.erlang import Load, Performance, agents_needed, erlang_b, erlang_c, performance, staffing
from sipcc.errors import LocalProtocolError


@pytest.mark.parametrize(
    ("agents", "erlangs", "lost"),
    [
        # The usual table of the first Erlang formula: offered traffic by servers and blocking.
        (1, 0.0101, 0.01),
        (10, 3.092, 0.001),
        (10, 4.461, 0.01),
        (10, 5.084, 0.02),
        (100, 84.064, 0.01),
        (0, 7.0, 1.0),
        # Wolfram's page on ErlangB: 25 erlangs on 30 lines, about 0.05.
        (30, 25.0, 0.0526),
    ],
)
def test_erlang_b(agents: int, erlangs: float, lost: float) -> None:
    assert erlang_b(erlangs, agents) == pytest.approx(lost, rel=2e-3)


def test_erlang_c_as_in_the_example_of_360_calls_per_half_hour() -> None:
    """The worked example of mitan.co.uk/erlang: 4 minutes each, 55 agents: 0.239, 8.2 s, 84.6 % in 15 s."""
    found = performance(Load(rate=0.2, handle=240.0), 55, within=15.0)
    assert found.waiting == pytest.approx(0.239, abs=5e-4)
    assert found.asa == pytest.approx(8.2, abs=0.05)
    assert found.service_level == pytest.approx(0.846, abs=5e-4)
    assert found.occupancy == pytest.approx(0.873, abs=5e-4)


def test_impatience_as_in_garnett_mandelbaum_and_reiman() -> None:
    """ "Designing a call center with impatient customers", M&SOM 4(3), 2002, table 1.

    50 agents, 48 calls per minute, one minute each. M/M/N: 20.8 s of wait, 90 % within 58.1 s, 96 % busy.
    With a mean patience of two minutes: 3.1 % give up, 3.7 s, 90 % within 12.5 s, 93 % busy.
    """
    endless = performance(Load(rate=0.8, handle=60.0), 50, within=58.1)
    assert endless.asa == pytest.approx(20.8, abs=0.05)
    assert endless.service_level == pytest.approx(0.9, abs=1e-3)
    assert endless.occupancy == pytest.approx(0.96)
    impatient = performance(Load(rate=0.8, handle=60.0, patience=120.0), 50, within=12.5)
    assert impatient.abandoned == pytest.approx(0.031, abs=5e-4)
    assert impatient.abandoned * 120.0 == pytest.approx(3.7, abs=0.05), "the mean wait, by Little's law"
    assert impatient.occupancy == pytest.approx(0.93, abs=5e-4)


def chain(load: Load, agents: int) -> tuple[float, float, float]:
    """Waiting, abandonment and occupancy by the birth-death chain itself."""
    weights = [1.0]
    while len(weights) <= agents + 5 or weights[-1] > 1e-18 * max(weights):
        inside = len(weights)
        leaving = min(inside, agents) / load.handle + max(0, inside - agents) / load.patience
        weights.append(weights[-1] * load.rate / leaving)
    total = sum(weights)
    queue = sum(max(0, inside - agents) * weight for inside, weight in enumerate(weights)) / total
    busy = sum(min(inside, agents) * weight for inside, weight in enumerate(weights)) / total
    return sum(weights[agents:]) / total, queue / load.patience / load.rate, busy / agents


@pytest.mark.parametrize(
    ("load", "agents"),
    [
        (Load(rate=0.01, handle=60.0, patience=300.0), 1),
        (Load(rate=0.8, handle=60.0, patience=120.0), 50),
        (Load(rate=2.0, handle=60.0, patience=120.0), 50),
        (Load(rate=0.5, handle=180.0, patience=5.0), 60),
        (Load(rate=1.2, handle=300.0, patience=90.0), 340),
    ],
)
def test_erlang_a_is_the_chain(load: Load, agents: int) -> None:
    found = performance(load, agents, within=20.0)
    assert (found.waiting, found.abandoned, found.occupancy) == pytest.approx(chain(load, agents), rel=1e-6)


@pytest.mark.parametrize("patience", [inf, 60.0])
def test_thousands_of_agents(patience: float) -> None:
    load = Load(rate=20.0, handle=180.0, patience=patience)
    agents = agents_needed(load, target=0.8, within=20.0)
    assert performance(load, agents, within=20.0).service_level >= 0.8
    assert performance(load, agents - 1, within=20.0).service_level < 0.8
    assert (agents > load.erlangs) == (patience == inf)


def test_endless_patience_is_the_limit_of_much_of_it() -> None:
    patient = performance(Load(rate=0.2, handle=240.0), 55, within=15.0)
    nearly = performance(Load(rate=0.2, handle=240.0, patience=1e9), 55, within=15.0)
    for name in Performance.__struct_fields__:
        assert getattr(nearly, name) == pytest.approx(getattr(patient, name), abs=1e-4)


def test_the_edges() -> None:
    assert erlang_c(10.0, 10) == 1.0
    drowned = performance(Load(rate=1.0, handle=60.0), 60, within=20.0)
    assert (drowned.asa, drowned.service_level, drowned.occupancy) == (inf, 0.0, 1.0)
    assert performance(Load(rate=0.0, handle=60.0), 0, within=20.0).service_level == 1.0
    assert performance(Load(rate=1.0, handle=60.0), 0, within=20.0).service_level == 0.0
    assert performance(Load(rate=1.0, handle=60.0, patience=9.0), 0, within=20.0).abandoned == 1.0


def test_agents_needed_is_the_smallest_number() -> None:
    load = Load(rate=0.2, handle=240.0)
    agents = agents_needed(load, target=0.8, within=20.0)
    assert agents == next(n for n in range(49, 80) if performance(load, n, within=20.0).service_level >= 0.8)
    rested = agents_needed(load, target=0.8, within=20.0, occupancy=0.75)
    assert rested == 64, "48 erlangs at three quarters"
    few_lost = agents_needed(
        Load(rate=0.2, handle=240.0, patience=60.0), target=0.0, within=0.0, abandoned=0.01
    )
    assert few_lost > agents_needed(Load(rate=0.2, handle=240.0, patience=60.0), target=0.8, within=20.0)


def test_staffing_by_interval() -> None:
    asked = {"handle": 240.0, "target": 0.8, "within": 20.0}
    rosters = staffing([0.0, 360.0, 36.0], **asked)
    assert rosters[0] == 0
    assert rosters[1] == agents_needed(Load(rate=0.2, handle=240.0), target=0.8, within=20.0)
    assert staffing([360.0], shrinkage=0.5, **asked) == [2 * rosters[1]]
    assert staffing([180.0], interval=900.0, **asked) == rosters[1:2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"handle": 0.0}, "handling time"),
        ({"target": 1.0}, "from 0 to 0.9999"),
        ({"within": -1.0}, "must be 0 or more"),
        ({"interval": 0.0}, "interval"),
        ({"patience": 0.0}, "patience"),
        ({"shrinkage": 1.0}, "shrinkage"),
        ({"offered": [-1.0]}, "rate must be 0 or more"),
    ],
)
def test_figures_out_of_range(change: dict[str, object], said: str) -> None:
    asked: dict[str, object] = {"offered": [10.0], "handle": 240.0, "target": 0.8, "within": 20.0} | change
    with pytest.raises(LocalProtocolError, match=said):
        staffing(**asked)  # type: ignore[arg-type]


def test_what_is_asked_of_agents_needed_must_be_possible() -> None:
    with pytest.raises(LocalProtocolError, match="abandonment"):
        agents_needed(Load(rate=1.0, handle=60.0), target=0.8, within=20.0, abandoned=0.0)
