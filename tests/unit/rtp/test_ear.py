from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.rtp.traces import (
    START,
    Arrival,
    Heard,
    give,
    jittered,
    lossy,
    play,
    reordered,
    stalled,
    steady,
)

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.ear import Ear
from sipcc.rtp.flow import CodecName

PHASES = [0.0005, 0.005, 0.011, 0.017]


def longest_gap_ms(heard: Heard, sent: list[Arrival]) -> int:
    """The longest run of frames between two that were sent, in which none was."""
    known = {packet.payload for packet in sent}
    places = [
        index for index, frame in enumerate(heard.frames) if isinstance(frame, bytes) and frame in known
    ]
    return max((later - index - 1) * 20 for index, later in pairwise(places))


def tone(seconds: float, ptime_ms: int = 20, frequency_hz: float = 400.0) -> tuple[list[Arrival], Pcm]:
    pcm = tones.make_tone((frequency_hz,), seconds * 1000)
    coded = g711.encode(pcm, "PCMU")
    return steady(
        seconds, ptime_ms=ptime_ms, payload=lambda n, samples: coded[n * samples : (n + 1) * samples]
    ), pcm


# -- M14: jitter ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase_s", PHASES)
def test_a_clean_stream_is_heard_byte_for_byte(phase_s: float) -> None:
    sent = steady(20)
    heard = play(sent, phase_s=phase_s, extra_s=0.1)
    assert heard.holes(sent) <= 2  # two were blended into one: the first look found too much delay
    assert heard.concealed_ms == heard.ear.late == heard.ear.discarded == 0
    assert heard.delays_ms[0] == 0.0
    assert max(heard.delays_ms) <= 45
    assert heard.delays_ms[-1] <= 25


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("phase_s", PHASES)
def test_jitter_of_10_ms(phase_s: float, seed: int, ordered: bool) -> None:
    sent = steady(60)
    heard = play(jittered(sent, sigma_s=0.010, seed=seed, ordered=ordered), phase_s=phase_s, extra_s=0.1)
    assert heard.holes(sent) <= 0.01 * len(sent)
    assert heard.concealed_ms <= 0.01 * 60_000
    assert max(heard.delays_ms) <= 80


@pytest.mark.parametrize("phase_s", PHASES)
def test_after_a_stall_of_200_ms_the_delay_comes_back(phase_s: float) -> None:
    sent = steady(40)
    heard = play(stalled(sent, at_s=20, for_s=0.2), phase_s=phase_s, extra_s=0.2)
    back = round((20.2 + 5.0) / 0.02)
    assert max(heard.delays_ms) <= 200
    assert max(heard.delays_ms[back:]) < 80
    assert heard.holes(sent) <= 20  # 200 ms that were not there, and what was cut to make up for them


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("phase_s", PHASES)
def test_packets_that_are_overtaken_are_not_lost(phase_s: float, seed: int) -> None:
    sent = steady(60)
    heard = play(reordered(sent, share=0.01, seed=seed), phase_s=phase_s, extra_s=0.1)
    assert heard.concealed_ms == 0
    assert heard.holes(sent) == 0


def test_doubled_packets_are_heard_once() -> None:
    sent = steady(10)
    doubled = sorted([*sent, *(replace(packet, at=packet.at + 0.001) for packet in sent)], key=lambda p: p.at)
    late = sorted([*sent, *(replace(packet, at=packet.at + 0.1) for packet in sent)], key=lambda p: p.at)
    for trace in (doubled, late):
        heard = play(trace, extra_s=0.1)
        known = {packet.payload for packet in sent}
        assert sum(1 for frame in heard.said() if frame in known) in {len(sent), len(sent) - 2}
        assert heard.ear.concealed_ms <= 60  # after the end
        assert heard.ear.late == 0
        assert heard.ear.delay_ms <= 45


# -- M15: drift -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma_s", [0.0, 0.003])
@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_ten_minutes_of_drift(ppm: float, sigma_s: float) -> None:
    sent = steady(600, ppm=ppm)
    heard = play(jittered(sent, sigma_s=sigma_s) if sigma_s else sent)
    assert heard.concealed_ms <= 0.002 * 600_000
    assert max(heard.delays_ms) <= 80
    assert heard.ear.resyncs == 0


