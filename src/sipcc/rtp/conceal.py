"""Concealment of lost packets by repeating the pitch, after ITU-T G.711 Appendix I.

The last 48.75 ms are kept; the lag of 5 to 15 ms at which the last 10 ms are most like what came before
is the pitch. Its last period is repeated, after 20 ms the last two and after 40 ms the last three, so that
it does not buzz; from 10 ms on it fades by 20 % every 10 ms, and after 60 ms there is silence. When audio
returns, both are blended.

What differs from the Appendix was measured to be nearer to what was lost, on speech with 5 % of its frames
gone (tests): it matches the last 20 ms, and takes a second period after 10 ms already. It also delays all
audio by 3.75 ms to blend into the loss. Here nothing that came is delayed or altered: the step between the
last sample and the first repeated one is taken out by a ramp over a quarter of a period.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm

HISTORY_SAMPLES = 390
MIN_LAG, MAX_LAG = 40, 120
MATCH_SAMPLES = 80
STAGE_SAMPLES = 80
"""10 ms: in each it fades a little more."""
GROW_STAGES = 2
"""A frame of ours: after each the repeated stretch grows."""
FADE_PER_STAGE = 0.2
MAX_SAMPLES = 480
"""60 ms; beyond it is silence."""
MAX_BLEND = 80
BLEND_PER_STAGE = 32  # 4 ms more for every 10 ms that were lost (App. I §I.2.7)

_Wave = npt.NDArray[np.float32]


def find_pitch(history: Pcm | _Wave) -> int:
    """The lag in samples, 40..120, at which the end of 200 or more samples repeats itself best."""
    wave = np.asarray(history[-(MATCH_SAMPLES + MAX_LAG) :], dtype=np.float32)
    last = wave[-MATCH_SAMPLES:]
    # row i of the view lies MAX_LAG - i behind
    rows = np.lib.stride_tricks.sliding_window_view(wave, MATCH_SAMPLES)[: MAX_LAG - MIN_LAG + 1]
    squares = np.concatenate((np.zeros(1), np.cumsum(np.square(wave, dtype=np.float64))))
    energies = (squares[MATCH_SAMPLES:] - squares[:-MATCH_SAMPLES])[: len(rows)]
    likeness = (rows @ last) / np.sqrt(np.maximum(energies, 1.0))
    return MAX_LAG - int(likeness.argmax())


class Concealer:
    """One loss, from its first missing sample until audio returns."""

    __slots__ = ("_blend", "_cycle", "_done", "_history", "_periods", "_pitch", "_place", "_step")

    def __init__(self, history: Pcm) -> None:
        """Begin after `history`: what was heard last, of which 390 samples matter."""
        wave = np.zeros(HISTORY_SAMPLES, dtype=np.float32)
        recent = history[-HISTORY_SAMPLES:]
        if len(recent):
            wave[-len(recent) :] = recent
        self._history: _Wave = wave
        self._pitch = find_pitch(wave)
        self._blend = self._pitch // 4
        self._done = 0
        self._periods = 1
        self._place = 0
        self._cycle = self._make_cycle(1)
        self._step = float(wave[-1] - wave[-1 - self._pitch])

    @property
    def spent(self) -> bool:
        """True when only silence is left."""
        return self._done >= MAX_SAMPLES

    def fill(self, samples: int) -> Pcm:
        """The next `samples` samples in place of what was lost."""
        wave = self._synthesize(samples)
        self._done += samples
        return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)

    def rejoin(self, pcm: Pcm) -> Pcm:
        """The first audio after the loss, with what would have been repeated fading into it."""
        length = self._blend + BLEND_PER_STAGE * max(0, self._done // STAGE_SAMPLES - 1)
        length = min(length, MAX_BLEND, len(pcm))
        rising = (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1)
        wave = self._synthesize(length) * (1.0 - rising) + pcm[:length] * rising
        joined = pcm.copy()
        joined[:length] = np.clip(np.rint(wave), -32768, 32767)
        return joined

    def _make_cycle(self, periods: int) -> _Wave:
        """The last `periods` of the history, its end blended so that it runs into its beginning."""
        length, blend = periods * self._pitch, self._blend
        cycle = self._history[-length:].copy()
        rising = (np.arange(blend, dtype=np.float32) + 0.5) / blend
        before = self._history[-length - blend : -length]
        cycle[-blend:] = cycle[-blend:] * (1.0 - rising) + before * rising
        return cycle

    def _synthesize(self, samples: int) -> _Wave:
        parts: list[_Wave] = []
        done, end = self._done, self._done + samples
        while done < end:
            stage = done // STAGE_SAMPLES
            count = min(end, (stage + 1) * STAGE_SAMPLES) - done
            parts.append(self._repeat(count, stage) if done < MAX_SAMPLES else np.zeros(count, np.float32))
            done += count
        wave = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        places = np.arange(self._done, end)
        if self._done < self._blend:
            wave += self._step * np.maximum(0.0, 1.0 - (places + 1) / self._blend)
        if end > STAGE_SAMPLES:
            stages = (places - STAGE_SAMPLES) / STAGE_SAMPLES
            wave *= np.clip(1.0 - FADE_PER_STAGE * stages, 0.0, 1.0)
        return wave.astype(np.float32)

    def _repeat(self, count: int, stage: int) -> _Wave:
        """`count` samples of the cycle, which grows by a period after the first and the second frame."""
        periods = min(stage // GROW_STAGES + 1, 3)
        wave = self._read(count)
        if periods != self._periods:
            old, blend = wave, min(self._blend, count)
            self._periods = periods
            self._cycle = self._make_cycle(periods)
            self._place = (self._place - count) % self._pitch  # the same phase, in the oldest period
            wave = self._read(count)
            rising = (np.arange(blend, dtype=np.float32) + 0.5) / blend
            wave[:blend] = old[:blend] * (1.0 - rising) + wave[:blend] * rising
        return wave

    def _read(self, count: int) -> _Wave:
        indices = np.arange(self._place, self._place + count)
        self._place += count
        return self._cycle.take(indices, mode="wrap")
