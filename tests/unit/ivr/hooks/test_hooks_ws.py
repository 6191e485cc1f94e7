"""The WebSocket protocol of jambonz, against an application at the other end of a link in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.ivr.hooks.webapp import Answer, App, Peer

from sipcc.call.destination import Destination
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.ws import MAX_COMMANDS, PROTOCOL, WsDoor
from sipcc.ivr.sim import SimSession

HANGUP = [{"verb": "hangup"}]


class Result:
    def __init__(self, session: SimSession, peer: Peer, web: App, failures: list[str]) -> None:
        self.session, self.peer, self.web, self.failures = session, peer, web, failures


async def drive(
    answer: Answer, script: str = "", *, refuses: int = 0, web: Mapping[str, Any] | None = None, **more: Any
) -> Result:
    settings = WebAppSettings(name="bank", url="ws://app.example.com/ws", fallback="queue:sales", **more)
    peer, app = Peer(answer, refuses=refuses), App(web or {})
    session = SimSession(script)
    failures: list[str] = []
    http = HttpDoor(settings, app, wall=lambda: 0.0, choose=lambda count: 0)
    runner = Runner(
        session,
        WsDoor(settings, choose=lambda count: 0, web=http, connect=peer.connect),
        fallback=Destination.parse(settings.fallback),
        account="sipcc",
        application="bank",
        on_failed=lambda kind, why: failures.append(kind),
        quiet=settings.quiet,
    )
    await asyncio.wait_for(runner.run(), 30)
    return Result(session, peer, app, failures)


def table(**answers: object) -> Answer:
    """Answers ``session_new`` and hooks by their names without the slash."""

    def answer(peer: Peer, message: dict[str, Any]) -> None:
        name = message.get("hook", "").strip("/") or message["type"].replace(":", "_")
        if name in answers:
            peer.ack(message, answers[name])

    return answer


async def test_a_call_is_carried_over_one_connection() -> None:
    ask = {"verb": "gather", "numDigits": 1, "actionHook": "/menu", "say": {"text": "Press 1"}}
    result = await drive(
        table(session_new=[ask], menu=[{"verb": "say", "text": "Thanks"}, {"verb": "hangup"}]),
        "at 1s keys 1",
        user="ann",
        password="pw",
    )
    assert result.session.said == ["Press 1", "Thanks"]
    (connect,) = result.peer.connects
    assert (connect["url"], connect["protocols"]) == ("ws://app.example.com/ws", [PROTOCOL])
    assert connect["headers"]["Authorization"].startswith("Basic ")
    new, menu = (message for message in result.peer.got if message["type"] != "call:status")
    ringing, over = (message for message in result.peer.got if message["type"] == "call:status")
    assert result.peer.types[0] == "session:new"
    assert result.peer.types[-1] == "call:status"
    assert new["data"]["from"] == "13800138000"
    assert new["call_sid"] == "sim"
    assert ringing["data"]["call_status"] == "in-progress"
    assert (menu["hook"], menu["data"]["digits"]) == ("/menu", "1")
    assert over["data"]["call_status"] == "completed"
    assert result.failures == []


async def test_when_the_program_is_over_the_call_waits_for_commands() -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [{"verb": "say", "text": "One"}])
            peer.say(
                {
                    "type": "command",
                    "command": "redirect",
                    "queueCommand": True,
                    "data": [{"say": {"text": "Two"}}],
                }
            )
        if message["type"] == "call:status":
            peer.say({"type": "command", "command": "tag", "data": {"level": 3}})
            peer.say({"type": "command", "command": "redirect", "data": {"call_hook": "/more"}})
        if message["type"] == "session:redirect":
            assert message["hook"] == "/more"
            peer.ack(message, [{"verb": "say", "text": "Three"}])
            peer.say({"type": "command", "command": "call:status", "data": {"call_status": "completed"}})

    result = await drive(answer)
    assert result.session.said[:1] == ["One"]
    assert "Three" in result.session.said
    assert result.session.tags == {"level": "3"}
    assert result.session.exit == "normal"
    assert result.failures == []


async def test_an_application_that_closes_in_good_order_leaves_the_call_to_its_program() -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [{"verb": "say", "text": "One"}, {"verb": "say", "text": "Two"}])
            peer.say("closed")

    result = await drive(answer)
    assert result.session.said == ["One", "Two"]
    assert result.session.exit == "normal"
    assert result.failures == []


async def test_a_connection_that_is_lost_leads_to_the_fallback() -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [{"verb": "gather", "numDigits": 1, "actionHook": "/menu"}])
        if message["type"] == "verb:hook":
            peer.say("lost")

    result = await drive(answer, "keys 1", retries=0)
    assert result.failures == ["lost"]
    assert "go" in [line.what for line in result.session.lines]


async def test_a_connection_that_was_lost_is_made_again_and_the_question_asked_again() -> None:
    lost: list[bool] = []

    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [{"verb": "gather", "numDigits": 1, "actionHook": "/menu"}])
        if message["type"] == "verb:hook":
            if lost:
                peer.ack(message, HANGUP)
            else:
                lost.append(True)
                peer.say("lost")

    result = await drive(answer, "keys 1", retries=1)
    assert [kind for kind in result.peer.types if kind != "call:status"] == [
        "session:new", "verb:hook", "session:reconnect", "verb:hook",
    ]  # fmt: skip
    assert result.peer.got[0]["data"] == next(
        message["data"] for message in result.peer.got if message["type"] == "session:reconnect"
    )
    assert result.failures == []


@pytest.mark.parametrize(("refuses", "retries", "failures"), [(1, 0, ["unreachable"]), (2, 2, [])])
async def test_who_cannot_be_reached_is_tried_again(refuses: int, retries: int, failures: list[str]) -> None:
    result = await drive(table(session_new=HANGUP), refuses=refuses, retries=retries)
    assert result.failures == failures
    assert len(result.peer.connects) == refuses + (not failures)


async def test_no_answer_in_time_leads_to_the_fallback() -> None:
    result = await drive(table(), timeout=2.0)
    assert result.failures == ["slow"]


async def test_what_cannot_be_carried_out_is_told_to_the_application_too() -> None:
    result = await drive(table(session_new=[{"verb": "say", "txt": "x"}]))
    assert result.failures == ["unreadable"]
    (error,) = [message for message in result.peer.got if message["type"] == "jambonz:error"]
    assert error["data"]["error"] == "$[0].txt: txt is not known here"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "it cannot be read"),
        ({"type": "hello"}, "neither ack nor command"),
        ({"type": "command", "command": "dub", "data": {}}, "'dub' is not served"),
        ({"type": "command", "command": "redirect", "data": [{"verb": "shout"}]}, "$.data[0].verb"),
        (
            {"type": "command", "command": "call:status", "data": {"call_status": "busy"}},
            "$.data.call_status",
        ),
    ],
)
async def test_a_bad_command_is_told_of_and_the_call_goes_on(message: object, said: str) -> None:
    def answer(peer: Peer, got: dict[str, Any]) -> None:
        if got["type"] == "session:new":
            peer.ack(got, [{"verb": "say", "text": "One"}])
            peer.say(message)
        if got["type"] == "jambonz:error":
            peer.say({"type": "ack", "msgid": "unknown"})
            peer.say({"type": "command", "command": "call:status", "data": {"call_status": "completed"}})

    result = await drive(answer)
    errors = [got["data"]["error"] for got in result.peer.got if got["type"] == "jambonz:error"]
    assert len(errors) == 1
    assert said in errors[0]
    assert result.session.exit == "normal"
    assert result.failures == []


async def test_a_flood_of_commands_loses_the_call() -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            for _ in range(MAX_COMMANDS + 1):
                peer.say({"type": "command", "command": "redirect", "queueCommand": True, "data": []})
            peer.ack(message, [{"verb": "say", "text": "One"}])

    result = await drive(answer)
    assert result.failures == ["loop"]


async def test_hooks_that_are_urls_of_http_are_asked_over_http() -> None:
    ask = {"verb": "gather", "numDigits": 1, "actionHook": "http://other.example.com/got"}
    result = await drive(table(session_new=[ask]), "keys 1", web={"/got": HANGUP})
    assert result.web.paths == ["/got"]
    assert result.failures == []


async def test_an_application_is_told_of_verbs_when_it_wants_to_know() -> None:
    verbs = [{"verb": "config", "notifyEvents": True}, {"verb": "pause", "length": 1, "id": "p1"}, *HANGUP]
    result = await drive(table(session_new=verbs))
    told = [message["data"] for message in result.peer.got if message["type"] == "verb:status"]
    assert told == [
        {"event": "starting", "name": "pause", "id": "p1"},
        {"event": "finished", "name": "pause", "id": "p1"},
        {"event": "starting", "name": "hangup"},
        {"event": "finished", "name": "hangup"},
    ]


@pytest.mark.parametrize("first", [[], [{"verb": "say", "text": "One moment"}], None])
async def test_an_application_that_leaves_a_caller_with_nothing_loses_it(first: object) -> None:
    result = await drive(table(session_new=first), quiet=5.0)
    assert result.failures == ["slow"]
    assert "enqueue" in [line.what for line in result.session.lines]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "command", "command": "mute:status", "data": {"mute_status": "mute"}},
        {"type": "command", "command": "dtmf", "data": {"digit": "1"}},
        {"type": "command", "command": "record", "data": {"action": "startCallRecording"}},
        {"type": "command", "command": "tag", "data": {"a": "b"}},
    ],
)
async def test_what_cannot_be_done_at_once_cuts_nothing(message: dict[str, Any]) -> None:
    def answer(peer: Peer, sent: dict[str, Any]) -> None:
        if sent["type"] == "session:new":
            peer.ack(sent, [{"verb": "gather", "actionHook": "/got"}, {"verb": "say", "text": "Two"}])
        elif sent.get("hook") == "/got":
            peer.say(message)
            peer.ack(sent, [{"verb": "say", "text": "One"}, *HANGUP])

    result = await drive(answer)
    assert result.session.said == ["One"]
    assert result.failures == []
