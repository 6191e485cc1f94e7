"""Serves the application in the running loop; the signals stay with the switch."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from litestar import Litestar

from sipcc.api.access import Tokens
from sipcc.api.office import Office
from sipcc.api.settings import TokenSettings
from sipcc.errors import ConfigError

GRACE = 2
"""Seconds that requests may go on when the server stops."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers as they are."""
        yield


class ApiServer:
    """One listener of the HTTP interface."""

    def __init__(self, app: Litestar, listen: str) -> None:
        """Take `app`, and the address as ``HOST:PORT``; port 0 is any."""
        self._app = app
        self._listen = listen
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ("", 0)
        """Where it listens, once it has started."""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be had.
        """
        host, _, port = self._listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, int(port)), family=family, backlog=128)
        except OSError as error:
            raise ConfigError(
                "api.listen",
                f"cannot listen on {self._listen}: {error.strerror}",
                hint="is the port taken, or the address of another machine?",
            ) from error
        self.address = listener.getsockname()[:2]
        config = uvicorn.Config(
            self._app,
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        office: Office = self._app.state.office
        office.open()
        self._server = _Server(config)
        self._task = asyncio.create_task(self._serve(self._server, listener), name="api")

    @staticmethod
    async def _serve(server: _Server, listener: socket.socket) -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            listener.close()

    def load(self, tokens: Sequence[TokenSettings]) -> None:
        """Let in who holds one of `tokens` from now on; what is under way goes on."""
        office: Office = self._app.state.office
        office.tokens = Tokens(tokens)

    async def stop(self) -> None:
        """End what is followed, let the other requests end, and close the listener."""
        if self._server is None or self._task is None:
            return
        office: Office = self._app.state.office
        office.close()
        self._server.should_exit = True
        await self._task
        self._server = self._task = None
