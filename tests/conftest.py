"""Async tests run on the virtual clock; those marked `realtime` or `interop` on uvloop."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Any

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


def pytest_collection_finish() -> None:
    """Have the collector never look again at sixteen thousand tests and what they imported."""
    gc.collect()
    gc.freeze()


@cache
def _is_realtime(file: str) -> bool:
    return "realtime" in Path(file).read_text()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal each file to one process, and all that are realtime to the same one: these run one at a time."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Dealer(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "realtime" if _is_realtime(str(config.rootpath / file)) else file

    return Dealer(config, log)
