"""Our own daemon as the thing measured."""

from __future__ import annotations

import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks._report import TooBusyError
from benchmarks._sipp import AGENT_HOST, AGENT_PORT, CALLER_HOST

_READY = re.compile(r"sipccd is ready on udp:(\S+)")

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:0"]

[media]
address = "127.0.0.1"
ports = [20000, 39999]
workers = {workers}
{media}

[records]
database = "{folder}/sipcc.db"
recordings = "{folder}/recordings"

[log]
level = "warning"

[[trunks]]
name = "carrier"
addresses = ["{caller}"]

[[numbers]]
number = "4008123456"
to = "dial:sip:agent@{agent}:{port}"
"""


class OurServer:
    """`sipccd run` with a number that is bridged straight to the agents' address."""

    def __init__(self, *, workers: int, extra: str = "", media: str = "") -> None:
        """Start it; `extra` is added to its configuration, and `media` to its section ``[media]``."""
        self._folder = Path(tempfile.mkdtemp(prefix="sipccd-"))
        config = self._folder / "sipcc.toml"
        config.write_text(
            CONFIG.format(
                workers=workers,
                media=media,
                folder=self._folder,
                caller=CALLER_HOST,
                agent=AGENT_HOST,
                port=AGENT_PORT,
            )
            + extra
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sipcc.cli.main", "run", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = self._wait_ready()
        """Where it listens, as ``host:port``."""

    @property
    def pid(self) -> int:
        """Root of its process tree."""
        return self._process.pid

    def close(self) -> None:
        """End it and remove its folder."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_ready(self) -> str:
        assert self._process.stderr is not None
        seen = ""
        while select.select([self._process.stderr], [], [], 20)[0]:
            line = self._process.stderr.readline()
            seen += line
            if (ready := _READY.search(line)) is not None:
                # what it says from now on must not stop it, as a pipe does that nobody reads
                threading.Thread(target=self._process.stderr.read, daemon=True).start()
                return ready[1]
            if not line:
                self.close()
                raise SystemExit(f"sipccd ended:\n{seen}")
        self.close()
        raise TooBusyError(f"sipccd did not become ready:\n{seen}")
