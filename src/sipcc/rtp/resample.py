"""Mono audio of any rate to another, in blocks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import SAMPLE_RATE_HZ

Wave = npt.NDArray[np.float32]
"""Samples from -1 to 1."""


def to_pcm(wave: Wave) -> Pcm:
    """The same as 16-bit samples; what is too loud is clipped."""
    pcm: Pcm = np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)
    return pcm


class Resampler:
    """Mono audio of any rate to another, 8 kHz by default, by a polyphase windowed sinc; push, then `finish`.

    Of the two rates' ratio up/down, output n is the sum of the inputs around n * down / up with the branch
    n * down % up of the filter; all outputs of one branch are one matrix product.
    """

    ZERO_CROSSINGS = 24
    """Half length of the filter, in periods of the lower rate; with it 0.1 dB up to 3.4 kHz."""
    CUT = 0.94
    """The filter's corner, as a share of the lower Nyquist frequency."""
    MAX_BRANCHES = 2000
    """A rate that needs a larger filter is no rate that sound is recorded at."""

    def __init__(self, rate_hz: int, to_hz: int = SAMPLE_RATE_HZ) -> None:
        divisor = math.gcd(rate_hz, to_hz)
        self._up = to_hz // divisor
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