def test_a_frame_is_cut_and_repeated_in_silence_first() -> None:
    pcm = np.concatenate([tones.make_tone((500,), 900), np.zeros(800, dtype=np.int16)])
    coded = g711.encode(np.tile(pcm, 300), "PCMU")
    for ppm in (400.0, -400.0):
        trace = steady(300, ppm=ppm, payload=lambda n, samples: coded[n * samples : (n + 1) * samples])
        heard = play(trace)
        assert heard.concealed_ms == 0
        length = len(heard.said())
        assert length - len(trace) == (-7 if ppm > 0 else 5)  # 120 ms, and one frame of the first delay
        loud = [frame for frame in heard.frames if isinstance(frame, bytes) and frame != b"\xff" * 160]
        assert len(loud) == 300 * 45, "no frame of the tone is missing or doubled"


# -- M16: leaps -----------------------------------------------------------------------------------------


def leap(**changes: int) -> list[Arrival]:
    """20 s, in the middle of which the source changes something."""
    sent = steady(20)
    return [
        packet
        if index < 500
        else replace(
            packet,
            ssrc=packet.ssrc + changes.get("ssrc", 0),
            sequence=(packet.sequence + changes.get("sequence", 0)) & 0xFFFF,
            timestamp=(packet.timestamp + changes.get("timestamp", 0)) & 0xFFFFFFFF,
        )
        for index, packet in enumerate(sent)
    ]


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize(
    ("changes", "gap_ms"),
    [
        ({"ssrc": 1}, 60),
        ({"ssrc": 1, "sequence": 20000, "timestamp": 1 << 30}, 60),
        ({"ssrc": 1, "sequence": -70, "timestamp": -4000}, 60),
        ({"timestamp": 1 << 30}, 60),
        ({"timestamp": -(1 << 30)}, 60),
        ({"timestamp": 1600}, 60),
        ({"timestamp": -1600}, 60),
        ({"timestamp": 4000}, 60),
        ({"sequence": 20000}, 60),
        ({"sequence": -20000}, 60),
        ({"sequence": 20000, "timestamp": 1 << 30}, 120),
        ({"sequence": -20000, "timestamp": -(1 << 30)}, 120),
        ({"sequence": -590, "timestamp": -90000}, 120),
        ({"sequence": -50, "timestamp": 1 << 30}, 120),
    ],
)
def test_a_source_that_leaps(changes: dict[str, int], gap_ms: int, phase_s: float) -> None:
    trace = leap(**changes)
    heard = play(trace, phase_s=phase_s, extra_s=0.1)
    assert longest_gap_ms(heard, trace) <= gap_ms
    assert heard.holes(trace) <= 1 + gap_ms // 20
    assert heard.delays_ms[-1] <= 80


@pytest.mark.parametrize("phase_s", PHASES)
def test_numbers_wrap_without_a_word(phase_s: float) -> None:
    sent = steady(20, first=65535 - 300, timestamp=0xFFFFFFFF - 80000)
    heard = play(sent, phase_s=phase_s, extra_s=0.1)
    assert heard.holes(sent) <= 2
    assert heard.ear.resyncs == 0
    disorderly = play(reordered(sent, share=0.05), phase_s=phase_s, extra_s=0.1)
    assert disorderly.holes(sent) * 20 == disorderly.concealed_ms <= 20  # one that two had overtaken


def test_a_sender_that_replays_its_last_second_is_believed_after_twenty() -> None:
    sent = steady(4)
    again = [
        replace(packet, sequence=packet.sequence - 60, timestamp=packet.timestamp - 60 * 160)
        for packet in sent[100:]
    ]
    heard = play([*sent[:100], *again], extra_s=0.1)
    assert heard.ear.late == 19
    assert heard.ear.resyncs == 1
    assert longest_gap_ms(heard, again) <= 20 * 20 + 60


