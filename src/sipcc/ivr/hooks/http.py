"""Applications that are asked over HTTP: a request for each question, and programs in the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from sipcc.ivr import steps
from sipcc.ivr.fetch import Fetched, Fetcher, FetchError, FetchRequest
from sipcc.ivr.hooks import jambonz, twiml
from sipcc.ivr.hooks.door import Command, Failure, HookFailed
from sipcc.ivr.hooks.model import BadAnswer, Ended, Facts, Hook, NamedVerb, Program, Report, Started
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.signing import basic, jambonz_signature, twilio_signature
from sipcc.ivr.hooks.told import parameters, payload

MAX_ANSWER = 262_144
"""Bytes of an answer."""

_FAILURES: dict[str, Failure] = {
    "timeout": "slow",
    "unreachable": "unreachable",
    "refused": "refused",
    "redirects": "status",
    "status": "status",
}


class HttpDoor:
    """The door of one call to an application over HTTP; a `sipcc.ivr.hooks.door.Door`."""

    talks = False

    def __init__(
        self,
        settings: WebAppSettings,
        fetcher: Fetcher,
        *,
        wall: Callable[[], float],
        choose: jambonz.Choose,
        recordings: str = "",
    ) -> None:
        """Make one.

        Args:
            settings: The application.
            fetcher: Sends the requests.
            wall: The Unix time, for signatures.
            choose: Chooses one of several texts.
            recordings: How the URLs of recordings begin, if the settings do not say it; empty tells paths.
        """
        self._recordings = settings.recording_url or recordings
        self._settings, self._fetcher, self._wall, self._choose = settings, fetcher, wall, choose
        self._document = Hook(settings.url, settings.method)
        self._jambonz = settings.kind == "jambonz"

    async def start(self, facts: Facts) -> Program:
        """What is done with a new call."""
        return await self._program(self._document, facts, Started())

    async def ask(
        self, hook: Hook, facts: Facts, report: Report, timeout: float | None = None
    ) -> Program | None:
        """What comes next. An empty answer says nothing in jambonz; TwiML always says something."""
        new = await self._program(self._document if hook.again else hook, facts, report, timeout)
        return new if new or not self._jambonz else None

    async def tell(self, facts: Facts) -> None:
        """Tell the status, if somebody wants to know."""
        if self._settings.status_url:
            try:
                await self._answer(Hook(self._settings.status_url), facts, Ended())
            except HookFailed:
                return  # who does not want to know need not

    async def note(self, facts: Facts, event: str, verb: NamedVerb) -> None:
        """Over HTTP nobody is told of verbs."""

    async def command(self) -> Command | None:
        """Nothing comes that was not asked for."""
        return None

    def absolute(self, url: str) -> str:
        """`url` from the place of the document that is being carried out."""
        return urljoin(self._document.url, url.strip())

    def apart(self) -> HttpDoor:
        """A door that begins at the present document, and goes on by itself."""
        return copy(self)

    def keep_place(self) -> Callable[[], None]:
        """Have the present document put back by what is returned."""
        document = self._document

        def put_back() -> None:
            self._document = document

        return put_back

    async def close(self) -> None:
        """Nothing stays open."""

    async def _program(
        self, hook: Hook, facts: Facts, report: Report, timeout: float | None = None
    ) -> Program:
        fetched = await self._answer(hook, facts, report, timeout)
        program = jambonz.read(fetched.body, self._choose) if self._jambonz else twiml.read(fetched.body)
        if program or not self._jambonz:
            self._document = msgspec.structs.replace(hook, url=fetched.url)
        return program

    async def _answer(
        self, hook: Hook, facts: Facts, report: Report, timeout: float | None = None
    ) -> Fetched:
        """The answer to one question, asked again when the settings say so."""
        request = self._request(msgspec.structs.replace(hook, url=self.absolute(hook.url)), facts, report)
        request = msgspec.structs.replace(request, timeout=timeout or self._settings.timeout)
        for left in range(self._settings.retries, -1, -1):
            try:
                return await self._fetcher.fetch(request)
            except FetchError as error:
                again = error.fault == "unreachable" or error.status >= 500
                if again and left:
                    continue
                kind = _FAILURES.get(error.fault)
                if kind is None:
                    raise BadAnswer("$" if self._jambonz else "1:1", str(error)) from None
                raise HookFailed(kind, str(error)) from None
        raise AssertionError("the last attempt returns or raises")

    def _request(self, hook: Hook, facts: Facts, report: Report) -> FetchRequest:
        url, user, password = _without_user(hook.url)
        user, password = (hook.username, hook.password) if hook.username else (user, password)
        if not user:
            user, password = self._settings.user, self._settings.password
        headers = {"Authorization": basic(user, password)} if user else {}
        if self._jambonz:
            return self._json(url, hook, headers, payload(facts, report))
        sound = report.path if isinstance(report, steps.Recorded) else ""
        if self._recordings and sound:
            sound = self._recordings + sound.rpartition("/")[2]
        return self._form(url, hook, headers, parameters(facts, report, sound))

    def _json(
        self, url: str, hook: Hook, headers: dict[str, str], data: Mapping[str, object]
    ) -> FetchRequest:
        if hook.method == "GET":
            query = tuple(
                (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
                for name, value in data.items()
            )
            return FetchRequest(
                url=url, query=query, headers=self._signed(headers, b""), max_age=0, max_bytes=MAX_ANSWER
            )
        body = msgspec.json.encode(data)
        headers = self._signed(headers | {"Content-Type": "application/json"}, body)
        return FetchRequest(url=url, method="POST", body=body, headers=headers, max_bytes=MAX_ANSWER)

    def _signed(self, headers: dict[str, str], body: bytes) -> dict[str, str]:
        secret = self._settings.secret
        if not secret:
            return headers
        return headers | {"Jambonz-Signature": jambonz_signature(secret, body, self._wall())}

    def _form(self, url: str, hook: Hook, headers: dict[str, str], data: dict[str, str]) -> FetchRequest:
        secret = self._settings.secret
        if hook.method == "GET":
            url += ("&" if urlsplit(url).query else "?") + urlencode(data)
            data = {}
        if secret:
            headers = headers | {"X-Twilio-Signature": twilio_signature(secret, url, data)}
        if hook.method == "GET":
            return FetchRequest(url=url, headers=headers, max_age=0, max_bytes=MAX_ANSWER)
        form = tuple(data.items())
        return FetchRequest(url=url, method="POST", form=form, headers=headers, max_bytes=MAX_ANSWER)


def _without_user(url: str) -> tuple[str, str, str]:
    """The URL, and the user and password that stood in it."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, "", ""
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, parts.username, parts.password or ""
