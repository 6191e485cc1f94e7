"""What a bot says, on its way to the caller's ear: the one account of it, as a core.

All that waits, waits in one place, the stream that the caller's port plays (`sipcc.rtp.streaming`); here it
is only known what was put there, and what came of it. So a bot may send faster than real time, a mark is told
when the last sample before it has been sent to the caller, and clearing drops everything that was not.
Streams come to an end by accidents, such as a media worker that dies: the next sound begins another one, and
no mark is left without an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import msgspec

from sipcc.rtp.events import PlayCleared, PlayFlow, PlayMarked

MAX_PENDING = 1000
"""Marks that wait; one more is answered at once, as not heard."""

Kind = Literal["mark", "clip", "end"]
"""A mark of the bot, the end of a clip, or one of our own, behind which the conversation goes on."""


class Stream(Protocol):
    """A stream that plays on the caller's port."""

    def feed(self, audio: bytes) -> None:
        """Let this be heard behind what waits."""
        ...

    def mark(self, name: str) -> None:
        """Have it told when what was fed so far was sent."""
        ...

    def clear(self) -> None:
        """Drop what waits, and have it told how much was sent."""
        ...


class Passed(msgspec.Struct, frozen=True):
    """A mark is over."""

    kind: Kind
    name: str
    heard: bool
    ms: int
    """How much was heard since the mark or the clearing before."""


class Dropped(msgspec.Struct, frozen=True):
    """What waited was dropped because the bot wanted it."""

    ms: int
    """How much was heard since the last mark or clearing."""
    total_ms: int


class Room(msgspec.Struct, frozen=True):
    """Whether the bot should wait before it says more."""

    full: bool


News: TypeAlias = Passed | Dropped | Room


class PlayOut:
    """The account of one conversation."""

    def __init__(self, begin: Callable[[], Stream]) -> None:
        """`begin` lets a new stream play."""
        self.full = False
        """True while so much waits that the bot should not say more."""
        self._begin = begin
        self._stream: Stream | None = None
        self._pending: dict[str, tuple[Kind, str]] = {}
        self._clears: deque[bool] = deque()
        """For each clearing that has no answer yet, whether the bot wanted it."""
        self._count = 0
        self._before_ms = 0
        """What was heard of streams that are over."""
        self._known_ms = 0
        """What is known to have been heard of the one that plays."""
        self._since_ms = 0
        """Where the last mark or clearing was, over all streams."""

    def say(self, audio: bytes) -> None:
        """Let the caller hear this behind what waits; it is in the form of the stream."""
        if audio:
            self._playing().feed(audio)

    def mark(self, name: str, kind: Kind = "mark") -> list[News]:
        """Tell when what was said so far was heard."""
        if self._stream is None:
            return [Passed(kind, name, True, 0)]
        if len(self._pending) >= MAX_PENDING:
            return [Passed(kind, name, False, 0)]
        self._count += 1
        key = str(self._count)
        self._pending[key] = (kind, name)
        self._stream.mark(key)
        return []

    def clear(self, *, quietly: bool = False) -> list[News]:
        """Drop what waits; the answer comes when it is known how much was heard, unless `quietly`."""
        if self._stream is None:
            return [] if quietly else [Dropped(0, self._before_ms)]
        self._clears.append(not quietly)
        self._stream.clear()
        return []

    def forget_marks(self) -> list[News]:
        """Answer the bot's marks as not heard; what is said goes on."""
        marks = [(key, name) for key, (kind, name) in self._pending.items() if kind == "mark"]
        for key, _ in marks:
            del self._pending[key]
        return [Passed("mark", name, False, 0) for _, name in marks]

    def take(self, event: PlayMarked | PlayCleared | PlayFlow) -> list[News]:
        """What comes of an event of the stream."""
        match event:
            case PlayFlow():
                self.full = event.full
                return [Room(event.full)]
            case PlayCleared():
                self._known_ms = event.played_ms
                total = self._before_ms + event.played_ms
                news = Dropped(self._step(total), total)
                return [news] if self._clears and self._clears.popleft() else []
            case PlayMarked():
                pending = self._pending.pop(event.mark, None)
                if pending is None:
                    return []  # it was forgotten
                self._known_ms = max(self._known_ms, event.at_ms)
                total = self._before_ms + event.at_ms
                # a cleared mark moves nothing: the clearing behind it tells how much was heard
                ms = self._step(total) if event.heard else max(0, total - self._since_ms)
                return [Passed(*pending, event.heard, ms)]

    def over(self) -> list[News]:
        """The stream has ended, by whatever accident; the next sound begins another one."""
        self._stream = None
        self._before_ms += self._known_ms
        self._known_ms = 0
        pending, self._pending = self._pending, {}
        news: list[News] = [Passed(kind, name, False, 0) for kind, name in pending.values()]
        news += [Dropped(0, self._before_ms) for wanted in self._clears if wanted]
        self._clears.clear()
        if self.full:
            self.full = False
            news.append(Room(False))
        return news

    def close(self) -> None:
        """Let go of everything: who began the streams and this are no ring that waits for the collector."""
        self._begin = _nowhere
        self._stream = None

    def _playing(self) -> Stream:
        if self._stream is None:
            self._stream = self._begin()
        return self._stream

    def _step(self, total_ms: int) -> int:
        ms, self._since_ms = max(0, total_ms - self._since_ms), total_ms
        return ms


def _nowhere() -> Stream:
    raise RuntimeError("the conversation is over")
