"""Asterisk's WebSocket channels, both sides, by the examples of Asterisk's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipcc.ivr.bots.asterisk import AsteriskBot, AsteriskPlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Facts,
    Form,
    FromBot,
    HandOver,
    Heard,
    Key,
    Leave,
    Mark,
    Marked,
    Pause,
    Speak,
    Started,
    ToBot,
)

STREAM = "e226e283-c90a-4ea9-9e37-389000b9ef47"
FACTS = Facts(call="pbx1-1.9", stream=STREAM, caller="1001", dialled="4008", parameters={"tone": "calm"})
AUDIO = bytes(range(160))


def written(messages: Any) -> list[Any]:
    return [message if isinstance(message, bytes) else json.loads(message) for message in messages]


def test_what_the_driver_writes_in_json() -> None:
    wire = AsteriskPlatform(FACTS)
    told = [*wire.begin(), *wire.hear(AUDIO, b"", 0), *wire.tell(Key("5", 100)), *wire.end()]
    assert written(told) == [
        {
            "event": "MEDIA_START",
            "connection_id": STREAM,
            "channel": f"WebSocket/{STREAM}",
            "channel_id": "pbx1-1.9",
            "format": "ulaw",
            "optimal_frame_size": 160,
            "ptime": 20,
            "channel_variables": {"tone": "calm", "CALLERID(num)": "1001", "EXTEN": "4008"},
        },
        AUDIO,
        {"event": "DTMF_END", "channel_id": "pbx1-1.9", "digit": "5"},
    ]


def test_what_the_driver_writes_in_plain_text() -> None:
    wire = AsteriskPlatform(Facts(call="c-1", stream=STREAM, form=Form(rate_hz=16000)), plain=True)
    assert wire.begin() == [
        f"MEDIA_START connection_id:{STREAM} channel:WebSocket/{STREAM} channel_id:c-1 format:slin16"
        " optimal_frame_size:640 ptime:20"
    ]
    assert wire.tell(Key("#", 100)) == ["DTMF_END channel_id:c-1 digit:#"]
    assert wire.receive("STOP_MEDIA_BUFFERING 61ea") == [Mark("b61ea")]
    assert wire.tell(Marked("b61ea")) == ["MEDIA_BUFFERING_COMPLETED channel_id:c-1 61ea"]
    wire.room(True)
    wire.receive("GET_STATUS")
    assert wire.hear(b"", b"", 20)[:2] == [
        "MEDIA_XOFF",
        "STATUS channel_id:c-1 queue_length:0 xon_level:800 xoff_level:900 queue_full:true bulk_media:false"
        " media_paused:false",
    ]


COMMANDS: list[tuple[str, list[FromBot]]] = [
    ("ANSWER", []),
    ("HANGUP", [Leave()]),
    ("START_MEDIA_BUFFERING", []),
    ("STOP_MEDIA_BUFFERING", [Mark("b")]),
    ("FLUSH_MEDIA", [Clear(), Pause(False)]),
    ("PAUSE_MEDIA", [Pause(True)]),
    ("CONTINUE_MEDIA", [Pause(False)]),
    ("REPORT_QUEUE_DRAINED", [Mark("q")]),
    ("MARK_MEDIA", [Mark("m")]),
]


@pytest.mark.parametrize(("command", "words"), COMMANDS)
def test_commands_are_read_in_either_form(command: str, words: list[FromBot]) -> None:
    for message in (command, json.dumps({"command": command}, indent=2)):
        wire = AsteriskPlatform(FACTS)
        assert wire.receive(message) == words
        assert wire.counts.malformed == wire.counts.unknown == 0


def test_marks_are_answered_by_what_asked_for_them() -> None:
    wire = AsteriskPlatform(FACTS)
    names = [
        word.name
        for command in (
            {"command": "MARK_MEDIA", "correlation_id": "a"},
            {"command": "STOP_MEDIA_BUFFERING", "correlation_id": "b"},
            {"command": "REPORT_QUEUE_DRAINED"},
        )
        for word in wire.receive(json.dumps(command))
        if isinstance(word, Mark)
    ]
    channel = {"channel_id": "pbx1-1.9"}
    assert [written(wire.tell(Marked(name))) for name in names] == [
        [{"event": "MEDIA_MARK_PROCESSED", **channel, "correlation_id": "a"}],
        [{"event": "MEDIA_BUFFERING_COMPLETED", **channel, "correlation_id": "b"}],
        [{"event": "QUEUE_DRAINED", **channel}],
    ]
    flushed = [written(wire.tell(Marked(name, False))) for name in names]
    assert flushed == [[], [], [{"event": "QUEUE_DRAINED", **channel}]]


def test_the_queue_is_told_and_flushed() -> None:
    wire = AsteriskPlatform(FACTS)
    assert wire.receive(AUDIO * 50) == [Speak(AUDIO * 50)]
    wire.hear(AUDIO, b"", 200)
    for command in ("GET_STATUS", "FLUSH_MEDIA", "GET_STATUS"):
        wire.receive(json.dumps({"command": command}))
    before, after, audio = written(wire.hear(AUDIO, b"", 220))
    assert (before["queue_length"], after["queue_length"], audio) == (40, 0, AUDIO)
    assert (before["xon_level"], before["xoff_level"], before["queue_full"]) == (800, 900, False)


def test_a_direction_stops_the_other_one() -> None:
    wire = AsteriskPlatform(FACTS)
    wire.receive('{"command":"SET_MEDIA_DIRECTION","direction":"in"}')
    assert (wire.receive(AUDIO), wire.hear(AUDIO, b"", 0)) == ([], [AUDIO])
    wire.receive("SET_MEDIA_DIRECTION out")
    assert (wire.receive(AUDIO), wire.hear(AUDIO, b"", 20)) == ([Speak(AUDIO)], [])


def test_our_messages_are_understood_and_answered() -> None:
    wire = AsteriskPlatform(FACTS)
    handed = wire.receive('{"event":"sipcc","sipcc":{"type":"queue","queue":"vip"}}')
    assert handed == [HandOver("queue:vip")]
    [told] = written(wire.tell(Cleared(10, 20)))
    assert told == {"event": "sipcc", "sipcc": {"type": "cleared", "heardMs": 10, "totalMs": 20}}


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("rate_hz", [8000, 24000])
def test_the_two_sides_understand_each_other(plain: bool, rate_hz: int) -> None:
    facts = Facts(call="c", stream=STREAM, caller="1001", dialled="4008", form=Form(rate_hz=rate_hz))
    platform, bot = AsteriskPlatform(facts, plain=plain), AsteriskBot()

    def told(*messages: str | bytes) -> list[ToBot]:
        return [word for message in messages for word in bot.receive(message)]

    [started] = told(*platform.begin())
    assert isinstance(started, Started)
    read = started.facts
    assert (read.call, read.stream, read.form) == ("c", STREAM, platform.form)
    assert (read.caller, read.dialled) == (("", "") if plain else ("1001", "4008"))
    frame = bytes(160 if rate_hz == 8000 else 960)
    assert told(*platform.hear(frame, b"", 0), *platform.hear(frame, b"", 20)) == [
        Heard(frame, 0),
        Heard(frame, 20),
    ]
    assert told(*platform.tell(Key("*", 80))) == [Key("*")]
    assert platform.receive(bot.speak(AUDIO)) == [Speak(AUDIO)]
    assert platform.receive(bot.mark("one")) == [Mark("mone")]
    assert told(*platform.tell(Marked("mone"))) == [Marked("one")]
    assert platform.receive(bot.clear()) == [Clear(), Pause(False)]
    platform.room(True)
    assert told(*platform.tell(Marked("q"))) == []
    assert platform.receive(bot.hang_up()) == [Leave()]
    assert bot.replies() == []
    assert not any((platform.counts.malformed, platform.counts.unknown))
    assert not any((bot.counts.malformed, bot.counts.unknown))


JUNK: list[str | bytes] = [
    "{",
    "NO_SUCH",
    '{"command":"NO_SUCH"}',
    '{"command":7}',
    '{"event":"sipcc"}',
    '{"command":"SET_MEDIA_DIRECTION","direction":"up"}',
    "[" * 100_000,
    "",
    bytes(MAX_MESSAGE_BYTES + 1),
]


@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
def test_junk_is_counted_and_dropped(message: str | bytes) -> None:
    wire, bot = AsteriskPlatform(FACTS), AsteriskBot()
    assert wire.receive(message) == [] == bot.receive(message)
    assert wire.counts.malformed + wire.counts.unknown == 1 == bot.counts.malformed + bot.counts.unknown


def test_audio_before_the_start_and_formats_that_are_none_are_dropped() -> None:
    bot = AsteriskBot()
    for message in (
        AUDIO,
        "MEDIA_START connection_id:a format:opus",
        "DTMF_END digit:x",
    ):
        assert bot.receive(message) == []
    assert bot.counts.malformed == 3
