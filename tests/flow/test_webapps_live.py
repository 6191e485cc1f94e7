"""Live calls of webhook applications, commanded over HTTP with jambonz' and Twilio's own paths."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ, Centre
from tests.flow.test_api import TOKENS, until
from tests.flow.test_webapps import LINE, Net, centre_with

from sipcc.api.app import make_api
from sipcc.errors import LocalProtocolError
from sipcc.ivr.hooks.door import Follow
from sipcc.ivr.hooks.model import Hook
from sipcc.testing.audio import tone, write_wav

ONE_HZ = 500.0
API = '[api]\nlisten = "127.0.0.1:0"\n'


class Calls:
    """A client of one of the two."""

    def __init__(self, http: httpx.AsyncClient, *, basic: bool) -> None:
        self._http, self._basic = http, basic

    async def ask(self, method: str, path: str, *, role: str = "supervisor", **more: Any) -> httpx.Response:
        given = f"Bearer {role}"
        if self._basic:
            given = "Basic " + base64.b64encode(f"sipcc:{role}".encode()).decode()
        return await self._http.request(method, path, headers={"Authorization": given}, **more)


@asynccontextmanager
async def live(folder: Path, net: Net, *, kind: str) -> AsyncIterator[tuple[Centre, Calls]]:
    async with centre_with(folder, net, kind=kind) as centre:
        write_wav(folder / "prompts" / "one.wav", tone(ONE_HZ, 1.0))
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            yield centre, Calls(http, basic=kind == "twiml")


QUEUE = [{"verb": "enqueue", "name": "sales"}]
ONE = [{"verb": "play", "url": "prompt:one", "loop": 5}]
DIAL = [{"verb": "dial", "target": [{"type": "user", "name": "1002"}], "actionHook": "/after"}]


def path_of(centre: Centre) -> str:
    (facts,) = [app.facts() for app in centre.switch.live_apps]
    return f"/v1/Accounts/sipcc/Calls/{facts.call}"


async def test_a_jambonz_call_is_sent_elsewhere_and_ended(tmp_path: Path) -> None:
    net = Net({"/start": QUEUE, "/one": ONE})
    async with live(tmp_path, net, kind="jambonz") as (centre, calls):
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        path = path_of(centre)
        (listed,) = (await calls.ask("GET", "/v1/Accounts/sipcc/Calls")).json()
        info = (await calls.ask("GET", path)).json()
        assert listed == info
        assert (info["call_status"], info["from"], info["to"]) == ("in-progress", "13800138000", LINE)
        assert (await calls.ask("PUT", path, json={"call_hook": "/one"})).status_code == 202
        await caller.hears(ONE_HZ)
        assert not centre.switch.acd.floor.entries  # it has left the queue
        assert (await calls.ask("PUT", path, json={"call_status": "completed"})).status_code == 202
        await caller.ended()
        assert (await calls.ask("PUT", path, json={"call_status": "completed"})).status_code == 404
    assert net.told("/one")["call_sid"] == info["call_sid"]


async def test_a_jambonz_caller_is_muted_tagged_and_taken_out_of_a_talk(tmp_path: Path) -> None:
    net = Net({"/start": DIAL, "/one": ONE, "/after": []})
    async with live(tmp_path, net, kind="jambonz") as (centre, calls):
        phone = await centre.phone("1002")
        caller = await centre.carrier.call(LINE)
        await caller.hears(AGENT_HZ["1002"])
        rung = await phone.next_call()
        await rung.hears(CALLER_HZ)
        path = path_of(centre)
        for status in ("mute", "unmute"):
            said = await calls.ask("PUT", path, json={"mute_status": status, "tag": {"muted": status}})
            assert said.status_code == 202
        assert (await calls.ask("PUT", path, json={"dtmf": {"digit": "5"}})).status_code == 202
        recorded = await calls.ask("PUT", path, json={"record": {"action": "startCallRecording"}})
        assert (recorded.status_code, recorded.json()["error"]) == (409, "conflict")  # no policy has it
        assert (await calls.ask("PUT", path, json={"call_hook": {"url": "/one"}})).status_code == 202
        await caller.hears(ONE_HZ)
        await rung.ended()
        assert (await calls.ask("DELETE", path)).status_code == 204
        await caller.ended()
        assert caller.media.digits == "5"
    assert net.told("/one")["customerData"] == {"muted": "unmute"}


@pytest.mark.parametrize(
    ("role", "path", "body", "status"),
    [
        ("agent", "", {"call_status": "completed"}, 403),
        ("auditor", "", {"call_status": "completed"}, 403),
        ("supervisor", "", {"whisper": {"verb": "say", "text": "x"}}, 400),
        ("supervisor", "", {}, 400),
        ("supervisor", "/v1/Accounts/other/Calls/{call}", {"call_status": "completed"}, 404),
        ("supervisor", "/v1/Accounts/sipcc/Calls/nobody", {"call_status": "completed"}, 404),
    ],
)
async def test_what_is_refused_changes_nothing(
    tmp_path: Path, role: str, path: str, body: Any, status: int
) -> None:
    async with live(tmp_path, Net({"/start": QUEUE}), kind="jambonz") as (centre, calls):
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        own = path_of(centre)
        said = await calls.ask("PUT", path.format(call=own.rpartition("/")[2]) or own, role=role, json=body)
        assert said.status_code == status
        assert said.json()["message"]
        await caller.hangup()


async def test_a_twiml_call_is_sent_elsewhere_given_a_document_and_ended(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Enqueue>sales</Enqueue></Response>",
            "/one": "<Response><Play loop='9'>prompt:one</Play></Response>",
        }
    )
    async with live(tmp_path, net, kind="twiml") as (centre, calls):
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        (facts,) = [app.facts() for app in centre.switch.live_apps]
        path = f"/2010-04-01/Accounts/sipcc/Calls/{facts.call}.json"
        assert (await calls.ask("GET", path)).json()["status"] == "in-progress"
        said = await calls.ask("POST", path, data={"Url": "/one", "Method": "GET"})
        assert (said.status_code, said.json()["sid"]) == (200, facts.call)
        await caller.hears(ONE_HZ)
        document = "<Response><Play loop='9'>prompt:welcome</Play></Response>"
        assert (await calls.ask("POST", path, data={"Twiml": document})).status_code == 200
        await caller.hears(WELCOME_HZ)
        wrong = await calls.ask("POST", path, data={"Twiml": "<Response><Pay/></Response>"})
        assert (wrong.status_code, wrong.json()["path"]) == (400, "1:11")
        assert (await calls.ask("POST", path, role="agent", data={"Status": "completed"})).status_code == 403
        assert (await calls.ask("POST", path, role="none", data={"Status": "completed"})).status_code == 401
        assert (await calls.ask("POST", path, data={"Status": "completed"})).status_code == 200
        await caller.ended()


async def test_a_recording_is_fetched_at_the_url_that_the_application_was_told(tmp_path: Path) -> None:
    net = Net(
        {
            "/start": "<Response><Record action='/voice' maxLength='3'/></Response>",
            "/voice": "<Response><Hangup/></Response>",
        }
    )
    async with centre_with(tmp_path, net, kind="twiml", more=API) as centre:
        app = make_api(centre.switch, list(TOKENS.values()))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example.com") as http:
            calls = Calls(http, basic=True)
            caller = await centre.carrier.call(LINE)
            await caller.ended()
            told = net.told("/voice")
            place = httpx.URL(told["RecordingUrl"])
            assert (place.host, place.path.rpartition("/")[0]) == (
                "127.0.0.1",
                "/2010-04-01/Accounts/sipcc/Recordings",
            )
            sound = await calls.ask("GET", place.path)
            assert (sound.status_code, sound.headers["content-type"]) == (200, "audio/wav")
            assert sound.content[:4] == b"RIFF"
            bare = place.path.removesuffix(".wav")
            assert (await calls.ask("GET", bare)).content == sound.content
            assert (await calls.ask("GET", f"{bare}.json")).json()["sid"] == told["RecordingSid"]
            assert (await calls.ask("GET", bare, role="agent")).status_code == 403
            for wrong in ("nosuch", "..%2f..%2fsipcc", "x.mp3"):
                gone = await calls.ask("GET", f"/2010-04-01/Accounts/sipcc/Recordings/{wrong}")
                assert gone.status_code == 404
            await until(lambda: bool(centre.told("RecordingAccessed")))
            accessed: Any = centre.told("RecordingAccessed")[0]
            assert (accessed.recording, accessed.by, accessed.what) == (
                told["RecordingSid"],
                "supervisor",
                "audio",
            )


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("jambonz", {"content": b"{"}),
        ("jambonz", {"content": b"[" * 30_000}),
        ("jambonz", {"json": [1, 2]}),
        ("jambonz", {"json": {"call_hook": 5}}),
        ("jambonz", {"json": {"dtmf": {"digit": "1" * 5000}}}),
        ("twiml", {"content": b"\xff\xfe{"}),
        ("twiml", {"json": {"Status": "completed"}}),
        ("twiml", {"data": {"Twiml": "<Response>" * 5000}}),
        ("twiml", {"data": {"Url": ["/a", "/b"], "Status": "completed"}}),
        ("twiml", {"files": {"Url": ("x.txt", b"/one")}}),
    ],
)
async def test_broken_orders_are_refused_without_harm(
    tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    start: Any = QUEUE if kind == "jambonz" else "<Response><Enqueue>sales</Enqueue></Response>"
    async with live(tmp_path, Net({"/start": start}), kind=kind) as (centre, calls):
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        (facts,) = [app.facts() for app in centre.switch.live_apps]
        way, root = ("PUT", "/v1") if kind == "jambonz" else ("POST", "/2010-04-01")
        said = await calls.ask(way, f"{root}/Accounts/sipcc/Calls/{facts.call}", **more)
        assert said.status_code in (400, 413), said.text
        assert said.json()["message"]
        await caller.hears(MUSIC_HZ)
        await caller.hangup()


async def test_a_call_that_gets_more_orders_than_it_can_do_refuses_the_rest(tmp_path: Path) -> None:
    net = Net({"/start": QUEUE, "/one": ONE})
    async with live(tmp_path, net, kind="jambonz") as (centre, calls):
        caller = await centre.carrier.call(LINE)
        await caller.hears(MUSIC_HZ)
        (app,) = centre.switch.live_apps
        follow = Follow(Hook("/one"))
        with pytest.raises(LocalProtocolError):
            app.tell([follow] * 200)
        await caller.hears(ONE_HZ)
        said = await calls.ask("DELETE", path_of(centre))
        assert said.status_code == 204
        await caller.ended()
