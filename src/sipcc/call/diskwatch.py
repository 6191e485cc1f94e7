"""Looks at the disk of the recordings while calls are recorded, and warns before it is full."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Literal

from sipcc.call import events
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call.context import CallContext

PERIOD_S = 10.0
EASE_PERCENT = 1.0
"""So far it must fall below a limit before that counts as left."""

Level = Literal["ok", "low", "critical"]
_LEVELS: tuple[Level, ...] = ("ok", "low", "critical")

_log = get_logger("sipcc.call")


class DiskWatch:
    """One for all calls of a switch; looks only while something is recorded."""

    def __init__(self) -> None:
        self.level: Level = "ok"
        """How things stood at the last look."""
        self._recordings = 0
        self._watcher: asyncio.Task[None] | None = None

    def begin(self, context: CallContext) -> None:
        """A recording begins."""
        self._recordings += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = context.scope.spawn(self._watch(context), name="disk-watch")

    def end(self) -> None:
        """A recording is over."""
        self._recordings -= 1
        if not self._recordings and self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _watch(self, context: CallContext) -> None:
        loop = asyncio.get_running_loop()
        while self._recordings:
            try:
                disk = await loop.run_in_executor(None, shutil.disk_usage, context.recordings)
            except OSError:  # no such folder yet: the recorder makes it
                disk = None
            if disk is not None and disk.total:
                self.judge(disk.total, disk.free, context)
            await asyncio.sleep(PERIOD_S)

    def judge(self, total: int, free: int, context: CallContext) -> None:
        """Tell when a disk of so many bytes has passed a limit, up or down."""
        percent = 100.0 * (1 - free / total)
        now = _LEVELS.index(self.level)
        limits = context.media.recording.alarm_percent
        above = sum(percent >= limit for limit in limits)
        eased = sum(percent >= limit - EASE_PERCENT for limit in limits)
        level = _LEVELS[above if above > now else min(now, eased)]
        if level == self.level:
            return
        self.level = level
        free_mb = free >> 20
        if level != "ok":
            _log.warning("recording.disk_filling", level=level, percent=round(percent, 1), free_mb=free_mb)
        context.bus.emit(
            events.DiskFilling(
                at=context.clock.now(),
                folder=context.recordings,
                level=level,
                percent=round(percent, 1),
                free_mb=free_mb,
            )
        )
