"""The steps of an IVR on a real call: heard, typed and answered over SIP and RTP in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre

from sipcc import Call
from sipcc.call import Destination
from sipcc.call.digits import CollectSettings, LengthMatcher, OptionsMatcher
from sipcc.errors import CallEnded, CallRejected, LocalProtocolError, SipccError
from sipcc.ivr.events import ContextGiven
from sipcc.ivr.live import LiveSession
from sipcc.ivr.services import Services
from sipcc.ivr.steps import (
    Audio,
    Conference,
    Enqueue,
    Gather,
    Gathered,
    Left,
    Listen,
    Mark,
    Named,
    Played,
    Prompt,
    Silence,
    Stream,
    Text,
    Transfer,
    Transferred,
    named,
)
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.phone import Answer, Decline, Ignore

LINE = "4008000100"
ONE_HZ, TWO_HZ = 500.0, 900.0


def centre_with(
    folder: Path,
    work: Callable[[LiveSession], Awaitable[None]],
    *,
    services: Services | None = None,
    config: str = CONFIG,
) -> Centre:
    """A centre in which one number does `work`; the prompts ``one`` and ``two`` are a second long."""

    async def handler(call: Call) -> None:
        session = LiveSession(call, services)
        await session.answer()
        await work(session)
        await session.wait(0.5)  # keys are still on their way

    return Centre(folder, config=config, apps={LINE: handler})


def tones(folder: Path) -> None:
    for name, hz in (("one", ONE_HZ), ("two", TWO_HZ)):
        write_wav(folder / "prompts" / f"{name}.wav", tone(hz, 1.0))


async def test_prompts_of_a_step_follow_each_other_and_marks_tell_how_far(tmp_path: Path) -> None:
    played: list[Played] = []

    async def work(session: LiveSession) -> None:
        prompt = Prompt(items=(Named("one"), Mark("a"), Silence(0.5), Named("two"), Mark("b")))
        played.append(await session.play((prompt, Prompt(items=(Named("one"),)))))

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await caller.hears(TWO_HZ)
        await caller.hears(ONE_HZ)
        await caller.ended()
    [result] = played
    assert result.complete
    assert round(result.seconds, 1) == 3.5
    assert result.reached is not None
    assert result.reached.mark == "b"
    assert round(result.reached.seconds, 1) == 1.0


async def test_a_key_cuts_the_prompt_and_the_rest_is_not_heard(tmp_path: Path) -> None:
    answers: list[Gathered] = []

    async def work(session: LiveSession) -> None:
        prompts = (Prompt(items=(Named("welcome"), Mark("m"), Named("welcome"))),)
        answers.append(await session.gather(Gather(prompts=prompts, keys=OptionsMatcher({"1", "2"}))))

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("2")
        await caller.ended()
    [answer] = answers
    assert (answer.outcome, answer.keys, answer.barged) == ("keys", "2", True)
    assert not answer.played.complete
    assert 0.0 < answer.played.seconds < 1.9


async def test_a_part_that_may_not_be_cut_is_heard_to_its_end(tmp_path: Path) -> None:
    answers: list[Gathered] = []

    async def work(session: LiveSession) -> None:
        prompts = (*named("one", bargein="off"), *named("welcome"))
        answers.append(await session.gather(Gather(prompts=prompts, keys=OptionsMatcher({"1"}))))

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await caller.press("1")
        await caller.ended()
    [answer] = answers
    assert (answer.keys, answer.barged) == ("1", True)
    assert 1.0 <= answer.played.seconds < 1.2


async def test_a_prompt_without_barge_in_forgets_what_was_typed_before(tmp_path: Path) -> None:
    answers: list[Gathered] = []

    async def work(session: LiveSession) -> None:
        await session.wait(2)
        step = Gather(
            prompts=named("one", bargein="off"),
            keys=OptionsMatcher({"1"}),
            collect=CollectSettings(timeout=1),
        )
        answers.append(await session.gather(step))

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await caller.press("1")
        await caller.ended()
    assert [answer.outcome for answer in answers] == ["noinput"]


async def test_what_was_typed_ahead_answers_and_nothing_is_played(tmp_path: Path) -> None:
    answers: list[Gathered] = []

    async def work(session: LiveSession) -> None:
        await session.play(named("one"))
        for _ in range(4):
            step = Gather(prompts=named("welcome"), keys=OptionsMatcher({"0", "1", "2", "3"}))
            answers.append(await session.gather(step))

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await caller.press("1320", duration_ms=50, gap_ms=50)
        await caller.ended()
    assert "".join(answer.keys for answer in answers) == "1320"
    assert [answer.played.seconds for answer in answers] == [0.0] * 4


async def test_sound_that_is_not_there_has_its_fallback_and_sound_may_begin_later(tmp_path: Path) -> None:
    lengths: list[float] = []

    async def work(session: LiveSession) -> None:
        gone = Audio("https://example.com/gone.wav", fallback=(Named("two"),))
        later = Audio("one", offset=0.5)
        lengths.append((await session.play((Prompt(items=(gone, later)),))).seconds)

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.hears(TWO_HZ)
        await caller.hears(ONE_HZ)
        await caller.ended()
    assert [round(length, 2) for length in lengths] == [1.5]


async def test_a_bridge_ends_by_either_side_by_time_and_by_keys(tmp_path: Path) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        step = Transfer(targets=("1001",), max_time=3, keys=OptionsMatcher({"*9"}))
        results.append(await session.transfer(step))
        await session.play(named("welcome"))

    async def talk(centre: Centre, end: str) -> None:
        caller = await centre.carrier.call(LINE)
        callee = await centre.phones["1001"].next_call()
        await caller.hears(AGENT_HZ["1001"])
        if end == "callee":
            await callee.hangup()
        elif end == "keys":
            await caller.press("7*9")
        await caller.hears(WELCOME_HZ)
        await callee.ended()
        await caller.hangup()

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1001", Answer(after=0.1))
        for end in ("callee", "keys", "time"):
            await talk(centre, end)
    assert [result.outcome for result in results] == ["far_end", "near_end", "max_time"]
    assert results[1].keys == "*9"
    assert round(results[2].seconds) == 3


async def test_transfers_that_fail_tell_why_and_the_caller_goes_on(tmp_path: Path) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        for target in ("1001", "1002", "1003", "nobody"):
            step = Transfer(targets=(target,), timeout=2, waiting=named("hold"))
            results.append(await session.transfer(step))
        await session.play(named("welcome"))

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1001", Decline(status=486))
        await centre.phone("1002", Ignore())
        await centre.phone("1003", Decline(status=503))
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        await caller.hears(WELCOME_HZ, timeout=15)
        await caller.ended()
    assert [result.outcome for result in results] == ["busy", "noanswer", "network_busy", "noanswer"]


async def test_whoever_answers_must_accept_before_it_has_the_caller(tmp_path: Path) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        step = Transfer(targets=("1001", "1002"), accept=named("one"))
        results.append(await session.transfer(step))

    async with centre_with(tmp_path, work) as centre:
        tones(tmp_path)
        await centre.phone("1001", Answer(after=0.1))
        await centre.phone("1002", Answer(after=0.2))
        caller = await centre.carrier.call(LINE)
        first = await centre.phones["1001"].next_call()
        second = await centre.phones["1002"].next_call()
        await first.hears(ONE_HZ)
        await second.hears(ONE_HZ)
        await second.press("1")
        await second.hears(CALLER_HZ)
        await caller.hears(AGENT_HZ["1002"])
        assert await first.ended() == "peer"
        await second.hangup()
        await caller.ended()
    assert [result.outcome for result in results] == ["far_end"]


async def test_a_blind_transfer_goes_through_us_where_the_phone_knows_no_refer(tmp_path: Path) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        results.append(await session.transfer(Transfer(targets=("1001",), mode="blind")))

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1001", Answer(after=0.1))
        caller = await centre.carrier.call(LINE)
        await caller.hears(AGENT_HZ["1001"])
        await asyncio.sleep(2)
        assert [result.outcome for result in results] == ["sent"]
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()


async def test_a_consultation_that_fails_returns_to_the_flow(tmp_path: Path) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        for target in ("1001", "1002"):
            step = Transfer(targets=(target,), mode="consultation", timeout=3)
            results.append(await session.transfer(step))

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1001", Decline(status=486))
        await centre.phone("1002", Answer(after=0.2))
        caller = await centre.carrier.call(LINE)
        await caller.hears(AGENT_HZ["1002"], timeout=10)
        await caller.hangup()
    assert [result.outcome for result in results] == ["busy", "sent"]


async def test_a_conference_and_other_destinations(tmp_path: Path) -> None:
    stays: list[float] = []

    async def work(session: LiveSession) -> None:
        stays.append(await session.conference(Conference(name="room")))

    async def away(session: LiveSession) -> None:
        await session.go(Destination.parse("play:welcome"))

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await asyncio.sleep(1)
        assert len(centre.switch.context.conferences.members("room")) == 1
        await caller.hangup()
    assert stays == []  # a verb on a call that is over never returns
    (tmp_path / "second").mkdir()
    async with centre_with(tmp_path / "second", away) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.hangup()


async def test_variables_belong_to_the_call_and_not_to_a_session(tmp_path: Path) -> None:
    seen: list[object] = []

    async def work(session: LiveSession) -> None:
        session.variables["level"] = 3
        seen.append(LiveSession(session.call).variables["level"])
        session.language = "zh-CN"
        seen.append(session.call.language)
        seen.append(session.dialled)
        step = Gather(keys=LengthMatcher(4), collect=CollectSettings(timeout=1))
        seen.append((await session.gather(step)).outcome)

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.ended()
    assert seen == [3, "zh-CN", LINE, "noinput"]


async def test_a_queue_tells_whose_side_ended_and_the_caller_goes_on(tmp_path: Path) -> None:
    lefts: list[Left] = []
    centres: list[Centre] = []

    async def handler(call: Call) -> None:
        session = LiveSession(call, centres[0].switch.treatments.services)
        lefts.append(await session.enqueue(Enqueue(queue="sales", context={"card": "gold"})))
        await session.play(named("welcome"))

    async with Centre(tmp_path, apps={LINE: handler}) as centre:
        centres.append(centre)
        await centre.phone("1001", Answer(after=0.5))
        caller = await centre.carrier.call(LINE)
        agent = await centre.phones["1001"].next_call()
        await caller.hears(AGENT_HZ["1001"])
        await agent.hangup()
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        told = [event for event in centre.events if isinstance(event, ContextGiven)]
    [left] = lefts
    assert (left.exit, left.agent, left.ended_by, left.to) == ("answered", "alice", "agent", "")
    assert [(event.queue, event.context) for event in told] == [("sales", {"card": "gold"})]


async def test_who_leaves_a_queue_unserved_is_told_where_its_settings_lead(tmp_path: Path) -> None:
    lefts: list[Left] = []
    centres: list[Centre] = []

    async def handler(call: Call) -> None:
        session = LiveSession(call, centres[0].switch.treatments.services)
        lefts.append(await session.enqueue(Enqueue(queue="sales", skills=("gold >= 1", "loans"))))

    config = CONFIG.replace(
        'strategy = "linear"', 'strategy = "linear"\nthen = "play:welcome"\nno_agent = "leave"'
    )
    async with Centre(tmp_path, config=config, apps={LINE: handler}) as centre:
        centres.append(centre)
        caller = await centre.carrier.call(LINE)
        await caller.ended()
    assert [(left.exit, left.to) for left in lefts] == [("no_agent", "play:welcome")]


@pytest.mark.parametrize(("told", "outcome"), [(200, "sent"), (486, "busy")])
@pytest.mark.parametrize("mode", ["blind", "consultation"])
async def test_a_caller_whose_phone_knows_refer_is_sent_and_we_leave(
    tmp_path: Path, mode: Literal["blind", "consultation"], told: int, outcome: str
) -> None:
    results: list[Transferred] = []

    async def work(session: LiveSession) -> None:
        results.append(await session.transfer(Transfer(targets=("1002",), mode=mode)))
        if results[0].outcome != "sent":
            await session.play(named("welcome"))

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1002", Answer(after=0.2))
        centre.carrier.endpoint.outbound.allow_also("REFER")
        caller = await centre.carrier.call(LINE)
        caller.takes = lambda inbound: inbound.reply(202)
        await caller.answered()
        await asyncio.sleep(2)
        [refer] = [request for request in caller.requests if request.method == "REFER"]
        assert ("Replaces" in (refer.headers.get("Refer-To") or "")) == (mode == "consultation")
        notify = [("Event", "refer"), ("Subscription-State", "terminated;reason=noresource")]
        body = f"SIP/2.0 {told} Whatever\r\n".encode()
        await caller.send("NOTIFY", headers=notify, body=body, content_type="message/sipfrag")
        if outcome == "sent":
            assert await caller.ended() == "peer"
        elif mode == "blind":
            await caller.hears(WELCOME_HZ)
        else:  # whoever was asked is there: the two talk through us
            await caller.hears(AGENT_HZ["1002"])
            outcome = "sent"
        await caller.hangup()
        await asyncio.sleep(1)
    assert [result.outcome for result in results] == [outcome]


class Reader:
    """Reads texts as one of the prompts, or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str, str]] = []

    async def speak(self, text: str, *, language: str, voice: str = "") -> str:
        self.asked.append((text, language, voice))
        if "fail" in text:
            raise SipccError("no voice")
        return str(self.folder / "prompts" / "two.wav")

    async def path_of(self, sound: Audio) -> str:
        raise SipccError("not there")


