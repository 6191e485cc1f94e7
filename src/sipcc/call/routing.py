"""Which handler a dialled number has, as a core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

H = TypeVar("H")

_SEPARATORS = str.maketrans("", "", "-. ()")


def normalise(number: str) -> str:
    """A dialled number without visual separators (RFC 3966 §5.1.1): ``400-812-3456`` is ``4008123456``.

    A name that is not a number, such as ``alice-2``, stays as it is.
    """
    bare = number.translate(_SEPARATORS)
    digits = bare[1:] if bare.startswith("+") else bare
    return bare if digits.isascii() and digits.isdigit() else number


class Route(Generic[H]):
    """One entry of the table."""

    def __init__(
        self, pattern: str, handler: H, *, trunk: str = "", max_calls: int = 0, language: str = ""
    ) -> None:
        self.prefix, star, rest = normalise(pattern).partition("*")
        if rest:
            raise ValueError(f"pattern {pattern!r}: * may stand only at the end")
        self.exact = not star
        self.pattern = pattern
        self.handler = handler
        self.trunk = trunk
        self.max_calls = max_calls
        self.language = language
        self.calls = 0
        """How many calls are up on this route."""

    def matches(self, number: str, trunk: str | None) -> bool:
        """True when this route takes `number` (normalised) from `trunk`."""
        if self.trunk and self.trunk != trunk:
            return False
        return number == self.prefix if self.exact else number.startswith(self.prefix)


class Routes(Generic[H]):
    """The table: exact numbers before prefixes, longer prefixes before shorter, named trunks before any."""

    def __init__(self, routes: Sequence[Route[H]] = ()) -> None:
        self._routes: list[Route[H]] = []
        for route in routes:
            self.add(route)

    def __iter__(self) -> Iterator[Route[H]]:
        return iter(self._routes)

    def add(self, route: Route[H]) -> None:
        """Add a route; ValueError when the same pattern is there for the same trunk."""
        for known in self._routes:
            if (known.prefix, known.exact, known.trunk) == (route.prefix, route.exact, route.trunk):
                raise ValueError(f"number {route.pattern!r} is routed twice")
        self._routes.append(route)
        self._routes.sort(key=lambda r: (not r.exact, -len(r.prefix), not r.trunk))

    def find(self, number: str, trunk: str | None) -> Route[H] | None:
        """The route for a dialled number, or None."""
        wanted = normalise(number)
        return next((route for route in self._routes if route.matches(wanted, trunk)), None)
