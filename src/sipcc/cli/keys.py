"""Single keys from a terminal, without Enter; the terminal is as before afterwards, whatever happens."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable
from types import TracebackType


class Keys:
    """Reads keys in the loop while its block lasts, and puts the terminal back at the end."""

    def __init__(self, on_key: Callable[[str], None], *, descriptor: int | None = None) -> None:
        self._on_key = on_key
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._before: list[object] = []

    def __enter__(self) -> Keys:
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)  # type: ignore[arg-type]

    def _read(self) -> None:
        data = os.read(self._descriptor, 64)
        if not data:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._on_key("q")
        for key in data.decode("utf-8", "replace"):
            self._on_key(key)
