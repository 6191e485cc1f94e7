"""TCP, TLS, WS and WSS on real loopback sockets: there and back, and who is not let in."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.sip.certificates import tls_settings

from sipcc.errors import ConfigError, ConnectError, TransportError
from sipcc.sip import Address, Flow, SipSettings
from sipcc.sip.settings import ConnectionSettings, TlsSettings, WebSocketSettings
from sipcc.sip.transport import stream
from sipcc.sip.transport.base import Listener, TransportName
from sipcc.sip.transport.manager import FlowManager, SocketNetwork

pytestmark = pytest.mark.realtime

LOCAL = Address("127.0.0.1", 0)
STREAMS = ["tcp", "tls", "ws", "wss"]


class Inbox:
    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.whole: asyncio.Queue[tuple[bytes, Flow]] = asyncio.Queue()
        self.closed: asyncio.Queue[tuple[Flow, Exception | None]] = asyncio.Queue()
        self.banned: set[str] = set()

    def blocked(self, host: str) -> bool:
        return host in self.banned

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        raise AssertionError("no datagram here")

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self.got.put_nowait((data, flow))

    def message_received(self, data: bytes, flow: Flow) -> None:
        self.whole.put_nowait((data, flow))

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        self.closed.put_nowait((flow, error))

    async def next(self) -> tuple[bytes, Flow]:
        """The next bytes of a stream without messages."""
        return await asyncio.wait_for(self.got.get(), 5)


def settings(tmp_path: Path, **changes: object) -> SipSettings:
    return SipSettings(tls=tls_settings(tmp_path, "pbx.example.com", "127.0.0.1"), **changes)  # type: ignore[arg-type]


async def emptied(listener: Listener) -> None:
    """Wait until no connection is left."""
    while len(listener):  # type: ignore[arg-type]  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.001)


async def meet(
    tmp_path: Path, transport: TransportName, host: str = "127.0.0.1", **changes: object
) -> tuple[Listener, Flow, Inbox, Inbox]:
    """A listener, a connection to it, and the inboxes of both ends: ours, theirs."""
    ours, theirs = Inbox(), Inbox()
    listener = await SocketNetwork(settings(tmp_path, **changes)).listen(transport, Address(host, 0), theirs)
    client = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, bare=True)))
    flow = await client.connect(listener.local, ours, transport=transport, name="pbx.example.com")
    return listener, flow, ours, theirs


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", STREAMS)
async def test_there_and_back(tmp_path: Path, transport: TransportName, host: str) -> None:
    listener, flow, ours, theirs = await meet(tmp_path, transport, host)
    assert (flow.transport, flow.reliable, flow.remote) == (transport, True, listener.local)
    flow.send(b"hello")
    waiting = theirs.whole if transport in ("ws", "wss") else theirs.got
    data, back = await asyncio.wait_for(waiting.get(), 5)
    assert (data, back.transport, back.remote, back.peer_names) == (b"hello", transport, flow.local, set())
    assert flow.peer_names == ({"pbx.example.com", "127.0.0.1"} if transport in ("tls", "wss") else set())
    back.send(b"world" * 10000)
    waiting = ours.whole if transport in ("ws", "wss") else ours.got
    size = 0
    while size < 50000:
        size += len((await asyncio.wait_for(waiting.get(), 5))[0])
    flow.close()
    assert await asyncio.wait_for(theirs.closed.get(), 5) == (back, None)
    with pytest.raises(TransportError):
        flow.send(b"too late")
    with pytest.raises(TransportError):
        listener.flow_to(flow.local)
    await listener.close()


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_a_carrier_is_known_by_its_certificate(tmp_path: Path, transport: TransportName) -> None:
    ours, theirs = Inbox(), Inbox()
    strict = SipSettings(tls=tls_settings(tmp_path, "pbx.example.com", verify="required"))
    listener = await SocketNetwork(strict).listen(transport, LOCAL, theirs)
    carrier = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, "carrier.example.net")))
    flow = await carrier.connect(listener.local, ours, transport=transport, name="pbx.example.com")
    flow.send(b"hello")
    _data, back = await asyncio.wait_for((theirs.got if transport == "tls" else theirs.whole).get(), 5)
    assert back.peer_names == {"carrier.example.net"}
    flow.close()
    await listener.close()


@pytest.mark.parametrize("transport", ["tls", "wss"])
@pytest.mark.parametrize(
    "client",
    [{"bare": True}, {"signed_by": "stranger"}, {"expired": True}, {"trusts": "stranger"}],
    ids=["no certificate", "wrong authority", "expired", "trusts others"],
)
async def test_who_cannot_prove_its_name_is_refused_before_any_sip(
    tmp_path: Path, transport: TransportName, client: dict[str, object]
) -> None:
    ours, theirs = Inbox(), Inbox()
    strict = SipSettings(tls=tls_settings(tmp_path, "pbx.example.com", verify="required"))
    listener = await SocketNetwork(strict).listen(transport, LOCAL, theirs)
    stranger = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, "carrier.example.net", **client)))  # type: ignore[arg-type]
    try:
        flow = await stranger.connect(listener.local, ours, transport=transport, name="pbx.example.com")
        flow.send(b"hello")  # TLS 1.3: the client is done before the server has looked at its certificate
    except TransportError:
        pass
    else:
        await asyncio.wait_for(ours.closed.get(), 5)
    assert (theirs.got.empty(), theirs.whole.empty(), theirs.closed.empty()) == (True, True, True)
    await listener.close()


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_another_name_than_we_meant_is_refused(tmp_path: Path, transport: TransportName) -> None:
    listener, flow, ours, _theirs = await meet(tmp_path, transport)
    client = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, bare=True)))
    with pytest.raises(
        ConnectError, match=r"speaks for 127.0.0.1, pbx.example.com, not for bank.example.com"
    ):
        await client.connect(listener.local, ours, transport=transport, name="bank.example.com")
    flow.close()
    await listener.close()


async def test_a_secure_connection_is_used_again_for_its_names_only(tmp_path: Path) -> None:
    theirs = Inbox()
    listener = await SocketNetwork(settings(tmp_path)).listen("tls", LOCAL, theirs)
    manager = FlowManager(SocketNetwork(SipSettings(tls=tls_settings(tmp_path, bare=True))), Inbox())
    one, two = await asyncio.gather(
        *(manager.connect(listener.local, transport="tls", name=name) for name in ("PBX.example.com",) * 2)
    )
    assert one is two
    assert manager.open_flow("tls", listener.local, name="pbx.example.com") is one
    assert manager.open_flow("tls", listener.local) is one  # its address is in the certificate too
    assert manager.open_flow("tls", listener.local, name="bank.example.com") is None
    assert manager.open_flow("tcp", listener.local) is None
    with pytest.raises(ConnectError):
        await manager.connect(listener.local, transport="tls", name="bank.example.com")
    manager.forget(one)
    assert manager.open_flow("tls", listener.local) is None
    one.close()
    await manager.close()
    await listener.close()


async def test_a_connection_to_us_leads_back_to_who_has_proved_his_name(tmp_path: Path) -> None:
    theirs = Inbox()
    manager = FlowManager(SocketNetwork(settings(tmp_path)), theirs)
    await manager.listen(["tls:127.0.0.1:0"])
    server = manager.listeners[0].local
    for client, found in ((tls_settings(tmp_path, "carrier.example.net"), True),
                          (tls_settings(tmp_path, bare=True), False)):  # fmt: skip
        network = SocketNetwork(SipSettings(tls=client))
        flow = await network.connect(server, Inbox(), transport="tls", name="pbx.example.com")
        flow.send(b"hello")
        _data, back = await theirs.next()
        manager.adopt(back)
        again = manager.open_flow("tls", flow.local, name="carrier.example.net")
        assert again is (back if found else None)
        assert manager.open_flow("tls", flow.local) is None  # never by address alone
        flow.close()
    await manager.close()


async def test_a_browser_without_a_listener_says_that_nobody_can_reach_it(tmp_path: Path) -> None:
    listener = await SocketNetwork(settings(tmp_path)).listen("ws", LOCAL, Inbox())
    manager = FlowManager(SocketNetwork(), Inbox())
    flow = await manager.connect(listener.local, transport="ws")
    sent_by = manager.sent_by(flow)
    assert sent_by.host.endswith(".invalid")
    assert sent_by.port == 80
    await manager.close()
    await listener.close()


@pytest.mark.parametrize("transport", STREAMS)
async def test_one_source_holds_so_many_and_a_banned_one_none(
    tmp_path: Path, transport: TransportName
) -> None:
    listener, flow, ours, theirs = await meet(
        tmp_path, transport, connections=ConnectionSettings(per_source=1)
    )
    network = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, bare=True)))
    if transport == "tcp":
        await network.connect(listener.local, ours)
        await asyncio.wait_for(ours.closed.get(), 5)
    else:
        with pytest.raises(ConnectError):
            await network.connect(listener.local, ours, transport=transport, name="pbx.example.com")
    flow.close()
    await emptied(listener)
    theirs.banned.add("127.0.0.1")
    if transport != "tcp":
        with pytest.raises(ConnectError):
            await network.connect(listener.local, ours, transport=transport, name="pbx.example.com")
    assert len(listener) == 0  # type: ignore[arg-type]
    await listener.close()


@pytest.mark.parametrize("transport", STREAMS)
async def test_who_connects_and_says_nothing_is_closed(
    tmp_path: Path, transport: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HANDSHAKE_TIMEOUT", 0.05)
    monkeypatch.setattr(stream, "FIRST_WORD_TIMEOUT", 0.05)
    theirs = Inbox()
    listener = await SocketNetwork(settings(tmp_path)).listen(transport, LOCAL, theirs)
    reader, writer = await asyncio.open_connection(*listener.local)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert len(listener) == 0  # type: ignore[arg-type]
    assert theirs.got.empty()
    await listener.close()


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_who_is_silent_after_the_handshake_is_closed_too(
    tmp_path: Path, transport: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "FIRST_WORD_TIMEOUT", 0.05)
    listener, flow, ours, theirs = await meet(tmp_path, transport)
    assert (await asyncio.wait_for(ours.closed.get(), 5))[0] is flow
    _back, why = await asyncio.wait_for(theirs.closed.get(), 5)
    assert "says nothing" in str(why)
    await listener.close()


@pytest.mark.parametrize("transport", STREAMS)
async def test_who_does_not_read_is_closed_at_256_kib(tmp_path: Path, transport: TransportName) -> None:
    listener, flow, _ours, theirs = await meet(tmp_path, transport)
    flow.send(b"hello")
    _data, back = await asyncio.wait_for(
        (theirs.whole if transport in ("ws", "wss") else theirs.got).get(), 5
    )
    flow._stream.pause_reading()  # type: ignore[attr-defined]
    sent = 0

    def send_on() -> None:
        nonlocal sent
        while True:
            back.send(b"x" * 32768)
            sent += 32768

    with pytest.raises(TransportError, match="does not read"):
        send_on()
    assert sent < 8 * 2**20  # what the kernel took, and at most 256 KiB of ours
    closed, why = await asyncio.wait_for(theirs.closed.get(), 5)
    assert closed is back
    assert "does not read" in str(why)
    flow.close()
    await listener.close()


@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_a_browser_that_is_gone_is_noticed_by_its_pongs(
    tmp_path: Path, transport: TransportName
) -> None:
    fast = WebSocketSettings(ping=0.03)
    listener, flow, _ours, theirs = await meet(tmp_path, transport, websocket=fast)
    flow.send(b"hello")
    await asyncio.wait_for(theirs.whole.get(), 5)
    await asyncio.sleep(0.3)  # ten beats: it answers by itself
    assert theirs.closed.empty()
    flow._stream.pause_reading()  # type: ignore[attr-defined]
    _back, why = await asyncio.wait_for(theirs.closed.get(), 5)
    assert "answers no ping" in str(why)
    flow.close()
    await listener.close()


async def test_garbage_instead_of_a_handshake(tmp_path: Path) -> None:
    for transport in ("tls", "ws", "wss"):
        theirs = Inbox()
        listener = await SocketNetwork(settings(tmp_path)).listen(transport, LOCAL, theirs)
        reader, writer = await asyncio.open_connection(*listener.local)
        writer.write(b"OPTIONS sip:example.com SIP/2.0\r\n\r\n" * 100)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (theirs.got.empty(), theirs.whole.empty()) == (True, True)
        await listener.close()


async def test_connections_that_break_while_they_open(tmp_path: Path) -> None:
    """CVE-2018-7286 and its kin: a burst of connections, each cut off in the middle of what it began."""
    for transport in STREAMS:
        theirs = Inbox()
        listener = await SocketNetwork(settings(tmp_path)).listen(transport, LOCAL, theirs)  # type: ignore[arg-type]
        for _ in range(40):
            cut = socket.create_connection(tuple(listener.local))
            cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            cut.send(b"\x16\x03\x01\x02\x00" if transport in ("tls", "wss") else b"INVITE sip:a")
            cut.close()
        await emptied(listener)
        await listener.close()


async def test_a_secure_listener_needs_a_certificate() -> None:
    for transport in ("tls", "wss"):
        with pytest.raises(ConfigError, match="needs a certificate"):
            await SocketNetwork().listen(transport, LOCAL, Inbox())
    broken = SocketNetwork(SipSettings(tls=TlsSettings(authorities="/nowhere/ca.pem")))
    with pytest.raises(ConnectError, match="authorities cannot be read"):
        await broken.connect(Address("127.0.0.1", 9), Inbox(), transport="tls")


async def test_python_ssl_talks_to_us(tmp_path: Path) -> None:
    """The other end is asyncio's own TLS, so that both of our ends cannot share a mistake."""
    theirs = Inbox()
    listener = await SocketNetwork(settings(tmp_path)).listen("tls", LOCAL, theirs)
    context = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem"))
    reader, writer = await asyncio.open_connection(
        *listener.local, ssl=context, server_hostname="pbx.example.com"
    )
    writer.write(b"hello")
    data, back = await theirs.next()
    assert data == b"hello"
    back.send(b"world")
    assert await reader.readexactly(5) == b"world"
    back.close()
    assert await reader.read() == b""
    writer.close()
    await listener.close()


