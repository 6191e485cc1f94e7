"""The wires of Telnyx, Exotel, Plivo and Vonage: what is written, what is read, and what is dropped."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sipcc.ivr.bots.dialects import ExotelPlatform, PlivoPlatform, TelnyxPlatform, VonagePlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Facts,
    Form,
    FromBot,
    HandOver,
    Key,
    Mark,
    Marked,
    Played,
    Speak,
)

FACTS = Facts(
    call="call-1", stream="s-1", caller="13800138000", dialled="4008123456", parameters={"level": "3"}
)
AUDIO = bytes(range(160))
PAYLOAD = base64.b64encode(AUDIO).decode()
EXTENSION = {"event": "sipcc", "sipcc": {"type": "queue", "queue": "vip"}}


def written(wire: Any) -> list[Any]:
    said = [*wire.begin(), *wire.hear(AUDIO, b"", 20), *wire.tell(Key("5", 100)), *wire.tell(Played("x"))]
    said += [
        *wire.tell(Marked('"m"')),
        *wire.tell(Marked('"n"', False)),
        *wire.tell(Cleared(1, 2)),
        *wire.end(),
    ]
    return [message if isinstance(message, bytes) else json.loads(message) for message in said]


def test_telnyx() -> None:
    media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": PAYLOAD}
    form = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
    start = {"user_id": "u", "call_control_id": "call-1", "from": "13800138000", "to": "4008123456"}
    assert written(TelnyxPlatform(FACTS, account="u")) == [
        {"event": "connected", "version": "1.0.0"},
        {
            "event": "start",
            "sequence_number": "1",
            "stream_id": "s-1",
            "start": {**start, "custom_parameters": {"level": "3"}, "media_format": form},
        },
        {"event": "media", "sequence_number": "2", "stream_id": "s-1", "media": media},
        {"event": "dtmf", "sequence_number": "3", "stream_id": "s-1", "dtmf": {"digit": "5"}},
        {"event": "mark", "sequence_number": "4", "stream_id": "s-1", "mark": {"name": '"m"'}},
        {"event": "mark", "sequence_number": "5", "stream_id": "s-1", "mark": {"name": '"n"'}},
        {
            "event": "stop",
            "sequence_number": "6",
            "stream_id": "s-1",
            "stop": {"user_id": "u", "call_control_id": "call-1"},
        },
    ]


def test_exotel() -> None:
    wire = ExotelPlatform(Facts(call="call-1", stream="s-1", form=Form(rate_hz=16000, mix="stereo")))
    assert wire.form == Form(rate_hz=16000)
    connected, start, media, dtmf, *_, stop = written(wire)
    assert connected == {"event": "connected"}
    assert start["start"]["media_format"] == {
        "encoding": "audio/x-raw",
        "sample_rate": "16000",
        "bit_rate": "16",
    }
    assert (start["stream_sid"], start["start"]["call_sid"]) == ("s-1", "call-1")
    assert media["media"]["payload"] == PAYLOAD
    assert dtmf["dtmf"] == {"digit": "5", "duration": "100"}
    assert stop["stop"] == {"call_sid": "call-1", "account_sid": "", "reason": "callended"}


def test_plivo() -> None:
    media = {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": PAYLOAD}
    form = {"encoding": "audio/x-mulaw", "sampleRate": 8000}
    start = {
        "callId": "call-1",
        "streamId": "s-1",
        "accountId": "a",
        "tracks": ["inbound"],
        "mediaFormat": form,
    }
    assert written(PlivoPlatform(FACTS, account="a")) == [
        {
            "event": "start",
            "sequenceNumber": 0,
            "streamId": "s-1",
            "start": start,
            "extra_headers": '{"level":"3"}',
        },
        {"event": "media", "sequenceNumber": 1, "streamId": "s-1", "media": media},
        {"event": "dtmf", "sequenceNumber": 2, "streamId": "s-1", "dtmf": {"track": "inbound", "digit": "5"}},
        {"event": "playedStream", "sequenceNumber": 3, "streamId": "s-1", "name": '"m"'},
        {"event": "clearedAudio", "sequenceNumber": 4, "streamId": "s-1"},
        {
            "event": "stop",
            "sequenceNumber": 5,
            "streamId": "s-1",
            "stop": {"callId": "call-1", "streamId": "s-1"},
        },
    ]


def test_vonage() -> None:
    wire = VonagePlatform(Facts(call="call-1", parameters={"level": "3"}, form=Form(rate_hz=16000)))
    assert written(wire) == [
        {"level": "3", "event": "websocket:connected", "content-type": "audio/l16;rate=16000"},
        AUDIO,
        {"event": "websocket:dtmf", "digit": "5", "duration": 100},
        {"event": "websocket:notify", "payload": "m"},
        {"event": "websocket:cleared"},
    ]


def play(kind: str = "audio/x-mulaw", rate: object = 8000, payload: str = PAYLOAD) -> dict[str, Any]:
    return {"event": "playAudio", "media": {"contentType": kind, "sampleRate": rate, "payload": payload}}


HEARD: list[tuple[type[Any], object, list[FromBot]]] = [
    (TelnyxPlatform, {"event": "media", "media": {"payload": PAYLOAD}}, [Speak(AUDIO)]),
    (TelnyxPlatform, {"event": "mark", "mark": {"name": "m"}}, [Mark("m")]),
    (TelnyxPlatform, {"event": "clear"}, [Clear()]),
    (ExotelPlatform, {"event": "media", "stream_sid": "s", "media": {"payload": PAYLOAD}}, [Speak(AUDIO)]),
    (PlivoPlatform, play(), [Speak(AUDIO)]),
    (PlivoPlatform, play("audio/x-l16", "16000"), [Speak(AUDIO, 16000)]),
    (PlivoPlatform, {"event": "checkpoint", "streamId": "s", "name": "m"}, [Mark("m")]),
    (PlivoPlatform, {"event": "clearAudio", "streamId": "s"}, [Clear()]),
    (VonagePlatform, AUDIO, [Speak(AUDIO)]),
    (VonagePlatform, {"action": "clear"}, [Clear()]),
    (VonagePlatform, {"action": "notify", "payload": {"a": 1}}, [Mark('{"a":1}')]),
    *((make, EXTENSION, [HandOver("queue:vip")]) for make in (TelnyxPlatform, PlivoPlatform, VonagePlatform)),
]


@pytest.mark.parametrize(("make", "message", "words"), HEARD, ids=range(len(HEARD)))
def test_what_a_bot_wants(make: type[Any], message: object, words: list[FromBot]) -> None:
    wire = make(FACTS)
    sent = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":"))
    assert wire.receive(sent) == words
    assert wire.counts.malformed == wire.counts.unknown == 0


def test_who_knows_us_is_told_how_much_was_heard() -> None:
    told = {"type": "cleared", "heardMs": 1, "totalMs": 2}
    for wire in (TelnyxPlatform(FACTS), PlivoPlatform(FACTS), VonagePlatform(FACTS)):
        wire.receive(json.dumps({"event": "sipcc", "sipcc": {"type": "hello"}}))
        [cleared] = wire.tell(Cleared(1, 2))
        assert json.loads(cleared)["sipcc"] == told


JUNK: list[object] = [
    "no json",
    "[" * 100_000,
    '{"event":7}',
    '{"event":"sipcc"}',
    '{"action":7}',
    json.dumps(play(payload="!")),
    json.dumps(play("audio/mp3")),
    json.dumps(play("audio/x-l16", 44100)),
    json.dumps(play("audio/x-mulaw", "fast")),
    '{"event":"playAudio"}',
    '{"event":"checkpoint"}',
    json.dumps({"action": "notify", "payload": "x" * 300}),
    " " * (MAX_MESSAGE_BYTES + 1),
    bytes(MAX_MESSAGE_BYTES + 1),
]


@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize("make", [TelnyxPlatform, ExotelPlatform, PlivoPlatform, VonagePlatform])
def test_junk_is_counted_and_dropped(make: type[Any], message: object) -> None:
    wire = make(FACTS)
    assert wire.receive(message) == []
    assert wire.counts.malformed + wire.counts.unknown == 1
