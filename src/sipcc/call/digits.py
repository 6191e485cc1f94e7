"""Keys: the type-ahead buffer of a call, and the one machine that collects digits.

`ask`, menus and everything else that wants keys use the same `Collector`, so the timers mean the same
everywhere. Both the buffer and the collector are cores: `now` is seconds of a monotonic clock. Keys of a
call go to its collector while one runs, and else to its buffer; the two take the same two calls::

    (collector or buffer).key_began(digit, now=now)     # RFC 4733 start packet: the moment of barge-in
    (collector or buffer).key_ended(digit, now=now)     # RFC 4733 end packet: the moment of collecting

A `Matcher` says after each key what it makes of the digits so far: NO, PARTIAL, MATCH or FINAL.

| state | timer | when it runs out | a terminator |
|---|---|---|---|
| PROMPT: a prompt plays, no key yet | none | | nomatch |
| WAITING: the prompt is over, no key yet | `timeout` | noinput | nomatch |
| PARTIAL: the digits so far begin something | `interdigit` | nomatch | nomatch |
| MATCHED: the digits so far are right, more may come | `interdigit` | match | match |
| CLOSING: the digits are right and complete | `termtimeout` | match | match |

`timeout` runs from the end of the last prompt, or from the start without one; `interdigit` and
`termtimeout` run from the end of the last key.

Further rules:

- The first key cancels `timeout` for good, and `interdigit` runs even while a prompt still plays.
- NO ends in nomatch at once. With no digits yet, a terminator is a match when the matcher accepts "".
- A key that the matcher wants is a digit even when it is also a terminator. A terminator is never part
  of the digits.
- In CLOSING any other key ends in match and stays in the buffer for whoever asks next.
- While a key is down no timer above runs. A key that is down for `interdigit` counts as let go, so that
  a lost end packet loses nothing.
- `max_time` (from the start) ends everything: what is down counts as let go, MATCHED and CLOSING end in
  match, PARTIAL in nomatch, no key in noinput. It stops even a prompt without barge-in.
- With `bargein` off, what was typed before the prompt is discarded; what is typed while it plays is
  collected, but the result is held back until the prompt was heard to its end. With `deaf` it is dropped.
- A prompt may be open to keys only from some second on, and be closed again later (`Collector.start`). While
  it is closed it counts as one without barge-in; what was typed in it cuts it once it opens.
- With nomatch the buffer is flushed: what was typed before the caller hears of the error does not
  answer the next question. With `resync` it is kept: what was typed behind the wrong key does.
- A caller who speaks (`voice_began`) is not one who says nothing: there is no noinput any more.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from sipcc.call.keybuffer import MAX_TYPED_AHEAD as MAX_TYPED_AHEAD
from sipcc.call.keybuffer import DigitBuffer as DigitBuffer

Outcome = Literal["match", "noinput", "nomatch"]

KEYS: Final = frozenset("0123456789*#ABCD")
"""All keys that RFC 4733 telephone-events 0 to 15 can carry."""


class Answer(enum.Enum):
    """What a matcher makes of the digits so far."""

    __hash__ = object.__hash__  # that of enums is several times slower, and a key asks for it

    NO = "no"
    """They cannot become right."""
    PARTIAL = "partial"
    """They are the beginning of something right."""
    MATCH = "match"
    """They are right, and more digits may be right too."""
    FINAL = "final"
    """They are right, and no further digit can be."""


class Matcher(Protocol):
    """Decides which digits are right."""

    def check(self, digits: str) -> Answer:
        """The verdict on `digits`, the keys so far in their order; called with "" as well."""
        ...


class LengthMatcher:
    """Right are `minimum` to `maximum` keys out of `allowed`."""

    def __init__(self, minimum: int, maximum: int | None = None, allowed: str = "0123456789*") -> None:
        self.minimum = minimum
        self.maximum = minimum if maximum is None else maximum
        self._allowed = frozenset(allowed)
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise ValueError(f"a length from {self.minimum} to {self.maximum} keys cannot be typed")
        if not self._allowed or not self._allowed <= KEYS:
            raise ValueError(f"allowed keys {allowed!r}: some of {''.join(sorted(KEYS))} are needed")

    def check(self, digits: str) -> Answer:
        """The verdict on `digits` by their number and kind."""
        if len(digits) > self.maximum or not self._allowed.issuperset(digits):
            return _NO
        if len(digits) < self.minimum:
            return _PARTIAL
        return _FINAL if len(digits) == self.maximum else _MATCH


class OptionsMatcher:
    """Right is one out of a set of key sequences, such as ``{"1", "12", "*"}``; the longest one wins."""

    def __init__(self, options: Iterable[str]) -> None:
        self.options = frozenset(options)
        for option in self.options:
            if not option or not KEYS.issuperset(option):
                raise ValueError(f"option {option!r} cannot be typed; keys are {''.join(sorted(KEYS))}")
        if not self.options:
            raise ValueError("a choice needs at least one option")
        self._beginnings = frozenset(option[:end] for option in self.options for end in range(len(option)))

    def check(self, digits: str) -> Answer:
        """The verdict on `digits` by membership and by prefix."""
        if digits in self._beginnings:
            return _MATCH if digits in self.options else _PARTIAL
        return _FINAL if digits in self.options else _NO


def matcher_for(digits: int | tuple[int, int], *, allowed: str, terminators: str) -> LengthMatcher:
    """The matcher for a number of keys: exactly, or (fewest, most); terminators are no digits here."""
    fewest, most = (digits, digits) if isinstance(digits, int) else digits
    return LengthMatcher(fewest, most, "".join(key for key in allowed if key not in terminators))


class CollectSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How keys are collected; all times in seconds, all counted as the table of this module says."""

    timeout: float = 5.0
    """From the end of the last prompt to the first key."""
    interdigit: float = 3.0
    """From the end of a key to the next one."""
    termtimeout: float = 0.0
    """How long to wait for a terminator that follows complete digits, in order to swallow it."""
    terminators: str = "#"
    """Keys that end the input; may be empty."""
    max_time: float | None = None
    """For everything together, from the start; None for no limit."""
    bargein: bool = True
    """Whether a key stops the prompt."""
    secret: bool = False
    """Whether the digits are a PIN or a card number that no log, event or record may show."""
    resync: bool = False
    """Whether keys behind a wrong one are kept for the next question."""
    deaf: bool = False
    """Whether keys are dropped that are typed while a prompt plays that no key may cut."""

    def __post_init__(self) -> None:
        for name in ("timeout", "interdigit", "termtimeout"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be 0 seconds or more, and finite")
        if self.max_time is not None and not 0 < self.max_time < float("inf"):
            raise ValueError("max_time must be more than 0 seconds, and finite")
        if not KEYS.issuperset(self.terminators):
            raise ValueError(f"terminators {self.terminators!r} are not all keys")


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one collecting."""

    outcome: Outcome
    digits: str
    """What was typed, without the terminator; also what was typed in vain for ``nomatch``."""
    ended_with: str = ""
    """The terminator that ended the input, or empty."""
    secret: bool = False

    @property
    def shown(self) -> str:
        """The digits as logs, events and records may show them."""
        return "*" * len(self.digits) if self.secret else self.digits

    def __repr__(self) -> str:
        return f"Collected({self.outcome}, {self.shown!r}, ended_with={self.ended_with!r})"


class State(enum.Enum):
    """Where a collector stands; see the table of this module."""

    __hash__ = object.__hash__  # as with `Answer`

    PROMPT = "prompt"
    WAITING = "waiting"
    PARTIAL = "partial"
    MATCHED = "matched"
    CLOSING = "closing"
    DECIDED = "decided"


# To look a member up in its class costs as much as a call, and a key would look up a dozen.
_NO, _PARTIAL, _MATCH, _FINAL = Answer
_PROMPT, _WAITING, _BEGUN, _MATCHED, _CLOSING, _DECIDED = State


class _Rule(NamedTuple):
    timer: Literal["timeout", "interdigit", "termtimeout"] | None
    expiry: Outcome
    terminator: Outcome


_RULES: Final[dict[State, _Rule]] = {
    _PROMPT: _Rule(None, "noinput", "nomatch"),
    _WAITING: _Rule("timeout", "noinput", "nomatch"),
    _BEGUN: _Rule("interdigit", "nomatch", "nomatch"),
    _MATCHED: _Rule("interdigit", "match", "match"),
    _CLOSING: _Rule("termtimeout", "match", "match"),
}

_AFTER: Final[dict[Answer, State]] = {
    _PARTIAL: _BEGUN,
    _MATCH: _MATCHED,
    _FINAL: _CLOSING,
}


class Collector:
    """Collects the answer to one question; the rules stand at the head of this module.

    Call `start` before the first prompt is sent: when `barged` or `result` is set then, the caller has
    typed ahead and the prompt need not be played. After every input look at both again. Inputs after the
    result only fill the buffer.
    """

    def __init__(self, settings: CollectSettings, matcher: Matcher, buffer: DigitBuffer) -> None:
        self.barged = False
        """The prompt must stop now, or must not be started."""
        self.result: Collected | None = None
        self.state = _PROMPT
        self._settings = settings
        self._matcher = matcher
        self._buffer = buffer
        self._digits = ""
        self._started_at: float | None = None
        self._timer_at: float | None = None
        """When the timer of the state runs out."""
        self._cap_at: float | None = None
        """When `max_time` is over."""
        self._prompt = False
        self._open = settings.bargein
        self._turn_at: float | None = None
        """When the prompt opens or closes next."""
        self._turns: list[float] = []
        """When it does so after that, the next moment last."""
        self._spoken = False
        self._decided: Collected | None = None
        self._unheard: set[str] = set()  # keys that went down while nobody listened

    def start(
        self, *, prompt_playing: bool, now: float, opens_after: float = 0.0, turns: Sequence[float] = ()
    ) -> None:
        """Begin.

        Args:
            prompt_playing: a prompt plays, or will as soon as this returns.
            now: seconds of the clock.
            opens_after: how many seconds of the prompt no key may cut; where `bargein` is off, none may.
            turns: seconds of the prompt, later than that, in which it closes, opens, and so on.
        """
        self._started_at = now
        if self._settings.max_time is not None:
            self._cap_at = now + self._settings.max_time
        self._prompt = prompt_playing
        if self._open and prompt_playing and (turns or opens_after > 0):
            self._turns = [now + after for after in reversed(turns)]
            if opens_after > 0:
                self._open = False
                self._turns.append(now + opens_after)
            self._turn_at = self._turns.pop()
        if prompt_playing and not self._open:
            self._buffer.flush()
        if not prompt_playing:
            self._enter(_WAITING, at=now)
        if self._buffer.held is not None:
            self._barge_in()
        if self._buffer.presses:
            self._drain(at=now)

    def prompt_ended(self, *, now: float) -> None:
        """The last queued prompt was played to its end, or was stopped."""
        if self._prompt:
            self.expire(now=now)
        if not self._prompt:  # it has been cut, perhaps just now
            return
        self._prompt = False
        self._turn_at = None
        if self.state is _PROMPT:
            self._enter(_WAITING, at=now)
        self._deliver()

    def key_began(self, digit: str, *, now: float) -> None:
        """A key went down: the moment of barge-in."""
        self.expire(now=now)
        if self._settings.deaf:
            if self._deaf:
                self._unheard.add(digit)
                return
            self._unheard.discard(digit)
        self._buffer.key_began(digit, now=now)
        if self._decided is None:
            self._barge_in()
            if self._buffer.presses:
                self._drain(at=now)

    def key_ended(self, digit: str, *, now: float) -> None:
        """A key came up: the moment of collecting."""
        self.expire(now=now)
        if self._settings.deaf and (self._deaf or digit in self._unheard):
            self._unheard.discard(digit)
            return
        self._buffer.key_ended(digit, now=now)
        self._drain(at=now)

    def voice_began(self, *, now: float) -> None:
        """The caller speaks: what it says may be the answer."""
        self.expire(now=now)
        self._spoken = True
        if self.state is _WAITING:
            self._timer_at = None

    @property
    def _deaf(self) -> bool:
        """Whether what is typed now is dropped, where `CollectSettings.deaf` says so."""
        return self._prompt and not self._open

    @property
    def touched(self) -> bool:
        """True once a key has counted, or is down."""
        return bool(self._digits) or self._buffer.held is not None or self._decided is not None

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called; None for never."""
        if self.result is not None:
            return None
        due = self._timer_at if self._buffer.held is None else self._own_deadline()
        if self._cap_at is not None and (due is None or self._cap_at < due):
            due = self._cap_at
        if self._turn_at is not None and (due is None or self._turn_at < due):
            due = self._turn_at
        return due

    def expire(self, *, now: float) -> None:
        """Do what is due at `now`; each thing counts at the moment when it was due."""
        while (due := self.deadline) is not None and due <= now:
            if due == self._turn_at:
                self._turn()
            elif due == self._own_deadline():
                self._run_out(at=due)
            else:
                self._stop_at_cap(at=due)

    def _own_deadline(self) -> float | None:
        """When the key that is down counts as let go; without one, when the timer of the state runs out."""
        held = self._buffer.held
        if held is None or self._started_at is None or self._decided is not None:
            return self._timer_at
        began = held[1] if held[1] > self._started_at else self._started_at
        return began + self._settings.interdigit

    def _enter(self, state: State, *, at: float) -> None:
        """Be in `state`, whose timer starts now."""
        self.state = state
        timer = _RULES[state].timer
        if timer is None or (timer == "timeout" and self._spoken):
            self._timer_at = None
        else:
            self._timer_at = at + float(getattr(self._settings, timer))

    def _turn(self) -> None:
        self._open = not self._open
        self._turn_at = self._turns.pop() if self._turns else None
        if self._open and self.touched:
            self._barge_in()
            self._deliver()

    def _run_out(self, *, at: float) -> None:
        if self._buffer.held is not None:
            self._buffer.release(now=at)
            self._drain(at=at)
        else:
            self._decide(_RULES[self.state].expiry)

    def _stop_at_cap(self, *, at: float) -> None:
        if self._decided is None:
            self._buffer.release(now=at)
            self._drain(at=at)
        if self._decided is None:
            self._decide(_RULES[self.state].expiry)
        self.barged = self.barged or self._prompt
        self._prompt, self._turn_at = False, None
        self._deliver()

    def _barge_in(self) -> None:
        if self._prompt and self._open:
            self.barged = True
            self._prompt = False
            self._turn_at = None

    def _drain(self, *, at: float) -> None:
        presses = self._buffer.presses
        while presses and self._decided is None and self._started_at is not None:
            self._barge_in()
            digit = presses[0].digit
            if self.state is _CLOSING and digit not in self._settings.terminators:
                self._decide("match")
                return
            presses.popleft()
            self._collect(digit, at=at)

    def _collect(self, digit: str, *, at: float) -> None:
        answer = _NO if self.state is _CLOSING else self._matcher.check(self._digits + digit)
        if answer is _NO and digit in self._settings.terminators:
            self._end_with(digit)
            return
        self._digits += digit
        if answer is _NO:
            self._decide("nomatch")
            return
        if answer is _FINAL and self._settings.termtimeout == 0:
            self._decide("match")
        else:
            self._enter(_AFTER[answer], at=at)

    def _end_with(self, terminator: str) -> None:
        if self._digits:
            outcome = _RULES[self.state].terminator
        else:
            empty_is_right = self._matcher.check("") in (_MATCH, _FINAL)
            outcome = "match" if empty_is_right else "nomatch"
        self._decide(outcome, terminator)

    def _decide(self, outcome: Outcome, ended_with: str = "") -> None:
        self._decided = Collected(
            outcome=outcome, digits=self._digits, ended_with=ended_with, secret=self._settings.secret
        )
        self.state, self._timer_at = _DECIDED, None
        self._deliver()

    def _deliver(self) -> None:
        """Hand the verdict out, unless a prompt without barge-in has first to be heard to its end."""
        if self._decided is None or self._prompt or self.result is not None:
            return
        if self._decided.outcome == "nomatch" and not self._settings.resync:
            self._buffer.flush()
        self.result = self._decided
