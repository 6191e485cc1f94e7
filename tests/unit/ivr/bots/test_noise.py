"""Whatever a bot or a platform sends, no wire raises: what is not understood is counted."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from sipcc.ivr.bots.dialects import ExotelPlatform, PlivoPlatform, TelnyxPlatform, VonagePlatform
from sipcc.ivr.bots.jambonz import JambonzPlatform
from sipcc.ivr.bots.twilio import TwilioBot, TwilioPlatform
from sipcc.ivr.bots.words import Facts

MESSAGES: list[dict[str, Any]] = [
    {"event": "connected", "protocol": "Call", "version": "1.0.0"},
    {"event": "start", "start": {"callSid": "c", "streamSid": "s", "customParameters": {"a": "b"}}},
    {"event": "start", "start": {"mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000}}},
    {"event": "media", "media": {"track": "inbound", "timestamp": "5", "payload": "AAAA"}},
    {"event": "mark", "mark": {"name": "m", "heardMs": 5}},
    {"event": "dtmf", "dtmf": {"digit": "1"}},
    {"event": "clear"},
    {"event": "stop"},
    {"event": "playAudio", "media": {"contentType": "audio/x-l16", "sampleRate": 8000, "payload": "AAAA"}},
    {"event": "checkpoint", "name": "c"},
    {"event": "sipcc", "sipcc": {"type": "cleared", "heardMs": 1, "totalMs": 2}},
    {"event": "sipcc", "sipcc": {"type": "note", "transcript": "t", "context": {"a": "b"}}},
    {"action": "notify", "payload": {"a": [1, 2]}},
    {"type": "playAudio", "data": {"audioContent": "AAAA", "audioContentType": "wav", "sampleRate": 8000}},
    {"type": "mark", "data": {"name": "m"}},
]
STRANGE: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "x" * 1000,
    "\ud800",
    [],
    {},
    [[]],
    {"a": {"b": None}},
    "NaN",
    "-5",
]


def spoilt(dice: random.Random) -> str | bytes:
    """A message with a value replaced, or with bytes of its text changed."""
    message = json.loads(json.dumps(dice.choice(MESSAGES)))
    place = message
    while True:
        key = dice.choice(list(place))
        if isinstance(place[key], dict) and place[key] and dice.random() < 0.7:
            place = place[key]
            continue
        place[key] = dice.choice(STRANGE)
        break
    text = json.dumps(message)
    if dice.random() < 0.5:
        return text
    data = bytearray(text.encode())
    for _ in range(dice.randrange(1, 4)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data) if dice.random() < 0.3 else data.decode("utf-8", "replace")


@pytest.mark.parametrize(
    "make",
    [
        TwilioPlatform,
        TelnyxPlatform,
        ExotelPlatform,
        PlivoPlatform,
        VonagePlatform,
        JambonzPlatform,
        TwilioBot,
    ],
)
def test_noise_never_raises(make: type[Any]) -> None:
    dice = random.Random(7)
    for _ in range(2000):
        wire = make() if make is TwilioBot else make(Facts(call="c"))
        for _ in range(3):
            wire.receive(spoilt(dice))
