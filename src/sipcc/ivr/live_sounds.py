"""Sounds that are fetched by URL, as files that can be played."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from sipcc import private
from sipcc.errors import SipccError
from sipcc.ivr.fetch import Fetched, Fetcher, FetchRequest
from sipcc.ivr.steps import Audio

LIMIT_BYTES = 256 * 1024 * 1024
"""So much is kept; what was not asked for longest goes first."""


def request_of(sound: Audio) -> FetchRequest:
    """What is asked for to get a sound."""
    return FetchRequest(
        url=sound.source, timeout=sound.timeout, max_age=sound.max_age, max_stale=sound.max_stale
    )


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

    async def path_of(self, sound: Audio) -> str:
        """The file of what stands at the URL of a sound.

        Raises:
            SipccError: it cannot be had, cannot be stored, or is no sound that we can play.
        """
        fetched = await self._fetcher.fetch(request_of(sound))
        return await asyncio.get_running_loop().run_in_executor(
            None, self._keep, fetched.body, _ending(fetched)
        )

    def close(self) -> None:
        """Throw everything away."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._files.clear()
        self._bytes = 0

    def _keep(self, body: bytes, ending: str) -> str:
        with self._lock:
            return self._kept(body, ending)

    def _kept(self, body: bytes, ending: str) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sipcc-sounds-")
        name = hashlib.sha256(body).hexdigest() + ending
        path = Path(self._folder.name) / name
        if name in self._files:
            self._files.move_to_end(name)
            return str(path)
        try:
            with open(path, "wb", opener=private.opener) as file:
                file.write(body)
        except OSError as error:
            raise SipccError(f"a sound cannot be stored: {error.strerror}") from error
        _see_that_it_plays(path)
        self._files[name] = len(body)
        self._bytes += len(body)
        while self._bytes > self._limit_bytes and len(self._files) > 1:
            oldest, size = self._files.popitem(last=False)
            self._bytes -= size
            (path.parent / oldest).unlink(missing_ok=True)
        return str(path)


_HEADS = (b"RIFF", b".snd", b"OggS", b"fLaC", b"ID3", b"FORM")
"""How files begin that tell themselves what they are."""
_BARE_TYPES = {"audio/basic": ".ulaw", "audio/x-alaw-basic": ".alaw"}
_BARE_ENDINGS = {".ulaw": ".ulaw", ".ul": ".ulaw", ".mulaw": ".ulaw", ".alaw": ".alaw", ".al": ".alaw"}


def _ending(fetched: Fetched) -> str:
    """The ending for the file of a sound that is bare G.711, by its type or its URL; empty for all others."""
    if fetched.body.startswith(_HEADS):
        return ""
    bare = _BARE_TYPES.get(fetched.media_type)
    return bare or _BARE_ENDINGS.get(PurePosixPath(urlsplit(fetched.url).path).suffix.lower(), "")


def _see_that_it_plays(path: Path) -> None:
    from sipcc.rtp.files import open_sound  # with numpy

    try:
        open_sound(str(path)).close()
    except (OSError, RuntimeError) as error:
        path.unlink(missing_ok=True)
        raise SipccError("what was fetched is no sound that can be played") from error
