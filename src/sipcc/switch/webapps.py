"""The webhook applications of ``[[webapps]]``, as treatments of calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sipcc.call import Call, Destination, Handler
from sipcc.call.events import LegAnswered, LegEnded, LegRinging, LegStarted
from sipcc.errors import LocalProtocolError
from sipcc.events import Event
from sipcc.ivr.live import LiveSession
from sipcc.switch.dequeue import QueueDesk
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.ivr.fetchhttp import HttpFetcher
    from sipcc.ivr.hooks.door import Taping
    from sipcc.ivr.hooks.live import LegNews
    from sipcc.ivr.hooks.settings import WebAppSettings
    from sipcc.switch.treatments import Treatments


class WebApps:
    """The treatments behind ``webapp:NAME``."""

    def __init__(self, host: Treatments) -> None:
        """Take the applications of the configuration of `host`."""
        self._host = host
        self._apps = {app.name: app for app in host.config.webapps}
        self._desk = QueueDesk(host.acd, host.services)

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
        from sipcc.ivr.hooks.ws import WsDoor

        host, fetcher = self._host, self._host.fetcher
        for url in (app.url, app.status_url):
            if url:
                fetcher.allow(_page(url))
        session = LiveSession(call, host.services)
        listen = host.config.api.listen
        served = f"http://{listen}/2010-04-01/Accounts/{app.account}/Recordings/" if listen else ""
        web = HttpDoor(app, fetcher.session(), wall=session.wall, choose=random.randrange, recordings=served)
        socket = app.url.startswith(("ws:", "wss:"))

        def failed(kind: str, why: str) -> None:
            remove()
            call.context.decided(call.id, f"webapp {app.name}: {app.fallback}", f"{kind}: {why}")

        runner = Runner(
            session,
            WsDoor(app, choose=random.randrange, web=web) if socket else web,
            fallback=Destination.parse(app.fallback),
            account=app.account,
            application=app.name,
            on_failed=failed,
            permit=lambda url: _permit(fetcher, url),
            desk=self._desk,
            hands=_CallHands(call),
            rooms=host.live_apps.rooms,
            kind=app.kind,
            quiet=app.quiet,
            secret_keys=app.secret_keys,
        )
        remove = host.live_apps.add(call.id, runner)
        try:
            await runner.run()
        finally:
            remove()


class _CallHands:
    """What is done with a caller besides the steps; a `sipcc.ivr.hooks.live.Hands`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def hear_keys(self, listen: Callable[[bool, str], None]) -> Callable[[], None]:
        """Tell of the keys in the caller's conversation."""
        call = self._call
        call.on_talk_key = lambda leg, key: listen(leg is call.leg, key)

        def stop() -> None:
            call.on_talk_key = None

        return stop

    def watch(self, listen: Callable[[LegNews], None]) -> Callable[[], None]:
        """Tell of the calls that are made for the caller."""
        from sipcc.ivr.hooks.live import LegNews

        call, bus = self._call.id, self._call.context.bus

        def take(event: Event) -> None:
            match event:
                case LegStarted() if event.call == call:
                    listen(LegNews(event.leg, "initiated", target=event.target))
                case LegRinging() if event.call == call:
                    listen(LegNews(event.leg, "ringing"))
                case LegAnswered() if event.call == call:
                    listen(LegNews(event.leg, "answered"))
                case LegEnded() if event.call == call:
                    ours = event.ended_by == "us"
                    listen(LegNews(event.leg, "completed", status=event.sip_status, by_us=ours))

        kinds = (LegStarted, LegRinging, LegAnswered, LegEnded)
        for kind in kinds:
            bus.on(kind, take)

        def stop() -> None:
            for kind in kinds:
                bus.off(kind, take)

        return stop

    def mute(self, muted: bool) -> None:
        """Let whoever it speaks with not hear it, or hear it again."""
        if self._call.ended:
            raise LocalProtocolError("the call is over")
        self._call.leg.media.mute(muted)

    def press(self, keys: str) -> None:
        """Send it keys."""
        if self._call.ended or not self._call.answered:
            raise LocalProtocolError("the call is not answered, or over")
        self._call.send_digits(keys)

    def tape(self, wanted: Taping) -> None:
        """Start, stop, pause or resume the recording."""
        call = self._call
        if call.ended:
            raise LocalProtocolError("the call is over")
        match wanted:
            case "start":
                call.demand_recording()
            case "stop":
                call.refuse_recording()
            case "pause":
                call.pause_recording()
            case "resume":
                call.resume_recording()


def _page(url: str) -> str:
    """`url` of a WebSocket as one of HTTP, by which rules go."""
    return f"http{url.removeprefix('ws')}" if url.startswith("ws") else url


async def _permit(fetcher: HttpFetcher, url: str) -> None:
    """Refuse a stream or sound that leads to where nothing may be fetched."""
    from sipcc.ivr.fetch import FetchError
    from sipcc.ivr.fetchhttp import resolve
    from sipcc.ivr.hooks.door import HookFailed

    try:
        parts = urlsplit(_page(url))
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        fetcher.guard.check_url(url, parts.scheme, host, port, parts.path or "/")
        for address in await resolve(host, port):
            fetcher.guard.check_address(host, port, address)
    except (FetchError, ValueError) as error:
        raise HookFailed("refused", str(error)) from None
    except OSError as error:
        raise HookFailed("unreachable", f"{host}: {error}") from None
