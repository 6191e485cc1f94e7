"""Sound files as coded, shared clips: read and coded once, in a thread, for all listeners.

Any format that libsndfile reads (WAV, AU, FLAC, OGG, MP3) at any rate, and bare G.711, becomes 8 kHz mono in
the codec of the leg.
Clips are kept in a cache bounded by bytes, oldest use out first; a file that changed on disk is read again.
A file that is missing or cannot be read is a clip all the same: the fallback tone, with `error` set.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import soundfile

from sipcc import private
from sipcc.errors import SipccError
from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.base import make_encoder
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law, PlayFile, PlayItem, PlayStream, PlayTone
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_BYTE, Coding, law_of, samples_of_ms
from sipcc.rtp.player import Clip
from sipcc.rtp.resample import Resampler, Wave, to_pcm

CACHE_BYTES = 128 * 1024 * 1024
MAX_CLIP_S = 3600
"""A longer file is refused: coded it would be 29 MB in one piece."""
RECHECK_S = 2.0
"""So long a clip is played without looking at its file again."""
_MAX_ITEM_MS = MAX_CLIP_S * 1000
_BLOCK = 32768  # frames read at a time: what the thread holds and how long numpy keeps others waiting


_Key = tuple[PlayItem, Coding]
_Stamp = tuple[int, int]
"""Time and size of a file."""


class _Entry:
    __slots__ = ("checked_at", "clip", "stamp")

    def __init__(self, clip: Clip, stamp: _Stamp, now: float) -> None:
        self.clip = clip
        self.stamp = stamp
        self.checked_at = now


class ClipStore:
    """The clips of one engine; used from one loop, reads in `executor` (the loop's own when None)."""

    def __init__(self, *, limit_bytes: int = CACHE_BYTES, executor: Executor | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._executor = executor
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._reading: dict[_Key, asyncio.Future[Clip]] = {}
        self.bytes = 0
        """Bytes that the cache holds."""

    def get(self, item: PlayItem, coding: Coding, *, now: float) -> Clip | None:
        """The clip of `item` if it is at hand without disk or long sums, else None: then `await load`."""
        of_file = isinstance(item, PlayFile)
        if not of_file and law_of(coding[0]) is not None:
            return make_clip(item, coding)
        entry = self._entries.get((item, coding))
        if entry is None or (of_file and now - entry.checked_at > RECHECK_S):
            return None
        self._entries.move_to_end((item, coding))
        return entry.clip

    async def load(self, item: PlayItem, coding: Coding, *, now: float) -> Clip:
        """The clip of `item`, read if need be; never raises for a bad file.

        Several who wait for the same file share one reading.
        """
        clip = self.get(item, coding, now=now)
        if clip is not None:
            return clip
        key = (item, coding)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(self._read(key, now))
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)

    async def _read(self, key: _Key, now: float) -> Clip:
        item, coding = key
        known = self._entries.get(key)
        stamp = known.stamp if known is not None else None
        loop = asyncio.get_running_loop()
        new_stamp, clip = await loop.run_in_executor(self._executor, _make_if_changed, item, coding, stamp)
        if clip is None and known is not None:
            known.checked_at = now
            return known.clip
        assert clip is not None
        if not clip.error:
            self._keep(key, _Entry(clip, new_stamp, now))
        elif known is not None:
            self._drop(key)
        return clip

    def _keep(self, key: _Key, entry: _Entry) -> None:
        self._drop(key)
        self._entries[key] = entry
        self.bytes += entry.clip.size_bytes
        while self.bytes > self._limit_bytes and self._entries:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: _Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.clip.size_bytes


def make_clip(item: PlayItem, coding: Coding) -> Clip:
    """Code a tone or a silence; for a file, read it here and now (blocks: not in the loop)."""
    if isinstance(item, PlayFile):
        return _read_if_changed(item, coding, None)[1] or Clip(b"")
    if isinstance(item, PlayStream):  # which no clip can hold
        return Clip(b"")
    duration_ms = min(max(item.duration_ms, 0), _MAX_ITEM_MS)
    if isinstance(item, PlayTone):
        pcm = tones.make_tone(item.frequencies_hz, duration_ms, level_dbm0=item.level_dbm0)
        return code([pcm], coding)
    law = law_of(coding[0])
    if law is not None:
        return Clip(bytes([SILENCE_BYTE[law]]) * samples_of_ms(duration_ms))
    return code([np.zeros(samples_of_ms(duration_ms), dtype=np.int16)], coding)


def code(blocks: Iterable[Pcm], coding: Coding) -> Clip:
    """Samples of 8 kHz as a clip for legs of `coding`: G.711, and ready packets where it is another codec.

    In a codec that we cannot encode there is nothing to be heard, and the clip's error says so.
    """
    law = law_of(coding[0])
    if law is not None:
        return Clip(b"".join(g711.encode(block, law) for block in blocks))
    payload: list[bytes] = []
    packets: list[bytes] = []
    try:
        encoder = make_encoder(*coding)
    except (KeyError, ValueError, SipccError) as error:
        return Clip(b"".join(g711.encode(block, "PCMU") for block in blocks), error=f"not heard: {error}")
    for frame in _frames_of(blocks):
        payload.append(g711.encode(frame, "PCMU"))
        packets.append(encoder.encode(frame))
    return Clip(b"".join(payload), tuple(packets))


def _frames_of(blocks: Iterable[Pcm]) -> Iterator[Pcm]:
    """The same samples in frames; the last one is filled up with silence."""
    rest: Pcm = np.zeros(0, dtype=np.int16)
    for block in blocks:
        rest = np.concatenate([rest, block])
        whole = len(rest) // FRAME_SAMPLES * FRAME_SAMPLES
        yield from rest[:whole].reshape(-1, FRAME_SAMPLES)
        rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, FRAME_SAMPLES - len(rest)))


