"""Voice against noise: speech of espeak-ng is found soon, and noise, hum and clicks are not."""

import numpy as np
import pytest
from tests.speech import need_speech, speak

from sipcc.rtp.codec import g711, make_encoder
from sipcc.rtp.flow import CodecName
from sipcc.rtp.vad import VoiceDetector, VoiceOnset

RATE = 8000


def frames(samples: np.ndarray) -> list[bytes]:
    pcm = np.clip(samples, -32768, 32767).astype("<i2")
    return [pcm[at : at + 160].tobytes() for at in range(0, len(pcm) - 159, 160)]


def noise(seconds: float, level_dbfs: float, seed: int = 1) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=round(seconds * RATE))
    return made * 32768 * 10 ** (level_dbfs / 20)


def speech(text: str, voice: str) -> np.ndarray:
    pcm = speak(text, voice=voice) * 32767
    return pcm[np.flatnonzero(np.abs(pcm) > 300)[0] :]


def onsets(samples: np.ndarray) -> list[int]:
    """The frames in which somebody begins to speak."""
    detector, found, before = VoiceDetector(), [], False
    for index, frame in enumerate(frames(samples)):
        now = detector.push(frame)
        if now and not before:
            found.append(index)
        before = now
    return found


@pytest.mark.parametrize("level", [-70.0, -55.0, -45.0, -38.0])
def test_steady_noise_is_no_voice(level: float) -> None:
    lead = noise(1.0, level, seed=2)  # the floor has to be learnt where it is high
    found = onsets(np.concatenate([lead, noise(30.0, level)]))
    assert [at for at in found if at >= 50] == []


def test_hum_silence_and_clicks_are_no_voice() -> None:
    at = np.arange(10 * RATE) / RATE
    hum = 60 * np.sin(2 * np.pi * 50 * at)
    clicks = np.zeros(10 * RATE)
    clicks[:: 2 * RATE] = 20000
    for quiet in (hum, clicks, np.zeros(10 * RATE)):
        assert onsets(quiet) == []
    assert not VoiceDetector().push(b"")


@pytest.mark.parametrize(
    ("voice", "text", "within_ms"),
    [
        ("en", "I want to talk to an agent please", 80),
        ("en", "yes", 80),
        ("en", "seven", 140),  # the hiss of its beginning is like noise
        ("cmn", "我要查询余额", 80),
        ("cmn", "是的", 140),
    ],
)
@pytest.mark.parametrize("level", [-70.0, -50.0])
def test_speech_is_found_soon_over_noise(voice: str, text: str, within_ms: int, level: float) -> None:
    need_speech()
    said = np.concatenate([np.zeros(RATE), speech(text, voice)])
    found = onsets(said + noise(len(said) / RATE, level, 3))
    assert found
    assert 0 <= found[0] * 20 - 1000 <= within_ms


def test_packets_of_any_length_and_either_law_tell_the_onset_once_they_have_it() -> None:
    at = np.arange(RATE // 5) / RATE
    voice = (8000 * np.sin(2 * np.pi * 200 * at)).astype(np.int16)
    for law in ("PCMU", "PCMA"):
        onset, coding = VoiceOnset(), (law, RATE)
        assert not onset.hears(g711.encode(np.zeros(480, dtype=np.int16), law), coding)
        assert not onset.hears(g711.encode(voice[:160], law), coding)
        assert onset.hears(g711.encode(voice[160:480], law), coding)
    assert not VoiceOnset().hears(b"\x00" * 160, ("PCMU", 1))  # no such codec


@pytest.mark.parametrize(
    ("name", "rate_hz", "packets"), [("G722", 8000, 3), ("L16", 16000, 3), ("opus", 48000, 4)]
)
def test_other_codecs_tell_the_onset_from_their_packets_too(
    name: CodecName, rate_hz: int, packets: int
) -> None:
    at = np.arange(RATE) / RATE
    voice = (8000 * np.sin(2 * np.pi * 200 * at)).astype(np.int16)
    encoder, onset, coding = make_encoder(name, rate_hz), VoiceOnset(), (name, rate_hz)
    for _ in range(10):
        assert not onset.hears(encoder.encode(np.zeros(160, np.int16)), coding)
    heard = [onset.hears(encoder.encode(voice[start : start + 160]), coding) for start in range(0, RATE, 160)]
    assert heard.index(True) < packets
