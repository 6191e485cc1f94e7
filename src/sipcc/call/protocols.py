"""What calls ask of higher layers; `sipcc.switch` hands in the objects that do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sipcc.rtp.flow import PlayItem

if TYPE_CHECKING:
    from sipcc.call.call import Call

Handler = Callable[["Call"], Awaitable[None]]
"""A call's whole treatment: one coroutine, read from top to bottom. Its return hangs up."""


class PromptSource(Protocol):
    """Turns the names of prompts, and values to be said, into things to play."""

    def prepare(self, names: Sequence[str], language: str) -> Coroutine[Any, Any, None] | None:
        """What to wait for before all of `names` can be played, such as a text that is spoken first.

        None when there is nothing to wait for. It never fails.
        """
        ...

    def resolve(self, names: Sequence[str], language: str) -> list[PlayItem]:
        """What to play for `names`; an unknown name becomes a fallback tone and is reported."""
        ...

    def say(self, kind: str, value: object, language: str) -> list[PlayItem]:
        """The recorded fragments that say `value` as a `kind`, such as ``number`` or ``digits``."""
        ...
