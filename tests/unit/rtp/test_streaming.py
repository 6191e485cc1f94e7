from __future__ import annotations

import random

import numpy as np
import pytest

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.flow import Law, PlayStream
from sipcc.rtp.streaming import (
    FULL_S,
    MAX_MARKS,
    NEAR,
    PATIENCE,
    READY_S,
    SPARE,
    SpeechFeed,
    SpeechRise,
    StreamMark,
    StreamPlayer,
    interleaved,
    mixed,
)

SECOND = 16_000


def sound(seconds: float, frequency_hz: float = 500.0) -> bytes:
    return tones.make_tone((frequency_hz,), seconds * 1000).astype("<i2").tobytes()


def pull_all(player: StreamPlayer, limit: int = 5000) -> np.ndarray:
    frames = []
    while len(frames) < limit and (frame := player.pull()) is not None:
        assert len(frame) == 160
        assert frame.dtype == np.int16
        frames.append(frame)
    return np.concatenate(frames) if frames else np.zeros(0, dtype=np.int16)


def test_what_is_fed_is_played_to_the_last_sample() -> None:
    player = StreamPlayer()
    audio = sound(0.5) + b"\x01\x02" * 30
    for start in range(0, len(audio), 1234):
        player.feed(audio[start : start + 1234])
    player.feed(b"", last=True)
    assert not player.done
    played = pull_all(player).tobytes()
    assert played[: len(audio)] == audio
    assert not any(played[len(audio) :])
    assert (player.done, player.played_ms) == (True, 503)


def test_a_producer_in_jerks_is_heard_without_a_hole_once_it_has_begun() -> None:
    """Pieces of 20 ms that come up to 40 ms late, as from another program."""
    player, jerks = StreamPlayer(), random.Random(3)
    audio = sound(4.0)
    arrivals = sorted((0.02 * index + jerks.random() * 0.04, index) for index in range(200))
    heard, at = [], 0
    for tick in range(210):
        while at < 200 and arrivals[at][0] <= 0.02 * tick:
            player.feed(audio[640 // 2 * at : 640 // 2 * (at + 1)], last=at == 199)
            at += 1
        frame = player.pull()
        if frame is not None:
            heard.append(frame)
    pcm = np.concatenate(heard)
    (tone,) = tones.find_tones(pcm)
    assert tone.frequency_hz == pytest.approx(500, abs=1)
    assert tone.duration_ms == pytest.approx(4000, abs=40)
    assert player.starved_ms == 0


def test_a_starved_stream_is_silent_and_goes_on() -> None:
    player = StreamPlayer()
    assert not np.any(player.pull())  # nothing yet: it waits, and this is no hunger
    player.feed(sound(0.1))
    heard = [player.pull() for _ in range(15)]
    assert player.starved_ms == 200
    player.feed(sound(0.02))
    assert not np.any(player.pull())  # too little to begin with
    player.feed(sound(0.1), last=True)
    assert np.any(player.pull())
    assert sum(bool(np.any(frame)) for frame in heard) == 5
    assert len(pull_all(player)) == 5 * 160
    assert player.played_ms == 220


def test_the_end_sounds_although_it_is_short() -> None:
    player = StreamPlayer()
    player.feed(b"\x07\x00" * 10, last=True)
    frame = player.pull()
    assert frame is not None
    assert frame[:10].tolist() == [7] * 10
    assert player.pull() is None
    player.feed(b"\x07\x00" * 10)
    assert player.pull() is None


def test_the_producer_is_told_when_to_wait_and_when_to_go_on() -> None:
    player = StreamPlayer()
    told = []
    for _ in range(12):
        player.feed(bytes(SECOND))
        if player.turned:
            player.turned = False
            told.append((player.full, len(player._buffer) / SECOND))
    assert told == [(True, FULL_S + 1)]
    while not player.turned:
        player.pull()
    assert not player.full
    assert len(player._buffer) / SECOND == pytest.approx(READY_S, abs=0.02)


def test_it_never_holds_more_than_its_bound() -> None:
    player = StreamPlayer()
    for _ in range(200):
        player.feed(bytes(SECOND + 1))
    assert len(player._buffer) == PlayStream().limit_s * SECOND
    assert player.dropped_ms == pytest.approx(170_000, abs=200)


def test_pause_and_stop() -> None:
    player = StreamPlayer()
    player.feed(sound(0.2))
    player.pull()
    player.paused = True
    player.seek(5)
    assert not any(np.any(player.pull()) for _ in range(20))
    player.paused = False
    assert np.any(player.pull())
    player.stop()
    assert (player.done, player.pull(), player.played_ms) == (True, None, 40)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("piece", [1, 999, 100_000])
def test_speech_of_any_rate_in_any_pieces(rate_hz: int, piece: int) -> None:
    count = rate_hz // 5
    wave = np.sin(2 * np.pi * 500 * np.arange(count) / rate_hz) * 8000
    data = wave.astype("<i2").tobytes()
    feed = SpeechFeed(rate_hz)
    if piece == 1:
        data = data[:2001]
    parts = [feed.push(data[start : start + piece]) for start in range(0, len(data), piece)]
    pcm = np.frombuffer(b"".join(parts) + feed.finish(), dtype="<i2")
    assert len(pcm) == len(data) // 2 * 8000 // rate_hz
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4].astype(np.int16)
    assert tones.measure_level(middle) == pytest.approx(-9.1, abs=0.6)


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="resample"):
        SpeechFeed(17)


