"""The engines: a program, a server on loopback, and a model in the place of which a stand-in speaks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import shutil
import stat
import struct
import sys
import time
import types
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from sipcc.ivr.speech import Speaker, SpeechError, SpeechSettings
from sipcc.ivr.speech.settings import EspeakSettings, HttpVoiceSettings, SherpaSettings
from sipcc.ivr.speech.voice import WavReader, wav_header

pytestmark = pytest.mark.realtime

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def seconds(path: str) -> float:
    with wave.open(path) as file:
        return file.getnframes() / file.getframerate()


def program(folder: Path, body: str) -> EspeakSettings:
    """A program in the place of espeak-ng."""
    path = folder / "espeak"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return EspeakSettings(program=str(path))


# -- WAV ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 7, 44, 1000])
@pytest.mark.parametrize("told", [0, 400, 0x7FFFF000])
def test_a_wav_may_come_in_any_pieces(size: int, told: int) -> None:
    samples = bytes(range(200)) * 2
    data = wav_header(22050, told)[:36] + b"LIST\3\0\0\0abc\0" + b"data" + struct.pack("<I", told) + samples
    data += b"LIST" if told == 400 else b""
    reader = WavReader()
    heard = b"".join(reader.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert (heard, reader.rate_hz) == (samples, 22050)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"<html>error</html>", "no WAV"),
        (b"ID3\4" + bytes(20), "no WAV"),
        (wav_header(8000, 10).replace(b"\x01\x00\x01\x00", b"\x07\x00\x01\x00"), "coding 7"),
        (wav_header(8000, 10)[:22] + b"\2" + wav_header(8000, 10)[23:], "2 channels"),
        (wav_header(100, 10), "100 Hz"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0", "before their format"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\1\0" + bytes(70_000), "no samples"),
    ],
)
def test_what_is_no_wav_of_16_bits(data: bytes, cause: str) -> None:
    with pytest.raises(SpeechError, match=cause):
        WavReader().feed(data)


# -- espeak-ng ---------------------------------------------------------------------------------------------


@needs_espeak
@pytest.mark.parametrize(
    ("text", "language", "least"),
    [
        ("Your order is on its way.", "en", 1.0),
        ("您好，欢迎致电。", "zh-CN", 1.0),
        ("<prompt> & $(touch /tmp/x); `id` -v --help", "en-GB", 0.5),
        ("-w /etc/passwd", "en", 0.5),
        ("Guten Tag.", "de", 0.5),
    ],
)
async def test_espeak_speaks(text: str, language: str, least: float, tmp_path: Path) -> None:
    speaks = Speaker(SpeechSettings(cache=str(tmp_path)))
    path = await speaks.speak(text, language=language)
    assert seconds(path) > least
    async with await speaks.stream(text, language=language) as speech:
        heard = sum([len(piece) async for piece in speech])
    assert heard / speech.rate_hz / 2 == pytest.approx(seconds(path), abs=0.001)
    await speaks.close()


@needs_espeak
async def test_speed_and_voice_are_heard(tmp_path: Path) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    slow = Speaker(SpeechSettings(cache=str(tmp_path), speed=0.5))
    fast = Speaker(SpeechSettings(cache=str(tmp_path), speed=2.0))
    taken = [seconds(await one.speak(text, language="en")) for one in (slow, fast)]
    assert taken[0] > 2 * taken[1]


async def test_a_program_that_is_not_there_is_told_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), espeak=EspeakSettings(program="no-such-espeak")))
    with pytest.raises(SpeechError, match=r"'no-such-espeak' is not there.*pip install"):
        await speaks.speak("hello", language="en")


async def test_the_library_speaks_where_there_is_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its package has to be installed; else the shape of the call to it is all that is tried."""
    pytest.importorskip("espeakng_loader")
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), espeak=EspeakSettings(program="no-such-espeak")))
    assert seconds(await speaks.speak("Your order is on its way.", language="en")) > 1.0
    assert seconds(await speaks.speak("您好，欢迎致电。", language="zh-CN")) > 1.0


async def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "pid"
    hangs = program(
        tmp_path, f"open({str(log)!r}, 'w').write(str(os.getpid()))\nsys.stdin.read()\ntime.sleep(600)"
    )
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), espeak=hangs, timeout=0.5))
    with pytest.raises(SpeechError, match=r"longer than 0\.5 s"):
        await speaks.speak("hello", language="en")
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


async def test_a_program_that_crashes_is_told(tmp_path: Path) -> None:
    crashes = program(tmp_path, "sys.exit(3)")
    with pytest.raises(SpeechError, match="said nothing"):
        await Speaker(SpeechSettings(cache=str(tmp_path), espeak=crashes)).speak("hello", language="en")
    head = wav_header(8000, 0x7FFFF000)
    halves = program(
        tmp_path, f"sys.stdout.buffer.write({head!r} + bytes(800))\nsys.stdout.flush()\nsys.exit(3)"
    )
    with pytest.raises(SpeechError, match="status 3"):
        await Speaker(SpeechSettings(cache=str(tmp_path), espeak=halves)).speak("hello", language="en")
    assert [name for name in os.listdir(tmp_path) if name.endswith(".wav")] == []


