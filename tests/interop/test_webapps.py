"""Applications written with jambonz's SDK and with Twilio's helper, unmodified, drive calls of `sipccd`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.interop.centre import Centre
from tests.interop.conftest import Cast
from tests.interop.programs import ROOT, Program, free_port, need, wait_until
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from sipcc.api.access import digest_of, token_of

APPS = Path(__file__).with_name("apps")
SDK = ROOT / "build" / "jambonz"

WEBAPP = """
[[webapps]]
name = "bank"
url = "{url}"
kind = "{kind}"
status_url = "{status}"
secret = "token-1234"
timeout = 20    # the SDK compiles a hundred schemas for each answer, which takes its time on a busy machine
fallback = "hangup"
[[numbers]]
number = "4008200001"
to = "webapp:bank"
"""

API = """
[api]
listen = "127.0.0.1:{port}"
[[tokens]]
name = "bank"
role = "supervisor"
digest = "{digest}"
"""

Start = Callable[..., Centre]


class App(Program):
    """An application as a process, which tells what it was asked."""

    def asked(self, path: str) -> list[dict[str, Any]]:
        """What was sent to a path; nothing may have been wrong with it."""
        lines = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        assert [line["error"] for line in lines if line["error"]] == [], self.tail()
        return [line["body"] for line in lines if line["path"] == path]


def copied(script: str, folder: Path) -> Path:
    """A script in a folder where it finds the SDK, which must have been installed."""
    need("node")
    if not (SDK / "node_modules" / "@jambonz" / "sdk").exists():
        reason = "@jambonz/sdk is not in build/jambonz (make foreign)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # modules are looked for beside the script and above it
    place = folder / script
    place.write_text((APPS / script).read_text())
    (folder / "node_modules").symlink_to(SDK / "node_modules")
    return place


def node(script: str, folder: Path, *arguments: str) -> App:
    """An application in JavaScript."""
    return App("app", ["node", str(copied(script, folder)), *arguments], folder)


def one_call(start: Start, cast: Cast, app: App, **settings: str) -> Centre:
    """A caller presses 1 and speaks with an agent, who hangs up; then the application does."""
    cast.add(app)
    wait_until(lambda: "ready" in app.output or not app.running, 20, app.tail)
    centre = start(extra=WEBAPP.format(**settings))
    agent = cast.agent(centre, "agent_hangs_up_pcmu", pause_ms=1500)
    carrier = cast.carrier(centre, "carrier_waits_pcmu", number="4008200001")
    carrier.succeed()
    agent.succeed()
    assert centre.exits() == ["answered"]
    (record,) = centre.cdrs(1)
    assert (record["called"], record["ended_by"]) == ("4008200001", "us")
    centre.stop()
    return centre


def test_jambonz_over_http(start: Start, cast: Cast, tmp_path: Path) -> None:
    port = str(free_port())
    app = node("jambonz_webhook.mjs", tmp_path, port, "token-1234")
    url = f"http://127.0.0.1:{port}"
    one_call(start, cast, app, url=f"{url}/call", kind="jambonz", status=f"{url}/status")
    (call,), (menu,), (left,) = app.asked("/call"), app.asked("/menu"), app.asked("/left")
    assert (call["from"], call["to"], call["direction"]) == ("13800138000", "4008200001", "inbound")
    assert (menu["digits"], menu["reason"], menu["call_sid"]) == ("1", "dtmfDetected", call["call_sid"])
    assert left["queue_result"] == "bridged"
    assert [sent["call_status"] for sent in app.asked("/status")] == ["in-progress", "completed"]


def test_jambonz_over_a_websocket(start: Start, cast: Cast, tmp_path: Path) -> None:
    port = str(free_port())
    app = node("jambonz_socket.mjs", tmp_path, port)
    one_call(start, cast, app, url=f"ws://127.0.0.1:{port}/call", kind="jambonz", status="")
    (call,), (menu,), (left,) = app.asked("/call"), app.asked("/menu"), app.asked("/left")
    assert (call["from"], call["to"]) == ("13800138000", "4008200001")
    assert (menu["digits"], left["queue_result"]) == ("1", "bridged")
    assert [sent["call_status"] for sent in app.asked("/status")] == ["in-progress", "completed"]
    assert app.asked("/error") == []


def test_twiml_of_twilios_helper(start: Start, cast: Cast, tmp_path: Path) -> None:
    port = str(free_port())
    command = [sys.executable, str(APPS / "twilio_webhook.py"), port, "token-1234"]
    app = App("app", command, tmp_path)
    url = f"http://127.0.0.1:{port}"
    one_call(start, cast, app, url=f"{url}/call", kind="twiml", status=f"{url}/status")
    (call,), (menu,), (left,) = app.asked("/call"), app.asked("/menu"), app.asked("/left")
    assert (call["From"], call["To"], call["CallStatus"]) == ("13800138000", "4008200001", "ringing")
    assert (menu["Digits"], menu["CallSid"]) == ("1", call["CallSid"])
    assert left["QueueResult"] == "bridged"
    assert [sent["CallStatus"] for sent in app.asked("/status")] == ["in-progress", "completed"]


def test_a_jambonz_application_hears_the_caller_and_speaks_with_it(
    start: Start, cast: Cast, tmp_path: Path
) -> None:
    port = str(free_port())
    app = node("jambonz_stream.mjs", tmp_path, port)
    cast.add(app)
    wait_until(lambda: "ready" in app.output or not app.running, 20, app.tail)
    url = f"ws://127.0.0.1:{port}/call"
    centre = start(extra=WEBAPP.format(url=url, kind="jambonz", status=""))
    cast.carrier(centre, "carrier_waits_pcmu", number="4008200001").succeed()
    assert app.asked("/error") == []
    (metadata,), (done,) = app.asked("/metadata"), app.asked("/done")
    assert metadata["sampleRate"] == 8000
    assert len(app.asked("/heard")) == 1
    assert done["call_status"] == "in-progress"
    (record,) = centre.cdrs(1)
    assert record["ended_by"] == "us"
    centre.stop()


def test_the_client_of_jambonz_commands_a_live_call(start: Start, cast: Cast, tmp_path: Path) -> None:
    port, api = str(free_port()), free_port()
    app = node("jambonz_webhook.mjs", tmp_path, port, "token-1234")
    cast.add(app)
    wait_until(lambda: "ready" in app.output or not app.running, 20, app.tail)
    url, token = f"http://127.0.0.1:{port}", token_of(1)
    extra = WEBAPP.format(url=f"{url}/call", kind="jambonz", status="")
    centre = start(extra=API.format(port=api, digest=digest_of(token)) + extra)
    carrier = cast.carrier(centre, "carrier_waits_pcmu", number="4008200001")
    wait_until(lambda: bool(app.asked("/menu")), 20, app.tail)  # it waits in a queue without agents now
    call = app.asked("/menu")[0]["call_sid"]
    script = tmp_path / "jambonz_client.mjs"
    script.write_text((APPS / "jambonz_client.mjs").read_text())
    client = App("client", ["node", str(script), f"http://127.0.0.1:{api}", token, call, "/left"], tmp_path)
    cast.add(client)
    wait_until(lambda: not client.running, 20, client.tail)
    assert client.asked("client"), client.tail()
    (said,) = client.asked("client")
    assert (said["listed"], said["status"]) == (call, "in-progress")
    assert "whisper" in said["refused"]
    carrier.succeed()
    assert len(app.asked("/left")) == 1
    (record,) = centre.cdrs(1)
    assert record["ended_by"] == "us"
    centre.stop()


class Elsewhere(TwilioHttpClient):
    """Twilio's own client, sent to our interface in place of theirs."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._place), *args, **more)


