"""The `listen` wire as its documentation has it."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from sipcc.ivr.bots.jambonz import JambonzPlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    ClearMarks,
    Clip,
    Facts,
    Form,
    FromBot,
    HandOver,
    Key,
    Leave,
    Mark,
    Marked,
    Played,
    Speak,
)

FACTS = Facts(
    call="call-1",
    caller="13800138000",
    dialled="4008123456",
    parameters={"level": "3", "callSid": "not ours"},
    form=Form(rate_hz=16000, mix="stereo"),
)
AUDIO = bytes(range(200))


def wave(*, rate: int = 24000, channels: int = 1, kind: int = 1) -> bytes:
    head = struct.pack("<HHIIHH", kind, channels, rate, rate * 2, 2, 16)
    parts = b"LIST" + struct.pack("<I", 3) + b"abc\0" + b"fmt " + struct.pack("<I", 16) + head
    parts += b"data" + struct.pack("<I", len(AUDIO)) + AUDIO
    return b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts


def play(audio: bytes = AUDIO, **more: object) -> str:
    content = base64.b64encode(audio).decode()
    return json.dumps({"type": "playAudio", "data": {"audioContent": content, **more}})


def test_what_the_platform_writes() -> None:
    wire = JambonzPlatform(FACTS)
    [first] = wire.begin()
    assert isinstance(first, str)
    assert json.loads(first) == {
        "callSid": "call-1",
        "callId": "call-1",
        "direction": "inbound",
        "from": "13800138000",
        "to": "4008123456",
        "sampleRate": 16000,
        "mixType": "stereo",
        "level": "3",
        "metadata": {"level": "3", "callSid": "not ours"},
    }
    assert wire.hear(AUDIO, b"", 20) == [AUDIO]
    said = [*wire.tell(Key("5", 160)), *wire.tell(Marked("a", ms=3)), *wire.tell(Marked("b", False))]
    said += [*wire.tell(Played("clip")), *wire.tell(Cleared(1, 2)), *wire.end()]
    assert [json.loads(message) for message in said] == [
        {"event": "dtmf", "dtmf": "5", "duration": "160"},
        {"type": "mark", "data": {"name": "a", "event": "playout"}},
        {"type": "mark", "data": {"name": "b", "event": "cleared"}},
        {"type": "playDone", "data": {"id": "clip"}},
    ]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (AUDIO, [Speak(AUDIO)]),
        (play(), [Clip(AUDIO, 16000, "")]),
        (play(sampleRate="8000", id="x", queuePlay=True), [Clip(AUDIO, 8000, "x", True)]),
        (play(wave(), audioContentType="wav", sampleRate=8000), [Clip(AUDIO, 24000, "")]),
        ('{"type":"killAudio"}', [Clear()]),
        ('{"type":"mark","data":{"name":"m"}}', [Mark("m")]),
        ('{"type":"clearMarks"}', [ClearMarks()]),
        ('{"type":"disconnect"}', [Leave()]),
        ('{"event":"sipcc","sipcc":{"type":"queue","queue":"vip"}}', [HandOver("queue:vip")]),
    ],
)
def test_what_a_bot_wants(message: str | bytes, words: list[FromBot]) -> None:
    wire = JambonzPlatform(FACTS)
    assert wire.receive(message) == words
    assert wire.counts.malformed == wire.counts.unknown == 0


JUNK: list[str | bytes] = [
    "",
    "nothing",
    "[" * 100_000,
    '{"type":"playAudio","data":7}',
    '{"type":"playAudio","data":{"audioContent":"!"}}',
    play(sampleRate="fast"),
    play(sampleRate=10**9),
    play(audioContentType="mp3"),
    play(audioContentType="wav"),
    play(wave(channels=2), audioContentType="wave"),
    play(wave(kind=6), audioContentType="wave"),
    play(wave()[:50], audioContentType="wave"),
    '{"type":"mark"}',
    '{"type":"sipcc"}',
    bytes(MAX_MESSAGE_BYTES + 2),
]


@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
def test_junk_is_counted_and_dropped(message: str | bytes) -> None:
    wire = JambonzPlatform(FACTS)
    assert wire.receive(message) == []
    assert (wire.counts.malformed, wire.counts.unknown) == (1, 0)


def test_a_bot_that_knows_us_is_told_how_much_was_heard() -> None:
    wire = JambonzPlatform(FACTS)
    assert wire.receive('{"type":"sing"}') == []
    assert wire.counts.unknown == 1
    assert wire.receive('{"event":"sipcc","sipcc":{"type":"hello"}}') == []
    [cleared] = wire.tell(Cleared(120, 500))
    [mark] = wire.tell(Marked("m", ms=7))
    assert json.loads(cleared) == {
        "type": "sipcc",
        "sipcc": {"type": "cleared", "heardMs": 120, "totalMs": 500},
    }
    assert json.loads(mark)["data"]["heardMs"] == 7
