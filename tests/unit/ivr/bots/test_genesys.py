"""Genesys AudioHook, both sides: opening, audio, keys, interruptions, pauses, the ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sipcc.ivr.bots.genesys import GenesysBot, GenesysPlatform
from sipcc.ivr.bots.words import (
    MAX_MESSAGE_BYTES,
    Clear,
    Cleared,
    Facts,
    Failed,
    Form,
    FromBot,
    HandOver,
    Heard,
    Key,
    Marked,
    Note,
    Played,
    Speak,
    Started,
    Stopped,
)

SESSION = "e160e428-53e2-487c-977d-96989bf5c99d"
FACTS = Facts(
    call="call-1", stream=SESSION, caller="13800138000", dialled="4008123456", parameters={"a": "b"}
)
AUDIO = bytes(range(160))


def read(messages: Any) -> list[Any]:
    return [message if isinstance(message, bytes) else json.loads(message) for message in messages]


def server(kind: str, seq: int = 1, **parameters: object) -> str:
    head = {"version": "2", "id": SESSION, "type": kind, "seq": seq, "clientseq": 1}
    return json.dumps({**head, "parameters": parameters})


def media(*channels: str) -> dict[str, object]:
    return {"type": "audio", "format": "PCMU", "channels": list(channels), "rate": 8000}


def opened(wire: GenesysPlatform, *channels: str, **more: object) -> GenesysPlatform:
    wire.begin()
    wire.receive(server("opened", media=[media(*channels)] if channels else [], **more))
    return wire


def test_a_session_is_asked_for_and_no_audio_goes_before_it_is_open() -> None:
    wire = GenesysPlatform(FACTS)
    [message] = read(wire.begin())
    parameters = message.pop("parameters")
    assert message == {
        "version": "2",
        "id": SESSION,
        "type": "open",
        "seq": 1,
        "serverseq": 0,
        "position": "PT0.000S",
    }
    assert parameters["media"] == [media("external")]
    assert parameters["inputVariables"] == {"a": "b"}
    people = parameters["participant"]
    assert (people["ani"], people["dnis"]) == ("13800138000", "4008123456")
    assert wire.headers["Audiohook-Session-Id"] == SESSION
    assert wire.headers["Audiohook-Organization-Id"] == parameters["organizationId"]
    assert wire.hear(AUDIO, b"", 0) == []
    assert wire.receive(server("opened", media=[media("external")])) == []
    assert wire.hear(AUDIO, b"", 20) == [AUDIO]


def test_the_server_chooses_what_it_hears() -> None:
    facts = Facts(call="c", stream=SESSION, form=Form(mix="stereo"))
    [message] = read(GenesysPlatform(facts).begin())
    offered = message["parameters"]["media"]
    assert offered == [media("external", "internal"), media("external")]
    said, heard = b"ab", b"xy"
    for channels, audio in (
        (("external",), [b"ab"]),
        (("internal",), [b"xy"]),
        (("external", "internal"), [b"axby"]),
        ((), []),
    ):
        assert opened(GenesysPlatform(facts), *channels).hear(said, heard, 0) == audio


def test_what_plays_is_told_by_the_clock_and_an_interruption_ends_it() -> None:
    wire = opened(GenesysPlatform(FACTS), "external")
    assert wire.receive(AUDIO * 5) == [Speak(AUDIO * 5)]
    kinds = []
    for at_ms in range(0, 200, 20):
        kinds += [(at_ms, told["type"]) for told in read(wire.hear(b"", b"", at_ms)) if told]
    assert kinds == [(0, "playback_started"), (140, "playback_completed")]
    wire.receive(AUDIO * 500)
    assert wire.receive(server("event", 2, entities=[{"type": "barge_in", "data": {}}])) == [Clear()]
    assert [told["type"] for told in read(wire.tell(Cleared(20, 120)))] == [
        "playback_started",
        "playback_completed",
    ]


def test_keys_pauses_and_questions_whether_it_lives() -> None:
    wire = opened(GenesysPlatform(FACTS), "external")
    [key] = read(wire.tell(Key("5", 100)))
    assert (key["type"], key["parameters"], key["seq"], key["serverseq"]) == ("dtmf", {"digit": "5"}, 2, 1)
    wire.receive(server("pause", 2))
    [paused] = read(wire.hear(AUDIO, b"", 1000))
    assert (paused["type"], paused["position"]) == ("paused", "PT0.000S")
    assert wire.hear(AUDIO, b"", 1020) == []
    wire.receive(server("resume", 3))
    resumed, audio = read(wire.hear(AUDIO, b"", 1040))
    assert (resumed["type"], audio) == ("resumed", AUDIO)
    assert resumed["parameters"] == {"start": "PT1.020S", "discarded": "PT0.000S"}
    ping, _ = read(wire.hear(AUDIO, b"", 5000))
    assert (ping["type"], ping["serverseq"], ping["position"]) == ("ping", 3, "PT5.000S")
    assert wire.receive(server("pong", 4)) == []
    assert wire.tell(Marked("m")) == wire.tell(Played("p")) == []


def test_both_sides_can_end_it_and_the_server_has_the_last_word() -> None:
    wire = opened(GenesysPlatform(FACTS), "external")
    [close] = read(wire.end())
    assert (close["type"], close["parameters"], wire.lingers) == ("close", {"reason": "end"}, True)
    assert wire.receive(server("closed", 2)) == []
    assert not wire.lingers
    wire = opened(GenesysPlatform(FACTS), "external")
    output = {"intent": "billing", "count": 3}
    left = wire.receive(server("disconnect", 2, reason="completed", outputVariables=output))
    assert left == [Note(context={"intent": "billing", "count": "3"}), HandOver()]
    assert read(wire.end())[0]["parameters"] == {"reason": "disconnect"}
    never = GenesysPlatform(FACTS)
    never.begin()
    never.end()
    assert not never.lingers


WORDS: list[tuple[str, list[FromBot]]] = [
    (server("disconnect", reason="error", info="no model"), [Failed("no model")]),
    (server("disconnect", reason="unauthorized"), [Failed("unauthorized")]),
    (server("disconnect", reason="completed"), [HandOver()]),
    (server("event", entities=[{"type": "bot_turn_response", "data": {}}]), []),
    (json.dumps({"type": "sipcc", "sipcc": {"type": "queue", "queue": "vip"}}), [HandOver("queue:vip")]),
]


@pytest.mark.parametrize(("message", "words"), WORDS, ids=range(len(WORDS)))
def test_what_a_server_wants(message: str, words: list[FromBot]) -> None:
    wire = GenesysPlatform(FACTS)
    assert wire.receive(message) == words
    assert wire.counts.malformed == wire.counts.unknown == 0


@pytest.mark.parametrize("mix", ["mono", "stereo"])
def test_the_two_sides_understand_each_other(mix: Any) -> None:
    facts = Facts(call="c", stream=SESSION, caller="1001", dialled="4008", form=Form(mix=mix))
    platform, bot = GenesysPlatform(facts), GenesysBot()
    [message] = platform.begin()
    [started] = bot.receive(message)
    assert isinstance(started, Started)
    told = started.facts
    assert (told.stream, told.caller, told.dialled, told.form) == (SESSION, "1001", "4008", Form(law="PCMU"))
    for reply in bot.replies():
        assert platform.receive(reply) == []
    [sent] = platform.hear(AUDIO, bytes(160), 0)
    assert bot.receive(sent) == [Heard(AUDIO, 0)]
    assert [word for message in platform.tell(Key("7", 100)) for word in bot.receive(message)] == [Key("7")]
    assert platform.receive(bot.speak(AUDIO)) == [Speak(AUDIO)]
    assert platform.receive(bot.clear()) == [Clear()]
    assert bot.mark("m") is None
    assert platform.receive(bot.hang_up()) == [HandOver()]
    closing = [word for message in platform.end() for word in bot.receive(message)]
    assert closing == [Stopped("disconnect")]
    for reply in bot.replies():
        platform.receive(reply)
    assert not platform.lingers
    assert not any((platform.counts.malformed, platform.counts.unknown))
    assert not any((bot.counts.malformed, bot.counts.unknown))


def test_a_stereo_client_is_heard_on_the_callers_side() -> None:
    bot = GenesysBot()
    parameters = {"media": [media("external", "internal")]}
    bot.receive(json.dumps({"type": "open", "id": SESSION, "seq": 1, "parameters": parameters}))
    assert bot.receive(b"axby") == [Heard(b"ab", 0)]


JUNK: list[str | bytes] = [
    "{",
    "[" * 100_000,
    '{"type":7}',
    '{"type":"sipcc"}',
    '{"type":"no_such"}',
    '{"type":"opened","parameters":{"media":[{"channels":["both"]}]}}',
    bytes(MAX_MESSAGE_BYTES + 1),
]


@pytest.mark.parametrize("message", JUNK, ids=range(len(JUNK)))
def test_junk_is_counted_and_dropped(message: str | bytes) -> None:
    wire, bot = GenesysPlatform(FACTS), GenesysBot()
    assert wire.receive(message) == [] == bot.receive(message)
    assert wire.counts.malformed + wire.counts.unknown == 1 == bot.counts.malformed + bot.counts.unknown


def test_a_client_without_a_sound_that_we_know_is_not_opened() -> None:
    bot = GenesysBot()
    offer = {
        "type": "open",
        "id": SESSION,
        "parameters": {"media": [{"format": "L16", "channels": ["external"]}]},
    }
    assert bot.receive(json.dumps(offer)) == bot.receive(AUDIO) == []
    assert bot.counts.malformed == 2
