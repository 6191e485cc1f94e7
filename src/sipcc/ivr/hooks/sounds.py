"""Texts and URLs of applications, as what can be said."""

from __future__ import annotations

from sipcc.ivr.hooks import ssml
from sipcc.ivr.hooks.model import BadAnswer
from sipcc.ivr.steps import Audio, Named, Spoken, Text

PROMPT = "prompt:"
"""How the URL begins that stands for a prompt of our catalogue."""
LONGEST = 10_000
"""Characters in one text."""


def speech(text: str, language: str, voice: str, at: str) -> tuple[Spoken, ...]:
    """A text, or SSML, as what can be said; nothing for an empty one.

    Raises:
        BadAnswer: it is too long, or no SSML, at `at`.
    """
    if len(text) > LONGEST:
        raise BadAnswer(at, f"the text is longer than {LONGEST} characters")
    if text.lstrip().startswith("<speak"):
        return ssml.said(text.strip(), language, voice, at)
    return (Text(text, language, voice),) if text.strip() else ()


def sound(url: str, at: str, *, offset: float = 0.0) -> Spoken:
    """What a URL stands for; a relative one is completed by whoever knows where it stood.

    Raises:
        BadAnswer: files of ours cannot be played, at `at`.
    """
    if url.startswith(PROMPT) and len(url) > len(PROMPT):
        return Named(url.removeprefix(PROMPT))
    scheme, colon, _ = url.partition(":")
    if not url.strip() or (colon and "/" not in scheme and scheme.lower() not in {"http", "https"}):
        raise BadAnswer(at, f"{url[:80]!r} cannot be played; write http://, https:// or prompt:NAME")
    return Audio(url, offset=offset)
