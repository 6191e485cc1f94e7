"""Answers of hostile or broken applications: whatever comes is read, or refused with its place."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from tests.unit.ivr.hooks.webapp import drive

from sipcc.ivr.hooks import jambonz, twiml
from sipcc.ivr.hooks.model import BadAnswer, Defaults
from sipcc.ivr.hooks.verbs import VERBS

ROUNDS = int(os.environ.get("HOSTILE_ANSWERS", "1500"))

JSON = [
    {"verb": "gather", "numDigits": 1, "say": {"text": "<speak>a<break time='1s'/></speak>"}, "timeout": 3},
    {"verb": "dial", "target": [{"type": "phone", "number": "1"}], "actionHook": {"url": "/x"}},
    {"verb": "config", "bargeIn": {"enable": True, "input": ["digits"]}, "reset": ["bargeIn"]},
    {"play": {"url": ["a", "b"], "loop": "forever", "seekOffset": 2}},
    {
        "verb": "gather",
        "actionHookDelayAction": {"actions": [{"say": {"text": "x"}}, {"verb": "pause", "length": 1}]},
    },
    {"verb": "config", "record": {"action": "startCallRecording"}},
    {"verb": "conference", "name": "a", "statusHook": "/s", "statusEvents": ["join"], "maxParticipants": 3},
    {"verb": "dial", "target": [{"type": "user", "name": "1"}], "dtmfHook": "/k", "dtmfCapture": ["*1"]},
    {
        "verb": "dial",
        "target": [{"type": "user", "name": "1", "confirmHook": "/c"}],
        "dtmfHook": "/k",
        "dtmfCapture": {"childCall": ["*1"]},
    },
    {"verb": "sip:refer", "referTo": "sip:a@example.com"},
]
XML = (
    "<Response><Gather input='dtmf speech' timeout='3'><Say loop='2'>a<break time='1s'/></Say></Gather>"
    "<Dial record='record-from-answer'><Number>1</Number><Sip>a@b</Sip></Dial><Enqueue>q</Enqueue>"
    "<Connect><Stream url='wss://x'><Parameter name='a' value='b'/></Stream></Connect></Response>"
)
ODD: list[Any] = [
    None, True, -1, 1e300, 10**30, "", "x" * 20_000, [], {}, [[]], {"verb": "say"}, "\x00", "<speak>", "∞",
    0.5,
]  # fmt: skip


def mutated(data: Any, rng: random.Random) -> Any:
    """The data with something in it changed."""
    if isinstance(data, dict) and data and rng.random() < 0.8:
        key = rng.choice(list(data))
        if rng.random() < 0.1:
            return {**data, rng.choice(["", "x", "verb", *VERBS]): rng.choice(ODD)}
        return {**data, key: mutated(data[key], rng)}
    if isinstance(data, list) and data and rng.random() < 0.8:
        place = rng.randrange(len(data))
        return [*data[:place], mutated(data[place], rng), *data[place + 1 :]]
    return rng.choice(ODD)


def taken(read: Any, body: bytes) -> bool:
    """Whether an answer is read, and every verb in it can be made."""
    refused: BadAnswer | None = None
    try:
        for verb in read(body):
            verb(Defaults())
    except BadAnswer as error:
        refused = error
    assert refused is None or (refused.where and refused.message)
    return refused is None


def test_json_that_was_changed_is_read_or_refused() -> None:
    rng = random.Random(6)
    results = [taken(jambonz.read, json.dumps(mutated(JSON, rng)).encode()) for _ in range(ROUNDS)]
    assert 0 < sum(results) < len(results)


def test_bytes_that_were_changed_are_read_or_refused() -> None:
    rng = random.Random(7)
    for source, read in ((json.dumps(JSON).encode(), jambonz.read), (XML.encode(), twiml.read)):
        for _ in range(ROUNDS):
            body = bytearray(source)
            for _ in range(rng.randint(1, 4)):
                place = rng.randrange(len(body))
                body[place : place + rng.randint(0, 3)] = rng.choice(
                    [
                        b"",
                        b"<",
                        b">",
                        b'"',
                        b"&",
                        b"\x00",
                        b"\xff",
                        b"9" * 40,
                        b"{",
                        b"]",
                        bytes(source[place : place + 9]),
                    ]
                )
            taken(read, bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'[{"verb":"gather","actionHookDelayAction":{"giveUpActions":' * 300 + b"[]" + b"}}]" * 300,
        b'{"say":' * 20_000,
        b'[{"verb":"gather","actionHookDelayAction":{"actions":' * 500,
        b"<Response>" * 50_000,
        b"<Response><Say>" + b"<p>" * 50_000,
        b"<!DOCTYPE r [<!ENTITY a 'a'><!ENTITY b '&a;&a;'>]><Response><Say>&b;</Say></Response>",
        b"<!DOCTYPE r SYSTEM 'file:///etc/passwd'><Response/>",
        b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY x SYSTEM 'http://10.0.0.1/'>]><Response>&x;</Response>",
        b"<Response><Say>&unknown;</Say></Response>",
        b"\xfe\xff\x00<",
        b"[1" + b",1" * 100_000 + b"]",
    ],
)
def test_bombs_are_refused(body: bytes) -> None:
    assert not taken(jambonz.read, body)
    assert not taken(twiml.read, body)


async def test_a_sound_without_length_that_is_played_for_ever_does_not_spin() -> None:
    played = await drive(
        {"/start": [{"verb": "say", "text": "<speak> </speak>", "loop": "forever"}]}, "at 30s hangup"
    )
    assert played.session.exit == "caller"
    assert len(played.session.lines) < 100
