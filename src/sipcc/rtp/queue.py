"""The short receive queue of an anchored leg: packets in, one 20 ms frame out per tick.

It orders what comes disordered, waits one frame before it starts so that a jittery sender does not starve
it at once, drops what is late, never holds more than `MAX_FRAMES`, and gives a frame back when it has
been longer than needed for a while. Packets of other lengths than 20 ms are cut and joined at this edge.
A relay does not pass through here: it adds no delay.
"""

from __future__ import annotations

from sipcc.rtp.frame import FRAME_SAMPLES

MAX_FRAMES = 5
"""100 ms: what is queued beyond this is old speech that nobody wants to hear."""
PREFILL_FRAMES = 2
SPARE_FRAMES = 2
"""Frames that were never needed in a window of `WINDOW_TICKS` before one of them is dropped."""
WINDOW_TICKS = 50
MAX_PENDING_BYTES = FRAME_SAMPLES * MAX_FRAMES


class FrameQueue:
    """Frames of one direction of one leg, in the order of their sequence numbers."""

    __slots__ = ("_frames", "_last", "_least", "_pending", "_playing", "_ticks", "_waited", "dropped", "late")

    def __init__(self) -> None:
        self._frames: list[tuple[int, bytes]] = []
        self._pending = b""
        self._last = -1
        self._playing = False
        self._waited = False
        self._least = MAX_FRAMES
        self._ticks = 0
        self.dropped = 0
        """Frames given up because the queue was too long."""
        self.late = 0
        """Packets that came after their place was played."""

    def __len__(self) -> int:
        return len(self._frames)

    def clear(self) -> None:
        """Forget all: after a hold nobody wants the seconds before it."""
        self._frames.clear()
        self._pending = b""
        self._last = -1
        self._playing = self._waited = False

    def put(self, sequence: int, payload: bytes) -> None:
        """Take the payload of one packet."""
        if len(payload) != FRAME_SAMPLES or self._pending:
            self._reframe(sequence, payload)
            return
        frames = self._frames
        newest = frames[-1][0] if frames else self._last
        if newest >= 0 and (sequence - newest - 1) & 0xFFFF >= 0x8000:
            self._insert(sequence, payload)
            return
        frames.append((sequence, payload))
        if len(frames) > MAX_FRAMES:
            self._last = frames.pop(0)[0]
            self.dropped += 1

    def take(self) -> bytes | None:
        """The frame of this tick, or None when there is none."""
        frames = self._frames
        if not self._playing:
            if not frames:
                return None
            if len(frames) < PREFILL_FRAMES and not self._waited:
                self._waited = True
                return None
            self._playing = True
            self._restart_window()
        if not frames:
            self._playing = self._waited = False
            return None
        self._last, frame = frames.pop(0)
        if len(frames) < self._least:
            self._least = len(frames)
        self._ticks += 1
        if self._ticks >= WINDOW_TICKS:
            if self._least >= SPARE_FRAMES:
                self._last = frames.pop(0)[0]
                self.dropped += 1
            self._restart_window()
        return frame

    def _restart_window(self) -> None:
        self._ticks = 0
        self._least = MAX_FRAMES

    def _insert(self, sequence: int, payload: bytes) -> None:
        """Put a packet that was overtaken into its place, if that is still to come."""
        frames = self._frames
        if self._last >= 0 and (sequence - self._last - 1) & 0xFFFF >= 0x8000:
            self.late += 1
            return
        for index, (queued, _) in enumerate(frames):
            if queued == sequence:
                return
            if (queued - sequence) & 0xFFFF < 0x8000:
                frames.insert(index, (sequence, payload))
                return

    def _reframe(self, sequence: int, payload: bytes) -> None:
        """Cut packets of another length into frames; a remainder waits for the next packet.

        Frames made here are numbered by ourselves, since a packet of 60 ms is three of them.
        """
        joined = (self._pending + payload)[-MAX_PENDING_BYTES:]
        whole = len(joined) - len(joined) % FRAME_SAMPLES
        self._pending = joined[whole:]
        frames = self._frames
        for start in range(0, whole, FRAME_SAMPLES):
            frames.append((sequence, joined[start : start + FRAME_SAMPLES]))
            if len(frames) > MAX_FRAMES:
                self._last = frames.pop(0)[0]
                self.dropped += 1
