"""Connections to bots: a WebSocket or a TCP stream, and what is known when they end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from sipcc.ivr.bots.words import MAX_MESSAGE_BYTES

PING_S = 2.0
"""So often a bot is asked whether it lives,"""
PONG_S = 3.0
"""and after so long without an answer it does not."""
CLOSE_S = 1.0
READ_BYTES = 65_536
_TCP_PORT = 9092

_NORMAL = frozenset({1000, 1001, 1005})
"""Close codes of a bot that meant it (RFC 6455 §7.4.1): done, going away, and no code at all."""


class LinkEnded(Exception):
    """A connection is over; `lost` is False when the bot closed it as one does."""

    def __init__(self, *, lost: bool) -> None:
        super().__init__("lost" if lost else "closed")
        self.lost = lost


class Link(Protocol):
    """A connection with a bot or with a platform."""

    async def send(self, message: str | bytes) -> None:
        """Send one message, or the next bytes; raises `LinkEnded`."""
        ...

    async def receive(self) -> str | bytes:
        """The next message, or the next bytes; raises `LinkEnded`."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class Connect(Protocol):
    """Makes connections."""

    async def __call__(
        self, url: str, *, protocols: Sequence[str], headers: Mapping[str, str], timeout: float
    ) -> Link:
        """Connect with what is at `url`, by one of the subprotocols, if there are any.

        Raises:
            OSError: it cannot be reached, or refuses.
        """
        ...


async def connect(url: str, *, protocols: Sequence[str], headers: Mapping[str, str], timeout: float) -> Link:
    """Connect over a WebSocket, or for ``tcp:`` over TCP.

    Raises:
        OSError: it cannot be reached within `timeout`, or refuses.
    """
    if urlsplit(url).scheme == "tcp":
        return await _over_tcp(url, timeout)
    from websockets.asyncio.client import connect as open_socket  # with all of TLS: for who needs it
    from websockets.exceptions import WebSocketException
    from websockets.typing import Subprotocol

    try:
        socket = await open_socket(
            url,
            subprotocols=[Subprotocol(protocol) for protocol in protocols] or None,
            additional_headers=dict(headers),
            open_timeout=timeout,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            close_timeout=CLOSE_S,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,  # audio does not shrink, and each message would cost a millisecond
            proxy=None,
        )
    except (WebSocketException, TimeoutError, ValueError) as error:
        raise OSError(f"no WebSocket there: {error}") from error
    return SocketLink(socket)


class SocketLink:
    """A WebSocket of either side."""

    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    async def send(self, message: str | bytes) -> None:
        """Send one message."""
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(message)
        except ConnectionClosed as closed:
            raise LinkEnded(lost=_lost(closed)) from None

    async def receive(self) -> str | bytes:
        """The next message."""
        from websockets.exceptions import ConnectionClosed

        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise LinkEnded(lost=_lost(closed)) from None

    async def close(self) -> None:
        """Say good-bye, for a second at most."""
        await self._socket.close()


class _Socket(Protocol):
    async def send(self, message: str | bytes, /) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def close(self) -> None: ...


class _Closed(Protocol):
    @property
    def rcvd(self) -> object: ...


def _lost(closed: _Closed) -> bool:
    code = getattr(closed.rcvd, "code", None)
    return code not in _NORMAL


class StreamLink:
    """A TCP stream of either side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        stream = writer.get_extra_info("socket")
        if stream is not None:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(PING_S))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, int(PONG_S))

    async def send(self, message: str | bytes) -> None:
        """Send the next bytes."""
        if self._writer.is_closing():
            raise LinkEnded(lost=True)
        try:
            self._writer.write(message if isinstance(message, bytes) else message.encode())
            await self._writer.drain()
        except OSError:
            raise LinkEnded(lost=True) from None

    async def receive(self) -> bytes:
        """The next bytes."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError:
            raise LinkEnded(lost=True) from None
        if not data:
            raise LinkEnded(lost=False)
        return data

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()


async def _over_tcp(url: str, timeout: float) -> StreamLink:
    place = urlsplit(url)
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(place.hostname, place.port or _TCP_PORT)
    except (TimeoutError, ValueError) as error:
        raise OSError("nothing answers there") from error
    return StreamLink(reader, writer)
