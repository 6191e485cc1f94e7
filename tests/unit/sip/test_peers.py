from __future__ import annotations

import pytest

from sipcc.sip.peers import is_host, is_peer
from sipcc.sip.transport.base import Address, TransportName


class FakeFlow:
    local = Address("192.0.2.1", 5060)
    closed = False

    def __init__(self, transport: TransportName, host: str, port: int, *names: str) -> None:
        self.remote = Address(host, port)
        self.transport: TransportName = transport
        self.reliable = transport != "udp"
        self.peer_names = frozenset(names)

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None: ...


UDP = FakeFlow("udp", "192.0.2.7", 5060)
TCP = FakeFlow("tcp", "192.0.2.7", 40000)
TLS = FakeFlow("tls", "192.0.2.7", 40001, "sbc.example.net")


@pytest.mark.parametrize(
    ("source", "peer", "same", "host"),
    [
        (UDP, UDP, True, False),
        (FakeFlow("udp", "192.0.2.7", 5060), UDP, True, False),
        (FakeFlow("udp", "192.0.2.7", 5061), UDP, False, False),
        (FakeFlow("udp", "192.0.2.8", 5060), UDP, False, False),
        (FakeFlow("udp", "192.0.2.7", 40000), TCP, False, False),
        (FakeFlow("tcp", "192.0.2.7", 5060), UDP, True, True),
        (FakeFlow("tcp", "192.0.2.7", 40009), TCP, False, True),
        (FakeFlow("tcp", "192.0.2.9", 40009), TCP, False, False),
        (FakeFlow("tls", "192.0.2.99", 1, "sbc.example.net"), TLS, True, False),
        (FakeFlow("tls", "192.0.2.99", 1, "other.example.net"), TLS, False, False),
        (FakeFlow("tls", "192.0.2.99", 1), FakeFlow("tls", "192.0.2.7", 1), False, False),
    ],
)
def test_who_is_the_peer(source: FakeFlow, peer: FakeFlow, same: bool, host: bool) -> None:
    assert (is_peer(source, peer), is_host(source, peer)) == (same, host)
