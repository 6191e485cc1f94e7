"""Records one leg to a stereo mu-law WAV: left what the party says, right what it hears.

Both sides lie on one grid of wall-clock time that begins with the recording (`sipcc.rtp.grid`).

Files are written by one thread for all recordings, which also decodes what is not G.711. Each second the new
audio is appended and then the sizes in the header are set, so the file can be played whenever the process
dies. A disk that stands still for `RING_S` costs nothing: so much waits in memory for each recording. What
goes wrong with the disk ends the recording and never the call.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import threading
from collections import deque
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import msgspec

from sipcc import private
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.base import make_decoder
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import SAMPLE_RATE_HZ, Coding
from sipcc.rtp.grid import Cut, Renderer, StereoGrid

FLUSH_S = 1.0
RING_S = 20.0
"""So many seconds of one recording may wait for the disk; one that would go beyond is ended."""
MAX_QUEUED_BYTES = 256 * 1024 * 1024
"""What may wait for the disk, over all recordings of an engine: eight hundred of them for `RING_S`."""
COMMENT = "left: said by the party, right: heard by it"

_ULAW_TAG = 7
_REMARK = COMMENT.encode() + bytes(2 - len(COMMENT) % 2)  # ends with a NUL, and at an even place
# RIFF, fmt (18 bytes, as every non-PCM format has), fact, LIST INFO with a comment, data.
_HEADER = struct.Struct(f"<4sI4s 4sIHHIIHHH 4sII 4sI4s4sI{len(_REMARK)}s 4sI")
HEADER_BYTES = _HEADER.size


class RecordingResult(msgspec.Struct, frozen=True):
    """How a recording ended. `reason` is ``stopped``, ``closed`` or ``error: ...``."""

    path: str
    seconds: float
    reason: str
    dropped: int = 0
    """Frames of a flood that are not in it."""


class Recorder:
    """One recording: feed it with `said` and `heard`; it never raises and never blocks."""

    def __init__(
        self,
        path: str,
        writer: RecordingWriter,
        *,
        now: float,
        on_ended: Callable[[RecordingResult], None],
        since: float | None = None,
    ) -> None:
        """Begin at `now`. `on_ended` is called once, in the thread of the writer.

        With `since` go on with a file that a worker left when it died: it began then, on the same clock, and
        what could not be written meanwhile is silence in it.
        """
        written = 0 if since is None else _samples_in(path)
        self.since = now if since is None else since
        """When the recording began."""
        self._grid = StereoGrid(now=self.since, base=written)
        self._writer = writer
        self._job = writer.open(path, on_ended, written=written)
        self._stopped = False
        self.deadline = now + FLUSH_S
        """When `expire` wants to be called, audio or not."""

    @property
    def ended(self) -> bool:
        """True when it was stopped or has failed."""
        return self._stopped or self._job.ended

    @property
    def paused(self) -> bool:
        """True from `pause` to `resume`."""
        return self._grid.paused

    def said(
        self,
        payload: bytes | Pcm,
        coding: Coding,
        *,
        now: float,
        timestamp: int | None = None,
    ) -> None:
        """Take what came from the party: a payload of `coding` with its timestamp, or samples at 8 kHz."""
        self._place(0, payload, coding, now, timestamp)

    def heard(
        self,
        payload: bytes | Pcm,
        coding: Coding,
        *,
        now: float,
        timestamp: int | None = None,
    ) -> None:
        """Take what goes to the party."""
        self._place(1, payload, coding, now, timestamp)

    def pause(self, *, now: float, mark: bool = False) -> None:
        """Keep what is said from now on out of the file, both sides; time goes on.

        With `mark` a tone of 1 kHz stands in its place, else silence.
        """
        self._grid.pause(now=now, mark=mark)

    def resume(self, *, now: float) -> None:
        """End a pause."""
        self._grid.resume(now=now)

    def expire(self, *, now: float) -> None:
        """Hand what is complete to the writer, once a second."""
        if now >= self.deadline and not self.ended:
            self.deadline = now + FLUSH_S
            self._writer.write(self._job, self._grid.take(now=now))

    def stop(self, *, now: float, reason: str = "stopped") -> None:
        """End the recording; its length is the time since it began."""
        if not self._stopped:
            self._stopped = True
            self._job.dropped = self._grid.dropped
            self._writer.write(self._job, self._grid.finish(now=now))
            self._writer.finish(self._job, reason)

    def _place(
        self, side: int, payload: bytes | Pcm, coding: Coding, now: float, timestamp: int | None
    ) -> None:
        if self.ended:
            return
        grid = self._grid
        if not isinstance(payload, bytes):
            grid.place(side, g711.encode(payload, "PCMU"), now=now)
        elif coding[0] == "PCMU":
            grid.place(side, payload, now=now, timestamp=timestamp)
        elif coding[0] == "PCMA":
            grid.place(side, g711.translate(payload, "PCMA", "PCMU"), now=now, timestamp=timestamp)
        else:
            grid.place(side, payload, coding, now=now, timestamp=timestamp)
        if now >= self.deadline:
            self.expire(now=now)


class _Job:
    """One file; owned by the writer's thread but for `ended`, which everybody may read."""

    __slots__ = ("bytes", "dropped", "ended", "file", "on_ended", "path", "renderer", "waiting")

    def __init__(self, path: str, on_ended: Callable[[RecordingResult], None], written: int) -> None:
        self.path = path
        self.on_ended = on_ended
        self.renderer = Renderer(make_decoder)
        self.file: FileIO | None = None
        self.bytes = 2 * written
        self.waiting = 0
        """Samples per side that wait for the disk; guarded by the writer's lock."""
        self.dropped = 0
        self.ended = False

    def append(self, cut: Cut | None, min_free_bytes: int) -> None:
        """Write `cut` and then the sizes; opens the file when it is the first. Raises OSError."""
        if self.file is None:
            _look_for_room(Path(self.path).parent, min_free_bytes)
            if self.bytes:
                self.file = FileIO(self.path, "r+")
                self.file.truncate(HEADER_BYTES + self.bytes)
                self.file.seek(0, os.SEEK_END)
            else:
                self.file = FileIO(self.path, "w", opener=private.opener)
                write_all(self.file, wav_header(0))
        if cut is not None:
            data = self.renderer.render(cut)
            write_all(self.file, data)
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
        if self.file is not None and reason.startswith("error") and not self.bytes:
            with contextlib.suppress(OSError, ValueError):  # of a recording that never began nothing is left
                if Path(self.path).is_file():  # and a device, such as /dev/full, is nobody's recording
                    Path(self.path).unlink()
        with contextlib.suppress(RuntimeError):  # the listener's loop is closed: nobody is left to tell
            self.on_ended(RecordingResult(self.path, self.bytes / 2 / SAMPLE_RATE_HZ, reason, self.dropped))


