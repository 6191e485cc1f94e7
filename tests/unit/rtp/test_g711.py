"""The calls of the hot path; every value is checked in tests/rfc/test_g711.py."""

from __future__ import annotations

import numpy as np
import pytest

from sipcc.rtp import codec
from sipcc.rtp.flow import Law

LAWS: list[Law] = ["PCMU", "PCMA"]


@pytest.mark.parametrize("law", LAWS)
def test_a_matrix_of_legs_is_coded_like_its_rows(law: Law) -> None:
    rng = np.random.default_rng(1)
    pcm = rng.integers(-32768, 32768, (7, 160)).astype(np.int16)
    coded = np.empty(pcm.shape, np.uint8)
    codec.encode_into(pcm, law, coded)
    assert [row.tobytes() for row in coded] == [codec.encode(row, law) for row in pcm]
    again = np.empty(pcm.shape, np.int16)
    codec.decode_into(coded, law, again)
    assert all((again[row] == codec.decode(coded[row].tobytes(), law)).all() for row in range(7))


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_decode_takes_any_buffer(buffer: type) -> None:
    assert codec.decode(buffer(b"\xff\x80"), "PCMU").tolist() == [0, 32124]


def test_encoding_a_strided_view_keeps_the_order() -> None:
    stereo = np.array([[0, 32767], [-32768, 0]], np.int16)
    assert codec.encode(stereo[:, 0], "PCMU") == b"\xff\x00"


def test_nothing_at_all() -> None:
    assert codec.encode(np.zeros(0, np.int16), "PCMA") == b""
    assert len(codec.decode(b"", "PCMA")) == 0
