"""A journal: what the next process needs of this one, should it die, by key.

A file of frames (`sipcc.frames`): each says how the thing of a key stands now, or that it is over. A note is
with the kernel before `note` returns, so that kill -9 loses none. Reading stops at the first frame that is
cut or damaged. At start, and whenever dead notes outweigh live ones, the file is written anew beside itself
and put in its place. A disk that fails ends the journal, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from sipcc.frames import bodies, frame
from sipcc.log import get_logger

T = TypeVar("T")

REWRITE_BYTES = 4 * 1024 * 1024
"""So many bytes of dead notes may lie in the file."""

_log = get_logger("sipcc.journal")
_encoder = msgspec.msgpack.Encoder()


class Journal(Generic[T]):
    """The journal of things of one kind, a struct."""

    def __init__(self, path: Path, kind: type[T], *, name: str, version: int) -> None:
        """`name` and `version` head the file; one with another head holds nothing for us."""
        self._path = path
        self._magic = f"sipcc {name} {version}\n".encode()
        self._decoder: msgspec.msgpack.Decoder[tuple[str, T | None]] = msgspec.msgpack.Decoder(
            tuple[str, kind | None]  # type: ignore[valid-type]
        )
        self._file: int | None = None
        self._live: dict[str, bytes] = {}
        self._dead_bytes = 0

    def open(self) -> dict[str, T]:
        """Begin to write; returns what an earlier process has left."""
        try:
            left = self.read(self._path.read_bytes()) if self._path.exists() else {}
            self._live = {key: _framed(key, thing) for key, thing in left.items()}
            self._rewrite()
        except OSError as error:
            self._fail(error)
            return {}
        return left

    def read(self, data: bytes) -> dict[str, T]:
        """What stands in a file, by key; never raises."""
        found: dict[str, T] = {}
        for key, thing in self._notes(data):
            if thing is None:
                found.pop(key, None)
            else:
                found[key] = thing
        return found

    def _notes(self, data: bytes) -> Iterator[tuple[str, T | None]]:
        for body in bodies(data, magic=self._magic):
            try:
                yield self._decoder.decode(body)
            except msgspec.MsgspecError:
                return

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def note(self, key: str, thing: T) -> None:
        """Write down how a thing stands, if that is news."""
        data = _framed(key, thing)
        before = self._live.get(key)
        if data != before:
            self._live[key] = data
            self._append(data, len(before or b""))

    def over(self, key: str) -> None:
        """Write down that a thing is over, if it was there."""
        before = self._live.pop(key, None)
        if before is not None:
            data = _framed(key, None)
            self._append(data, len(before) + len(data))

    def _append(self, data: bytes, dead_bytes: int) -> None:
        if self._file is None:
            return
        try:
            write_whole(self._file, data)
            self._dead_bytes += dead_bytes
            if self._dead_bytes > REWRITE_BYTES:
                self._rewrite()
        except OSError as error:
            self._fail(error)

    def _rewrite(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = write_anew(self._path, fresh, self._magic + b"".join(self._live.values()))
        self.close()
        self._file = descriptor
        self._dead_bytes = 0

    def _fail(self, error: OSError) -> None:
        self.close()
        _log.error("journal.failed", path=str(self._path), error=str(error))


def _framed(key: str, thing: object) -> bytes:
    return frame(_encoder.encode((key, thing)))


def write_anew(path: Path, fresh: Path, data: bytes) -> int:
    """Put a file with `data` in the place of `path`, by way of `fresh`; returns it open to append to.

    Raises:
        OSError: the disk did not take it; `path` is as before.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    try:
        write_whole(descriptor, data)
        fresh.replace(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data` in one go, or raise OSError."""
    if os.write(descriptor, data) < len(data):
        raise OSError("the disk took a part only")  # what follows would not be read
