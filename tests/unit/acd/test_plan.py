"""Which stage of a caller's plan counts, and what the router makes of it."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.acd.floor_desk import desk

from sipcc.acd.agents import AgentInput
from sipcc.acd.model import Agent, AgentState, Entry, Stage
from sipcc.acd.plan import admitted, stage_at
from sipcc.acd.settings import AgentSettings


class Only(msgspec.Struct, frozen=True):
    """Admits those who are named."""

    names: tuple[str, ...]

    def why_not(self, agent: Agent) -> str:
        return "" if agent.name in self.names else f"is not {' or '.join(self.names)}"


def agent(name: str, state: AgentState) -> Agent:
    return Agent(settings=AgentSettings(name=name), order=0, state=state)


def entry(*plan: Stage) -> Entry:
    return Entry(id="e", number=1, queue="q", call="c", caller="", priority=0, joined=100.0, plan=plan)


FIRST = Stage(after=0.0, want=Only(("anna",)), label="last agent", skip_absent=True)
SECOND = Stage(after=20.0, want=Only(("anna", "bela")), label="skills")
LATE = Stage(after=5.0, want=Only(("bela",)), label="late")


@pytest.mark.parametrize(
    ("plan", "anna", "waited", "label"),
    [
        ((), AgentState.READY, 0.0, None),
        ((FIRST, SECOND), AgentState.READY, 0.0, "last agent"),
        ((FIRST, SECOND), AgentState.TALKING, 19.99, "last agent"),
        ((FIRST, SECOND), AgentState.TALKING, 20.0, "skills"),
        ((FIRST, SECOND), AgentState.OFFLINE, 0.0, "skills"),
        ((FIRST, SECOND), AgentState.QUARANTINED, 0.0, "skills"),
        ((FIRST,), AgentState.OFFLINE, 0.0, None),
        ((FIRST,), AgentState.NOT_READY, 0.0, "last agent"),
        ((LATE,), AgentState.READY, 4.99, None),
        ((LATE,), AgentState.READY, 5.0, "late"),
    ],
)
def test_the_stage_that_counts(
    plan: tuple[Stage, ...], anna: AgentState, waited: float, label: str | None
) -> None:
    team = [agent("anna", anna), agent("bela", AgentState.READY)]
    stage = stage_at(entry(*plan), team, now=100.0 + waited)
    assert (stage.label if stage else None) == label


def test_who_is_admitted() -> None:
    team = [agent("anna", AgentState.READY), agent("bela", AgentState.READY)]
    assert list(admitted(None, team)) == ["anna", "bela"]
    assert list(admitted(FIRST, team)) == ["anna"]


def test_a_plan_widens_while_the_caller_waits() -> None:
    it = desk("anna", "bela")
    it.command("anna", AgentInput.PAUSE)
    it.floor.join("c", "q", call="call-c", caller="", priority=0, plan=(FIRST, SECOND), now=0.0)
    it.settle()
    assert not it.rings, "anna is there, so she is waited for"
    it.at(19.9)
    assert not it.rings
    it.at(20.0)
    assert list(it.rings) == ["bela"]
    [trace] = it.floor.traces.values()
    assert [verdict.reason for verdict in trace.verdicts()] == ["is not_ready", ""]


def test_the_trace_tells_what_the_plan_has_against_somebody() -> None:
    it = desk("anna", "bela")
    it.floor.join("c", "q", call="call-c", caller="", priority=0, plan=(FIRST,), now=0.0)
    it.settle()
    [trace] = it.floor.traces.values()
    assert [verdict.reason for verdict in trace.verdicts()] == ["", "last agent: is not anna"]


def test_who_goes_is_not_waited_for_any_longer() -> None:
    it = desk("anna", "bela")
    it.command("anna", AgentInput.PAUSE)
    it.floor.join("c", "q", call="call-c", caller="", priority=0, plan=(FIRST, SECOND), now=0.0)
    it.settle()
    it.command("anna", AgentInput.LOGOUT)
    assert list(it.rings) == ["bela"]
