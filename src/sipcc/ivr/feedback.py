"""What callers leave behind, as events: messages in mailboxes, and answers to surveys."""

from __future__ import annotations

from typing import Literal

from sipcc.events import Event


class VoicemailLeft(Event, frozen=True, kw_only=True):
    """A caller left a message in a mailbox."""

    call: str
    box: str
    message: str
    """Its id."""
    caller: str
    seconds: float


class VoicemailHeard(Event, frozen=True, kw_only=True):
    """Somebody heard a message for the first time, or made it new again."""

    call: str
    """The call in which it was left; so for all events of a message."""
    box: str
    message: str
    heard: bool
    by: str
    """A user, or the name of a token."""


class VoicemailDeleted(Event, frozen=True, kw_only=True):
    """A message is gone."""

    call: str
    box: str
    message: str
    why: Literal["asked", "expired"]
    by: str = ""
    """Who asked for it."""


class VoicemailTranscribed(Event, frozen=True, kw_only=True):
    """What a message says is known in words; they stand with the message."""

    call: str
    box: str
    message: str


class SurveyOffered(Event, frozen=True, kw_only=True):
    """A caller is asked how content it is: told once for each conversation, before the first question."""

    call: str
    survey: str
    run: str
    """The id of this asking; the events of one asking have the same."""
    queue: str = ""
    """The queue that the conversation came from; empty for none."""
    agent: str = ""
    """Who is judged; empty where nobody answered."""


class SurveyAnswered(Event, frozen=True, kw_only=True):
    """A caller has said how content it is."""

    call: str
    survey: str
    run: str
    score: int
    low: int
    """The lowest score that could be given."""
    high: int
    queue: str = ""
    agent: str = ""


class SurveyCommented(Event, frozen=True, kw_only=True):
    """A caller has said why, in a recording."""

    call: str
    survey: str
    run: str
    path: str
    seconds: float
