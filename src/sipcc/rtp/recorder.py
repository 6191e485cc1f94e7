"""Records one leg to a stereo mu-law WAV: left what the party says, right what it hears.

Both sides lie on one grid of wall-clock time that begins with the recording. A frame goes where its
timestamp puts it, and the timestamps are tied to the clock of arrival: so jitter does not shift the sides
against each other, while a pause, a hold, a new source or a drifting sender does not make the recording
longer or shorter than the call. Where nothing came there is silence.

Files are written by one thread for all recordings. Each second the new audio is appended and then the sizes
in the header are set, so the file can be played whenever the process dies. What goes wrong with the disk ends
the recording and never the call.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections import deque
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import msgspec
import numpy as np

from sipcc.rtp.codec import g711
from sipcc.rtp.flow import Law
from sipcc.rtp.frame import SAMPLE_RATE_HZ, SILENCE_BYTE
from sipcc.rtp.sequence import timestamp_delta

FLUSH_S = 1.0
LATE_S = 0.300
"""Audio is held back so long before it is written, for packets that come late."""
MAX_QUEUED_BYTES = 16 * 1024 * 1024
"""What may wait for the disk, over all recordings: a thousand of them for a second."""

_SILENCE = SILENCE_BYTE["PCMU"]
_RESYNC = SAMPLE_RATE_HZ // 5  # a frame 200 ms off its place begins a new time line
_RESYNC_UNTIMED = SAMPLE_RATE_HZ // 20  # without timestamps: 50 ms, more than a late tick, less than a pause
_DRIFT = SAMPLE_RATE_HZ // 50  # how far a side may slide before it is put right: 20 ms
_DRIFT_SHARE = 1 / 64

# RIFF, fmt (18 bytes, as every non-PCM format has), fact, data: 58 bytes.
_HEADER = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sI")
_ULAW_TAG = 7


class RecordingResult(msgspec.Struct, frozen=True):
    """How a recording ended. `reason` is ``stopped``, ``closed`` or ``error: ...``."""

    path: str
    seconds: float
    reason: str


class _Side:
    __slots__ = ("audio", "drift", "next", "started", "timestamp")

    def __init__(self) -> None:
        self.audio = bytearray()
        self.started = False
        self.next = 0
        self.timestamp = 0
        self.drift = 0.0

    def position(self, arrival: int, timestamp: int | None) -> int:
        """Where on the grid a frame belongs that arrived at `arrival`, in samples."""
        if not self.started:
            self.started = True
            return arrival
        position, limit = self.next, _RESYNC_UNTIMED
        if timestamp is not None:
            position += timestamp_delta(timestamp, self.timestamp)
            limit = _RESYNC
        off = arrival - position
        if abs(off) > limit:
            self.drift = 0.0
            return arrival
        self.drift += (off - self.drift) * _DRIFT_SHARE
        if abs(self.drift) > _DRIFT:
            position += round(self.drift)
            self.drift = 0.0
        return position


class StereoGrid:
    """The two sides on their common grid, as a window that `take` moves on."""

    def __init__(self, *, now: float) -> None:
        self._start = now
        self._base = 0
        self._sides = (_Side(), _Side())
        self.late = 0
        """Frames that came after their place had been written."""

    @property
    def samples(self) -> int:
        """Samples per side handed out so far."""
        return self._base

    def place(self, side: int, payload: bytes, *, now: float, timestamp: int | None = None) -> None:
        """Put mu-law bytes that arrived at `now` on side 0 (left) or 1 (right).

        With `timestamp` (RTP, 8 kHz) they go where it says; without, they follow what came before unless the
        clock is 50 ms or more away from there.
        """
        track = self._sides[side]
        start = track.position(round((now - self._start) * SAMPLE_RATE_HZ), timestamp)
        track.next = start
        if timestamp is None:
            track.next += len(payload)
        else:
            track.timestamp = timestamp
        offset = start - self._base
        if offset < 0:
            self.late += 1
            payload = payload[-offset:]
            offset = 0
            if not payload:
                return
        audio = track.audio
        missing = offset + len(payload) - len(audio)
        if missing > 0:
            audio.extend(bytes([_SILENCE]) * missing)
        audio[offset : offset + len(payload)] = payload

    def take(self, *, now: float) -> bytes:
        """Interleaved bytes of all that is old enough to be complete."""
        return self._cut(round((now - LATE_S - self._start) * SAMPLE_RATE_HZ))

    def finish(self, *, now: float) -> bytes:
        """Interleaved bytes of all the rest, up to `now` exactly."""
        return self._cut(round((now - self._start) * SAMPLE_RATE_HZ))

    def _cut(self, end: int) -> bytes:
        count = end - self._base
        if count <= 0:
            return b""
        both = np.full((count, 2), _SILENCE, dtype=np.uint8)
        for column, side in enumerate(self._sides):
            part = bytes(side.audio[:count])
            both[: len(part), column] = np.frombuffer(part, dtype=np.uint8)
            del side.audio[:count]
        self._base = end
        return both.tobytes()


class Recorder:
    """One recording: feed it with `said` and `heard`; it never raises and never blocks."""

    def __init__(
        self,
        path: str,
        writer: RecordingWriter,
        *,
        now: float,
        on_ended: Callable[[RecordingResult], None],
    ) -> None:
        """Begin at `now`. `on_ended` is called once, in the thread of the writer."""
        self._grid = StereoGrid(now=now)
        self._writer = writer
        self._job = writer.open(path, on_ended)
        self._stopped = False
        self.deadline = now + FLUSH_S
        """When `expire` wants to be called, audio or not."""

    @property
    def ended(self) -> bool:
        """True when it was stopped or has failed."""
        return self._stopped or self._job.ended

    def said(self, payload: bytes, codec: Law, *, now: float, timestamp: int | None = None) -> None:
        """Take a payload that came from the party, with its RTP timestamp."""
        self._place(0, payload, codec, now, timestamp)

    def heard(self, payload: bytes, codec: Law, *, now: float, timestamp: int | None = None) -> None:
        """Take a payload that goes to the party."""
        self._place(1, payload, codec, now, timestamp)

    def expire(self, *, now: float) -> None:
        """Hand what is complete to the writer, once a second."""
        if now >= self.deadline and not self.ended:
            self.deadline = now + FLUSH_S
            self._writer.write(self._job, self._grid.take(now=now))

    def stop(self, *, now: float, reason: str = "stopped") -> None:
        """End the recording; its length is the time since it began."""
        if not self._stopped:
            self._stopped = True
            self._writer.write(self._job, self._grid.finish(now=now))
            self._writer.finish(self._job, reason)

    def _place(self, side: int, payload: bytes, codec: Law, now: float, timestamp: int | None) -> None:
        if self.ended:
            return
        if codec != "PCMU":
            payload = g711.translate(payload, codec, "PCMU")
        self._grid.place(side, payload, now=now, timestamp=timestamp)
        if now >= self.deadline:
            self.expire(now=now)


class _Job:
    """One file; owned by the writer's thread but for `ended`, which everybody may read."""

    __slots__ = ("bytes", "ended", "file", "on_ended", "path")

    def __init__(self, path: str, on_ended: Callable[[RecordingResult], None]) -> None:
        self.path = path
        self.on_ended = on_ended
        self.file: FileIO | None = None
        self.bytes = 0
        self.ended = False

    def append(self, data: bytes) -> None:
        """Write `data` and then the sizes; opens the file when it is the first. Raises OSError."""
        if self.file is None:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self.file = FileIO(self.path, "w")
            _write_all(self.file, wav_header(0))
        if data:
            _write_all(self.file, data)
            self.bytes += len(data)
            os.pwrite(self.file.fileno(), wav_header(self.bytes), 0)

    def end(self, reason: str) -> None:
        """Close the file and tell; only the first call does anything."""
        if self.ended:
            return
        self.ended = True
        if self.file is not None:
            try:
                self.file.close()
            except OSError as error:
                reason = _describe(error)
        with contextlib.suppress(RuntimeError):  # the listener's loop is closed: nobody is left to tell
            self.on_ended(RecordingResult(self.path, self.bytes / 2 / SAMPLE_RATE_HZ, reason))