async def test_texts_are_read_and_what_cannot_be_had_is_a_tone_or_its_fallback(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    lengths: list[float] = []

    async def work(session: LiveSession) -> None:
        for items in (
            (Text("Hello", voice="anna"), Text(" ")),
            (Text("fail"),),
            (Audio("https://example.com/x.wav", fallback=(Text("你好", language="zh-CN"), Mark("m"))),),
            (),
        ):
            played = await session.play((Prompt(items=items),))
            lengths.append(played.seconds)

    async with centre_with(tmp_path, work, services=Services(voice=reader, sounds=reader)) as centre:
        tones(tmp_path)
        caller = await centre.carrier.call(LINE)
        await caller.ended(timeout=20)
    assert [round(length) for length in lengths] == [1, 1, 1, 0]
    assert reader.asked == [("Hello", "en", "anna"), ("fail", "en", ""), ("你好", "zh-CN", "")]


async def test_a_program_alone_has_no_queues_no_bots_and_no_ears(tmp_path: Path) -> None:
    seen: list[object] = []

    async def work(session: LiveSession) -> None:
        seen.append(session.answered)
        seen.append((await session.stream(Stream(url="ws://127.0.0.1:1/"))).ended_by)
        with pytest.raises(LocalProtocolError, match="no queue 'sales'"):
            await session.enqueue(Enqueue(queue="sales"))
        with pytest.raises(LocalProtocolError, match="queue:sales"):
            await session.go(Destination.parse("queue:sales"))
        step = Gather(listen=Listen(), collect=CollectSettings(timeout=1))
        seen.append((await session.gather(step)).outcome)
        session.on_hangup(lambda: seen.append("gone"))
        seen.append(session.wall() > session.now())
        await session.reject(486)
        await session.hangup()
        session.on_hangup(lambda: seen.append("at once"))

    async with centre_with(tmp_path, work) as centre:
        caller = await centre.carrier.call(LINE)
        assert await caller.ended() == "peer"
        await asyncio.sleep(0.1)
    assert seen[:4] == [True, "unreachable", "noinput", True]
    assert sorted(map(str, seen[4:])) == ["at once", "gone"]


async def test_a_call_that_was_not_answered_is_refused(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await LiveSession(call).reject(603)

    async with Centre(tmp_path, apps={LINE: handler}) as centre:
        caller = await centre.carrier.call(LINE)
        with pytest.raises(CallRejected) as refused:
            await caller.answered()
    assert refused.value.status == 603


async def test_who_hangs_up_while_others_ring_ends_the_session(tmp_path: Path) -> None:
    ended: list[str] = []

    async def work(session: LiveSession) -> None:
        try:
            await session.transfer(Transfer(targets=("1001",)))
        except CallEnded:
            ended.append("ended")
            raise

    async with centre_with(tmp_path, work) as centre:
        await centre.phone("1001", Ignore())
        caller = await centre.carrier.call(LINE)
        await caller.answered()
        await centre.phones["1001"].next_call()
        await caller.hangup()
        await asyncio.sleep(1)
    assert ended == ["ended"]