def test_a_stray_packet_of_old_times_changes_nothing() -> None:
    sent = steady(10)
    trace = [*sent]
    for index in range(100, 400, 30):
        trace.append(replace(sent[index - 60], at=sent[index].at + 0.001))
        trace.append(Arrival(sent[index].at + 0.002, 40000 + index * 7, 1 << 29, b"\x00" * 160))
    heard = play(sorted(trace, key=lambda p: p.at), extra_s=0.1)
    assert heard.ear.delay_ms <= 80


def test_a_pause_that_the_timestamps_do_not_count() -> None:
    sent = steady(10)
    trace = [
        replace(packet, at=packet.at + (3.0 if index >= 250 else 0.0)) for index, packet in enumerate(sent)
    ]
    heard = play(trace, extra_s=0.1)
    assert heard.holes(sent) <= 2
    assert max(heard.delays_ms) <= 50


def test_a_pause_that_the_timestamps_count_is_no_loss() -> None:
    sent = steady(10)
    trace = [
        replace(packet, at=packet.at + 3.0, timestamp=packet.timestamp + 24000, marker=index == 250)
        if index >= 250
        else packet
        for index, packet in enumerate(sent)
    ]
    heard = play(trace, extra_s=0.1)
    assert heard.holes(sent) <= 3
    assert heard.concealed_ms <= 60  # what could have been lost, until the sequence told
    assert heard.ear.resyncs == 0
    assert max(heard.delays_ms) <= 50


def test_an_outage_of_a_second_is_not_heard_later() -> None:
    sent = steady(20)
    heard = play(stalled(sent, at_s=10, for_s=1.0), extra_s=0.1)
    assert heard.delays_ms[-1] <= 80
    assert max(heard.delays_ms) <= 200
    assert heard.holes(sent) <= 55


def test_a_ticker_that_stood_still_does_not_leave_old_audio() -> None:
    ear, sent = Ear(), steady(12)
    for index, packet in enumerate(sent):
        give(ear, packet)
        if not 200 <= index < 260:
            ear.take(now=packet.at + 0.01)
    assert ear.delay_ms <= 80
    assert ear.discarded


# -- M17: packets of any length -------------------------------------------------------------------------


@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 50, 60])
def test_packets_of_any_length_are_cut_and_joined_exactly(ptime_ms: int) -> None:
    sent = steady(4.8, ptime_ms=ptime_ms)
    heard = play(sent, extra_s=0.2)
    audio = b"".join(heard.said())
    whole = b"".join(packet.payload for packet in sent)
    assert whole in audio or audio in whole
    assert abs(len(audio) - len(whole)) <= 160
    assert heard.ear.late == heard.ear.discarded == 0


