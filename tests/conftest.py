"""Async tests run on the virtual clock; those marked `realtime` or `interop` on uvloop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from sipcc import plugins
from sipcc.testing.loop import VirtualClockLoop

settings.register_profile(
    "sipcc",
    deadline=None,
    print_blob=True,
    derandomize=True,  # the same examples in each run: a red test is a change of ours
    suppress_health_check=[HealthCheck.too_slow],  # says something of the machine only
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "sipcc"))


@lru_cache(maxsize=100)
def _installed(group: str, _path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=group)


def installed(*, group: str) -> EntryPoints:
    """The plug-ins of a group. To look for them is to read about all packages, at each start of a switch."""
    return _installed(group, tuple(sys.path))


plugins.entry_points = installed  # type: ignore[attr-defined]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Choose the loop of an async test by its marks."""
    real = any(item.get_closest_marker(name) is not None for name in ("realtime", "interop"))
    return {"uvloop": uvloop.new_event_loop} if real else {"virtual": VirtualClockLoop}


HERE = Path(__file__).parent
FOLDERS_ALONE = ("faults", "examples", "interop")
"""Suites that start programs and measure: two at a time take the processors from each other."""


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what no other test may run beside."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if HERE in item.path.parents else ""
        if folder in FOLDERS_ALONE or item.get_closest_marker("realtime") is not None:
            item.add_marker(pytest.mark.alone)
