"""How content callers are, folded from the event log: by survey, queue and agent.

Each asking counts once, whatever is told of it how often: it is offered, and answered or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from sipcc.events import Event
from sipcc.ivr.feedback import SurveyAnswered, SurveyCommented, SurveyOffered
from sipcc.records.kpi import ratio

SurveyBy = Literal["survey", "queue", "agent"]


class SurveyAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One asking."""

    run: str
    call: str
    wall: float
    """Unix time of the first question."""
    survey: str
    queue: str
    agent: str
    score: int | None = None
    low: int = 0
    high: int = 0
    comment: str = ""
    """The file of what the caller said to it; empty for none."""


class SurveyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The askings of one survey, queue or agent."""

    name: str
    """Empty for those that have none, and for the sum of all."""
    offered: int
    answered: int
    response_rate: float | None
    """answered / offered, 0..1; None without any."""
    mean: float | None
    """The mean of the scores."""
    satisfied: int
    """Answers in the upper two fifths of their scale: 4 and 5 of 1-5."""
    csat: float | None
    """satisfied / answered, 0..1; None without any."""
    scores: dict[int, int]
    """How often each score was given."""


class SurveyFold:
    """Folds events into askings."""

    def __init__(self) -> None:
        self._asked: dict[str, SurveyAsked] = {}

    def apply(self, event: Event, wall: float) -> None:
        """Take in `event`, which happened at the Unix time `wall`."""
        if isinstance(event, SurveyOffered):
            self._asked.setdefault(
                event.run,
                SurveyAsked(
                    run=event.run,
                    call=event.call,
                    wall=wall,
                    survey=event.survey,
                    queue=event.queue,
                    agent=event.agent,
                ),
            )
        elif isinstance(event, SurveyAnswered | SurveyCommented):
            asked = self._asked.get(event.run)
            if asked is None:
                return  # it was offered before what is read begins
            if isinstance(event, SurveyCommented):
                asked = msgspec.structs.replace(asked, comment=event.path)
            elif asked.score is None:
                asked = msgspec.structs.replace(asked, score=event.score, low=event.low, high=event.high)
            self._asked[event.run] = asked

    def askings(self, *, since: float = 0.0, until: float = float("inf")) -> list[SurveyAsked]:
        """Those that began in [`since`, `until`), in their order."""
        return [asked for asked in self._asked.values() if since <= asked.wall < until]


def survey_rows(askings: Iterable[SurveyAsked], by: SurveyBy) -> list[SurveyRow]:
    """One row for each name, in the order of names."""
    groups: dict[str, list[SurveyAsked]] = {}
    for asked in askings:
        groups.setdefault(getattr(asked, by), []).append(asked)
    return [survey_row(name, group) for name, group in sorted(groups.items())]


def survey_row(name: str, askings: Iterable[SurveyAsked]) -> SurveyRow:
    """The sum of `askings`."""
    group = list(askings)
    answers = [(asked.score, asked) for asked in group if asked.score is not None]
    scores: dict[int, int] = {}
    for score, _ in answers:
        scores[score] = scores.get(score, 0) + 1
    satisfied = sum(_is_satisfied(score, asked) for score, asked in answers)
    total = sum(score for score, _ in answers)
    return SurveyRow(
        name=name,
        offered=len(group),
        answered=len(answers),
        response_rate=ratio(len(answers), len(group)),
        mean=None if not answers else round(total / len(answers), 3),
        satisfied=satisfied,
        csat=ratio(satisfied, len(answers)),
        scores=dict(sorted(scores.items())),
    )


def _is_satisfied(score: int, asked: SurveyAsked) -> bool:
    steps = asked.high - asked.low + 1
    return score - asked.low >= steps - 2 * steps / 5
