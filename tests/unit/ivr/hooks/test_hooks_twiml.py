"""TwiML: each verb in a simulated call, what Twilio's helper makes, and what is wrong with its place."""

from __future__ import annotations

import pytest
from tests.unit.ivr.hooks.webapp import BASE, drive

from sipcc.ivr import steps
from sipcc.ivr.hooks import twiml
from sipcc.ivr.hooks.model import (
    Action,
    Ask,
    BadAnswer,
    Defaults,
    Dial,
    Facts,
    Join,
    Queued,
    Record,
    Remark,
    Say,
    Stream,
)
from sipcc.ivr.hooks.told import parameters, payload

HANGUP = "<Response><Hangup/></Response>"


def made(inside: str) -> list[Action]:
    """What the verbs in a Response are, without the remark on what has no effect."""
    program = twiml.read(f"<Response>{inside}</Response>".encode())
    actions = [verb(Defaults()) for verb in program]
    return [action for action in actions if not isinstance(action, Remark)]


async def test_a_menu_is_said_and_its_key_is_posted_to_the_action() -> None:
    played = await drive(
        {
            "/start": "<Response><Gather numDigits='1' action='/menu'><Say>Press 1.</Say></Gather>"
            "</Response>",
            "/menu": '<Response><Enqueue action="left">sales</Enqueue></Response>',
            "/left": "<Response><Say>Goodbye</Say></Response>",
        },
        "at 1s keys 1",
        kind="twiml",
    )
    assert played.app.paths == ["/start", "/menu", "/left"]
    assert played.session.said == ["Press 1.", "Goodbye"]
    first, menu, left = (sent for _, sent in played.app.asked)
    assert (first["CallStatus"], first["Direction"], first["ApiVersion"]) == (
        "ringing",
        "inbound",
        "2010-04-01",
    )
    assert (first["From"], first["To"], first["CallSid"]) == ("13800138000", "4008123456", "sim")
    assert (menu["Digits"], menu["CallStatus"], menu["msg"]) == ("1", "in-progress", "Gather End")
    assert (left["QueueResult"], left["QueueTime"]) == ("bridged", "10")


@pytest.mark.parametrize(
    ("attributes", "script", "expected"),
    [
        ('numDigits="4"', "keys 1234", {"Digits": "1234"}),
        ('numDigits="4"', "keys 12", {"Digits": "12"}),
        ("", "keys 4008#", {"Digits": "4008", "FinishedOnKey": "#"}),
        ('finishOnKey=""', "keys 40#", {"Digits": "40#"}),
        ('actionOnEmptyResult="true"', "silence", {"Digits": ""}),
        ('input="speech"', "say balance", {"SpeechResult": "balance"}),
        ('input="dtmf speech" numDigits="1"', "keys 3", {"Digits": "3"}),
        ('input="dtmf speech"', "say three", {"SpeechResult": "three"}),
    ],
)
async def test_what_a_caller_types_or_says(attributes: str, script: str, expected: dict[str, str]) -> None:
    played = await drive(
        {"/start": f'<Response><Gather action="/got" {attributes}/></Response>', "/got": HANGUP},
        script,
        kind="twiml",
    )
    told = played.app.told("/got")
    assert {name: told.get(name) for name in expected} == expected
    assert ("Digits" in told) != ("SpeechResult" in told)


async def test_silence_goes_on_with_the_next_verb() -> None:
    played = await drive(
        {"/start": "<Response><Gather timeout='3'/><Say>Nothing heard</Say></Response>"}, kind="twiml"
    )
    assert played.app.paths == ["/start"]
    assert played.session.said == ["Nothing heard"]


async def test_without_an_action_the_document_itself_is_asked_again() -> None:
    played = await drive(
        {"/start": ("<Response><Gather numDigits='1'/></Response>", HANGUP)}, "keys 1", kind="twiml"
    )
    assert played.app.paths == ["/start", "/start"]
    assert played.app.told("/start")["Digits"] == "1"


