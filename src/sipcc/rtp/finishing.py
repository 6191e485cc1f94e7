"""After the call: a finished recording is compressed, and a small picture of its loudness is made.

One pass over the file does both, a second at a time, so an hour needs no more memory than a minute. It takes
seconds of computing for a long call: run `finish` in a thread, never in the loop. The new file gets its name
when it is complete on the disk and was read back and compared; only then is the original removed. Whatever
goes wrong, the original stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from sipcc import private
from sipcc.rtp.frame import SAMPLE_RATE_HZ
from sipcc.rtp.recorder import COMMENT

Format = Literal["wav", "flac", "opus"]

MAX_POINTS = 2000
"""Points of a waveform per side: more than a screen is wide, and 20 KB in the file."""
MIN_POINT_SAMPLES = SAMPLE_RATE_HZ // 100
CHANNELS = ("said", "heard")
"""What the two sides are: what the party said, which is left, and what it heard."""

_CONTAINER: dict[str, tuple[str, str, str]] = {
    "flac": (".flac", "FLAC", "PCM_16"),
    "opus": (".ogg", "OGG", "OPUS"),
}
_LOUD = 300.0  # an RMS of -41 dBFS: below it a lossy codec may round to silence
_TOLERANCE_DB = 6.0
_PART = ".part"

Block = npt.NDArray[np.int16]


class Finished(msgspec.Struct, frozen=True):
    """What became of a recording."""

    path: str
    """The file that holds the audio now: the new one, or the original."""
    size_bytes: int = 0
    peaks: str = ""
    """The file with the waveform; empty when none was asked for or made."""
    error: str = ""
    """Why the original is still there, although another format was asked for; empty when all is well."""


class Waveform:
    """Collects the loudest sample of each stretch, per side; `points` stay below `MAX_POINTS`."""

    def __init__(self, frames: int, channels: int) -> None:
        """Get ready for `frames` samples per side."""
        self._frames = frames
        self._step = max(MIN_POINT_SAMPLES, -(-frames // MAX_POINTS))
        self._peaks: npt.NDArray[np.int32] = np.zeros((-(-frames // self._step), channels), dtype=np.int32)
        self._at = 0

    def add(self, block: Block) -> None:
        """Take the next samples in, as (samples, channels)."""
        loud = np.abs(block.astype(np.int32))[: self._frames - self._at]
        if not len(loud):
            return
        first = self._at // self._step
        edges = np.arange(first * self._step, self._at + len(loud), self._step) - self._at
        edges[0] = 0
        found = np.maximum.reduceat(loud, edges, axis=0)
        here = self._peaks[first : first + len(found)]
        np.maximum(here, found, out=here)
        self._at += len(loud)

    def encode(self) -> bytes:
        """The JSON: seconds, milliseconds per point, and for each side its peaks from 0 to 1."""
        sides = np.round(self._peaks.T / 32768.0, 3).tolist()
        return msgspec.json.encode(
            {
                "seconds": round(self._frames / SAMPLE_RATE_HZ, 3),
                "point_ms": round(self._step * 1000 / SAMPLE_RATE_HZ, 3),
                "channels": list(CHANNELS[: len(sides)]),
                "peaks": sides,
            }
        )


def finish(path: str, *, format: Format = "wav", peaks: bool = False) -> Finished:
    """Bring the recording at `path` into `format` and draw its waveform. Blocks; never raises.

    The new file stands beside the old one, as ``.flac`` or ``.ogg``, the waveform as ``.peaks.json``.
    """
    source = Path(path)
    try:
        if format == "wav" and not peaks:
            return Finished(path, source.stat().st_size)
        return _finish(source, format, peaks)
    except (OSError, ValueError, soundfile.SoundFileError) as error:
        size = source.stat().st_size if source.is_file() else 0
        return Finished(path, size, error=str(error) or type(error).__name__)


def _finish(source: Path, format: Format, peaks: bool) -> Finished:
    waveform: Waveform | None = None
    drawn = ""
    suffix, container, subtype = _CONTAINER.get(format, ("", "", ""))
    target = source.with_suffix(suffix) if suffix else source
    part = target.with_name(target.name + _PART)
    try:
        with soundfile.SoundFile(str(source)) as audio:
            if peaks:
                waveform = Waveform(audio.frames, audio.channels)
            if suffix:
                _convert(audio, part, container, subtype, waveform)
            elif waveform is not None:
                for block in _blocks(audio):
                    waveform.add(block)
        if suffix:
            compare(source, part, exact=format == "flac")
        if waveform is not None:
            drawn = str(source.with_suffix(".peaks.json"))
            _store(Path(drawn), waveform.encode())
        if suffix:
            _replace(source, part, target)
    finally:
        part.unlink(missing_ok=True)
    return Finished(str(target), target.stat().st_size, drawn)


def _convert(
    audio: soundfile.SoundFile, part: Path, container: str, subtype: str, waveform: Waveform | None
) -> None:
    private.make(part)
    with soundfile.SoundFile(
        str(part),
        "w",
        samplerate=audio.samplerate,
        channels=audio.channels,
        format=container,
        subtype=subtype,
    ) as coded:
        coded.comment = COMMENT
        for block in _blocks(audio):
            coded.write(block)
            if waveform is not None:
                waveform.add(block)


def compare(original: Path, copy: Path, *, exact: bool) -> None:
    """Read both files and see that they hold the same audio.

    A lossy copy is as long to the sample, and each second of each side as loud to within 6 dB.

    Raises:
        ValueError: they do not.
    """
    with soundfile.SoundFile(str(original)) as one, soundfile.SoundFile(str(copy)) as two:
        if (one.frames, one.channels, one.samplerate) != (two.frames, two.channels, two.samplerate):
            raise ValueError(
                f"the copy has {two.frames} samples in {two.channels} channels, not {one.frames}"
                f" in {one.channels}"
            )
        for second, block in enumerate(_blocks(one)):
            other = two.read(len(block), dtype="int16", always_2d=True)
            same = np.array_equal(block, other) if exact else _alike(block, other)
            if not same:
                raise ValueError(f"the copy differs in second {second}")


def _alike(block: Block, other: Block) -> bool:
    if len(block) != len(other):
        return False
    one, two = (np.sqrt(np.mean(np.square(part.astype(np.float64)), axis=0)) for part in (block, other))
    off_db = 20 * np.abs(np.log10((one + 1.0) / (two + 1.0)))
    return not np.any((one > _LOUD) & (off_db > _TOLERANCE_DB))


def _blocks(audio: soundfile.SoundFile) -> list[Block] | soundfile.SoundFile:
    return audio.blocks(blocksize=SAMPLE_RATE_HZ, dtype="int16", always_2d=True)


def _store(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + _PART)
    private.make(part)
    part.write_bytes(data)
    part.replace(path)


def _replace(source: Path, part: Path, target: Path) -> None:
    """Give the verified copy its name and its age, and remove the original."""
    status = source.stat()
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
    part.replace(target)
    source.unlink()
