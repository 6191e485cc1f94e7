"""Shelves: things that outlive the process, by their keys, each kind on a shelf of its own.

All shelves stand in one journal (`sipcc.journal`). What a thing looks like is known to whoever opens its
shelf; what cannot be read, or is of another form now, is as if it had not been there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from sipcc.journal import Journal
from sipcc.log import get_logger

T = TypeVar("T")

_log = get_logger("sipcc.shelves")
_encoder = msgspec.msgpack.Encoder()


class Thing(msgspec.Struct, frozen=True):
    """One thing as it is written."""

    body: bytes


class Shelf(Generic[T]):
    """The things of one kind, a struct. Without a journal nothing is written."""

    def __init__(
        self, name: str, kind: type[T], journal: Journal[Thing] | None, left: dict[str, bytes]
    ) -> None:
        """Read what is left; `Shelves.shelf` makes it."""
        self._prefix = f"{name}/"
        self._journal = journal
        self.left: dict[str, T] = {}
        """What an earlier process has left, by key, oldest first."""
        decoder = msgspec.msgpack.Decoder(kind)
        for key, body in left.items():
            try:
                self.left[key] = decoder.decode(body)
            except msgspec.MsgspecError as error:
                _log.warning("shelves.unreadable", shelf=name, key=key, error=str(error))
                self.over(key)

    def note(self, key: str, thing: T) -> None:
        """Write down how a thing stands, if that is news."""
        if self._journal is not None:
            self._journal.note(self._prefix + key, Thing(_encoder.encode(thing)))

    def over(self, key: str) -> None:
        """Write down that a thing is over, if it was there."""
        if self._journal is not None:
            self._journal.over(self._prefix + key)


class Shelves:
    """All shelves of a process."""

    def __init__(self, path: Path | None) -> None:
        """`path` is the journal; None writes nothing, and nothing is ever left."""
        self._journal = None if path is None else Journal(path, Thing, name="shelves", version=1)
        self._left: dict[str, dict[str, bytes]] = {}

    def open(self) -> None:
        """Begin to write, and learn what an earlier process has left; before the first `shelf`."""
        if self._journal is not None:
            for path, thing in self._journal.open().items():
                name, _, key = path.partition("/")
                self._left.setdefault(name, {})[key] = thing.body

    def shelf(self, name: str, kind: type[T]) -> Shelf[T]:
        """The shelf of that name, for things of the struct `kind`; to be opened once."""
        return Shelf(name, kind, self._journal, self._left.pop(name, {}))

    def close(self) -> None:
        """Write no more."""
        if self._journal is not None:
            self._journal.close()
