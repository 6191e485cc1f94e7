"""The delay line, alone and behind the detector: nothing of a key leaks."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.rtp.q24_sets import Pcm, key_wave, listen, names, to_pcm, with_noise

from sipcc.rtp.codec import g711
from sipcc.rtp.inband import ToneBank
from sipcc.rtp.mask import DELAY_FRAMES, MaskLine
from sipcc.rtp.tones import KEYPAD, make_tone

SILENT = 0xFF


def frame(value: int) -> bytes:
    return bytes([value]) * 160


def test_frames_come_out_two_ticks_later() -> None:
    line = MaskLine()
    out = [line.push(frame(number), 160 * number, SILENT) for number in range(6)]
    assert out == [None, None, *(frame(number) for number in range(4))]


def test_nothing_said_stays_nothing() -> None:
    line = MaskLine()
    line.mute((0, 400))
    out = [
        line.push(given, 160 * number, SILENT) for number, given in enumerate([None, frame(1), None, None])
    ]
    assert out == [None, None, None, bytes([SILENT]) * 160]


@pytest.mark.parametrize("kind", ["bytes", "samples"])
def test_a_span_is_muted_to_the_sample(kind: str) -> None:
    line = MaskLine()
    line.mute((100, 350))
    out = b""
    for number in range(6):
        if kind == "bytes":
            given = line.push(frame(1), 160 * number, SILENT)
            assert given is None or isinstance(given, bytes)
            out += given or b""
        else:
            samples = np.ones(160, dtype=np.int16)
            kept = line.push(samples, 160 * number, SILENT)
            assert samples.all()  # whoever else has the frame keeps it whole
            if kept is not None:
                out += bytes(1 if sample else SILENT for sample in kept)
    assert out == bytes([1]) * 100 + bytes([SILENT]) * 250 + bytes([1]) * 290
    assert line.muted_samples == 250


def test_spans_that_grow_or_follow() -> None:
    line = MaskLine()
    for number, span in enumerate([(10, 60), (10, 120), (10, 200), (300, 340), None, None, (10, 200)]):
        line.mute(span)
        line.push(frame(1), 160 * number, SILENT)
    assert line.muted_samples == 190 + 40


def test_a_leg_that_was_not_listened_to_for_a_while_begins_anew() -> None:
    line = MaskLine()
    for number in range(4):
        line.push(frame(number), 160 * number, SILENT)
    assert line.push(frame(9), 16000, SILENT) is None
    assert line.push(frame(8), 16160, SILENT) is None
    assert line.push(frame(7), 16320, SILENT) == frame(9)


def masked(pcm: Pcm) -> Pcm:
    """Each row as the far side hears it, 40 ms later, cut to what lies under the original."""
    bank = ToneBank()
    slots = [bank.add() for _ in pcm]
    lines = [MaskLine() for _ in pcm]
    out = np.zeros_like(pcm)
    for start in range(0, pcm.shape[1] - 159, 160):
        bank.hear(slots, pcm[:, start : start + 160])
        for row, (slot, line) in enumerate(zip(slots, lines, strict=True)):
            line.mute(bank.span(slot, suspected=True))
            kept = line.push(pcm[row, start : start + 160], start, SILENT)
            if kept is not None:
                assert not isinstance(kept, bytes)
                out[row, start - DELAY_FRAMES * 160 :][:160] = kept
    return out


@pytest.mark.parametrize("ms", [30, 40, 50, 100, 300])
@pytest.mark.parametrize("snr_db", [15, 30, 60])
def test_less_than_10_ms_of_a_key_leaks(ms: int, snr_db: int) -> None:
    """Between a voice at 300 Hz that must pass."""
    voice = make_tone((300.0,), 1000, level_dbm0=-25).astype(np.float64)
    rows = []
    for index, key in enumerate(KEYPAD):
        row, wave = np.zeros(len(voice)), key_wave(key, ms)
        row[1000 + 13 * index :][: len(wave)] = wave
        rows.append(row)
    keys = np.array(rows)
    pcm = to_pcm(with_noise(keys, snr_db=snr_db) + voice * (keys == 0))
    out = masked(pcm)
    assert not any(names(events) for events in listen(out))
    left = np.where(keys != 0, out, 0).astype(np.float64)
    power = np.sqrt(np.mean(keys[keys != 0] ** 2))
    leaked = (np.abs(left) > power / 2).sum(axis=1)
    assert leaked.max() <= 80
    # the voice goes on up to 20 ms before the key and behind it
    around = masked(pcm)[:, 200:800]
    assert np.array_equal(around, pcm[:, 200:800])


def test_speech_like_sound_passes_untouched() -> None:
    random = np.random.default_rng(3)
    pcm = to_pcm(random.standard_normal((4, 16000)) * 4000)
    assert np.array_equal(masked(pcm)[:, :15000], pcm[:, :15000])


def test_bytes_of_a_law() -> None:
    wave = np.zeros(4800)
    wave[1000:1800] = key_wave("5", 100)
    coded = g711.encode(to_pcm(wave), "PCMA")
    bank, line = ToneBank(), MaskLine()
    slot = bank.add()
    out = b""
    for start in range(0, 4800, 160):
        part = coded[start : start + 160]
        bank.hear([slot], g711.decode(part, "PCMA")[None, :])
        line.mute(bank.span(slot, suspected=True))
        kept = line.push(part, start, 0xD5)
        out += kept if isinstance(kept, bytes) else b""
    heard = g711.decode(out, "PCMA")
    assert np.abs(heard).max() <= 8
