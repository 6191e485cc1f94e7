"""Gets things over HTTP, and from folders that are allowed: with a cache, limits, and a guard of addresses.

A name is looked up once for each connection; the connection goes to the address that was checked, and so
nothing can change in between. Proxies of the environment are not used: they would see every caller.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlencode, urljoin, urlsplit

import httpcore
import httpx
import msgspec

from sipcc.ivr.fetch import (
    MAX_REDIRECTS,
    Fetched,
    FetchError,
    FetchRequest,
    FetchSettings,
    media_type_of,
    media_type_of_file,
)
from sipcc.ivr.fetchcache import Copy, HttpCache, usable, validators
from sipcc.ivr.fetchguard import PORTS, Guard

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Looks up the addresses of a host."""

MAX_CONNECTIONS = 100
IDLE_S = 30.0
"""Seconds after which a connection that nobody uses is closed."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PRIVATE_HEADERS = frozenset({"authorization", "cookie"})
"""Headers that do not go along to another server."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` as the system has them, the preferred one first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class HttpFetcher:
    """Gets things over HTTP; one for a switch, `session` for each caller."""

    def __init__(
        self,
        settings: FetchSettings | None = None,
        *,
        resolve: Resolve = resolve,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`resolve` and `wall` (the Unix time) are there for tests."""
        self.settings = settings or FetchSettings()
        self.guard = Guard(self.settings.allow, only_allowed=self.settings.only_allowed)
        self.cache = HttpCache(self.settings.cache_bytes)
        self._folders = [Path(folder).resolve() for folder in self.settings.folders]
        self._resolve = resolve
        self._wall = wall
        self._pool: asyncio.Task[httpcore.AsyncConnectionPool] | None = None

    def allow(self, url: str) -> None:
        """Allow the server of `url`, wherever it is: it stands in the operator's own configuration."""
        self.guard.allow(url)

    def session(self) -> _Session:
        """A fetcher with cookies of its own, for one caller."""
        return _Session(self)

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What `request` asks for. Cookies are neither kept nor sent; see `session`.

        Raises:
            FetchError: nothing came.
        """
        return await self.fetch_with(request, None)

    async def fetch_with(self, request: FetchRequest, cookies: httpx.Cookies | None) -> Fetched:
        """The same with cookies, which grow."""
        try:
            url = request.target
        except ValueError as error:
            raise FetchError(request.url, "refused", f"it is no URL: {error}") from None
        limit = request.max_bytes or self.settings.max_bytes
        if url.lower().startswith("file:"):
            return await asyncio.to_thread(self._file, url, limit)
        timeout = self.settings.timeout if request.timeout is None else request.timeout
        try:
            async with asyncio.timeout(timeout):
                return await self._follow(_asked(request, url), request, cookies, limit)
        except TimeoutError:
            raise FetchError(url, "timeout", f"nothing came within {timeout:g} s") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise FetchError(url, "unreachable", _said(error)) from None
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise FetchError(url, "junk", _said(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            pool, self._pool = await self._pool, None
            await pool.aclose()

    async def _follow(
        self, asked: httpx.Request, request: FetchRequest, cookies: httpx.Cookies | None, limit: int
    ) -> Fetched:
        for _ in range(MAX_REDIRECTS + 1):
            url = asked.url
            port = url.port or PORTS.get(url.scheme, 0)
            self.guard.check_url(
                str(url), url.scheme, url.host, port, url.raw_path.decode("ascii").split("?")[0]
            )
            if cookies is not None:
                asked.headers.pop("cookie", None)
                cookies.set_cookie_header(asked)
            fetched = await self._one(asked, request, cookies, limit)
            where = fetched.headers.get("location")
            if fetched.status not in REDIRECTS or where is None:
                if fetched.status >= 400 or fetched.status in REDIRECTS:
                    message = f"the status is {fetched.status}"
                    raise FetchError(str(url), "status", message, status=fetched.status)
                return fetched
            asked = _redirected(asked, fetched.status, urljoin(str(url), where))
        raise FetchError(str(asked.url), "redirects", f"more than {MAX_REDIRECTS} redirects")

    async def _one(
        self, asked: httpx.Request, request: FetchRequest, cookies: httpx.Cookies | None, limit: int
    ) -> Fetched:
        url = str(asked.url)
        if asked.method != "GET":
            fetched = await self._send(asked, cookies, limit)
            if fetched.status < 400:
                self.cache.drop(url)
            return fetched
        headers = {name.lower(): value for name, value in asked.headers.items()}
        copy = self.cache.find(url, headers)
        if copy is not None:
            if usable(copy, max_age=request.max_age, max_stale=request.max_stale, wall=self._wall()):
                return _of(copy)
            asked.headers.update(validators(copy))
        asked_at = self._wall()
        fetched = await self._send(asked, cookies, limit)
        if fetched.status == 304 and copy is not None:
            self.cache.confirm(copy, fetched.headers, asked_at=asked_at, wall=self._wall())
            return _of(copy)
        if fetched.status < 500:
            new = Copy(
                url=url,
                status=fetched.status,
                headers=dict(fetched.headers),
                body=fetched.body,
                asked_at=asked_at,
                came_at=self._wall(),
            )
            self.cache.keep(new, headers)
        return fetched

    async def _send(self, asked: httpx.Request, cookies: httpx.Cookies | None, limit: int) -> Fetched:
        if self._pool is None:
            self._pool = asyncio.ensure_future(asyncio.to_thread(self._make_pool))
        pool = await asyncio.shield(self._pool)
        url = asked.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        sent = httpcore.Request(asked.method, target, headers=asked.headers.raw, content=asked.read())
        response = await pool.handle_async_request(sent)
        headers = httpx.Headers(response.headers)
        try:
            if cookies is not None:
                cookies.extract_cookies(httpx.Response(response.status, headers=headers, request=asked))
            body = await _read(response, headers, str(url), limit)
        finally:
            await response.aclose()
        media_type, charset = media_type_of(headers.get("content-type", ""))
        return Fetched(
            url=str(url),
            body=body,
            status=response.status,
            media_type=media_type,
            charset=charset,
            headers={name.lower(): value for name, value in headers.items()},
        )

    def _make_pool(self) -> httpcore.AsyncConnectionPool:
        # in a thread: the certificates of TLS take 0.1 s to load
        return httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS // 5,
            keepalive_expiry=IDLE_S,
            network_backend=_GuardedNetwork(self.guard, self._resolve),
        )

    def _file(self, url: str, limit: int) -> Fetched:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or "\0" in unquote(parts.path):
            raise FetchError(url, "refused", "it is no file here")
        path = Path(unquote(parts.path)).resolve()
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise FetchError(url, "refused", "files of this folder may not be fetched")
        try:
            if not path.is_file():
                raise FetchError(url, "status", "there is no such file", status=404)
            with path.open("rb") as file:
                body = file.read(limit + 1)
        except OSError as error:
            raise FetchError(url, "unreachable", error.strerror or "it cannot be read") from None
        if len(body) > limit:
            raise FetchError(url, "too_large", f"it is longer than {limit} bytes")
        return Fetched(url=url, body=body, media_type=media_type_of_file(path.name))


class _Session:
    """A fetcher with cookies of its own."""

    def __init__(self, fetcher: HttpFetcher) -> None:
        self._fetcher = fetcher
        self._cookies = httpx.Cookies()

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What `request` asks for; FetchError when nothing came."""
        return await self._fetcher.fetch_with(request, self._cookies)


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that the guard lets pass, each looked up once."""

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard = guard
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect with the first address of `host` that answers; none may be refused."""
        addresses = await self._resolve(host.strip("[]"), port)
        for address in addresses:
            self._guard.check_address(host.strip("[]"), port, address)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        return await self._network.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


def _asked(request: FetchRequest, url: str) -> httpx.Request:
    """The request as it goes out."""
    headers = httpx.Headers({"accept": "*/*", "user-agent": "sipcc", **request.headers})
    headers["accept-encoding"] = "identity"  # a small body that unpacks to a huge one cannot come then
    control = [f"max-age={request.max_age:.0f}"] if request.max_age is not None else []
    if request.max_stale is not None:
        control.append(f"max-stale={request.max_stale:.0f}")
    if control:
        headers["cache-control"] = ", ".join(control)
    content: dict[str, Any] = {}
    if request.form is not None:
        content["content"] = urlencode(request.form).encode()
        headers["content-type"] = "application/x-www-form-urlencoded"
    elif request.parts is not None:
        content["files"] = [_part(*part) for part in request.parts]
    elif request.json is not msgspec.UNSET:
        content["content"] = msgspec.json.encode(request.json)
        headers["content-type"] = "application/json"
    elif request.body is not None:
        content["content"] = request.body
    try:
        made = httpx.Request(request.method, url, headers=headers, **content)
        made.read()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError, TypeError) as error:
        raise FetchError(url, "refused", f"it cannot be asked for: {_said(error)}") from None
    user, password = made.url.username, made.url.password
    if user or password:
        made.headers["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return made


def _part(name: str, file_name: str, content: bytes, media_type: str) -> tuple[str, Any]:
    if media_type:
        return name, (file_name or None, content, media_type)
    return name, (file_name or None, content)


def _redirected(asked: httpx.Request, status: int, url: str) -> httpx.Request:
    """What is asked for after a redirect (RFC 9110 §15.4)."""
    again = status in (307, 308) or asked.method == "GET"
    dropped = {"host", "content-length", "transfer-encoding", "if-none-match", "if-modified-since"}
    if not again:
        dropped |= {"content-type"}
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(url, "refused", f"it cannot be asked for: {_said(error)}") from None
    before = asked.url
    if (target.scheme, target.host, target.port) != (before.scheme, before.host, before.port):
        dropped |= PRIVATE_HEADERS
    headers = [(name, value) for name, value in asked.headers.multi_items() if name.lower() not in dropped]
    body = asked.read() if again and asked.method != "GET" else None
    made = httpx.Request(
        asked.method if again else "GET", target.copy_with(fragment=None), headers=headers, content=body
    )
    made.read()
    return made


async def _read(response: httpcore.Response, headers: httpx.Headers, url: str, limit: int) -> bytes:
    """The body; it is let go of as soon as it is longer than `limit`."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise FetchError(url, "junk", "it is packed, although that was not asked for")
    if int(headers.get("content-length") or 0) > limit:
        raise FetchError(url, "too_large", f"it is longer than {limit} bytes")
    body = bytearray()
    async for part in response.aiter_stream():
        body += part
        if len(body) > limit:
            raise FetchError(url, "too_large", f"it is longer than {limit} bytes")
    return bytes(body)


def _of(copy: Copy) -> Fetched:
    media_type, charset = media_type_of(copy.headers.get("content-type", ""))
    return Fetched(
        url=copy.url,
        body=copy.body,
        status=copy.status,
        media_type=media_type,
        charset=charset,
        headers=copy.headers,
        cached=True,
    )


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
