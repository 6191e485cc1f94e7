from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest

from sipcc.rtp import udp
from sipcc.rtp.udp import MAX_ROUNDS, UdpSockets


@pytest.fixture
def sockets() -> Iterator[UdpSockets]:
    sockets = UdpSockets()
    yield sockets
    sockets.close_all()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_send_and_drain(sockets: UdpSockets, host: str) -> None:
    one, two = sockets.open(host, 0), sockets.open(host, 0)
    for text in (b"a", b"b", b"c"):
        sockets.send(one, text, (host, sockets.port_of(two)))
    assert list(sockets.drain()) == [(two, text, (host, sockets.port_of(one))) for text in (b"a", b"b", b"c")]
    assert list(sockets.drain()) == []


def test_one_drain_takes_a_bounded_number_of_each_socket(sockets: UdpSockets) -> None:
    one, two = sockets.open("127.0.0.1", 0), sockets.open("127.0.0.1", 0)
    for _ in range(MAX_ROUNDS + 3):
        sockets.send(one, b"x", ("127.0.0.1", sockets.port_of(two)))
    assert len(list(sockets.drain())) == MAX_ROUNDS
    assert len(list(sockets.drain())) == 3


def test_one_drain_takes_a_bounded_number_of_all_sockets(
    sockets: UdpSockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "MAX_DRAINED", 4)
    sender, *others = (sockets.open("127.0.0.1", 0) for _ in range(11))
    for _ in range(2):
        for other in others:
            sockets.send(sender, b"x", ("127.0.0.1", sockets.port_of(other)))
    drains = [list(sockets.drain()) for _ in range(6)]
    assert [len(got) for got in drains] == [4, 4, 4, 4, 4, 0]
    assert {handle for handle, _, _ in [*drains[0], *drains[1], *drains[2]]} == {*others}, "all have a turn"


def test_each_datagram_is_read_when_it_is_asked_for(sockets: UdpSockets) -> None:
    """A process that is killed in a drain leaves to its successor what it did not come to."""
    one, two = sockets.open("127.0.0.1", 0), sockets.open("127.0.0.1", 0)
    for text in (b"a", b"b", b"c"):
        sockets.send(one, text, ("127.0.0.1", sockets.port_of(two)))
    assert next(iter(sockets.drain()))[1] == b"a"
    assert [data for _, data, _ in sockets.drain()] == [b"b", b"c"]


def test_a_socket_may_be_closed_while_all_are_drained(sockets: UdpSockets) -> None:
    one, *others = (sockets.open("127.0.0.1", 0) for _ in range(3))
    for other in others:
        sockets.send(one, b"x", ("127.0.0.1", sockets.port_of(other)))
    drain = iter(sockets.drain())
    first, _, _ = next(drain)
    for other in others:
        sockets.close(other)
    assert first in others
    assert list(drain) == []
    assert sockets.receive_errors == 0


def test_what_cannot_be_sent_is_counted(sockets: UdpSockets) -> None:
    one = sockets.open("127.0.0.1", 0)
    sockets.send(one, b"x", ("255.255.255.255", 9))
    sockets.send(one, b"x", ("127.0.0.1", 70000))
    sockets.send(one, bytes(70000), ("127.0.0.1", 9))
    sockets.close(one)
    sockets.close(one)
    sockets.send(one, b"x", ("127.0.0.1", 9))
    assert sockets.send_errors == 4


def test_a_taken_port_is_an_error(sockets: UdpSockets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            sockets.open("127.0.0.1", other.getsockname()[1])
    assert list(sockets.drain()) == []


def test_the_descriptor_limit_is_lifted(sockets: UdpSockets) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard


def test_what_the_kernel_drops_is_counted() -> None:
    sockets = UdpSockets()
    handle = sockets.open("127.0.0.1", 0)
    target = ("127.0.0.1", sockets.port_of(handle))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5000):
            sender.sendto(bytes(1200), target)
    received = 0
    while got := list(sockets.drain()):
        received += len(got)
    assert received < 5000
    assert sockets.overflows(handle) == 5000 - received
    sockets.close_all()
