"""The one audio frame of this package: 20 ms at 8 kHz, 160 samples, 160 bytes of G.711.

Every leg ticks in frames of this size; other packet sizes are cut or joined at the edge. A G.711 byte
stands for one sample, so samples, bytes and RTP timestamp units are one and the same number here.
"""

from __future__ import annotations

from sipcc.rtp.flow import CodecName, Law

Coding = tuple[CodecName, int]
"""A codec and the rate of its RTP timestamps."""

SAMPLE_RATE_HZ = 8000
FRAME_MS = 20
FRAME_S = 0.020
FRAME_SAMPLES = 160

SILENCE_BYTE: dict[Law, int] = {"PCMU": 0xFF, "PCMA": 0xD5}
"""The byte that decodes to the smallest positive value: 0 in mu-law, 8 of 32768 in A-law."""

SILENCE_FRAME: dict[Law, bytes] = {name: bytes([byte]) * FRAME_SAMPLES for name, byte in SILENCE_BYTE.items()}


def law_of(codec: CodecName) -> Law | None:
    """The law of a G.711 codec; None for any other."""
    return codec if codec == "PCMU" or codec == "PCMA" else None


def samples_of_ms(duration_ms: float) -> int:
    """Samples in `duration_ms` milliseconds, rounded to the nearest."""
    return round(duration_ms * SAMPLE_RATE_HZ / 1000)


def ms_of_samples(samples: int) -> int:
    """Whole milliseconds in `samples`."""
    return samples * 1000 // SAMPLE_RATE_HZ
