"""The engine of sherpa-onnx with the package itself, and a model that says each sentence as a tone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from sipcc.ivr.speech import Speaker, SpeechError, SpeechSettings
from sipcc.ivr.speech.settings import SherpaSettings

pytest.importorskip("sherpa_onnx")

pytestmark = pytest.mark.realtime

FOLDER = Path(__file__).parent / "sherpa"
MODEL = SherpaSettings(
    model=str(FOLDER / "tone.onnx"), tokens=str(FOLDER / "tokens.txt"), lexicon=str(FOLDER / "lexicon.txt")
)
TEXT = "Hello there. How are you? This is the third sentence."


def speaker(folder: Path, model: SherpaSettings = MODEL) -> Speaker:
    return Speaker(SpeechSettings(cache=str(folder), engine="sherpa", sherpa=model))


async def test_each_sentence_is_spoken(tmp_path: Path) -> None:
    path = await speaker(tmp_path).speak(TEXT, language="en", voice="1")
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 3 * 8000)
        samples = np.frombuffer(file.readframes(8000), "<i2").astype(float)
    assert abs(samples).max() == pytest.approx(16_384, abs=10)
    assert np.argmax(abs(np.fft.rfft(samples))) == 440 // 2


async def test_speech_comes_sentence_by_sentence_and_stops_when_left(tmp_path: Path) -> None:
    speaks = speaker(tmp_path)
    async with await speaks.stream(TEXT, language="en") as speech:
        lengths = [len(piece) / 2 / speech.rate_hz async for piece in speech]
    assert lengths == [0.5, 0.5, 0.5]
    async with await speaks.stream(TEXT * 20, language="en") as speech:
        async for piece in speech:
            assert len(piece) == 16_000
            break
    assert await speaks.speak(TEXT, language="en")  # the model is free again


async def test_what_it_cannot_use(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match="cannot use the model"):
        await speaker(tmp_path, SherpaSettings(model="no.onnx", tokens="no.txt")).speak(TEXT, language="en")
    with pytest.raises(SpeechError, match="said nothing"):
        await speaker(tmp_path).speak("您好", language="zh")  # words that its lexicon has not
