from __future__ import annotations

import asyncio
import shutil
from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.call import events
from sipcc.call.diskwatch import DiskWatch
from sipcc.rtp.settings import MediaSettings
from sipcc.tasks import TaskScope


class Surroundings:
    """The part of a call's context that the watch uses."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.bus = SimpleNamespace(emit=self.told.append)
        self.clock = SimpleNamespace(now=lambda: asyncio.get_running_loop().time())
        self.media = MediaSettings()
        self.recordings = "/recordings"
        self.scope = TaskScope("test")


GB = 1 << 30


async def test_each_limit_is_told_once_up_and_down() -> None:
    context, watch = Surroundings(), DiskWatch()
    for used in (10, 84.9, 85, 90, 94, 95, 99, 94.5, 93.9, 90, 84.5, 83, 10, 96, 20):
        watch.judge(100 * GB, round((100 - used) * GB), context)  # type: ignore[arg-type]
    assert [(event.level, event.percent) for event in context.told] == [
        ("low", 85.0),
        ("critical", 95.0),
        ("low", 93.9),
        ("ok", 83.0),
        ("critical", 96.0),
        ("ok", 20.0),
    ]
    assert context.told[0] == events.DiskFilling(
        at=context.told[0].at, folder="/recordings", level="low", percent=85.0, free_mb=15 * 1024
    )


async def test_it_looks_only_while_something_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def usage(folder: str) -> Any:
        looks.append(folder)
        if len(looks) == 1:
            raise FileNotFoundError(folder)
        return SimpleNamespace(total=100 * GB, free=3 * GB)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    context, watch = Surroundings(), DiskWatch()
    watch.begin(context)  # type: ignore[arg-type]
    watch.begin(context)  # type: ignore[arg-type]
    await asyncio.sleep(25)
    assert looks == ["/recordings"] * 3
    assert [event.level for event in context.told] == ["critical"]
    watch.end()
    await asyncio.sleep(10)
    assert len(looks) == 4
    watch.end()
    await asyncio.sleep(60)
    assert len(looks) == 4
    watch.begin(context)  # type: ignore[arg-type]
    await asyncio.sleep(5)
    assert len(looks) == 5
    assert len(context.told) == 1
    await context.scope.close()
