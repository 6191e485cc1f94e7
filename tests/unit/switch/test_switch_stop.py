"""A switch that cannot go on leaves no socket open: an open listener would keep uvloop from closing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from sipcc import Switch
from sipcc.config import load
from sipcc.errors import TransportError
from sipcc.switch.console import Console

pytestmark = pytest.mark.realtime

CONFIG = """
[daemon]
socket = "{folder}/sipccd.sock"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"{more}]
[media]
address = "127.0.0.1"
[ivr]
prompts = "{folder}"
[records]
database = "{folder}/sipcc.db"
recordings = "{folder}"
"""


def make(folder: Path, more: str = "") -> Switch:
    path = folder / "sipcc.toml"
    path.write_text(CONFIG.format(folder=folder, more=more))
    return Switch(load(path))


async def test_a_part_that_fails_to_stop_keeps_nothing_else_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = make(tmp_path)
    await switch.start()

    async def fail() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(switch.acd, "stop", fail)
    await switch.stop()
    assert switch.endpoint.listeners == []


async def test_a_console_that_breaks_stops_the_switch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_console: Console) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Console, "start", fail)
    switch = make(tmp_path)
    with pytest.raises(RuntimeError):
        await switch.serve()
    assert switch.endpoint.listeners == []


async def test_a_listener_that_cannot_open_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        switch = make(tmp_path, f', "tcp:127.0.0.1:{taken.getsockname()[1]}"')
        with pytest.raises(TransportError):
            await switch.serve()
    assert switch.endpoint.listeners == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, "a signal ends the process as usual"


async def test_a_signal_ends_a_switch_that_serves(tmp_path: Path) -> None:
    switch = make(tmp_path)
    ready = asyncio.Event()
    serving = asyncio.ensure_future(switch.serve(on_ready=ready.set))
    await ready.wait()
    assert len(switch.endpoint.listeners) == 2
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await serving
    assert switch.endpoint.listeners == []
