"""Frames in a file that is only appended to: a length and a checksum before each body.

Whoever dies while it writes leaves a frame that is cut; reading ends there, and what stands before is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

HEAD_BYTES = 8


def frame(body: bytes) -> bytes:
    """One body as it stands in the file."""
    return len(body).to_bytes(4, "big") + crc32(body).to_bytes(4, "big") + body


def bodies(data: bytes, *, magic: bytes) -> Iterator[bytes]:
    """The bodies in a file that begins with `magic`, up to the first that is cut or damaged."""
    at = len(magic)
    if data[:at] != magic:
        return
    while at + HEAD_BYTES <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body = data[at + HEAD_BYTES : at + HEAD_BYTES + size]
        if len(body) < size or crc32(body) != int.from_bytes(data[at + 4 : at + HEAD_BYTES], "big"):
            return
        yield body
        at += HEAD_BYTES + size
