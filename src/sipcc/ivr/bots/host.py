"""Python bots for callers of other platforms, which connect to us by Media Streams or AudioSocket.

What a bot says is paced here as on a port of ours, by the same stream player, so that it may send as fast as
it likes, is silent at once when it clears, and knows how much was heard: the platform never has more than a
little ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from sipcc.ivr.bots.audiosocket import AudioSocketBot
from sipcc.ivr.bots.links import CLOSE_S, PING_S, PONG_S, Link, LinkEnded, SocketLink, StreamLink
from sipcc.ivr.bots.playout import Dropped, News, Passed, PlayOut, Room
from sipcc.ivr.bots.python import Bot, BotRunner
from sipcc.ivr.bots.sound import Ears
from sipcc.ivr.bots.twilio import TwilioBot
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Form,
    FromBot,
    HandOver,
    HangUp,
    Heard,
    Key,
    Mark,
    Marked,
    Speak,
    Started,
    Stopped,
    ToBot,
)
from sipcc.log import get_logger
from sipcc.rtp.codec import g711
from sipcc.rtp.events import AudioTapped, PlayCleared, PlayFlow, PlayMarked
from sipcc.rtp.flow import PlayStream
from sipcc.rtp.frame import FRAME_MS, FRAME_S
from sipcc.rtp.streaming import SpeechFeed, SpeechRise, StreamPlayer

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

_log = get_logger("sipcc.ivr.bots")

AHEAD_FRAMES = 5
"""So much more than what was heard a platform has, against the jitter of the way there."""
LIMIT_S = 300.0
LAST = "sipcc: the end"
"""The mark behind the last that a bot says,"""
LAST_S = 2.0
"""whose echo is waited for so long."""


class Pace:
    """A stream that is played towards a platform, frame by frame."""

    def __init__(self, tell: Callable[[PlayMarked | PlayCleared | PlayFlow], None], *, ahead: int) -> None:
        self._since, self._sent = 0.0, 0
        """When what is said now began to be sent, and how many frames of it were."""
        self._player = StreamPlayer(PlayStream(lead_ms=FRAME_MS, limit_s=LIMIT_S))
        self._tell = tell
        self._ahead = ahead

    def feed(self, audio: bytes) -> None:
        """Let this be sent behind what waits."""
        self._player.feed(audio)

    def mark(self, name: str) -> None:
        """Have it told when what was fed so far was sent."""
        self._player.mark(name)
        self.tend()

    def clear(self) -> None:
        """Drop what waits, and have it told how much was sent."""
        dropped_ms = self._player.clear()
        self.tend()
        self._tell(PlayCleared("", 0, self._player.played_ms, dropped_ms))

    def unheard_ms(self, *, now: float) -> int:
        """How much of what was sent the caller can not have heard yet."""
        return max(0, self._sent * FRAME_MS - round(1000 * (now - self._since)))

    def frames(self, *, now: float) -> list[bytes]:
        """What is to be sent in this 20 ms: a frame, more of them in the beginning, or nothing."""
        count, found = 1 if self._player.sounding else 1 + self._ahead, list[bytes]()
        if not self._player.sounding and not self.unheard_ms(now=now):
            self._since, self._sent = now, 0
        while len(found) < count:
            frame = self._player.pull()
            if frame is None or not self._player.sounding:
                break
            found.append(frame if isinstance(frame, bytes) else frame.tobytes())
        self._sent += len(found)
        self.tend()
        return found

    def tend(self) -> None:
        """Tell what there is to tell."""
        player = self._player
        for mark in player.take_marks():
            self._tell(PlayMarked("", 0, mark.name, mark.heard, mark.at_ms))
        if player.full != player.told_full:
            player.told_full = player.full
            self._tell(PlayFlow("", 0, player.full))


class Hosted:
    """One conversation of a bot with a caller of another platform."""

    def __init__(self, link: Link, wire: TwilioBot | AudioSocketBot, make: Callable[[], Bot]) -> None:
        self._link, self._wire, self._bot = link, wire, make()
        self._runner: BotRunner | None = None
        self._out = PlayOut(self._begin_pace)
        self._pace: Pace | None = None
        self._letters: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._done = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []

    async def run(self) -> None:
        """Until either side ends it."""
        reading = asyncio.ensure_future(self._guard(self._read()))
        try:
            await self._done.wait()
        finally:
            for task in (reading, *self._tasks):
                task.cancel()
            await asyncio.gather(reading, *self._tasks, return_exceptions=True)
            self._tasks.clear()
            self._out.close()
            self._pace = None
            if self._runner is not None:
                await self._runner.end()
            if isinstance(self._wire, AudioSocketBot):
                with contextlib.suppress(LinkEnded):
                    await self._link.send(self._wire.hang_up())
            await self._link.close()

    async def _guard(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]
        except LinkEnded:
            pass
        except Exception:
            _log.exception("bot.failed", bot=type(self._bot).__name__)
        finally:
            self._done.set()

    # -- from the platform ------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._link.receive()
            for word in self._words(message):
                if isinstance(word, Stopped):
                    return
                await self._take(word)

    def _words(self, message: str | bytes) -> list[ToBot]:
        if isinstance(self._wire, TwilioBot):
            return self._wire.receive(message)
        return self._wire.receive(message if isinstance(message, bytes) else message.encode())

    async def _take(self, word: ToBot) -> None:
        if isinstance(word, Started):
            await self._start(word)
        elif (runner := self._runner) is None:
            return
        elif isinstance(word, Heard):
            await runner.hear(self._heard(word.audio), b"", word.at_ms)
        elif isinstance(word, Marked) and word.name == LAST:
            self._done.set()
        elif isinstance(word, Key | Marked):
            runner.note(word)

    async def _start(self, word: Started) -> None:
        form, bot = word.facts.form, self._bot
        self._form = form
        self._fall = SpeechFeed(form.rate_hz)
        self._ears = Ears(Form(rate_hz=bot.rate_hz))
        self._feed, self._rise = SpeechFeed(bot.rate_hz), SpeechRise(form.rate_hz)
        self._runner = BotRunner(bot, word.facts)
        await self._runner.begin()
        parts = (self._obey(self._runner), self._play(), self._write())
        self._tasks += [asyncio.ensure_future(self._guard(part)) for part in parts]

    def _heard(self, audio: bytes) -> bytes:
        law = self._form.law
        samples = g711.decode(audio, law).tobytes() if law is not None else self._fall.push(audio)
        return self._ears.take(AudioTapped("", samples, b""))[0]

    # -- from the bot -----------------------------------------------------------------------------------

    async def _obey(self, runner: BotRunner) -> None:
        while True:
            for word in await runner.receive():
                if isinstance(word, HandOver) and word.now:
                    return
                self._do(word)

    def _do(self, word: FromBot) -> None:
        match word:
            case Speak():
                self._out.say(self._feed.push(word.audio))
            case Mark():
                self._tell(self._out.mark(word.name))
            case Clear():
                self._tell(self._out.clear())
                if isinstance(self._wire, TwilioBot):
                    self._letters.put_nowait(self._wire.clear())
            case HandOver() | HangUp():
                self._tell(self._out.mark("", "end"))
            case _:
                _log.info("bot.word_unheard", word=type(word).__name__)  # the wire has no word for it

    def _begin_pace(self) -> Pace:
        ahead = AHEAD_FRAMES if isinstance(self._wire, TwilioBot) else 0
        self._pace = Pace(lambda event: self._tell(self._out.take(event)), ahead=ahead)
        return self._pace

    def _tell(self, news: list[News]) -> None:
        runner = self._runner
        assert runner is not None
        for piece in news:
            match piece:
                case Passed(kind="mark") if isinstance(self._wire, TwilioBot) and piece.heard:
                    self._letters.put_nowait(self._wire.mark(piece.name))  # it is told when it comes back
                case Passed(kind="mark"):
                    runner.note(Marked(piece.name, piece.heard, piece.ms))
                case Passed():
                    self._leave()
                case Dropped():
                    now = asyncio.get_running_loop().time()
                    unheard = min(piece.ms, self._pace.unheard_ms(now=now) if self._pace is not None else 0)
                    runner.line.cleared(Cleared(piece.ms - unheard, piece.total_ms - unheard))
                case Room():
                    runner.room(piece.full)

    def _leave(self) -> None:
        """All was sent: go when the platform says that it was heard, or after a while."""
        if isinstance(self._wire, TwilioBot):
            self._letters.put_nowait(self._wire.mark(LAST))
            asyncio.get_running_loop().call_later(LAST_S, self._done.set)
        else:
            self._letters.put_nowait(None)

    # -- to the platform --------------------------------------------------------------------------------

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._pace is not None:
                for frame in self._pace.frames(now=loop.time()):
                    self._letters.put_nowait(self._wire.speak(self._shaped(frame)))
            due = max(due + FRAME_S, loop.time() - 5 * FRAME_S)  # a hiccup is caught up with, a stall is not
            await asyncio.sleep(due - loop.time())

    def _shaped(self, samples: bytes) -> bytes:
        law = self._form.law
        return g711.encode_bytes(samples, law) if law is not None else self._rise.push(samples)

    async def _write(self) -> None:
        while (letter := await self._letters.get()) is not None:
            await self._link.send(letter)


@asynccontextmanager
async def serve_bots(
    make: Callable[[], Bot],
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    wire: Literal["twilio", "audiosocket"] = "twilio",
    secret: str = "",
    limit: int = 100,
) -> AsyncIterator[int]:
    """Let platforms of others connect their callers with bots that `make` makes; the port, while it lasts.

    Args:
        make: makes a bot for each caller, such as the bot's class.
        host: where to listen.
        port: 0 takes a free one.
        wire: what the platforms speak; ``twilio`` comes over a WebSocket, ``audiosocket`` over TCP.
        secret: what their ``Authorization`` header must say; empty asks for none. AudioSocket has no place
            for it.
        limit: callers at once; more are refused.
    """
    talks: set[asyncio.Task[None]] = set()

    async def talk(link: Link, side: TwilioBot | AudioSocketBot) -> None:
        task = asyncio.current_task()
        if task is None or len(talks) >= limit:
            await link.close()
            return
        talks.add(task)
        try:
            await Hosted(link, side, make).run()
        finally:
            talks.discard(task)

    async with _listening(talk, host, port, wire, secret) as number:
        try:
            yield number
        finally:
            for task in talks:
                task.cancel()


@asynccontextmanager
async def _listening(
    talk: Callable[..., object], host: str, port: int, wire: str, secret: str
) -> AsyncIterator[int]:
    if wire == "audiosocket":

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await talk(StreamLink(reader, writer), AudioSocketBot())  # type: ignore[misc]

        async with await asyncio.start_server(accept, host, port) as server:
            yield int(server.sockets[0].getsockname()[1])
        return
    from websockets.asyncio.server import serve

    async def answer(socket: ServerConnection) -> None:
        await talk(SocketLink(socket), TwilioBot())  # type: ignore[misc]

    def check(socket: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get("Authorization", "")
        if secret and not hmac.compare_digest(given.encode(), secret.encode()):
            return socket.respond(401, "who are you?\n")
        return None

    async with serve(
        answer,
        host,
        port,
        process_request=check,
        ping_interval=PING_S,
        ping_timeout=PONG_S,
        close_timeout=CLOSE_S,
        max_size=MAX_MESSAGE_BYTES,
        compression=None,
    ) as listening:
        yield int(next(iter(listening.sockets)).getsockname()[1])
