"""A survey asks once, and counts what is known when it is known: whoever hangs up later has answered."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from sipcc.errors import CallEnded
from sipcc.events import Event
from sipcc.ivr.feedback import SurveyAnswered, SurveyCommented, SurveyOffered
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import Enqueue
from sipcc.ivr.survey import Asking, Opinion, SurveySettings, ask_survey, may_ask
from sipcc.records.surveys import SurveyFold, survey_row, survey_rows

CARE = SurveySettings(name="care", queues=("sales",), low_below=3, comment=True)


def ask(
    script: str, survey: SurveySettings = CARE, *, run: str = "run", agent: str = "alice"
) -> tuple[Opinion | None, list[Event], list[str]]:
    """What comes of a caller who does `script`; None for one who hung up."""
    told: list[Event] = []
    low: list[str] = []
    about = Asking(run=run, queue="sales", agent=agent)
    session = SimSession(script)
    try:
        opinion = finish(ask_survey(session, survey, about, told.append, on_low=lambda: low.append(run)))
    except CallEnded:
        opinion = None
    return opinion, told, low


def kinds(told: list[Event]) -> list[type[Event]]:
    return [type(event) for event in told]


def test_a_score_and_a_comment() -> None:
    opinion, told, low = ask("keys 2")
    assert opinion is not None
    assert (opinion.score, opinion.low) == (2, True)
    assert kinds(told)[:2] == [SurveyOffered, SurveyAnswered]
    assert low == ["run"]


def test_without_an_answer_it_is_asked_again_and_then_no_more() -> None:
    opinion, told, low = ask("silence\nkeys 9")
    assert opinion == Opinion(score=None)
    assert kinds(told) == [SurveyOffered]
    assert low == []


def test_a_wrong_key_and_then_a_right_one() -> None:
    opinion, _, _ = ask("keys 9\nkeys 4")
    assert opinion is not None
    assert (opinion.score, opinion.low) == (4, False)


def test_whoever_hangs_up_before_the_key_was_asked_and_has_not_answered() -> None:
    opinion, told, _ = ask("wait 1s hangup")
    assert opinion is None
    assert kinds(told) == [SurveyOffered]


def test_whoever_hangs_up_in_the_comment_has_answered() -> None:
    opinion, told, low = ask("keys 1\nhangup")
    assert opinion is None
    assert kinds(told)[:2] == [SurveyOffered, SurveyAnswered]
    assert low == ["run"]


@pytest.mark.parametrize("scale", ["5-1", "1", "one to five", "1-10"])
def test_what_is_no_scale(scale: str) -> None:
    with pytest.raises(ValueError, match="scale"):
        SurveySettings(name="care", scale=scale).bounds()


async def talk_and_judge(session: SimSession, about: Asking, tell: Callable[[Event], None]) -> None:
    """What callers of a queue go through."""
    left = await session.enqueue(Enqueue(queue="sales"))
    if may_ask(left):
        await ask_survey(session, CARE, about, tell)


def test_a_thousand_callers_are_counted_once_each() -> None:
    """The agent or the caller ends the talk, or nobody answers; then a key, none, a wrong one, or a hang-up
    before, in or after it. Much is told twice, and all is counted once.
    """
    chance, fold = random.Random(19), SurveyFold()
    answered: dict[str, list[int]] = {"alice": [], "bob": []}
    offered, asked = dict.fromkeys(answered, 0), 0
    for number in range(1000):
        agent, score = chance.choice(("alice", "bob")), chance.randint(1, 5)
        script, counts = chance.choice(
            [
                (f"keys {score}", True),
                (f"keys 9\nkeys {score}", True),
                (f"silence\nkeys {score}\nhangup", True),
                (f"keys {score}\nhangup", True),
                ("at 70.2s hangup", False),
                ("at 72s hangup", False),
                ("silence\nsilence", False),
                ("keys 0 wait 1s hangup", False),
            ]
        )
        told: list[Event] = []
        ways = ["agent"] * 6 + ["caller", "", "no_agent"]
        ended_by = chance.choice(ways)
        outcome = "no_agent" if ended_by == "no_agent" else f'{{exit="answered", ended_by="{ended_by}"}}'
        about = Asking(run=f"run-{number}", queue="sales", agent=agent)
        with suppress(CallEnded):
            finish(talk_and_judge(SimSession(f"queue={outcome}\n{script}"), about, told.append))
        for event in told * chance.randint(1, 2):
            fold.apply(event, float(number))
        asked += ended_by == "agent"
        if ended_by != "agent":
            assert told == []
            continue
        offered[agent] += 1
        if counts:
            answered[agent].append(score)
    rows = {row.name: row for row in survey_rows(fold.askings(), "agent")}
    for agent, scores in answered.items():
        row = rows[agent]
        assert (row.offered, row.answered) == (offered[agent], len(scores))
        assert row.response_rate == pytest.approx(len(scores) / offered[agent], abs=1e-3)
        assert row.mean == pytest.approx(sum(scores) / len(scores), abs=1e-3)
        assert row.csat == pytest.approx(sum(each >= 4 for each in scores) / len(scores), abs=1e-3)
        assert sum(row.scores.values()) == len(scores)
    assert survey_row("", fold.askings()).offered == asked
    assert asked > 600


def test_what_was_offered_before_the_log_begins_is_not_counted() -> None:
    fold = SurveyFold()
    fold.apply(SurveyAnswered(at=0, call="c", survey="s", run="r", score=1, low=1, high=5), 1.0)
    assert fold.askings() == []
    fold.apply(SurveyOffered(at=0, call="c", survey="s", run="r"), 2.0)
    fold.apply(SurveyCommented(at=0, call="c", survey="s", run="r", path="p", seconds=1), 3.0)
    [asked] = fold.askings()
    assert (asked.score, asked.comment) == (None, "p")
    assert survey_row("", []).csat is None
