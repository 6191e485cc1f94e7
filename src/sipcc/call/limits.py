"""What a trunk may carry: how many calls at a time, one count per name; and whether it takes calls at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipcc.sip.settings import TrunkSettings


class CallLimits:
    """Counts what is up per name, such as the legs of a trunk; every `take` has its `give_back`.

    Here every trunk is well and has no limit of calls per second: `sipcc.switch.trunks` knows better.
    """

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

    def refusal(self, trunk: TrunkSettings) -> str:
        """Why a call to `trunk` must not be sent now, in words; empty when one is sent at once.

        Each that is sent must be told of with `told` or `untold`.
        """
        return ""

    def told(self, trunk: str, status: int | None, *, retry_after: float | None = None) -> None:
        """What a call to `trunk` got: a provisional above 100, a final answer, or nothing at all (None)."""

    def untold(self, trunk: str) -> None:
        """A call to `trunk` ended by us before it got anything that tells."""
