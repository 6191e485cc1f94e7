"""Reliable provisional responses (RFC 3262): how they are numbered, repeated, put in order, acknowledged.

Cores without a session: `ReliableSender` is the called side of one INVITE, `ReliableReceiver` the calling
side of one early dialog. Only one response is under way at a time; the others wait in line behind it, as
§3 demands of the first and recommends of all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.fields import RAck
from sipcc.sip.message import Request, Response
from sipcc.sip.timers import Timers

MAX_WAITING = 32
"""Provisional responses that may wait in line for a PRACK; more are a fault of ours."""

_DIGITS = re.compile(rb"[0-9]{1,10}")


def supports_reliable(message: Request | Response) -> bool:
    """True when the sender of `message` knows reliable provisional responses."""
    return _lists(message, "Supported") or demands_reliable(message)


def demands_reliable(message: Request | Response) -> bool:
    """True when `message` demands that they are used, or is one itself."""
    return _lists(message, "Require")


def has_sdp(message: Request | Response) -> bool:
    """True when the body is a session description."""
    return bool(message.body) and message.content_type == "application/sdp"


def rseq_of(response: Response) -> int | None:
    """The RSeq of a reliable provisional response, 1 to 2**32-1; None when it is none."""
    if not 100 < response.status < 200 or not response.to.tag or not demands_reliable(response):
        return None
    raw = (response.headers.get_raw("RSeq") or b"").strip(b" \t")
    number = int(raw) if _DIGITS.fullmatch(raw) else 0
    return number if 0 < number < 2**32 else None


def rack_of(request: Request) -> RAck | None:
    """What a PRACK acknowledges; None when it does not say so in a way that can be read."""
    raw = request.headers.get_raw("RAck")
    if raw is None:
        return None
    try:
        return RAck.parse(raw)
    except ParseError:
        return None


class Provisional(msgspec.Struct, frozen=True):
    """A provisional response that is to be sent."""

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]]
    reliable: bool


class ReliableSender:
    """The reliable provisional responses to one INVITE."""

    def __init__(self, timers: Timers, cseq: int, first: int) -> None:
        self._timers = timers
        self._cseq = cseq
        self._rseq = first - 1
        self._interval = timers.t1
        self._again_at: float | None = None
        self._give_up_at: float | None = None
        self._line: list[Provisional] = []  # a deque has 600 bytes when it is empty
        self.outstanding: Provisional | None = None
        """The one that was sent and has no PRACK yet."""

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        return min((at for at in (self._again_at, self._give_up_at) if at is not None), default=None)

    def wait(self, provisional: Provisional) -> None:
        """Put a response in line behind the outstanding one.

        Raises:
            LocalProtocolError: too many wait already.
        """
        if len(self._line) >= MAX_WAITING:
            raise LocalProtocolError(f"{MAX_WAITING} provisional responses wait for a PRACK")
        self._line.append(provisional)

    def next(self) -> Provisional | None:
        """The response whose turn it is, taken out of the line; None while one is outstanding."""
        return self._line.pop(0) if self._line and self.outstanding is None else None

    def send(self, provisional: Provisional, *, now: float) -> int:
        """`provisional` leaves as a reliable one; returns its RSeq."""
        self._rseq = self._rseq % (2**32 - 1) + 1
        self.outstanding = provisional
        self._interval = self._timers.t1
        self._again_at = now + self._interval
        self._give_up_at = now + self._timers.timeout
        return self._rseq

    def acknowledge(self, rack: RAck) -> Provisional | None:
        """A PRACK came; returns the response that it means, or None when it means none (481)."""
        found = self.outstanding
        if found is None or rack != (self._rseq, self._cseq, "INVITE"):
            return None
        self.outstanding = None
        self._again_at = self._give_up_at = None
        return found

    def stop(self, *, now: float) -> None:
        """A final response left: nothing is repeated or sent any more, but a PRACK may still come (§3)."""
        self._line.clear()
        self._again_at = None
        if self.outstanding is not None:
            self._give_up_at = now + self._timers.timeout

    def forget(self) -> None:
        """No PRACK is waited for any more."""
        self.outstanding = None
        self._line.clear()
        self._again_at = self._give_up_at = None

    def expire(self, *, now: float) -> Literal["repeat", "given up"] | None:
        """What is due at `now`: the response again, T1 after the first time, then doubled without a cap."""
        if self._give_up_at is not None and self._give_up_at <= now:
            return "given up"
        if self._again_at is not None and self._again_at <= now:
            self._interval *= 2
            self._again_at += self._interval
            return "repeat"
        return None


class ReliableReceiver:
    """The order of the reliable provisional responses of one early dialog (RFC 3262 §4)."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: int | None = None

    def take(self, rseq: int) -> bool:
        """True for the next one; False for a copy, and for one that overtook another."""
        if self._last is not None and rseq != self._last + 1:
            return False
        self._last = rseq
        return True


def _lists(message: Request | Response, name: str) -> bool:
    return any(tag.lower() == "100rel" for tag in message.headers.values(name))
