"""Python bots for callers of other platforms, which connect to us and speak any wire of this package.

What a bot says is paced here as on a port of ours, by the same stream player, so that it may send as fast as
it likes, is silent at once when it clears, and knows how much was heard: the platform never has more than a
little ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from sipcc.ivr.bots.asterisk import PROTOCOL, AsteriskBot
from sipcc.ivr.bots.audiosocket import AudioSocketBot
from sipcc.ivr.bots.dialectbots import ExotelBot, PlivoBot, TelnyxBot, VonageBot
from sipcc.ivr.bots.genesys import GenesysBot
from sipcc.ivr.bots.links import CLOSE_S, PING_S, PONG_S, Link, LinkEnded, SocketLink, StreamLink
from sipcc.ivr.bots.playout import Dropped, News, Passed, PlayOut, Room
from sipcc.ivr.bots.python import Bot, BotRunner
from sipcc.ivr.bots.sound import Ears
from sipcc.ivr.bots.twilio import TwilioBot
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    BotWire,
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
    from websockets.typing import Subprotocol

_log = get_logger("sipcc.ivr.bots")

Platform: TypeAlias = Literal[
    "twilio", "telnyx", "exotel", "plivo", "vonage", "genesys", "asterisk", "audiosocket"
]
"""What a platform speaks that connects to us."""
WIRES: dict[Platform, Callable[[], BotWire]] = {
    "twilio": TwilioBot,
    "telnyx": TelnyxBot,
    "exotel": ExotelBot,
    "plivo": PlivoBot,
    "vonage": VonageBot,
    "genesys": GenesysBot,
    "asterisk": AsteriskBot,
    "audiosocket": AudioSocketBot,
}
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
        """What is to be sent in this 20 ms: a frame, more in the beginning, or nothing; then `tend`."""
        count, found = 1 if self._player.sounding else 1 + self._ahead, list[bytes]()
        if not self._player.sounding and not self.unheard_ms(now=now):
            self._since, self._sent = now, 0
        while len(found) < count:
            frame = self._player.pull()
            if frame is None or not self._player.sounding:
                break
            found.append(frame if isinstance(frame, bytes) else frame.tobytes())
        self._sent += len(found)
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

    def __init__(self, link: Link, wire: BotWire, make: Callable[[], Bot]) -> None:
        self._link, self._wire, self._bot = link, wire, make()
        self._runner: BotRunner | None = None
        self._out = PlayOut(self._begin_pace)
        self._pace: Pace | None = None
        self._bundle: list[bytes] = []
        self._marks: list[str] = []
        """Those whose echo has not come."""
        self._letters: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._done = asyncio.Event()
        self._stopped = False
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
            with contextlib.suppress(LinkEnded, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._say_goodbye()
            await self._link.close()

    async def _say_goodbye(self) -> None:
        """The last words of both sides; who has none closes the connection."""
        if not self._stopped and (goodbye := self._wire.hang_up()) is not None:
            await self._link.send(goodbye)
            while self._wire.lingers and not self._stopped:
                words = self._words(await self._link.receive())
                self._stopped = any(isinstance(word, Stopped) for word in words)
        for reply in self._wire.replies():
            await self._link.send(reply)

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
                    self._stopped = True
                    return
                await self._take(word)
            for reply in self._wire.replies():
                self._letters.put_nowait(reply)

    def _words(self, message: str | bytes) -> Sequence[ToBot]:
        return self._wire.receive(message)

    async def _take(self, word: ToBot) -> None:
        if isinstance(word, Started):
            await self._start(word)
        elif (runner := self._runner) is None:
            return
        elif isinstance(word, Heard):
            await runner.hear(self._heard(word.audio), b"", word.at_ms)
        elif isinstance(word, Marked) and word.name == LAST:
            self._done.set()
        elif isinstance(word, Key):
            runner.note(word)
        elif isinstance(word, Marked) and word.name in self._marks:
            self._marks.remove(word.name)
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
                self._clear()
            case HandOver() | HangUp():
                self._tell(self._out.mark("", "end"))
            case _:
                _log.info("bot.word_unheard", word=type(word).__name__)  # the wire has no word for it

    def _clear(self) -> None:
        """Be silent. Some platforms echo a mark that they drop, others do not: none is waited for."""
        assert self._runner is not None
        self._bundle.clear()
        for name in self._marks:
            self._runner.note(Marked(name, False))
        self._marks.clear()
        self._tell(self._out.clear())
        self._send(self._wire.clear())

    def _send(self, letter: str | bytes | None) -> None:
        if letter is not None:
            self._letters.put_nowait(letter)

    def _begin_pace(self) -> Pace:
        self._pace = Pace(lambda event: self._tell(self._out.take(event)), ahead=self._wire.ahead)
        return self._pace

    def _tell(self, news: list[News]) -> None:
        runner = self._runner
        assert runner is not None
        for piece in news:
            match piece:
                case Passed(kind="mark"):
                    letter = self._wire.mark(piece.name) if piece.heard else None
                    if letter is None:
                        runner.note(Marked(piece.name, piece.heard, piece.ms))
                    else:  # it is told when it comes back
                        self._marks.append(piece.name)
                        self._flush()
                        self._send(letter)
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
        self._flush()
        loop = asyncio.get_running_loop()
        if (letter := self._wire.mark(LAST)) is not None:
            self._send(letter)
            loop.call_later(LAST_S, self._done.set)
        elif self._pace is not None and (unheard_ms := self._pace.unheard_ms(now=loop.time())):
            loop.call_later(unheard_ms / 1000, self._letters.put_nowait, None)
        else:
            self._letters.put_nowait(None)

    # -- to the platform --------------------------------------------------------------------------------

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._pace is not None:
                frames = self._pace.frames(now=loop.time())
                self._say(frames)
                self._pace.tend()
            due = max(due + FRAME_S, loop.time() - 5 * FRAME_S)  # a hiccup is caught up with, a stall is not
            await asyncio.sleep(due - loop.time())

    def _say(self, frames: Sequence[bytes]) -> None:
        """Send frames, as many in one message as the wire has."""
        self._bundle += [self._shaped(frame) for frame in frames]
        if len(self._bundle) >= self._wire.bundle or not frames:
            self._flush()

    def _flush(self) -> None:
        bundle, size = self._bundle, self._wire.bundle
        for at in range(0, len(bundle), size):
            self._letters.put_nowait(self._wire.speak(b"".join(bundle[at : at + size])))
        bundle.clear()

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
    wire: Platform = "twilio",
    secret: str = "",
    header: str = "Authorization",
    limit: int = 100,
) -> AsyncIterator[int]:
    """Let platforms of others connect their callers with bots that `make` makes; the port, while it lasts.

    Args:
        make: makes a bot for each caller, such as the bot's class.
        host: where to listen.
        port: 0 takes a free one.
        wire: what the platforms speak; ``audiosocket`` comes over TCP, all others over a WebSocket.
        secret: what their `header` must say; empty asks for none. AudioSocket has no place for it.
        header: where the `secret` is; Genesys sends ``X-API-KEY``.
        limit: callers at once; more are refused.
    """
    talks: set[asyncio.Task[None]] = set()

    async def talk(link: Link) -> None:
        task = asyncio.current_task()
        if task is None or len(talks) >= limit:
            await link.close()
            return
        talks.add(task)
        try:
            await Hosted(link, WIRES[wire](), make).run()
        finally:
            talks.discard(task)

    listening = (
        _over_tcp(talk, host, port) if wire == "audiosocket" else _over_web(talk, host, port, secret, header)
    )
    async with listening as number:
        try:
            yield number
        finally:
            for task in talks:
                task.cancel()


@asynccontextmanager
async def _over_tcp(talk: Callable[[Link], Awaitable[None]], host: str, port: int) -> AsyncIterator[int]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(StreamLink(reader, writer))

    async with await asyncio.start_server(accept, host, port) as server:
        yield int(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def _over_web(
    talk: Callable[[Link], Awaitable[None]], host: str, port: int, secret: str, header: str
) -> AsyncIterator[int]:
    from websockets.asyncio.server import serve

    async def answer(socket: ServerConnection) -> None:
        await talk(SocketLink(socket))

    def check(socket: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get(header, "")
        if secret and not hmac.compare_digest(given.encode(), secret.encode()):
            return socket.respond(401, "who are you?\n")
        return None

    def choose(socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in offered if name == PROTOCOL), None)  # Asterisk's; others have none

    async with serve(
        answer,
        host,
        port,
        process_request=check,
        select_subprotocol=choose,
        ping_interval=PING_S,
        ping_timeout=PONG_S,
        close_timeout=CLOSE_S,
        max_size=MAX_MESSAGE_BYTES,
        compression=None,
    ) as listening:
        yield int(next(iter(listening.sockets)).getsockname()[1])
