"""A conversation of a caller with a bot: its sound and keys to the bot, what the bot says to its ear."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from sipcc.errors import SipccError
from sipcc.ivr.bots.links import LinkEnded
from sipcc.ivr.bots.playout import Dropped, News, Passed, PlayOut, Room
from sipcc.ivr.bots.sound import Ears, Mouth
from sipcc.ivr.bots.words import (
    MAX_CONTEXT,
    Clear,
    Cleared,
    ClearMarks,
    Clip,
    Failed,
    Form,
    FromBot,
    HandOver,
    HangUp,
    Key,
    Leave,
    Mark,
    Marked,
    Note,
    Pause,
    Played,
    Say,
    SendKeys,
    Speak,
)
from sipcc.ivr.steps import Streamed
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded

if TYPE_CHECKING:
    from sipcc.call.openstream import OpenStream
    from sipcc.ivr.live import LiveSession

_log = get_logger("sipcc.ivr.bots")

LEAD_MS = 20
"""How much of what a bot says must be there before it sounds; one that sends in jerks needs more."""
LIMIT_S = 300.0
"""A bot may be ahead of the caller's ear by so much; what it says beyond that is dropped."""
SAY_S = 5.0
"""So long a voice may take for a text."""
GOODBYE_S = 2.0
MAX_LETTERS = 10_000
"""Answers that wait for a bot to read them."""
BREATH = 50
"""After so many words of a bot in one go, others have their turn."""


class Peer(Protocol):
    """The bot, as the conversation has it."""

    @property
    def form(self) -> Form:
        """How its audio is written."""
        ...

    async def begin(self) -> None:
        """Tell it that the conversation begins."""
        ...

    async def hear(self, said: bytes, heard: bytes, at_ms: int) -> None:
        """Let it hear 20 ms; may take its time, and then misses some."""
        ...

    async def tell(self, word: Key | Marked | Cleared | Played) -> None:
        """Tell it something else."""
        ...

    def room(self, full: bool) -> None:
        """Whether it should wait before it says more."""
        ...

    async def receive(self) -> Sequence[FromBot]:
        """What it wants next; raises `LinkEnded` when it has gone. The other verbs may too."""
        ...

    async def end(self) -> None:
        """Tell it that the conversation is over."""
        ...


