"""Bots that are written in Python: what they are told, what they hold, and how they speak with a call.

The same bot speaks with a caller of ours, by `run_bot`, and with one of another platform, which connects to
us (`sipcc.ivr.bots.host`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sipcc.call.destination import Destination
from sipcc.ivr.bots.handover import tell_context
from sipcc.ivr.bots.links import LinkEnded
from sipcc.ivr.bots.talk import Conversation
from sipcc.ivr.bots.words import (
    MAX_NAME,
    MAX_TEXT,
    Clear,
    Cleared,
    Facts,
    Form,
    FromBot,
    HandOver,
    HangUp,
    Key,
    Mark,
    Marked,
    Note,
    Played,
    Say,
    SendKeys,
    Speak,
)
from sipcc.ivr.events import BotJoined, BotLeft
from sipcc.ivr.live import LiveSession
from sipcc.ivr.steps import Streamed
from sipcc.log import get_logger
from sipcc.rtp.streaming import SpeechFeed
from sipcc.rtp.vad import VoiceDetector

if TYPE_CHECKING:
    from sipcc.call import Call
    from sipcc.ivr.services import Services

_log = get_logger("sipcc.ivr.bots")

MAX_INBOX = 1000
"""Keys and marks that wait for a bot which takes its time; the oldest are let go."""


class Line:
    """What a bot holds: one caller's ear."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        """Who calls, what was dialled, and what else the bot is told."""
        self.words: asyncio.Queue[FromBot] = asyncio.Queue()
        """What the bot wants, in order; for whoever carries it out."""
        self._room = asyncio.Event()
        self._room.set()
        self._cleared: deque[asyncio.Future[Cleared]] = deque()

    async def audio(self, pcm: bytes) -> None:
        """Let the caller hear 16-bit mono samples at the bot's rate, behind what waits; as fast as you like.

        While ten seconds wait, this waits too.
        """
        await self._room.wait()
        self.words.put_nowait(Speak(pcm))

    def mark(self, name: str) -> None:
        """Have `Bot.on_mark` called when all that was said so far was heard."""
        self.words.put_nowait(Mark(name[:MAX_NAME]))

    async def clear(self) -> Cleared:
        """Be silent at once: drop what was not heard yet. Returns how many milliseconds were.

        On a platform of others that tells no such thing, it is an estimate by its marks and the clock.
        """
        answer: asyncio.Future[Cleared] = asyncio.get_running_loop().create_future()
        self._cleared.append(answer)
        self._room.set()
        self.words.put_nowait(Clear())
        return await answer

    def say(self, text: str, language: str = "") -> None:
        """Let a voice of the switch read a text, behind what waits."""
        self.words.put_nowait(Say(text[:MAX_TEXT], language))

    def keys(self, digits: str) -> None:
        """Press keys towards the caller."""
        self.words.put_nowait(SendKeys(digits))

    def note(self, transcript: str = "", context: dict[str, str] | None = None) -> None:
        """Tell what you know by now, for whoever speaks with the caller next, also when you fail."""
        self.words.put_nowait(Note(transcript[:MAX_TEXT], dict(context or {})))

    def transfer(self, to: str, *, now: bool = False) -> None:
        """Leave, and let the call go on at a destination, such as ``dial:1001``.

        What was said is heard first; `now` does not wait for that.
        """
        self.words.put_nowait(HandOver(to, now))

    def enqueue(self, queue: str, transcript: str = "", context: dict[str, str] | None = None) -> None:
        """Leave, and let the caller wait in a queue; its agent sees the transcript and the context."""
        self.note(transcript, context)
        self.transfer(f"queue:{queue}")

    def leave(self) -> None:
        """Leave the call to its next step, at once."""
        self.words.put_nowait(HandOver("", True))

    def hangup(self) -> None:
        """End the call when what was said has been heard."""
        self.words.put_nowait(HangUp())

    # -- for whoever carries it out ---------------------------------------------------------------------

    def room(self, full: bool) -> None:
        """Whether the bot should wait before it says more."""
        if full:
            self._room.clear()
        else:
            self._room.set()

    def cleared(self, word: Cleared) -> None:
        """Answer the first clearing that waits for it."""
        if self._cleared:
            answer = self._cleared.popleft()
            if not answer.done():
                answer.set_result(word)

    def close(self) -> None:
        """Let nobody wait any more."""
        self._room.set()
        for answer in self._cleared:
            answer.cancel()


