"""What was told and is not in the database yet, in a file: so that a process that dies loses no event.

The kernel has a row before `append` returns. Rows are numbered within one run of the daemon, and the number
up to which they are stored is written in the transaction that stores them (`spool_mark`), so the next start
knows exactly what is missing: nothing is lost and nothing is there twice. A disk that fails ends the spool
and no call; the rows are in memory as well.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from sipcc.frames import bodies, frame
from sipcc.journal import write_anew, write_whole
from sipcc.log import get_logger
from sipcc.records.eventlog import LogRow

_log = get_logger("sipcc.records")

_MAGIC = b"sipcc events 1\n"
REWRITE_BYTES = 4 * 1024 * 1024
"""So many bytes of stored rows may lie in the file while it is never empty."""


class _Numbered(msgspec.Struct, frozen=True, array_like=True):
    number: int
    row: LogRow


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Numbered)


class Spool:
    """The file of one run: ``BASE.RUN``."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.run = secrets.token_hex(8)
        """The name of this run, which marks what is stored of it."""
        self.number = 0
        """Of the last row."""
        self._file: int | None = None
        self._bytes = 0
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._failed = False

    def leftovers(self) -> list[Path]:
        """Files of runs that did not end orderly, oldest first."""
        found = self._base.parent.glob(f"{self._base.name}.*")
        return sorted((path for path in found if path != self._path), key=lambda path: path.stat().st_mtime)

    def append(self, row: LogRow) -> int:
        """Write a row down; returns its number."""
        self.number += 1
        if not self._failed:
            data = frame(_encoder.encode(_Numbered(self.number, row)))
            self._waiting.append((self.number, data))
            self._guarded(lambda: self._write(data))
        return self.number

    def stored(self, number: int) -> None:
        """All rows up to `number` are in the database."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= number:
            waiting.popleft()
        if self._file is not None and (not waiting or self._bytes > REWRITE_BYTES):
            self._guarded(self._rewrite)

    def close(self) -> None:
        """Write no more; a file whose rows are all stored goes."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if not self._waiting:
                self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        return self._base.with_name(f"{self._base.name}.{self.run}")

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            data = _MAGIC + data
        write_whole(self._file, data)
        self._bytes += len(data)

    def _rewrite(self) -> None:
        """Keep in the file what is waiting, and nothing else."""
        assert self._file is not None
        if self._waiting:
            fresh = self._base.with_name(f".{self._base.name}.{self.run}")
            data = _MAGIC + b"".join(data for _, data in self._waiting)
            descriptor = write_anew(self._path, fresh, data)
            os.close(self._file)
            self._file, self._bytes = descriptor, len(data)
        else:
            os.ftruncate(self._file, len(_MAGIC))
            self._bytes = len(_MAGIC)

    def _guarded(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._failed = True
            self._waiting.clear()
            if self._file is not None:
                os.close(self._file)
                self._file = None
            _log.error("records.spool_failed", path=str(self._path), error=str(error))


def rows_of(data: bytes) -> Iterator[tuple[int, LogRow]]:
    """The rows of a spool file with their numbers, up to the first that is cut or damaged; never raises."""
    for body in bodies(data, magic=_MAGIC):
        try:
            numbered = _decoder.decode(body)
        except msgspec.MsgspecError:
            return
        yield numbered.number, numbered.row
