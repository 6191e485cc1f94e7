"""The latest events in their order, as a core: readers go on where they were, or are told that they cannot.

A cursor is ``RUN-SEQ``: the sequence begins at 1 with each run of the switch, and the run in front keeps a
cursor of an earlier run from meaning another event. There is no queue for each reader: a reader has a place
in this ring, and one that is further behind than the ring is long has lost its place. So a slow reader
costs nothing.
"""

from __future__ import annotations

import msgspec

from sipcc.errors import SipccError


class Told(msgspec.Struct, frozen=True):
    """One event as readers get it."""

    seq: int
    cursor: str
    json: bytes


class Gone(SipccError):
    """The events behind a cursor are not kept (any more); `oldest` is the first cursor that still works."""

    def __init__(self, cursor: str, oldest: str) -> None:
        super().__init__(f"events behind {cursor!r} are not kept; the oldest cursor is {oldest}")
        self.oldest = oldest


class EventRing:
    """Keeps the latest `size` events of a run."""

    def __init__(self, run: str, size: int) -> None:
        self._run = run
        self._size = size
        self._kept: list[Told] = []
        self.last = 0
        """The number of the latest event; 0 before the first."""

    def cursor_of(self, seq: int) -> str:
        """How readers write the place behind the event `seq`."""
        return f"{self._run}-{seq}"

    @property
    def oldest(self) -> int:
        """The first place that a reader can go on from."""
        return self.last - len(self._kept)

    def add(self, body: bytes, *, wall: float) -> None:
        """Take in an event of the Unix time `wall`, as a JSON object with at least one member."""
        self.last += 1
        cursor = self.cursor_of(self.last)
        head = f'{{"seq":{self.last},"cursor":"{cursor}","wall":{wall:.3f},'
        told = Told(self.last, cursor, head.encode() + body[1:])
        if len(self._kept) < self._size:
            self._kept.append(told)
        else:
            self._kept[(self.last - 1) % self._size] = told

    def place_of(self, cursor: str) -> int:
        """The place that `cursor` means; an empty one is the present end.

        Raises:
            Gone: it is of another run, too old, or not yet there.
        """
        if not cursor:
            return self.last
        run, _, number = cursor.rpartition("-")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1
        if run != self._run or not self.oldest <= place <= self.last:
            raise Gone(cursor, self.cursor_of(self.oldest))
        return place

    def after(self, place: int, limit: int) -> list[Told]:
        """Up to `limit` events behind `place`, in order.

        Raises:
            Gone: the next one is not kept any more.
        """
        if place < self.oldest:
            raise Gone(self.cursor_of(place), self.cursor_of(self.oldest))
        end = min(self.last, place + limit)
        return [self._kept[seq % self._size] for seq in range(place, end)]
