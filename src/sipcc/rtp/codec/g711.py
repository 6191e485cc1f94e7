"""G.711 mu-law and A-law by look-up in tables made here from the Recommendation.

Both laws cut the magnitude of a sample into eight segments of sixteen steps; each segment doubles the
step. mu-law works on 14 bits (full scale 8159) with a bias of 33, A-law on 13 bits (full scale 4096). Sample
values here are 16-bit linear: 4 times the mu-law scale, 8 times the A-law scale. A negative sample is
quantised by the magnitude of its one's complement, as the ITU-T tool library (G.191) does, so that all
steps are closed at their lower end.

Arrays may have any shape, so one call codes a whole (legs, 160) matrix; pass `out` in the hot path, then
nothing is allocated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sipcc.rtp.flow import Law
from sipcc.rtp.formats import MAX_PAYLOAD_MS

Pcm = npt.NDArray[np.int16]
Coded = npt.NDArray[np.uint8]

_SAMPLES = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)  # index: the sample mod 65536
_MAGNITUDES = np.where(_SAMPLES < 0, ~_SAMPLES, _SAMPLES)
_SIGNS = np.where(_SAMPLES < 0, 0x00, 0x80)  # set for positive in both laws, before any inversion


def _make_ulaw_encoder() -> Coded:
    biased = np.minimum((_MAGNITUDES >> 2) + 33, 8191)  # G.711 Table 2a: 33..8191 once biased
    segment = np.floor(np.log2(biased)).astype(np.int32) - 5
    step = (biased >> (segment + 1)) & 0x0F
    codes: Coded = (_SIGNS | (~(segment << 4 | step) & 0x7F)).astype(np.uint8)
    return codes


def _make_alaw_encoder() -> Coded:
    magnitude = _MAGNITUDES >> 4  # one unit is the smallest step: 2 of 4096
    # The first two segments share one step size (G.711 Table 1a); from the second on the leading bit is the
    # segment itself and falls out of the step.
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    step = magnitude >> np.maximum(segment - 1, 0) & 0x0F
    codes: Coded = ((_SIGNS | segment << 4 | step) ^ 0x55).astype(np.uint8)
    return codes


def _make_ulaw_decoder() -> Pcm:
    code = ~np.arange(256, dtype=np.int32) & 0xFF  # all bits go inverted on the line
    segment, step = code >> 4 & 7, code & 0x0F
    magnitude = (((step << 1) + 33) << segment) - 33
    return (np.where(code & 0x80, -magnitude, magnitude) * 4).astype(np.int16)


def _make_alaw_decoder() -> Pcm:
    code = np.arange(256, dtype=np.int32) ^ 0x55  # even bits go inverted on the line
    segment, step = code >> 4 & 7, code & 0x0F
    magnitude = np.where(segment == 0, 2 * step + 1, (2 * step + 33) << np.maximum(segment - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) * 8).astype(np.int16)


ENCODER: dict[Law, Coded] = {"PCMU": _make_ulaw_encoder(), "PCMA": _make_alaw_encoder()}
"""65536 codes by sample modulo 65536."""
DECODER: dict[Law, Pcm] = {"PCMU": _make_ulaw_decoder(), "PCMA": _make_alaw_decoder()}
"""256 samples by code."""


def _runs(*runs: tuple[int, int], twice: tuple[int, ...] = ()) -> list[int]:
    """Values that count up within each (first, last) of `runs`; those in `twice` stand two times."""
    return [
        value
        for first, last in runs
        for value in range(first, last + 1)
        for _ in range(2 if value in twice else 1)
    ]


# G.711 Tables 3 and 4: which output value of the one law stands for one of the other. The Recommendation
# numbers mu-law values from 0 and A-law values from 1. Not always the nearest: mu-law to A-law and back
# gives the same byte wherever it can.
_ULAW_TO_ALAW = _runs(
    (1, 25), (27, 27), (29, 29), (31, 31), (33, 44), (46, 46), (48, 62), (64, 80), (82, 128),
    twice=tuple(range(1, 9)),
)  # fmt: skip
_ALAW_TO_ULAW = _runs(
    (1, 1), (3, 3), (5, 5), (7, 7), (9, 9), (11, 11), (13, 13), (15, 127),
    twice=(32, 33, 34, 35, 48, 49, 64, 80),
)  # fmt: skip


def _make_translations() -> dict[tuple[Law, Law], bytes]:
    to_alaw, to_ulaw = bytearray(256), bytearray(256)
    for number in range(128):
        alaw, ulaw = _ULAW_TO_ALAW[number] - 1, _ALAW_TO_ULAW[number]
        for sign in (0x80, 0x00):
            to_alaw[(sign | 0x7F) - number] = (sign | alaw) ^ 0x55
            to_ulaw[(sign | number) ^ 0x55] = (sign | 0x7F) - ulaw
    return {("PCMU", "PCMA"): bytes(to_alaw), ("PCMA", "PCMU"): bytes(to_ulaw)}


TRANSLATION: dict[tuple[Law, Law], bytes] = _make_translations()
"""For `bytes.translate`, by (from, to)."""


def encode(pcm: Pcm, codec: Law) -> bytes:
    """Code the samples of `pcm`, in memory order, one byte each."""
    return ENCODER[codec].take(pcm.view(np.uint16), mode="wrap").tobytes()


def encode_bytes(samples: bytes, codec: Law) -> bytes:
    """Code 16-bit samples of this machine's byte order, one byte each."""
    return encode(np.frombuffer(samples, dtype=np.int16), codec)


