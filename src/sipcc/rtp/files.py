"""Sound files as coded, shared clips: read and coded once, in a thread, for all listeners.

Any format that libsndfile reads (WAV, FLAC, OGG, MP3) at any rate becomes 8 kHz mono in the codec of the leg.
Clips are kept in a cache bounded by bytes, oldest use out first; a file that changed on disk is read again.
A file that is missing or cannot be read is a clip all the same: the fallback tone, with `error` set.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law, PlayFile, PlayItem, PlayTone
from sipcc.rtp.frame import SAMPLE_RATE_HZ, SILENCE_BYTE, samples_of_ms

CACHE_BYTES = 128 * 1024 * 1024
MAX_CLIP_S = 3600
"""A longer file is refused: coded it would be 29 MB in one piece."""
RECHECK_S = 2.0
"""So long a clip is played without looking at its file again."""
_MAX_ITEM_MS = MAX_CLIP_S * 1000
_BLOCK = 32768  # frames read at a time: what the thread holds and how long numpy keeps others waiting

Wave = npt.NDArray[np.float32]


class Clip(msgspec.Struct, frozen=True):
    """Coded audio, one byte a sample."""

    payload: bytes
    error: str = ""
    """Why the fallback tone is in place of the file; empty when all is well."""


class _Entry:
    __slots__ = ("checked_at", "clip", "stamp")

    def __init__(self, clip: Clip, stamp: tuple[int, int], now: float) -> None:
        self.clip = clip
        self.stamp = stamp
        self.checked_at = now


class ClipStore:
    """The clips of one engine; used from one loop, reads in `executor` (the loop's own when None)."""

    def __init__(self, *, limit_bytes: int = CACHE_BYTES, executor: Executor | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._executor = executor
        self._entries: OrderedDict[tuple[str, Law], _Entry] = OrderedDict()
        self._reading: dict[tuple[str, Law], asyncio.Future[Clip]] = {}
        self.bytes = 0
        """Bytes that the cache holds."""

    def get(self, item: PlayItem, codec: Law, *, now: float) -> Clip | None:
        """The clip of `item` if it is at hand without touching the disk, else None: then `await load`."""
        if not isinstance(item, PlayFile):
            return make_clip(item, codec)
        entry = self._entries.get((item.path, codec))
        if entry is None or now - entry.checked_at > RECHECK_S:
            return None
        self._entries.move_to_end((item.path, codec))
        return entry.clip

    async def load(self, item: PlayItem, codec: Law, *, now: float) -> Clip:
        """The clip of `item`, read if need be; never raises for a bad file.

        Several who wait for the same file share one reading.
        """
        clip = self.get(item, codec, now=now)
        if clip is not None or not isinstance(item, PlayFile):
            return clip if clip is not None else make_clip(item, codec)
        key = (item.path, codec)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(self._read(key, now))
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)

    async def _read(self, key: tuple[str, Law], now: float) -> Clip:
        path, codec = key
        known = self._entries.get(key)
        stamp = known.stamp if known is not None else None
        loop = asyncio.get_running_loop()
        new_stamp, clip = await loop.run_in_executor(self._executor, _read_if_changed, path, codec, stamp)
        if clip is None and known is not None:
            known.checked_at = now
            return known.clip
        assert clip is not None
        if not clip.error:
            self._keep(key, _Entry(clip, new_stamp, now))
        elif known is not None:
            self._drop(key)
        return clip

    def _keep(self, key: tuple[str, Law], entry: _Entry) -> None:
        self._drop(key)
        self._entries[key] = entry
        self.bytes += len(entry.clip.payload)
        while self.bytes > self._limit_bytes and self._entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: tuple[str, Law]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= len(entry.clip.payload)


def make_clip(item: PlayItem, codec: Law) -> Clip:
    """Code a tone or a silence; for a file, read it here and now (blocks: not in the loop)."""
    if isinstance(item, PlayFile):
        clip = _read_if_changed(item.path, codec, None)[1]
        assert clip is not None
        return clip
    duration_ms = min(max(item.duration_ms, 0), _MAX_ITEM_MS)
    if isinstance(item, PlayTone):
        pcm = tones.make_tone(item.frequencies_hz, duration_ms, level_dbm0=item.level_dbm0)
        return Clip(g711.encode(pcm, codec))
    return Clip(bytes([SILENCE_BYTE[codec]]) * samples_of_ms(duration_ms))


def fallback_clip(codec: Law, error: str) -> Clip:
    """What plays in place of a file that cannot."""
    return Clip(g711.encode(tones.render(tones.FALLBACK), codec), error)


def _read_if_changed(
    path: str, codec: Law, stamp: tuple[int, int] | None
) -> tuple[tuple[int, int], Clip | None]:
    """Stamp and clip of a file; no clip when its stamp is still `stamp`. Runs in a thread."""
    try:
        status = Path(path).stat()
        new_stamp = (status.st_mtime_ns, status.st_size)
        if new_stamp == stamp:
            return new_stamp, None
        return new_stamp, Clip(read_coded(path, codec))
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        # libsndfile repeats the path in its message; the file's name is the event's business.
        text = str(error).replace(repr(path), "the file").strip() or type(error).__name__
        return (0, 0), fallback_clip(codec, text)


def read_coded(path: str, codec: Law) -> bytes:
    """The whole file as coded 8 kHz mono. Blocks; holds only the coded bytes of a long file.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is empty or longer than `MAX_CLIP_S`.
        soundfile.SoundFileError: libsndfile cannot read it.
    """
    payload = b"".join(g711.encode(block, codec) for block in _pcm_blocks(path))
    if not payload:
        raise ValueError("no audio in the file")
    return payload


def _pcm_blocks(path: str) -> Iterator[Pcm]:
    with soundfile.SoundFile(path) as source:
        if source.frames > MAX_CLIP_S * source.samplerate:
            raise ValueError(f"longer than {MAX_CLIP_S} s")
        resampler = Resampler(source.samplerate)
        for block in _blocks_of(source):
            yield _to_pcm(resampler.push(block))
        yield _to_pcm(resampler.finish())


def _to_pcm(wave: Wave) -> Pcm:
    pcm: Pcm = np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)
    return pcm


