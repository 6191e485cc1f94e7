"""Speech that is made while it is heard, as by a text-to-speech engine.

`SpeechFeed`, on the side of whoever makes it, brings any rate to 8 kHz. `StreamPlayer`, on the side of the
port, plays it as it arrives: it waits for a little audio before it begins and after it has starved, so that a
producer may come in jerks, and is silent meanwhile. What ends without being said to end is heard all the
same: up to a mark at once, else after some patience. Who speaks in real time and came late once leaves a
delay behind; it is taken out of the next pauses, or of speech that has none. It never holds more than the
stream's `limit_s`; long before that it says that it is full, and later that it is not any more.

All that waits can be cleared, and marks tell how far the party has heard: they count what was sent to it.
"""

from __future__ import annotations

from collections import deque

import msgspec
import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law, PlayStream
from sipcc.rtp.frame import (
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    SILENCE_BYTE,
    SILENCE_FRAME,
    Coding,
    ms_of_samples,
)
from sipcc.rtp.resample import Resampler, to_pcm

FULL_S = 10.0
"""A producer is asked to wait above this,"""
READY_S = 5.0
"""and to go on below this."""
PATIENCE = 4
"""So many times its lead a stream waits for more before it sounds with what there is."""
WATCH_FRAMES = 50
"""So long it is watched how little waits, in frames."""
SPARE, NEAR = 1, 8
"""When more than `SPARE` frames and no more than `NEAR` always waited, somebody speaks in real time behind a
delay that nobody needs any more: it is taken out of the pauses,"""
PATIENCE_WATCHES = 2
"""or, when there was none in so many watches, out of speech: one frame a watch is blended away."""
QUIET = 200.0
"""Frames below this, -44 dB of full scale (RMS), are pauses."""
MAX_MARKS = 1000
"""Marks that wait; one more is told at once, as not heard."""

_SAMPLE_BYTES = 2
_SILENCE: Pcm = np.zeros(FRAME_SAMPLES, dtype=np.int16)
_SILENCE.setflags(write=False)
_RISING = ((np.arange(FRAME_SAMPLES) + 0.5) / FRAME_SAMPLES).astype(np.float32)


class StreamMark(msgspec.Struct, frozen=True):
    """A mark that was passed or cleared."""

    name: str
    heard: bool
    at_ms: int