async def test_a_recording_is_told_of_also_when_the_caller_hung_up_in_it() -> None:
    record = "<Response><Record action='/voice' maxLength='20' recordingStatusCallback='/rec'/></Response>"
    answers = {"/start": record, "/voice": HANGUP, "/rec": ""}
    pressed = await drive(answers, "wait 5s keys #", kind="twiml")
    gone = await drive(answers, "wait 1s say hello wait 2s hangup", kind="twiml")
    silent = await drive(answers, "silence", kind="twiml")
    assert pressed.app.told("/voice")["Digits"] == "#"
    assert pressed.app.told("/voice")["RecordingUrl"] == "sim.wav"
    assert float(pressed.app.told("/voice")["RecordingDuration"]) > 0
    assert "/rec" in pressed.app.paths
    served = await drive(
        answers, "wait 5s keys #", kind="twiml", recording_url="https://files.example.com/messages/"
    )
    assert served.app.told("/voice")["RecordingUrl"] == "https://files.example.com/messages/sim.wav"
    assert gone.app.told("/voice")["Digits"] == "hangup"
    assert silent.app.paths == ["/start"]


@pytest.mark.parametrize(
    ("document", "deeds"),
    [
        ("<Say loop='2'>Hello</Say>", ["answer", "say Hello", "say Hello", "hangup normal"]),
        ("<Play>/a.wav</Play>", ["answer", f"say {BASE}/a.wav", "hangup normal"]),
        ("<Play>prompt:welcome</Play>", ["answer", "say welcome", "hangup normal"]),
        ("<Pause/><Pause length='3'/>", ["wait 1 s", "wait 3 s", "hangup normal"]),
        ("<Reject/>", ["reject 603"]),
        ("<Reject reason='busy'/>", ["reject 486"]),
        ("<Hangup/><Say>never</Say>", ["hangup normal"]),
        ("<Redirect>/two</Redirect>", ["answer", "say Two", "hangup normal"]),
        ("<Redirect method='GET'>two</Redirect>", ["answer", "say Two", "hangup normal"]),
        (
            "<Connect><Stream url='wss://bot.example.com/x'/></Connect>",
            ["answer", "stream wss://bot.example.com/x", "stream program", "hangup normal"],
        ),
        (
            "<Dial><Conference muted='true'>team</Conference></Dial>",
            ["answer", "conference team", "hangup normal"],
        ),
        ("", ["hangup normal"]),
    ],
)
async def test_each_verb_does_what_it_says(document: str, deeds: list[str]) -> None:
    played = await drive(
        {"/start": f"<Response>{document}</Response>", "/two": "<Response><Say>Two</Say></Response>"},
        kind="twiml",
    )
    assert played.deeds[: len(deeds)] == deeds
    assert played.failures == []


@pytest.mark.parametrize(
    ("dialled", "status"),
    [("answered", "completed"), ("busy", "busy"), ("noanswer", "no-answer"), ("failed", "failed")],
)
async def test_dialling_tells_how_it_came_out(dialled: str, status: str) -> None:
    played = await drive(
        {"/start": "<Response><Dial action='/over'>13900139000</Dial></Response>", "/over": HANGUP},
        f"dial={dialled}",
        kind="twiml",
    )
    assert played.app.told("/over")["DialCallStatus"] == status


def test_a_dial_as_a_step() -> None:
    (dial,) = made(
        '<Dial timeout="20" timeLimit="600" callerId="4008123456" record="record-from-answer-dual"'
        ' answerOnBridge="true" hangupOnStar="true"><Number>13900139000</Number>'
        "<Sip><Uri>bob@example.com</Uri></Sip><Client>1001</Client></Dial>"
    )
    assert isinstance(dial, Dial)
    assert dial.answer_first is False
    assert dial.step.targets == ("13900139000", "sip:bob@example.com", "1001")
    assert (dial.step.timeout, dial.step.max_time, dial.step.record) == (20, 600, True)
    assert dial.step.caller == "4008123456"
    assert dial.step.keys is not None


