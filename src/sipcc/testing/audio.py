"""Sound for tests: make tones, and prove by the spectrum who hears whom.

Samples are `numpy.int16` at 8000 Hz unless said. Give each party of a test a tone of its own, such as 400,
700 and 1000 Hz: multiples of the same hundred stay apart in the spectrum, and none is a DTMF frequency.
"""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec import g711
from sipcc.rtp.flow import Law

Samples = npt.NDArray[np.int16]

RATE_HZ = 8000
FULL_SCALE = 32768.0
SILENCE_DBFS = -50.0
"""RMS below this is silence: above the steps of G.711 around zero, below any speech."""

_WAV_PCM, _WAV_ALAW, _WAV_ULAW, _WAV_EXTENSIBLE = 1, 6, 7, 0xFFFE


def tone(
    frequency_hz: float,
    seconds: float,
    *,
    level_dbfs: float = -12.0,
    rate_hz: int = RATE_HZ,
    phase: float = 0.0,
) -> Samples:
    """A sine of `seconds`; `level_dbfs` is that of its peak."""
    amplitude = (FULL_SCALE - 1) * 10 ** (level_dbfs / 20)
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * at + phase)).astype(np.int16)


def silence(seconds: float, *, rate_hz: int = RATE_HZ) -> Samples:
    """Zeroes of `seconds`."""
    return np.zeros(round(seconds * rate_hz), dtype=np.int16)


def ulaw(samples: Samples) -> bytes:
    """The samples as a PCMU payload."""
    return g711.encode(samples, "PCMU")


def alaw(samples: Samples) -> bytes:
    """The samples as a PCMA payload."""
    return g711.encode(samples, "PCMA")


def payloads(samples: Samples, codec: Law = "PCMU", *, frame: int = 160) -> list[bytes]:
    """The samples as payloads of `frame` samples each; a rest shorter than that is left out."""
    coded = g711.encode(samples, codec)
    return [coded[start : start + frame] for start in range(0, len(coded) - frame + 1, frame)]


def level_dbfs(samples: Samples) -> float:
    """The RMS level; -inf for digital silence or no samples at all."""
    if len(samples) == 0:
        return float("-inf")
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    return 20 * float(np.log10(rms / FULL_SCALE)) if rms else float("-inf")


def is_silent(samples: Samples) -> bool:
    """True when nothing above the noise of G.711 is heard, or nothing at all."""
    return level_dbfs(samples) < SILENCE_DBFS


def silent_runs(
    samples: Samples, *, at_least_s: float = 0.02, rate_hz: int = RATE_HZ
) -> list[tuple[float, float]]:
    """Where it is silent for at least so long, as (from, to) in seconds, on a grid of 5 ms."""
    step = rate_hz // 200
    quiet = [is_silent(samples[start : start + step]) for start in range(0, len(samples) - step + 1, step)]
    runs: list[tuple[float, float]] = []
    began: int | None = None
    for index, is_quiet in enumerate([*quiet, False]):
        if is_quiet and began is None:
            began = index
        elif not is_quiet and began is not None:
            if (index - began) * step >= at_least_s * rate_hz:
                runs.append((began * step / rate_hz, index * step / rate_hz))
            began = None
    return runs


def find_tones(
    samples: Samples, rate_hz: int = RATE_HZ, *, count: int = 4, floor_db: float = 20.0
) -> list[float]:
    """The frequencies of the strongest tones in Hz, strongest first.

    A tone is a local peak of the spectrum not more than `floor_db` below the strongest one. Silence has
    none. Neighbours within 4 bins (31 Hz at 8000 Hz) count as one.
    """
    if len(samples) < 64 or is_silent(samples):
        return []
    spectrum = _spectrum(samples)
    bins = len(spectrum)
    hz_per_bin = rate_hz / 2 / (bins - 1)
    threshold = float(spectrum.max()) * 10 ** (-floor_db / 20)
    found: list[float] = []
    remaining = spectrum.copy()
    while len(found) < count:
        peak = int(np.argmax(remaining))
        if remaining[peak] < threshold or not remaining[peak]:
            break
        if _is_local_peak(spectrum, peak):
            found.append((peak + _offset(spectrum, peak)) * hz_per_bin)
        remaining[max(0, peak - 4) : peak + 5] = 0
    return found


def tone_share(
    samples: Samples, frequency_hz: float, rate_hz: int = RATE_HZ, *, width_hz: float = 40.0
) -> float:
    """The share of the energy, 0..1, that lies within `width_hz` of a frequency."""
    if len(samples) < 64:
        return 0.0
    power = np.square(_spectrum(samples))
    frequencies = np.linspace(0, rate_hz / 2, len(power))
    near = np.abs(frequencies - frequency_hz) <= width_hz
    total = float(power[1:].sum())
    return float(power[near].sum()) / total if total else 0.0


