"""VoiceXML documents as treatments of calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sipcc.call import Call, Destination, Handler
from sipcc.ivr.js import require_engine
from sipcc.ivr.live import LiveSession
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.ivr.vxml.documents import Library
    from sipcc.switch.treatments import Treatments


class VoiceXml:
    """The treatments behind ``vxml:NAME`` and ``vxml:URL``."""

    def __init__(self, host: Treatments) -> None:
        """Take ``[vxml]`` of the configuration of `host`.

        Raises:
            ConfigError: there are documents, and nothing that evaluates their scripts.
        """
        self._host = host
        self._settings = host.config.vxml
        self._library: Library | None = None
        if self._settings.documents:
            require_engine()

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to a document, by its name or its URL.

        Raises:
            ConfigError: there is none of this name, or nothing that evaluates scripts.
        """
        documents = self._settings.documents
        url = name if "://" in name else documents.get(name, "")
        if not url:
            raise missing("document", name, documents)
        require_engine()
        if url.startswith("/"):
            url = Path(url).as_uri()

        async def handler(call: Call) -> None:
            await self._run(name, url, call)

        return handler

    async def _run(self, name: str, url: str, call: Call) -> None:
        from sipcc.ivr.vxml.documents import Library  # with all that reads documents: for those who need it
        from sipcc.ivr.vxml.live import run

        host, settings = self._host, self._settings
        if self._library is None:
            self._library = Library(settings.parse_limits)
        fetcher = host.fetcher
        if name in settings.documents and not url.startswith("file:"):
            fetcher.allow(url)
        session = LiveSession(call, host.services)
        ended = await run(session, fetcher.session(), url, settings, self._library)
        if ended.reason in ("error", "limit") and not call.ended:
            why = f"{ended.event}: {ended.message}" if ended.event else ended.message
            call.context.decided(call.id, f"vxml {name}: {settings.fallback}", why)
            await host.handler_of(Destination.parse(settings.fallback))(call)
        elif ended.reason != "transfer" and not call.ended:  # who was sent elsewhere may still go through us
            await call.hangup()
