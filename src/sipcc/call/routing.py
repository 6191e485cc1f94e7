"""Which handler a dialled number has, as a core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from sipcc.numbers import Number, Pattern, Plan, bare, parse

H = TypeVar("H")


class _Count:
    calls = 0


class Route(Generic[H]):
    """One entry of the table."""

    def __init__(
        self,
        pattern: str,
        handler: H,
        *,
        trunk: str = "",
        max_calls: int = 0,
        full: H | None = None,
        language: str = "",
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
        self.full: Route[H] | None = None
        """Where calls beyond `max_calls` go; they do not count here. None refuses them."""
        if full is not None:
            self.full = Route(pattern, full, trunk=trunk, language=language)
        self.language = language
        # a name such as "mobile" is a kind of number in rules, but a name here
        number_like = self.prefix.removeprefix("+").isdigit() and self.prefix.isascii()
        self._numbers = Pattern.parse(pattern) if number_like and len(self.prefix) <= 20 else None
        self._up = _Count()

    @property
    def calls(self) -> int:
        """How many calls are up on this route, and were on those that it follows."""
        return self._up.calls

    @calls.setter
    def calls(self, calls: int) -> None:
        self._up.calls = calls

    @property
    def is_full(self) -> bool:
        """True when as many calls are up as may be."""
        return 0 < self.max_calls <= self.calls

    def follow(self, before: Route[H]) -> None:
        """Count the calls of a route in whose place this one comes."""
        self._up = before._up

    def matches(self, number: str, trunk: str | None) -> bool:
        """True when this route, for a beginning, takes `number` as it stands from `trunk`."""
        return (not self.trunk or self.trunk == trunk) and number.startswith(self.prefix)

    def means(self, number: Number, plan: Plan, trunk: str | None) -> bool:
        """True when this route, for a beginning, takes that telephone number, however either is written."""
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
        self._exact: dict[str, list[Route[H]]] = {}
        self._prefixes: list[Route[H]] = []
        for route in routes:
            self.add(route)

    def __iter__(self) -> Iterator[Route[H]]:
        return iter(self._routes)

    def add(self, route: Route[H]) -> None:
        """Add a route; ValueError when the same pattern is there for the same trunk."""
        same = self._exact.get(self._meaning(route.prefix), []) if route.exact else self._prefixes
        if any(
            known.trunk == route.trunk and (route.exact or known.prefix == route.prefix) for known in same
        ):
            raise ValueError(f"number {route.pattern!r} is routed twice")
        self._routes.append(route)
        self._routes.sort(key=_order)
        if route.exact:
            same = self._exact.setdefault(self._meaning(route.prefix), [])
        same.append(route)
        same.sort(key=_order)

    def follow(self, before: Routes[H]) -> None:
        """Count the calls that are up on the same numbers of the table that was there before."""
        known = {(route.pattern, route.trunk): route for route in before}
        for route in self:
            if (same := known.get((route.pattern, route.trunk))) is not None:
                route.follow(same)

    def find(self, number: str, trunk: str | None) -> Route[H] | None:
        """The route for a dialled number, or None."""
        for route in self._exact.get(self._meaning(number), ()):
            if route.trunk in {"", trunk}:
                return route
        wanted, read = bare(number), parse(number, self._plan)
        for route in self._prefixes:
            if route.matches(wanted, trunk) or (read is not None and route.means(read, self._plan, trunk)):
                return route
        return None

    def _meaning(self, number: str) -> str:
        """What stands for all spellings of a number; a name stands for itself."""
        read = parse(number, self._plan)
        return read.canonical if read is not None else bare(number)


def _order(route: Route[H]) -> tuple[bool, int, bool]:
    return (not route.exact, -len(route.prefix), not route.trunk)
