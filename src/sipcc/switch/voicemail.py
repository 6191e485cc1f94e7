"""The mailboxes of a switch: messages come in and go out, lamps follow, and old ones are deleted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sipcc.call import Call, Handler
from sipcc.errors import LocalProtocolError, SipccError
from sipcc.ivr.feedback import VoicemailDeleted, VoicemailHeard, VoicemailLeft, VoicemailTranscribed
from sipcc.ivr.live import LiveSession
from sipcc.ivr.live_recording import MESSAGES
from sipcc.ivr.mailstore import MailStore
from sipcc.ivr.services import Recogniser
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Listen, Recorded
from sipcc.ivr.voicemail import MailboxSettings, Message, Why, hear_messages, take_message
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.switch.switch import Switch

_log = get_logger("sipcc.switch.voicemail")

FOLDER = "voicemail"
"""Within the folder of the recordings."""

DAY_S = 86400.0


class Voicemails:
    """Takes messages in and hands them out; a `sipcc.ivr.voicemail.Post`."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._store = MailStore(str(Path(switch.config.records.recordings) / FOLDER))
        self._lit: set[str] = set()
        """Users whose lamps have been told something."""
        self._closing = asyncio.Event()

    # -- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read what there is, light the lamps, and delete what is old, now and once a day."""
        await self._store.open()
        self.reloaded()
        self._switch.context.scope.spawn(self._sweep(), name="voicemail/sweep")

    def reloaded(self) -> None:
        """Show the lamps by the configuration that is in force now."""
        owners = {user for box in self._switch.config.mailboxes for user in box.users}
        for user in owners | self._lit:
            self._light(user)

    async def stop(self) -> None:
        """Delete nothing more."""
        self._closing.set()

    async def _sweep(self) -> None:
        while not self._closing.is_set():
            await self.expire()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DAY_S):
                    await self._closing.wait()

    async def expire(self) -> int:
        """Delete the messages whose time is over, and what was said in flows and surveys; how many."""
        days = {box.name: box.days for box in self._switch.config.mailboxes}
        wall = self._wall()
        due = [each for each in self._store.all() if wall - each.left > days.get(each.box, 30) * DAY_S]
        for message in due:
            await self.delete(message.id, by="", why="expired")
        config = self._switch.config
        folder = Path(config.records.recordings) / MESSAGES
        before = wall - config.ivr.messages_days * DAY_S
        gone = await asyncio.get_running_loop().run_in_executor(None, delete_before, folder, before)
        return len(due) + gone

    async def erase(self, number: str, *, by: str) -> tuple[str, ...]:
        """Delete every message of a caller, however its number is written; their ids."""
        canonical = self._switch.numbering.canonical
        wanted = canonical(number)
        found = [each.id for each in self._store.all() if canonical(each.caller) == wanted]
        for message in found:
            await self.delete(message, by=by)
        return tuple(found)

    # -- what is asked ------------------------------------------------------------------------------

    @property
    def boxes(self) -> tuple[MailboxSettings, ...]:
        """The mailboxes of the configuration."""
        return self._switch.config.mailboxes

    def messages(self, box: str) -> list[Message]:
        """The messages of a mailbox: new ones first, the oldest of each first."""
        return self._store.of(box)

    def get(self, message: str) -> Message:
        """One message; NoMessage when it is not there."""
        return self._store.get(message)

    def boxes_of(self, users: tuple[str, ...]) -> tuple[str, ...]:
        """The mailboxes that any of `users` owns."""
        return tuple(box.name for box in self.boxes if set(box.users) & set(users))

    # -- what happens to messages ---------------------------------------------------------------------

    async def leave(self, session: Session, box: MailboxSettings, recorded: Recorded) -> Message:
        """Keep what was recorded."""
        message = Message(
            id=self._switch.ids.uid("message"),
            box=box.name,
            call=session.id,
            caller=session.caller,
            left=self._wall(),
            seconds=recorded.seconds,
            size_bytes=recorded.size_bytes,
            path=recorded.path,
        )
        message = await self._store.take_in(message)
        self._switch.bus.emit(
            VoicemailLeft(
                at=self._now(),
                call=message.call,
                box=box.name,
                message=message.id,
                caller=message.caller,
                seconds=message.seconds,
            )
        )
        self._lamps(box.name)
        if box.callback:
            message = await self._call_back(message, box.callback)
        recogniser = self._switch.treatments.services.recogniser
        if box.transcribe and recogniser is not None:
            language = box.language or session.language
            work = self._transcribe(message.id, recogniser, language)
            self._switch.context.scope.spawn(work, name=f"voicemail/{message.id}")
        return message

    async def _call_back(self, message: Message, queue: str) -> Message:
        try:
            return await self.call_back(message.id, queue)
        except SipccError as error:
            _log.warning("voicemail.no_callback", message=message.id, error=str(error))
            return message

    async def call_back(self, message: str, queue: str) -> Message:
        """Have an agent of `queue` call whoever left a message.

        Raises:
            LocalProtocolError: it has a callback already, or its caller cannot be called.
        """
        found = self._store.get(message)
        if found.callback:
            raise LocalProtocolError(f"message {message!r} has the callback {found.callback!r} already")
        booked = self._switch.acd.book_callback(queue, found.caller)
        return await self._store.put(replace(found, callback=booked.id))

    async def mark(self, message: str, heard: bool, *, by: str) -> Message:
        """Somebody has heard a message, or wants it to be new again."""
        found = self._store.get(message)
        if found.heard == heard:
            return found
        found = await self._store.put(replace(found, heard=heard))
        self._switch.bus.emit(
            VoicemailHeard(
                at=self._now(), call=found.call, box=found.box, message=message, heard=heard, by=by
            )
        )
        self._lamps(found.box)
        return found

    async def delete(self, message: str, *, by: str, why: Why = "asked") -> Message:
        """Throw a message away."""
        gone = await self._store.delete(message)
        self._switch.bus.emit(
            VoicemailDeleted(at=self._now(), call=gone.call, box=gone.box, message=message, why=why, by=by)
        )
        self._lamps(gone.box)
        return gone

    async def transcribed(self, message: str, text: str) -> Message:
        """What a message says is known in words."""
        found = await self._store.put(replace(self._store.get(message), transcript=text))
        self._switch.bus.emit(
            VoicemailTranscribed(at=self._now(), call=found.call, box=found.box, message=message)
        )
        return found

    async def _transcribe(self, message: str, recogniser: Recogniser, language: str) -> None:
        try:
            text = await transcript_of(self._store.get(message).path, recogniser, language)
            if text:
                await self.transcribed(message, text)
        except SipccError as error:
            _log.warning("voicemail.not_transcribed", message=message, error=str(error))

    # -- callers --------------------------------------------------------------------------------------

    def handler(self, box: MailboxSettings) -> Handler:
        """The treatment of calls that are sent to a mailbox: its owners hear it, others leave a message."""

        async def handler(call: Call) -> None:
            session = LiveSession(call, self._switch.treatments.services)
            user = call.identity.user
            if user and user in box.users:
                await hear_messages(session, box, self, by=user)
            else:
                await take_message(session, box, self)
            call.taken()

        return handler

    # -- lamps ----------------------------------------------------------------------------------------

    def _lamps(self, box: str) -> None:
        for settings in self.boxes:
            if settings.name == box:
                for user in settings.users:
                    self._light(user)

    def _light(self, user: str) -> None:
        found = [each for box in self.boxes_of((user,)) for each in self._store.of(box)]
        new = sum(not message.heard for message in found)
        self._lit.add(user)
        self._switch.mailboxes.set(user, new=new, old=len(found) - new, account=self._account(user))

    def _account(self, user: str) -> str:
        """What a phone calls to hear its messages: a number that leads to a mailbox of the user."""
        leads = {f"voicemail:{box}" for box in self.boxes_of((user,))}
        numbers = (each.number for each in self._switch.config.numbers if each.to in leads)
        number = next((number for number in numbers if "*" not in number), "")
        return f"sip:{number}@{self._switch.domain}" if number else ""

    def _now(self) -> float:
        return self._switch.clock.now()

    def _wall(self) -> float:
        return self._switch.clock.wall_of(self._now())