def assert_tone(
    samples: Samples, frequency_hz: float, rate_hz: int = RATE_HZ, *, share: float = 0.8, what: str = "sound"
) -> None:
    """Fail unless the tone is there and makes up at least `share` of the energy."""
    heard = find_tones(samples, rate_hz)
    actual = tone_share(samples, frequency_hz, rate_hz)
    if is_silent(samples) or actual < share:
        seconds = len(samples) / rate_hz
        raise AssertionError(
            f"{what}: {frequency_hz:g} Hz has {actual:.0%} of the energy, not {share:.0%}; heard in "
            f"{seconds:.2f} s at {level_dbfs(samples):.0f} dBFS: {[round(hz) for hz in heard]}"
        )


def assert_no_tone(
    samples: Samples, frequency_hz: float, rate_hz: int = RATE_HZ, *, share: float = 0.02, what: str = "sound"
) -> None:
    """Fail when the tone has more than `share` of the energy."""
    actual = tone_share(samples, frequency_hz, rate_hz)
    if not is_silent(samples) and actual > share:
        raise AssertionError(f"{what}: {frequency_hz:g} Hz has {actual:.0%} of the energy")


def assert_silent(samples: Samples, *, what: str = "sound") -> None:
    """Fail when anything is heard."""
    if not is_silent(samples):
        tones = [round(hz) for hz in find_tones(samples)]
        raise AssertionError(f"{what}: not silent: {level_dbfs(samples):.0f} dBFS, tones {tones}")


def write_wav(path: Path | str, *channels: Samples, rate_hz: int = RATE_HZ) -> None:
    """Write one or more channels of equal length as a 16-bit WAV."""
    interleaved = np.stack(channels, axis=1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(interleaved.tobytes())


def read_wav(path: Path | str) -> tuple[list[Samples], int]:
    """Read a WAV of 16-bit PCM, A-law or mu-law: its channels, and its rate in Hz.

    Raises:
        ValueError: the file is not such a WAV, or is cut short.
    """
    data = Path(path).read_bytes()
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a RIFF/WAVE file")
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise ValueError(f"{path} has no fmt or data chunk")
    kind, channels, rate_hz = struct.unpack_from("<HHI", chunks[b"fmt "])
    if kind == _WAV_EXTENSIBLE:
        (kind,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
    flat = _decode(kind, chunks[b"data"], str(path))
    flat = flat[: len(flat) // channels * channels]
    return [flat[index::channels].copy() for index in range(channels)], rate_hz


def read_stereo(path: Path | str) -> tuple[Samples, Samples, int]:
    """Read a stereo WAV: left, right, and its rate in Hz. Raises ValueError when it is not one."""
    channels, rate_hz = read_wav(path)
    if len(channels) != 2:
        raise ValueError(f"{path} has {len(channels)} channels, not 2")
    return channels[0], channels[1], rate_hz


def _decode(kind: int, data: bytes, path: str) -> Samples:
    if kind == _WAV_PCM:
        return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)
    if kind in (_WAV_ALAW, _WAV_ULAW):
        return g711.decode(data, "PCMA" if kind == _WAV_ALAW else "PCMU")
    raise ValueError(f"{path}: WAV format {kind} is not 16-bit PCM, A-law or mu-law")


def _spectrum(samples: Samples) -> npt.NDArray[np.float64]:
    """The mean magnitude spectrum over half-overlapping windows of at most 1024 samples."""
    size = min(1024, len(samples))
    window = np.hanning(size)
    starts = range(0, len(samples) - size + 1, max(1, size // 2))
    frames = np.stack([samples[start : start + size] for start in starts]).astype(np.float64)
    magnitudes = np.abs(np.fft.rfft(frames * window, axis=1))
    mean: npt.NDArray[np.float64] = np.sqrt(np.mean(np.square(magnitudes), axis=0))
    mean[0] = 0.0  # a DC offset is not a tone
    return mean


def _is_local_peak(spectrum: npt.NDArray[np.float64], index: int) -> bool:
    around = spectrum[max(0, index - 1) : index + 2]
    return bool(spectrum[index] >= around.max())


def _offset(spectrum: npt.NDArray[np.float64], index: int) -> float:
    """How far, in bins, the true peak lies from `index`: the vertex of a parabola through three points."""
    if not 0 < index < len(spectrum) - 1:
        return 0.0
    left, middle, right = (float(value) for value in np.log(spectrum[index - 1 : index + 2] + 1e-12))
    curve = left - 2 * middle + right
    return 0.5 * (left - right) / curve if curve else 0.0