def test_the_client_of_twilio_commands_a_live_call(start: Start, cast: Cast, tmp_path: Path) -> None:
    port, api, token = str(free_port()), free_port(), token_of(2)
    command = [sys.executable, str(APPS / "twilio_webhook.py"), port, "token-1234"]
    app = App("app", command, tmp_path)
    cast.add(app)
    wait_until(lambda: "ready" in app.output or not app.running, 20, app.tail)
    extra = WEBAPP.format(url=f"http://127.0.0.1:{port}/call", kind="twiml", status="")
    centre = start(extra=API.format(port=api, digest=digest_of(token)) + extra)
    carrier = cast.carrier(centre, "carrier_waits_pcmu", number="4008200001")
    wait_until(lambda: bool(app.asked("/menu")), 20, app.tail)
    call = app.asked("/menu")[0]["CallSid"]
    client = Client("sipcc", token, http_client=Elsewhere(f"http://127.0.0.1:{api}"))
    assert client.calls(call).fetch().status == "in-progress"
    record = VoiceResponse()
    record.record(action="/recorded", max_length=1, play_beep=False)
    assert client.calls(call).update(twiml=record).sid == call
    wait_until(lambda: bool(app.asked("/recorded")), 20, app.tail)
    recorded = app.asked("/recorded")[0]
    assert client.recordings(recorded["RecordingSid"]).fetch().account_sid == "sipcc"
    sound = httpx.get(recorded["RecordingUrl"], auth=("sipcc", token))
    assert (sound.status_code, sound.content[:4]) == (200, b"RIFF")
    assert httpx.get(recorded["RecordingUrl"]).status_code == 401
    carrier.succeed()  # what /recorded has answered is over, so the call is
    centre.stop()