def test_what_twilio_takes_for_granted() -> None:
    ask, record, dial, join, pause = made(
        "<Gather/><Record/><Dial>1001</Dial><Dial><Conference>a</Conference></Dial><Pause/>"
    )
    assert isinstance(ask, Ask)
    assert (ask.step.collect.timeout, ask.step.collect.terminators) == (5.0, "#")
    assert (ask.silence_too, ask.step.listen) == (False, None)
    assert isinstance(record, Record)
    assert (record.step.beep, record.step.max_time, record.step.terminators) == (True, 3600.0, "1234567890*#")
    assert isinstance(dial, Dial)
    assert (dial.step.timeout, dial.step.max_time, dial.answer_first) == (30.0, 14_400.0, True)
    assert isinstance(join, Join)
    assert join.step == steps.Conference(name="a")
    assert pause == (1.0,)


def test_parameters_go_to_the_program_behind_a_stream() -> None:
    (stream,) = made(
        "<Connect action='/on'><Stream url='wss://a.example.com/'>"
        "<Parameter name='lang' value='zh'/></Stream></Connect>"
    )
    assert isinstance(stream, Stream)
    assert (stream.step.wire, stream.step.parameters) == ("twilio", {"lang": "zh"})


def test_ssml_in_say_becomes_pauses_and_values() -> None:
    (say,) = made(
        '<Say language="en-GB">Your balance is <say-as interpret-as="currency">12.50</say-as>'
        '<break time="500ms"/><prosody rate="slow">as of <say-as interpret-as="date">2026-03-02</say-as>'
        "</prosody>. Bye</Say>"
    )
    assert isinstance(say, Say)
    assert say.prompts[0].items == (
        steps.Text("Your balance is", "en-GB"),
        steps.Value("money", "12.50", "en-GB"),
        steps.Silence(0.5),
        steps.Text("as of", "en-GB"),
        steps.Value("date", "2026-03-02", "en-GB"),
        steps.Text(". Bye", "en-GB"),
    )


