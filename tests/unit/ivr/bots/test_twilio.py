"""Media Streams, both sides: what is written stands in Twilio's documentation, and what is not is dropped."""

from __future__ import annotations

import base64
import json

import pytest

from sipcc.ivr.bots.twilio import TwilioBot, TwilioPlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Facts,
    Form,
    FromBot,
    HandOver,
    HangUp,
    Heard,
    Key,
    Mark,
    Marked,
    Note,
    Played,
    Say,
    SendKeys,
    Speak,
    Started,
    Stopped,
    ToBot,
)

FACTS = Facts(call="call-1", stream="MZ1", parameters={"from": "13800138000", "to": "4008123456"})
AUDIO = bytes(range(160))
PAYLOAD = base64.b64encode(AUDIO).decode()


def read(messages: list[str]) -> list[object]:
    return [json.loads(message) for message in messages]


def test_what_a_platform_writes() -> None:
    wire = TwilioPlatform(FACTS, account="AC1")
    said = [
        *wire.begin(),
        *wire.hear(AUDIO, b"", 20),
        *wire.tell(Key("5", 100)),
        *wire.tell(Marked("hello", ms=120)),
        *wire.tell(Cleared(120, 500)),
        *wire.tell(Played("x")),
        *wire.end(),
    ]
    assert read(said) == [
        {"event": "connected", "protocol": "Call", "version": "1.0.0"},
        {
            "event": "start",
            "sequenceNumber": "1",
            "streamSid": "MZ1",
            "start": {
                "accountSid": "AC1",
                "streamSid": "MZ1",
                "callSid": "call-1",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {"from": "13800138000", "to": "4008123456"},
            },
        },
        {
            "event": "media",
            "sequenceNumber": "2",
            "streamSid": "MZ1",
            "media": {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": PAYLOAD},
        },
        {
            "event": "dtmf",
            "sequenceNumber": "3",
            "streamSid": "MZ1",
            "dtmf": {"track": "inbound_track", "digit": "5"},
        },
        {"event": "mark", "sequenceNumber": "4", "streamSid": "MZ1", "mark": {"name": "hello"}},
        {
            "event": "stop",
            "sequenceNumber": "5",
            "streamSid": "MZ1",
            "stop": {"accountSid": "AC1", "callSid": "call-1"},
        },
    ]


def test_both_tracks() -> None:
    wire = TwilioPlatform(Facts(call="c", form=Form(mix="stereo")))
    assert json.loads(wire.begin()[1])["start"]["tracks"] == ["inbound", "outbound"]
    tracks = [json.loads(message)["media"]["track"] for message in wire.hear(AUDIO, AUDIO, 0)]
    assert tracks == ["inbound", "outbound"]


def test_a_bot_that_knows_us_is_told_how_much_was_heard() -> None:
    wire = TwilioPlatform(FACTS)
    assert wire.receive('{"event":"sipcc","sipcc":{"type":"hello"}}') == []
    assert read(wire.tell(Cleared(120, 500)))[0]["sipcc"] == {  # type: ignore[index]
        "type": "cleared",
        "heardMs": 120,
        "totalMs": 500,
    }
    assert read(wire.tell(Marked("m", ms=7)))[0]["mark"] == {"name": "m", "heardMs": 7}  # type: ignore[index]
    assert TwilioPlatform(FACTS, extended=True).tell(Cleared(1, 2)) != []


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"event": "media", "streamSid": "MZ1", "media": {"payload": PAYLOAD}}, [Speak(AUDIO)]),
        ({"event": "media", "media": {"payload": ""}}, [Speak(b"")]),
        ({"event": "mark", "streamSid": "MZ1", "mark": {"name": "a"}}, [Mark("a")]),
        ({"event": "mark", "mark": {"name": "a" * 300}}, [Mark("a" * 256)]),
        ({"event": "clear", "streamSid": "MZ1"}, [Clear()]),
        (
            {
                "event": "sipcc",
                "sipcc": {"type": "transfer", "to": "queue:vip", "transcript": "t", "context": {"a": "b"}},
            },
            [Note("t", {"a": "b"}), HandOver("queue:vip")],
        ),
        (
            {"event": "sipcc", "sipcc": {"type": "queue", "queue": "vip", "now": True}},
            [HandOver("queue:vip", True)],
        ),
        ({"event": "sipcc", "sipcc": {"type": "hangup"}}, [HangUp()]),
        ({"event": "sipcc", "sipcc": {"type": "say", "text": "hi", "language": "en"}}, [Say("hi", "en")]),
        ({"event": "sipcc", "sipcc": {"type": "say"}}, []),
        ({"event": "sipcc", "sipcc": {"type": "keys", "digits": "12#"}}, [SendKeys("12#")]),
        ({"event": "sipcc", "sipcc": {"type": "note", "transcript": "so far"}}, [Note("so far")]),
    ],
)
def test_what_a_bot_wants(message: object, words: list[FromBot]) -> None:
    wire = TwilioPlatform(FACTS)
    assert wire.receive(json.dumps(message)) == words
    assert wire.counts.malformed == wire.counts.unknown == 0