def mixed(lengths: list[int]) -> list[Arrival]:
    """Packets of the given lengths in ms, one after the other."""
    trace: list[Arrival] = []
    at, timestamp = START, 5000
    for number, length in enumerate(lengths):
        at += length / 1000
        payload = bytes((number + i // 40) % 251 for i in range(length * 8))
        trace.append(Arrival(at, number, timestamp, payload))
        timestamp += length * 8
    return trace


@given(st.lists(st.sampled_from([10, 20, 30, 40, 50, 60]), min_size=20, max_size=80), st.sampled_from(PHASES))
@settings(max_examples=60, deadline=None)
def test_any_mix_of_lengths_keeps_every_sample(lengths: list[int], phase_s: float) -> None:
    trace = mixed(lengths)
    heard = play(trace, phase_s=phase_s, extra_s=0.3)
    audio = b"".join(heard.said())
    whole = b"".join(packet.payload for packet in trace)
    lost = heard.ear.late + heard.ear.discarded
    assert lost or heard.concealed_ms >= 0
    assert abs(len(audio) - len(whole)) <= 160 + 480 + heard.concealed_ms * 8


def test_lengths_that_change_in_mid_call() -> None:
    trace = mixed([20] * 100 + [30] * 100 + [60] * 50 + [10] * 100 + [20] * 100)
    heard = play(trace, extra_s=0.2)
    whole = b"".join(packet.payload for packet in trace)
    audio = b"".join(heard.said())
    assert heard.ear.late == 0
    assert abs(len(audio) - len(whole)) <= 160 + heard.concealed_ms * 8
    assert heard.concealed_ms <= 60  # where packets become longer they come later
    assert heard.delays_ms[-1] <= 80


# -- silence, keys, noise -------------------------------------------------------------------------------


def test_keys_in_the_stream_are_no_loss() -> None:
    sent = steady(4)
    trace = [
        replace(packet, kind="event") if 100 <= index < 110 else packet for index, packet in enumerate(sent)
    ]
    heard = play(trace, extra_s=0.1)
    assert heard.concealed_ms == 0
    assert heard.frames.count(None) >= 9
    assert heard.holes([packet for packet in trace if packet.kind == "audio"]) == 0


@pytest.mark.parametrize("payload", [b"\x28", b"\x28\x90\x60\x85", b"\x28" + b"\xff" * 12])
def test_comfort_noise_plays_until_audio(payload: bytes) -> None:
    sent = steady(6)
    trace = [
        packet
        if not 100 <= index < 200
        else replace(packet, kind="noise", payload=payload, sequence=packet.sequence)
        for index, packet in enumerate(sent)
        if index <= 100 or index >= 200
    ]
    trace = [replace(p, sequence=p.sequence - 99) if p.timestamp > sent[150].timestamp else p for p in trace]
    heard = play(trace, extra_s=0.1)
    audio = [packet for packet in trace if packet.kind == "audio"]
    assert heard.holes(audio) <= 1
    assert heard.concealed_ms == 0
    known = {packet.payload for packet in audio}
    noise = [frame for frame in heard.said() if frame not in known]
    assert len(noise) in {100, 101}
    level = tones.measure_level(g711.decode(b"".join(noise), "PCMU"))
    assert level == pytest.approx(-40 + 6.2, abs=1.5)  # -40 dBov


def test_silence_is_nothing_until_something_comes() -> None:
    ear = Ear()
    assert all(ear.take(now=START + n * 0.02) is None for n in range(100))
    assert ear.concealed_ms == 0


# -- M18: loss ------------------------------------------------------------------------------------------


def test_a_loss_is_concealed_and_silent_after_60_ms() -> None:
    sent, _ = tone(4)
    heard = play(sent[:100], extra_s=1.0)
    tail = heard.frames[-45:]
    assert heard.ear.concealed_ms == 60
    assert tail[5:] == [None] * 40


def test_lost_packets_are_filled_with_what_was_said() -> None:
    sent, pcm = tone(10)
    trace = lossy(sent, share=0.05)
    heard = play(trace, extra_s=0.1)
    lost = len(sent) - len(trace)
    assert lost * 20 - 40 <= heard.concealed_ms <= lost * 20
    (found,) = tones.find_tones(g711.decode(heard.audio(), "PCMU"))
    assert found.frequency_hz == pytest.approx(400, abs=2)
    assert found.duration_ms == pytest.approx(10_000, abs=100)
    assert len(pcm) == 80_000


def test_frames_around_a_loss_are_as_they_came() -> None:
    sent = steady(4)
    trace = [packet for index, packet in enumerate(sent) if index != 100]
    heard = play(trace, extra_s=0.1)
    assert heard.holes([packet for index, packet in enumerate(sent) if index not in {100, 101}]) == 0
    assert heard.concealed_ms == 20


# -- other codecs ---------------------------------------------------------------------------------------


class FakeDecoder:
    """A codec of 48 kHz clock whose payload is its first sample; ``bad`` cannot be read."""

    def __init__(self, own: bool) -> None:
        self.own = own
        self.asked: list[tuple[int, bytes | None]] = []

    def decode(self, payload: bytes) -> Pcm:
        if payload == b"bad":
            return np.zeros(0, dtype=np.int16)
        return np.full(160, int(payload), dtype=np.int16)

    def conceal(self, samples: int, following: bytes | None) -> Pcm | None:
        self.asked.append((samples, following))
        return np.full(samples, -int(following or b"1"), dtype=np.int16) if self.own else None

    def units_of(self, payload: bytes) -> int:
        return 960


def coded_trace(count: int) -> list[Arrival]:
    return [Arrival(START + n * 0.02, n, n * 960, str(1000 + n).encode()) for n in range(count)]


def ear_of(decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch) -> Ear:
    monkeypatch.setattr("sipcc.rtp.codec.base.make_decoder", lambda name, rate: decoder)
    monkeypatch.setattr("sipcc.rtp.codec.base.units_of", lambda name, rate, payload: 960)
    ear = Ear()
    ear.configure("opus", 48000)
    return ear


def values(heard: Heard) -> list[int]:
    return [int(frame[80]) for frame in heard.frames if isinstance(frame, np.ndarray)]


def test_another_codec_is_decoded_once_each_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = play(coded_trace(100), ear=ear_of(FakeDecoder(False), monkeypatch), extra_s=0.1)
    assert values(heard)[:100] == [1000 + n for n in range(100)]
    assert all(frame is None or len(frame) == 160 for frame in heard.frames)


def test_the_codec_conceals_by_itself_when_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = FakeDecoder(True)
    trace = [packet for packet in coded_trace(100) if packet.sequence not in {50, 60, 61}]
    heard = play(trace, ear=ear_of(decoder, monkeypatch), phase_s=0.019, extra_s=0.0)
    assert decoder.asked[:3] == [(160, b"1051"), (160, None), (160, b"1062")]
    assert values(heard)[50:52] == [-1051, 1051]


def test_a_payload_that_cannot_be_decoded_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = [
        replace(packet, payload=b"bad") if packet.sequence == 50 else packet for packet in coded_trace(100)
    ]
    heard = play(trace, ear=ear_of(FakeDecoder(False), monkeypatch), extra_s=0.1)
    assert heard.concealed_ms >= 20
    assert values(heard)[49] == 1049
    assert values(heard)[51] in {1051, 1050}


def test_a_change_of_codec_drops_what_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    ear = ear_of(FakeDecoder(False), monkeypatch)
    first = play(coded_trace(50), ear=ear)
    assert isinstance(first.frames[-1], np.ndarray)
    ear.configure("PCMA")
    sent = steady(2, start=START + 1.0)
    second = play(sent, ear=ear, extra_s=0.1)
    assert second.holes(sent) == 0
    ear.configure("PCMA", 8000)
    assert ear.resyncs == 0


# -- bad input ------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["audio", "noise", "event", "take", "take", "clear"]),
            st.integers(0, 2),
            st.integers(0, 0xFFFF) | st.integers(90, 130),
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 40).map(lambda n: n * 160),
            st.sampled_from([0, 1, 20, 80, 160, 161, 480, 481, 1400]),
        ),
        max_size=150,
    )
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_frames_are_frames(steps: list[tuple[str, int, int, int, int]]) -> None:
    ear, now = Ear(), START
    for kind, ssrc, sequence, timestamp, size in steps:
        now += 0.003
        if kind == "take":
            now += 0.017
            frame = ear.take(now=now)
            assert frame is None or len(frame) == 160
        elif kind == "clear":
            ear.clear()
        else:
            packet = Arrival(now, sequence, timestamp, bytes(size), ssrc, size == 20, kind)
            give(ear, packet)
    assert len(ear._buffer._packets) <= 128


