"""A day of a whole centre: its report against the SIP messages of carrier and phones."""

from pathlib import Path

import pytest

from sipcc.cli.demo_day import Day, compare
from sipcc.records.kpi import QueueFigures
from sipcc.records.report import Cell
from sipcc.testing.oracle import Counted, CountedAgent


@pytest.mark.timeout(90)  # it takes a slow machine as long as others are given
async def test_the_messages_confirm_the_report_of_a_day(tmp_path: Path) -> None:
    verdict = await Day(tmp_path, seed=2, scale=0.15).run()
    assert verdict.differences == []
    assert verdict.compared > 300
    assert sum(row.joined for row in verdict.totals) == sum(row.joined for row in verdict.rows)
    assert sum(row.joined for row in verdict.totals) == verdict.callers
    assert sum(row.answered for row in verdict.agents) == sum(row.answered for row in verdict.totals) > 50


def test_a_figure_that_the_messages_deny_is_named() -> None:
    figures = QueueFigures(queue="sales", joined=2)
    figures.add_exit("answered", 4.0)
    figures.add_exit("abandoned", 30.0)
    figures.add_talk(60.0)
    cells = {(0.0, "sales"): Cell(figures=figures)}
    right = Counted(joined=2, answered=1, abandoned=1, answered_in_time=1, wait=4.0, talk=60.0)
    person = CountedAgent(offers=1, answered=1, talk=60.0)
    agents = {"ann": Cell(figures=QueueFigures(queue="ann", answered=1, talk=60.0), offers=1)}

    compared, differences = compare(cells, {(0.0, "sales"): right}, agents, {"ann": person})
    assert compared > 20
    assert differences == []

    wrong = Counted(joined=2, answered=1, abandoned=1, answered_in_time=0, wait=5.0, talk=60.0)
    _, differences = compare(cells, {(0.0, "sales"): wrong}, agents, {"ann": CountedAgent(offers=2)})
    assert {(each.where, each.figure) for each in differences if each.where in ("sales", "ann")} == {
        *(
            ("sales", name)
            for name in ("answered_in_time", "wait", "asa", "sl_f1", "sl_f2", "sl_f3", "sl_f4")
        ),
        *(("ann", name) for name in ("offers", "answered", "talk")),
    }
