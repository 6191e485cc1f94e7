"""What a question takes for an answer: keys, words, or both. Made once for each node, and never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from sipcc.call.digits import Answer, LengthMatcher, Matcher
from sipcc.ivr.steps import Listen


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as an answer to a question."""

    keys: Matcher | None = None
    """Which keys are right; None takes none."""
    listen: Listen | None = None
    """What may be said; None takes no speech."""
    terminators: str = ""
    """Keys that end the answer."""
    options: Mapping[str, str] = {}
    """The options of a menu as they are written, by each of their key sequences."""
    words: Mapping[str, str] = {}
    """The options of a menu as they are written, by what may be said for them, made plain."""


class KeysMatcher:
    """Right is what `answer` takes, and each of `keys`, which lead elsewhere."""

    def __init__(self, answer: LengthMatcher | None, keys: Collection[str]) -> None:
        self._answer = answer
        self._keys = frozenset(keys)

    def check(self, digits: str) -> Answer:
        """The verdict on `digits`."""
        if digits in self._keys:
            return Answer.FINAL
        if self._answer is None:
            return Answer.PARTIAL if not digits else Answer.NO
        return self._answer.check(digits)


def plain_words(text: str) -> str:
    """What was said, without case, signs and spaces, so that a recogniser may write it as it likes."""
    return "".join(char for char in text.casefold() if char.isalnum())


def listen_for(words: Iterable[str]) -> Listen:
    """Listen for one of `words`; for anything when there are none."""
    hints = tuple(words)
    right = frozenset(map(plain_words, hints))
    return Listen(hints=hints, accepts=(lambda text: plain_words(text) in right) if right else None)


_: type[Matcher] = KeysMatcher
