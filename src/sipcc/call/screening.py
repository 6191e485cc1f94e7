"""Screening of callers from trunks, as a core: may this call come through, or does it harass?

In order: whoever is on the list of the allowed comes through; then the list of the denied, calls without
a number, and how often the number calls must all agree. A number is judged also when it is not to be
shown.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Annotated, Literal

import msgspec

from sipcc.numbers import Number, Pattern, Plan

ScreeningWhy = Literal["allowed", "passed", "denied", "anonymous", "too_often"]

MAX_CALLERS = 10_000
"""So many callers are remembered; beyond that, who has been quiet for longest is forgotten."""


class ScreeningSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which callers from trunks come through to the numbers.

    A rule of the lists is a number, a beginning such as ``0108*``, or a kind such as ``mobile``, as in
    ``[toll]``.
    """

    allow: tuple[str, ...] = ()
    """Callers who always come through, whatever else is said here."""
    deny: tuple[str, ...] = ()
    """Callers who do not come through."""
    anonymous: Literal["allow", "reject"] = "allow"
    """Whether calls come through whose caller is unknown or does not want to be shown."""
    calls: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """Calls that one number may make within `window`, those that did not come through included; 0 for no
    limit. The next one does not come through."""
    window: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 600.0
    """Seconds in which the calls of a number are counted."""
    challenge: tuple[Literal["anonymous", "too_often"], ...] = ()
    """Who may come through all the same: calls without a number that are rejected, numbers that call too
    often. They hear `challenge_prompt`, twice at most, and must press `challenge_key`. A number that does so
    is counted anew."""
    challenge_prompt: str = "challenge"
    """What they hear."""
    challenge_key: Annotated[str, msgspec.Meta(pattern="^[0-9*#]$")] = "1"
    """The key that lets them through."""
    to: str = "reject:603"
    """The destination of calls that do not come through."""


class ScreeningVerdict(msgspec.Struct, frozen=True):
    """Whether a call comes through."""

    why: ScreeningWhy
    detail: str = ""
    """The rule that decided, in words."""

    challenge: bool = False
    """True when the caller may come through by a key."""

    @property
    def passes(self) -> bool:
        """True when the call comes through."""
        return self.why in {"allowed", "passed"}


class Screening:
    """Judges callers, and counts the calls of each.

    Args:
        settings: the rules.
        plan: how numbers in the rules are written.

    Raises:
        ValueError: a rule cannot be read.
    """

    def __init__(self, settings: ScreeningSettings, plan: Plan) -> None:
        self._settings = settings
        self._plan = plan
        self._allow = [Pattern.parse(text) for text in settings.allow]
        self._deny = [Pattern.parse(text) for text in settings.deny]
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def follow(self, before: Screening) -> None:
        """Remember the calls that the screening saw in whose place this one comes."""
        limit = self._settings.calls or None
        for caller, times in before._times.items():
            self._times[caller] = deque(times, maxlen=limit)

    def judge(self, number: Number | None, *, anonymous: bool, now: float) -> ScreeningVerdict:
        """Judge a call that comes in.

        Args:
            number: the caller's, also when it is not to be shown; None when there is none.
            anonymous: the caller is unknown, or wants to be.
            now: seconds of a monotonic clock.
        """
        rule = self._first(self._allow, number)
        if rule:
            return ScreeningVerdict("allowed", f"{rule} is allowed")
        often = number is not None and self._too_often(number.canonical, now)
        rule = self._first(self._deny, number)
        if rule:
            return ScreeningVerdict("denied", f"{rule} is denied")
        if anonymous and self._settings.anonymous == "reject":
            return self._against("anonymous", "calls without a number are rejected")
        if often:
            window = f"{self._settings.window:g} s"
            return self._against("too_often", f"more than {self._settings.calls} calls in {window}")
        return ScreeningVerdict("passed")

    def forgive(self, number: Number | None) -> None:
        """Count the calls of `number` anew: somebody there has pressed the key."""
        if number is not None:
            self._times.pop(number.canonical, None)

    def _against(self, why: Literal["anonymous", "too_often"], detail: str) -> ScreeningVerdict:
        return ScreeningVerdict(why, detail, challenge=why in self._settings.challenge)

    def _first(self, patterns: list[Pattern], number: Number | None) -> str:
        if number is None:
            return ""
        return next((pattern.text for pattern in patterns if pattern.matches(number, self._plan)), "")

    def _too_often(self, caller: str, now: float) -> bool:
        """Count a call; True when there were as many as allowed within the window already."""
        limit = self._settings.calls
        if not limit:
            return False
        times = self._times.pop(caller, None) or deque(maxlen=limit)
        often = len(times) == limit and now - times[0] < self._settings.window
        times.append(now)
        self._times[caller] = times
        if len(self._times) > MAX_CALLERS:
            self._times.popitem(last=False)
        return often
