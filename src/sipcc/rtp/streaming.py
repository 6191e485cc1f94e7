"""Speech that is made while it is heard, as by a text-to-speech engine.

`SpeechFeed`, on the side of whoever makes it, brings any rate to 8 kHz. `StreamPlayer`, on the side of the
port, plays it as it arrives: it waits for a little audio before it begins and after it has starved, so that a
producer may come in jerks, and is silent meanwhile. It never holds more than `MAX_BUFFER_S`; long before
that it says that it is full, and later that it is not any more.
"""

from __future__ import annotations

import numpy as np

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, Coding, ms_of_samples
from sipcc.rtp.resample import Resampler, to_pcm

MAX_BUFFER_S = 30.0
"""What comes beyond this is dropped."""
FULL_S = 10.0
"""A producer is asked to wait above this,"""
READY_S = 5.0
"""and to go on below this."""
START_FRAMES = 3
"""Frames that must be there before it begins to sound, unless the end is there too."""

_SAMPLE_BYTES = 2
_FRAME_BYTES = FRAME_SAMPLES * _SAMPLE_BYTES
_SECOND_BYTES = SAMPLE_RATE_HZ * _SAMPLE_BYTES
_SILENCE: Pcm = np.zeros(FRAME_SAMPLES, dtype=np.int16)
_SILENCE.setflags(write=False)


class StreamPlayer:
    """One play of a stream on one port; has the verbs of `sipcc.rtp.player.Player`."""

    packet: bytes | None = None
    """Streams have no ready packets,"""
    coding: Coding = ("L16", SAMPLE_RATE_HZ)
    law: Law = "PCMU"
    """and their frames are samples."""

    def __init__(self) -> None:
        self.paused = False
        """While it is set there is silence; then it goes on where it was."""
        self.full = False
        """True from too much to little enough: the producer should wait."""
        self.turned = False
        """Set when `full` changes; whoever tells the producer takes it back."""
        self.dropped_ms = 0
        """What came although it was full."""
        self.starved_ms = 0
        """How long the producer let it be silent."""
        self._buffer = bytearray()
        self._ended = False
        self._stopped = False
        self._sounding = False
        self._begun = False
        self._played = 0

    @property
    def done(self) -> bool:
        """True when it was stopped, or all has been played."""
        return self._stopped or (self._ended and not self._buffer)

    @property
    def played_ms(self) -> int:
        """How much was played, without silence."""
        return ms_of_samples(self._played)

    def feed(self, audio: bytes, *, last: bool = False) -> None:
        """Take in 16-bit samples of 8 kHz; after the `last` ones the play ends by itself."""
        if self._ended:
            return
        room = int(MAX_BUFFER_S * _SECOND_BYTES) - len(self._buffer)
        kept = audio[:room]
        self._buffer += kept[: len(kept) // _SAMPLE_BYTES * _SAMPLE_BYTES]
        self.dropped_ms += ms_of_samples((len(audio) - len(kept)) // _SAMPLE_BYTES)
        self._ended = last
        self._judge()

    def stop(self) -> None:
        """Play no more."""
        self._stopped = True

    def seek(self, position_ms: int) -> None:
        """A stream has no places to go to."""

    def pull(self, *, now: float = 0.0) -> Pcm | None:
        """The next 160 samples, or None when the play is over."""
        if self.done:
            return None
        if self.paused:
            return _SILENCE
        waiting = len(self._buffer)
        if not self._sounding:
            self._sounding = self._ended or waiting >= START_FRAMES * _FRAME_BYTES
        elif waiting < _FRAME_BYTES and not self._ended:
            self._sounding = False
        if not self._sounding:
            if self._begun:
                self.starved_ms += ms_of_samples(FRAME_SAMPLES)
            return _SILENCE
        self._begun = True
        part = bytes(self._buffer[:_FRAME_BYTES])
        del self._buffer[:_FRAME_BYTES]
        self._played += len(part) // _SAMPLE_BYTES
        self._judge()
        return np.frombuffer(part.ljust(_FRAME_BYTES, b"\0"), dtype="<i2").astype(np.int16, copy=False)

    def _judge(self) -> None:
        limit = READY_S if self.full else FULL_S
        full = len(self._buffer) > limit * _SECOND_BYTES
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


def _bytes_of(pcm: Pcm) -> bytes:
    return pcm.astype("<i2").tobytes()
