"""The HTTP interface of a switch, when its configuration wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.api.schema import CentreApi
    from sipcc.api.server import ApiServer
    from sipcc.config import Config

_log = get_logger("sipcc.switch")


class Door:
    """Opens with the switch and closes with it; the web framework is loaded only when it opens."""

    def __init__(self) -> None:
        self._server: ApiServer | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it is open."""
        return self._server.address if self._server is not None else None

    async def open(self, centre: CentreApi, config: Config) -> None:
        """Serve `centre` where ``[api] listen`` says.

        Raises:
            ConfigError: the address cannot be had.
        """
        if not config.api.listen:
            return
        from sipcc.api.app import make_api
        from sipcc.api.server import ApiServer

        server = ApiServer(make_api(centre, config.tokens, config.api), config.api.listen)
        await server.start()
        self._server = server
        _log.info("switch.api_open", listen=config.api.listen, tokens=len(config.tokens))

    def load(self, config: Config) -> None:
        """Know other tokens from now on."""
        if self._server is not None:
            self._server.load(config.tokens)

    async def close(self) -> None:
        """Let the requests end."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
