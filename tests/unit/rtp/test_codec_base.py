"""What every codec promises: any bytes are survived, lengths agree, cutting a stream changes nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.codec import Decoder, load_codecs, make_decoder, make_encoder, spec, units_of
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import CodecName
from sipcc.rtp.formats import MAX_PAYLOAD_MS, SPECS
from sipcc.rtp.tones import make_tone, measure_level, measure_tone

ALL = [(entry.name, entry.clock_rate_hz) for entry in SPECS]
CODED = [(entry.name, entry.clock_rate_hz) for entry in SPECS if entry.encodes]
MOST = MAX_PAYLOAD_MS * 8


def through(name: CodecName, rate: int, pcm: Pcm, *, packet: int = 160, fmtp: str = "") -> Pcm:
    encoder = make_encoder(name, rate, fmtp, packet // 8)
    decoder = make_decoder(name, rate)
    return np.concatenate(
        [decoder.decode(encoder.encode(pcm[at : at + packet])) for at in range(0, len(pcm), packet)]
    )


@pytest.mark.parametrize(("name", "rate"), CODED)
def test_a_tone_comes_through_at_its_level(name: CodecName, rate: int) -> None:
    tone = make_tone((1000.0,), 1000, level_dbm0=-10.0)
    heard = through(name, rate, tone)
    assert len(heard) == len(tone)
    middle = heard[1600:6400]
    assert measure_tone(middle, 1000.0) == pytest.approx(-10.0, abs=0.7)
    assert measure_level(middle) == pytest.approx(-10.0, abs=0.7)


@pytest.mark.parametrize(("name", "rate"), CODED)
def test_every_packet_time_of_a_codec_keeps_the_count_of_samples(name: CodecName, rate: int) -> None:
    for ms in spec(name, rate).packet_times_ms:
        encoder, decoder = make_encoder(name, rate, "", ms), make_decoder(name, rate)
        for _ in range(5):
            payload = encoder.encode(make_tone((440.0,), ms))
            assert (
                decoder.units_of(payload) == units_of(name, rate, payload) == ms * rate_of(name, rate) // 1000
            )
            assert len(decoder.decode(payload)) == ms * 8


def rate_of(name: CodecName, rate: int) -> int:
    return spec(name, rate).clock_rate_hz


@pytest.mark.parametrize(("name", "rate"), ALL)
def test_how_long_a_payload_is_and_how_much_it_decodes_to_agree(name: CodecName, rate: int) -> None:
    decoder = make_decoder(name, rate)

    @given(st.binary(max_size=2100) | st.binary(min_size=20, max_size=20))
    def agree(payload: bytes) -> None:
        units = decoder.units_of(payload)
        pcm = decoder.decode(payload)
        assert pcm.dtype == np.int16
        assert pcm.ndim == 1
        assert len(pcm) <= MOST
        assert units == units_of(name, rate, payload)
        assert len(pcm) in {0, units * 8000 // rate}

    agree()


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
@pytest.mark.parametrize(("name", "rate"), ALL)
def test_any_kind_of_buffer_is_taken(name: CodecName, rate: int, buffer: type) -> None:
    payload = {"G729": bytes(10), "opus": b"\x08" + bytes(20)}.get(name, bytes(160))
    assert len(make_decoder(name, rate).decode(buffer(payload))) > 0


@pytest.mark.parametrize(("name", "rate"), ALL)
def test_what_is_too_long_is_nothing(name: CodecName, rate: int) -> None:
    decoder = make_decoder(name, rate)
    for size in (0, 10_000, 65_000):
        assert len(decoder.decode(b"\xd5" * size)) <= MOST
        assert name == "opus" or decoder.units_of(b"\xd5" * size) == 0


@pytest.mark.parametrize(("name", "rate"), ALL)
def test_concealment_is_as_long_as_asked_or_none(name: CodecName, rate: int) -> None:
    decoder: Decoder = make_decoder(name, rate)
    for samples in (0, 1, 20, 77, 160, 480, 960, 961, 1920, 1921, 100_000):
        made = decoder.conceal(samples, None)
        assert made is None or len(made) == samples
        assert (made is not None) == (name in {"opus", "G729"} and 0 < samples <= MOST)
        following = decoder.conceal(samples, b"\xff\xff\xff")
        assert following is None or len(following) == samples


def test_g729_is_passed_on_but_not_made() -> None:
    with pytest.raises(ValueError, match="not encoded"):
        make_encoder("G729")
    assert not spec("G729").encodes
    assert spec("G729").decodes


def test_opus_has_no_packets_of_30_ms() -> None:
    with pytest.raises(ValueError, match="30 ms"):
        make_encoder("opus", 48000, "", 30)
    assert [spec("opus").packet_ms(ms) for ms in (1, 10, 20, 30, 50, 60, 10_000)] == [
        10,
        10,
        20,
        20,
        40,
        60,
        60,
    ]


def test_a_strange_clock_rate_is_no_codec() -> None:
    with pytest.raises(KeyError):
        make_decoder("PCMU", 16000)


@pytest.mark.parametrize(
    ("name", "payload_type", "rate", "law"),
    [
        ("PCMU", 0, 8000, True),
        ("PCMA", 8, 8000, True),
        ("G722", 9, 8000, False),
        ("G729", 18, 8000, False),
        ("opus", None, 48000, False),
        ("L16", None, 8000, False),
    ],
)
def test_the_table_of_codecs(name: CodecName, payload_type: int | None, rate: int, law: bool) -> None:
    entry = spec(name)
    assert (entry.payload_type, entry.clock_rate_hz, entry.law) == (payload_type, rate, law)


def test_l16_is_in_network_byte_order() -> None:
    assert make_encoder("L16", 8000).encode(np.array([1, -2, 32767], np.int16)) == b"\x00\x01\xff\xfe\x7f\xff"
    assert make_decoder("L16", 8000).decode(b"\x00\x01\xff\xfe\x7f\xff\x00").tolist() == [1, -2, 32767]


def test_g729_frames_and_silence_descriptors() -> None:
    decoder = make_decoder("G729")
    assert len(decoder.decode(bytes(range(20)))) == 160
    with_descriptor = decoder.decode(bytes(range(10)) + b"\x12\x34")
    assert len(with_descriptor) == 160
    assert not with_descriptor[80:].any()
    assert not decoder.decode(b"\x12\x34").any()
    assert [decoder.units_of(bytes(size)) for size in (2, 10, 12, 20, 8, 11, 13)] == [
        80,
        80,
        160,
        160,
        0,
        0,
        0,
    ]


def test_what_an_engine_may_need_is_loaded_before_its_clock_runs() -> None:
    code = (
        "import sys; from sipcc.rtp import LocalEngine, MediaSettings;"
        "print('G722' in sys.modules, 'av' in sys.modules);"
        "from sipcc.rtp.codec import load_codecs; load_codecs(['PCMU', 'G722', 'G729']);"
        "print('G722' in sys.modules, 'av' in sys.modules)"
    )
    environ = {"PYTHONPATH": ":".join(place for place in sys.path if place)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.split() == ["False", "False", "True", "True"]
    load_codecs(name for name, _ in ALL)
