"""jambonz verbs: each one in a simulated call, and what is wrong with its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.ivr.hooks.webapp import BASE, drive

from sipcc.ivr import steps
from sipcc.ivr.fetch import FetchError
from sipcc.ivr.hooks import jambonz
from sipcc.ivr.hooks.model import MAX_VERBS, Ask, BadAnswer, Defaults, Say
from sipcc.ivr.hooks.verbs import VERBS

ENOUGH = {"verb": "hangup"}


async def test_a_menu_is_said_and_its_key_goes_to_the_hook() -> None:
    played = await drive(
        {
            "/start": [
                {
                    "verb": "gather",
                    "numDigits": 1,
                    "actionHook": "/menu",
                    "say": {"text": "Press 1 for sales."},
                },
            ],
            "/menu": [{"verb": "enqueue", "name": "sales", "actionHook": "/left"}],
            "/left": [{"verb": "say", "text": "Goodbye"}, ENOUGH],
        },
        "at 1s keys 1",
    )
    assert played.app.paths == ["/start", "/menu", "/left"]
    assert played.session.said == ["Press 1 for sales.", "Goodbye"]
    first, menu, left = (sent for _, sent in played.app.asked)
    assert (first["call_status"], first["sip_status"], first["direction"]) == ("trying", 100, "inbound")
    assert (first["from"], first["to"], first["call_sid"]) == ("13800138000", "4008123456", "sim")
    assert (menu["reason"], menu["digits"], menu["call_status"]) == ("dtmfDetected", "1", "in-progress")
    assert (left["queue_result"], left["queue_time"]) == ("bridged", 10)
    assert left["queue_sid"] == "queue:sipcc:sales"
    assert played.failures == []


@pytest.mark.parametrize(
    ("gather", "script", "expected"),
    [
        ({"numDigits": 4}, "keys 1234", {"reason": "dtmfDetected", "digits": "1234"}),
        ({"numDigits": 4}, "silence", {"reason": "timeout"}),
        ({"numDigits": 4}, "keys 12", {"reason": "timeout", "digits": "12"}),
        ({"finishOnKey": "#"}, "keys 4008#", {"reason": "dtmfDetected", "digits": "4008"}),
        ({"finishOnKey": "*"}, "keys 40#08*", {"reason": "dtmfDetected", "digits": "40#08"}),
        ({"minDigits": 2, "maxDigits": 4, "interDigitTimeout": 2}, "keys 123", {"digits": "123"}),
        ({"minDigits": 2, "maxDigits": 4}, "keys 12345", {"digits": "1234"}),
        ({"input": ["speech"]}, "say balance", {"reason": "speechDetected"}),
        ({"input": ["speech", "digits"], "numDigits": 1}, "keys 5", {"digits": "5"}),
        ({"input": ["speech", "digits"], "numDigits": 1}, "say five", {"reason": "speechDetected"}),
    ],
)
async def test_what_a_caller_types_or_says(
    gather: dict[str, Any], script: str, expected: dict[str, Any]
) -> None:
    played = await drive(
        {"/start": [{"verb": "gather", "actionHook": "/got", **gather}], "/got": [ENOUGH]}, script
    )
    told = played.app.told("/got")
    assert {name: told.get(name) for name in expected} == expected
    assert ("digits" in told) == ("digits" in expected)
    if expected.get("reason") == "speechDetected":
        assert told["speech"]["alternatives"][0]["transcript"] in ("balance", "five")
        assert told["speech"]["is_final"] is True


async def test_an_answer_has_fifteen_seconds_unless_the_verb_says_otherwise() -> None:
    ask = {"verb": "gather", "actionHook": "/got", "numDigits": 1}
    usual = await drive({"/start": [ask], "/got": [ENOUGH]}, "silence")
    short = await drive({"/start": [ask | {"timeout": 4}], "/got": [ENOUGH]}, "silence")
    assert (usual.session.now(), short.session.now()) == (15.0, 4.0)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "keys"),
        ({"dtmfBargein": False}, "off"),
        ({"bargein": True}, "any"),
        ({"bargein": True, "listenDuringPrompt": False}, "off"),
        ({"bargein": True, "dtmfBargein": False}, "speech"),
        ({"input": ["speech"]}, "off"),
        ({"input": ["speech"], "bargein": True}, "speech"),
    ],
)
def test_what_may_cut_a_prompt(flags: dict[str, Any], expected: str) -> None:
    verb = {"verb": "gather", "say": {"text": "Hello"}, "input": ["speech", "digits"], **flags}
    (made,) = (verb(Defaults()) for verb in jambonz.program([verb]))
    assert isinstance(made, Ask)
    assert made.step.prompts[0].bargein == expected


# -- what else verbs do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verbs", "deeds"),
    [
        ([{"verb": "say", "text": "Hello"}], ["answer", "say Hello", "hangup normal"]),
        ([{"verb": "say", "text": ["Hello", "Hi"]}], ["answer", "say Hi", "hangup normal"]),
        (
            [{"verb": "say", "text": "Hello", "loop": 2}],
            ["answer", "say Hello", "say Hello", "hangup normal"],
        ),
        ([{"verb": "say", "text": "Hello", "earlyMedia": True}], ["say Hello", "hangup normal"]),
        (
            [{"verb": "config", "earlyMedia": True}, {"verb": "say", "text": "Hello"}, {"verb": "answer"}],
            ["say Hello", "answer", "hangup normal"],
        ),
        ([{"verb": "say", "text": "  "}], ["answer", "hangup normal"]),
        ([{"verb": "play", "url": "a.wav"}], ["answer", f"say {BASE}/a.wav", "hangup normal"]),
        (
            [{"verb": "play", "url": ["/a.wav", "prompt:welcome"]}],
            ["answer", f"say {BASE}/a.wav", "say welcome", "hangup normal"],
        ),
        ([{"verb": "pause", "length": 2.5}], ["wait 2.5 s", "hangup normal"]),
        ([{"verb": "hangup"}, {"verb": "say", "text": "never"}], ["hangup normal"]),
        ([{"verb": "sip:decline", "status": 603}], ["reject 603"]),
        ([{"verb": "tag", "data": {"intent": "card", "tries": 2}}], ["tag intent", "tag tries"]),
        ([], ["hangup normal"]),
        (
            [{"verb": "conference", "name": "team", "joinMuted": True}],
            ["answer", "conference team", "hangup normal"],
        ),
        ([{"verb": "room", "name": "team"}], ["answer", "conference team", "hangup normal"]),
        (
            [{"verb": "listen", "url": "/audio"}],
            ["answer", "stream ws://app.example.com/audio", "stream program", "hangup normal"],
        ),
        (
            [{"verb": "stream", "url": "wss://bot.example.com/"}],
            ["answer", "stream wss://bot.example.com/", "stream program", "hangup normal"],
        ),
    ],
)
async def test_each_verb_does_what_it_says(verbs: list[dict[str, Any]], deeds: list[str]) -> None:
    played = await drive({"/start": verbs})
    assert played.deeds[: len(deeds)] == deeds
    assert played.failures == []


async def test_a_short_form_of_verbs_is_read_too() -> None:
    played = await drive({"/start": [{"say": {"text": "Hello"}}, {"hangup": {}}]})
    assert played.session.said == ["Hello"]


async def test_a_sound_stops_after_its_time() -> None:
    played = await drive(
        {
            "/start": [
                {"verb": "play", "url": "a.wav", "loop": "forever", "timeoutSecs": 7, "actionHook": "/on"}
            ],
            "/on": [ENOUGH],
        }
    )
    assert played.session.now() == pytest.approx(7.0)
    told = played.app.told("/on")
    assert told["reason"] == "playCompleted"
    assert told["playback_milliseconds"] == pytest.approx(7000, abs=500)


@pytest.mark.parametrize(
    ("dialled", "status", "sip"),
    [
        ("answered", "completed", 200),
        ("busy", "busy", 486),
        ("noanswer", "no-answer", 408),
        ("network_busy", "failed", 503),
    ],
)
async def test_dialling_tells_how_it_came_out(dialled: str, status: str, sip: int) -> None:
    target = [
        {"type": "phone", "number": "13900139000", "trunk": "carrier"},
        {"type": "user", "name": "1001"},
    ]
    played = await drive(
        {"/start": [{"verb": "dial", "target": target, "actionHook": "/over"}], "/over": [ENOUGH]},
        f"dial={dialled}",
    )
    assert "transfer bridge carrier/13900139000, 1001" in played.deeds
    told = played.app.told("/over")
    assert (told["dial_call_status"], told["dial_sip_status"]) == (status, sip)


def test_a_dial_as_a_step() -> None:
    verb = {
        "verb": "dial", "target": [{"type": "sip", "sipUri": "bob@example.com"}], "answerOnBridge": True,
        "callerId": "4008123456", "timeLimit": 600, "timeout": 20, "dialMusic": "http://app.example.com/ring.wav",
    }  # fmt: skip
    (dial,) = (verb(Defaults()) for verb in jambonz.program([verb]))
    assert dial.answer_first is False
    assert dial.step == steps.Transfer(
        targets=("sip:bob@example.com",),
        timeout=20,
        max_time=600,
        caller="4008123456",
        waiting=(steps.Prompt(items=(steps.Audio("http://app.example.com/ring.wav"),)),),
    )


async def test_a_redirect_asks_another_place() -> None:
    played = await drive(
        {
            "/start": [{"verb": "redirect", "actionHook": "/other"}, ENOUGH],
            "/other": [{"say": {"text": "Here"}}],
        }
    )
    assert played.session.said == ["Here"]


async def test_an_empty_answer_goes_on_with_the_rest_of_the_program() -> None:
    ask = {"verb": "gather", "numDigits": 1, "actionHook": "/got"}
    played = await drive({"/start": [ask, {"verb": "say", "text": "Goodbye"}], "/got": []}, "keys 1")
    assert played.session.said == ["Goodbye"]


# -- what holds for the verbs that follow ------------------------------------------------------------------


async def test_config_says_how_later_verbs_speak_and_listen() -> None:
    config = {
        "verb": "config",
        "synthesizer": {"vendor": "any", "language": "zh-CN", "voice": "lan"},
        "recognizer": {"vendor": "any", "language": "zh-CN", "hints": ["yes", {"phrase": "no", "boost": 2}]},
    }
    program = jambonz.program([config, {"say": {"text": "hi"}}, {"gather": {"input": ["speech"]}}])
    defaults = program[0](Defaults()).change(Defaults())  # type: ignore[union-attr]
    said, asked = program[1](defaults), program[2](defaults)
    assert isinstance(said, Say)
    assert isinstance(asked, Ask)
    assert said.prompts[0].items == (steps.Text("hi", "zh-CN", "lan"),)
    assert asked.step.listen == steps.Listen(language="zh-CN", hints=("yes", "no"))
    (reset,) = jambonz.program([{"verb": "config", "reset": ["synthesizer", "recognizer"]}])
    assert reset(defaults).change(defaults) == Defaults()  # type: ignore[union-attr]


@pytest.mark.parametrize(("sticky", "hooks"), [(True, 2), (False, 1)])
async def test_keys_break_off_what_is_said_and_go_to_the_hook(sticky: bool, hooks: int) -> None:
    barge = {"enable": True, "sticky": sticky, "input": ["digits"], "actionHook": "/cut"}
    long = {"verb": "say", "text": "a long story that nobody wants to hear to its end"}
    played = await drive(
        {"/start": [{"verb": "config", "bargeIn": barge}, long, long], "/cut": []}, "keys 7\nwait 1s keys 8"
    )
    assert played.app.paths.count("/cut") == hooks
    assert played.app.told("/cut")["digits"] == ("8" if sticky else "7")


async def test_while_a_hook_takes_its_time_the_caller_hears_something() -> None:
    delay = {"noResponseTimeout": 1, "retries": 1, "actions": [{"verb": "say", "text": "One moment"}]}
    verbs = jambonz.program([{"verb": "gather", "actionHook": "/x", "actionHookDelayAction": delay}])
    ask = verbs[0](Defaults())
    assert isinstance(ask, Ask)
    assert ask.delay is not None
    assert (ask.delay.after, ask.delay.retries, len(ask.delay.actions)) == (1, 1, 1)


async def test_when_a_hook_never_answers_what_was_said_for_that_is_done() -> None:
    delay = {
        "noResponseTimeout": 1,
        "noResponseGiveUpTimeout": 5,
        "giveUpActions": [{"say": {"text": "Sorry"}}],
    }
    played = await drive(
        {
            "/start": [
                {"verb": "gather", "numDigits": 1, "actionHook": "/got", "actionHookDelayAction": delay}
            ],
            "/got": FetchError("http://app.example.com/got", "timeout", "nothing came within 5 s"),
        },
        "keys 1",
    )
    assert played.session.said[-1] == "Sorry"
    assert played.failures == []
    assert played.app.requests[-1].timeout == 5


DIAL = {"verb": "dial", "target": [{"type": "user", "name": "1002"}]}

# -- what is wrong -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        ("{", "$"),
        ("3", "$"),
        ("[3]", "$[0]"),
        ([{}], "$[0].verb"),
        ([{"verb": "llm"}], "$[0].verb"),
        ([{"say": {"text": "x"}}, {"transcribe": {}}], "$[1].transcribe"),
        ([{"verb": "say", "txt": "x"}], "$[0].txt"),
        ([{"verb": "say", "text": 5}], "$[0].text"),
        ([{"verb": "say", "text": "x", "loop": "sometimes"}], "$[0].loop"),
        ([{"verb": "say", "text": ["a", 1]}], "$[0].text[1]"),
        ([{"verb": "say", "text": "<speak><audio src='file:///x'/></speak>"}], "$[0].text"),
        ([{"verb": "say", "text": "<speak>open"}], "$[0].text"),
        ([{"verb": "play"}], "$[0].url"),
        ([{"verb": "play", "url": "file:///etc/passwd"}], "$[0].url"),
        ([{"verb": "play", "url": ["http://a.example.com/", "tone_stream://x"]}], "$[0].url[1]"),
        ([{"verb": "play", "url": "a", "seekOffset": "soon"}], "$[0].seekOffset"),
        ([{}, {}, {"gather": {"input": ["voice"]}}][2:], "$[0].gather.input[0]"),
        ([{"verb": "gather", "input": []}], "$[0].input"),
        ([{"verb": "gather", "say": {"voice": "x"}}], "$[0].say.voice"),
        ([{"verb": "gather", "minDigits": 5, "maxDigits": 3}], "$[0].minDigits"),
        ([{"verb": "gather", "finishOnKey": "x"}], "$[0].finishOnKey"),
        ([{"verb": "gather", "actionHook": {"method": "POST"}}], "$[0].actionHook.url"),
        ([{"verb": "gather", "actionHook": {"url": "/x", "method": "PUT"}}], "$[0].actionHook.method"),
        ([{"verb": "gather", "partialResultHook": "/x"}], "$[0].partialResultHook"),
        (
            [{"verb": "gather", "actionHookDelayAction": {"actions": [{"play": {}}]}}],
            "$[0].actionHookDelayAction.actions[0].play.url",
        ),
        (
            [{"verb": "gather", "actionHookDelayAction": {"actions": [{"hangup": {}}]}}],
            "$[0].actionHookDelayAction.actions[0]",
        ),
        ([{"verb": "dial", "target": []}], "$[0].target"),
        ([{"verb": "dial", "target": [{"type": "fax"}]}], "$[0].target[0].type"),
        ([{"verb": "dial", "target": [{"type": "phone"}]}], "$[0].target[0].number"),
        ([{"verb": "dial", "target": [{"type": "teams", "number": "1"}]}], "$[0].target[0].type"),
        ([{"dial": {"target": [{"type": "user", "name": "a", "auth": {}}]}}], "$[0].dial.target[0].auth"),
        ([{"verb": "dial", "target": [{"type": "user", "name": "a"}], "amd": {}}], "$[0].amd"),
        ([{"verb": "pause"}], "$[0].length"),
        ([{"verb": "pause", "length": -1}], "$[0].length"),
        ([{"verb": "redirect"}], "$[0].actionHook"),
        ([{"verb": "config", "reset": "everything"}], "$[0].reset"),
        ([{"verb": "config", "amd": {"actionHook": "/x"}}], "$[0].amd"),
        ([{"verb": "config", "bargeIn": {"enable": True, "inputs": []}}], "$[0].bargeIn.inputs"),
        (
            [{"verb": "conference", "name": "a", "statusEvents": ["join", "start-talking"]}],
            "$[0].statusEvents[1]",
        ),
        ([{"verb": "room", "name": "a", "maxParticipants": 0}], "$[0].maxParticipants"),
        ([DIAL | {"dtmfCapture": ["*1"]}], "$[0].dtmfHook"),
        (
            [{"verb": "gather", "actionHookDelayAction": {"actions": [{"verb": ["say"]}]}}],
            "$[0].actionHookDelayAction.actions[0]",
        ),
        ([DIAL | {"dtmfCapture": ["*1", "x"], "dtmfHook": "/k"}], "$[0].dtmfCapture[1]"),
        ([DIAL | {"dtmfCapture": {"childCall": [""]}, "dtmfHook": "/k"}], "$[0].dtmfCapture.childCall[0]"),
        ([{"verb": "room", "name": "a", "record": {"action": "x"}}], "$[0].record"),
        ([{"verb": "sip:decline", "status": 200}], "$[0].status"),
        ([{"verb": "tag", "data": "x"}], "$[0].data"),
        ([{"verb": "say", "text": "x"}] * (MAX_VERBS + 1), "$"),
    ],
)
def test_what_is_wrong_is_told_with_its_json_path(answer: Any, where: str) -> None:
    body = answer if isinstance(answer, str) else json.dumps(answer)
    with pytest.raises(BadAnswer) as caught:
        jambonz.read(body.encode())
    assert caught.value.where == where
    assert caught.value.message


def test_an_unknown_verb_tells_which_are_known() -> None:
    with pytest.raises(BadAnswer, match="there is no verb 'shout'; known are answer, say, play"):
        jambonz.read(b'[{"verb": "shout"}]')
    assert len(VERBS) == 20


def test_config_says_what_is_done_with_the_recording() -> None:
    verbs = [
        {"verb": "config", "record": {"action": "startCallRecording"}},
        {"verb": "config", "record": {"action": "pauseCallRecording"}, "synthesizer": {"language": "en"}},
    ]
    assert [verb(Defaults()).tape for verb in jambonz.program(verbs)] == ["start", "pause"]  # type: ignore[union-attr]
    for record, where in (
        ({}, "$[0].record.action"),
        (
            {"action": "startCallRecording", "siprecServerURL": "sip:a@example.com"},
            "$[0].record.siprecServerURL",
        ),
    ):
        with pytest.raises(BadAnswer) as caught:
            jambonz.program([{"verb": "config", "record": record}])
        assert caught.value.where == where


async def test_a_caller_is_referred_and_the_hook_is_told() -> None:
    refer = {"verb": "sip:refer", "referTo": "sip:bob@example.com", "actionHook": "/over"}
    played = await drive({"/start": [refer], "/over": []}, "dial=sent")
    told = played.app.told("/over")
    assert (told["refer_status"], told["final_referred_call_status"]) == (202, 200)