class RecordingWriter:
    """The thread that writes all recordings of an engine.

    `RING_S` of each recording and `limit_bytes` of all of them may wait for the disk. When it cannot keep up,
    the recording that would go over the limit is ended with an error, the others go on.
    """

    def __init__(self, *, limit_bytes: int = MAX_QUEUED_BYTES, min_free_mb: int = 0) -> None:
        """No recording begins on a disk with less than `min_free_mb` left."""
        self._limit_bytes = limit_bytes
        self._min_free_bytes = min_free_mb << 20
        self._changed = threading.Condition()
        self._queue: deque[tuple[_Job, Cut | None, str]] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def open(self, path: str, on_ended: Callable[[RecordingResult], None], *, written: int = 0) -> _Job:
        """Begin a file, or go on behind its first `written` samples; its directory is made when missing."""
        job = _Job(path, on_ended, written)
        if self._thread is None:
            self._closing = False
            self._thread = threading.Thread(target=self._run, name="sipcc-recordings", daemon=True)
            self._thread.start()
        self._put(job, None, "")
        return job

    def write(self, job: _Job, cut: Cut | None) -> None:
        """Append to a file, or end it when too much is waiting already."""
        if job.ended or cut is None:
            return
        full = self._queued_bytes + cut.size_bytes > self._limit_bytes
        if full or job.waiting + cut.samples > RING_S * SAMPLE_RATE_HZ:
            self.finish(job, "error: the disk does not keep up")
        else:
            self._put(job, cut, "")

    def finish(self, job: _Job, reason: str) -> None:
        """Close a file once all that waits for it is written."""
        self._put(job, None, reason)

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

    def _put(self, job: _Job, cut: Cut | None, reason: str) -> None:
        with self._changed:
            self._queue.append((job, cut, reason))
            if cut is not None:
                self._queued_bytes += cut.size_bytes
                job.waiting += cut.samples
            self._changed.notify()

    def _run(self) -> None:
        jobs: set[_Job] = set()
        while (work := self._next()) is not None:
            job, cut, reason = work
            jobs.add(job)
            self._work(job, cut, reason)
            if cut is not None:
                with self._changed:
                    self._queued_bytes -= cut.size_bytes
                    job.waiting -= cut.samples
            if job.ended:
                jobs.discard(job)
        for job in jobs:
            job.end("closed")

    def _next(self) -> tuple[_Job, Cut | None, str] | None:
        """What is to be done next; waits for it. None when all is done and the writer closes."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            return self._queue.popleft() if self._queue else None

    def _work(self, job: _Job, cut: Cut | None, reason: str) -> None:
        if job.ended:
            return
        try:
            job.append(cut, self._min_free_bytes)
        except (OSError, ValueError) as error:  # ValueError: a null byte in the path
            reason = _describe(error)
        if reason:
            job.end(reason)


def _samples_in(path: str) -> int:
    """How many samples of each side a recording has; 0 for a file that is not there."""
    try:
        return max(0, os.stat(path).st_size - HEADER_BYTES) // 2
    except (OSError, ValueError):
        return 0


def wav_header(data_bytes: int) -> bytes:
    """Header of a stereo mu-law WAV with `data_bytes` of audio; sizes stop at 4 GiB."""
    size = min(data_bytes, 0xFFFFFFFF - _HEADER.size)
    return _HEADER.pack(
        *(b"RIFF", size + _HEADER.size - 8, b"WAVE"),
        *(b"fmt ", 18, _ULAW_TAG, 2, SAMPLE_RATE_HZ, 2 * SAMPLE_RATE_HZ, 2, 8, 0),
        *(b"fact", 4, size // 2),
        *(b"LIST", len(_REMARK) + 12, b"INFO", b"ICMT", len(_REMARK), _REMARK),
        *(b"data", size),
    )


def _look_for_room(folder: Path, min_free_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < min_free_bytes:
        raise OSError(errno.ENOSPC, f"less than {min_free_bytes >> 20} MB left on the disk")


def write_all(file: FileIO, data: bytes) -> None:
    """Write `data` to its end; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) or 0 :]


def _describe(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"error: {text}"