async def test_leaving_a_stream_early_kills_the_program(tmp_path: Path) -> None:
    head = wav_header(8000, 0x7FFFF000)
    endless = program(
        tmp_path, f"out = sys.stdout.buffer\nout.write({head!r})\nwhile True:\n    out.write(bytes(16000))"
    )
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), espeak=endless))
    heard = 0
    async with await speaks.stream("hello", language="en") as speech:
        async for piece in speech:
            heard += len(piece)
            if heard > 100_000:
                break
    await speaks.close()


# -- HTTP --------------------------------------------------------------------------------------------------

Answer = Callable[[dict[str, object]], list[bytes]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[tuple[str, dict[str, object]]]]]:
    """A server that sends what `answer` says, in these pieces; and what it was sent."""
    asked: list[tuple[str, dict[str, object]]] = []
    serving: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")
        )
        body = json.loads(await reader.readexactly(length))
        asked.append((head, body))
        for piece in answer(body):
            with contextlib.suppress(ConnectionError):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1/audio/speech", asked
    finally:
        listening.close()
        await listening.wait_closed()
        await asyncio.gather(*serving)


def reply(body: bytes, kind: str = "audio/wav", status: str = "200 OK") -> list[bytes]:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
    return [head, body[:50], body[50:]]


def tone(rate_hz: int) -> bytes:
    return b"".join(
        struct.pack("<h", round(9000 * math.sin(n / rate_hz * 440 * math.tau))) for n in range(rate_hz)
    )


async def test_a_server_of_the_form_of_openai(tmp_path: Path) -> None:
    samples = tone(24000)
    async with server(lambda body: reply(wav_header(24000, len(samples)) + samples)) as (url, asked):
        http = HttpVoiceSettings(url=url, authorization="Bearer secret-token")
        speaks = Speaker(
            SpeechSettings(cache=str(tmp_path), engine="http", http=http, voices={"zh": "nova"}, speed=1.25)
        )
        path = await speaks.speak("你好", language="zh-CN")
        async with await speaks.stream("hello", language="en") as speech:
            assert b"".join([piece async for piece in speech]) == samples
        await speaks.close()
    assert seconds(path) == 1.0
    heads, bodies = zip(*asked, strict=True)
    assert "authorization: bearer secret-token" in heads[0].lower()
    assert bodies[0] == {
        "model": "tts-1",
        "input": "你好",
        "voice": "nova",
        "response_format": "wav",
        "speed": 1.25,
    }
    assert bodies[1]["voice"] == "alloy"


async def test_a_server_of_the_simple_form_that_sends_bare_samples(tmp_path: Path) -> None:
    async with server(lambda body: reply(tone(16000), "audio/pcm; rate=16000")) as (url, asked):
        http = HttpVoiceSettings(url=url, form="plain")
        speaks = Speaker(SpeechSettings(cache=str(tmp_path), engine="http", http=http))
        assert seconds(await speaks.speak("hello", language="en", voice="amy")) == 1.0
        await speaks.close()
    assert asked[0][1] == {"text": "hello", "language": "en", "voice": "amy", "speed": 1.0}


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda body: reply(b"no", "text/plain", "401 Unauthorized"), "status 401"),
        (lambda body: reply(b"", "audio/wav", "307 Moved\r\nLocation: http://10.0.0.1/"), "status 307"),
        (lambda body: reply(b"<html>hello</html>", "text/html"), "no WAV"),
        (lambda body: reply(b""), "without any sound"),
        (lambda body: [b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"], "127.0.0.1"),
        (lambda body: [b"what?\r\n\r\n"], "127.0.0.1"),
    ],
)
async def test_a_server_that_does_not_speak(answer: Answer, cause: str, tmp_path: Path) -> None:
    async with server(answer) as (url, _):
        settings = SpeechSettings(cache=str(tmp_path), engine="http", http=HttpVoiceSettings(url=url))
        speaks = Speaker(settings)
        with pytest.raises(SpeechError, match=cause):
            await speaks.speak("a text that nobody logs", language="en")
        await speaks.close()
    assert os.listdir(tmp_path) == []


async def test_a_server_that_is_not_there_or_late(tmp_path: Path) -> None:
    http = HttpVoiceSettings(url="http://127.0.0.1:1/v1/audio/speech")
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), engine="http", http=http))
    with pytest.raises(SpeechError, match=r"127\.0\.0\.1:1"):
        await speaks.speak("hello", language="en")
    await speaks.close()

    released, over = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    late = SpeechSettings(cache=str(tmp_path), engine="http", http=HttpVoiceSettings(url=url), timeout=0.3)
    speaks = Speaker(late)
    began = time.monotonic()
    with pytest.raises(SpeechError, match=r"longer than 0\.3 s"):
        await speaks.speak("hello", language="en")
    assert time.monotonic() - began < 15
    await speaks.close()
    released.set()
    await over.wait()
    listening.close()
    await listening.wait_closed()


