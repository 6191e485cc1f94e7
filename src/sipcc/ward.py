"""The place of one worker, whoever fills it: what is held for it, and how it is known to live."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

from sipcc.lifeline import Lifeline, close_all

BEAT = struct.Struct("<d")
"""First in the memory of a worker: when its loop last turned, on the monotonic clock."""
PAGE_BYTES = 4096


def make_memory(size: int) -> int:
    """A file in memory of that size, and of a page at least."""
    memory = os.memfd_create("sipcc-worker")
    os.ftruncate(memory, max(size, PAGE_BYTES))
    return memory


class Ward:
    """One worker's place, whoever fills it."""

    def __init__(self, index: int, body: bytes, memory: int) -> None:
        self.index = index
        self.body = body
        self.memory = memory
        self.view = mmap.mmap(memory, PAGE_BYTES)
        self.held: dict[str, tuple[int, ...]] = {}
        self.lifeline: Lifeline | None = None
        self.pid = 0
        self.pidfd = -1
        self.born_at = 0.0
        self.crashes = 0
        self.leaving = False
        """True when it was told to end by whoever commands it."""
        self.due: float | None = 0.0
        """When it is to be borne; None while it lives."""
        self.starved_ns = -1
        """How long it had waited for a processor when its silence was noticed; -1 while it beats."""

    @property
    def beat(self) -> float:
        """When its loop last turned."""
        return float(BEAT.unpack_from(self.view)[0])

    def renew(self, body: bytes, memory: int) -> None:
        """Have another kind of worker in this place from now on."""
        self.let_go()
        self.view.close()
        os.close(self.memory)
        self.body, self.memory = body, memory
        self.view = mmap.mmap(memory, PAGE_BYTES)

    def let_go(self) -> None:
        """Close all that was held for it."""
        for descriptors in self.held.values():
            close_all(descriptors)
        self.held.clear()

    def forget(self) -> None:
        """Let go of all, and of what the worker wrote."""
        self.let_go()
        size = os.fstat(self.memory).st_size
        os.ftruncate(self.memory, 0)
        os.ftruncate(self.memory, size)

    def waited_ns(self) -> int:
        """How long a process has waited for a processor in its life; 0 when the kernel does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            return 0