class Bot:
    """A program that speaks with one caller; write a class of your own with what you need of these.

    Keys, marks and speech come one after the other; audio beside them, 20 ms at a time. A bot that raises
    has failed, and the caller goes to the fallback.
    """

    rate_hz: int = 8000
    """Of the samples, both ways."""

    async def on_start(self, line: Line) -> None:
        """The conversation begins; `line` is for all of it."""

    async def on_audio(self, pcm: bytes, at_ms: int) -> None:
        """20 ms of what the caller says, `at_ms` after the beginning."""

    async def on_dtmf(self, digit: str) -> None:
        """The caller pressed a key."""

    async def on_mark(self, name: str, heard: bool) -> None:
        """All that was said before a mark was heard, or was cleared."""

    async def on_speech(self, speaking: bool) -> None:
        """The caller begins to speak, or has stopped for 160 ms."""

    async def on_end(self) -> None:
        """The conversation is over, whoever has ended it."""


class BotRunner:
    """Tells one bot of its caller; for a caller of ours it is the `Peer` of a conversation."""

    def __init__(self, bot: Bot, facts: Facts) -> None:
        self.bot, self.line = bot, Line(facts)
        self.form = Form(rate_hz=bot.rate_hz)
        self._inbox: asyncio.Queue[Key | Marked | bool] = asyncio.Queue(MAX_INBOX)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work: asyncio.Future[None] | None = None
        listens = type(bot).on_speech is not Bot.on_speech
        self._voice = VoiceDetector() if listens else None
        self._fall = SpeechFeed(bot.rate_hz)

    async def begin(self) -> None:
        """Let the bot begin."""
        self._work = asyncio.ensure_future(self._guard(self._serve()))
        await self._guard(self.bot.on_start(self.line))

    async def hear(self, said: bytes, heard: bytes, at_ms: int) -> None:
        """Let it hear 20 ms."""
        if self._voice is not None:
            frame, before = self._fall.push(said), self._voice.speaking
            if frame and self._voice.push(frame) is not before:
                self._put(not before)
        await self._guard(self.bot.on_audio(said, at_ms))

    async def tell(self, word: Key | Marked | Cleared | Played) -> None:
        """Tell it something else."""
        self.note(word)

    def note(self, word: Key | Marked | Cleared | Played) -> None:
        """The same at once; it takes its time."""
        if isinstance(word, Cleared):
            self.line.cleared(word)
        elif isinstance(word, Key | Marked):
            self._put(word)

    def room(self, full: bool) -> None:
        """Whether it should wait before it says more."""
        self.line.room(full)

    async def receive(self) -> Sequence[FromBot]:
        """What it wants next."""
        next_word = asyncio.ensure_future(self.line.words.get())
        waiting: set[asyncio.Future[Any]] = {next_word, self._failed}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if next_word.done():
                return [next_word.result()]
            raise LinkEnded(lost=True)
        finally:
            next_word.cancel()

    async def end(self) -> None:
        """Let it go."""
        self.line.close()
        work, self._work = self._work, None  # its end holds this frame: together they would be a ring
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        await self._guard(self.bot.on_end())

    def _put(self, word: Key | Marked | bool) -> None:
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(word)

    async def _serve(self) -> None:
        while True:
            match await self._inbox.get():
                case Key() as key:
                    await self.bot.on_dtmf(key.digit)
                case Marked() as mark:
                    await self.bot.on_mark(mark.name, mark.heard)
                case bool() as speaking:
                    await self.bot.on_speech(speaking)

    async def _guard(self, work: Any) -> None:
        """Do something of the bot's; what goes wrong in it is its end."""
        try:
            await work
        except Exception:
            _log.exception("bot.failed", bot=type(self.bot).__name__, call_id=self.line.facts.call)
            if not self._failed.done():
                self._failed.set_result(None)


async def run_bot(
    call: Call, bot: Bot, *, parameters: dict[str, str] | None = None, services: Services | None = None
) -> Streamed:
    """Let `bot` speak with the caller of `call` until it leaves or fails; how that came out.

    With `services`, those of a switch (``app.treatments.services``), the call goes on where the bot sends it,
    before this returns; and what the bot has noted is told first, for the agent who gets the call.

    Raises:
        CallEnded: the caller has hung up.
    """
    session = LiveSession(call, services)
    name, bus, began = type(bot).__name__, call.context.bus, session.now()
    facts = Facts(
        call=call.id,
        stream=call.id,
        caller=session.caller,
        dialled=session.dialled,
        parameters=parameters or {},
        form=Form(rate_hz=bot.rate_hz),
    )
    bus.emit(BotJoined(at=began, call=call.id, bot=name, wire="python"))
    result: Streamed | None = None
    try:
        result = await call.unless_ended(Conversation(session, BotRunner(bot, facts)).run())
    finally:
        bus.emit(
            BotLeft(
                at=session.now(),
                call=call.id,
                bot=name,
                ended_by=result.ended_by if result is not None else "hangup",
                seconds=round(session.now() - began, 3),
                to=result.to if result is not None else "",
                dropped=0,
            )
        )
    if services is not None and result.to and result.ended_by == "program":
        to = Destination.parse(result.to)
        tell_context(session, result, to)
        await session.go(to)
    return result
