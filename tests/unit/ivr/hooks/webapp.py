"""An application in memory, and calls that it drives in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sipcc.call.destination import Destination
from sipcc.ivr.bots.links import LinkEnded
from sipcc.ivr.fetch import Fetched, FetchError, FetchRequest
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.sim import SimSession

BASE = "http://app.example.com"


class App:
    """Answers requests by their path: JSON, TwiML, an error, or several of them in their turn."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = {
            path: list(value) if isinstance(value, tuple) else [value] for path, value in answers.items()
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.requests: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        self.requests.append(request)
        parts = urlsplit(request.target)
        sent: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
        if request.form is not None:
            sent |= dict(request.form)
        if request.body is not None:
            sent |= msgspec.json.decode(request.body)
        self.asked.append((parts.path, sent))
        if parts.path not in self.answers:
            raise FetchError(request.target, "status", "the status is 404", status=404)
        answers = self.answers[parts.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        body = answer.encode() if isinstance(answer, str) else msgspec.json.encode(answer)
        return Fetched(url=request.target, body=body)

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]

    def told(self, path: str) -> dict[str, Any]:
        """What was last sent to `path`."""
        return next(sent for asked, sent in reversed(self.asked) if asked == path)


class Played:
    """One call that an application drove."""

    def __init__(self, app: App, session: SimSession, failures: list[tuple[str, str]]) -> None:
        self.app, self.session, self.failures = app, session, failures

    @property
    def deeds(self) -> list[str]:
        """What was done with the caller, without the times."""
        return [f"{line.what} {line.text}".strip() for line in self.session.lines]


async def drive(
    answers: Mapping[str, Any], script: str = "", *, answered: bool = False, **settings: Any
) -> Played:
    """Let an application that answers so drive a call."""
    app = App(answers)
    session = SimSession(script, caller="13800138000", dialled="4008123456", answered=answered)
    failures: list[tuple[str, str]] = []
    web = WebAppSettings(name="bank", url=f"{BASE}/start", fallback="queue:sales", **settings)
    door = HttpDoor(web, app, wall=lambda: 1_700_000_000.0, choose=lambda count: count - 1)
    runner = Runner(
        session,
        door,
        fallback=Destination.parse(web.fallback),
        account=web.account,
        application=web.name,
        secret_keys=web.secret_keys,
        on_failed=lambda kind, why: failures.append((kind, why)),
    )
    await runner.run()
    return Played(app, session, failures)


Answer = Callable[["Peer", dict[str, Any]], None]


class Peer:
    """An application: it answers each message by a function."""

    def __init__(self, answer: Answer, *, refuses: int = 0) -> None:
        self.answer = answer
        self.got: list[dict[str, Any]] = []
        self.connects: list[dict[str, Any]] = []
        self._refuses = refuses
        self._inbox: asyncio.Queue[str | LinkEnded] = asyncio.Queue()

    async def connect(
        self, url: str, *, protocols: Sequence[str], headers: Mapping[str, str], timeout: float
    ) -> Peer:
        self.connects.append({"url": url, "protocols": list(protocols), "headers": dict(headers)})
        if len(self.connects) <= self._refuses:
            raise OSError("refused")
        self._inbox = asyncio.Queue()
        return self

    async def send(self, message: str | bytes) -> None:
        data = json.loads(message)
        self.got.append(data)
        self.answer(self, data)

    async def receive(self) -> str | bytes:
        item = await self._inbox.get()
        if isinstance(item, LinkEnded):
            raise item
        return item

    async def close(self) -> None:
        self.say("closed")

    def say(self, message: object) -> None:
        """Let us receive something; ``lost`` and ``closed`` end the connection."""
        if message in ("lost", "closed"):
            self._inbox.put_nowait(LinkEnded(lost=message == "lost"))
        else:
            self._inbox.put_nowait(message if isinstance(message, str) else json.dumps(message))

    def ack(self, message: dict[str, Any], verbs: object) -> None:
        self.say({"type": "ack", "msgid": message["msgid"], "data": verbs})

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.got]