class StreamPlayer:
    """One play of a stream on one port; has the verbs of `sipcc.rtp.player.Player`."""

    packet: bytes | None = None
    """Streams have no ready packets."""

    def __init__(self, stream: PlayStream | None = None) -> None:
        stream = stream or PlayStream()
        self.coding: Coding = (stream.law or "L16", SAMPLE_RATE_HZ)
        self.law: Law = stream.law or "PCMU"
        """The law of the frames, where they are bytes."""
        self.paused = False
        """While it is set there is silence; then it goes on where it was."""
        self.full = False
        """True from too much to little enough: the producer should wait."""
        self.told_full = False
        """What the producer was told last."""
        self.turned = False
        """Set when there is something to tell; whoever tells the producer takes it back."""
        self.dropped_ms = 0
        """What came although it was full."""
        self.starved_ms = 0
        """How long the producer let it be silent."""
        self._coded = stream.law is not None
        self._width = 1 if self._coded else _SAMPLE_BYTES
        self._frame_bytes = FRAME_SAMPLES * self._width
        self._lead_frames = max(1, stream.lead_ms // FRAME_MS)
        self._limit_bytes = int(stream.limit_s * SAMPLE_RATE_HZ) * self._width
        self._buffer = bytearray()
        self._marks: deque[tuple[int, str]] = deque()
        self._passed: list[StreamMark] = []
        self._ended = False
        self._stopped = False
        self._sounding = False
        self._begun = False
        self._waited = 0
        self._played = 0
        self._watched = self._surplus = self._patience = 0
        self._least = NEAR + 1

    @property
    def done(self) -> bool:
        """True when it was stopped, or all has been played."""
        return self._stopped or (self._ended and not self._buffer)

    @property
    def played_ms(self) -> int:
        """How much was played, without silence."""
        return ms_of_samples(self._played)

    @property
    def sounding(self) -> bool:
        """True when the last frame was of the stream, and not silence while it waits for more."""
        return self._sounding

    def feed(self, audio: bytes, *, last: bool = False) -> None:
        """Take in samples of 8 kHz; after the `last` ones the play ends by itself."""
        if self._ended:
            return
        room = self._limit_bytes - len(self._buffer)
        kept = audio[:room]
        self._buffer += kept[: len(kept) // self._width * self._width]
        self.dropped_ms += ms_of_samples((len(audio) - len(kept)) // self._width)
        self._ended = last
        self._judge()

    def mark(self, name: str) -> None:
        """Have it told when all that waits now has been played."""
        if len(self._marks) >= MAX_MARKS:
            self._passed.append(StreamMark(name, False, self.played_ms))
            self.turned = True
            return
        self._marks.append((self._played + len(self._buffer) // self._width, name))
        self._pass_marks()

    def take_marks(self) -> list[StreamMark]:
        """The marks that were passed or cleared since the last call, in order."""
        passed, self._passed = self._passed, []
        return passed

    def clear(self) -> int:
        """Drop what waits, and its marks with it; how many milliseconds of it. The next frame is silent."""
        dropped_ms = ms_of_samples(len(self._buffer) // self._width)
        self._buffer.clear()
        self._passed += [StreamMark(name, False, self.played_ms) for _, name in self._marks]
        self._marks.clear()
        self._sounding = self._begun = False
        self._waited = 0
        self._judge()
        return dropped_ms

    def stop(self) -> None:
        """Play no more."""
        self._stopped = True

    def seek(self, position_ms: int) -> None:
        """A stream has no places to go to."""

    def pull(self, *, now: float = 0.0) -> Pcm | bytes | None:
        """The next 160 samples, or None when the play is over."""
        if self.done:
            return None
        if self.paused:
            return self._silence
        if not self._may_sound():
            if self._begun:
                self.starved_ms += FRAME_MS
            return self._silence
        self._begun = True
        part = self._take()
        if self._surplus and len(self._buffer) >= self._frame_bytes:
            part = self._shorten(part)
        self._watch()
        if self._marks:
            self._pass_marks()
        self._judge()
        if self._coded:
            return part.ljust(FRAME_SAMPLES, SILENCE_BYTE[self.law].to_bytes())
        return np.frombuffer(part.ljust(self._frame_bytes, b"\0"), dtype="<i2").astype(np.int16, copy=False)

    def _take(self) -> bytes:
        part = bytes(self._buffer[: self._frame_bytes])
        del self._buffer[: self._frame_bytes]
        self._played += len(part) // self._width
        return part

    def _watch(self) -> None:
        """Find out how much always waits although it is played as fast as it comes."""
        self._least = min(self._least, len(self._buffer) // self._frame_bytes)
        self._watched += 1
        if self._watched >= WATCH_FRAMES:
            self._surplus = self._least - SPARE if SPARE < self._least <= NEAR else 0
            self._patience = self._patience + 1 if self._surplus else 0
            self._watched, self._least = 0, NEAR + 1

    def _shorten(self, part: bytes) -> bytes:
        """The next frame in place of `part` if that is quiet, or both in one if that was waited for."""
        wave = self._wave(part)
        if float(wave @ wave) < QUIET * QUIET * len(wave):
            self._surplus -= 1
            return self._take()
        if self._patience <= PATIENCE_WATCHES:
            return part
        self._surplus, self._patience = 0, PATIENCE_WATCHES  # until the next watch
        blend = np.rint(wave * (1.0 - _RISING) + self._wave(self._take()) * _RISING).astype(np.int16)
        return g711.encode(blend, self.law) if self._coded else blend.astype("<i2").tobytes()

    def _wave(self, part: bytes) -> npt.NDArray[np.float32]:
        samples = g711.decode(part, self.law) if self._coded else np.frombuffer(part, "<i2")
        return samples.astype(np.float32)

    @property
    def _silence(self) -> Pcm | bytes:
        return SILENCE_FRAME[self.law] if self._coded else _SILENCE

    def _may_sound(self) -> bool:
        """Whether the next frame is to be of the stream: enough waits, or no more is to be expected soon."""
        waiting = len(self._buffer)
        urgent = self._ended or (waiting > 0 and len(self._marks) > 0)
        if self._sounding and waiting < self._frame_bytes and not urgent:
            self._sounding = False
        if not self._sounding:
            self._waited = self._waited + 1 if waiting else 0
            enough = waiting >= self._lead_frames * self._frame_bytes
            self._sounding = urgent or enough or self._waited > PATIENCE * self._lead_frames
            if self._sounding:
                self._waited = 0
        return self._sounding

    def _pass_marks(self) -> None:
        while self._marks and self._marks[0][0] <= self._played:
            at, name = self._marks.popleft()
            self._passed.append(StreamMark(name, True, ms_of_samples(at)))
            self.turned = True

    def _judge(self) -> None:
        limit = READY_S if self.full else FULL_S
        full = len(self._buffer) > limit * SAMPLE_RATE_HZ * self._width
        if full != self.full:
            self.full = full
            self.turned = True


class SpeechFeed:
    """Turns 16-bit mono samples of any rate, in pieces of any length, into what `StreamPlayer.feed` takes."""

    def __init__(self, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        """Raises ValueError for a rate that is none."""
        self._resampler = None if rate_hz == SAMPLE_RATE_HZ else Resampler(rate_hz)
        self._rest = b""

    def push(self, audio: bytes) -> bytes:
        """Take the next bytes, little-endian; returns the samples of 8 kHz that are complete."""
        data = self._rest + audio
        whole = len(data) // _SAMPLE_BYTES * _SAMPLE_BYTES
        self._rest = data[whole:]
        if self._resampler is None:
            return data[:whole]
        wave = np.frombuffer(data[:whole], dtype="<i2").astype(np.float32) / np.float32(32768.0)
        return _bytes_of(to_pcm(self._resampler.push(wave)))

    def finish(self) -> bytes:
        """The last samples."""
        return b"" if self._resampler is None else _bytes_of(to_pcm(self._resampler.finish()))


class SpeechRise:
    """Turns 16-bit mono samples of 8 kHz into those of another rate; 3 ms stay behind."""

    def __init__(self, rate_hz: int) -> None:
        """Raises ValueError for a rate that is none."""
        self._resampler = None if rate_hz == SAMPLE_RATE_HZ else Resampler(SAMPLE_RATE_HZ, rate_hz)

    def push(self, audio: bytes) -> bytes:
        """Take whole samples; returns those of the other rate that are complete."""
        if self._resampler is None:
            return audio
        wave = np.frombuffer(audio, dtype="<i2").astype(np.float32) / np.float32(32768.0)
        return _bytes_of(to_pcm(self._resampler.push(wave)))


def interleaved(left: bytes, right: bytes) -> bytes:
    """16-bit samples of two channels as one stereo signal; the shorter one is filled with silence."""
    size = max(len(left), len(right)) // _SAMPLE_BYTES
    both = np.zeros((size, 2), dtype="<i2")
    for channel, side in enumerate((left, right)):
        samples = np.frombuffer(side, dtype="<i2")
        both[: len(samples), channel] = samples
    return both.tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    """The sum of two signals of 16-bit samples; what is too loud is clipped."""
    both = np.frombuffer(interleaved(one, other), dtype="<i2").reshape(-1, 2).astype(np.int32).sum(axis=1)
    return bytes(np.clip(both, -32768, 32767).astype("<i2"))


def _bytes_of(pcm: Pcm) -> bytes:
    return pcm.astype("<i2").tobytes()
