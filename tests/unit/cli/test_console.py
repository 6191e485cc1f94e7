"""`sipccd ladder`, `calls`, `capture` and `status`, with a console that answers without a socket."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.unit.switch.desks import Parts

from sipcc.cli import console as module
from sipcc.cli.main import main
from sipcc.sip.trace import Trace, TraceSettings
from sipcc.sip.transport.base import Address
from sipcc.switch.console import Answer, Console, Question
from sipcc.testing.wires import MemoryUdpFlow

CONFIG = '[records]\ndatabase = "calls.db"\n[[users]]\nname = "1001"\npassword = "env:NOT_SET_HERE"\n'


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The daemon's socket each time that it was asked; secrets of its configuration are not needed."""
    monkeypatch.chdir(tmp_path)
    Path("sipcc.toml").write_text(CONFIG)
    kept = Trace(TraceSettings(), wall_of=lambda at: 1_700_000_000 + at)
    kept.started("call-1", caller="13800138000", called="4008123456", sip_call_id="a@x", at=1.0)
    flow = MemoryUdpFlow(None, Address("127.0.0.1", 5060), Address("127.0.0.2", 5060))  # type: ignore[arg-type]
    kept.saw("in", b"INVITE sip:4008123456@x SIP/2.0\r\nCall-ID: a@x\r\n\r\n", flow, 1.0)
    answering = Console(
        tmp_path / "s", kept, Parts(lambda: {"calls": 3, "listen": "udp:127.0.0.1:5060"}).desk
    )
    places: list[Path] = []

    def ask(path: Path, question: Question) -> Answer:
        places.append(path)
        answer = msgspec.json.encode(answering.answer(msgspec.json.encode(question)))
        return msgspec.json.decode(answer, type=Answer)

    monkeypatch.setattr(module, "ask", ask)
    return places


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_ladder_of_a_call(asked: list[Path]) -> None:
    for arguments in (["ladder", "call-1"], ["ladder", "--last"], ["ladder"], ["ladder", "13800138000"]):
        result = run(*arguments)
        assert result.exit_code == 0
        assert "Call call-1: 13800138000 called 4008123456" in result.output
        assert "INVITE 4008123456" in result.output
        assert "Call-ID: a@x" not in result.output
    assert "Call-ID: a@x" in run("ladder", "--full").output
    assert json.loads(run("ladder", "--json").output)["sip_call_ids"] == ["a@x"]
    assert run("ladder", "call-1", "--last").exit_code == 2
    assert asked[0] == Path.cwd() / "sipccd.sock"


def test_what_is_not_there_is_said(asked: list[Path]) -> None:
    result = run("ladder", "nobody")
    assert (result.exit_code, "'nobody'" in result.output) == (1, True)


def test_calls_capture_and_status(asked: list[Path]) -> None:
    assert "call-1  13800138000 -> 4008123456  1 legs, 1 messages" in run("calls").output
    assert "one.pcap" in run("capture", "call-1", "one.pcap").output
    assert Path("one.pcap").read_bytes().startswith(b"\xd4\xc3\xb2\xa1")
    assert b"INVITE" in run("capture", "call-1", "-").stdout_bytes
    assert run("capture", "call-1", "none/one.pcap").exit_code == 1
    assert "calls   3" in run("status").output


def test_without_a_daemon_the_error_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sipcc.toml").write_text('[daemon]\nsocket = "my.sock"\n')
    result = run("calls")
    assert result.exit_code == 1
    assert "my.sock" in result.output
    Path("sipcc.toml").write_text('[daemon]\nsockett = "my.sock"\n')
    assert run("calls").exit_code == 2
