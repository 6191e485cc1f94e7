"""Strategies with a key: the sorted agents and the choice must be of one mind."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sipcc.acd.effort import Effort
from sipcc.acd.model import Agent, AgentState, Entry, Line, Strategy, Turn
from sipcc.acd.router import decide
from sipcc.acd.settings import AgentSettings
from sipcc.acd.strategies import BUILT_IN

KEYED = [name for name, kind in BUILT_IN.items() if hasattr(kind, "key")]
ENTRY = Entry(id="e", number=1, queue="q", call="c", caller="13800138000", priority=0, joined=0.0)
SMALL = st.integers(0, 2)


@given(st.sampled_from(KEYED), st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=8))
def test_the_first_by_key_is_the_choice(name: str, drawn: list[tuple[int, int, int]]) -> None:
    agents = [
        Agent(
            settings=AgentSettings(name=f"a{order}"),
            order=order,
            state=AgentState.READY,
            idle_since=float(idle),
            effort=Effort(calls=calls, talked=talked * 10.0, handled=talked * 12.0),
        )
        for order, (idle, calls, talked) in enumerate(drawn)
    ]
    strategy: Strategy = BUILT_IN[name]()
    first = min(agents, key=lambda agent: BUILT_IN[name].key(agent, now=99.0))  # type: ignore[attr-defined]
    assert list(strategy.choose(agents, Turn(entry=ENTRY, last=-1, bits=0, now=99.0))) == [first.name]


class Broken:
    """A user's strategy whose key raises, and whose choice works."""

    rings_all = False

    def key(self, agent: Agent, *, now: float) -> int:
        raise ValueError(agent.name)

    def choose(self, agents: Sequence[Agent], turn: Turn) -> Sequence[str]:
        return (agents[-1].name,)


def test_a_key_that_raises_costs_nobody_a_turn() -> None:
    agents = {
        name: Agent(settings=AgentSettings(name=name), order=order, state=AgentState.READY)
        for order, name in enumerate(("anna", "bela"))
    }
    line = Line(
        queue="q", strategy=Broken(), strategy_name="broken", members=("anna", "bela"), entries=(ENTRY,)
    )
    [pick] = decide([line], agents, now=1.0)
    assert pick.agents == ("bela",)