class Conversation:
    """One conversation; run it once."""

    def __init__(
        self,
        session: LiveSession,
        peer: Peer,
        *,
        both_ways: bool = True,
        lead_ms: int = LEAD_MS,
        limit_s: float = LIMIT_S,
        max_time: float | None = None,
    ) -> None:
        self._session, self._call, self._peer = session, session.call, peer
        self._both_ways = both_ways
        self._max_time = max_time
        self._ears = Ears(peer.form)
        self._mouth = Mouth(peer.form, lead_ms=lead_ms, limit_s=limit_s)
        self._out = PlayOut(self._begin_stream)
        self._stream: OpenStream | None = None
        self._letters: asyncio.Queue[Key | Marked | Cleared | Played] = asyncio.Queue()
        self._over: asyncio.Future[Streamed] = asyncio.get_running_loop().create_future()
        self._result = Streamed(ended_by="program")
        self._leaving = self._hanging_up = False

    async def run(self) -> Streamed:
        """Let the two speak until the bot has left, or is lost; the end of the call cancels it."""
        call = self._call
        await call.answer()
        call.stop_playing()
        call.listen_keys(self._on_key)
        tasks: list[asyncio.Future[None]] = []
        timer = None
        if self._max_time is not None:
            timer = asyncio.get_running_loop().call_later(self._max_time, lambda: self._leave(lost=True))
        try:
            await self._peer.begin()
            parts = (self._hear, self._read, self._write)
            tasks += [asyncio.ensure_future(self._guard(part())) for part in parts]
            result = await self._over
        except LinkEnded:
            result = replace(self._result, ended_by="lost")
        finally:
            call.unlisten_keys(self._on_key)
            if timer is not None:
                timer.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._stream is not None and not call.ended:
                call.player.close_stream(self._stream)
            self._out.close()
            call.context.scope.spawn(self._say_goodbye(), name=f"{call.id}/bot")
        if self._hanging_up:
            await call.hangup()
        return result

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one part; what goes wrong in it is the end of the conversation, and not of the call."""
        try:
            await work
        except LinkEnded as ended:
            self._leave(lost=ended.lost)
        except Exception:
            _log.exception("bot.failed", call_id=self._call.id)
            self._leave(lost=True)

    async def _say_goodbye(self) -> None:
        with contextlib.suppress(LinkEnded, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._peer.end()

    # -- to the bot -----------------------------------------------------------------------------------

    async def _hear(self) -> None:
        at_ms = 0
        with self._call.tap(coded=self._peer.form.law is not None) as tap:
            async for frame in tap:
                await self._peer.hear(*self._ears.take(frame), at_ms)
                at_ms += 20

    def _on_key(self, event: DigitBegan | DigitEnded) -> None:
        if isinstance(event, DigitEnded):
            self._post(Key(event.digit, event.duration_ms))

    def _post(self, letter: Key | Marked | Cleared | Played) -> None:
        """Have it told something in its turn; one that asks for more than it reads is given up."""
        if self._letters.qsize() >= MAX_LETTERS:
            self._leave(lost=True)
        else:
            self._letters.put_nowait(letter)

    async def _write(self) -> None:
        while True:
            await self._peer.tell(await self._letters.get())

    # -- from the bot ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        count = 0
        while True:
            for word in await self._peer.receive():
                await self._do(word)
                count += 1
                if count % BREATH == 0:
                    await asyncio.sleep(0)

    async def _do(self, word: FromBot) -> None:
        out = self._out
        match word:
            case Speak():
                self._speak(self._mouth.take(word.audio, word.rate_hz))
            case Clip():
                if not word.queued:
                    self._clear(quietly=True)
                self._speak(self._mouth.clip(word.audio, word.rate_hz))
                self._tell(out.mark(word.id, "clip"))
            case Mark():
                self._tell(out.mark(word.name))
            case Clear():
                self._clear()
            case Pause():
                self._call.player.pause(word.paused)
            case ClearMarks():
                self._tell(out.forget_marks())
            case SendKeys():
                with contextlib.suppress(ValueError):
                    self._call.send_digits(word.digits)
            case Say():
                self._speak(await self._read_aloud(word))
            case Note():
                context = dict(list({**self._result.context, **word.context}.items())[-MAX_CONTEXT:])
                transcript = word.transcript or self._result.transcript
                self._result = replace(self._result, transcript=transcript, context=context)
            case HandOver():
                self._result = replace(self._result, to=word.to)
                self._leave(now=word.now)
            case HangUp():
                self._hanging_up = True
                self._leave()
            case Leave():
                self._leave()
            case Failed():
                _log.warning("bot.says_that_it_failed", call_id=self._call.id, reason=word.reason)
                self._leave(lost=True)

    def _speak(self, audio: bytes) -> None:
        if self._both_ways and not self._call.is_lent:
            self._out.say(audio)

    def _clear(self, *, quietly: bool = False) -> None:
        self._mouth.clear()
        self._tell(self._out.clear(quietly=quietly))

    async def _read_aloud(self, word: Say) -> bytes:
        voice = self._session.services.voice
        if voice is None:
            return b""
        language = word.language or self._call.language
        try:
            async with asyncio.timeout(SAY_S):
                path = await voice.speak(word.text, language=language, voice="")
        except (SipccError, TimeoutError) as error:
            _log.warning("bot.text_unread", call_id=self._call.id, error=str(error))
            return b""
        return await asyncio.get_running_loop().run_in_executor(None, self._mouth.file, path)

    def _leave(self, *, lost: bool = False, now: bool = False) -> None:
        """Let the conversation end: at once, or when what was said has been heard."""
        if self._leaving and not (lost or now):
            return
        if lost and not self._leaving:
            self._result = replace(self._result, ended_by="lost")
        self._leaving = True
        if lost or now:
            self._finish()
        else:
            self._tell(self._out.mark("", "end"))

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(self._result)

    # -- what the caller hears ------------------------------------------------------------------------

    def _begin_stream(self) -> OpenStream:
        self._stream = self._call.player.open_stream(
            self._mouth.stream,
            on_news=lambda event: self._tell(self._out.take(event)),
            on_end=self._stream_over,
        )
        return self._stream

    def _stream_over(self) -> None:
        self._tell(self._out.over())

    def _tell(self, news: Sequence[News]) -> None:
        for piece in news:
            match piece:
                case Passed(kind="mark"):
                    self._post(Marked(piece.name, piece.heard, piece.ms))
                case Passed(kind="clip"):
                    self._post(Played(piece.name))
                case Passed():
                    self._finish()
                case Dropped():
                    self._post(Cleared(piece.ms, piece.total_ms))
                case Room():
                    self._peer.room(piece.full)
