"""Telephone events (RFC 4733): a receiver that counts one press once, and a sender that others understand.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     event     |E|R| volume    |          duration             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

A press is known by (SSRC, timestamp, event), never by the marker bit, which may be lost or not be sent at
all. It begins with the first packet of a new timestamp and ends with the first packet that has the E bit, or
when no update came for `SILENCE_S`; whatever follows with the same or an older timestamp is a copy. Three
habits of real senders are understood: copies of the last packet with a timestamp of their own, a timestamp
that moves with every update, and presses longer than 0xFFFF units in segments (§2.5.1.3).
"""

from __future__ import annotations

import struct
from collections import deque
from typing import NamedTuple

import msgspec

from sipcc.rtp.sequence import timestamp_delta

DIGITS = "0123456789*#ABCD"
"""Digits by event code (RFC 4733 Table 3)."""
FLASH = 16
FLASH_KEY = "!"
"""How a hook flash is written among digits, as Asterisk and many phones write it."""

SILENCE_S = 0.150
"""A press without an update for so long has ended: three updates of the slowest usual sender (50 ms)."""
COPY_S = 0.060
"""Within this, a packet of the same event with another timestamp may be a copy or an update."""
STALE_S = 2.0
"""So long after the last packet of a press its timestamp means nothing any more."""
SEGMENT = 0xFFFF
"""The longest duration one timestamp can carry."""

_EVENT = struct.Struct("!BBH")
_END = 0x80
_REORDERED_S = 5  # a timestamp further back than this is a new time line, not a late packet


class KeyBegan(msgspec.Struct, frozen=True):
    """A key went down."""

    digit: str


class KeyEnded(msgspec.Struct, frozen=True):
    """A key came up; exactly one per `KeyBegan`."""

    digit: str
    duration_ms: int


KeyEvent = KeyBegan | KeyEnded


class _Press:
    __slots__ = ("at", "began", "duration", "event", "ssrc", "timestamp", "whole_segments")

    def __init__(self, ssrc: int, timestamp: int, event: int, now: float) -> None:
        self.ssrc = ssrc
        self.timestamp = timestamp
        self.event = event
        self.began = now
        self.at = now
        self.duration = 0
        self.whole_segments = 0


