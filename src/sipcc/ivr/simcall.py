"""The made-up call behind a simulated session: its clock, its log, and what its caller hears and does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from sipcc.call.destination import Destination
from sipcc.call.digits import DigitBuffer
from sipcc.errors import CallEnded
from sipcc.ivr.flows.script import Answer, Script, parse_script
from sipcc.ivr.flows.scriptvalues import MAX_SECONDS
from sipcc.ivr.lengths import Lengths
from sipcc.ivr.simcaller import SimCaller, Sounding
from sipcc.ivr.simquestion import TimeUp
from sipcc.ivr.steps import Audio, Mark, Named, Prompt, Silence, Spoken, Text

if TYPE_CHECKING:
    from sipcc.ivr.session import Session

MAX_VERBS: Final = 10_000
"""Verbs in one call; what goes on for longer is a circle."""

START_WALL: Final = 1_772_416_800.0
"""The Unix time at which simulated calls begin: Monday 2026-03-02, 10:00 in Beijing."""

_ESTIMATES: Final = Lengths()


class Line(msgspec.Struct, frozen=True):
    """One line of what happened."""

    at: float
    """Seconds from the start of the call."""
    what: str
    """``say``, ``ask``, ``keys``, ``speech``, ``noinput``, ``nomatch``, ``toolong``, ``timer``, ``record``,
    ``transfer``, ``enqueue``, ``conference``, ``stream``, ``answer``, ``reject``, ``wait``, ``go``, ``tag``,
    ``log``, ``hangup``; in a flow also ``node``."""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.at:9.2f} s  {self.what:<10} {self.text}".rstrip()


class SimCall:
    """What `sipcc.ivr.sim.SimSession` is without its verbs."""

    def __init__(
        self,
        script: Script | str = "",
        *,
        caller: str = "13800138000",
        dialled: str = "4008123456",
        language: str = "en",
        lengths: Lengths | None = None,
        wall: float = START_WALL,
        answered: bool = False,
        on_go: Callable[[Session, Destination], Awaitable[bool]] | None = None,
    ) -> None:
        script = parse_script(script) if isinstance(script, str) else script
        self.language = language
        self.variables: dict[str, object] = {}
        self.lines: list[Line] = []
        """Everything that happened."""
        self.said: list[str] = []
        """What was said, piece by piece: names of prompts, texts, and ``say:KIND`` for values."""
        self.path: list[str] = []
        """The nodes of a flow in the order in which they were entered; programs fill it."""
        self.tags: dict[str, str] = {}
        self.speech_seconds = 0.0
        """How long prompts were heard in all."""
        self.human_at: float | None = None
        """When somebody first answered: an agent, or who was dialled."""
        self.handed_at: float | None = None
        """When the caller was first put into a queue, or somebody was first called for it."""
        self.exit = ""
        """How the call ended: ``caller``, or the cause of our hanging up; empty while it lives."""
        self._caller = caller
        self._dialled = dialled
        self._answered = answered
        self._lengths = lengths or _ESTIMATES
        self._wall = wall
        self._now = 0.0
        self._verbs = 0
        self._deadline = inf
        """When a wait in a queue is over, for what is heard in it."""
        self._sim = SimCaller(script.acts)
        self._outcomes = script.outcomes
        self._asked_for: dict[str, int] = {}
        self._keys = DigitBuffer()
        self.on_go = on_go
        self._on_hangup: list[Callable[[], None]] = []

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The call's id."""
        return "sim"

    @property
    def caller(self) -> str:
        """The caller's number."""
        return self._caller

    @property
    def dialled(self) -> str:
        """The number that was called."""
        return self._dialled

    @property
    def answered(self) -> bool:
        """Whether the caller was answered."""
        return self._answered

    def now(self) -> float:
        """Seconds since the call began."""
        return self._now

    def wall(self) -> float:
        """The Unix time."""
        return self._wall + self._now

    def found(self, name: str) -> Answer | None:
        """What the script says of the next lookup (or other outcome) `name`; None when it says nothing."""
        answers = self._outcomes.get(name)
        if not answers:
            return None
        count = self._asked_for.get(name, 0)
        self._asked_for[name] = count + 1
        return answers[min(count, len(answers) - 1)]

    def report(self) -> str:
        """All that happened, a line each."""
        return "\n".join(str(line) for line in sorted(self.lines, key=lambda line: line.at))

    def forget_keys(self) -> None:
        """Forget what was typed ahead."""
        self._keys.flush()

    def tag(self, name: str, value: str) -> None:
        """Put something into the call's record."""
        self.tags[name] = value
        self._note("tag", name)

    def judge(self, survey: str, score: int | None, *, low: int, high: int) -> bool:
        """The caller is about to be asked how content it is (None), or has answered."""
        self._note("survey", survey if score is None else f"{survey} {score}")
        return True

    def log(self, event: str, **details: object) -> None:
        """Write a line to the call's log."""
        self._note("log", " ".join([event, *(f"{name}={value}" for name, value in details.items())]))

    def on_hangup(self, then: Callable[[], None]) -> None:
        """Have `then` called when the call is over, at once if it is."""
        if self.exit:
            then()
        else:
            self._on_hangup.append(then)

    # -- time and the caller -----------------------------------------------------------------------------

    def _verb(self) -> None:
        if self.exit:
            raise CallEnded(self.exit)
        if self._now >= self._deadline:
            raise TimeUp
        self._verbs += 1
        if self._verbs > MAX_VERBS or self._now > MAX_SECONDS:
            self._note("log", "the call goes round in a circle")
            self._end("circle")
            raise CallEnded("circle")

    def _pass(self, until: float) -> None:
        """Let time go on to `until`; keys are kept for the next question."""
        end = min(until, self._deadline)
        while (at := self._sim.next_at(self._now)) <= end:
            self._now = at
            deed = self._sim.take()
            if deed.what == "hangup":
                self._gone()
            if deed.what == "down":
                self._keys.key_began(deed.key, now=at)
            elif deed.what == "up":
                self._keys.key_ended(deed.key, now=at)
        self._now = max(self._now, end)
        if until > self._deadline:
            raise TimeUp

    def _gone(self) -> NoReturn:
        self._end("caller")
        raise CallEnded("caller")

    def _end(self, cause: str) -> None:
        self.exit = cause
        self._note("hangup", cause)
        for then in self._on_hangup:
            then()

    # -- what is said ------------------------------------------------------------------------------------

    def _schedule(self, prompts: Sequence[Prompt]) -> tuple[list[Sounding], list[tuple[Prompt, float]]]:
        """When each piece of `prompts` will be heard, and when each prompt begins."""
        at = self._now
        soundings: list[Sounding] = []
        starts: list[tuple[Prompt, float]] = []
        for prompt in prompts:
            starts.append((prompt, at))
            for item in prompt.items:
                ends = at + self._lengths.seconds(item, self.language)
                soundings.append(Sounding(item, at, ends))
                at = ends
        return soundings, starts

    def _heard(self, soundings: Sequence[Sounding], until: float) -> None:
        """Note what of `soundings` was heard by `until`."""
        for sounding in soundings:
            if sounding.began >= until:
                break
            self.speech_seconds += min(sounding.ends, until) - sounding.began
            if (text := _text_of(sounding.item)) is not None:
                self.said.append(text)
                self.lines.append(Line(sounding.began, "say", text))

    def _note(self, what: str, text: str = "") -> None:
        self.lines.append(Line(self._now, what, text))


def _text_of(item: Spoken) -> str | None:
    """How an item stands in a log; None for what is not heard.

    A value may be secret: only its kind is told.
    """
    match item:
        case Named():
            return ":".join(item.name.split(":", 2)[:2]) if item.name.startswith("say:") else item.name
        case Text():
            return item.text
        case Audio():
            return item.source
        case Silence() | Mark():
            return None
        case _:
            return f"say:{item.kind}"
