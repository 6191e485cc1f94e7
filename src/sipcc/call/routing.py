"""Which handler a dialled number has, as a core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from sipcc.numbers import Number, Pattern, Plan, bare, parse

H = TypeVar("H")


class Route(Generic[H]):
    """One entry of the table."""

    def __init__(
        self, pattern: str, handler: H, *, trunk: str = "", max_calls: int = 0, language: str = ""
    ) -> None:
        start, star, rest = pattern.partition("*")
        if rest:
            raise ValueError(f"pattern {pattern!r}: * may stand only at the end")
        self.prefix = bare(start)
        self.exact = not star
        self.pattern = pattern
        self.handler = handler
        self.trunk = trunk
        self.max_calls = max_calls
        self.language = language
        # a name such as "mobile" is a kind of number in rules, but a name here
        number_like = self.prefix.removeprefix("+").isdigit() and self.prefix.isascii()
        self._numbers = Pattern.parse(pattern) if number_like and len(self.prefix) <= 20 else None
        self.calls = 0
        """How many calls are up on this route."""

    def matches(self, number: str, trunk: str | None) -> bool:
        """True when this route takes `number`, as it stands, from `trunk`."""
        if self.trunk and self.trunk != trunk:
            return False
        return number == self.prefix if self.exact else number.startswith(self.prefix)

    def means(self, number: Number, plan: Plan, trunk: str | None) -> bool:
        """True when this route takes that telephone number from `trunk`, however either is written."""
        if self._numbers is None or (self.trunk and self.trunk != trunk):
            return False
        return self._numbers.matches(number, plan)


class Routes(Generic[H]):
    """The table: exact numbers before prefixes, longer prefixes before shorter, named trunks before any.

    With a plan, numbers are compared by what they mean: a route for ``4008123456`` takes
    ``+864008123456`` as well.
    """

    def __init__(self, routes: Sequence[Route[H]] = (), *, plan: Plan | None = None) -> None:
        self._plan = plan or Plan()
        self._routes: list[Route[H]] = []
        for route in routes:
            self.add(route)

    def __iter__(self) -> Iterator[Route[H]]:
        return iter(self._routes)

    def add(self, route: Route[H]) -> None:
        """Add a route; ValueError when the same pattern is there for the same trunk."""
        for known in self._routes:
            if self._key(known) == self._key(route):
                raise ValueError(f"number {route.pattern!r} is routed twice")
        self._routes.append(route)
        self._routes.sort(key=lambda r: (not r.exact, -len(r.prefix), not r.trunk))

    def find(self, number: str, trunk: str | None) -> Route[H] | None:
        """The route for a dialled number, or None."""
        wanted, read = bare(number), parse(number, self._plan)
        for route in self._routes:
            if route.matches(wanted, trunk) or (read is not None and route.means(read, self._plan, trunk)):
                return route
        return None

    def _key(self, route: Route[H]) -> tuple[str, bool, str]:
        read = parse(route.prefix, self._plan) if route.exact else None
        return (read.canonical if read is not None else route.prefix, route.exact, route.trunk)
