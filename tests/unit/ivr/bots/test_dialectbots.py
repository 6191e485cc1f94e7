"""The bots' sides of Telnyx, Exotel, Plivo and Vonage, against the platforms' sides of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipcc.ivr.bots.dialectbots import ExotelBot, PlivoBot, TelnyxBot, VonageBot
from sipcc.ivr.bots.dialects import ExotelPlatform, PlivoPlatform, TelnyxPlatform, VonagePlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Facts,
    Form,
    Heard,
    Key,
    Mark,
    Marked,
    Speak,
    Started,
    Stopped,
    ToBot,
)

FACTS = Facts(
    call="call-1",
    stream="s-1",
    caller="13800138000",
    dialled="4008123456",
    parameters={"from": "13800138000", "to": "4008123456", "level": "3"},
    form=Form(rate_hz=16000),
)
AUDIO = bytes(range(160))
SIDES = [
    (TelnyxPlatform, TelnyxBot),
    (ExotelPlatform, ExotelBot),
    (PlivoPlatform, PlivoBot),
    (VonagePlatform, VonageBot),
]


@pytest.mark.parametrize(("platform_of", "bot_of"), SIDES)
def test_the_two_sides_understand_each_other(platform_of: Any, bot_of: Any) -> None:
    platform, bot = platform_of(FACTS), bot_of()

    def told(messages: Any) -> list[ToBot]:
        return [word for message in messages for word in bot.receive(message)]

    [started] = told(platform.begin())
    assert isinstance(started, Started)
    read = started.facts
    assert (read.caller, read.dialled, read.parameters["level"]) == ("13800138000", "4008123456", "3")
    assert read.form == platform.form
    frame = bytes(160 if read.form.law else 640)
    assert told([*platform.hear(frame, b"", 0), *platform.hear(frame, b"", 20)]) == [
        Heard(frame, 0),
        Heard(frame, 20),
    ]
    assert told(platform.tell(Key("5", 100))) == [Key("5")]
    [speech] = platform.receive(bot.speak(AUDIO))
    assert isinstance(speech, Speak)
    assert speech.audio == AUDIO
    [mark] = platform.receive(bot.mark("one"))
    assert isinstance(mark, Mark)
    assert told(platform.tell(Marked(mark.name))) == [Marked("one")]
    assert platform.receive(bot.clear()) == [Clear()]
    assert told(platform.tell(Cleared(1, 2))) == []
    assert told(platform.end()) == ([] if platform_of is VonagePlatform else [Stopped()])
    assert (bot.replies(), bot.hang_up()) == ([], None)
    assert not any((platform.counts.malformed, platform.counts.unknown))
    assert not any((bot.counts.malformed, bot.counts.unknown))


def test_the_words_are_those_of_each_platform() -> None:
    telnyx, plivo, vonage = TelnyxBot(), PlivoBot(), VonageBot()
    for bot, platform in ((telnyx, TelnyxPlatform), (plivo, PlivoPlatform)):
        for message in platform(FACTS).begin():
            bot.receive(message)
    assert json.loads(telnyx.mark("m")) == {"event": "mark", "stream_id": "s-1", "mark": {"name": "m"}}
    assert json.loads(plivo.mark("m")) == {"event": "checkpoint", "streamId": "s-1", "name": "m"}
    assert json.loads(plivo.clear()) == {"event": "clearAudio", "streamId": "s-1"}
    assert json.loads(plivo.speak(b""))["media"] == {
        "contentType": "audio/x-mulaw",
        "sampleRate": 8000,
        "payload": "",
    }
    assert json.loads(vonage.clear()) == {"action": "clear"}


JUNK: list[str | bytes] = [
    "{",
    "[" * 100_000,
    '{"event":7}',
    '{"event":"no_such"}',
    '{"event":"media","media":{"payload":"!"}}',
    '{"event":"start","start":{"media_format":{"encoding":"mp3"},"mediaFormat":{"encoding":"mp3"}}}',
    '{"event":"websocket:connected","content-type":"audio/mp3"}',
    '{"event":"websocket:dtmf","digit":"x"}',
    '{"event":"dtmf"}',
    b"early",
    bytes(MAX_MESSAGE_BYTES + 1),
]


@pytest.mark.parametrize("bot_of", [TelnyxBot, ExotelBot, PlivoBot, VonageBot])
@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
def test_junk_is_counted_and_dropped(bot_of: Any, message: str | bytes) -> None:
    bot = bot_of()
    assert bot.receive(message) == []
    assert bot.counts.malformed + bot.counts.unknown == 1
