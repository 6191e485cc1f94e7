"""How many calls at a time: one count per name, as a core."""

from __future__ import annotations


class CallLimits:
    """Counts what is up per name, such as the legs of a trunk; every `take` has its `give_back`."""

    def __init__(self) -> None:
        self._up: dict[str, int] = {}

    def up(self, name: str) -> int:
        """How many are up."""
        return self._up.get(name, 0)

    def take(self, name: str, limit: int) -> bool:
        """Count one more, unless `limit` are up already; 0 is no limit."""
        if limit and self.up(name) >= limit:
            return False
        self._up[name] = self.up(name) + 1
        return True

    def give_back(self, name: str) -> None:
        """One is over."""
        left = self._up[name] - 1
        if left:
            self._up[name] = left
        else:
            del self._up[name]