def test_what_is_read_without_effect_is_remarked() -> None:
    program = twiml.read(
        b"<Response><Enqueue maxQueueSize='9'>sales</Enqueue><Dial trim='x'>1</Dial></Response>"
    )
    remark = program[0](Defaults())
    assert remark == Remark("without effect: Enqueue.maxQueueSize, Dial.trim")


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("<Response><Say>open</Response>", "1:22"),
        ("<Reply/>", "1:1"),
        ("hello", "1:1"),
        ("<Response>\n  <Shout>x</Shout></Response>", "2:3"),
        ("<Response><Say tone='x'>a</Say></Response>", "1:11"),
        ("<Response>hello</Response>", "1:1"),
        ("<Response><Gather><Dial/></Gather></Response>", "1:19"),
        ("<Response><Gather timeout='soon'/></Response>", "1:11"),
        ("<Response><Gather numDigits='-1'/></Response>", "1:11"),
        ("<Response><Gather input='voice'/></Response>", "1:11"),
        ("<Response><Gather method='PUT' action='/x'/></Response>", "1:11"),
        ("<Response><Gather finishOnKey='x'/></Response>", "1:11"),
        ("<Response><Gather actionOnEmptyResult='yes'/></Response>", "1:11"),
        ("<Response><Say><Audio/></Say></Response>", "1:16"),
        ("<Response><Play>file:///etc/passwd</Play></Response>", "1:11"),
        ("<Response><Play/></Response>", "1:11"),
        ("<Response><Dial/></Response>", "1:11"),
        ("<Response><Dial><Number/></Dial></Response>", "1:17"),
        ("<Response><Dial><Sim>x</Sim></Dial></Response>", "1:17"),
        ("<Response><Dial><Queue/></Dial></Response>", "1:17"),
        ("<Response><Dial>1<Conference>a</Conference></Dial></Response>", "1:18"),
        ("<Response><Dial record='always'>1</Dial></Response>", "1:11"),
        ("<Response><Enqueue/></Response>", "1:11"),
        ("<Response><Enqueue><Task>{}</Task></Enqueue></Response>", "1:11"),
        ("<Response><Connect/></Response>", "1:11"),
        ("<Response><Connect><Room>a</Room></Connect></Response>", "1:20"),
        ("<Response><Connect><Stream/></Connect></Response>", "1:20"),
        ("<Response><Connect><Stream url='x'><Parameter/></Stream></Connect></Response>", "1:36"),
        (
            "<Response><Dial><Sip statusCallback='/x' statusCallbackEvent='up'>a@b</Sip></Dial></Response>",
            "1:17",
        ),
        ("<Response><Reject reason='tired'/></Response>", "1:11"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><Response/>', "1:13"),
        ("<?xml version='1.0' encoding='none'?><Response/>", "1:1"),
        ("<Response>" + "<Gather>" * 40, "1:259"),
        ("<Response>" + "<Pause/>" * 300 + "</Response>", "1:1"),
        ("<Response>" + "<Pause/>" * 3000 + "</Response>", "1:16003"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_column(document: str, where: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        twiml.read(document.encode())
    assert caught.value.where == where
    assert caught.value.message


@pytest.mark.parametrize(
    ("script", "status", "codes"),
    [("dial=sent", "completed", ("202", "200")), ("dial=busy", "busy", ("486", None))],
)
async def test_a_caller_is_referred_and_the_action_is_told(
    script: str, status: str, codes: tuple[str, str | None]
) -> None:
    played = await drive(
        {
            "/start": "<Response><Refer action='/over'><Sip>sip:bob@example.com</Sip></Refer></Response>",
            "/over": "<Response><Say>Two</Say></Response>",
        },
        script,
        kind="twiml",
    )
    told = played.app.told("/over")
    assert told["ReferCallStatus"] == status
    assert (told["ReferSipResponseCode"], told.get("NotifySipResponseCode")) == codes
    assert played.failures == []


async def test_keys_that_cannot_be_sent_cost_nobody_the_call() -> None:
    played = await drive({"/start": "<Response><Play digits='w1W2'/><Say>Two</Say></Response>"}, kind="twiml")
    assert played.session.said == ["Two"]
    assert played.failures == []


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("<Response><Refer/></Response>", "1:11"),
        ("<Response><Refer><Number>1</Number></Refer></Response>", "1:18"),
        ("<Response><Play digits='x'/></Response>", "1:11"),
    ],
)
def test_what_cannot_be_sent_is_told_with_its_place(document: str, where: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        twiml.read(document.encode())
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("left", "jambonz_word", "twilio_word"),
    [
        (steps.Left(exit="answered"), "bridged", "bridged"),
        (steps.Left(exit="full"), "error", "queue-full"),
        (steps.Left(exit="failed"), "error", "error"),
        (steps.Left(exit="timed_out"), "leave", "leave"),
        (None, "hangup", "hangup"),
    ],
)
def test_how_a_queue_was_left_is_told_in_both_words(
    left: steps.Left | None, jambonz_word: str, twilio_word: str
) -> None:
    facts, report = (
        Facts(call="c", caller="1", dialled="2", account="a", application="b"),
        Queued("sales", left),
    )
    assert payload(facts, report)["queue_result"] == jambonz_word
    assert parameters(facts, report)["QueueResult"] == twilio_word


def test_what_has_no_effect_in_a_conference_is_remarked() -> None:
    document = b"<Response><Dial hangupOnStar='true'><Conference>a</Conference></Dial></Response>"
    remark, _ = (verb(Defaults()) for verb in twiml.read(document))
    assert remark == Remark("without effect: Dial.hangupOnStar")
