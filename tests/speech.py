"""Speech for tests, by espeak-ng: `make test` installs it."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import numpy.typing as npt
import pytest

Wave = npt.NDArray[np.float64]


def need_speech() -> None:
    """Skip the test where espeak-ng is missing, and fail it there under CI."""
    if shutil.which("espeak-ng") is None:
        assert not os.environ.get("CI"), "espeak-ng is missing"
        pytest.skip("espeak-ng is missing")


def speak(text: str, *, voice: str = "en", speed: int = 160, pitch: int = 50, rate_hz: int = 8000) -> Wave:
    """`text` as a voice says it, within -1..1; resampled through the spectrum, so that nothing folds.

    `speed` is in words a minute, `pitch` 0 to 99.
    """
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdin", "--stdout"]
    wav = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    samples = np.frombuffer(wav[44 : len(wav) - len(wav) % 2], dtype="<i2").astype(np.float64) / 32768
    count = round(len(samples) * rate_hz / 22050)
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.fft.irfft(spectrum, n=count) * count / len(samples)
