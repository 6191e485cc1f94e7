"""Applications that are asked over a WebSocket, jambonz's ``ws.jambonz.org``: one connection for each call.

| to the application | and back |
|---|---|
| ``session:new`` | ``ack`` with verbs |
| ``verb:hook``, ``session:redirect`` | ``ack`` with verbs, or with none to go on |
| ``session:reconnect``, when the connection had to be made again | ``ack``, which does not matter |
| ``call:status``, ``jambonz:error`` | nothing |
| | ``command`` at any time: ``redirect``, ``call:status``, and what updates have |
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import msgspec

from sipcc.ivr.bots.links import Connect, Link, LinkEnded, connect
from sipcc.ivr.hooks import jambonz
from sipcc.ivr.hooks.door import Command, Door, Follow, HookFailed, Replace
from sipcc.ivr.hooks.model import (
    BadAnswer,
    Ended,
    Facts,
    Hook,
    NamedVerb,
    Program,
    Redirected,
    Report,
    Started,
)
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.signing import basic
from sipcc.ivr.hooks.told import payload
from sipcc.ivr.hooks.updates import UPDATES, jambonz_update
from sipcc.tasks import TaskScope

PROTOCOL = "ws.jambonz.org"
MAX_COMMANDS = 100
"""Commands that wait until the call gets to them; an application that sends more has lost its call."""
AGAIN = 0.5
"""Seconds before a connection is made again,"""
MAX_LOSSES = 20
"""which is done so often in one call."""


class _Message(msgspec.Struct, frozen=True):
    """What an application sends; more than this may stand in it."""

    type: str
    msgid: str = ""
    command: str = ""
    queue_command: bool = msgspec.field(default=False, name="queueCommand")
    data: Any = None


class WsDoor:
    """The door of one call to an application at a WebSocket; a `sipcc.ivr.hooks.door.Door`."""

    talks = True

    def __init__(
        self, settings: WebAppSettings, *, choose: jambonz.Choose, web: Door, connect: Connect = connect
    ) -> None:
        """Make one; it connects with the first question.

        Args:
            settings: The application.
            choose: Chooses one of several texts.
            web: Asks hooks that are URLs of HTTP.
            connect: Makes the connection.
        """
        self._settings, self._choose, self._web, self._open = settings, choose, web, connect
        self._link: Link | None = None
        self._tasks = TaskScope("webapp-socket")
        self._waiting: dict[str, tuple[bytes, asyncio.Future[Any]]] = {}
        self._commands: asyncio.Queue[Command | HookFailed | None] = asyncio.Queue(MAX_COMMANDS)
        self._lost: HookFailed | None = None
        self._sent = self._losses = 0
        self._first: dict[str, Any] = {}

    async def start(self, facts: Facts) -> Program:
        """Connect, and ask what is done with a new call."""
        await self._connect()
        self._first = payload(facts, Started())
        self._tasks.spawn(self._read(), name="read")
        return await self._program("session:new", "", facts, Started(), None)

    async def ask(
        self, hook: Hook, facts: Facts, report: Report, timeout: float | None = None
    ) -> Program | None:
        """What comes next; an empty answer says nothing."""
        if hook.url.startswith(("http://", "https://")):
            return await self._web.ask(hook, facts, report, timeout)
        kind = "session:redirect" if isinstance(report, Redirected) else "verb:hook"
        return await self._program(kind, hook.url, facts, report, timeout) or None

    async def tell(self, facts: Facts) -> None:
        """Tell the status."""
        data = payload(facts, Ended())
        await self._send(self._text("call:status", {"call_sid": facts.call, "data": data}))

    async def note(self, facts: Facts, event: str, verb: NamedVerb) -> None:
        """Tell how a verb stands."""
        data = {"event": event, "name": verb.name} | ({"id": verb.id} if verb.id else {})
        await self._send(self._text("verb:status", {"call_sid": facts.call, "data": data}))

    async def command(self) -> Command | None:
        """What the application says next; None when it has closed the connection in good order."""
        command = await self._commands.get()
        if isinstance(command, HookFailed):
            raise command
        return command

    def absolute(self, url: str) -> str:
        """`url` from the place of the application."""
        return urljoin(self._settings.url, url.strip())

    def apart(self) -> WsDoor:
        """This one: all names are of one application."""
        return self

    def keep_place(self) -> Callable[[], None]:
        """There is only one."""
        return lambda: None

    async def close(self) -> None:
        """Close the connection: the call is over."""
        await self._tasks.close()
        if self._link is not None:
            await self._link.close()

    # -- the connection ----------------------------------------------------------------------------

    async def _connect(self) -> None:
        """Make the connection, as often as the settings say."""
        settings = self._settings
        headers = {}
        if settings.user:
            headers["Authorization"] = basic(settings.user, settings.password)
        for left in range(settings.retries, -1, -1):
            try:
                self._link = await self._open(
                    settings.url, protocols=[PROTOCOL], headers=headers, timeout=settings.timeout
                )
                return
            except OSError as error:
                if not left:
                    raise HookFailed("unreachable", str(error)) from None
                await asyncio.sleep(AGAIN)

    async def _read(self) -> None:
        """Take what comes, until the application has gone."""
        while self._link is not None:
            try:
                self._take(await self._link.receive())
            except LinkEnded as ended:
                if not ended.lost:
                    self._gone(None)
                    return
                if not await self._resumed():
                    return

    async def _resumed(self) -> bool:
        """Connect again, and ask again what has no answer; False when the application stays away."""
        self._losses += 1
        if not self._settings.retries or self._losses > MAX_LOSSES:
            self._gone(HookFailed("lost", "the connection is lost"))
            return False
        await asyncio.sleep(AGAIN)
        try:
            await self._connect()
        except HookFailed as error:
            self._gone(error)
            return False
        data = {"call_sid": self._first["call_sid"], "data": self._first}
        await self._send(self._text("session:reconnect", data))
        for text, _ in list(self._waiting.values()):
            await self._send(text)
        return True

    def _gone(self, why: HookFailed | None) -> None:
        self._lost = why or HookFailed("lost", "the application has closed the connection")
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._lost)
        self._push(why)

    def _push(self, command: Command | HookFailed | None) -> None:
        try:
            self._commands.put_nowait(command)
        except asyncio.QueueFull:
            self._lost = HookFailed("loop", f"more than {MAX_COMMANDS} commands wait")
            while not self._commands.empty():
                self._commands.get_nowait()
            self._commands.put_nowait(self._lost)

    async def _send(self, text: bytes) -> None:
        if self._link is not None:
            try:
                await self._link.send(text.decode())
            except LinkEnded:
                return  # the reader sees it too, and tells whoever waits

    # -- messages ----------------------------------------------------------------------------------

    def _text(self, kind: str, more: dict[str, Any], msgid: str = "") -> bytes:
        self._sent += 1
        return msgspec.json.encode({"type": kind, "msgid": msgid or f"m{self._sent}", **more})

    async def _program(
        self, kind: str, hook: str, facts: Facts, report: Report, timeout: float | None
    ) -> Program:
        """Ask, and read the verbs of the answer; what is wrong with them the application is told too."""
        try:
            return jambonz.program(await self._asked(kind, hook, facts, report, timeout), self._choose)
        except BadAnswer as error:
            await self._complain(facts.call, str(error))
            raise

    async def _asked(
        self, kind: str, hook: str, facts: Facts, report: Report, timeout: float | None
    ) -> object:
        if self._lost is not None:
            raise HookFailed(self._lost.kind, str(self._lost))
        more: dict[str, Any] = {"call_sid": facts.call, "data": payload(facts, report)}
        if hook:
            more["hook"] = hook
        text = self._text(kind, more)
        msgid, answer = f"m{self._sent}", asyncio.get_running_loop().create_future()
        self._waiting[msgid] = (text, answer)
        seconds = timeout or self._settings.timeout
        try:
            async with asyncio.timeout(seconds):
                await self._send(text)
                return await answer
        except TimeoutError:
            raise HookFailed("slow", f"no answer to {hook or kind} within {seconds:g} s") from None
        finally:
            del self._waiting[msgid]

    async def _complain(self, call: str, why: str) -> None:
        await self._send(self._text("jambonz:error", {"call_sid": call, "data": {"error": why}}))

    def _take(self, raw: str | bytes) -> None:
        """Take one message: an answer, or a command. What is neither is told of, and left alone."""
        call = self._first["call_sid"]
        try:
            message = msgspec.json.decode(raw, type=_Message)
            waiting = self._waiting.get(message.msgid)
            if message.type == "ack":
                if waiting is not None and not waiting[1].done():
                    waiting[1].set_result(message.data)
                return
            if message.type != "command":
                raise BadAnswer("$.type", f"{message.type!r} is neither ack nor command")
            if waiting is not None and not waiting[1].done():
                waiting[1].set_result(None)  # a command in place of an answer: what is done goes on
            self._push(self._command(message))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            self._tasks.spawn(self._complain(call, f"it cannot be read: {error}"), name="complain")
        except BadAnswer as error:
            self._tasks.spawn(self._complain(call, str(error)), name="complain")

    def _command(self, message: _Message) -> Command:
        data = message.data
        if message.command == "redirect":
            if isinstance(data, dict) and isinstance(data.get("call_hook"), str):
                return Follow(Hook(data["call_hook"]))
            program = jambonz.program(data, self._choose, "$.data")
            return Replace(program, later=message.queue_command)
        update = message.command.replace(":", "_")
        if update in UPDATES and update != "call_hook":
            # a status stands in an object, the rest is the data itself
            inside = isinstance(data, dict) and update.endswith("_status")
            (command,) = jambonz_update(data if inside else {update: data}, "$.data" if inside else "$")
            return command
        served = ", ".join(name.replace("_status", ":status") for name in UPDATES if name != "call_hook")
        raise BadAnswer("$.command", f"{message.command!r} is not served; redirect, {served} are")
