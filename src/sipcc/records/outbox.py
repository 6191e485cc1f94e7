"""What goes to one webhook, and when, as a core: in order for each call, tried again until it is taken.

    add -> waiting -> take -> under way --+--> sent: gone
              ^                           |
              +---- failed, due later ----+--> dead: kept apart until somebody replays it

Messages of one `order` (a call; all that belong to no call) go one after the other: one that fails holds
back those behind it until it is taken or dead. A receiver that is down is asked by one message at a time,
after growing pauses; the first success lets all of them go. All times are Unix seconds.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable, Iterable

import msgspec

FIRST_PAUSE = 1.0
"""Seconds after the first failure; each further one doubles them."""
LONGEST_PAUSE = 300.0
REFUSALS = 3
"""Refusals (4xx) after which a message is dead: another try would be refused as well."""
PARALLEL = 4
"""Messages on their way to one receiver at a time, each of another call."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery."""

    key: str
    """The same in every try, so that a receiver can tell what it has had: the ``webhook-id``."""
    seq: int
    """Of the event in the log."""
    order: str
    """The call, or empty."""
    body: bytes = b""
    attempts: int = 0
    begun: float = 0.0
    """The first try; 0 before it."""
    due: float = 0.0
    error: str = ""
    """What the last try came to."""
    dead: bool = False


class Outbox:
    """The messages for one receiver."""

    def __init__(self, *, give_up_after: float, chance: Callable[[], float]) -> None:
        """Take how long a message is tried, in seconds, and a source of numbers from 0 to 1."""
        self.give_up_after = give_up_after
        self._chance = chance
        self._lines: dict[str, list[tuple[int, str]]] = {}
        self._messages: dict[str, Message] = {}
        self._ready: list[tuple[float, int, str]] = []
        self._busy: set[str] = set()
        """Orders with a message under way."""
        self.failures = 0
        """Tries in a row that did not get through."""
        self.paused_until = 0.0

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, messages: Iterable[Message]) -> None:
        """Take in messages; those that are known already are passed over."""
        for message in messages:
            if message.key not in self._messages:
                self._messages[message.key] = message
                insort(self._lines.setdefault(message.order, []), (message.seq, message.key))
                self._offer_head(message.order)

    def take(self, *, now: float) -> list[Message]:
        """The messages to send now; each is to be followed by `sent` or `failed`."""
        taken: list[Message] = []
        if self.failures and now < self.paused_until:
            return taken
        limit = 1 if self.failures else PARALLEL
        while self._ready and len(self._busy) < limit and self._ready[0][0] <= now:
            _, _, key = heapq.heappop(self._ready)
            message = self._messages.get(key)
            if message is not None and self._is_free_head(message):
                self._busy.add(message.order)
                taken.append(message)
        return taken

    def sent(self, key: str) -> None:
        """The receiver has it."""
        self.failures = 0
        self._remove(key)

    def failed(self, key: str, error: str, *, refused: bool, now: float) -> Message:
        """A try came to nothing; `refused` when the receiver is there and does not want this message.

        Returns:
            The message as it stands now: due again, or dead.
        """
        before = self._messages[key]
        attempts, begun = before.attempts + 1, before.begun or now
        self.failures = 0 if refused else self.failures + 1
        if not refused:
            self.paused_until = now + self._pause(self.failures)
        over = (refused and attempts >= REFUSALS) or now - begun >= self.give_up_after
        message = msgspec.structs.replace(
            before,
            attempts=attempts,
            begun=begun,
            due=0.0 if over else now + self._pause(attempts),
            error=error,
            dead=over,
        )
        if over:
            self._remove(key)
        else:
            self._busy.discard(message.order)
            self._messages[key] = message
            self._offer_head(message.order)
        return message

    def deadline(self) -> float | None:
        """When something is to be sent next; None while nothing is, or enough is under way."""
        if len(self._busy) >= (1 if self.failures else PARALLEL):
            return None
        while self._ready:
            message = self._messages.get(self._ready[0][2])
            if message is not None and self._is_free_head(message):
                return max(message.due, self.paused_until) if self.failures else message.due
            heapq.heappop(self._ready)
        return None

    def _is_free_head(self, message: Message) -> bool:
        return message.order not in self._busy and self._lines[message.order][0][1] == message.key

    def _offer_head(self, order: str) -> None:
        head = self._messages[self._lines[order][0][1]]
        heapq.heappush(self._ready, (head.due, head.seq, head.key))

    def _remove(self, key: str) -> None:
        message = self._messages.pop(key)
        self._busy.discard(message.order)
        line = self._lines[message.order]
        line.remove((message.seq, key))
        if line:
            self._offer_head(message.order)
        else:
            del self._lines[message.order]

    def _pause(self, failures: int) -> float:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 20))
        return pause * (0.8 + 0.4 * self._chance())