def fallback_clip(coding: Coding, error: str) -> Clip:
    """What plays in place of a file that cannot."""
    return msgspec.structs.replace(code([tones.render(tones.FALLBACK)], coding), error=error)


def _make_if_changed(item: PlayItem, coding: Coding, stamp: _Stamp | None) -> tuple[_Stamp, Clip | None]:
    if isinstance(item, PlayFile):
        return _read_if_changed(item, coding, stamp)
    return (0, 0), make_clip(item, coding)


def _read_if_changed(item: PlayFile, coding: Coding, stamp: _Stamp | None) -> tuple[_Stamp, Clip | None]:
    """Stamp and clip of a file; no clip when its stamp is still `stamp`. Runs in a thread."""
    path = item.path
    try:
        status = Path(path).stat()
        new_stamp = (status.st_mtime_ns, status.st_size)
        if new_stamp == stamp:
            return new_stamp, None
        return new_stamp, read_clip(path, coding, offset_ms=item.offset_ms)
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        # libsndfile repeats the path in its message; the file's name is the event's business.
        text = str(error).replace(repr(path), "the file").strip() or type(error).__name__
        return (0, 0), fallback_clip(coding, text)


def read_clip(path: str, coding: Coding, *, offset_ms: int = 0) -> Clip:
    """The file from `offset_ms` on as coded 8 kHz mono. Blocks; holds only what is coded of a long file.

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is empty or longer than `MAX_CLIP_S`.
        soundfile.SoundFileError: libsndfile cannot read it.
    """
    clip = code(_pcm_blocks(path, offset_ms), coding)
    if not clip.payload and not offset_ms:
        raise ValueError("no audio in the file")
    return clip


BARE: Final = {".ulaw": "ULAW", ".alaw": "ALAW"}
"""Endings of files that are nothing but G.711 at 8 kHz, as ``audio/basic`` and ``audio/x-alaw-basic`` are."""


def open_sound(path: str) -> soundfile.SoundFile:
    """A file to read samples from, which may be bare G.711.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read it.
    """
    law = BARE.get(Path(path).suffix.lower())
    if law is None:
        return soundfile.SoundFile(path)
    return soundfile.SoundFile(path, format="RAW", subtype=law, samplerate=SAMPLE_RATE_HZ, channels=1)


def write_bare(source: str, target: str) -> None:
    """Write what is in a file of 8 kHz mono as bare G.711, in the law that `target` ends with. Blocks.

    Raises:
        OSError: the disk refuses it.
        soundfile.SoundFileError: libsndfile cannot read the source.
    """
    law: Law = "PCMU" if BARE[Path(target).suffix] == "ULAW" else "PCMA"
    with soundfile.SoundFile(source) as sound, open(target, "wb", opener=private.opener) as file:
        for block in sound.blocks(blocksize=_BLOCK, dtype="int16"):
            file.write(g711.encode(block, law))


def seconds_of(item: PlayFile) -> float:
    """How long a file sounds, or what is heard in its place. Blocks."""
    try:
        with open_sound(item.path) as sound:
            return max(0.0, float(sound.frames / sound.samplerate) - item.offset_ms / 1000)
    except (OSError, ValueError, soundfile.SoundFileError):
        return len(tones.render(tones.FALLBACK)) / SAMPLE_RATE_HZ


def _pcm_blocks(path: str, offset_ms: int) -> Iterator[Pcm]:
    with open_sound(path) as source:
        if source.frames > MAX_CLIP_S * source.samplerate:
            raise ValueError(f"longer than {MAX_CLIP_S} s")
        if offset_ms > 0:
            source.seek(min(source.frames, offset_ms * source.samplerate // 1000))
        resampler = Resampler(source.samplerate)
        for block in _blocks_of(source):
            yield to_pcm(resampler.push(block))
        yield to_pcm(resampler.finish())


def _blocks_of(source: soundfile.SoundFile) -> Iterator[Wave]:
    frames = 0
    for block in source.blocks(blocksize=_BLOCK, dtype="float32", always_2d=True):
        frames += len(block)
        if frames > MAX_CLIP_S * source.samplerate:
            raise ValueError(f"longer than {MAX_CLIP_S} s")  # the header had told another length
        yield np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
