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


def rings(following: Mapping[str, str]) -> list[list[str]]:
    """All circles, both ends named; each begins at the one of its members that `following` names first."""
    order = {name: index for index, name in enumerate(following)}
    seen: set[str] = set()
    found = []
    for start in following:
        way: dict[str, int] = {}
        place: str | None = start
        while place is not None and place not in seen:
            seen.add(place)
            way[place] = len(way)
            place = following.get(place)
        if place is not None and place in way:
            ring = list(way)[way[place] :]
            first = ring.index(min(ring, key=order.__getitem__))
            found.append([*ring[first:], *ring[:first], ring[first]])
    return sorted(found, key=lambda ring: order[ring[0]])


def circle(following: Mapping[str, str], start: str) -> list[str]:
    """The way from `start` round to itself, both ends named; empty when it does not come back there."""
    way = {start: start}
    place = following.get(start)
    while place is not None and place not in way:
        way[place] = place
        place = following.get(place)
    return [*way, start] if place == start else []
