"""What flows send to services."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sipcc.expr import Kind, Value
from sipcc.ivr.steps import Prompt


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow asks or tells a service. It may hold secrets."""

    source: str = ""
    """The name of a function; else `url`."""
    url: str = ""
    body: Mapping[str, Value] = {}
    authorization: str = ""
    answer: Mapping[str, Kind] = {}
    """Fields that the answer must have."""
    deadline: float = 2.0
    """Seconds."""
    cache: float = 0.0
    """Seconds."""
    said: tuple[Prompt, ...] = ()
    """What is heard meanwhile in any case, to its end."""
    wait_prompts: tuple[Prompt, ...] = ()
    """What is heard when it takes longer than `wait_after`."""
    wait_after: float = 1.0
    """Seconds."""

    def __repr__(self) -> str:
        return f"Sent({self.source or self.url!r})"
