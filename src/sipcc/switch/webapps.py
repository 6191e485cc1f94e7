"""The webhook applications of ``[[webapps]]``, as treatments of calls."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sipcc.call import Call, Destination, Handler
from sipcc.call.events import Decision
from sipcc.ivr.live import LiveSession
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.ivr.hooks.settings import WebAppSettings
    from sipcc.switch.treatments import Treatments


class WebApps:
    """The treatments behind ``webapp:NAME``."""

    def __init__(self, host: Treatments) -> None:
        """Take the applications of the configuration of `host`."""
        self._host = host
        self._apps = {app.name: app for app in host.config.webapps}

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the application called `name`.

        Raises:
            ConfigError: there is none.
        """
        if name not in self._apps:
            raise missing("webapp", name, self._apps)
        app = self._apps[name]

        async def handler(call: Call) -> None:
            await self._run(app, call)

        return handler

    async def _run(self, app: WebAppSettings, call: Call) -> None:
        from sipcc.ivr.hooks.http import HttpDoor  # with all that reads answers: only for those who need it
        from sipcc.ivr.hooks.run import Runner

        host = self._host
        fetcher = host.fetcher
        for url in (app.url, app.status_url):
            if url.startswith(("http:", "https:")):
                fetcher.allow(url)
        session = LiveSession(call, host.services)

        def failed(kind: str, why: str) -> None:
            what = f"webapp {app.name}: {app.fallback}"
            host.bus.emit(Decision(at=host.clock.now(), call=call.id, what=what, why=f"{kind}: {why}"))

        door = HttpDoor(app, fetcher.session(), wall=session.wall, choose=random.randrange)
        runner = Runner(
            session,
            door,
            fallback=Destination.parse(app.fallback),
            account=app.account,
            application=app.name,
            on_failed=failed,
        )
        await runner.run()
