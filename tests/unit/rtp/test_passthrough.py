from __future__ import annotations

import pytest

from sipcc.rtp.latch import Address
from sipcc.rtp.passthrough import LEARNING, LEARNING_S, QUIET_S, RawSession

PHONE, OTHER = ("192.0.2.1", 4000), ("192.0.2.2", 5000)


class Wire:
    """Sockets that only write down what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes, Address]] = []

    def open(self, host: str, port: int) -> int:
        return port

    def close(self, handle: int) -> None:
        return None

    def drain(self) -> list[tuple[int, bytes, Address]]:
        return []

    def send(self, handle: int, data: bytes | bytearray | memoryview, address: Address) -> None:
        self.sent.append((handle, bytes(data), address))


class Pair:
    def __init__(self) -> None:
        self.wire = Wire()
        self.audio: Address = ("198.51.100.7", 9000)
        self.one = RawSession("one", (10, 11), 20000, self.wire, audio_source=lambda: self.audio)
        self.two = RawSession("two", (20, 21), 20002, self.wire, audio_source=lambda: ("", 0))
        self.one.aim(PHONE[0], PHONE[1], PHONE[1] + 1, now=0.0)
        self.two.aim(OTHER[0], OTHER[1], OTHER[1] + 1, now=0.0)
        self.one.bridge(self.two)


def test_datagrams_pass_as_they_are_both_ways() -> None:
    pair = Pair()
    pair.one.media.receive(b"\x00anything", PHONE, 0.1)
    pair.two.media.receive(b"", OTHER, 0.1)
    pair.one.control.receive(b"\x81\xce", (PHONE[0], PHONE[1] + 1), 0.1)
    assert pair.wire.sent == [
        (20, b"\x00anything", OTHER),
        (10, b"", PHONE),
        (21, b"\x81\xce", (OTHER[0], OTHER[1] + 1)),
    ]
    assert (pair.one.stats().packets_received, pair.two.stats().packets_sent) == (2, 2)
    assert pair.one.heard_at == 0.1


@pytest.mark.parametrize("host", ["192.0.2.1", "198.51.100.7"])
def test_another_port_of_a_known_host_is_learned(host: str) -> None:
    """A NAT has moved the port, or the whole address as the audio showed."""
    pair = Pair()
    source = (host, 61000)
    for count in range(LEARNING + 2):
        pair.one.media.receive(b"x", source, 0.1 + 0.02 * count)
    assert len(pair.wire.sent) == 3
    pair.two.media.receive(b"y", OTHER, 0.5)
    assert pair.wire.sent[-1] == (10, b"y", source)
    pair.one.control.receive(b"r", (host, 61001), 0.6)
    for _ in range(LEARNING):
        pair.one.control.receive(b"r", (host, 61001), 0.6)
    assert pair.wire.sent[-1][0] == 21


def test_a_stranger_is_never_sent_to_and_not_passed_on() -> None:
    pair = Pair()
    for count in range(1000):
        pair.one.media.receive(b"x", ("203.0.113.66", 4000), 0.001 * count)
        pair.one.control.receive(b"x", ("203.0.113.66", 4001), 0.001 * count)
    pair.two.media.receive(b"y", OTHER, 1.0)
    assert pair.wire.sent == [(10, b"y", PHONE)]
    assert pair.one.stats().foreign_packets == 2000


def test_no_other_port_while_the_source_sends_nor_after_the_window() -> None:
    pair = Pair()
    pair.one.media.receive(b"x", PHONE, 1.0)
    for _ in range(50):
        pair.one.media.receive(b"x", (PHONE[0], 61000), 1.0 + QUIET_S / 2)
        pair.one.media.receive(b"x", (PHONE[0], 61000), LEARNING_S)
    assert len(pair.wire.sent) == 1
    pair.one.aim(PHONE[0], PHONE[1], PHONE[1] + 1, now=10.0)
    for _ in range(50):
        pair.one.media.receive(b"x", (PHONE[0], 61000), 10.5)
    assert len(pair.wire.sent) == 1 + 50 - (LEARNING - 1)
    pair.one.media.receive(b"x", PHONE, 30.0)  # the address of the description may always come back
    assert pair.one.media.source == PHONE


def test_before_signalling_told_an_address_nobody_is_believed() -> None:
    pair = Pair()
    fresh = RawSession("new", (30, 31), 20004, pair.wire, audio_source=lambda: pair.audio)
    fresh.bridge(pair.two)
    for _ in range(10):
        fresh.media.receive(b"x", pair.audio, 0.1)
    pair.two.media.receive(b"y", OTHER, 0.1)
    assert pair.wire.sent == []
    assert pair.one.media.peer is None  # who was bridged before is alone now


def test_taken_apart_nothing_passes() -> None:
    pair = Pair()
    pair.one.unbridge()
    pair.one.unbridge()
    pair.one.media.receive(b"x", PHONE, 0.1)
    pair.two.media.receive(b"x", OTHER, 0.1)
    assert pair.wire.sent == []


def test_a_port_is_no_party_of_its_own() -> None:
    pair = Pair()
    pair.one.bridge(pair.one)
    pair.one.media.receive(b"x", PHONE, 0.1)
    pair.two.media.receive(b"x", OTHER, 0.1)
    assert pair.wire.sent == [(20, b"x", OTHER), (10, b"x", PHONE)]


def test_a_port_of_zero_gets_nothing() -> None:
    pair = Pair()
    pair.two.aim(OTHER[0], 0, 0, now=1.0)
    pair.one.media.receive(b"x", PHONE, 1.1)
    assert pair.wire.sent == []
