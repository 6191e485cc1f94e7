"""The built-in sounds: all there, all in the one format, none empty."""

import itertools
import struct
from pathlib import Path

import pytest

from sipcc.ivr.prompts import SOUNDS, PromptCatalogue
from sipcc.ivr.say import LANGUAGES, fragments
from sipcc.ivr.settings import IvrSettings

MULAW = 7
PROMPTS = [
    "welcome",
    "please_wait",
    "all_busy",
    "no_agents",
    "agent_lost",
    "callback_booked",
    "challenge",
    "queue_position",
    "queue_wait",
    "queue_next",
    "closed",
    "record_notice",
    "enter_number",
    "confirm",
    "choose_language",
    "invalid",
    "noinput",
    "error",
    "thank_you",
    "goodbye",
    "voicemail_greeting",
    "voicemail_saved",
    "voicemail_not_saved",
    "voicemail_full",
    "voicemail_pin",
    "voicemail_none",
    "voicemail_new",
    "voicemail_from",
    "voicemail_menu",
    "voicemail_deleted",
    "voicemail_end",
    "survey_question",
    "survey_comment",
    "queue_length",
    "ringback",
    "bank_card",
    "bank_unknown",
    "bank_balance",
    "bank_agent",
    "beep",
    "hold",
]


def read_mulaw(path: Path) -> bytes:
    """The samples of a mu-law WAV at 8 kHz mono."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    at = 12
    while data[at : at + 4] != b"data":
        (size,) = struct.unpack_from("<I", data, at + 4)
        if data[at : at + 4] == b"fmt ":
            assert struct.unpack_from("<HHI", data, at + 8) == (MULAW, 1, 8000)
        at += 8 + size + size % 2
    (size,) = struct.unpack_from("<I", data, at + 4)
    return data[at + 8 : at + 8 + size]


def loudness(sample: int) -> int:
    """Linear magnitude of a mu-law byte (ITU-T G.711), 0 to 8031."""
    sample = ~sample & 0x7F
    return ((2 * (sample & 0x0F) + 33) << (sample >> 4)) - 33


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fragment_is_recorded(language):
    for name in fragments(language):
        samples = read_mulaw(SOUNDS / language / f"{name}.wav")
        assert 0.15 < len(samples) / 8000 < 1.0, name
        assert max(map(loudness, samples)) > 2000, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prompt_is_there_in_each_language(language, tmp_path):
    catalogue = PromptCatalogue(IvrSettings(prompts=str(tmp_path)))
    assert catalogue.missing(PROMPTS, language) == []


def test_hold_music_loops_softly():
    samples = read_mulaw(SOUNDS / "hold.wav")
    assert len(samples) == 20 * 8000
    assert max(map(loudness, samples)) < 4000
    steps = [abs(loudness(a) - loudness(b)) for a, b in itertools.pairwise(samples)]
    assert abs(loudness(samples[-1]) - loudness(samples[0])) <= max(steps)


def test_the_folder_is_small():
    assert sum(path.stat().st_size for path in SOUNDS.rglob("*.wav")) <= 2_500_000
