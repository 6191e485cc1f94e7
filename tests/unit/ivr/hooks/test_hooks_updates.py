"""What is said about live calls from outside, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from sipcc.ivr.hooks.door import Command, Finish, Follow, Keys, Mute, Note, Replace, Tape
from sipcc.ivr.hooks.model import BadAnswer, Hook
from sipcc.ivr.hooks.updates import jambonz_update, twilio_update


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"call_hook": "/new"}, Follow(Hook("/new"))),
        (
            {"call_hook": {"url": "/new", "method": "GET", "username": "me", "password": "secret"}},
            Follow(Hook("/new", "GET", "me", "secret")),
        ),
        ({"call_status": "completed"}, Finish()),
        ({"call_status": "no-answer"}, Finish()),
        ({"mute_status": "mute"}, Mute(True)),
        ({"mute_status": "unmute"}, Mute(False)),
        ({"dtmf": {"digit": "12#", "duration": 250}}, Keys("12#")),
        ({"record": {"action": "startCallRecording", "recordingID": "r"}}, Tape("start")),
        ({"record": {"action": "resumeCallRecording"}}, Tape("resume")),
        ({"tag": {"order": 12}}, Note({"order": "12"})),
    ],
)
def test_jambonz(body: dict[str, Any], wanted: Command) -> None:
    assert jambonz_update(body) == [wanted]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "$"),
        ([], "$"),
        ({"whisper": {"verb": "say", "text": "x"}}, "$.whisper"),
        ({"call_hook": {"method": "GET"}}, "$.call_hook"),
        ({"call_hook": {"url": "/a", "method": "PUT"}}, "$.call_hook"),
        ({"call_status": "busy"}, "$.call_status"),
        ({"mute_status": True}, "$.mute_status"),
        ({"dtmf": {"digit": "x"}}, "$.dtmf.digit"),
        ({"dtmf": "1"}, "$.dtmf.digit"),
        ({"record": {"action": "erase"}}, "$.record.action"),
        ({"record": {"action": ["startCallRecording"]}}, "$.record.action"),
        ({"call_status": {"a": 1}}, "$.call_status"),
        ({"mute_status": []}, "$.mute_status"),
        (
            {"record": {"action": "startCallRecording", "siprecServerURL": "sip:x@example.com"}},
            "$.record.siprecServerURL",
        ),
        ({"tag": "x"}, "$.tag"),
    ],
)
def test_what_is_wrong_in_jambonz_words_is_told_with_its_place(body: object, where: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        jambonz_update(body)
    assert (caught.value.where, bool(caught.value.message)) == (where, True)


def test_twilio() -> None:
    assert twilio_update({"Url": "/a"}, answered=True) == [Follow(Hook("/a"))]
    assert twilio_update({"Url": "/a", "Method": "get"}, answered=True) == [Follow(Hook("/a", "GET"))]
    assert twilio_update({"Status": "completed"}, answered=True) == [Finish()]
    assert twilio_update({"Status": "canceled"}, answered=False) == [Finish()]
    assert twilio_update({"Status": "canceled"}, answered=True) == []  # as it does not end what is answered
    (given,) = twilio_update({"Twiml": "<Response><Hangup/></Response>"}, answered=True)
    assert isinstance(given, Replace)
    assert len(given.program) == 1


@pytest.mark.parametrize(
    ("form", "where"),
    [
        ({}, "Url"),
        ({"Url": "/a", "Twiml": "<Response/>"}, "Url"),
        ({"Status": "busy"}, "Status"),
        ({"Url": "/a", "Method": "PUT"}, "Method"),
        ({"Url": "/a", "FallbackUrl": "/b"}, "FallbackUrl"),
        ({"Twiml": "<Response><Pay/></Response>"}, "1:11"),
    ],
)
def test_what_is_wrong_in_twilios_words_is_told_with_its_place(form: dict[str, str], where: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        twilio_update(form, answered=True)
    assert (caught.value.where, bool(caught.value.message)) == (where, True)
