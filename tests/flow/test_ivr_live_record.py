"""Messages, voices and long prompts on a real call: what is recorded, understood and sent."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from tests.flow.centre import CONFIG, WELCOME_HZ
from tests.flow.test_ivr_live import LINE, centre_with

from sipcc.call.digits import CollectSettings, OptionsMatcher
from sipcc.ivr.live import LiveSession
from sipcc.ivr.services import Services, Understood
from sipcc.ivr.steps import (
    Gather,
    Gathered,
    Heard,
    Listen,
    Named,
    Played,
    Prompt,
    Record,
    Recorded,
    Value,
    named,
)
from sipcc.rtp.codec import g711
from sipcc.rtp.flow import CodecName
from sipcc.testing import audio
from sipcc.testing.audio import Samples, tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.media import PAYLOAD_TYPES


def read(path: str) -> Samples:
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 8000
    assert samples.ndim == 1
    return np.asarray(samples, dtype=np.int16)


async def recorded(
    folder: Path, step: Record, act: Callable[[FakeCall], Awaitable[None]]
) -> tuple[Recorded, list[object]]:
    """One caller who is recorded by `step`, and does `act` from the moment in which it may speak."""
    results: list[Recorded] = []

    async def work(session: LiveSession) -> None:
        results.append(await session.record(step))

    async with centre_with(folder, work) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.hears(1000.0)
        await act(caller)
        await caller.ended(timeout=30)
        events: list[object] = list(centre.events)
    [result] = results
    return result, events


async def test_a_key_ends_a_message_and_is_not_in_it(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say(np.concatenate([tone(700, 1.5), tone(1100, 1.5), audio.silence(30)]))
        await asyncio.sleep(3.5)
        await caller.press("#")

    result, _ = await recorded(tmp_path, Record(), act)
    assert (result.ended_by, result.key) == ("key", "#")
    said = read(result.path)
    assert abs(len(said) / 8000 - result.seconds) < 0.02
    assert result.size_bytes == 2 * len(said) + 44
    loud = [round(freq) for freq in audio.find_tones(said)]
    assert sorted(loud[:2]) == [700, 1100]
    assert 697 not in loud
    assert abs(len(np.flatnonzero(np.abs(said) > 500)) / 8000 - 3.0) < 0.4


async def test_keys_that_come_as_tones_are_not_in_the_message_either(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        key = (tone(941, 0.3).astype(int) + tone(1477, 0.3)).clip(-32768, 32767).astype(np.int16)
        caller.media.say(np.concatenate([tone(700, 1.0), audio.silence(0.2), key, audio.silence(30)]))

    results: list[Recorded] = []

    async def work(session: LiveSession) -> None:
        results.append(await session.record(Record(max_time=8)))

    inband = CONFIG.replace('name = "carrier"', 'name = "carrier"\ndtmf = "inband"')
    async with centre_with(tmp_path, work, config=inband) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.hears(1000.0)
        await act(caller)
        await caller.ended(timeout=30)
    [result] = results
    assert (result.ended_by, result.key) == ("key", "#")
    assert [round(hz) for hz in audio.find_tones(read(result.path), count=1)] == [700]
    assert not {941, 1477} & {round(hz) for hz in audio.find_tones(read(result.path))}


async def test_silence_ends_a_message(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say(np.concatenate([tone(700, 2.0), audio.silence(30)]))

    result, _ = await recorded(tmp_path, Record(final_silence=1.5, timeout=4.0), act)
    assert result.ended_by == "silence"
    assert 3.4 < result.seconds < 4.2


async def test_who_says_nothing_leaves_no_message(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await asyncio.sleep(0)

    result, _ = await recorded(tmp_path, Record(timeout=2.0), act)
    assert result == Recorded(ended_by="noinput")
    assert list((tmp_path / "recordings").rglob("*.wav")) == []


async def test_the_longest_message_ends_by_itself(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say_tone(700)

    result, _ = await recorded(tmp_path, Record(max_time=7.0), act)
    assert (result.ended_by, result.seconds) == ("max_time", 7.0)


async def test_what_was_said_before_a_hang_up_is_there(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say_tone(700)
        await asyncio.sleep(2)
        await caller.hangup()

    result, _ = await recorded(tmp_path, Record(), act)
    assert result.ended_by == "hangup"
    assert 1.7 < result.seconds < 2.2
    assert [round(hz) for hz in audio.find_tones(read(result.path), count=1)] == [700]


async def test_a_disk_that_refuses_ends_the_message_and_not_the_call(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await asyncio.sleep(0)

    (tmp_path / "file").write_text("")
    result, _ = await recorded(tmp_path, Record(path=str(tmp_path / "file" / "message.wav")), act)
    assert result == Recorded(ended_by="failed")


async def test_a_greeting_may_be_skipped_and_the_beep_still_comes(tmp_path: Path) -> None:
    results: list[Recorded] = []

    async def work(session: LiveSession) -> None:
        results.append(await session.record(Record(prompts=named("welcome"), max_time=1)))

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("#")
        await caller.hears(1000.0, timeout=1.0)
        await caller.ended()
    assert [result.ended_by for result in results] == ["max_time"]


# -- the voice ----------------------------------------------------------------------------------------------


class Scripted:
    """Understands what it was told, after half a second of whatever is loud."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.cancelled = 0

    async def recognise(
        self,
        frames: AsyncIterator[bytes],
        step: Listen,
        *,
        language: str,
        on_speech: Callable[[], None],
    ) -> Understood:
        loud = 0
        try:
            async for frame in frames:
                loud += np.abs(np.frombuffer(frame, dtype="<i2")).max() > 1000
                if loud == 25:
                    break
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        text = self.texts.pop(0)
        accepts = step.accepts is None or step.accepts(text)
        return Understood(outcome="match" if accepts else "nomatch", heard=(Heard(text),))