@pytest.mark.parametrize("step", [1, 7, 160, 100_000, -160])
@pytest.mark.parametrize("size", [160, 1400, 20])
def test_a_flood_is_bounded(step: int, size: int) -> None:
    ear, payload = Ear(), bytes(size)
    for n in range(20_000):
        now = START + n * 1e-5
        ear.put(7, n & 0xFFFF, (n * step) & 0xFFFFFFFF, False, payload, now=now)
        if n % 2000 == 1999:
            frame = ear.take(now=now)
            assert frame is None or len(frame) == 160
        assert len(ear._buffer._packets) <= 128
    assert len(ear._buffer._arrivals) <= 600
    assert ear.discarded + ear.late + ear.resyncs


def test_after_a_hold_the_old_is_forgotten() -> None:
    ear = Ear()
    play(steady(2), ear=ear)
    ear.clear()
    sent = steady(2, start=START + 600, timestamp=5000 + 600 * 8000, first=1100)
    heard = play(sent, ear=ear, extra_s=0.1)
    assert heard.holes(sent) == 0
    assert heard.ear.resyncs == 0
    assert heard.delays_ms[-1] <= 45


def test_noise_goes_on_while_a_new_source_is_gathered_and_takes_new_levels() -> None:
    ear = Ear()
    play(steady(1), ear=ear)
    begin = START + 1.02
    for number, level in enumerate((b"\x28", b"\x3c")):
        ear.put_noise(7, 150 + number, 5000 + (50 + 10 * number) * 160, level, now=begin + 0.2 * number)
        frames = [ear.take(now=begin + 0.011 + (10 * number + n) * 0.02) for n in range(10)]
        heard = g711.decode(b"".join(frame for frame in frames[3:] if isinstance(frame, bytes)), "PCMU")
        assert tones.measure_level(heard) == pytest.approx(-level[0] + 6.2, abs=2)
    ear.put(8, 1, 1, True, bytes(160), now=begin + 0.4)
    frames = [ear.take(now=begin + 0.411 + n * 0.02) for n in range(3)]
    assert isinstance(frames[0], bytes)
    assert frames[0] != bytes(160)
    assert bytes(160) in frames


