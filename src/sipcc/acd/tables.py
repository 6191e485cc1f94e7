"""The small runner of the ACD's state machines: look up, refuse, draw."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from sipcc.errors import LocalProtocolError

S = TypeVar("S", bound=StrEnum)
I = TypeVar("I", bound=StrEnum)  # noqa: E741  # S and I: state and input


def advance(table: Mapping[S, Mapping[I, S | None]], state: S, given: I, *, who: str) -> S | None:
    """The next state; None where the table leaves the choice to its machine.

    Raises:
        LocalProtocolError: the table has no such row.
    """
    row = table[state]
    if given not in row:
        raise LocalProtocolError(f"{who} is {state}: {given} is not possible now")
    return row[given]


def diagram(table: Mapping[S, Mapping[I, S | None]], *, free: str) -> str:
    """The table as a Mermaid state diagram; `free` names the choice that the machine makes."""
    lines = ["stateDiagram-v2"]
    for state, row in table.items():
        by_target: dict[str, list[str]] = {}
        for given, target in row.items():
            by_target.setdefault(free if target is None else str(target), []).append(str(given))
        lines += [f"    {state} --> {target}: {', '.join(inputs)}" for target, inputs in by_target.items()]
    return "\n".join(lines) + "\n"