class DigitReceiver:
    """Turns the telephone-event packets of one leg into presses.

    `receive` and `expire` return what happened, in order. `unknown` counts events that are no key,
    `flashes` the hook flashes (event 16), `malformed` payloads of less than four bytes.
    """

    def __init__(self, *, clock_rate_hz: int = 8000) -> None:
        self.clock_rate_hz = clock_rate_hz
        """The clock of the telephone-event line in the peer's description: 8000, or that of the audio."""
        self._press: _Press | None = None
        self._last: _Press | None = None
        self._flash: tuple[int, int] | None = None
        self.unknown = 0
        self.flashes = 0
        self.malformed = 0

    @property
    def standing(self) -> tuple[int, int, int, int, bool] | None:
        """SSRC, timestamp, event and duration of the last press, and whether it is down; None without one."""
        press = self._press or self._last
        if press is None:
            return None
        return press.ssrc, press.timestamp, press.event, press.duration, press is self._press

    def resume(self, ssrc: int, timestamp: int, event: int, duration: int, down: bool, *, now: float) -> None:
        """Go on where another process stopped, so that no press is told twice."""
        press = _Press(ssrc, timestamp, event, now)
        press.duration = duration
        self._press, self._last = (press, self._last) if down else (self._press, press)

    @property
    def digit(self) -> str | None:
        """The key that is down now."""
        return DIGITS[self._press.event] if self._press is not None else None

    @property
    def deadline(self) -> float | None:
        """When the press that is open ends for lack of updates; None while no key is down."""
        return self._press.at + SILENCE_S if self._press is not None else None

    def expire(self, *, now: float) -> list[KeyEvent]:
        """End a press whose updates stopped."""
        press = self._press
        if press is None or now < press.at + SILENCE_S:
            return []
        return [self._end(now)]

    def receive(
        self, ssrc: int, timestamp: int, payload: bytes | bytearray | memoryview, *, now: float
    ) -> list[KeyEvent]:
        """Take one packet of the telephone-event payload type."""
        if len(payload) < 4:
            self.malformed += 1
            return []
        event, flags, duration = _EVENT.unpack_from(payload)
        if event >= len(DIGITS):
            self._count_other(event, ssrc, timestamp)
            return []
        ended = bool(flags & _END)
        results = self.expire(now=now)
        if self._press is not None:
            if self._belongs(self._press, ssrc, timestamp, event, duration, now):
                return [*results, *self._update(duration, ended, now)]
            if self._is_late(self._press, ssrc, timestamp):
                return results
            results.append(self._end(now))
        elif self._last is not None and self._is_copy(
            self._last, ssrc, timestamp, event, duration, ended, now
        ):
            self._last.at = now
            return results
        self._press = _Press(ssrc, timestamp, event, now)
        return [*results, KeyBegan(DIGITS[event]), *self._update(duration, ended, now)]

    def _count_other(self, event: int, ssrc: int, timestamp: int) -> None:
        if event != FLASH:
            self.unknown += 1
        elif self._flash != (ssrc, timestamp):
            self._flash = (ssrc, timestamp)
            self.flashes += 1

    def _update(self, duration: int, ended: bool, now: float) -> list[KeyEvent]:
        press = self._press
        assert press is not None
        press.at = now
        press.duration = max(press.duration, duration)
        return [self._end(now)] if ended else []

    def _belongs(
        self, press: _Press, ssrc: int, timestamp: int, event: int, duration: int, now: float
    ) -> bool:
        """Whether a packet is an update of the open press; follows it into its next segment."""
        if ssrc != press.ssrc or event != press.event:
            return False
        moved = timestamp_delta(timestamp, press.timestamp)
        if moved == 0:
            return True
        if moved == SEGMENT and press.duration >= SEGMENT - SILENCE_S * self.clock_rate_hz:
            # The next segment; the last update of the one before may have been lost.
            press.whole_segments += 1
            press.timestamp = timestamp
            press.duration = 0
            return True
        if moved > 0 and duration >= press.duration > 0 and now - press.at <= COPY_S:
            # A sender that stamps each update, or its E copies, with the time of the packet. A new press
            # would begin with a shorter duration than the one that we already know.
            press.timestamp = timestamp
            return True
        return False

    def _is_late(self, press: _Press, ssrc: int, timestamp: int) -> bool:
        moved = timestamp_delta(timestamp, press.timestamp)
        return ssrc == press.ssrc and -_REORDERED_S * self.clock_rate_hz <= moved < 0

    def _is_copy(
        self, last: _Press, ssrc: int, timestamp: int, event: int, duration: int, ended: bool, now: float
    ) -> bool:
        """Whether a packet only repeats the press that has ended."""
        if ssrc != last.ssrc or now - last.at > STALE_S:
            return False
        moved = timestamp_delta(timestamp, last.timestamp)
        if moved == 0:
            return event == last.event
        if -_REORDERED_S * self.clock_rate_hz <= moved < 0:
            return True
        if event != last.event or now - last.at > COPY_S:
            return False
        # E copies with moved timestamps (rtpengine #1812, #1929).
        return ended and duration == last.duration

    def _end(self, now: float) -> KeyEnded:
        press = self._press
        assert press is not None
        self._press = None
        self._last = press
        units = press.whole_segments * SEGMENT + press.duration
        seconds = units / self.clock_rate_hz if units else now - press.began
        return KeyEnded(DIGITS[press.event], round(seconds * 1000))


class EventFrame(NamedTuple):
    """What goes out in place of one 20 ms frame of audio."""

    payload: bytes
    timestamp: int
    """The timestamp of the press's start, not of this packet."""
    marker: bool


class _Key:
    """A key to be sent: `units` is how long, or None while it is still held down."""

    __slots__ = ("event", "pause", "units")

    def __init__(self, event: int, units: int | None, pause: int) -> None:
        self.event = event
        self.units = units
        self.pause = pause


