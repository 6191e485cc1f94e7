"""What can be wrong with the keys of a menu, whichever kind of menu it is, and with where silence leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from sipcc.ivr.menu import TERMINATOR
from sipcc.ivr.settings import split_keys


class OptionFault(NamedTuple):
    """One thing that is wrong."""

    kind: Literal["double", "beginning", "terminator"]
    written: str
    """The option as it is written, which may have several key sequences: ``"2,3"``."""
    message: str
    hint: str


def option_faults(options: Iterable[str]) -> Iterator[OptionFault]:
    """Options that are there twice, that begin one another, or that the terminator can no longer end."""
    owner: dict[str, str] = {}
    for written in options:
        for keys in split_keys(written):
            if keys in owner and keys:
                message = f"{keys!r} is an option twice; {owner[keys]!r} has it already"
                yield OptionFault("double", written, message, "take one of the two out")
            owner.setdefault(keys, written)
    terminated = any(TERMINATOR in keys for keys in owner)
    for keys, written in owner.items():
        longer = [other for other in owner if keys and other != keys and other.startswith(keys)]
        if not longer:
            continue
        message = (
            f"{keys!r} is the beginning of {longer[0]!r}: whoever presses it waits for the interdigit time"
        )
        yield OptionFault("beginning", written, message, "choose options of which none begins another")
        if terminated:
            message = f"{TERMINATOR!r} is an option, so it cannot end {keys!r} early"
            hint = f"give the option {TERMINATOR!r} another key"
            yield OptionFault("terminator", written, message, hint)


def circle(following: Mapping[str, str], start: str) -> list[str]:
    """The way from `start` round to itself, both ends named; empty when it does not come back there."""
    way = [start]
    while (place := following.get(way[-1])) is not None and place not in way:
        way.append(place)
    return [*way, start] if place == start else []
