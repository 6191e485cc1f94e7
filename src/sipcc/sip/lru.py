"""A dict with a fixed bound: what was not used for longest falls out."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `limit` entries."""

    __slots__ = ("_entries", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of `key`, which counts as used now, or None."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def peek(self, key: K) -> V | None:
        """The value of `key`, or None; it does not count as used."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> V:
        """Keep `value`, and give it back."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self.limit:
            self._entries.popitem(last=False)
        return value

    def drop(self, key: K) -> None:
        """Forget `key`; that it is not there is fine."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)
