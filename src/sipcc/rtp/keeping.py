"""The part of the keeper that a library plays for its own workers: a `Nursery` on the asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import sipcc
from sipcc.log import get_logger
from sipcc.nursery import WATCH_S, Nursery

_log = get_logger("sipcc.rtp")
END_WAIT_S = 6.0
"""Longer than a nursery waits before it kills."""


class Workers(Protocol):
    """Who starts and replaces the workers of a pool: `OwnWorkers`, or the keeper of the daemon."""

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        ...

    @property
    def restarts(self) -> int:
        """Workers that died and were replaced."""
        ...

    def begin(
        self,
        places: Sequence[tuple[bytes, int]],
        on_link: Callable[[int, socket.socket], None],
        *,
        command: Sequence[str],
        standby: bool,
    ) -> None:
        """Start a worker for each place, or find those that run; links come through `on_link`.

        `command` starts the process that bears them, and with `standby` that one stays in waiting.
        """
        ...

    def relink(self, index: int) -> None:
        """Ask for a new link to a worker whose link broke."""
        ...

    async def end(self) -> None:
        """Wait until all workers, who were told to end, have ended."""
        ...


def worker_command() -> list[str]:
    """What starts the standby of a nursery of media workers."""
    return [sys.executable, "-m", "sipcc.rtp.standby"]


def worker_environment() -> dict[str, str]:
    """The environment of media workers: this very code, and no BLAS threads that spin."""
    root = str(Path(sipcc.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root,
    }


class OwnWorkers:
    """The workers of a process without a keeper: they end with it."""

    def __init__(self) -> None:
        self._nursery: Nursery | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._restarts = 0
        self._empty = asyncio.Event()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return self._nursery.pids if self._nursery is not None else []

    @property
    def standby_pid(self) -> int:
        """The process id of the standby, 0 while there is none."""
        return self._nursery.standby_pid if self._nursery is not None else 0

    @property
    def restarts(self) -> int:
        """Workers that died and were replaced."""
        return self._nursery.restarts if self._nursery is not None else self._restarts

    def begin(
        self,
        places: Sequence[tuple[bytes, int]],
        on_link: Callable[[int, socket.socket], None],
        *,
        command: Sequence[str],
        standby: bool,
    ) -> None:
        """Start a worker for each place."""
        self._loop = asyncio.get_running_loop()
        self._nursery = Nursery(
            environment=worker_environment(),
            on_link=on_link,
            tell=_tell,
        )
        self._loop.add_reader(self._nursery.fileno(), self._work)
        self._nursery.begin(places, command=command, standby=standby, now=self._now())
        self._watch()

    def relink(self, index: int) -> None:
        """Make a new link to a worker that lives."""
        if self._nursery is not None:
            self._nursery.relink(index)

    async def end(self) -> None:
        """Wait until all have ended; who does not is killed."""
        nursery, loop = self._nursery, self._loop
        if nursery is None or loop is None:
            return
        nursery.quit(now=self._now())
        if not nursery.empty:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), END_WAIT_S)
        if self._timer is not None:
            self._timer.cancel()
        loop.remove_reader(nursery.fileno())
        self._restarts = nursery.restarts
        self._nursery = None
        nursery.close()

    @staticmethod
    def _now() -> float:
        return time.monotonic()  # which workers read too

    def _work(self) -> None:
        if self._nursery is not None:
            self._nursery.work(now=self._now())
            if self._nursery.empty:
                self._empty.set()

    def _watch(self) -> None:
        if self._nursery is not None and self._loop is not None:
            self._nursery.watch(now=self._now())
            self._timer = self._loop.call_later(WATCH_S, self._watch)


def _tell(event: str, values: dict[str, object]) -> None:
    _log.error(event, **values)
