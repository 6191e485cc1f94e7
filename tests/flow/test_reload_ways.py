"""The ways to have a switch reload: HTTP, the operator's socket with `sipccd reload`, and SIGHUP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.flow.centre import Centre
from tests.flow.test_api import client
from tests.unit.sip.certificates import authority

from sipcc import Switch
from sipcc.cli import console as cli_console
from sipcc.cli.main import main
from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.records.events import ConfigRefused, ConfigReloaded
from sipcc.switch.console import Answer, Console, Question, Reload

SAYS_BUSY = ('to = "ring"', 'to = "busy"')


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "sipcc.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_a_reload_by_http(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        rewrite(tmp_path, *SAYS_BUSY)
        done = await api.post("/config/reload", {"request_id": "r1"})
        assert done.status_code == 200
        assert done.json()["changes"] == ["numbers 4008000002: changed to"]
        assert done.json()["kept"] == []
        assert (await api.post("/config/reload", {"request_id": "r1"})).json() == done.json()
        assert len(api.centre.told("ConfigReloaded")) == 1
        assert (await api.post("/config/reload", {"request_id": "r2"})).json()["changes"] == []
        rewrite(tmp_path, 'to = "busy"', 'to = "menu:nowhere"')
        refused = await api.post("/config/reload", {"request_id": "r3"})
        assert refused.status_code == 422
        problem = refused.json()
        assert problem["error"] == "invalid"
        assert problem["path"].startswith("sipcc.toml:")
        assert "no menu 'nowhere'" in problem["message"]
        for role in ("agent", "supervisor", "auditor"):
            assert (await api.post("/config/reload", {"request_id": role}, role=role)).status_code == 403
        assert (await api.post("/config/reload", {})).json()["path"] == "$.request_id"


async def test_a_switch_without_a_file_answers_409(tmp_path: Path) -> None:
    async with client(tmp_path) as api:
        api.centre.switch._reloader._read = None
        answer = await api.post("/config/reload", {"request_id": "r1"})
        assert answer.status_code == 409
        assert "not made from a file" in answer.json()["message"]


async def test_tokens_change_with_a_reload_while_the_interface_stays_open(tmp_path: Path) -> None:
    token = '[[tokens]]\nname = "ops"\nrole = "admin"\ndigest = "{digest}"\n'
    one, two = (token.format(digest=digit * 64) for digit in "ab")
    async with Centre(tmp_path, extra='[api]\nlisten = "127.0.0.1:0"\n' + one) as centre:
        server = centre.switch.door._server
        assert server is not None
        before = server._app.state.office.tokens
        rewrite(tmp_path, one, two)
        assert (await centre.switch.reload()).changes == ("tokens ops: changed digest",)
        assert server._app.state.office.tokens is not before


async def asked(console: Console, question: Question) -> Answer:
    reader, writer = await asyncio.open_unix_connection(str(console.path))
    writer.write(msgspec.json.encode(question) + b"\n")
    answer = msgspec.json.decode(await reader.read(), type=Answer)
    writer.close()
    return answer


async def test_a_reload_by_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Centre(tmp_path) as centre:
        switch = centre.switch
        console = Console(tmp_path / "s", switch.tracing.trace, switch.desk(), reload=switch.reload)
        await console.start()
        rewrite(tmp_path, *SAYS_BUSY)
        good = await asked(console, Reload())
        assert good.reloaded is not None
        assert good.reloaded.changes == ("numbers 4008000002: changed to",)
        rewrite(tmp_path, 'strategy = "linear"', 'strategy = "magic"')
        bad = await asked(console, Reload())
        assert "queues[0].strategy: unknown strategy 'magic'" in bad.error
        assert "stays in force" in bad.error
        assert [event.__class__ for event in centre.events if "Config" in type(event).__name__] == [
            ConfigReloaded, ConfigRefused,
        ]  # fmt: skip
        await console.stop()
    answers = iter([good, bad])
    monkeypatch.setattr(cli_console, "ask", lambda *_: next(answers))
    run = CliRunner().invoke
    said = run(main, ["reload", "--config", str(tmp_path / "sipcc.toml")])
    assert said.exit_code == 0
    assert said.output.splitlines()[0] == "numbers 4008000002: changed to"
    assert said.output.splitlines()[-1] == f"configuration {good.reloaded.digest} is in force"
    said = run(main, ["reload", "--config", str(tmp_path / "sipcc.toml")])
    assert said.exit_code == 1
    assert "unknown strategy 'magic'" in said.output


@pytest.mark.realtime
async def test_a_hangup_signal_reloads_and_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    text = (
        '[sip]\nlisten = ["udp:127.0.0.1:0"]\n[records]\ndatabase = ":memory:"\n'
        '[daemon]\nsocket = "s"\n[[numbers]]\nnumber = "600"\nto = "ring"\n'
    )
    path.write_text(text)
    switch = Switch.from_toml(path)
    events: list[Event] = []
    switch.bus.on_all(events.append)
    ready = asyncio.Event()
    serving = asyncio.ensure_future(switch.serve(on_ready=ready.set))
    await ready.wait()
    path.write_text(text.replace('"ring"', '"echo"'))
    os.kill(os.getpid(), signal.SIGHUP)
    await told(events, 1)
    path.write_text(text.replace('"ring"', '"menu:x"'))
    os.kill(os.getpid(), signal.SIGHUP)
    await told(events, 2)
    reloaded, refused = events
    assert isinstance(reloaded, ConfigReloaded)
    assert reloaded.changes == ("numbers 600: changed to",)
    assert isinstance(refused, ConfigRefused)
    assert "no menu 'x'" in refused.error
    assert switch.config.numbers[0].to == "echo"
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await serving
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.realtime
async def test_a_renewed_certificate_is_shown_from_the_reload_on(tmp_path: Path) -> None:
    certificate, ours = tmp_path / "ours.pem", authority()
    certificate.write_bytes(ours.sign("127.0.0.1"))
    (tmp_path / "trusted.pem").write_bytes(ours.certificate)
    path = tmp_path / "sipcc.toml"
    path.write_text(
        '[sip]\nlisten = ["tls:127.0.0.1:0"]\n'
        '[sip.tls]\ncertificate = "ours.pem"\nauthorities = "trusted.pem"\n'
        '[records]\ndatabase = ":memory:"\n[[numbers]]\nnumber = "600"\nto = "ring"\n'
    )
    switch = Switch.from_toml(path)
    await switch.start()
    address = switch.endpoint.listeners[0].local

    writers: list[asyncio.StreamWriter] = []

    async def shown() -> bytes:
        context = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
        _, writer = await asyncio.open_connection(*address, ssl=context)
        writers.append(writer)
        return bytes(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))

    first = await shown()
    certificate.write_bytes(ours.sign("127.0.0.1"))
    assert await shown() == first
    assert (await switch.reload()).changes == ()
    second = await shown()
    assert second != first
    certificate.write_text("no certificate")
    with pytest.raises(ConfigError, match="certificate and key cannot be used"):
        await switch.reload()
    assert await shown() == second
    assert not any(writer.is_closing() for writer in writers)
    await switch.stop()
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def told(events: list[Event], count: int) -> None:
    async with asyncio.timeout(10):
        while len(events) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
