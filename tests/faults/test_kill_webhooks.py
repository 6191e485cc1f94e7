"""The daemon is killed while a webhook's receiver is down, up, or failing: nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from sipcc.api import digest_of

SECRET = "whsec_ZXhhbXBsZS1vbmx5LW1ha2UteW91ci1vd24="
COMMANDS = 15
CONFIG = """
[sip]
listen = ["udp:127.0.0.1:0"]
[media]
address = "127.0.0.1"
workers = 0
[daemon]
keeper = false
[records]
database = "{folder}/sipcc.db"
recordings = "{folder}/recordings"
[api]
listen = "127.0.0.1:{api}"
[[tokens]]
name = "boss"
role = "admin"
digest = "{digest}"
[[queues]]
name = "sales"
[[agents]]
name = "alice"
uri = "sip:1001@127.0.0.9"
queues = ["sales"]
[[numbers]]
number = "4008123456"
to = "queue:sales"
[[webhooks]]
name = "crm"
url = "http://127.0.0.1:{sink}/"
secret = "{secret}"
events = ["AgentStateChanged"]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Sink:
    """A receiver; the first of every `fails` requests is answered with 500 after it was read."""

    def __init__(self, port: int, fails: int = 4) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._count = 0
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                sink._count += 1
                good = sink._count % fails != 1
                if good:
                    headers = {name.lower(): str(value) for name, value in self.headers.items()}
                    sink.bodies.append(standardwebhooks.Webhook(SECRET).verify(text, headers))
                self.send_response(200 if good else 500)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Daemon:
    """`sipccd run`, and its interface."""

    def __init__(self, config: Path, api: int) -> None:
        command = [sys.executable, "-m", "sipcc.cli.main", "run", "--config", str(config)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if "sipccd is ready" in line:
                break
        self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._reader.start()
        headers = {"Authorization": "Bearer boss"}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{api}", headers=headers, trust_env=False)

    def command(self, number: int) -> None:
        """One change of state that has a number; it is told when this returns."""
        body = {"request_id": f"p{number}", "state": "not_ready", "reason": f"n{number}"}
        assert self.http.post("/agents/alice/force", json=body).status_code == 200
        ready = {"request_id": f"r{number}", "state": "ready"}
        assert self.http.post("/agents/alice/force", json=ready).status_code == 200

    def kill(self) -> None:
        self.http.close()
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


@pytest.mark.timeout(120)
def test_killed_daemons_tell_each_change_once_and_in_order(tmp_path: Path) -> None:
    api, port = free_port(), free_port()
    config = tmp_path / "sipcc.toml"
    config.write_text(
        CONFIG.format(folder=tmp_path, api=api, sink=port, secret=SECRET, digest=digest_of("boss"))
    )
    sink: Sink | None = None
    number = 0
    bodies: list[dict[str, Any]] = []
    for up in (False, True):
        sink = Sink(port) if up else None
        daemon = Daemon(config, api)
        for _ in range(COMMANDS):
            daemon.command(number)
            number += 1
        daemon.kill()  # the last changes are in no database yet
        if sink is not None:
            bodies += sink.bodies
            sink.close()
    sink = Sink(port)
    daemon = Daemon(config, api)
    told: list[str] = []
    for _ in range(600):
        told = list({body["id"]: reason_of(body) for body in [*bodies, *sink.bodies]}.values())
        if len([reason for reason in told if reason.startswith("n")]) == number:
            break
        threading.Event().wait(0.1)
    daemon.kill()
    sink.close()
    assert [reason for reason in told if reason.startswith("n")] == [f"n{each}" for each in range(number)]


def reason_of(body: dict[str, Any]) -> str:
    return str(body["data"].get("reason", ""))