async def asked(
    folder: Path, step: Gather, ear: Scripted, act: Callable[[FakeCall], Awaitable[None]]
) -> Gathered:
    """The answer to `step` of a caller who does `act`."""
    answers: list[Gathered] = []

    async def work(session: LiveSession) -> None:
        answers.append(await session.gather(step))

    async with centre_with(folder, work, services=Services(recogniser=ear)) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.hears(WELCOME_HZ)
        await act(caller)
        await caller.ended(timeout=30)
    [answer] = answers
    return answer


BILL = Listen(accepts=lambda text: text == "bill")


async def speaks(caller: FakeCall) -> None:
    await asyncio.sleep(0.5)
    caller.media.say(np.concatenate([tone(300, 3.0), audio.silence(30)]))


async def test_the_voice_cuts_the_prompt_and_is_the_answer(tmp_path: Path) -> None:
    step = Gather(prompts=named("welcome"), listen=BILL, keys=OptionsMatcher({"1"}))
    answer = await asked(tmp_path, step, Scripted("bill"), speaks)
    assert (answer.outcome, answer.heard, answer.barged) == ("speech", (Heard("bill"),), True)
    assert 0.4 < answer.played.seconds < 1.0


async def test_what_was_said_is_kept_as_a_file_when_that_is_wanted(tmp_path: Path) -> None:
    step = Gather(prompts=named("welcome"), listen=Listen(record=True))
    answer = await asked(tmp_path, step, Scripted("bill"), speaks)
    said = read(answer.recording)
    assert [round(hz) for hz in audio.find_tones(said, count=1)] == [300]
    assert 0.5 < len(said) / 8000 < 1.2
    (tmp_path / "again").mkdir()
    secret = msgspec.structs.replace(step, collect=CollectSettings(secret=True))
    assert (await asked(tmp_path / "again", secret, Scripted("bill"), speaks)).recording == ""


def bare(path: Path) -> audio.Samples:
    """What is in a file of A-law, which stands there alone."""
    assert not list(path.parent.glob("*.wav"))
    return g711.decode(path.read_bytes(), "PCMA")


async def test_what_was_said_may_be_kept_as_bare_g711(tmp_path: Path) -> None:
    step = Gather(prompts=named("welcome"), listen=Listen(record=True, coding="alaw"))
    answer = await asked(tmp_path, step, Scripted("bill"), speaks)
    assert answer.recording.endswith(".alaw")
    said = bare(Path(answer.recording))
    assert [round(hz) for hz in audio.find_tones(said, count=1)] == [300]


