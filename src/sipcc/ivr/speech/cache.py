"""What was spoken, on disk: one WAV for each text, found by its hash; of bounded size.

A file appears whole or not at all: it is written under another name, and renamed. Several processes may
share a folder. What callers are about to hear may be pinned, and is never thrown away. Texts may be about
callers, so others than the owner and its group read nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import time
from collections import OrderedDict
from pathlib import Path

from sipcc.ivr.speech.voice import SpeechError
from sipcc.private import opener

_UNFINISHED = ".tmp"
_ABANDONED_S = 3600.0
_numbers = itertools.count(1)


def cache_name(text: str, *, language: str, voice: str, key: str) -> str:
    """The file of a text: a hash of all that makes it sound as it does."""
    parts = "\0".join((key, language, voice, text)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(parts).hexdigest()[:40] + ".wav"


class SpeechCache:
    """The files of one folder. Used from one loop; disks are touched in threads, but for `find`."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self._limit = limit_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._pinned: set[str] = set()
        self._opened = False
        self.bytes = 0
        """What the files take."""

    def find(self, name: str) -> str | None:
        """The path of the file called `name` if it is there."""
        path = self.folder / name
        if not path.is_file():
            return None
        if name in self._sizes:
            self._sizes.move_to_end(name)
        return str(path)

    def pin(self, names: set[str]) -> None:
        """Never throw these away; they take the place of those that were pinned before."""
        self._pinned = names

    async def put(self, name: str, data: bytes) -> str:
        """Write a file; the oldest go when there are too many bytes.

        Raises:
            SpeechError: the disk refuses it.
        """
        try:
            found = await asyncio.to_thread(self._write, name, data, listed=self._opened)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SpeechError(
                f"cannot write into the speech cache {self.folder}: {reason}"
                " (make the folder writable, or name another one as [speech] cache)"
            ) from error
        if not self._opened:
            self._opened = True
            for known, size in found:
                self._count(known, size)
        self._count(name, len(data))
        await asyncio.to_thread(self._delete, self._surplus(name))
        return str(self.folder / name)

    def _write(self, name: str, data: bytes, *, listed: bool) -> list[tuple[str, int]]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        found = [] if listed else self._list()
        path = self.folder / f".{name}.{os.getpid()}.{next(_numbers)}{_UNFINISHED}"
        try:
            with open(path, "wb", opener=opener) as file:
                file.write(data)
            path.replace(self.folder / name)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return found

    def _list(self) -> list[tuple[str, int]]:
        """Names and sizes, oldest first; what a process has left half-written long ago is thrown away."""
        stats = []
        for path in self.folder.glob(f".*{_UNFINISHED}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED_S:
                    path.unlink()
        for path in self.folder.glob("*.wav"):
            with contextlib.suppress(OSError):  # another process has thrown it away
                stat = path.stat()
                stats.append((stat.st_mtime, path.name, stat.st_size))
        return [(name, size) for _, name, size in sorted(stats)]

    def _count(self, name: str, size: int) -> None:
        self.bytes += size - self._sizes.pop(name, 0)
        self._sizes[name] = size

    def _surplus(self, newest: str) -> list[str]:
        names = []
        for name in list(self._sizes):
            if self.bytes <= self._limit:
                break
            if name != newest and name not in self._pinned:
                self.bytes -= self._sizes.pop(name)
                names.append(name)
        return names

    def _delete(self, names: list[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
