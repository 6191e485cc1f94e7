"""Fetching in a simulation: at once, or as long in virtual time as the simulation wants."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from sipcc.ivr.fetch import Content, Fetched, Fetcher, FetchError, FetchRequest, FolderFetcher

FetchSeconds: TypeAlias = float | Callable[[FetchRequest], float]

FetchFunction: TypeAlias = Callable[[FetchRequest], "Fetched | bytes | str"]


class Watched:
    """Notes what is asked for, and gets it at once."""

    def __init__(self, fetcher: Fetcher, requests: list[FetchRequest], seconds: FetchSeconds) -> None:
        self._fetcher = fetcher
        self._requests = requests
        self._seconds = seconds
        self.wait: Callable[[float], Awaitable[None]] | None = None
        """Lets virtual time pass."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What stands behind the URL."""
        self._requests.append(request)
        seconds = self._seconds(request) if callable(self._seconds) else self._seconds
        if seconds and self.wait is not None:
            patience = seconds if request.timeout is None else request.timeout
            await self.wait(min(seconds, patience))
            if seconds > patience:
                raise FetchError(request.target, "timeout", f"no answer within {patience:g} s")
        fetching = self._fetcher.fetch(request)
        if isinstance(self._fetcher, FolderFetcher | _Function):
            return await fetching
        return _apart(fetching)


class _Function:
    """A fetcher of a function."""

    def __init__(self, function: FetchFunction) -> None:
        self._function = function

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What the function gets."""
        found = self._function(request)
        if isinstance(found, Fetched):
            return found
        return Fetched(url=request.target, body=found.encode() if isinstance(found, str) else found)


def fetcher_of(
    fetch: FetchFunction | Fetcher | None,
    documents: Mapping[str, Content] | None,
    folders: Mapping[str, Path] | None,
    url: str,
) -> Fetcher:
    """The fetcher of a simulation; see `sipcc.ivr.vxml.simulation.Simulation`."""
    if fetch is not None:
        return _Function(fetch) if callable(fetch) else fetch
    if documents is not None or folders is not None or not url.startswith(("http://", "https://")):
        return FolderFetcher(documents, folders)
    from sipcc.ivr.fetchhttp import HttpFetcher

    http = HttpFetcher()
    http.allow(url)
    return http.session()


def _apart(fetching: Coroutine[Any, Any, Fetched]) -> Fetched:
    """Wait for a fetch that needs a loop: one in a thread of its own, which all simulations share."""
    return asyncio.run_coroutine_threadsafe(fetching, _loop()).result()


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="vxml-fetch", daemon=True).start()
    return loop
