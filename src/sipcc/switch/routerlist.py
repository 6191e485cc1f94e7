"""The routers of ``[[routers]]``: services over HTTP, and functions that are installed."""

from __future__ import annotations

from sipcc import plugins
from sipcc.call import Call, Handler
from sipcc.config.routers import GROUP
from sipcc.log import get_logger
from sipcc.switch.httprouter import HttpPosts, HttpService
from sipcc.switch.missing import missing
from sipcc.switch.routers import CallRouter, Host

_log = get_logger("sipcc.routers")

MAX_ASKED = 5
"""So often routers are asked for one call; then it ends, for they send it round in a circle."""


class Routers:
    """The treatments behind ``router:NAME``."""

    def __init__(self, host: Host, posts: HttpPosts) -> None:
        """Make them all.

        Args:
            host: Its configuration has them.
            posts: The clients of services.

        Raises:
            ConfigError: a plug-in is not installed, or a default leads nowhere.
        """
        self._asked: dict[str, int] = {}
        self._routers: dict[str, CallRouter] = {}
        for settings in host.config.routers:
            made: CallRouter
            if settings.url:
                made = CallRouter(
                    HttpService(posts.of(settings)).ask,
                    host,
                    name=settings.name,
                    default=settings.default,
                    time_box=settings.timeout,
                    pause=settings.pause,
                )
            else:
                function = plugins.load(GROUP, settings.plugin)
                made = CallRouter(function, host, name=settings.name, default=settings.default)
            self._routers[settings.name] = made

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the router called `name`.

        Raises:
            LocalProtocolError: there is none.
        """
        if name not in self._routers:
            raise missing("router", name, self._routers)
        router = self._routers[name]

        async def handler(call: Call) -> None:
            first = call.id not in self._asked
            asked = self._asked[call.id] = self._asked.get(call.id, 0) + 1
            try:
                if asked > MAX_ASKED:
                    _log.warning("router.circle", call_id=call.id, router=name)
                    await call.answer()
                    await call.play("no_agents")
                else:
                    await router(call)
            finally:
                if first:
                    del self._asked[call.id]

        return handler
