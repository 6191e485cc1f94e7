"""`sipccd` as a process on loopback, with a configuration of its own, and what it recorded."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.interop.programs import ROOT, Program, free_port, wait_until

from sipcc.testing import audio

SWITCH = "127.0.0.1"
CARRIER = "127.0.0.2"
AGENT = "127.0.0.3"

WELCOME_HZ, MUSIC_HZ, CALLER_HZ, AGENT_HZ = 700, 900, 400, 1300

CONFIG = """\
[sip]
listen = ["udp:{host}:{port}", "tcp:{host}:{port}"{secure}]
domain = "{host}"{sip}

[media]
address = "{host}"
ports = [{first}, {last}]
workers = {workers}{media}

[ivr]
prompts = "prompts"

[records]
database = "sipcc.db"
recordings = "recordings"

[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]{trunk}

[[users]]
name = "1001"
password = "secret-one-1"
[[users]]
name = "1002"
password = "secret-two-2"
[[users]]
name = "1003"
password = "secret-three-3"

[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
wrap_up = 0
[[agents]]
name = "bob"
user = "1002"
queues = ["sales"]
wrap_up = 0

[[queues]]
name = "sales"
strategy = "linear"
ring_timeout = {ring_timeout}
max_wait = 30
short_abandon = 0.2
music = "music"
record = true

[[menus]]
name = "main"
prompt = "hello"
options = {{ "1" = "queue:sales" }}
then = "hangup"

[[numbers]]
number = "4008123456"
to = "menu:main"
[[numbers]]
number = "4008123450"
to = "queue:sales"
[[numbers]]
number = "4008123451"
to = "ring"
[[numbers]]
number = "4008123452"
to = "busy"
[[numbers]]
number = "4008123453"
to = "echo"
[[numbers]]
number = "4008123454"
to = "play:hello"
[[numbers]]
number = "4008123455"
to = "dial:1001"
"""

PASSWORDS = {"1001": "secret-one-1", "1002": "secret-two-2", "1003": "secret-three-3"}


class Centre:
    """The daemon and its folder."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 0,
        ring_timeout: float = 10.0,
        host: str = SWITCH,
        sip: str = "",
        media: str = "",
        trunk: str = "",
        secure: bool = False,
        extra: str = "",
        ports: int = 100,
        program: Path | None = None,
    ) -> None:
        self.folder = folder
        self.host = host
        daemon = ["-m", "sipcc.cli.main", "run", "--config"]
        self._command = daemon if program is None else [str(program)]
        self.port = free_port(SWITCH)
        self.tls_port, self.wss_port, self.ws_port = (free_port(SWITCH) for _ in range(3))
        """With `secure` the switch also listens there, with a certificate of ``trusted.pem`` in `folder`."""
        if secure:
            sip += _certify(folder, host)
        prompts = folder / "prompts"
        prompts.mkdir()
        audio.write_wav(prompts / "hello.wav", audio.tone(WELCOME_HZ, 4.0))
        audio.write_wav(prompts / "music.wav", audio.tone(MUSIC_HZ, 2.0))
        first = 20000 + self.port % 80 * 100
        self.config = folder / "sipcc.toml"
        self.config.write_text(
            CONFIG.format(
                host=host,
                sip=f"\n{sip}" if sip else "",
                port=self.port,
                secure=self._secure_listeners() if secure else "",
                first=first,
                last=first + ports - 1,
                workers=workers,
                media=f"\n{media}" if media else "",
                trunk=f"\n{trunk}" if trunk else "",
                ring_timeout=ring_timeout,
            )
            + extra
        )
        self._run()

    def _run(self) -> None:
        self.program = Program(
            "sipccd",
            [sys.executable, *self._command, str(self.config)],
            self.folder,
            env={"PYTHONPATH": str(ROOT / "src")},
        )
        try:
            wait_until(self._is_ready, 15, lambda: f"sipccd ready:\n{self.program.tail()}")
        except AssertionError:
            self.program.end(1)
            raise

    def restart(self) -> None:
        """Stop it as `stop` does, and start it again with the same configuration."""
        self.stop()
        self._run()

    def _secure_listeners(self) -> str:
        ports = {"tls": self.tls_port, "wss": self.wss_port, "ws": self.ws_port}
        return "".join(f', "{transport}:{self.host}:{port}"' for transport, port in ports.items())

    def _is_ready(self) -> bool:
        if not self.program.running:
            raise AssertionError(f"sipccd ended:\n{self.program.tail()}")
        return "switch.ready" in self.program.output

    @property
    def target(self) -> str:
        """``host:port`` of the switch."""
        return f"{self.host}:{self.port}"

    def wait_output(self, text: str, seconds: float = 5.0) -> None:
        """Wait until the daemon has logged `text`."""
        wait_until(lambda: text in self.program.output, seconds, lambda: f"{text!r}:\n{self.program.tail()}")

    def stop(self) -> None:
        """SIGTERM; the daemon must drain, end with 0, and have logged no error."""
        code = self.program.end(15)
        output = self.program.output
        assert code == 0, f"sipccd ended with {code}:\n{self.program.tail()}"
        assert "Traceback" not in output, self.program.tail(6000)
        assert "[error" not in output, self.program.tail(6000)

    def ask(self, *question: str) -> str:
        """What ``sipccd status``, ``ladder`` and the like print about this daemon."""
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "sipcc.cli.main",
                question[0],
                "--config",
                str(self.config),
                *question[1:],
            ],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def cdrs(self, count: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """The call records by ``sipccd cdr export``, oldest first, when there are `count` of them."""
        found: list[dict[str, Any]] = []

        def complete() -> bool:
            run = subprocess.run(
                [sys.executable, "-m", "sipcc.cli.main", "cdr", "--config", str(self.config), *_EXPORT],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            if run.returncode:
                raise AssertionError(f"cdr export: {run.stderr}")
            found[:] = [json.loads(line) for line in run.stdout.splitlines()]
            return len(found) >= count

        wait_until(complete, seconds, lambda: f"{count} call records, found {found}")
        assert len(found) == count, found
        return sorted(found, key=lambda record: str(record["started"]))

    def exits(self) -> list[str]:
        """The exits of all queue entries, in the order of their joining."""
        with sqlite3.connect(f"file:{self.folder / 'sipcc.db'}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT record FROM queue_entry ORDER BY joined").fetchall()
        database.close()
        return [json.loads(record)["exit"] for (record,) in rows]

    def offers(self) -> list[tuple[str, str]]:
        """Agent and outcome of each offer, in order, from the event log."""
        with sqlite3.connect(f"file:{self.folder / 'sipcc.db'}?mode=ro", uri=True) as database:
            rows = database.execute(
                "SELECT json FROM event_log WHERE type = 'OfferEnded' ORDER BY seq"
            ).fetchall()
        database.close()
        events = [json.loads(event) for (event,) in rows]
        return [(event["agent"], event["outcome"]) for event in events]


def _certify(folder: Path, host: str) -> str:
    """A certificate for `host` in `folder`, and the line of the configuration that names it."""
    from tests.unit.sip.certificates import tls_settings

    tls = tls_settings(folder, host)
    return f'\ntls = {{ certificate = "{tls.certificate}", authorities = "{tls.authorities}" }}'


_EXPORT = ("export", "--format", "json")
