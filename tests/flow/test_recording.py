"""What a program and the settings do with recordings and prompts, as whole calls with proof by tones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc import Call
from sipcc.call.events import (
    CallEndedEvent,
    PromptUnplayable,
    RecordingFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
)
from sipcc.errors import LocalProtocolError
from sipcc.rtp import tones
from sipcc.testing import audio
from sipcc.testing.audio import read_stereo, tone, write_wav
from sipcc.testing.fakecall import FakeCall

NUMBER = "4008127777"
Handler = Callable[[Call], Awaitable[None]]


def recording(text: str) -> str:
    """The configuration with a section for recordings."""
    return CONFIG.replace("[ivr]", f"[media.recording]\n{text}\n[ivr]", 1)


def told(centre: Centre, *kinds: type) -> list[object]:
    return [event for event in centre.events if isinstance(event, kinds)]


async def talk(centre: Centre, number: str = NUMBER) -> tuple[FakeCall, FakeCall]:
    """A caller and alice, who hear each other."""
    alice = await centre.phone("1001")
    caller = await centre.carrier.call(number)
    await caller.answered(timeout=30)
    peer = await alice.next_call()
    await peer.answered()
    await caller.hears(AGENT_HZ["1001"])
    await peer.hears(CALLER_HZ)
    return caller, peer


def drawn_in(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


def runs(side: audio.Samples) -> list[tuple[int, float]]:
    """(Hz, seconds) of each stretch of a recording in which one tone stands out."""
    return [
        (round(found.frequency_hz / 10) * 10, found.duration_ms / 1000)
        for found in tones.find_tones(side.astype(np.int16))
        if found.duration_ms > 100
    ]


def nearly(*expected: tuple[int, float]) -> list[object]:
    return [(hz, pytest.approx(seconds, abs=0.2)) for hz, seconds in expected]


async def test_a_program_pauses_the_recording_and_says_why(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        with pytest.raises(LocalProtocolError):
            call.pause_recording("nothing runs")
        call.record()
        leg = await call.dial("1001")

        async def card() -> None:
            await asyncio.sleep(3)
            call.pause_recording("card number", mark=True)
            call.pause_recording("card number")
            await asyncio.sleep(4)
            call.resume_recording()
            call.resume_recording()

        side = asyncio.ensure_future(card())
        await call.bridge(leg)
        await side

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        caller, _ = await talk(centre)
        await asyncio.sleep(9)
        await caller.hangup()
        await asyncio.sleep(3)
        kinds = (RecordingStarted, RecordingPaused, RecordingResumed, RecordingFinished)
        events = told(centre, *kinds)
        assert [type(event) for event in events] == list(kinds)
        _, paused, resumed, finished = events
        assert isinstance(paused, RecordingPaused)
        assert paused.reason == "card number"
        assert isinstance(finished, RecordingFinished)
        started_at = events[0].at  # type: ignore[attr-defined]
        left, right, _ = read_stereo(finished.path)
        assert len(left) / 8000 == pytest.approx(finished.seconds, abs=0.001)
        ended = told(centre, CallEndedEvent)[0].at  # type: ignore[attr-defined]
        assert finished.seconds == pytest.approx(ended - started_at, abs=0.05)
        gap = resumed.at - paused.at  # type: ignore[attr-defined]
        begun = paused.at - started_at
        assert [hz for hz, _ in runs(left)] == [CALLER_HZ]  # which is 1 kHz, as the mark
        quiet, heard = right[: round(begun * 8000)], right[round(begun * 8000) :]
        assert runs(quiet)[-1][0] == AGENT_HZ["1001"]
        assert runs(heard)[0] == nearly((1000, gap))[0]
        assert runs(heard)[1][0] == AGENT_HZ["1001"]


async def test_all_parties_hear_the_consent_tone_where_the_settings_want_it(tmp_path: Path) -> None:
    config = recording("consent_tone = 12")

    async def handler(call: Call) -> None:
        await call.answer()
        leg = await call.dial("1001")
        await call.bridge(leg, record=True)

    async with Centre(tmp_path, config=config, apps={NUMBER: handler}) as centre:
        caller, peer = await talk(centre)
        await asyncio.sleep(30)
        for party, other in ((caller, AGENT_HZ["1001"]), (peer, CALLER_HZ)):
            heard = party.media.heard(24.0)
            share = [tones.measure_tone(part.astype(np.int16), 1400.0) > -26 for part in np.split(heard, 240)]
            assert sum(share) == pytest.approx(11, abs=2)  # twice half a second in 24
            assert tones.measure_tone(heard.astype(np.int16), other) > -20
        await caller.hangup()


async def test_a_call_wants_the_consent_tone_or_not_whatever_the_settings_say(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        leg = await call.dial("1001")
        call.record(consent=True)
        await call.bridge(leg)

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        caller, peer = await talk(centre)
        await asyncio.sleep(16)
        for party in (caller, peer):
            heard = party.media.heard(14.0).astype(np.int16)
            assert any(tones.measure_tone(part, 1400.0) > -26 for part in np.split(heard, 140))
        await caller.hangup()


@pytest.mark.parametrize(
    ("policy", "breaks", "lives"),
    [
        ("talk", "at once", True),
        ("refuse", "at once", False),
        ("end", "at once", False),
        ("talk", "later", True),
        ("refuse", "later", True),
        ("end", "later", False),
    ],
)
async def test_a_call_that_cannot_be_recorded(
    tmp_path: Path, policy: str, breaks: str, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sipcc.rtp import recorder

    written = [0]
    write_all = recorder.write_all

    def full(file: object, data: bytes) -> None:
        written[0] += len(data)
        if breaks == "at once" or written[0] > 50_000:
            raise OSError(28, "No space left on device")
        write_all(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "write_all", full)

    async def handler(call: Call) -> None:
        await call.answer()
        leg = await call.dial("1001")
        await call.bridge(leg, record=True)

    config = recording(f'unrecorded = "{policy}"')
    async with Centre(tmp_path, config=config, apps={NUMBER: handler}) as centre:
        alice = await centre.phone("1001")
        caller = await centre.carrier.call(NUMBER)
        await caller.answered(timeout=30)
        peer = await alice.next_call()
        await peer.answered()
        for _ in range(300):  # the thread that writes has another clock
            await asyncio.sleep(0.1)
            if told(centre, RecordingFinished):
                break
        await asyncio.sleep(2)
        [finished] = told(centre, RecordingFinished)
        assert isinstance(finished, RecordingFinished)
        assert finished.reason == "error: No space left on device"
        assert finished.seconds == (0 if breaks == "at once" else pytest.approx(2.7, abs=1.1))
        if lives:
            await caller.hears(AGENT_HZ["1001"])
            await caller.hangup()
            await asyncio.sleep(2)
        [ended] = told(centre, CallEndedEvent)
        assert isinstance(ended, CallEndedEvent)
        assert ended.cause == ("normal" if lives else "unrecorded")
        if finished.seconds:
            left, _, _ = read_stereo(finished.path)  # what was written before can be played
            assert runs(left[4000:]) == nearly((round(CALLER_HZ), finished.seconds - 0.5))


async def test_each_recording_of_a_call_has_its_own_file(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        for seconds in (2, 3):
            assert call.record() == call.record() == call.recording
            await call.wait(seconds)
            await call.stop_recording()
        await call.hangup()

    async with Centre(tmp_path, config=recording('format = "flac"'), apps={NUMBER: handler}) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.ended()
        await asyncio.sleep(5)
        stored = [event for event in centre.events if isinstance(event, RecordingStored)]
        lengths = [soundfile.info(event.stored).duration for event in stored]
        assert lengths == [pytest.approx(2, abs=0.05), pytest.approx(3, abs=0.05)]
        assert len({event.path for event in stored}) == 2


@pytest.mark.parametrize(("format", "suffix"), [("flac", ".flac"), ("opus", ".ogg")])
async def test_a_recording_is_compressed_after_the_call(tmp_path: Path, format: str, suffix: str) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        leg = await call.dial("1001")
        await call.bridge(leg, record=True)

    config = recording(f'format = "{format}"\nwaveform = true')
    async with Centre(tmp_path, config=config, apps={NUMBER: handler}) as centre:
        caller, _ = await talk(centre)
        await asyncio.sleep(5)
        await caller.hangup()
        await asyncio.sleep(5)
        [finished] = told(centre, RecordingFinished)
        [stored] = told(centre, RecordingStored)
        assert isinstance(finished, RecordingFinished)
        assert isinstance(stored, RecordingStored)
        assert (stored.path, stored.error) == (finished.path, "")
        assert stored.stored == finished.path.removesuffix(".wav") + suffix
        assert sorted(path.suffix for path in (tmp_path / "recordings").iterdir()) == sorted(
            [suffix, ".json"]
        )
        samples, rate = soundfile.read(stored.stored, dtype="int16")
        assert len(samples) / rate == pytest.approx(finished.seconds, abs=0.001)
        for column, hz in enumerate((CALLER_HZ, AGENT_HZ["1001"])):
            assert tones.measure_tone(samples[8000:-8000, column], hz) > -12
        drawn = drawn_in(stored.waveform)
        assert drawn["seconds"] == pytest.approx(finished.seconds, abs=0.001)
        assert min(drawn["peaks"][0][50:-50]) > 0.1


async def test_one_recording_follows_the_caller_through_hold_and_transfer(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        call.record()
        leg = await call.dial("1001")
        await call.bridge(leg)

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        await centre.phone("1002")
        caller, alice = await talk(centre)
        await asyncio.sleep(2)
        await alice.hold()
        await caller.hears(MUSIC_HZ)
        await asyncio.sleep(3)
        await alice.resume()
        await caller.hears(AGENT_HZ["1001"])
        await asyncio.sleep(2)
        assert await alice.refer("sip:1002@pbx.example.com") == 202
        await caller.hears(AGENT_HZ["1002"], timeout=20)
        await asyncio.sleep(2)
        await caller.hangup()
        await asyncio.sleep(3)
        [started] = told(centre, RecordingStarted)
        [finished] = told(centre, RecordingFinished)
        assert isinstance(finished, RecordingFinished)
        [ended] = told(centre, CallEndedEvent)
        assert finished.seconds == pytest.approx(ended.at - started.at, abs=0.05)  # type: ignore[attr-defined]
        left, right, _ = read_stereo(finished.path)
        assert len(left) == len(right)
        order = [hz for hz, seconds in runs(right) if seconds > 0.5]
        wanted = [AGENT_HZ["1001"], MUSIC_HZ, AGENT_HZ["1001"], AGENT_HZ["1002"]]
        assert [hz for hz in order if hz in wanted] == wanted


async def test_a_prompt_that_cannot_be_read_is_told_on_the_bus(tmp_path: Path) -> None:
    extra = '[[numbers]]\nnumber = "4008000007"\nto = "play:broken"\n'
    async with Centre(tmp_path, extra=extra) as centre:
        (tmp_path / "prompts" / "broken.wav").write_text("no sound at all")
        caller = await centre.carrier.call("4008000007")
        await caller.answered()
        await caller.hears(520.0)
        [missing] = told(centre, PromptUnplayable)
        assert isinstance(missing, PromptUnplayable)
        assert missing.path == str(tmp_path / "prompts" / "broken.wav")
        assert "Format not recognised" in missing.error
        await caller.hangup()


async def test_prompts_that_go_away_and_change_while_calls_are_up(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        prompt = tmp_path / "prompts" / "welcome.wav"
        first = await centre.carrier.call("4008000004")
        await first.hears(WELCOME_HZ)
        await first.hangup()
        prompt.unlink()
        await asyncio.sleep(3)
        second = await centre.carrier.call("4008000004")
        await second.hears(520.0)
        await second.hangup()
        assert len(told(centre, PromptUnplayable)) == 1
        write_wav(prompt, tone(820.0, 2.0))
        third = await centre.carrier.call("4008000004")
        await third.hears(820.0)
        await third.hangup()


async def test_speech_is_played_while_it_is_made(tmp_path: Path) -> None:
    said: list[float] = []

    async def voice(loop: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
        """30 s of speech at 24 kHz, made four times as fast as it is heard."""
        second = (8000 * np.sin(2 * np.pi * 700 * np.arange(24_000) / 24_000)).astype("<i2").tobytes()
        for _ in range(60):
            await asyncio.sleep(0.125)
            said.append(loop.time())
            yield second[:24_000]

    async def handler(call: Call) -> None:
        await call.answer()
        await call.play_stream(voice(asyncio.get_running_loop()), rate_hz=24_000)
        await call.play("welcome")
        await call.hangup()

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        await caller.hears(700.0, timeout=3)
        await asyncio.sleep(20)
        assert said[-1] > said[0] + 15  # the producer was held back
        await caller.hears(WELCOME_HZ, timeout=20)
        heard = caller.media.heard(4.0, before=3.0).astype(np.int16)
        assert tones.measure_tone(heard, 700.0) > -20


async def test_a_program_pauses_seeks_and_is_hung_up_in_a_stream(tmp_path: Path) -> None:
    ended: list[str] = []

    async def voice() -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0.1)
                yield bytes(3200)
        finally:
            ended.append("voice")

    async def handler(call: Call) -> None:
        await call.answer()
        call.start_playing("welcome", loop=True)
        await call.wait(0.5)
        call.pause_playing()
        await call.wait(1.0)
        call.seek_playing(0.5)
        call.resume_playing()
        await call.wait(1.0)
        await call.play_stream(voice())

    async with Centre(tmp_path, apps={NUMBER: handler}) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        await caller.hears(WELCOME_HZ)
        await asyncio.sleep(1.0)
        assert tones.measure_level(caller.media.heard(0.3).astype(np.int16)) < -50
        await caller.hears(WELCOME_HZ)
        await asyncio.sleep(4.0)
        await caller.hangup()
        await asyncio.sleep(1)
        assert ended == ["voice"]
