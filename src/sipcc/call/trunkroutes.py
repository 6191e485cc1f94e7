"""Which trunks a call to a number leaves by, as a core: steps in order, shares by weight within a step.

    [[routes]]
    number = "mobile"
    trunks = ["telecom:70 unicom:30", "backup"]

Seven of ten calls try telecom first and then unicom, three the other way round; backup comes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from sipcc.numbers import Number, Pattern, Plan
from sipcc.sip.resolve import weighted_order

MAX_TRUNKS = 10
"""Trunks that one call is tried on: the most legs that it may make (RFC 5393 is about such storms)."""

_SHARE = re.compile(r"([^\s:]+)(?::([0-9]{1,5}))?")


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which trunks calls to a number leave by. The first route of the list that fits is taken."""

    name: str = ""
    """A name, so that ``dial:NAME/NUMBER`` can ask for this route whatever the number is."""
    number: str = "*"
    """A number, a beginning such as ``0108*``, or a kind of number such as ``mobile``, as in ``[toll]``;
    ``*`` is any number."""
    trunks: tuple[str, ...]
    """Steps that are tried in this order, when a carrier gives 503, 408 or no answer. A step is a trunk, or
    several with their shares of the calls, as in ``"telecom:70 unicom:30"``."""


class Share(NamedTuple):
    """A trunk in a step of a route."""

    trunk: str
    weight: int


def parse_step(text: str) -> list[Share]:
    """Read ``"telecom:70 unicom:30"``; a trunk without a weight has 1. ValueError says what is wrong."""
    shares = []
    for word in text.split():
        match = _SHARE.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is no trunk, and no TRUNK:WEIGHT")
        shares.append(Share(match[1], 1 if match[2] is None else int(match[2])))
    if not shares:
        raise ValueError("a step names no trunk")
    return shares


class TrunkRoutes:
    """The routes of a configuration.

    Raises:
        ValueError: a step or a number cannot be read.
    """

    def __init__(self, routes: Sequence[RouteSettings], *, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._routes = [
            (Pattern.parse(route.number), [parse_step(step) for step in route.trunks]) for route in routes
        ]
        self._named: Mapping[str, list[list[Share]]] = {
            route.name: steps
            for route, (_pattern, steps) in zip(routes, self._routes, strict=True)
            if route.name
        }

    def __len__(self) -> int:
        return len(self._routes)

    def __contains__(self, name: str) -> bool:
        """True when a route is called `name`."""
        return name in self._named

    def by_name(self, name: str) -> list[str]:
        """The trunks of the route called `name`, in the order in which this call shall try them."""
        return self._order(self._named[name])

    def find(self, number: Number | None, plan: Plan) -> list[str]:
        """The trunks for `number` in the order in which this call shall try them; empty for no route.

        What is no telephone number goes by the routes for ``*``.
        """
        for pattern, steps in self._routes:
            if pattern.matches(number, plan) if number is not None else pattern.text.strip() == "*":
                return self._order(steps)
        return []

    def _order(self, steps: Sequence[Sequence[Share]]) -> list[str]:
        found: list[str] = []
        for step in steps:
            ordered = weighted_order(step, [share.weight for share in step], self._chance)
            found += [share.trunk for share in ordered if share.trunk not in found]
        return found[:MAX_TRUNKS]
