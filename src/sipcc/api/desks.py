"""What the interface asks of the switch, apart from the floor and the records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sipcc.ivr.ringback import RingbackView


class RingbackDesk(Protocol):
    """Who knows what callers hear before somebody answers."""

    def views(self) -> Sequence[RingbackView]:
        """Of each number."""
        ...

    async def set(self, number: str, prompt: str, *, by: str) -> RingbackView:
        """Let the next callers of a number hear something else."""
        ...

    def clear(self, number: str, *, by: str) -> RingbackView:
        """Go by the configuration again."""
        ...
