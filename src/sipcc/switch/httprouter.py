"""A routing service over HTTP: what is known of a call is posted as JSON; the answer says where it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

from sipcc.acd.settings import RouterSettings
from sipcc.ivr.fetch import FetchRequest, FetchSettings
from sipcc.switch.routers import UserData

if TYPE_CHECKING:
    from sipcc.ivr.fetchhttp import HttpFetcher

MAX_ANSWER = 65_536
"""Bytes of an answer; a longer one is junk."""


class Post(Protocol):
    """Sends a body of JSON, and has the answer."""

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer; raises OSError, or an error of the client."""
        ...


class HttpService:
    """Asks one service."""

    def __init__(self, post: Post) -> None:
        self._post = post

    async def ask(self, data: UserData) -> object:
        """The answer of the service.

        Raises:
            ValueError: it is none.
        """
        status, body = await self._post(msgspec.json.encode(data, enc_hook=str))
        if status != 200:
            raise ValueError(f"the answer has the status {status}")
        try:
            return msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ValueError(f"the answer is no JSON: {error}") from None


class HttpPost:
    """Posts over connections that stay open."""

    def __init__(self, settings: RouterSettings) -> None:
        """Begin to make what fetches, in a thread: loading it takes 0.1 s."""
        self._url = settings.url
        self._headers = {"Content-Type": "application/json"}
        if settings.authorization:
            self._headers["Authorization"] = settings.authorization
        self._fetcher = asyncio.get_running_loop().run_in_executor(None, _fetcher, settings.url)

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Post `body`."""
        fetcher = await asyncio.shield(self._fetcher)
        request = FetchRequest(url=self._url, method="POST", body=body, headers=self._headers)
        fetched = await fetcher.fetch(request)
        return fetched.status, fetched.body

    async def close(self) -> None:
        """Close the connections."""
        await (await self._fetcher).close()


def _fetcher(url: str) -> HttpFetcher:
    from sipcc.ivr.fetchhttp import HttpFetcher  # only for those who route so

    # whoever asks has a deadline of its own, a shorter one, and counts what is late
    fetcher = HttpFetcher(FetchSettings(only_allowed=True, timeout=60.0, max_bytes=MAX_ANSWER, cache_bytes=0))
    fetcher.allow(url)
    return fetcher


class HttpPosts:
    """The clients of a switch, one for each service: a reload leaves their connections alone."""

    def __init__(self) -> None:
        self._posts: dict[tuple[str, str], HttpPost] = {}

    def of(self, settings: RouterSettings) -> HttpPost:
        """The client for `settings`."""
        key = settings.url, settings.authorization
        if key not in self._posts:
            self._posts[key] = HttpPost(settings)
        return self._posts[key]

    async def close(self) -> None:
        """Close all connections."""
        posts, self._posts = list(self._posts.values()), {}
        for post in posts:
            await post.close()
