"""Grammars of keys as a collector of keys wants them: what they make of the keys so far, key by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sipcc.call.digits import Answer, Matcher
from sipcc.ivr.grammar.builder import MAX_WORDS
from sipcc.ivr.grammar.chart import Chart
from sipcc.ivr.grammar.model import GrammarError


class KeyMatcher:
    """A `sipcc.call.digits.Matcher` for a grammar. Each further key costs only itself."""

    def __init__(self, begin: Callable[[], Chart]) -> None:
        self._begin = begin
        self._chart = begin()
        self._digits = ""
        self._wrong = ""

    def check(self, digits: str) -> Answer:
        """The verdict on `digits`."""
        if len(digits) > MAX_WORDS or (self._wrong and digits.startswith(self._wrong)):
            return Answer.NO
        if not digits.startswith(self._digits):
            self._chart, self._digits = self._begin(), ""
        for digit in digits[len(self._digits) :]:
            if not self._chart.open or not self._feed(digit):
                self._wrong = self._digits + digit
                self._chart, self._digits = self._begin(), ""
                return Answer.NO
        if self._chart.complete:
            return Answer.MATCH if self._chart.open else Answer.FINAL
        return Answer.PARTIAL if self._chart.open else Answer.NO

    def _feed(self, digit: str) -> bool:
        """Whether one more key was taken in; a grammar that takes too long to match is no answer."""
        try:
            self._chart.feed(digit)
        except GrammarError:
            return False
        self._digits += digit
        return True


class AnyMatcher:
    """Right is what one of several matchers takes."""

    def __init__(self, matchers: Iterable[Matcher]) -> None:
        self.matchers = tuple(matchers)

    def check(self, digits: str) -> Answer:
        """The verdict of all: FINAL only when none of them can take a further key."""
        answers = {matcher.check(digits) for matcher in self.matchers}
        if Answer.MATCH in answers or (Answer.FINAL in answers and Answer.PARTIAL in answers):
            return Answer.MATCH
        return next((one for one in (Answer.FINAL, Answer.PARTIAL) if one in answers), Answer.NO)
