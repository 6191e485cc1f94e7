"""The examples that use one part alone, the example of a test, and what holds for all examples."""

import ast
import asyncio
import runpy
import socket
from pathlib import Path

import pytest
from tests.examples.stage import EXAMPLES, load_example

from sipcc.errors import CallRejected
from sipcc.rtp import LocalEngine, MediaSettings, packet
from sipcc.sip import Address, SipUri
from sipcc.testing import MemoryNetwork
from sipcc.testing.audio import assert_tone, tone, write_wav
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.media import FakeMedia
from sipcc.testing.phone import FakePhone

ALL = sorted(EXAMPLES.glob("[0-9]*"))


async def test_06_sip_only() -> None:
    network = MemoryNetwork()
    place = SipUri.parse("sip:alice@127.0.0.9:5070")
    redirect = load_example("06_sip_only").Redirect(
        "127.0.0.1", 5080, place, network=network.host("127.0.0.1")
    )
    await redirect.endpoint.start()
    carrier = FakeCarrier(
        "caller", "127.0.0.2", server=Address("127.0.0.1", 5080), network=network.host("127.0.0.2")
    )
    await carrier.start()
    call = await carrier.call("anybody", caller="13800138000")
    with pytest.raises(CallRejected) as refused:
        await call.answered()
    assert refused.value.status == 302
    assert redirect.callers == ["13800138000"]
    [moved] = carrier.seen("SIP/2.0 302", "in")
    assert b"<sip:alice@127.0.0.9:5070>" in moved.data
    await carrier.stop()
    await redirect.endpoint.stop()


async def test_12_signalling_b2bua() -> None:
    network = MemoryNetwork()
    near, far = Address("127.0.0.1", 5080), Address("127.0.0.3", 5070)
    b2bua = load_example("12_signalling_b2bua").BackToBack(str(near), far, network=network.host("127.0.0.1"))
    await b2bua.endpoint.start()
    phone = FakePhone(
        "desk", "", host=far.host, server=near, port=far.port, network=network.host(far.host), tone_hz=1300.0
    )
    await phone.start()
    carrier = FakeCarrier("caller", "127.0.0.2", server=near, network=network.host("127.0.0.2"))
    await carrier.start()
    call = await carrier.call("4008123456", caller="13800138000")
    await call.answered()
    await asyncio.sleep(2)
    assert_tone(call.media.heard(1.0), 1300)
    await call.hangup()
    await asyncio.sleep(40)
    assert len(carrier.seen("SIP/2.0 180", "in")) == 1
    assert [packet.data.split(b" ")[0] for packet in phone.seen("BYE", "in")] == [b"BYE"]
    assert (b2bua.endpoint.sessions, len(b2bua.endpoint.layer)) == (0, 0)
    await carrier.stop()
    await phone.stop()
    await b2bua.endpoint.stop()


async def test_07_rtp_only(tmp_path: Path) -> None:
    write_wav(tmp_path / "one.wav", tone(700, 2.0))
    network = MemoryNetwork()
    listener = FakeMedia(network.sockets("127.0.0.2"), "127.0.0.2")
    engine = LocalEngine(MediaSettings(clock_ms=20), sockets=network.sockets("127.0.0.1"))
    example = load_example("07_rtp_only")
    stats = await example.play(engine, str(tmp_path / "one.wav"), "127.0.0.2", listener.port)
    assert_tone(listener.heard(1.5), 700)
    assert abs(stats.packets_sent - 100) <= 2
    assert listener.breaks() == []
    listener.close()
    await engine.stop()


@pytest.mark.realtime
async def test_07_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "one.wav", tone(700, 0.2))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(2.0)
        await load_example("07_rtp_only").main(str(tmp_path / "one.wav"), *ear.getsockname())
        assert packet.parse(ear.recv(2048)).payload_type == 0
    assert "packets" in capsys.readouterr().out


def test_08_test_without_a_phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runpy.run_path(str(EXAMPLES / "08_test_without_a_phone.py"))["test_who_presses_1_talks_to_sales"](
        tmp_path, monkeypatch
    )


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_to_start_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 80
    if path.suffix == ".py":
        words = ast.get_docstring(ast.parse(text)) or ""
        assert "tart" in words
        assert "ial" in words


def test_examples_are_numbered_without_a_gap() -> None:
    assert [path.name[:2] for path in ALL] == [f"{number:02}" for number in range(1, len(ALL) + 1)]
