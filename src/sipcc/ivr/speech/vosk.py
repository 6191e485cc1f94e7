"""Speech recognition by a server that speaks as ``vosk-server`` does, over WebSocket.

We send ``{"config": {...}}``, then 16-bit samples at 8 kHz in binary messages; each is answered by
``{"partial": TEXT}``, or ``{"text": TEXT, "result": [...]}`` at the end of a phrase. ``{"eof": 1}`` asks for
what is left. Where several alternatives are wanted they stand in ``alternatives``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from sipcc.errors import ConfigError
from sipcc.ivr.say import base_language
from sipcc.ivr.services import Recogniser, Understood
from sipcc.ivr.speech.recognise import Endpointer, judged
from sipcc.ivr.speech.settings import RecogniserSettings
from sipcc.ivr.speech.voice import SpeechError
from sipcc.ivr.steps import Heard, Listen

RATE_HZ: Final = 8000
MAX_MESSAGE: Final = 262_144
LAST_WORD_S: Final = 2.0
"""Seconds to wait for what is left when an answer is complete."""

MORE_S: Final = 0.3
"""Seconds to wait for another phrase after the end of one."""

FRAMES_A_MESSAGE: Final = 5
"""A tenth of a second goes in one message."""


class Reply(msgspec.Struct, frozen=True):
    """A message of the server; what else stands in it is passed over."""

    partial: str | None = None
    """Words of a phrase that has not ended; None where it has."""
    text: str = ""
    result: list[dict[str, Any]] = []
    alternatives: list[dict[str, Any]] = []


class VoskRecogniser:
    """Asks one server for each language."""

    def __init__(self, settings: RecogniserSettings) -> None:
        """Take the settings.

        Raises:
            ConfigError: there is no URL, or one that is none.
        """
        if not settings.urls:
            raise ConfigError("speech.recogniser.urls", "there is no server", hint='{ "*" = "ws://..." }')
        for language, url in settings.urls.items():
            if not url.startswith(("ws://", "wss://")):
                raise ConfigError(f"speech.recogniser.urls.{language}", f"{url!r} is no URL", hint="ws://...")
        self._settings = settings

    async def recognise(
        self, frames: AsyncIterator[bytes], step: Listen, *, language: str, on_speech: Callable[[], None]
    ) -> Understood:
        """Listen until something was said and is over."""
        from websockets.asyncio.client import connect  # with all of TLS: for who needs it
        from websockets.exceptions import WebSocketException

        urls, base = self._settings.urls, base_language(language)
        url = next((urls[key] for key in (language, base, "*") if key in urls), "")
        if not url:
            raise SpeechError(f"no recogniser understands {language!r} (see [speech.recogniser] urls)")
        try:
            async with connect(
                url, open_timeout=self._settings.timeout, max_size=MAX_MESSAGE, proxy=None, compression=None
            ) as socket:
                return await _Question(socket, step, on_speech).ask(frames)
        except (OSError, WebSocketException, msgspec.MsgspecError) as error:
            raise SpeechError(f"the recogniser {url}: {error or type(error).__name__}") from error


class _Question:
    """One answer that is waited for."""

    def __init__(self, socket: Any, step: Listen, on_speech: Callable[[], None]) -> None:
        self._socket, self._step, self._on_speech = socket, step, on_speech
        self._ending = Endpointer(step)
        self._done: list[Reply] = []
        self._phrases = 0
        self._news = asyncio.Event()
        self._now = asyncio.get_running_loop().time

    async def ask(self, frames: AsyncIterator[bytes]) -> Understood:
        step = self._step
        config: dict[str, Any] = {"sample_rate": RATE_HZ, "words": True}
        if step.best > 1:
            config["max_alternatives"] = step.best
        if step.hints and step.accepts is not None:  # the server would understand nothing but these
            config["phrase_list"] = [*step.hints, "[unk]"]
        await self._socket.send(msgspec.json.encode({"config": config}).decode())
        sending = asyncio.ensure_future(self._send(frames))
        reading = asyncio.ensure_future(self._read())
        try:
            await self._until_complete(sending, reading)
            too_long = self._ending.too_long(now=self._now())
            sending.cancel()
            await self._rest(reading)
        finally:
            for task in (sending, reading):
                task.cancel()
            await asyncio.gather(sending, reading, return_exceptions=True)
        return judged(step, self._heard(), too_long=too_long)

    async def _send(self, frames: AsyncIterator[bytes]) -> None:
        held: list[bytes] = []
        async for frame in frames:
            held.append(frame)
            if len(held) >= FRAMES_A_MESSAGE:
                await self._socket.send(b"".join(held))
                held.clear()
        await self._socket.send(b"".join(held))

    async def _read(self) -> None:
        async for message in self._socket:
            self._take(message)
            self._news.set()

    async def _until_complete(self, sending: asyncio.Future[None], reading: asyncio.Future[None]) -> None:
        """Until the answer is over, or what there was to hear, or the server has left."""
        while (deadline := self._ending.deadline) is None or deadline > self._now():
            left = None if deadline is None else deadline - self._now()
            for done in await self._wait({sending, reading}, left):
                done.result()  # raises what has gone wrong
                return

    async def _rest(self, reading: asyncio.Future[None]) -> None:
        """What the server has left; it closes then, or says no more after the end of a phrase."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self._socket.send('{"eof" : 1}')
        before, give_up_at = self._phrases, self._now() + LAST_WORD_S
        while not reading.done() and self._now() < give_up_at:
            await self._wait({reading}, give_up_at - self._now())
            if self._phrases > before:
                before, give_up_at = self._phrases, self._now() + MORE_S
        if reading.done():
            reading.result()

    async def _wait(
        self, futures: set[asyncio.Future[None]], seconds: float | None
    ) -> set[asyncio.Future[None]]:
        """Wait for one of `futures`, for a message or for the time; which of `futures` are done."""
        self._news.clear()
        news: asyncio.Future[Any] = asyncio.ensure_future(self._news.wait())
        try:
            done, _ = await asyncio.wait(
                {*futures, news}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            news.cancel()
        return done & futures

    def _take(self, message: str | bytes) -> None:
        reply = msgspec.json.decode(message, type=Reply)
        if reply.partial is None:  # the end of a phrase
            self._phrases += 1
            if _best(reply):
                self._done.append(reply)
        text = " ".join([*(_best(one) for one in self._done), reply.partial or ""])
        if self._ending.understood(text, now=self._now()):
            self._on_speech()

    def _heard(self) -> list[Heard]:
        if len(self._done) == 1 and self._done[0].alternatives:
            rows = self._done[0].alternatives
            best = max((float(row.get("confidence", 0.0)) for row in rows), default=0.0)
            return [
                Heard(str(row.get("text", "")).strip(), _share(float(row.get("confidence", 0.0)), best))
                for row in rows
            ]
        text = " ".join(filter(None, map(_best, self._done))) or self._ending.text
        sure = [float(word.get("conf", 1.0)) for reply in self._done for word in reply.result]
        return [Heard(text, round(sum(sure) / len(sure), 3) if sure else 1.0)]


def _best(reply: Reply) -> str:
    if reply.alternatives:
        return str(reply.alternatives[0].get("text", "")).strip()
    return reply.text.strip()


def _share(confidence: float, best: float) -> float:
    """The server's figures are no shares of one; the best is sure, and others by their distance to it."""
    return 1.0 if best <= 0 else round(max(0.0, min(1.0, confidence / best)), 3)


_: type[Recogniser] = VoskRecogniser
