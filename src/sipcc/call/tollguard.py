"""The toll guard, as a core: may this number be called, over this trunk, by this user, now?

It is asked at one place, where a leg to a party is about to be made, so a number that an agent dials, a
caller types into a menu, a phone refers to, a carrier redirects to or a program asks for meets the same
rules. What it judges is the canonical number, and only digits of that number ever leave.

In order: a loop ends here; emergency numbers pass; numbers of the configuration pass; then the lists of
what is denied, not to be called, and allowed, the night, the calendar, the calls that the number has had,
the calls of the user and the minutes of the day must all agree.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Literal

import msgspec

from sipcc.call.numbering import Numbering
from sipcc.call.settings import TollSettings
from sipcc.numbers import Number, Pattern
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.uri import SipUri

Why = Literal[
    "user", "outside", "emergency", "configured", "listed",
    "loop", "hops", "not_a_number", "denied", "do_not_call", "not_allowed", "night", "hours", "callee",
    "calls", "minutes", "host",
]  # fmt: skip

_PASSES = frozenset({"user", "outside", "emergency", "configured", "listed"})

STATUS: dict[str, int] = {"loop": 483, "hops": 483}
"""The SIP status of a refusal, where it is not 403."""

HINTS: dict[str, str] = {
    "loop": "it was redirected too often already; see [toll] max_redirections",
    "hops": "its Max-Forwards has run out",
    "not_a_number": "only telephone numbers are sent to a trunk",
    "denied": "it is on the list of [toll] deny, or of the trunk's",
    "not_allowed": "it is not on the list of [toll] allow, or of the trunk's",
    "do_not_call": "it is on the list of [toll] do_not_call",
    "callee": "it has had [toll] calls_per_number calls in the window already",
    "hours": "the calendar of [toll] hours has closed",
    "night": "[toll] night locks these hours",
    "calls": "the user has [toll] calls_per_user calls over trunks already",
    "minutes": "the user has used up [toll] minutes_per_day",
    "host": "transfers and redirections lead only to users, trunks and [toll] hosts",
}
"""What is told to who reads the log."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants to have a party rung."""

    uri: SipUri
    trunk: TrunkSettings | None = None
    number: Number | None = None
    """The number behind the trunk; None when what was asked for is no number."""
    to_user: bool = False
    """True when a phone of a user of ours is rung."""
    who: str = ""
    """The user on whose account it goes; empty for a caller from outside."""
    chosen_by_peer: bool = False
    """True when a phone or carrier named the place: by REFER or by a 3xx."""
    redirections: int = 0
    """How often the call was redirected before."""
    hops: int = 70
    """Max-Forwards that is left."""
    call: str = ""
    """On behalf of which call: its attempts to ring one number by several ways count once."""


class Verdict(msgspec.Struct, frozen=True):
    """What the guard says."""

    why: Why

    @property
    def allowed(self) -> bool:
        """True when the leg may be made."""
        return self.why in _PASSES

    @property
    def status(self) -> int:
        """The SIP status of the refusal."""
        return STATUS.get(self.why, 403)

    @property
    def hint(self) -> str:
        """The refusal in words."""
        return HINTS.get(self.why, "")


class _Account:
    """What one user talks over trunks."""

    __slots__ = ("day", "running", "seconds")

    def __init__(self, day: date) -> None:
        self.day = day
        self.seconds = 0.0
        self.running: dict[str, float] = {}

    def used(self, now: float) -> float:
        return self.seconds + sum(now - since for since in self.running.values())


MAX_CALLEES = 100_000
"""So many numbers that were called are remembered; then the one called longest ago is forgotten."""


