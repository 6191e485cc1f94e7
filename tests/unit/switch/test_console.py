"""The control socket: real Unix sockets, on which no time passes."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.switch.desks import Parts

from sipcc.errors import ConfigError
from sipcc.sip.trace import Trace, TraceSettings
from sipcc.sip.transport.base import Address
from sipcc.switch import console as module
from sipcc.switch.console import (
    MAX_CLIENTS,
    MAX_QUESTION,
    Answer,
    CaptureOf,
    Console,
    GetStatus,
    LadderOf,
    ListCalls,
    ask,
)
from sipcc.testing.wires import MemoryUdpFlow

pytestmark = pytest.mark.realtime


def traced() -> Trace:
    kept = Trace(TraceSettings(), wall_of=lambda at: 1_700_000_000 + at)
    kept.started("call-1", caller="13800138000", called="4008123456", sip_call_id="a@x", at=1.0)
    flow = MemoryUdpFlow(None, Address("127.0.0.1", 5060), Address("127.0.0.2", 5060))  # type: ignore[arg-type]
    data = b'INVITE sip:4008123456@x SIP/2.0\r\nCall-ID: a@x\r\nAuthorization: Digest response="beef"\r\n\r\n'
    kept.saw("in", data, flow, 1.0)
    return kept


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    made = Console(tmp_path / "s", traced(), Parts(lambda: {"calls": 1}).desk)
    await made.start()
    yield made
    await made.stop()


async def told(console: Console, question: module.Question) -> Answer:
    return await asyncio.to_thread(ask, console.path, question)


async def raw(console: Console, line: bytes) -> dict[str, object]:
    reader, writer = await asyncio.open_unix_connection(str(console.path))
    writer.write(line)
    answer = json.loads(await reader.read())
    writer.close()
    assert isinstance(answer, dict)
    return answer


async def test_each_question_has_its_answer(console: Console) -> None:
    for name in ("call-1", "a@x", "1380", "8123", ""):
        answer = await told(console, LadderOf(call=name, texts=True))
        assert answer.ladder is not None
        assert answer.ladder.call == "call-1"
        assert "beef" not in answer.ladder.rungs[0].text
    capture = (await told(console, CaptureOf(call="call-1"))).capture
    assert capture is not None
    assert capture.startswith(b"\xd4\xc3\xb2\xa1")
    assert b"INVITE sip:4008123456" in capture
    assert b"beef" not in capture
    calls = (await told(console, ListCalls())).calls
    assert calls is not None
    assert [(entry.call, entry.messages) for entry in calls] == [("call-1", 1)]
    assert (await told(console, GetStatus())).status == {"calls": 1}


async def test_what_is_unknown_or_wrong_is_said(console: Console) -> None:
    assert "'nobody'" in (await told(console, LadderOf(call="nobody"))).error
    assert "'nobody'" in (await told(console, CaptureOf(call="nobody"))).error
    for line in (
        b'{"command":"reboot"}\n',
        b"nonsense\n",
        b"[]\n",
        b'{"command":"ladder","call":1}\n',
        b'{"command":"ladder","colour":"red"}\n',
        b"x" * (MAX_QUESTION + 1) + b"\n",
        b"\xff\n",
    ):
        assert "cannot read the question" in str((await raw(console, line))["error"]), line
    assert "reboot" in str((await raw(console, b'{"command":"reboot"}\n'))["error"])


async def test_only_we_may_open_it_and_it_goes_with_us(console: Console) -> None:
    assert stat.S_IMODE(console.path.stat().st_mode) == 0o600
    await console.stop()
    assert not console.path.exists()
    await console.stop()


async def test_an_empty_trace_has_no_last_call(tmp_path: Path) -> None:
    empty = Console(tmp_path / "s", Trace(TraceSettings(), wall_of=float), Parts().desk)
    assert "nothing is kept" in empty.answer(msgspec.json.encode(LadderOf())).error


async def test_a_dead_socket_is_taken_over_and_a_live_one_is_not(console: Console, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another sipccd"):
        await Console(console.path, traced(), Parts().desk).start()
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    second = Console(dead, traced(), Parts().desk)
    await second.start()
    assert (await told(second, GetStatus())).status == {}
    await second.stop()


async def test_a_path_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107 bytes"):
        await Console(tmp_path / ("x" * 200), traced(), Parts().desk).start()
    with pytest.raises(ConfigError, match=r"daemon\.socket"):
        await Console(tmp_path / "none" / "s", traced(), Parts().desk).start()
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ConfigError):
        await Console(file, traced(), Parts().desk).start()
    assert file.read_text() == "mine"


async def test_clients_that_say_nothing_hold_nobody_up(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = [await asyncio.open_unix_connection(str(console.path)) for _ in range(MAX_CLIENTS - 1)]
    assert (await told(console, GetStatus())).status == {"calls": 1}
    silent += [await asyncio.open_unix_connection(str(console.path)) for _ in range(2)]
    assert await silent[-1][0].read() == b""  # one too many
    await console.stop()  # does not wait for them
    for _, writer in silent:
        writer.close()


async def test_a_silent_client_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    made = Console(tmp_path / "s", traced(), Parts().desk)
    await made.start()
    reader, writer = await asyncio.open_unix_connection(str(made.path))
    assert await reader.read() == b""
    writer.close()
    await made.stop()
