"""ITU-T G.722 in mode 1, bit for bit.

The chain of proof: `g722_reference`, written from the Recommendation, reproduces the ITU's test sequences of
Appendix II, configuration 2, whose input is a simple pattern and whose files are known by the CRC-32 that the
ITU publishes with them (00readme-g.722-testvectors-le.txt of T-REC-G.722-201209). Then the library that we
use is held against the reference, through the filters that the ITU's sequences bypass, on signals of all
kinds; and libav's decoder and encoder against both.
"""

from __future__ import annotations

import shutil
import zlib

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.codeccontext import AudioCodecContext
from G722 import G722
from tests.rfc.g722_reference import Decoder, Encoder, H, SubBands, Synthesis
from tests.speech import speak

Samples = npt.NDArray[np.int16]

SYNC = [0x0001] * 16  # at both ends of every file: the last bit resets the codec
XMT = [0x8000, 0x7FFE] * 319 + [0x8000, 0x0000, 0xB1E0, 0xC000] + [0x8000, 0x7FFE, 0x8000] * 42
"""The samples of bt1c2.xmt, for both sub-bands at once."""
CRC = {"bt1c2.xmt": 0x2D604685, "bt2r2.cod": 0x344EA5D0, "bt3l2.rc1": 0xAF00F31F, "bt3h2.rc0": 0x5330AE2E}


def crc_of(words: list[int]) -> int:
    """CRC-32 of a file of 16-bit words, little-endian, between its two runs of sync words."""
    return zlib.crc32(np.array([*SYNC, *words, *SYNC]).astype("<u2").tobytes())


def sequence_codes() -> bytes:
    bands = SubBands()
    samples = np.array(XMT).astype(np.uint16).view(np.int16) >> 1  # 15 bits: the last one is the reset flag
    return bytes(bands.encode(int(x), int(x)) for x in samples)


def test_the_reference_codes_the_sequence_of_the_itu() -> None:
    assert crc_of(XMT) == CRC["bt1c2.xmt"]
    assert crc_of([code << 8 for code in sequence_codes()]) == CRC["bt2r2.cod"]


def test_the_reference_decodes_the_sequence_of_the_itu() -> None:
    bands = SubBands()
    decoded = [bands.decode(code) for code in sequence_codes()]
    assert crc_of([low << 1 for low, _ in decoded]) == CRC["bt3l2.rc1"]
    assert crc_of([high << 1 for _, high in decoded]) == CRC["bt3h2.rc0"]


def test_our_library_decodes_the_sequence_of_the_itu() -> None:
    """Its output is past the receive filter, so the known sub-bands are sent through the reference's."""
    codes, bands = sequence_codes(), SubBands()
    expected = Synthesis().run(map(bands.decode, codes))
    assert list(G722(16000, 64000).decode(codes)) == expected


def speech() -> Samples:
    """Two seconds of speech at 16 kHz, or noise with its rhythm where espeak-ng is missing."""
    if shutil.which("espeak-ng") is None:
        rng = np.random.default_rng(7)
        return (rng.normal(0, 4000, 32000) * np.abs(np.sin(np.arange(32000) / 2500))).astype(np.int16)
    spoken = speak("The quick brown fox, she said, sees six thousand sizzling dishes.", rate_hz=16000)
    return (spoken[:32000] * 30000).astype(np.int16)


def signals() -> dict[str, Samples]:
    rng, count = np.random.default_rng(3), 6400
    times = np.arange(count) / 16000
    made: dict[str, npt.NDArray[np.generic]] = {
        "silence": np.zeros(count),
        "noise at full scale": rng.integers(-32768, 32768, count),
        "soft noise": rng.normal(0, 800, count),
        "least bits": rng.integers(-2, 3, count),
        "sweep": 20000 * np.sin(2 * np.pi * (50 * times + 9800 * times * times)),
        "highest frequency": np.where(np.arange(count) % 2, 32767, -32768),
        "direct current": np.full(count, -32768),
        "speech": speech(),
    }
    return {name: signal.astype(np.int16) for name, signal in made.items()}


OVERLOADING = {
    "square": np.where(np.arange(6400) // 16 % 2, 32767, -32768).astype(np.int16),
    "steps": np.repeat(np.random.default_rng(4).integers(-32768, 32768, 160), 40).astype(np.int16),
    "worst for the filter": np.where(np.resize(np.array(H), 6400) > 0, 32767, -32768).astype(np.int16),
}
"""Signals that overload the transmit filter."""


def libav(mode: str) -> AudioCodecContext:
    codec = av.CodecContext.create("g722", mode)
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.thread_count = 16000, "mono", 1
    return codec


def libav_encode(samples: Samples) -> bytes:
    codec, coded = libav("w"), b""
    codec.format = "s16"
    for at in range(0, len(samples), 320):
        frame = av.AudioFrame.from_ndarray(samples[at : at + 320].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16000, at
        coded += b"".join(map(bytes, codec.encode(frame)))
    return coded + b"".join(map(bytes, codec.encode(None)))


def libav_decode(codes: bytes) -> list[int]:
    codec = libav("r")
    frames = [*codec.decode(av.Packet(codes)), *codec.decode(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).tolist()


@pytest.mark.parametrize("name", signals())
def test_three_encoders_and_three_decoders_agree_on_every_bit(name: str) -> None:
    samples = signals()[name]
    codes = Encoder().encode(samples.tolist())
    assert G722(16000, 64000).encode(samples) == codes
    assert libav_encode(samples) == codes
    decoded = Decoder().decode(codes)
    assert list(G722(16000, 64000).decode(codes)) == decoded
    assert libav_decode(codes) == decoded


@pytest.mark.parametrize("name", OVERLOADING)
def test_of_an_overload_only_the_limiter_is_missing(name: str) -> None:
    """libg722 and libav leave out the limiter of §5.2.1: an overload is coded as loud as it is."""
    samples = OVERLOADING[name]
    codes = Encoder(limit=False).encode(samples.tolist())
    assert G722(16000, 64000).encode(samples) == codes
    assert codes != Encoder().encode(samples.tolist())
    assert list(G722(16000, 64000).decode(codes)) == Decoder().decode(codes)


def test_any_codes_are_decoded_alike() -> None:
    rng = np.random.default_rng(5)
    for codes in (
        rng.bytes(8000),
        *(bytes([byte]) * 1000 + bytes([~byte & 0xFF]) * 1000 for byte in (0, 31, 63, 128)),
    ):
        expected = Decoder().decode(codes)
        assert list(G722(16000, 64000).decode(codes)) == expected
        assert libav_decode(codes) == expected


def test_cut_into_packets_it_is_the_same_stream() -> None:
    samples = signals()["soft noise"]
    one, other = G722(16000, 64000), G722(16000, 64000)
    whole = one.encode(samples)
    assert b"".join(other.encode(samples[at : at + 320]) for at in range(0, len(samples), 320)) == whole
