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
_REORDERED_UNITS = 5 * 8000  # a timestamp further back than this is a new time line, not a late packet


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
        self._rate = clock_rate_hz
        self._press: _Press | None = None
        self._last: _Press | None = None
        self._flash: tuple[int, int] | None = None
        self.unknown = 0
        self.flashes = 0
        self.malformed = 0

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
        if moved == SEGMENT and press.duration >= SEGMENT - SILENCE_S * self._rate:
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

    @staticmethod
    def _is_late(press: _Press, ssrc: int, timestamp: int) -> bool:
        return ssrc == press.ssrc and -_REORDERED_UNITS <= timestamp_delta(timestamp, press.timestamp) < 0

    @staticmethod
    def _is_copy(
        last: _Press, ssrc: int, timestamp: int, event: int, duration: int, ended: bool, now: float
    ) -> bool:
        """Whether a packet only repeats the press that has ended."""
        if ssrc != last.ssrc or now - last.at > STALE_S:
            return False
        moved = timestamp_delta(timestamp, last.timestamp)
        if moved == 0:
            return event == last.event
        if -_REORDERED_UNITS <= moved < 0:
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
        seconds = units / self._rate if units else now - press.began
        return KeyEnded(DIGITS[press.event], round(seconds * 1000))


class EventFrame(NamedTuple):
    """What goes out in place of one 20 ms frame of audio."""

    payload: bytes
    timestamp: int
    """The timestamp of the press's start, not of this packet."""
    marker: bool


class DigitSender:
    """Makes the packets of a string of digits, one per 20 ms tick (RFC 4733 §2.5.1).

    Ask `tick` at each frame with the timestamp that the frame would have as audio: an `EventFrame` goes out
    instead of the audio, None lets the audio go. The sequence number of the stream runs on over both; the
    timestamp of the audio goes on by 160 with each tick as if time had passed, which it has.
    """

    UNITS_PER_TICK = 160
    END_COPIES = 3
    MAX_DURATION_MS = 8000
    """A longer press would need segments (§2.5.1.3), and nothing that dials does that."""

    def __init__(self, *, volume: int = 10) -> None:
        """`volume` is the level in -dBm0, 0..63."""
        self._volume = volume & 0x3F
        self._waiting: deque[tuple[int, int, int]] = deque()
        self._event = 0
        self._start = 0
        self._ticks = 0
        self._tick = 0
        self._pause = 0
        self._gap = 0
        self._active = False

    @property
    def busy(self) -> bool:
        """True until the last packet of the last digit has gone."""
        return self._active or bool(self._waiting)

    def send(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Queue `digits`; durations are rounded up to whole ticks of 20 ms.

        The gap is at least 60 ms, so that the copies of one digit's end leave before the next begins.

        Raises:
            ValueError: a character is not one of ``0-9*#A-D``.
        """
        events = [DIGITS.find(digit) for digit in digits.upper()]
        if -1 in events:
            raise ValueError(f"not a DTMF digit: {digits[events.index(-1)]!r}")
        ticks = max(2, -(-min(duration_ms, self.MAX_DURATION_MS) // 20))
        pause = max(self.END_COPIES, -(-gap_ms // 20))
        self._waiting.extend((event, ticks, pause) for event in events)

    def clear(self) -> None:
        """Forget the digits not yet begun; the one under way is ended properly."""
        self._waiting.clear()

    def tick(self, timestamp: int) -> EventFrame | None:
        """What to send in this frame's place, or None for the audio itself."""
        if self._pause:
            self._pause -= 1
            return None
        if not self._active:
            if not self._waiting:
                return None
            self._event, self._ticks, self._gap = self._waiting.popleft()
            self._active = True
            self._start = timestamp
            self._tick = 0
        self._tick += 1
        done = min(self._tick, self._ticks)
        flags = self._volume | (_END if done == self._ticks else 0)
        frame = EventFrame(
            _EVENT.pack(self._event, flags, done * self.UNITS_PER_TICK), self._start, self._tick == 1
        )
        if self._tick == self._ticks + self.END_COPIES - 1:
            self._active = False
            # The key came up with the first E packet; its copies lie in the gap already.
            self._pause = self._gap - (self.END_COPIES - 1)
        return frame
