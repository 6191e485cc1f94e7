"""Sounds that are fetched by URL, as files that can be played."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from sipcc import private
from sipcc.errors import SipccError
from sipcc.ivr.fetch import Fetcher, FetchRequest

LIMIT_BYTES = 256 * 1024 * 1024
"""So much is kept; what was not asked for longest goes first."""


class Sounds:
    """Fetches sounds; the same bytes are one file, whatever their URL."""

    def __init__(self, fetcher: Fetcher, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Fetch by `fetcher`, which keeps what servers let it keep."""
        self._fetcher = fetcher
        self._limit_bytes = limit_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    async def path_of(self, url: str) -> str:
        """The file of what stands at `url`.

        Raises:
            SipccError: it cannot be had, or cannot be stored.
        """
        body = (await self._fetcher.fetch(FetchRequest(url=url))).body
        return await asyncio.get_running_loop().run_in_executor(None, self._keep, body)

    def close(self) -> None:
        """Throw everything away."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._files.clear()
        self._bytes = 0

    def _keep(self, body: bytes) -> str:
        with self._lock:
            return self._kept(body)

    def _kept(self, body: bytes) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sipcc-sounds-")
        name = hashlib.sha256(body).hexdigest()
        path = Path(self._folder.name) / name
        if name in self._files:
            self._files.move_to_end(name)
            return str(path)
        try:
            with open(path, "wb", opener=private.opener) as file:
                file.write(body)
        except OSError as error:
            raise SipccError(f"a sound cannot be stored: {error.strerror}") from error
        self._files[name] = len(body)
        self._bytes += len(body)
        while self._bytes > self._limit_bytes and len(self._files) > 1:
            oldest, size = self._files.popitem(last=False)
            self._bytes -= size
            (path.parent / oldest).unlink(missing_ok=True)
        return str(path)