def decode(payload: bytes | bytearray | memoryview, codec: Law) -> Pcm:
    """Samples of a payload, as a new array of its length."""
    return DECODER[codec].take(np.frombuffer(payload, dtype=np.uint8))


def encode_into(pcm: Pcm, codec: Law, out: Coded) -> None:
    """Code `pcm` into `out`, of the same shape; nothing is allocated but numpy's index buffer.

    Seen as unsigned, a sample is the index of its code. With signed indices `mode="wrap"` gives the same
    result, but branches on each sign, which on real audio costs six times as much (benchmarks/codec.py).
    """
    ENCODER[codec].take(pcm.view(np.uint16), out=out, mode="wrap")


def decode_into(coded: Coded, codec: Law, out: Pcm) -> None:
    """Decode `coded` into `out`, of the same shape."""
    DECODER[codec].take(coded, out=out, mode="wrap")


def translate(payload: bytes | bytearray, source: Law, target: Law) -> bytes:
    """Turn a payload of one law into the other without going through samples (G.711 §3.4)."""
    if source == target:
        return bytes(payload)
    return bytes(payload.translate(TRANSLATION[source, target]))


def units_of(payload: bytes) -> int:
    """One unit for each byte; 0 for a payload that no honest peer sends."""
    return len(payload) if len(payload) <= MAX_PAYLOAD_MS * 8 else 0


class LawDecoder:
    """Payloads of one law to samples."""

    __slots__ = ("_table",)

    def __init__(self, law: Law) -> None:
        self._table = DECODER[law]

    def decode(self, payload: bytes) -> Pcm:
        """One sample for each byte."""
        return self._table.take(np.frombuffer(payload, np.uint8, units_of(payload)))

    def conceal(self, samples: int, following: bytes | None) -> None:
        """A byte tells nothing of its neighbours."""

    def units_of(self, payload: bytes) -> int:
        """One unit for each byte."""
        return units_of(payload)


class LawEncoder:
    """Samples to payloads of one law."""

    __slots__ = ("_law",)

    def __init__(self, law: Law) -> None:
        self._law = law

    def encode(self, pcm: Pcm) -> bytes:
        """One byte for each sample."""
        return encode(pcm, self._law)