def test_marks_tell_when_what_came_before_them_was_played() -> None:
    player = StreamPlayer()
    player.mark("before")
    assert (player.take_marks(), player.turned) == ([StreamMark("before", True, 0)], True)
    player.feed(sound(0.07))
    player.mark("seventy")
    player.feed(sound(0.05))
    player.mark("all")
    told = []
    for tick in range(10):
        player.pull()
        told += [(tick, mark) for mark in player.take_marks()]
    assert told == [(3, StreamMark("seventy", True, 70)), (5, StreamMark("all", True, 120))]
    assert player.played_ms == 120  # the last frame was half of silence


def test_a_mark_makes_a_short_word_sound_at_once() -> None:
    player = StreamPlayer(PlayStream(lead_ms=200))
    player.feed(sound(0.03))
    assert not np.any(player.pull())
    player.mark("end")
    assert np.any(player.pull())
    assert np.any(player.pull())
    assert player.take_marks() == [StreamMark("end", True, 30)]


def test_what_is_short_and_has_no_mark_sounds_after_some_patience() -> None:
    player = StreamPlayer(PlayStream(lead_ms=40))
    player.feed(sound(0.03))
    heard = [bool(np.any(player.pull())) for _ in range(20)]
    # ten of its milliseconds are no frame, and wait as long again
    assert [tick for tick, sounds in enumerate(heard) if sounds] == [PATIENCE * 2, PATIENCE * 4 + 1]
    assert player.played_ms == 30


def test_clearing_is_silent_at_once_and_tells_how_much_was_heard() -> None:
    player = StreamPlayer()
    player.feed(sound(12.0))
    player.mark("a")
    player.mark("b")
    for _ in range(50):
        player.pull()
    player.turned = False
    assert player.clear() == 11_000
    assert (player.full, player.turned) == (False, True)
    assert player.take_marks() == [StreamMark("a", False, 1000), StreamMark("b", False, 1000)]
    assert not np.any(player.pull())
    assert player.starved_ms == 0
    player.feed(sound(0.1))
    assert np.any(player.pull())
    assert player.played_ms == 1020


def test_g711_is_played_byte_for_byte() -> None:
    audio = bytes(range(256)) * 5
    player = StreamPlayer(PlayStream(law="PCMA", lead_ms=20, limit_s=1.0))
    assert player.pull() == b"\xd5" * 160
    player.feed(audio)
    player.feed(b"", last=True)
    heard = b""
    while (frame := player.pull()) is not None:
        assert isinstance(frame, bytes)
        heard += frame
    assert heard[: len(audio)] == audio
    assert (player.law, player.coding, player.played_ms) == ("PCMA", ("PCMA", 8000), 160)


def test_marks_are_bounded() -> None:
    player = StreamPlayer()
    player.feed(sound(1.0))
    for number in range(MAX_MARKS):
        player.mark(str(number))
    assert player.take_marks() == []
    player.mark("one too many")
    assert player.take_marks() == [StreamMark("one too many", False, 0)]


@pytest.mark.parametrize("rate_hz", [8000, 12000, 16000, 24000, 44100])
def test_what_rises_is_the_same_tone_at_another_rate(rate_hz: int) -> None:
    rise, audio = SpeechRise(rate_hz), sound(1.0, 1000.0)
    risen = b"".join(rise.push(audio[at : at + 320]) for at in range(0, len(audio), 320))
    assert len(risen) / 2 == pytest.approx(rate_hz, abs=rate_hz // 200)
    fallen = SpeechFeed(rate_hz).push(risen)
    (tone,) = tones.find_tones(np.frombuffer(fallen, dtype="<i2").astype(np.int16))
    assert tone.frequency_hz == pytest.approx(1000, abs=1)
    assert tone.level_dbm0 == pytest.approx(-13.0, abs=0.3)


def test_two_sides_in_one_signal() -> None:
    left, right = np.array([1, 2, 3], "<i2"), np.array([32767, -5], "<i2")
    assert np.frombuffer(interleaved(left.tobytes(), right.tobytes()), "<i2").tolist() == [
        1,
        32767,
        2,
        -5,
        3,
        0,
    ]
    assert np.frombuffer(mixed(left.tobytes(), right.tobytes()), "<i2").tolist() == [32767, -3, 3]
    assert interleaved(b"", b"") == b""


@pytest.mark.parametrize("law", [None, "PCMU"])
@pytest.mark.parametrize("pauses", [True, False])
def test_a_delay_that_came_of_one_hiccup_is_taken_out(law: Law | None, pauses: bool) -> None:
    """Speech in real time, once 120 ms late: what is heard later lies behind by so much, until a pause."""
    player = StreamPlayer(PlayStream(law=law, lead_ms=20))
    frame, pause = sound(0.02), bytes(320)
    if law is not None:
        frame, pause = (g711.encode(np.frombuffer(part, np.int16), law) for part in (frame, pause))
    waiting, late = [], []
    for tick in range(600):
        part = pause if pauses and 150 <= tick < 170 else frame
        if 20 <= tick < 26:
            late.append(part)
        else:
            for piece in [*late, part]:
                player.feed(piece)
            late.clear()
        player.pull()
        waiting.append(len(player._buffer) // len(frame))
    assert waiting[19] == 0
    assert waiting[30:150] == [6] * 120
    if pauses:
        assert waiting[180] == SPARE
    else:
        assert waiting[200] == 6  # a pause is waited for
        changes = [tick for tick in range(200, 600) if waiting[tick] != waiting[tick - 1]]
        assert np.diff(changes).tolist() == [50] * 4  # then a frame in each second is blended away
    assert waiting[-1] == SPARE
    assert player.played_ms == 20 * (600 - SPARE)  # what was left out counts as heard


def test_who_is_far_ahead_is_left_alone() -> None:
    player = StreamPlayer(PlayStream(lead_ms=20))
    player.feed(bytes(320 * (NEAR + 2)))
    for _ in range(200):
        player.feed(bytes(320))
        player.pull()
    assert len(player._buffer) == 320 * (NEAR + 2)
