"""Identifiers, from one injected source of random bits.

Production uses the operating system's source (RFC 3261 §8.1.1.7 and §19.3 ask for tags and branches
that nobody can guess); tests pass ``random.Random(seed)`` and get the same ids in each run.
"""

from __future__ import annotations

import os
from typing import Protocol

BRANCH_COOKIE = "z9hG4bK"
"""Marks a branch made by the rules of RFC 3261 §8.1.1.7."""


class Bits(Protocol):
    """A source of random bits, as `random.Random` has it."""

    def getrandbits(self, k: int, /) -> int:
        """An integer of `k` random bits."""
        ...


class SystemBits:
    """The operating system's random source, read a page at a time: a call needs some 25 numbers."""

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def getrandbits(self, k: int, /) -> int:
        """An integer of `k` random bits."""
        size = (k + 7) // 8
        if self._used + size > len(self._pool):
            self._pool = os.urandom(max(_PAGE_BYTES, size))
            self._used = 0
        start, self._used = self._used, self._used + size
        return int.from_bytes(self._pool[start : self._used], "big") >> (8 * size - k)


_PAGE_BYTES = 4096


class Ids:
    """Makes every identifier that goes on the wire or into a record."""

    def __init__(self, bits: Bits | None = None) -> None:
        self._bits: Bits = bits or SystemBits()

    def call_id(self) -> str:
        """A Call-ID: 128 bits in hex, without a host part, so that it tells nothing of us."""
        return f"{self._bits.getrandbits(128):032x}"

    def tag(self) -> str:
        """A From or To tag: 64 bits in hex (RFC 3261 §19.3 asks for at least 32)."""
        return f"{self._bits.getrandbits(64):016x}"

    def branch(self) -> str:
        """A Via branch with the magic cookie."""
        return f"{BRANCH_COOKIE}{self._bits.getrandbits(64):016x}"

    def uid(self, prefix: str) -> str:
        """An id for our own records, such as ``call-4f1d…``: 64 bits in hex behind `prefix`."""
        return f"{prefix}-{self._bits.getrandbits(64):016x}"

    def bits(self, count: int) -> int:
        """An integer of `count` random bits: SSRC, first sequence number, first timestamp, port choice."""
        return self._bits.getrandbits(count)