def test_concealment_goes_on_while_a_restarted_source_is_gathered() -> None:
    trace = leap(sequence=-20000, timestamp=-(1 << 30))
    heard = play(trace, phase_s=0.017)
    gap = [index for index, frame in enumerate(heard.frames) if index > 400 and frame is None]
    assert not gap
    assert heard.concealed_ms <= 100


class OddDecoder(FakeDecoder):
    """A decoder that makes more or fewer samples than the payload says."""

    def decode(self, payload: bytes) -> Pcm:
        return np.full(100 if int(payload) % 2 else 300, 5, dtype=np.int16)


def test_a_decoder_of_odd_lengths_keeps_time(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = play(coded_trace(100), ear=ear_of(OddDecoder(False), monkeypatch))
    frames = [frame for frame in heard.frames if frame is not None]
    assert {len(frame) for frame in frames} == {160}
    assert len(frames) in {99, 100}
    assert heard.ear.late == heard.ear.discarded == 0


def test_what_is_lost_before_anything_was_heard_is_silence() -> None:
    ear = Ear()
    ear.put(7, 1, 160, False, bytes(80), now=START)
    ear.put(7, 3, 480, False, bytes(80), now=START + 0.01)
    frames = [ear.take(now=START + 0.011 + n * 0.02) for n in range(8)]
    assert frames[-1] is None


def test_a_frame_that_is_wanted_in_loud_speech_is_made_up_in_the_end() -> None:
    sent, _ = tone(60)
    trace = [replace(packet, at=packet.at + 0.030 * (index > 600)) for index, packet in enumerate(sent)]
    heard = play(trace)
    assert 20 <= heard.concealed_ms <= 60
    assert heard.ear.late <= 1
    assert heard.delays_ms[-1] <= 45


@pytest.mark.parametrize("step", [0, 1, 80, 159, 161, 240, 320, 960])
def test_timestamps_that_count_at_another_rate_are_not_believed(step: int) -> None:
    sent = [replace(packet, timestamp=5000 + n * step) for n, packet in enumerate(steady(10))]
    heard = play(sent, extra_s=0.1)
    audio = b"".join(heard.said())
    assert sum(packet.payload not in audio for packet in sent) <= 12  # until it is seen through
    assert heard.delays_ms[-1] <= 80
    assert heard.ear.resyncs <= 8


@pytest.mark.parametrize(
    ("codec", "rate_hz"), [("G722", 8000), ("opus", 48000), ("L16", 8000), ("L16", 16000), ("G729", 8000)]
)
def test_no_payload_of_any_codec_raises(codec: CodecName, rate_hz: int) -> None:
    chance = random.Random(codec)
    ear = Ear()
    ear.configure(codec, rate_hz)
    now, timestamp = START, 0
    for number in range(400):
        size = chance.choice([0, 1, 2, 3, 10, 20, 60, 160, 320, 640, 1400])
        if chance.random() > 0.1:
            ear.put(7, number, timestamp, False, chance.randbytes(size), now=now)
        frame = ear.take(now=now + 0.011)
        assert frame is None or (not isinstance(frame, bytes) and frame.shape == (160,))
        now += 0.02
        timestamp = (timestamp + rate_hz // 50) & 0xFFFFFFFF