async def test_a_key_is_the_answer_though_the_caller_is_listened_to(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await caller.press("1")

    ear = Scripted("bill")
    step = Gather(prompts=named("welcome"), listen=BILL, keys=OptionsMatcher({"1"}))
    answer = await asked(tmp_path, step, ear, act)
    assert (answer.outcome, answer.keys) == ("keys", "1")
    assert ear.cancelled == 1


@pytest.mark.parametrize(("at", "answered"), [(0.3, 0.3), (2.6, 4.0)])
async def test_a_prompt_between_others_may_not_be_cut(tmp_path: Path, at: float, answered: float) -> None:
    """Three prompts of two seconds each; the caller speaks for three seconds."""

    async def act(caller: FakeCall) -> None:
        await asyncio.sleep(at)
        caller.media.say(np.concatenate([tone(300, 3.0), audio.silence(30)]))

    prompts = tuple(Prompt(items=(Named("welcome"),), bargein=cut) for cut in ("any", "off", "any"))
    step = Gather(
        prompts=prompts, listen=BILL, keys=OptionsMatcher({"1"}), collect=CollectSettings(deaf=True)
    )
    answer = await asked(tmp_path, step, Scripted("bill"), act)
    assert (answer.outcome, answer.barged) == ("speech", True)
    assert answered - 0.1 < answer.played.seconds < answered + 0.6


async def test_who_typed_in_vain_is_listened_to(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await caller.press("1")
        await asyncio.sleep(2)
        caller.media.say(np.concatenate([tone(300, 3.0), audio.silence(30)]))

    step = Gather(
        prompts=named("welcome", bargein="off"),
        listen=BILL,
        keys=OptionsMatcher({"1"}),
        collect=CollectSettings(deaf=True),
    )
    answer = await asked(tmp_path, step, Scripted("bill"), act)
    assert (answer.outcome, answer.heard) == ("speech", (Heard("bill"),))


async def test_a_hot_word_cuts_and_other_words_do_not(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say(np.concatenate([tone(300, 3.0), audio.silence(30)]))

    prompt = Prompt(items=(Named("welcome"),) * 4, hotword=True, bargein="speech")
    step = Gather(prompts=(prompt,), listen=BILL)
    answer = await asked(tmp_path, step, Scripted("well", "bill"), act)
    assert (answer.outcome, answer.barged) == ("speech", True)
    assert 1.0 < answer.played.seconds < 1.8


async def test_where_keys_alone_may_cut_the_voice_does_not(tmp_path: Path) -> None:
    step = Gather(prompts=named("welcome", bargein="keys"), listen=BILL, collect=CollectSettings(timeout=3))
    answer = await asked(tmp_path, step, Scripted("what"), speaks)
    assert (answer.outcome, answer.heard) == ("nomatch", (Heard("what"),))
    assert answer.played.complete


async def test_who_says_nothing_is_told_from_who_is_not_understood(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await asyncio.sleep(0)

    step = Gather(prompts=named("welcome"), listen=BILL, collect=CollectSettings(timeout=2))
    assert (await asked(tmp_path, step, Scripted(), act)).outcome == "noinput"


async def recorded_hearing(
    folder: Path, ear: Scripted, act: Callable[[FakeCall], Awaitable[None]]
) -> Recorded:
    """Who is recorded and listened to, and does `act` then."""
    told: list[Recorded] = []

    async def work(session: LiveSession) -> None:
        told.append(await session.record(Record(listen=BILL, max_time=9)))

    async with centre_with(folder, work, services=Services(recogniser=ear)) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        await caller.hears(1000.0)
        await act(caller)
        await caller.ended(timeout=30)
    [result] = told
    return result


async def test_words_end_a_message_and_other_words_do_not(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        caller.media.say(np.concatenate([tone(700, 3.0), audio.silence(30)]))

    result = await recorded_hearing(tmp_path, Scripted("well", "bill"), act)
    assert (result.ended_by, result.heard) == ("speech", (Heard("bill"),))
    assert 1.0 < result.seconds < 3.0
    assert [round(hz) for hz in audio.find_tones(read(result.path), count=1)] == [700]


async def test_who_ends_a_message_by_a_key_is_listened_to_no_more(tmp_path: Path) -> None:
    async def act(caller: FakeCall) -> None:
        await asyncio.sleep(1)
        await caller.press("#")

    ear = Scripted("bill")
    result = await recorded_hearing(tmp_path, ear, act)
    assert (result.ended_by, result.heard, ear.cancelled) == ("key", (), 1)


# -- what is sent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["PCMU", "PCMA", "G722", "opus"])
async def test_two_hundred_fragments_are_one_unbroken_stream(tmp_path: Path, codec: CodecName) -> None:
    played: list[Played] = []
    seconds = [random.Random(7).choice((0.04, 0.1, 0.2, 0.34)) for _ in range(200)]

    async def work(session: LiveSession) -> None:
        played.append(await session.play([Prompt(items=(Named(f"f{at}"),)) for at in range(200)]))

    config = CONFIG.replace("[media]", '[media]\ncodecs = ["opus", "G722", "PCMA", "PCMU"]')
    async with centre_with(tmp_path, work, config=config) as centre:
        for at, length in enumerate(seconds):
            write_wav(tmp_path / "prompts" / f"f{at}.wav", tone(WELCOME_HZ, length))
        centre.carrier.codecs = (codec,)
        caller = await centre.carrier.call(LINE)
        await caller.ended(timeout=90)
        assert caller.media.breaks() == []
        assert {each.payload_type for each in caller.media.received} == {PAYLOAD_TYPES[codec]}
        steps = {
            (after.timestamp - before.timestamp) % 2**32
            for before, after in itertools.pairwise(caller.media.received)
        }
        assert len(steps) == 1  # no hole in time
        heard = caller.media.heard(sum(seconds) + 2)
    assert abs(played[0].seconds - sum(seconds)) < 0.03
    loud = np.flatnonzero(np.abs(heard) > 2000)
    inside = heard[loud[0] : loud[-1]]
    assert audio.silent_runs(inside, at_least_s=0.02) == []


async def test_languages_and_holds_do_not_break_the_stream(tmp_path: Path) -> None:
    async def work(session: LiveSession) -> None:
        for language in ("zh-CN", "en"):
            session.language = language
            items = (Value("number", "12345"), Value("money", "12.50"), Named("welcome"))
            await session.play((Prompt(items=items),))

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await asyncio.sleep(3)
        assert await caller.hold() == 200
        await asyncio.sleep(1)
        assert await caller.resume() == 200
        await caller.ended(timeout=60)
        assert caller.media.breaks() == []


# -- how soon -----------------------------------------------------------------------------------------------


async def test_a_prompt_is_silent_within_40_ms_of_the_key(tmp_path: Path) -> None:
    """In the clock of the loop: what the engine adds; `benchmarks` measure it on a real one."""
    gaps: list[float] = []

    async def work(session: LiveSession) -> None:
        while True:
            await session.gather(Gather(prompts=named("welcome"), keys=OptionsMatcher({"1"})))
            await session.wait(1.0)

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        chance = random.Random(3)
        for _ in range(20):
            await caller.hears(WELCOME_HZ, seconds=0.1)
            await asyncio.sleep(chance.random() * 0.2)
            pressed = asyncio.get_running_loop().time()
            await caller.press("1")
            await caller.hears_silence()
            loud = [
                each.at
                for each in caller.media.received[-200:]
                if each.at > pressed and np.abs(g711.decode(each.payload, "PCMU")).max() > 500
            ]
            gaps.append(max(loud, default=pressed) - pressed)
        await caller.hangup()
    assert max(gaps) <= 0.04


async def test_a_prompt_is_silent_soon_after_the_voice_began(tmp_path: Path) -> None:
    gaps: list[float] = []

    async def work(session: LiveSession) -> None:
        while True:
            step = Gather(prompts=named("welcome"), listen=Listen())
            await session.gather(step)
            await session.wait(1.0)

    services = Services(recogniser=Scripted(*["bill"] * 20))
    async with centre_with(tmp_path, work, services=services) as centre:
        caller = await centre.carrier.call(LINE)
        caller.media.be_silent()
        chance = random.Random(3)
        for _ in range(15):
            await caller.hears(WELCOME_HZ, seconds=0.1)
            await asyncio.sleep(0.3 + chance.random() * 0.2)
            spoke = asyncio.get_running_loop().time()
            caller.media.say(np.concatenate([tone(300, 1.0), audio.silence(30)]))
            await asyncio.sleep(0.5)
            loud = [
                each.at
                for each in caller.media.received[-60:]
                if each.at > spoke and np.abs(g711.decode(each.payload, "PCMU")).max() > 500
            ]
            gaps.append(max(loud, default=spoke) - spoke)
            await asyncio.sleep(0.6)
            caller.media.be_silent()
        await caller.hangup()
    assert max(gaps) <= 0.06