# -- sherpa-onnx -------------------------------------------------------------------------------------------


class StandIn(types.ModuleType):
    """Has the names of the package that we use, as its documentation and examples have them."""

    def __init__(self) -> None:
        super().__init__("sherpa_onnx")
        self.made: list[object] = []
        self.good = True
        self.sentences = 3
        self.stopped_after = 0
        for name in ("Vits", "Matcha", "Kokoro"):
            setattr(self, f"OfflineTts{name}ModelConfig", lambda **given: types.SimpleNamespace(**given))
        self.OfflineTtsModelConfig = lambda **given: types.SimpleNamespace(**given)
        self.OfflineTtsConfig = self._config
        self.OfflineTts = self._tts

    def _config(self, **given: object) -> types.SimpleNamespace:
        self.made.append(given)
        return types.SimpleNamespace(**given, validate=lambda: self.good)

    def _tts(self, config: object) -> types.SimpleNamespace:
        return types.SimpleNamespace(sample_rate=16000, generate=self._generate)

    def _generate(
        self, text: str, sid: int, speed: float, callback: Callable[[list[float], float], int]
    ) -> types.SimpleNamespace:
        self.made.append((text, sid, speed))
        for n in range(self.sentences):
            if callback([0.5] * 1600 + [2.0], n / self.sentences) == 0:
                self.stopped_after = n + 1
                break
        return types.SimpleNamespace(samples=[], sample_rate=16000)


@pytest.fixture
def sherpa(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    module = StandIn()
    monkeypatch.setitem(sys.modules, "sherpa_onnx", module)
    return module


MODEL = SherpaSettings(model="model.onnx", tokens="tokens.txt", data_dir="espeak-ng-data")


async def test_a_model_speaks_sentence_by_sentence(tmp_path: Path, sherpa: StandIn) -> None:
    settings = SpeechSettings(
        cache=str(tmp_path), engine="sherpa", sherpa=MODEL, voices={"zh": "21"}, speed=0.9
    )
    speaks = Speaker(settings)
    path = await speaks.speak("你好", language="zh-CN")
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnframes()) == (16000, 3 * 1601)
        assert struct.unpack("<2h", file.readframes(1601)[-4:]) == (16384, 32767)  # too loud is cut
    assert sherpa.made[-1] == ("你好", 21, 0.9)
    config = sherpa.made[0]
    assert isinstance(config, dict)
    assert config["model"].vits.model == "model.onnx"
    with pytest.raises(SpeechError, match="no number of a speaker"):
        await speaks.speak("hello", language="en", voice="amy")


@pytest.mark.parametrize("kind", ["vits", "matcha", "kokoro"])
async def test_each_family_of_models(kind: str, tmp_path: Path, sherpa: StandIn) -> None:
    model = msgspec.structs.replace(MODEL, kind=kind, vocoder="v.onnx", voices="voices.bin")
    settings = SpeechSettings(cache=str(tmp_path), engine="sherpa", sherpa=model)
    await Speaker(settings).speak("hello", language="en")
    made = sherpa.made[0]
    assert isinstance(made, dict)
    part = getattr(made["model"], kind)
    assert getattr(part, "acoustic_model" if kind == "matcha" else "model") == "model.onnx"


async def test_leaving_early_stops_the_model(tmp_path: Path, sherpa: StandIn) -> None:
    sherpa.sentences = 1_000_000
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), engine="sherpa", sherpa=MODEL))
    async with await speaks.stream("hello", language="en") as speech:
        async for _ in speech:
            break
    assert 0 < sherpa.stopped_after < sherpa.sentences


async def test_a_model_that_cannot_be_used(
    tmp_path: Path, sherpa: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sherpa.good = False
    speaks = Speaker(SpeechSettings(cache=str(tmp_path), engine="sherpa", sherpa=MODEL))
    with pytest.raises(SpeechError, match=r"cannot use the model model\.onnx"):
        await speaks.speak("hello", language="en")
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    with pytest.raises(SpeechError, match="pip install sherpa-onnx"):
        await speaks.speak("hello", language="en")


@needs_espeak
@pytest.mark.parametrize(
    ("text", "language"), [("Your order is on its way.", "en"), ("您好，欢迎致电。", "zh")]
)
async def test_espeak_is_about_as_loud_as_the_recorded_prompts(
    text: str, language: str, tmp_path: Path
) -> None:
    path = await Speaker(SpeechSettings(cache=str(tmp_path))).speak(text, language=language)
    with wave.open(path) as file:
        samples = array("h", file.readframes(file.getnframes()))
    level_db = 10 * math.log10(sum(one * one for one in samples) / len(samples) / 32768**2)
    assert -30 < level_db < -20
    assert max(map(abs, samples)) < 30_000
