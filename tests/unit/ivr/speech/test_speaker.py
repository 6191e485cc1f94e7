"""A speaker: texts become files, each once, within limits."""

from __future__ import annotations

import asyncio
import os
import wave
from pathlib import Path

import pytest
from tests.unit.ivr.speech.voices import CountingVoice

from sipcc.errors import ConfigError
from sipcc.ivr.speech import Speaker, SpeechError, SpeechSettings
from sipcc.ivr.speech.speaker import MAX_WAITING, clean, make_voice


def speaker(folder: Path, voice: CountingVoice, **settings: object) -> Speaker:
    return Speaker(SpeechSettings(cache=str(folder / "speech"), **settings), voice=voice)  # type: ignore[arg-type]


def frames(path: str) -> int:
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getnframes()


async def test_a_text_is_spoken_once(tmp_path: Path) -> None:
    voice = CountingVoice()
    speaks = speaker(tmp_path, voice)
    assert speaks.ready("你好", language="zh-CN") is None
    path = await speaks.speak("你好", language="zh-CN")
    assert frames(path) == 2
    assert await speaks.speak(" 你好\n", language="zh-CN") == path
    assert speaks.ready("你好", language="zh-CN") == path
    assert voice.said == [("你好", "zh-CN", "")]
    assert (speaks.spoken, speaks.failed) == (1, 0)


async def test_language_voice_and_settings_are_part_of_what_is_kept(tmp_path: Path) -> None:
    voice = CountingVoice()
    speaks = speaker(tmp_path, voice)
    paths = {
        await speaks.speak("hello", language="en"),
        await speaks.speak("hello", language="en-GB"),
        await speaks.speak("hello", language="en", voice="amy"),
        await speaker(tmp_path, CountingVoice(key="faster")).speak("hello", language="en"),
    }
    assert len(paths) == 4
    # what another process has spoken is there
    assert speaker(tmp_path, CountingVoice()).ready("hello", language="en") in paths


