"""Comfort noise (RFC 3389): what stands for silence that is not sent, heard and made.

A payload is one byte of level, as -dBov, and as many bytes of reflection coefficients as the sender
liked: the shape of the noise's spectrum. Noise is white noise through the synthesis filter that the
coefficients make (§4), here cut off after 64 samples of its answer to one impulse: it can be neither unstable
nor too loud, whatever a payload says, since the level is set on what comes out.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm

OVERLOAD = 32124.0
"""0 dBov: the RMS of a square wave at the ends of mu-law, 8031 of 8159 (§3)."""

QUIETEST_DBOV = 127
_MAX_ORDER = 20
"""Coefficients past these are passed over: 10 shape a telephone band well (§3.1)."""

_ANSWER = 64  # samples of the filter's impulse response
_WHITE = 32768  # samples of white noise, over four seconds: shorter loops are heard as loops

_Wave = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def _white_noise() -> _Wave:
    """White noise of power 1, twice around, so that no slice of one round meets the end."""
    wave = np.random.default_rng(3389).standard_normal(_WHITE, np.float32)
    return np.concatenate((wave, wave))


def level_of(payload: bytes) -> int:
    """The level in -dBov, 0 to 127; the quietest for an empty payload."""
    return payload[0] & 0x7F if payload else QUIETEST_DBOV


def _answer_of(payload: bytes) -> _Wave:
    """The impulse response that gives white noise of power 1 the spectrum and level of `payload`."""
    gain = OVERLOAD * 10.0 ** (-level_of(payload) / 20.0)
    direct = np.ones(1)
    for byte in payload[1 : 1 + _MAX_ORDER]:
        # §3.1; the level is set below, and 255 is not used: as 254 it keeps the filter stable
        reflection = 258.0 * (min(byte, 254) - 127) / 32768.0
        padded = np.append(direct, 0.0)
        direct = padded + reflection * padded[::-1]  # the step-up recursion: lattice to direct form
    answer = np.zeros(_ANSWER)
    answer[0] = 1.0
    order = len(direct) - 1
    for n in range(1, _ANSWER if order else 1):
        past = answer[max(n - order, 0) : n][::-1]
        answer[n] = -np.dot(direct[1 : 1 + len(past)], past)
    wave: _Wave = (answer * (gain / np.sqrt(np.dot(answer, answer)))).astype(np.float32)
    return wave if order else wave[:1]


class NoiseMaker:
    """Noise of one stream, by the last payload that came."""

    __slots__ = ("_answer", "_at", "_payload")

    def __init__(self, payload: bytes = b"", *, start: int = 0) -> None:
        self._at = start % _WHITE
        self._payload = b""
        self._answer = _answer_of(b"")
        self.put(payload)

    def put(self, payload: bytes) -> None:
        """Take a new payload; any bytes do."""
        payload = bytes(payload[: 1 + _MAX_ORDER])
        if payload and payload != self._payload:
            self._payload = payload
            self._answer = _answer_of(payload)

    def take(self, samples: int) -> Pcm:
        """The next `samples` samples, at most a second of them; what was taken goes on without a seam."""
        samples = min(max(samples, 0), 8000)
        reach = len(self._answer) - 1
        start = self._at + (_WHITE if self._at < reach else 0)
        self._at = (self._at + samples) % _WHITE
        white = _white_noise()[start - reach : start + samples]
        if reach and samples:
            wave = np.correlate(white, self._answer[::-1], "valid")
        else:
            wave = white[reach:] * self._answer[0]
        return np.clip(np.rint(wave), -32768, 32767).astype(np.int16)


def describe(pcm: Pcm, *, order: int = 0) -> bytes:
    """The payload for background noise such as `pcm`: its level, and `order` reflection coefficients."""
    wave = pcm.astype(np.float64)
    power = float(np.dot(wave, wave)) / max(len(wave), 1)
    level = QUIETEST_DBOV if power <= 0 else round(-10.0 * np.log10(power / OVERLOAD**2))
    payload = bytearray([min(max(level, 0), QUIETEST_DBOV)])
    lags = [float(np.dot(wave[lag:], wave[: len(wave) - lag])) for lag in range(min(order, _MAX_ORDER) + 1)]
    error, direct = lags[0], np.ones(1)
    for lag in range(1, len(lags)):
        if error <= 0.0:
            break
        reflection = -float(np.dot(direct, lags[lag:0:-1])) / error  # Levinson and Durbin
        padded = np.append(direct, 0.0)
        direct = padded + reflection * padded[::-1]
        error *= 1.0 - reflection * reflection
        payload.append(min(max(127 + round(reflection * 32768.0 / 258.0), 0), 254))
    return bytes(payload)
