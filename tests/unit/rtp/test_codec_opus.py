from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import ConfigError
from sipcc.rtp.codec import libopus
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.opus import OpusDecoder, OpusEncoder, parameters
from sipcc.rtp.codec.toc import units_of
from sipcc.rtp.tones import find_tones, make_tone, measure_level, measure_tone

RESTRICTED = 2051
AUDIO = 2049
SET_FORCE_CHANNELS = 4022
SET_BANDWIDTH = 4008
FULLBAND = 1105


def melody(seconds: float = 1.0) -> Pcm:
    """Something with pitch and rhythm, which a speech coder takes for a voice."""
    times = np.arange(int(8000 * seconds)) / 8000
    voice = sum(np.sin(2 * np.pi * 140 * n * times) / n for n in range(1, 12))
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * times)
    return (4000 * voice * beat).astype(np.int16)


def packets(encoder: OpusEncoder, pcm: Pcm, size: int = 160) -> list[bytes]:
    return [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm), size)]


def browser_packets(tone: Pcm, *, channels: int, frame: int, application: int = AUDIO) -> list[bytes]:
    """What a browser sends: 48 kHz, perhaps stereo, made by libopus directly."""
    library = libopus.load()
    state = ctypes.create_string_buffer(library.opus_encoder_get_size(channels))
    at = ctypes.addressof(state)
    assert library.opus_encoder_init(at, 48000, channels, application) == 0
    library.opus_encoder_ctl(at, SET_BANDWIDTH, FULLBAND)
    library.opus_encoder_ctl(at, SET_FORCE_CHANNELS, channels)
    wide = np.repeat(np.repeat(tone, 6)[:, None], channels, axis=1).astype(np.int16)
    out = ctypes.create_string_buffer(1500)
    made = []
    for start in range(0, len(wide) - frame + 1, frame):
        block = np.ascontiguousarray(wide[start : start + frame])
        size = library.opus_encode(at, block.ctypes.data, frame, out, 1500)
        assert size > 0
        made.append(out.raw[:size])
    return made


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frame", [120, 240, 480, 960, 1920, 2880, 5760])
def test_what_a_browser_sends_is_decoded_straight_to_8_khz(channels: int, frame: int) -> None:
    tone = make_tone((600.0,), 960, level_dbm0=-12.0)
    decoder = OpusDecoder()
    heard = []
    for packet in browser_packets(tone, channels=channels, frame=frame):
        assert units_of(packet) == frame
        heard.append(decoder.decode(packet))
        assert len(heard[-1]) == frame // 6
    pcm = np.concatenate(heard)
    assert measure_tone(pcm[1600:6400], 600.0) == pytest.approx(-12.0, abs=1.0)


@pytest.mark.parametrize("application", [2048, AUDIO, RESTRICTED])
def test_all_modes_of_the_coder_are_decoded(application: int) -> None:
    tone = make_tone((1000.0,), 600)
    decoder = OpusDecoder()
    sent = browser_packets(tone, channels=1, frame=960, application=application)
    pcm = np.concatenate([decoder.decode(packet) for packet in sent])
    assert any(abs(found.frequency_hz - 1000) < 20 for found in find_tones(pcm))


def test_a_copy_in_the_next_packet_mends_a_loss_better_than_a_guess() -> None:
    voice = melody(2.0)
    sent = packets(OpusEncoder("useinbandfec=1"), voice)
    lost = set(range(20, 95, 5))

    def play(*, copies: bool) -> Pcm:
        decoder, parts = OpusDecoder(), []
        for number, packet in enumerate(sent):
            if number in lost:
                made = decoder.conceal(160, sent[number + 1] if copies else None)
                assert made is not None
                parts.append(made)
            else:
                parts.append(decoder.decode(packet))
        return np.concatenate(parts)

    whole = OpusDecoder()
    clean = np.concatenate([whole.decode(packet) for packet in sent]).astype(np.float64)
    errors = {copies: float(np.mean((play(copies=copies) - clean) ** 2)) for copies in (True, False)}
    assert errors[True] < errors[False] / 2


def test_without_the_peers_word_there_are_no_copies() -> None:
    with_copies = packets(OpusEncoder("minptime=10; useinbandfec=1"), melody())
    without = packets(OpusEncoder("minptime=10"), melody())
    assert with_copies != without


def test_a_long_gap_is_guessed_and_fades() -> None:
    decoder = OpusDecoder()
    for packet in packets(OpusEncoder(), melody()):
        decoder.decode(packet)
    first, later = decoder.conceal(160, None), decoder.conceal(1920, None)
    assert first is not None
    assert later is not None
    assert measure_level(first) > measure_level(later[-160:])


def test_a_gap_of_several_frames_ends_with_the_copy() -> None:
    sent = packets(OpusEncoder("useinbandfec=1"), melody())
    decoder, other = OpusDecoder(), OpusDecoder()
    for packet in sent[:20]:
        decoder.decode(packet)
        other.decode(packet)
    mended, guessed = decoder.conceal(480, sent[23]), other.conceal(480, None)
    assert mended is not None
    assert guessed is not None
    assert len(mended) == len(guessed) == 480
    assert np.array_equal(mended[:300], guessed[:300])
    assert not np.array_equal(mended[320:], guessed[320:])