class DigitSender:
    """Makes the packets of keys, one per 20 ms tick whatever the packet time of the audio (RFC 4733 §2.5.1).

    Ask `tick` at each frame with the timestamp that the frame would have as audio: an `EventFrame` goes out
    instead of the audio, None lets the audio go. The sequence number of the stream runs on over both; the
    timestamp of the audio goes on with each tick as if time had passed, which it has. Keys of known length
    are queued by `send`; a key that somebody holds down elsewhere is played on by `begin` and `end`.
    """

    END_COPIES = 3
    MIN_TICKS = 2
    MAX_DURATION_MS = 60_000
    """Nobody presses longer; a press that is never ended ends so."""

    def __init__(self, *, clock_rate_hz: int = 8000, volume: int = 10) -> None:
        """`volume` is the level in -dBm0, 0..63."""
        self.clock_rate_hz = clock_rate_hz
        """The clock of durations; a new one counts from the next key on."""
        self._volume = volume & 0x3F
        self._waiting: deque[_Key] = deque()
        self._key: _Key | None = None
        self._held: _Key | None = None
        self._per_tick = 0
        self._start = 0
        self._elapsed = 0
        self._segment = 0
        """Where the present segment begins, in units from the start."""
        self._ends = 0
        self._pause = 0

    @property
    def busy(self) -> bool:
        """True until the last packet of the last digit has gone."""
        return self._key is not None or bool(self._waiting)

    @property
    def waiting(self) -> int:
        """Keys that have not begun."""
        return len(self._waiting)

    @property
    def begins(self) -> bool:
        """True when a key begins with the next tick."""
        return self._key is None and not self._pause and bool(self._waiting)

    def send(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Queue `digits`, ``!`` for a hook flash; durations are rounded up to whole ticks of 20 ms.

        The gap is at least 60 ms, so that the copies of one digit's end leave before the next begins.

        Raises:
            ValueError: a character is not one of ``0-9*#A-D!``.
        """
        events = [event_of(digit) for digit in digits]
        ticks = max(self.MIN_TICKS, -(-min(duration_ms, self.MAX_DURATION_MS) // 20))
        pause = self._pause_of(gap_ms)
        self._waiting.extend(_Key(event, ticks * (self.clock_rate_hz // 50), pause) for event in events)

    def begin(self, digit: str, *, gap_ms: int = 60) -> None:
        """Queue a key that is held down until `end`; one that is held already ends first.

        Raises:
            ValueError: it is no key.
        """
        event = event_of(digit)
        self.end(0)
        self._held = _Key(event, None, self._pause_of(gap_ms))
        self._waiting.append(self._held)

    def end(self, duration_ms: int) -> None:
        """The key that is held down came up after `duration_ms`; it is not cut below what was sent."""
        if self._held is not None:
            least = self.MIN_TICKS * (self.clock_rate_hz // 50)
            duration_ms = min(duration_ms, self.MAX_DURATION_MS)
            self._held.units = max(least, duration_ms * self.clock_rate_hz // 1000)
            self._held = None

    def clear(self) -> None:
        """Forget the digits not yet begun; the one under way is ended properly."""
        self._waiting.clear()
        if self._key is not None:
            self.end(0)
        self._held = None

    def tick(self, timestamp: int) -> EventFrame | None:
        """What to send in this frame's place, or None for the audio itself."""
        if self._pause:
            self._pause -= 1
            return None
        key = self._key
        if key is None:
            if not self._waiting:
                return None
            key = self._key = self._waiting.popleft()
            self._per_tick = self.clock_rate_hz // 50
            self._start = timestamp
            self._elapsed = self._segment = self._ends = 0
        return self._next_packet(key)

    def _next_packet(self, key: _Key) -> EventFrame:
        if not self._ends:
            self._elapsed += self._per_tick
            if key.units is None and self._elapsed >= self.MAX_DURATION_MS * self.clock_rate_hz // 1000:
                key.units = self._elapsed
        before = self._elapsed - self._per_tick
        marker = before == 0 and not self._ends
        start = (self._start + self._segment) & 0xFFFFFFFF
        if key.units is None:
            reached, over = self._elapsed, False
        else:
            # A key that came up early has been told longer already: durations never shrink.
            reached = min(self._elapsed, max(key.units, before))
            over = key.units <= self._elapsed
        if reached - self._segment > SEGMENT:  # §2.5.1.3: the rest is a segment with a time of its own
            self._segment += SEGMENT
            return EventFrame(_EVENT.pack(key.event, self._volume, SEGMENT), start, False)
        flags = self._volume | (_END if over else 0)
        if over:
            self._ends += 1
        packet = _EVENT.pack(key.event, flags, reached - self._segment)
        if self._ends == self.END_COPIES:
            self._key = None
            # The key came up with the first E packet; its copies lie in the gap already.
            self._pause = key.pause - (self.END_COPIES - 1)
        return EventFrame(packet, start, marker)

    def _pause_of(self, gap_ms: int) -> int:
        return max(self.END_COPIES, -(-gap_ms // 20))


def event_of(digit: str) -> int:
    """The event code of a key.

    Raises:
        ValueError: it is none of ``0-9*#A-D!``.
    """
    event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if event < 0 and digit != FLASH_KEY:
        raise ValueError(f"not a DTMF digit: {digit!r}")
    return event if event >= 0 else FLASH