@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_the_client_of_the_websockets_package_talks_to_us(
    tmp_path: Path, transport: TransportName
) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    theirs = Inbox()
    listener = await SocketNetwork(settings(tmp_path)).listen(transport, LOCAL, theirs)
    secure = ssl.create_default_context(cafile=str(tmp_path / "trusted.pem")) if transport == "wss" else None
    uri = f"{transport}://127.0.0.1:{listener.local.port}/ws"
    async with connect(uri, ssl=secure, subprotocols=["sip"], proxy=None) as browser:  # type: ignore[list-item]
        assert browser.subprotocol == "sip"
        await browser.send("hello")
        data, back = await asyncio.wait_for(theirs.whole.get(), 5)
        assert data == b"hello"
        back.send(b"world")
        assert await browser.recv() == "world"
        back.send(b"\xff")
        assert await browser.recv() == b"\xff"
        await browser.ping()
    with pytest.raises(InvalidStatus):
        await connect(uri, ssl=secure, proxy=None)
    await listener.close()


_STARVED = """
import asyncio, resource, sys, time
import uvloop
from sipcc.sip import Address
from sipcc.sip.transport.manager import SocketNetwork

class Echo:
    def blocked(self, host): return False
    def stream_received(self, data, flow): flow.send(data)
    def flow_closed(self, flow, error): pass

async def main():
    listener = await SocketNetwork().listen("tcp", Address("127.0.0.1", 0), Echo())
    print(listener.local.port, flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.readline():
        print(time.process_time(), flush=True)

(uvloop.run if sys.argv[1] == "uvloop" else asyncio.run)(main())
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_without_file_descriptors_the_live_go_on_and_nothing_spins(loop: str) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 256
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STARVED, loop,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    port = int(await asyncio.wait_for(child.stdout.readline(), 10))

    async def used() -> float:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"\n")
        return float(await asyncio.wait_for(child.stdout.readline(), 5))

    async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"

    alive = await asyncio.open_connection("127.0.0.1", port)
    await echoed(*alive)
    crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    await echoed(*alive)
    before = await used()
    await asyncio.sleep(0.5)
    await echoed(*alive)
    assert await used() - before < 0.2
    for each in crowd:
        each.close()
    await asyncio.sleep(1.2)  # asyncio looks at its listener again after a second
    again = await asyncio.open_connection("127.0.0.1", port)
    await echoed(*again)
    for _reader, writer in (alive, again):
        writer.close()
    child.stdin.close()
    assert await asyncio.wait_for(child.wait(), 5) == 0


@pytest.mark.parametrize("transport", ["tls", "wss", "ws"])
async def test_half_handshakes_and_idle_crowds_do_not_keep_others_out(
    tmp_path: Path, transport: TransportName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HANDSHAKE_TIMEOUT", 2.0)
    theirs = Inbox()
    listener = await SocketNetwork(settings(tmp_path)).listen(transport, LOCAL, theirs)
    crowd = []
    for number in range(500):
        half = socket.socket()
        half.bind((f"127.0.1.{number % 10 + 1}", 0))
        half.connect(tuple(listener.local))
        half.send(b"\x16\x03\x01" if transport != "ws" else b"GET /ws HTTP/1.1\r\n")
        crowd.append(half)
    extra = socket.socket()
    extra.bind(("127.0.1.1", 0))
    extra.settimeout(5)
    extra.connect(tuple(listener.local))  # the 51st of its address
    client = SocketNetwork(SipSettings(tls=tls_settings(tmp_path, bare=True)))
    began = asyncio.get_running_loop().time()
    flow = await client.connect(listener.local, Inbox(), transport=transport, name="pbx.example.com")
    flow.send(b"hello")
    await asyncio.wait_for((theirs.got if transport == "tls" else theirs.whole).get(), 5)
    assert asyncio.get_running_loop().time() - began < 2
    with suppress(ConnectionResetError):
        assert extra.recv(1) == b""
    assert len(listener) == 501  # type: ignore[arg-type]
    while len(listener) > 1:  # type: ignore[arg-type]  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.05)
    assert not flow.closed
    for half in (*crowd, extra):
        half.close()
    flow.close()
    await listener.close()
