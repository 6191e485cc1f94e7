"""Who carries out the steps of an IVR: one caller's session, as everything in `sipcc.ivr` sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sipcc.call.destination import Destination
from sipcc.ivr.steps import (
    Conference,
    Enqueue,
    Gather,
    Gathered,
    Left,
    Played,
    Prompt,
    Record,
    Recorded,
    Stream,
    Streamed,
    Transfer,
    Transferred,
)


class Speaker(Protocol):
    """The part of a session that speaks and asks; also one with somebody who was called, before it talks."""

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end."""
        ...

    async def gather(self, step: Gather) -> Gathered:
        """Ask a question."""
        ...

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Session(Protocol):
    """One caller. A verb on a session whose caller has hung up raises `sipcc.errors.CallEnded`."""

    language: str
    """The language of prompts and values that have none of their own, such as ``zh-CN``."""
    variables: dict[str, object]
    """What programs keep with the call; goes along from flow to flow."""

    @property
    def id(self) -> str:
        """The call's id."""
        ...

    @property
    def caller(self) -> str:
        """The caller's number or address; ``anonymous`` when it is not shown."""
        ...

    @property
    def dialled(self) -> str:
        """The number that was called."""
        ...

    @property
    def answered(self) -> bool:
        """Whether the caller was answered."""
        ...

    def now(self) -> float:
        """Seconds of a clock that only goes forward; virtual in a simulation."""
        ...

    def wall(self) -> float:
        """The Unix time."""
        ...

    async def answer(self) -> None:
        """Answer; answering twice does nothing."""
        ...

    async def reject(self, status: int = 486) -> None:
        """Refuse a call that was not answered."""
        ...

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        """Say something to its end; nothing cuts it, and keys are kept for the next question."""
        ...

    async def gather(self, step: Gather) -> Gathered:
        """Ask a question."""
        ...

    async def record(self, step: Record) -> Recorded:
        """Record the caller; hanging up in it is a result, not `CallEnded`."""
        ...

    async def transfer(self, step: Transfer) -> Transferred:
        """Connect the caller with somebody."""
        ...

    async def enqueue(self, step: Enqueue) -> Left:
        """Let the caller wait in a queue."""
        ...

    async def conference(self, step: Conference) -> float:
        """Let the caller into a conference; how many seconds it stayed."""
        ...

    async def stream(self, step: Stream) -> Streamed:
        """Let a program speak with the caller."""
        ...

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    async def hangup(self, cause: str = "normal") -> None:
        """End the call; ending it twice does nothing."""
        ...

    async def go(self, destination: Destination) -> None:
        """Let the call be treated as a destination says; returns when that treatment is over."""
        ...

    def forget_keys(self) -> None:
        """Forget what was typed ahead."""
        ...

    def tag(self, name: str, value: str) -> None:
        """Put something into the call's record."""
        ...

    def judge(self, survey: str, score: int | None, *, low: int, high: int) -> bool:
        """The caller is about to be asked how content it is (None), or has answered, from `low` to `high`.

        False when a survey of the switch has asked it already: once for each conversation is enough.
        """
        ...

    def log(self, event: str, **details: object) -> None:
        """Write a line to the call's log; never a secret."""
        ...

    def on_hangup(self, then: Callable[[], None]) -> None:
        """Have `then` called when the caller hangs up, at once if it has."""
        ...
