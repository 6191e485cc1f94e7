from __future__ import annotations

import pytest

from sipcc.sip.peers import follow, is_host, is_peer
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.uri import SipUri


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


class FakeDialog:
    def __init__(self, target: str) -> None:
        self.remote_target = SipUri.parse(target)


class FakeUsage:
    call_id = local_tag = contact_user = ""
    credentials = None

    def __init__(self, flow: FakeFlow, target: str = "") -> None:
        self.flow = flow
        self.dialog = FakeDialog(target) if target else None

    def receive(self, transaction: object) -> None:
        raise AssertionError(transaction)


@pytest.mark.parametrize(
    ("usage", "moved", "target"),
    [
        (FakeUsage(UDP, "sip:a@192.0.2.7"), True, "sip:a@192.0.2.7:6000"),
        (FakeUsage(FakeFlow("udp", "192.0.2.7", 5060), "sip:a@192.0.2.7"), True, "sip:a@192.0.2.7:6000"),
        (FakeUsage(UDP, "sip:a@example.com;gr=urn:uuid:1"), True, "sip:a@example.com;gr=urn:uuid:1"),
        (FakeUsage(UDP), True, ""),
        (FakeUsage(TCP, "sip:a@192.0.2.7"), False, "sip:a@192.0.2.7"),
        (FakeUsage(FakeFlow("udp", "192.0.2.7", 5061), "sip:a@192.0.2.7"), False, "sip:a@192.0.2.7"),
    ],
)
def test_dialogs_follow_a_device(usage: FakeUsage, moved: bool, target: str) -> None:
    new = FakeFlow("udp", "192.0.2.7", 6000)
    was, contact = SipUri.parse("sip:a@192.0.2.7"), SipUri.parse("sip:a@192.0.2.7:6000")
    before = usage.flow
    assert follow(usage, UDP, new, was=was, contact=contact) == moved
    assert usage.flow is (new if moved else before)
    assert usage.dialog is None or str(usage.dialog.remote_target) == target