def test_silence_goes_unsent_only_when_the_peer_asked_for_it() -> None:
    quiet = np.zeros(8000 * 2, np.int16)
    unsent = packets(OpusEncoder("usedtx=1"), quiet).count(b"")
    assert unsent > 60
    assert b"" not in packets(OpusEncoder(), quiet)


@pytest.mark.parametrize("complexity", [-1, 0, 5, 10, 99])
def test_complexity_is_kept_within_what_there_is(complexity: int) -> None:
    assert len(packets(OpusEncoder(complexity=complexity), melody(0.2))) == 10


def test_the_peers_limit_of_the_bit_rate_is_kept() -> None:
    sizes = {
        limit: sum(map(len, packets(OpusEncoder(f"maxaveragebitrate={limit}"), melody())))
        for limit in ("6000", "12000", "24000")
    }
    assert sizes["6000"] < sizes["12000"] < sizes["24000"] <= 3300
    for odd in ("0", "1", "999999999999999999999", "-5", "many", ""):
        assert packets(OpusEncoder(f"maxaveragebitrate={odd}"), melody(0.1))


def test_a_constant_bit_rate_is_constant() -> None:
    assert len({len(packet) for packet in packets(OpusEncoder("cbr=1"), melody())}) == 1


def test_expected_loss_takes_any_number() -> None:
    encoder = OpusEncoder("useinbandfec=1")
    for percent in (-5, 0, 30, 1000):
        encoder.expect_loss(percent)
    assert all(packets(encoder, melody(0.2)))


def test_a_length_that_is_no_frame_is_nothing() -> None:
    encoder = OpusEncoder()
    assert encoder.encode(np.zeros(161, np.int16)) == b""
    assert encoder.encode(np.zeros(0, np.int16)) == b""
    assert encoder.encode(melody(0.08)[::2][:160]) != b""  # not in one piece of memory


@given(st.text(max_size=80))
def test_any_fmtp_is_survived(fmtp: str) -> None:
    parameters(fmtp)
    assert OpusEncoder(fmtp).encode(np.zeros(160, np.int16)) is not None


def test_parameters_are_read_as_they_are_written_in_the_wild() -> None:
    assert parameters("minptime=10;useinbandfec=1") == {"minptime": "10", "useinbandfec": "1"}
    assert parameters(" UseInbandFEC = 1 ; stereo=0;;x") == {"useinbandfec": "1", "stereo": "0", "x": ""}


@pytest.mark.parametrize(
    ("packet", "units"),
    [
        (b"", 0),
        (b"\x00", 480),  # configuration 0: SILK, narrowband, 10 ms
        (b"\x18", 2880),  # 3: 60 ms
        (b"\x68", 960),  # 13: hybrid, 20 ms
        (b"\x80", 120),  # 16: CELT, 2.5 ms
        (b"\xf8", 960),  # 31: CELT, fullband, 20 ms
        (b"\xf9", 1920),  # two frames of one size
        (b"\xfa", 1920),  # two frames of two sizes
        (b"\xfb", 0),  # many, and the count is missing
        (b"\xfb\x00", 0),
        (b"\xfb\x06", 5760),
        (b"\xfb\x07", 0),  # 140 ms
        (b"\x83\x30", 5760),  # 48 frames of 2.5 ms
        (b"\x83\x31", 0),
    ],
)
def test_how_long_a_packet_lasts(packet: bytes, units: int) -> None:
    assert units_of(packet) == units


@given(st.lists(st.binary(max_size=200), max_size=6), st.integers(-10, 3000))
def test_any_bytes_are_survived_and_speech_after_them_is_heard(noise: list[bytes], samples: int) -> None:
    decoder = OpusDecoder()
    for payload in noise:
        assert len(decoder.decode(payload)) <= 960
        made = decoder.conceal(samples, payload)
        assert made is None or len(made) == samples
    heard = [decoder.decode(packet) for packet in packets(OpusEncoder(), make_tone((500.0,), 400))]
    assert measure_tone(np.concatenate(heard)[1600:], 500.0) > -25


def test_the_library_comes_out_of_av_without_importing_it() -> None:
    code = (
        "import sys; from sipcc.rtp.codec import make_decoder; make_decoder('opus');"
        "print('av' in sys.modules, 'soundfile' in sys.modules)"
    )
    environ = {"PYTHONPATH": ":".join(place for place in sys.path if place)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.split() == ["False", "False"]


def test_a_missing_library_is_said_by_key_and_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for found in (None, str(tmp_path / "libopus.so")):
        libopus.load.cache_clear()
        monkeypatch.setattr(libopus, "find_library", lambda found=found: found)
        with pytest.raises(ConfigError, match=r"codecs.*libopus.*take opus out"):
            OpusDecoder()
    libopus.load.cache_clear()