async def test_who_wants_the_same_text_at_the_same_time_shares_the_work(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.seconds = 1.0
    speaks = speaker(tmp_path, voice)
    paths = await asyncio.gather(*(speaks.speak("hello", language="en") for _ in range(50)))
    assert len(set(paths)) == 1
    assert len(voice.said) == 1


async def test_who_gives_up_does_not_end_the_work_for_others(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.seconds = 1.0
    speaks = speaker(tmp_path, voice)
    first = asyncio.create_task(speaks.speak("hello", language="en"))
    second = asyncio.create_task(speaks.speak("hello", language="en"))
    await asyncio.sleep(0.5)
    first.cancel()
    assert frames(await second) == 5
    assert len(voice.said) == 1


async def test_only_so_many_speak_at_once_and_wait(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.seconds = 1.0
    speaks = speaker(tmp_path, voice, at_once=3, timeout=600)
    tasks = [asyncio.create_task(speaks.speak(f"{n}", language="en")) for n in range(MAX_WAITING + 3)]
    await asyncio.sleep(0.5)
    with pytest.raises(SpeechError, match="wait to be spoken"):
        await speaks.speak("one more", language="en")
    await asyncio.gather(*tasks)
    assert voice.most == 3
    assert voice.open == 0


@pytest.mark.parametrize(
    ("text", "voice", "cause"),
    [
        ("", "", "the text is empty"),
        (" \n\x01 ", "", "the text is empty"),
        ("x" * 2001, "", "longer than 2000"),
        ("x", "../secret", "no name of a voice"),
        ("x", "-v", "no name of a voice"),
    ],
)
async def test_what_is_refused(text: str, voice: str, cause: str, tmp_path: Path) -> None:
    speaks = speaker(tmp_path, CountingVoice())
    with pytest.raises(SpeechError, match=cause):
        await speaks.speak(text, language="en", voice=voice)
    with pytest.raises(SpeechError, match=cause):
        await speaks.stream(text, language="en", voice=voice)


def test_control_characters_are_no_text() -> None:
    assert clean("a\x01v9\x1b[2J\tb\ud800") == "a v9 [2J b"


async def test_a_slow_voice_and_an_endless_one_are_stopped(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.seconds = 11.0
    speaks = speaker(tmp_path, voice)
    with pytest.raises(SpeechError, match="longer than 10 s"):
        await speaks.speak("hello", language="en")
    with pytest.raises(SpeechError, match="longer than 10 s"):
        await speaks.stream("hello", language="en")
    voice.seconds, voice.endless = 0.0, True
    with pytest.raises(SpeechError, match="more than 600 s"):
        await speaks.speak("hello", language="en")
    assert voice.open == 0
    assert speaks.ready("hello", language="en") is None
    assert speaks.failed == 2  # a stream is nobody's file


async def test_a_failure_is_told_and_not_remembered(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.error = "no such voice"
    speaks = speaker(tmp_path, voice)
    with pytest.raises(SpeechError, match="no such voice"):
        await speaks.speak("hello", language="en")
    voice.error = ""
    assert frames(await speaks.speak("hello", language="en")) == 5


async def test_a_stream_is_heard_as_it_comes_and_gives_its_turn_back(tmp_path: Path) -> None:
    voice = CountingVoice()
    speaks = speaker(tmp_path, voice, at_once=1)
    for _ in range(3):
        async with await speaks.stream("hello", language="en") as speech:
            assert speech.rate_hz == 8000
            assert b"".join([piece async for piece in speech]) == b"\1\0" * 5
    async with await speaks.stream("hello", language="en"):
        pass  # nobody listens
    assert voice.open == 0
    await speaks.speak("hello", language="en")


async def test_texts_are_prepared_and_stay(tmp_path: Path) -> None:
    voice = CountingVoice()
    speaks = speaker(tmp_path, voice, cache_mb=1)
    assert await speaks.prepare([("hello", "en", ""), ("你好", "zh", ""), ("hello", "en", "")]) == []
    assert len(voice.said) == 2
    await speaks.speak("x" * 2000, language="en")
    for n in range(400):  # 4 kB each: more than there is room for
        await speaks.speak(f"{n} ".ljust(2000, "x"), language="en")
    assert speaks.ready("hello", language="en") is not None
    assert speaks.ready("x" * 2000, language="en") is None
    assert sum(path.stat().st_size for path in (tmp_path / "speech").iterdir()) <= 1_000_000


async def test_preparing_gives_up_on_a_voice_that_is_not_there(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.error = "gone"
    errors = await speaker(tmp_path, voice).prepare([(f"{n}", "en", "") for n in range(50)])
    assert len(errors) == len(voice.said) == 3


async def test_preparing_passes_over_what_cannot_be_said(tmp_path: Path) -> None:
    voice = CountingVoice()
    texts = [("x" * 3000, "en", "") for _ in range(5)] + [
        ("", "en", ""),
        ("a", "en", "../x"),
        ("good", "en", ""),
    ]
    errors = await speaker(tmp_path, voice).prepare(texts)
    assert len(errors) == 3  # the long one stands there once
    assert voice.said == [("good", "en", "")]


async def test_no_file_is_ever_half_there(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.write_text("a file where the folder should be")
    with pytest.raises(SpeechError, match=r"\[speech\] cache"):
        await speaker(tmp_path, CountingVoice()).speak("hello", language="en")
    folder.unlink()
    await speaker(tmp_path, CountingVoice()).speak("hello", language="en")
    [path] = folder.iterdir()
    assert path.suffix == ".wav"
    assert (path.stat().st_mode | folder.stat().st_mode) & 0o027 == 0


async def test_what_a_crash_has_left_is_thrown_away(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.mkdir()
    old, young = folder / ".a.wav.1.1.tmp", folder / ".b.wav.1.2.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    await speaker(tmp_path, CountingVoice()).speak("hello", language="en")
    assert sorted(path.suffix for path in folder.iterdir()) == [".tmp", ".wav"]
    assert young.exists()


async def test_the_end_stops_what_is_spoken(tmp_path: Path) -> None:
    voice = CountingVoice()
    voice.seconds = 5.0
    speaks = speaker(tmp_path, voice)
    waiting = asyncio.create_task(speaks.speak("hello", language="en"))
    await asyncio.sleep(1)
    await speaks.close()
    with pytest.raises(SpeechError, match="stopped"):
        await waiting
    assert voice.closed
    assert voice.open == 0


def test_engines_are_found_by_name() -> None:
    assert type(make_voice(SpeechSettings())).__name__ == "EspeakVoice"
    with pytest.raises(ConfigError, match="known: espeak, http, sherpa"):
        make_voice(SpeechSettings(engine="parrot"))
    for engine, key in (("http", r"speech\.http\.url"), ("sherpa", r"speech\.sherpa\.model")):
        with pytest.raises(ConfigError, match=key):
            make_voice(SpeechSettings(engine=engine))