class _Callees:
    """When each number was called of late, and by which call."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[tuple[float, str]]] = OrderedDict()

    def had(self, number: str, limit: int, *, window: float, call: str, now: float) -> bool:
        """True when `number` was called `limit` times within `window` already, by others than `call`."""
        recent = [which for at, which in self._calls.get(number, ()) if now - at < window]
        return bool(limit) and len(recent) >= limit and not (call and call in recent)

    def called(self, number: str, limit: int, *, call: str, now: float) -> None:
        """Count a call, unless the same one rang the number before."""
        calls = self._calls.pop(number, deque())
        if not (call and any(which == call for _, which in calls)):
            calls.append((now, call))
        self._calls[number] = deque(calls, maxlen=limit)
        if len(self._calls) > MAX_CALLEES:
            self._calls.popitem(last=False)


class TollGuard:
    """Judges attempts, and counts what each user has up and has talked today."""

    def __init__(
        self,
        settings: TollSettings | None = None,
        numbering: Numbering | None = None,
        *,
        configured: Iterable[tuple[str, str]] = (),
        unwanted: frozenset[str] = frozenset(),
        opened: Callable[[datetime], bool] | None = None,
    ) -> None:
        """Take the rules.

        Args:
            settings: The rules.
            numbering: How numbers are written.
            configured: The numbers that the configuration names, as (trunk, canonical number or user).
            unwanted: The canonical numbers of `TollSettings.do_not_call`.
            opened: Whether the calendar of `TollSettings.hours` is open at a local time; None for always.
        """
        self._numbering = numbering or Numbering()
        self._callees = _Callees()
        self.load(settings or TollSettings(), configured=configured, unwanted=unwanted, opened=opened)
        self._accounts: dict[str, _Account] = {}
        self._payer: dict[str, str] = {}
        self.blocked = 0
        """How many attempts were refused."""

    def load(
        self,
        settings: TollSettings,
        *,
        configured: Iterable[tuple[str, str]],
        unwanted: frozenset[str] = frozenset(),
        opened: Callable[[datetime], bool] | None = None,
    ) -> None:
        """Go by other rules from now on; what was counted stays.

        Raises:
            ValueError: a rule cannot be read.
        """
        self._settings = settings
        self._allow = _patterns(settings.allow)
        self._deny = _patterns(settings.deny)
        self._hosts = frozenset(host.lower() for host in settings.hosts)
        self._night = parse_hours(settings.night) if settings.night else None
        self._configured = frozenset(configured)
        self._unwanted, self._opened = unwanted, opened
        self._of_trunks: dict[str, tuple[tuple[Pattern, ...], tuple[Pattern, ...]]] = {}

    def judge(self, attempt: Attempt, *, now: float, at: datetime) -> Verdict:
        """Say whether the leg may be made. `at` is the local time, for the night and the day."""
        verdict = Verdict(self._why(attempt, now, at))
        limit = self._settings.calls_per_number
        if verdict.why == "listed" and limit and attempt.number is not None:
            self._callees.called(attempt.number.canonical, limit, call=attempt.call, now=now)
        self.blocked += not verdict.allowed
        return verdict

    def by_lists(self, trunk: TrunkSettings, number: Number | None) -> Verdict:
        """What the lists say of a number behind `trunk`, whoever calls it and when; nothing is counted."""
        if number is None:
            return Verdict("not_a_number")
        if number.kind == "emergency":
            return Verdict("emergency")
        if (trunk.name, number.canonical) in self._configured:
            return Verdict("configured")
        return Verdict(self._by_lists(trunk, number) or "listed")

    def begin(self, leg: str, who: str, *, now: float, at: datetime) -> None:
        """A leg over a trunk begins on the account of `who`; it counts from now on."""
        if who:
            self._payer[leg] = who
            self._account(who, at, now).running[leg] = now

    def end(self, leg: str, *, now: float) -> None:
        """That leg is over; one that was never begun is none of ours."""
        who = self._payer.pop(leg, "")
        if who:
            account = self._accounts[who]
            account.seconds += now - account.running.pop(leg)

    def running(self, who: str) -> int:
        """How many legs over trunks `who` has."""
        account = self._accounts.get(who)
        return len(account.running) if account is not None else 0

    def _why(self, attempt: Attempt, now: float, at: datetime) -> Why:
        if attempt.hops <= 0:
            return "hops"
        if attempt.to_user:
            return "user"
        trunk, number = attempt.trunk, attempt.number
        if trunk is None:
            strange = attempt.chosen_by_peer and attempt.uri.host.lower() not in self._hosts
            return "host" if strange else "outside"
        if number is not None and number.kind == "emergency":
            return "emergency"
        if attempt.redirections > self._settings.max_redirections:
            return "loop"
        asked = number.canonical if number is not None else attempt.uri.user
        if (trunk.name, asked) in self._configured:
            return "configured"
        if number is None:
            return "not_a_number"
        return self._by_rules(trunk, number, now, at, attempt) or self._by_account(attempt.who, now, at)

    def _by_rules(
        self, trunk: TrunkSettings, number: Number, now: float, at: datetime, attempt: Attempt
    ) -> Why | None:
        limits = self._settings
        if (why := self._by_lists(trunk, number)) is not None:
            return why
        if self._night is not None and within(self._night, at.time()):
            return "night"
        if self._opened is not None and not self._opened(at):
            return "hours"
        if self._callees.had(
            number.canonical,
            limits.calls_per_number,
            window=limits.number_window,
            call=attempt.call,
            now=now,
        ):
            return "callee"
        return None

    def _by_lists(self, trunk: TrunkSettings, number: Number) -> Why | None:
        plan = self._numbering.home
        allow, deny = self._lists(trunk)
        if any(pattern.matches(number, plan) for pattern in (*deny, *self._deny)):
            return "denied"
        if number.canonical in self._unwanted:
            return "do_not_call"
        if not any(pattern.matches(number, plan) for pattern in allow or self._allow):
            return "not_allowed"
        return None

    def _by_account(self, who: str, now: float, at: datetime) -> Why:
        if not who:
            return "listed"
        account, limits = self._account(who, at, now), self._settings
        if limits.calls_per_user and len(account.running) >= limits.calls_per_user:
            return "calls"
        if limits.minutes_per_day and account.used(now) >= limits.minutes_per_day * 60:
            return "minutes"
        return "listed"

    def _lists(self, trunk: TrunkSettings) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...]]:
        found = self._of_trunks.get(trunk.name)
        if found is None:
            found = self._of_trunks[trunk.name] = _patterns(trunk.allow), _patterns(trunk.deny)
        return found

    def _account(self, who: str, at: datetime, now: float) -> _Account:
        account = self._accounts.get(who)
        if account is None:
            account = self._accounts[who] = _Account(at.date())
        elif account.day != at.date():
            account.day, account.seconds = at.date(), 0.0
            account.running = dict.fromkeys(account.running, now)  # midnight: what is up begins anew
        return account


def _patterns(texts: Iterable[str]) -> tuple[Pattern, ...]:
    return tuple(Pattern.parse(text) for text in texts)


Hours = tuple[time, time]


def parse_hours(text: str) -> Hours:
    """Read ``22:00-07:00``. ValueError says what is wrong."""
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} are no hours: write them as 22:00-07:00")
    return _time(first, text), _time(last, text)


def _time(word: str, text: str) -> time:
    hour, _, minute = word.strip().partition(":")
    if not (hour.isascii() and hour.isdigit() and len(hour) <= 2 and minute.isascii() and minute.isdigit()):
        raise ValueError(f"{text!r} are no hours: write them as 22:00-07:00")
    if int(hour) > 23 or len(minute) != 2 or int(minute) > 59:
        raise ValueError(f"{text!r}: there is no {word.strip()}")
    return time(int(hour), int(minute))


def within(hours: Hours, at: time) -> bool:
    """True from the first time up to the last, across midnight if the last is earlier."""
    first, last = hours
    if first <= last:
        return first <= at < last
    return at >= first or at < last


def blocked_text(attempt: Attempt) -> str:
    """What was asked for, for events and logs."""
    return attempt.number.canonical if attempt.number is not None else attempt.uri.user or attempt.uri.host
