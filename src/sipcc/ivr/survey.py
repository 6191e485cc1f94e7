"""Surveys: after a conversation that the agent's side has ended, the caller says how content it is.

The asking is a program over `sipcc.ivr.session.Session`. The score counts, and is told, in the moment in
which it is known: whoever hangs up in the comment has answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import msgspec

from sipcc.call.digits import CollectSettings, OptionsMatcher
from sipcc.errors import CallEnded
from sipcc.events import Event
from sipcc.ivr.feedback import SurveyAnswered, SurveyCommented, SurveyOffered
from sipcc.ivr.session import Session
from sipcc.ivr.settings import listed
from sipcc.ivr.steps import Gather, Left, Record, named

_SCALE = re.compile("([0-9])-([0-9])")


class SurveySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One survey. It is asked after conversations of its queues, and where ``survey:NAME`` leads."""

    name: str
    """The name in ``survey:NAME``."""
    queues: tuple[str, ...] = ()
    """Asked after conversations with agents of these queues, when it was the agent's side that ended them."""
    agents: tuple[str, ...] = ()
    """Only after conversations with these agents; empty for all."""
    prompt: str | tuple[str, ...] = "survey_question"
    """The question."""
    scale: str = "1-5"
    """The keys that answer it, from the lowest to the highest score."""
    language: str = ""
    """The language of its prompts; empty for that of the call."""
    tries: Annotated[int, msgspec.Meta(ge=1, le=5)] = 2
    """How often it is asked when nothing or something else is typed."""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Seconds from the end of the question to the key."""
    comment: bool = False
    """Whether callers are asked to say why, and recorded."""
    comment_prompt: str | tuple[str, ...] = "survey_comment"
    """What asks for that."""
    comment_length: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0
    """Seconds of the longest comment."""
    thanks: str | tuple[str, ...] = "thank_you"
    """What is said at last; empty for nothing."""
    low_below: int = 0
    """A score below this goes to `low_to`."""
    low_to: str = ""
    """The destination of callers who are not content, as ``queue:care``; empty ends their call as others'."""
    low_callback: str = ""
    """A queue that calls them back; empty calls nobody back."""

    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest score.

        Raises:
            ValueError: `scale` is none.
        """
        match = _SCALE.fullmatch(self.scale)
        if match is None or int(match[1]) >= int(match[2]):
            raise ValueError(f"{self.scale!r} is no scale; write it as in '1-5'")
        return int(match[1]), int(match[2])

    def asks(self, queue: str, agent: str) -> bool:
        """Whether it is asked after a conversation with that agent of that queue."""
        return queue in self.queues and (not self.agents or agent in self.agents)


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What a survey is about."""

    run: str
    """A new id."""
    queue: str = ""
    agent: str = ""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a survey."""

    score: int | None
    """None for no answer."""
    low: bool = False
    """True when the score is one of those that something is done about."""


def may_ask(left: Left) -> bool:
    """Whether a caller who left a queue so had a conversation, and the agent's side has ended it."""
    return left.exit == "answered" and left.ended_by == "agent"


async def ask_survey(
    session: Session,
    survey: SurveySettings,
    about: Asking,
    tell: Callable[[Event], None],
    *,
    on_low: Callable[[], None] = lambda: None,
) -> Opinion:
    """Ask the caller; what it answers is told as events.

    Args:
        session: The caller.
        survey: What is asked.
        about: Whom it judges.
        tell: Takes the events.
        on_low: Called when the score is low, also of a caller who hangs up then.

    Raises:
        CallEnded: the caller has hung up; what it had answered is told.
    """
    low, high = survey.bounds()
    base = {"call": session.id, "survey": survey.name, "run": about.run}
    served = {"queue": about.queue, "agent": about.agent}
    if survey.language:
        session.language = survey.language
    session.forget_keys()  # of the conversation
    tell(SurveyOffered(at=session.now(), **base, **served))
    score = await _score(session, survey, low, high)
    if score is None:
        return Opinion(score=None)
    tell(SurveyAnswered(at=session.now(), **base, **served, score=score, low=low, high=high))
    unhappy = score < survey.low_below
    if unhappy:
        on_low()
    if survey.comment:
        await _comment(session, survey, base, tell)
    if not (unhappy and survey.low_to):
        await session.play(named(*listed(survey.thanks), bargein="off"))
    return Opinion(score=score, low=unhappy)


async def _score(session: Session, survey: SurveySettings, low: int, high: int) -> int | None:
    keys = OptionsMatcher(str(score) for score in range(low, high + 1))
    collect = CollectSettings(timeout=survey.timeout, terminators="")
    prompts = named(*listed(survey.prompt))
    for _ in range(survey.tries):
        step = Gather(prompts=prompts, keys=keys, collect=collect, label=f"survey {survey.name}")
        answer = await session.gather(step)
        if answer.outcome == "keys":
            return int(answer.keys)
        again = "noinput" if answer.outcome == "noinput" else "invalid"
        prompts = named(again, *listed(survey.prompt))
    return None


async def _comment(
    session: Session, survey: SurveySettings, base: dict[str, str], tell: Callable[[Event], None]
) -> None:
    recorded = await session.record(
        Record(
            prompts=named(*listed(survey.comment_prompt)),
            max_time=survey.comment_length,
            final_silence=3.0,
            timeout=5.0,
        )
    )
    if recorded.path:
        tell(SurveyCommented(at=session.now(), **base, path=recorded.path, seconds=recorded.seconds))
    if recorded.ended_by == "hangup":
        raise CallEnded("hangup")
