"""Messages on the disk: each is a sound file, and beside it what is known of it, as JSON.

The folder is the store: what stands there counts, and who dies in between loses nothing. The JSON is written
last and deleted first, so that a sound without it is the rest of a message that never was, or is no more.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from sipcc import private
from sipcc.errors import LocalProtocolError, SipccError
from sipcc.ivr.voicemail import Message
from sipcc.log import get_logger

T = TypeVar("T")

_log = get_logger("sipcc.ivr.voicemail")


class NoMessage(LocalProtocolError):
    """There is no such message."""

    def __init__(self, message: str) -> None:
        super().__init__(f"there is no message {message!r}")


class MailStore:
    """All messages of a switch."""

    def __init__(self, folder: str) -> None:
        """`folder` is made when the first message comes."""
        self._folder = Path(folder)
        self._messages: dict[str, Message] = {}

    async def open(self) -> None:
        """Read what is there; what cannot be read is left where it is, and told."""
        found = await _in_thread(self._read)
        self._messages = {message.id: message for message in found}

    def place(self, box: str, message: str) -> str:
        """Where the sound of a new message goes."""
        return str(self._folder / box / f"{message}.wav")

    def of(self, box: str) -> list[Message]:
        """The messages of a mailbox: new ones first, the oldest of each first."""
        found = (message for message in self._messages.values() if message.box == box)
        return sorted(found, key=lambda message: (message.heard, message.left, message.id))

    def all(self) -> list[Message]:
        """All of them, the oldest first."""
        return sorted(self._messages.values(), key=lambda message: (message.left, message.id))

    def get(self, message: str) -> Message:
        """One of them.

        Raises:
            NoMessage: it is not there.
        """
        if message not in self._messages:
            raise NoMessage(message)
        return self._messages[message]

    async def put(self, message: Message) -> Message:
        """Write down how a message stands now.

        Raises:
            NoMessage: it is not there, or was deleted meanwhile.
            SipccError: the disk refuses it, and nothing has changed.
        """
        before = self.get(message.id)
        self._messages[message.id] = message
        try:
            await _in_thread(lambda: self._write(message))
        except OSError as error:
            if message.id in self._messages:
                self._messages[message.id] = before
            raise SipccError(f"the message cannot be stored: {error.strerror}") from error
        if message.id not in self._messages:
            await _in_thread(lambda: _remove(message))
            raise NoMessage(message.id)
        return message

    async def take_in(self, message: Message) -> Message:
        """Take a new message in, whose sound is moved to its place from where it was recorded.

        Raises:
            SipccError: the disk refuses it; then there is no message.
        """
        placed = msgspec.structs.replace(message, path=self.place(message.box, message.id))

        def work() -> None:
            _move(message.path, placed.path)
            self._write(placed)

        try:
            await _in_thread(work)
        except OSError as error:
            raise SipccError(f"the message cannot be stored: {error.strerror}") from error
        self._messages[placed.id] = placed
        return placed

    async def delete(self, message: str) -> Message:
        """Throw a message away.

        Raises:
            NoMessage: it is not there.
        """
        gone = self.get(message)
        del self._messages[message]
        await _in_thread(lambda: _remove(gone))
        return gone

    def _read(self) -> list[Message]:
        found = []
        for path in sorted(self._folder.glob("*/*.json")):
            try:
                message = msgspec.json.decode(path.read_bytes(), type=Message)
            except (OSError, msgspec.MsgspecError) as error:
                _log.warning("voicemail.unreadable", path=str(path), error=str(error))
                continue
            found.append(msgspec.structs.replace(message, path=str(path.with_suffix(".wav"))))
        return found

    def _write(self, message: Message) -> None:
        path = Path(message.path).with_suffix(".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with open(fresh, "wb", opener=private.opener) as file:
            file.write(msgspec.json.encode(message))
        os.replace(fresh, path)


def _move(path: str, place: str) -> None:
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, place)


def _remove(message: Message) -> None:
    sound = Path(message.path)
    for path in (sound.with_suffix(".json"), sound):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("voicemail.not_deleted", path=str(path), error=str(error))


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
