"""Which calls are in flows now, as a core: by version and by node; `counts` tells what callers did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sipcc.events import Event
from sipcc.ivr.events import NodeEntered, NodeLeft

Key = tuple[str, str]
"""A flow and its version."""


class FlowTraffic:
    """The calls in flows."""

    def __init__(self) -> None:
        self._live: Counter[Key] = Counter()
        self._here: dict[Key, Counter[str]] = {}

    @contextmanager
    def passing(self, flow: str, version: str) -> Iterator[None]:
        """A call is in a flow for as long as this lasts."""
        self._live[flow, version] += 1
        try:
            yield
        finally:
            self._live[flow, version] -= 1

    def tell(self, event: Event) -> None:
        """Hear of a call that came to a node, or left one."""
        if isinstance(event, NodeEntered):
            self._here.setdefault((event.flow, event.version), Counter())[event.node] += 1
        elif isinstance(event, NodeLeft):
            self._here[event.flow, event.version][event.node] -= 1

    def versions(self, flow: str) -> dict[str, int]:
        """The versions of a flow in which calls are, and how many."""
        return {version: count for (name, version), count in self._live.items() if name == flow and count}

    def here(self, flow: str) -> dict[str, int]:
        """The nodes of a flow in which calls are, and how many, whatever their versions."""
        found: Counter[str] = Counter()
        for (name, _), nodes in self._here.items():
            if name == flow:
                found.update(nodes)
        return {node: count for node, count in found.items() if count}

    def prune(self, current: Collection[Key]) -> None:
        """Forget the versions that are not `current` and have no calls any more."""
        for key in [key for key in self._here if key not in current and not any(self._here[key].values())]:
            del self._here[key]
        for key in [key for key, count in self._live.items() if not count]:
            del self._live[key]
