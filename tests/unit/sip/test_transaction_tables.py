from __future__ import annotations

import pytest

from sipcc.sip.transaction.tables import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Action,
    Input,
    State,
    Table,
    mermaid,
)

TABLES = {
    "INVITE client": INVITE_CLIENT,
    "client": CLIENT,
    "INVITE server": INVITE_SERVER,
    "server": SERVER,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_state_is_reached_and_can_end(table: Table) -> None:
    reached = {next(iter(table))} | {then for row in table.values() for then, _ in row.values()}
    assert reached == set(table)
    assert table[State.TERMINATED] == {}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_timer_that_fires_is_started_and_the_other_way_round(table: Table) -> None:
    started = {str(a).split(" ")[1] for row in table.values() for _, acts in row.values() for a in acts
               if a.startswith("start ")}  # fmt: skip
    fires = {str(what) for row in table.values() for what in row if len(what) == 1}
    first = {"INVITE client": {"A", "B"}, "client": {"E", "F"}}
    began = next((first[name] for name, other in TABLES.items() if other is table and name in first), set())
    assert started | began == fires


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_state_before_the_final_answer_ends_by_a_timer_or_from_above(table: Table) -> None:
    for state, row in table.items():
        if state is not State.TERMINATED:
            ways = {what for what, (then, _) in row.items() if then is not state}
            assert ways, f"{state} is a trap"


def test_the_diagram_names_every_row() -> None:
    text = mermaid(INVITE_CLIENT, "INVITE client")
    assert text.startswith("---\ntitle: INVITE client\n---\nstateDiagram-v2\n    [*] --> Calling\n")
    assert "    Calling --> Terminated: timer B / report time-out\n" in text
    assert "    Calling --> Accepted: 2xx / stop A, stop B, pass to TU, start M\n" in text
    assert "    Completed --> Completed: 1xx\n" in text
    rows = sum(len(row) for row in INVITE_CLIENT.values())
    assert text.count(" --> ") == rows + 2


def test_names_are_those_of_the_figures() -> None:
    assert [str(state) for state in INVITE_SERVER] == [
        "Proceeding", "Completed", "Confirmed", "Accepted", "Terminated",
    ]  # fmt: skip
    assert Action.START_M in INVITE_CLIENT[State.CALLING][Input.SUCCESS][1]
    assert Action.START_L in INVITE_SERVER[State.PROCEEDING][Input.SEND_SUCCESS][1]
