"""ITU-T G.711, all 65536 samples and all 256 codes of both laws, against the segments of the tables."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest

from sipcc.rtp.codec import g711
from sipcc.rtp.flow import CodecName

# Tables 1a/2a, columns 1-3: (number of steps, size of a step), from the smallest magnitude up.
SEGMENTS: dict[CodecName, list[tuple[int, int]]] = {
    "PCMA": [(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)],
    "PCMU": [(1, 1), (15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)],
}
FULL_SCALE = {"PCMA": 4096, "PCMU": 8159}
SCALE = {"PCMA": 8, "PCMU": 4}  # 16-bit samples per unit of the table
LAWS: list[CodecName] = ["PCMU", "PCMA"]


def decision_values(law: CodecName) -> list[int]:
    values = [0]
    for count, step in SEGMENTS[law]:
        for _ in range(count):
            values.append(values[-1] + step)
    assert values[-1] == FULL_SCALE[law]
    assert len(values) == 129
    return values


def character(law: CodecName, number: int, *, negative: bool) -> int:
    """The byte on the line for the output value of this number (Tables 1a/2a, column 6)."""
    bits = number if negative else number | 0x80
    if law == "PCMA":
        return bits ^ 0x55
    return bits ^ 0x7F


def output_values(law: CodecName) -> list[float]:
    decisions = decision_values(law)
    outputs = [(low + high) / 2 for low, high in pairwise(decisions)]
    if law == "PCMU":
        outputs[0] = 0.0  # Table 2a: y0 = 0
    return outputs


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_is_coded_as_the_decision_values_say(law: CodecName) -> None:
    decisions = decision_values(law)
    wrong = []
    for sample in range(-32768, 32768):
        magnitude = (~sample if sample < 0 else sample) / SCALE[law]
        number = min(bisect_right(decisions, magnitude) - 1, 127)
        expected = character(law, number, negative=sample < 0)
        if g711.ENCODER[law][sample % 65536] != expected:
            wrong.append(sample)
    assert wrong == []


@pytest.mark.parametrize("law", LAWS)
def test_every_code_is_decoded_as_the_output_values_say(law: CodecName) -> None:
    expected = {}
    for number, value in enumerate(output_values(law)):
        expected[character(law, number, negative=False)] = value * SCALE[law]
        expected[character(law, number, negative=True)] = -value * SCALE[law]
    assert {code: float(g711.DECODER[law][code]) for code in range(256)} == expected


@pytest.mark.parametrize(("law", "silence", "loudest"), [("PCMU", 0xFF, 32124), ("PCMA", 0xD5, 32256)])
def test_known_characters(law: CodecName, silence: int, loudest: int) -> None:
    assert g711.encode(np.zeros(3, np.int16), law) == bytes([silence] * 3)
    assert g711.DECODER[law].max() == loudest
    assert g711.DECODER[law].min() == -loudest


@pytest.mark.parametrize("law", LAWS)
def test_coding_what_was_decoded_changes_nothing(law: CodecName) -> None:
    codes = bytes(range(256))
    again = g711.encode(g711.decode(codes, law), law)
    # mu-law has two zeros; negative zero comes back as positive zero.
    assert again == codes.replace(b"\x7f", b"\xff") if law == "PCMU" else codes


def test_digital_milliwatt_of_table_5_and_6_is_a_1_khz_sine() -> None:
    sequences: dict[CodecName, bytes] = {
        "PCMA": bytes.fromhex("34212134b4a1a1b4"),
        "PCMU": bytes.fromhex("1e0b0b1e9e8b8b9e"),
    }
    for law, period in sequences.items():
        samples = g711.decode(period * 100, law).astype(float)
        spectrum = np.abs(np.fft.rfft(samples))
        assert spectrum.argmax() == 100  # 800 samples at 8 kHz: bin 100 is 1 kHz
        level = np.sqrt(np.mean(samples**2))
        # 0 dBm0 lies 3.14 dB (A-law) or 3.17 dB (mu-law) below a full-scale sine.
        full = {"PCMA": 4096 * 8, "PCMU": 8159 * 4}[law] / np.sqrt(2)
        assert 20 * np.log10(full / level) == pytest.approx({"PCMA": 3.14, "PCMU": 3.17}[law], abs=0.03)


# Tables 3 and 4, as far as they are irregular: (mu-law value, A-law value).
@pytest.mark.parametrize(
    ("ulaw", "alaw"),
    [(0, 1), (1, 1), (2, 2), (15, 8), (16, 9), (32, 25), (33, 27), (34, 29), (35, 31), (36, 33), (47, 44),
     (48, 46), (49, 48), (63, 62), (64, 64), (79, 79), (80, 80), (81, 82), (127, 128)],
)  # fmt: skip
def test_ulaw_to_alaw(ulaw: int, alaw: int) -> None:
    for negative in (False, True):
        source = bytes([character("PCMU", ulaw, negative=negative)])
        assert g711.translate(source, "PCMU", "PCMA") == bytes(
            [character("PCMA", alaw - 1, negative=negative)]
        )


@pytest.mark.parametrize(
    ("alaw", "ulaw"),
    [(1, 1), (2, 3), (8, 15), (9, 16), (25, 32), (26, 32), (27, 33), (32, 35), (33, 36), (44, 47), (45, 48),
     (46, 48), (47, 49), (48, 49), (49, 50), (62, 63), (63, 64), (64, 64), (65, 65), (80, 80), (81, 80),
     (82, 81), (128, 127)],
)  # fmt: skip
def test_alaw_to_ulaw(alaw: int, ulaw: int) -> None:
    for negative in (False, True):
        source = bytes([character("PCMA", alaw - 1, negative=negative)])
        assert g711.translate(source, "PCMA", "PCMU") == bytes([character("PCMU", ulaw, negative=negative)])


@pytest.mark.parametrize(("source", "target"), [("PCMU", "PCMA"), ("PCMA", "PCMU")])
def test_translation_is_never_further_off_than_one_step(source: CodecName, target: CodecName) -> None:
    outputs = sorted(set(g711.DECODER[target].tolist()))
    for code in range(256):
        before = int(g711.DECODER[source][code])
        after = int(g711.DECODER[target][g711.translate(bytes([code]), source, target)[0]])
        near = sorted(outputs, key=lambda value: abs(value - before))[:3]
        assert after in near


def test_most_ulaw_bytes_survive_alaw_and_back() -> None:
    codes = bytes(range(256))
    back = g711.translate(g711.translate(codes, "PCMU", "PCMA"), "PCMA", "PCMU")
    lost = [number for number in range(128) if back[0xFF - number] != 0xFF - number]
    assert lost == [0, 2, 4, 6, 8, 10, 12, 14]  # two mu-law steps share one A-law step only near zero


def test_translation_to_the_same_law_is_a_copy() -> None:
    payload = bytearray(b"\x01\x02")
    assert g711.translate(payload, "PCMU", "PCMU") == b"\x01\x02"
