"""Byte ranges of a file (RFC 9110 §14), as a core: one range, as players ask for it."""

from __future__ import annotations

import re

import msgspec

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Span(msgspec.Struct, frozen=True):
    """Bytes `first` to `last`, both included, of a file of `size` bytes."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The value of ``Content-Range``."""
        return f"bytes {self.first}-{self.last}/{self.size}"


class Unsatisfiable(Exception):
    """The range begins behind the end of the file."""


def span_of(header: str, size: int) -> Span | None:
    """The span that a ``Range`` header asks for; None for the whole file.

    A header that is no single range of bytes is passed over, as the RFC wants it.

    Raises:
        Unsatisfiable: it begins behind the end.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:  # the last so many bytes
        wanted = int(match[2])
        if not wanted or not size:
            raise Unsatisfiable
        return Span(max(0, size - wanted), size - 1, size)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return Span(first, last, size)
