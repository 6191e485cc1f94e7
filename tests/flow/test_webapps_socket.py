"""Applications at a WebSocket on real calls: what they say at any time reaches the caller's ear."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.flow.centre import MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_webapps import ONE_HZ
from tests.unit.ivr.hooks.webapp import App, Peer

from sipcc import Call
from sipcc.call.destination import Destination
from sipcc.ivr.hooks.http import HttpDoor
from sipcc.ivr.hooks.run import Runner
from sipcc.ivr.hooks.settings import WebAppSettings
from sipcc.ivr.hooks.ws import WsDoor
from sipcc.ivr.live import LiveSession
from sipcc.testing.audio import tone, write_wav

LINE = "4008000300"
SETTINGS = WebAppSettings(name="bank", url="ws://app.example.com/", fallback="play:hold", retries=0)


def centre_with(folder: Path, peer: Peer) -> Centre:
    """A centre in which one number is an application at the other end of a link."""

    async def handler(call: Call) -> None:
        session = LiveSession(call)
        web = HttpDoor(SETTINGS, App({}), wall=session.wall, choose=lambda count: 0)
        runner = Runner(
            session,
            WsDoor(SETTINGS, choose=lambda count: 0, web=web, connect=peer.connect),
            fallback=Destination.parse(SETTINGS.fallback),
            account="sipcc",
            application="bank",
        )
        await runner.run()

    return Centre(folder, apps={LINE: handler})


def play(name: str, **more: Any) -> dict[str, Any]:
    return {"verb": "play", "url": f"prompt:{name}", **more}


async def test_a_command_cuts_what_is_playing(tmp_path: Path) -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [play("welcome", loop="forever")])

    peer = Peer(answer)
    async with centre_with(tmp_path, peer) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        peer.say({"type": "command", "command": "redirect", "data": [play("one", loop="forever")]})
        await caller.hears(ONE_HZ, 1.0)
        peer.say({"type": "command", "command": "call:status", "data": {"call_status": "completed"}})
        await caller.ended(1.0)
    assert peer.got[-1]["data"]["call_termination_by"] == "jambonz"


async def test_a_key_breaks_off_what_is_playing_while_the_application_has_said_so(tmp_path: Path) -> None:
    barge = {"enable": True, "input": ["digits"], "actionHook": "/cut"}

    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [{"verb": "config", "bargeIn": barge}, play("welcome", loop="forever")])
        if message.get("hook") == "/cut":
            peer.ack(message, [play("one"), {"verb": "hangup"}])

    peer = Peer(answer)
    async with centre_with(tmp_path, peer) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.press("7")
        await caller.hears(ONE_HZ)
        await caller.ended()
    (cut,) = [message for message in peer.got if message.get("hook") == "/cut"]
    assert (cut["data"]["digits"], cut["data"]["reason"]) == ("7", "dtmfDetected")


async def test_a_connection_that_breaks_off_in_a_prompt_leads_to_the_fallback(tmp_path: Path) -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [play("welcome", loop="forever")])

    peer = Peer(answer)
    async with centre_with(tmp_path, peer) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        peer.say("lost")
        await caller.hears(MUSIC_HZ)
        await caller.hangup()


async def test_a_caller_who_hangs_up_is_told_of(tmp_path: Path) -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [play("welcome", loop="forever")])

    peer = Peer(answer)
    async with centre_with(tmp_path, peer) as centre:
        caller = await centre.carrier.call(LINE)
        await caller.hears(WELCOME_HZ)
        await caller.hangup()
        await caller.ended()
    last = peer.got[-1]
    assert (last["type"], last["data"]["call_status"]) == ("call:status", "completed")
    assert last["data"]["call_termination_by"] == "caller"


async def test_a_caller_who_hangs_up_while_nothing_is_done_is_told_of_too(tmp_path: Path) -> None:
    def answer(peer: Peer, message: dict[str, Any]) -> None:
        if message["type"] == "session:new":
            peer.ack(message, [play("one")])

    peer = Peer(answer)
    async with centre_with(tmp_path, peer) as centre:
        write_wav(tmp_path / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        caller = await centre.carrier.call(LINE)
        await caller.hears(ONE_HZ)
        await asyncio.sleep(3.0)
        await caller.hangup()
        await caller.ended()
        await asyncio.sleep(0.1)
    assert peer.got[-1]["data"]["call_status"] == "completed"
    assert peer.got[-1]["data"]["call_termination_by"] == "caller"