class RecordingWriter:
    """The thread that writes all recordings of an engine.

    At most `limit_bytes` wait for the disk. When it cannot keep up, the recording that would go over the
    limit is ended with an error, the others go on.
    """

    def __init__(self, *, limit_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._queue: deque[tuple[_Job, bytes, str]] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def open(self, path: str, on_ended: Callable[[RecordingResult], None]) -> _Job:
        """Begin a file; its directory is made when it is missing."""
        job = _Job(path, on_ended)
        if self._thread is None:
            self._closing = False
            self._thread = threading.Thread(target=self._run, name="sipcc-recordings", daemon=True)
            self._thread.start()
        self._put(job, b"", "")
        return job

    def write(self, job: _Job, data: bytes) -> None:
        """Append to a file, or end it when too much is waiting already."""
        if job.ended or not data:
            return
        if self._queued_bytes + len(data) > self._limit_bytes:
            self.finish(job, "error: the disk does not keep up")
        else:
            self._put(job, data, "")

    def finish(self, job: _Job, reason: str) -> None:
        """Close a file once all that waits for it is written."""
        self._put(job, b"", reason)

    def close(self) -> None:
        """Write all that waits, end what is still open as ``closed``, and end the thread.

        Blocks: not in the loop.
        """
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify()
        thread.join()
        self._thread = None

    def _put(self, job: _Job, data: bytes, reason: str) -> None:
        with self._changed:
            self._queue.append((job, data, reason))
            self._queued_bytes += len(data)
            self._changed.notify()

    def _run(self) -> None:
        jobs: set[_Job] = set()
        while (work := self._next()) is not None:
            job, data, reason = work
            jobs.add(job)
            self._work(job, data, reason)
            if job.ended:
                jobs.discard(job)
        for job in jobs:
            job.end("closed")

    def _next(self) -> tuple[_Job, bytes, str] | None:
        """What is to be done next; waits for it. None when all is done and the writer closes."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if not self._queue:
                return None
            job, data, reason = self._queue.popleft()
            self._queued_bytes -= len(data)
            return job, data, reason

    @staticmethod
    def _work(job: _Job, data: bytes, reason: str) -> None:
        if job.ended:
            return
        try:
            job.append(data)
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = _describe(error)
        if reason:
            job.end(reason)


def wav_header(data_bytes: int) -> bytes:
    """Header of a stereo mu-law WAV with `data_bytes` of audio; sizes stop at 4 GiB."""
    size = min(data_bytes, 0xFFFFFFFF - _HEADER.size)
    return _HEADER.pack(
        *(b"RIFF", size + _HEADER.size - 8, b"WAVE"),
        *(b"fmt ", 18, _ULAW_TAG, 2, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 8, 0),
        *(b"fact", 4, size // 2),
        *(b"data", size),
    )


def _write_all(file: FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]


def _describe(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"error: {text}"
