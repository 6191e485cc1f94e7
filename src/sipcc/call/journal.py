"""The journal of conversations: what the next process needs, should this one die.

A file of frames: a length, a checksum, and a note that a conversation is as described or that it is over. A
note is with the kernel before anything else happens, so that kill -9 loses none; only a power cut can, and
that ends the calls as well. Reading stops at the first frame that is cut or damaged. At start, and whenever
dead notes outweigh live ones, the file is written anew beside itself and put in its place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sipcc.call.saving import SavedCall
from sipcc.frames import bodies, frame
from sipcc.log import get_logger

_log = get_logger("sipcc.call")

VERSION = 1
"""Of the notes' form; a journal of another version is set aside and its calls are over."""
REWRITE_BYTES = 4 * 1024 * 1024
"""So many bytes of dead notes may lie in the file."""
_MAGIC = b"sipcc calls %d\n" % VERSION


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """A conversation is as described."""

    call: SavedCall


class Over(msgspec.Struct, frozen=True, tag="over"):
    """A conversation is over."""

    id: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept | Over)


def framed(note: Kept | Over) -> bytes:
    """One note as it stands in the file."""
    return frame(_encoder.encode(note))


def notes_of(data: bytes) -> Iterator[Kept | Over]:
    """The notes of a file, up to the first that is cut, damaged or of another form; never raises."""
    for body in bodies(data, magic=_MAGIC):
        try:
            yield _decoder.decode(body)
        except msgspec.MsgspecError:
            return


def standing_in(data: bytes) -> dict[str, SavedCall]:
    """The conversations that a file leaves up, by call id."""
    found: dict[str, SavedCall] = {}
    for note in notes_of(data):
        if isinstance(note, Kept):
            found[note.call.id] = note.call
        else:
            found.pop(note.id, None)
    return found


class CallJournal:
    """The journal of one switch. A disk that fails ends the journal, and no call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._live: dict[str, bytes] = {}
        self._dead_bytes = 0

    def open(self) -> dict[str, SavedCall]:
        """Begin to write; returns the conversations that an earlier process has left."""
        try:
            left = standing_in(self._path.read_bytes()) if self._path.exists() else {}
            self._live = {call_id: framed(Kept(call)) for call_id, call in left.items()}
            self._rewrite()
        except OSError as error:
            self._fail(error)
            return {}
        return left

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def note(self, call: SavedCall) -> None:
        """Write down how a conversation stands, if that is news."""
        data = framed(Kept(call))
        before = self._live.get(call.id)
        if data != before:
            self._live[call.id] = data
            self._append(data, len(before or b""))

    def over(self, call_id: str) -> None:
        """Write down that a conversation is over, if it was up."""
        before = self._live.pop(call_id, None)
        if before is not None:
            data = framed(Over(call_id))
            self._append(data, len(before) + len(data))

    def _append(self, data: bytes, dead_bytes: int) -> None:
        if self._file is None:
            return
        try:
            if os.write(self._file, data) < len(data):
                raise OSError("the disk took a part only")  # what follows would not be read
            self._dead_bytes += dead_bytes
            if self._dead_bytes > REWRITE_BYTES:
                self._rewrite()
        except OSError as error:
            self._fail(error)

    def _rewrite(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            data = _MAGIC + b"".join(self._live.values())
            if os.write(descriptor, data) < len(data):
                raise OSError("the disk took a part only")
            fresh.replace(self._path)
        except OSError:
            os.close(descriptor)
            raise
        self.close()
        self._file = descriptor
        self._dead_bytes = 0

    def _fail(self, error: OSError) -> None:
        self.close()
        _log.error("calls.journal_failed", path=str(self._path), error=str(error))
