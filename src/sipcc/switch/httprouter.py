"""A routing service over HTTP: what is known of a call is posted as JSON; the answer says where it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import msgspec

from sipcc.acd.settings import RouterSettings
from sipcc.switch.routers import UserData

if TYPE_CHECKING:
    import httpx

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
        """Begin to make the client, in a thread: what it needs for TLS takes 0.1 s."""
        self._url = settings.url
        self._client = asyncio.get_running_loop().run_in_executor(None, _client, settings)

    async def __call__(self, body: bytes) -> tuple[int, bytes]:
        """Post `body`."""
        client, answer = await asyncio.shield(self._client), bytearray()
        async with client.stream("POST", self._url, content=body) as response:
            async for part in response.aiter_raw():
                answer += part
                if len(answer) > MAX_ANSWER:
                    raise ValueError(f"the answer is longer than {MAX_ANSWER} bytes")
        return response.status_code, bytes(answer)

    async def close(self) -> None:
        """Close the connections."""
        await (await self._client).aclose()


def _client(settings: RouterSettings) -> httpx.AsyncClient:
    import httpx  # only for those who route so

    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if settings.authorization:
        headers["Authorization"] = settings.authorization
    # no deadline of its own: whoever asks has one, and counts what is late;
    # no proxies of the environment: they would see every caller
    return httpx.AsyncClient(
        headers=headers, timeout=None, trust_env=False, verify=settings.url.startswith("https:")
    )


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