def delete_before(folder: Path, wall: float) -> int:
    """Delete the sounds in `folder` that were last written before the Unix time `wall`; how many. Blocks."""
    gone = 0
    for path in folder.glob("*.wav"):
        try:
            if path.stat().st_mtime < wall:
                path.unlink()
                gone += 1
        except OSError as error:
            _log.warning("voicemail.not_deleted", path=str(path), error=str(error))
    return gone


async def transcript_of(path: str, recogniser: Recogniser, language: str) -> str:
    """What is said in a sound file, in words.

    Raises:
        SipccError: the file cannot be read, or the recogniser has failed.
    """
    loop = asyncio.get_running_loop()
    try:
        data = await loop.run_in_executor(None, lambda: Path(path).read_bytes())
    except OSError as error:
        raise SipccError(f"the message cannot be read: {error.strerror}") from error
    samples, read = data[44:], 0

    async def frames() -> AsyncIterator[bytes]:
        nonlocal read
        while read < len(samples):
            piece, read = samples[read : read + 320], read + 320
            yield piece.ljust(320, b"\0")

    texts = []
    said: Callable[[], None] = lambda: None  # noqa: E731
    while read < len(samples):
        before = read
        understood = await recogniser.recognise(frames(), Listen(), language=language, on_speech=said)
        texts += [understood.heard[0].text] if understood.heard else []
        if read == before:  # it does not listen
            break
    return " ".join(texts)