JUNK = [
    "",
    "no json",
    "[]",
    "7",
    '"media"',
    "{}",
    '{"event":7}',
    '{"event":"media"}',
    '{"event":"media","media":{}}',
    '{"event":"media","media":{"payload":7}}',
    '{"event":"media","media":{"payload":"no base64!"}}',
    '{"event":"media","media":{"payload":"AAA"}}',
    '{"event":"mark"}',
    '{"event":"mark","mark":{}}',
    '{"event":"sipcc"}',
    '{"event":"sipcc","sipcc":{"type":"dance"}}',
    "[" * 100_000,
    '{"event":' + "[" * 50_000,
    "\ud800",
    b"binary",
    " " * (MAX_MESSAGE_BYTES + 1),
]


@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
def test_junk_is_counted_and_dropped(message: str | bytes) -> None:
    platform, bot = TwilioPlatform(FACTS), TwilioBot()
    assert platform.receive(message) == []
    assert bot.receive(message) == []
    assert platform.counts.malformed == 1
    assert bot.counts.malformed + bot.counts.unknown == 1


def test_what_is_unknown_is_counted_apart() -> None:
    platform = TwilioPlatform(FACTS)
    assert platform.receive('{"event":"sing","song":{"a":[1]}}') == []
    assert (platform.counts.malformed, platform.counts.unknown) == (0, 1)


def test_a_bot_of_ours_understands_what_a_platform_writes() -> None:
    """The golden transcript of the documentation, as another platform sends it."""
    bot = TwilioBot()
    messages: list[tuple[object, list[ToBot]]] = [
        ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, []),
        (
            {
                "event": "start",
                "sequenceNumber": "1",
                "start": {
                    "accountSid": "AC00000000000000000000000000000000",
                    "streamSid": "MZ1",
                    "callSid": "CA1",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": {"from": "a", "FirstName": "Jane"},
                },
                "streamSid": "MZ1",
            },
            [
                Started(
                    Facts(
                        call="CA1",
                        stream="MZ1",
                        caller="a",
                        parameters={"from": "a", "FirstName": "Jane"},
                        form=Form(law="PCMU"),
                    )
                )
            ],
        ),
        (
            {
                "event": "media",
                "sequenceNumber": "3",
                "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": PAYLOAD},
                "streamSid": "MZ1",
            },
            [Heard(AUDIO, 5)],
        ),
        ({"event": "media", "media": {"track": "outbound", "payload": PAYLOAD}, "streamSid": "MZ1"}, []),
        (
            {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "1"}},
            [Key("1")],
        ),
        ({"event": "mark", "streamSid": "MZ1", "mark": {"name": "my label"}}, [Marked("my label")]),
        ({"event": "stop", "stop": {"accountSid": "AC", "callSid": "CA1"}, "streamSid": "MZ1"}, [Stopped()]),
    ]
    for message, words in messages:
        assert bot.receive(json.dumps(message)) == words
    assert read([bot.speak(AUDIO), bot.mark("m"), bot.clear()]) == [
        {"event": "media", "streamSid": "MZ1", "media": {"payload": PAYLOAD}},
        {"event": "mark", "streamSid": "MZ1", "mark": {"name": "m"}},
        {"event": "clear", "streamSid": "MZ1"},
    ]
    assert bot.counts.malformed == bot.counts.unknown == 0


def test_the_two_sides_understand_each_other() -> None:
    platform, bot = TwilioPlatform(FACTS, extended=True), TwilioBot()
    for message in platform.begin():
        bot.receive(message)
    assert bot.facts is not None
    assert (bot.facts.call, bot.facts.caller, bot.facts.form) == ("call-1", "13800138000", Form(law="PCMU"))
    assert bot.receive(platform.hear(AUDIO, b"", 40)[0]) == [Heard(AUDIO, 40)]
    assert bot.receive(platform.tell(Marked("m", ms=3))[0]) == [Marked("m", ms=3)]
    assert bot.receive(platform.tell(Cleared(3, 9))[0]) == [Cleared(3, 9)]
    assert platform.receive(bot.speak(AUDIO)) == [Speak(AUDIO)]
    assert platform.receive(bot.mark("m")) == [Mark("m")]
    assert platform.receive(bot.clear()) == [Clear()]
    again = platform.begin()[1]
    assert bot.receive(again) == []  # a second start is none
    assert bot.counts.malformed == 1
