"""SIP over WebSocket as a core: handshakes, frames, and what a hostile browser may try."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.layers import pump

from sipcc.errors import TransportError
from sipcc.sip.settings import WebSocketSettings
from sipcc.sip.transport.ws import MAX_FRAGMENTS, PINGS_AT_ONCE, WsClientLayer, WsServerLayer

URI = "ws://pbx.example.com:8080/ws"
HANDSHAKE = {
    "Host": "pbx.example.com:8080",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "sip",
}


def handshake(path: str = "/ws", **changes: str | None) -> bytes:
    """The opening of a browser; a header that is None is left out."""
    headers = {**HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("ascii")


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, length: bytes | None = None) -> bytes:
    """A masked frame, as a browser sends it; with a mask of zeroes, and any length bytes."""
    if length is None:
        size = len(data)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([opcode | (0x80 if fin else 0), length[0] | 0x80]) + length[1:] + bytes(4) + data


def opened(settings: WebSocketSettings | None = None) -> WsServerLayer:
    """Our end after a handshake."""
    layer = WsServerLayer(settings or WebSocketSettings())
    assert layer.receive(handshake(), now=0.0) == []
    assert b"Sec-WebSocket-Protocol: sip\r\n" in layer.to_send()
    assert layer.open
    return layer


@pytest.mark.parametrize("step", [0, 1, 5])
def test_both_ends_exchange_messages_whole(step: int) -> None:
    client, server = WsClientLayer(URI), WsServerLayer(WebSocketSettings())
    client.start()
    server.start()
    text, binary = "OPTIONS 中文 ".encode() * 40, bytes(range(256)) * 20
    client.send(text)
    client.send(binary)
    assert pump(client, server, step=step) == ([], [text, binary])
    server.send(binary)
    server.send(text)
    assert pump(client, server, step=step) == ([binary, text], [])
    server.ping()
    assert pump(client, server, step=step) == ([], [])
    client.close()
    client.close()
    pump(client, server, step=step)
    assert server.ended


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (handshake("/"), 404),
        (handshake("/metrics"), 404),
        (handshake(Upgrade=None), 426),
        (handshake(Sec_WebSocket_Protocol=None), 400),
        (handshake(Sec_WebSocket_Protocol="chat"), 400),
        (handshake(Sec_WebSocket_Key="short"), 400),
        (handshake(Sec_WebSocket_Version="8"), 400),
        (handshake(Origin="https://evil.example.net"), 403),
        (handshake(Origin="null"), 403),
        (handshake(Origin="http://pbx.example.com.evil.example.net:8080"), 403),
        (handshake().replace(b"GET ", b"POST "), 0),
        (handshake(X="a" * 9000), 431),
        (b"GET /" + b"a" * 9000, 414),
        (b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1\r\n\r\n", 0),
        (handshake().replace(b"\r\n\r\n", b"".join(b"\r\nA: b" for _ in range(200)) + b"\r\n\r\n"), 431),
    ],
)
def test_a_handshake_that_is_not_for_us_is_refused(request_: bytes, status: int) -> None:
    layer = WsServerLayer(WebSocketSettings())
    with pytest.raises(TransportError, match="WebSocket"):
        layer.receive(request_, now=0.0)
    assert not layer.open
    answer = layer.to_send()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode() if status else (b"HTTP/1.1 405", b""))


@pytest.mark.parametrize(
    ("origins", "origin"),
    [
        ((), None),
        ((), "http://pbx.example.com:8080"),
        ((), "https://PBX.example.com:8080"),
        (("https://desk.example.com",), "https://desk.example.com"),
        (("https://Desk.example.com/",), "https://desk.example.com"),
        (("*",), "https://anything.example.net"),
    ],
)
def test_pages_that_may_connect(origins: tuple[str, ...], origin: str | None) -> None:
    layer = WsServerLayer(WebSocketSettings(origins=origins))
    layer.receive(handshake("/ws?token=1", Origin=origin), now=0.0)
    assert layer.open


def test_two_origins_or_hosts_are_one_too_many() -> None:
    for extra in (b"Origin: http://pbx.example.com:8080\r\n", b"Host: evil.example.net\r\n"):
        layer = WsServerLayer(WebSocketSettings())
        double = handshake(Origin="http://pbx.example.com:8080").replace(
            b"\r\n\r\n", b"\r\n" + extra + b"\r\n"
        )
        with pytest.raises(TransportError, match="403"):
            layer.receive(double, now=0.0)


def test_nothing_is_compressed() -> None:
    layer = WsServerLayer(WebSocketSettings())
    layer.receive(handshake(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"), now=0.0)
    assert layer.open
    assert b"Extensions" not in layer.to_send()
    with pytest.raises(TransportError):
        layer.receive(b"\xc1" + frame(1, b"zipped")[1:], now=0.0)  # RSV1, the mark of a compressed frame


@pytest.mark.parametrize("opcode", [1, 2])
def test_both_kinds_of_frames_and_fragments(opcode: int) -> None:
    layer = opened()
    pieces = [
        frame(opcode, b"a" * 1000, fin=False),
        frame(9, b"between"),
        frame(0, b"b", fin=False),
        frame(0),
    ]
    assert layer.receive(b"".join(pieces), now=0.0) == [b"a" * 1000 + b"b"]
    assert layer.to_send().endswith(b"between")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("64-bit length", frame(2, length=b"\x7f" + (2**63 - 1).to_bytes(8, "big")), 1009),
        ("64-bit length with the top bit", frame(2, length=b"\x7f" + b"\xff" * 8), None),
        ("65537 octets", frame(2, length=b"\x7f" + (65537).to_bytes(8, "big")), 1009),
        ("no mask", b"\x81\x01a", 1002),
        ("reserved opcode", frame(3), 1002),
        ("long ping", frame(9, b"p" * 126), 1002),
        ("cut ping", frame(9, b"p", fin=False), 1002),
        ("continuation of nothing", frame(0, b"a"), 1002),
        ("text that is no UTF-8", frame(1, b"\xff\xfe"), 1007),
        ("empty fragments", frame(1, b"", fin=False) + frame(0, b"", fin=False) * MAX_FRAGMENTS, 1008),
        ("many pings", frame(9) * int(PINGS_AT_ONCE + 1), 1008),
        ("many pongs", frame(10) * int(PINGS_AT_ONCE + 1), 1008),
        ("many empty messages", frame(2) * int(PINGS_AT_ONCE + 1), 1008),
        ("too much in fragments", frame(2, b"a" * 60000, fin=False) + frame(0, b"a" * 6000), 1009),
    ],
)
def test_a_peer_that_breaks_a_rule_is_closed_with_the_reason(
    name: str, data: bytes, code: int | None
) -> None:
    layer = opened()
    layer.send(b"before")
    layer.to_send()
    with pytest.raises(TransportError, match="WebSocket"):
        layer.receive(data, now=0.0)
    said = layer.to_send()
    at = said.index(b"\x88")
    if code is not None:
        assert int.from_bytes(said[at + 2 : at + 4], "big") == code


def test_a_length_takes_no_memory_before_its_octets_come() -> None:
    layer = opened()
    tracemalloc.start()
    layer.receive(frame(2, length=b"\x7e" + (65535).to_bytes(2, "big")), now=0.0)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16384


def test_a_patient_phone_may_ping_for_hours() -> None:
    layer = opened()
    for minute in range(1000):
        layer.receive(frame(9), now=60.0 * minute)
        layer.receive(frame(10), now=60.0 * minute + 1)
    assert layer.open


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_refused_or_waits(noise: bytes, ready: bool) -> None:
    layer = opened() if ready else WsServerLayer(WebSocketSettings())
    with suppress(TransportError):
        assert sum(map(len, layer.receive(noise, now=0.0))) <= 300


def test_a_server_that_does_not_speak_sip_is_left() -> None:
    client = WsClientLayer(URI)
    client.start()
    key = client.to_send()
    assert b"GET /ws HTTP/1.1\r\nHost: pbx.example.com:8080\r\n" in key
    assert b"Sec-WebSocket-Protocol: sip\r\n" in key
    assert b"Extensions" not in key
    with pytest.raises(TransportError, match="WebSocket"):
        client.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", now=0.0)
    assert not client.open


def test_masks_differ() -> None:
    """RFC 6455 §5.3: what a client sends must not be predictable on the wire."""
    client, server = WsClientLayer(URI), WsServerLayer(WebSocketSettings())
    client.start()
    pump(client, server)
    secret = os.urandom(32)
    client.send(secret)
    client.send(secret)
    wire = client.to_send()
    assert wire[: len(wire) // 2] != wire[len(wire) // 2 :]