def _blocks_of(source: soundfile.SoundFile) -> Iterator[Wave]:
    frames = 0
    for block in source.blocks(blocksize=_BLOCK, dtype="float32", always_2d=True):
        frames += len(block)
        if frames > MAX_CLIP_S * source.samplerate:
            raise ValueError(f"longer than {MAX_CLIP_S} s")  # the header had told another length
        yield np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


class Resampler:
    """Mono audio of any rate to 8 kHz by a polyphase windowed sinc; push blocks, then `finish`.

    Of the two rates' ratio up/down, output n is the sum of the inputs around n * down / up with the branch
    n * down % up of the filter; all outputs of one branch are one matrix product.
    """

    ZERO_CROSSINGS = 24
    """Half length of the filter, in periods of the lower rate; with it 0.1 dB up to 3.4 kHz."""
    CUT = 0.94
    """The filter's corner, as a share of the lower Nyquist frequency."""
    MAX_BRANCHES = 2000
    """A rate that needs a larger filter is no rate that sound is recorded at."""

    def __init__(self, rate_hz: int) -> None:
        divisor = math.gcd(rate_hz, SAMPLE_RATE_HZ)
        self._up = SAMPLE_RATE_HZ // divisor
        self._down = rate_hz // divisor
        if self._up > self.MAX_BRANCHES or rate_hz < 1000:
            raise ValueError(f"cannot resample from {rate_hz} Hz")
        stretch = max(1.0, self._down / self._up)  # input samples per period of the lower rate
        self._half = math.ceil(self.ZERO_CROSSINGS * stretch)
        self._taps = 2 * self._half
        self._branches = self._design(stretch)
        self._pending: Wave = np.zeros(self._half - 1, dtype=np.float32)
        self._next = 0  # next output, counted from the first input in `_pending`
        self._seen = 0
        self._made = 0

    def _design(self, stretch: float) -> Wave:
        """Row b: what the inputs around an output with fraction b / up weigh."""
        fraction = np.arange(self._up)[:, None] / self._up
        distance = np.arange(-self._half + 1, self._half + 1)[None, :] - fraction
        corner = self.CUT / stretch
        window = np.i0(9.0 * np.sqrt(np.clip(1.0 - (distance / self._half) ** 2, 0.0, 1.0))) / np.i0(9.0)
        branches = corner * np.sinc(corner * distance) * window
        branches /= branches.sum(axis=1, keepdims=True)  # the same gain in every branch
        return np.asarray(branches, dtype=np.float32)

    def push(self, block: Wave) -> Wave:
        """Take the next samples in; returns the output that is complete."""
        self._seen += len(block)
        if self._up == self._down:
            return block
        self._pending = np.concatenate([self._pending, block])
        windows = len(self._pending) - self._taps + 1
        # Output n needs the window that begins at n * down // up.
        last = (windows * self._up - 1) // self._down if windows > 0 else -1
        return self._make(last + 1)

    def finish(self) -> Wave:
        """What is left, so that the output is as long as the input."""
        if self._up == self._down:
            return np.zeros(0, dtype=np.float32)
        self._pending = np.concatenate([self._pending, np.zeros(self._half + 1, dtype=np.float32)])
        total = self._seen * self._up // self._down
        return self._make(self._next + total - self._made)

    def _make(self, stop: int) -> Wave:
        """Outputs from the next one up to `stop`; lets go of the input that no later one needs."""
        count = max(stop - self._next, 0)
        out = np.empty(count, dtype=np.float32)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(self._pending, self._taps)
            for first in range(min(self._up, count)):
                index = (self._next + first) * self._down
                rows = windows[index // self._up :: self._down]
                branch = out[first :: self._up]
                np.matmul(rows[: len(branch)], self._branches[index % self._up], out=branch)
        self._next += count
        self._made += count
        spent = self._next // self._up  # whole rounds of `down` inputs may go
        self._pending = self._pending[spent * self._down :]
        self._next -= spent * self._up
        return out
