"""An endpoint that is too slow: new requests are refused by how long they waited, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, InviteSession, SipSettings, parse_datagram
from sipcc.sip.overload import OverloadSettings
from sipcc.testing.network import MemoryNetwork

SLOW = 2.0


def make(method: str, *, branch: str = "1", extra: str = "", number: str = "4008123456") -> bytes:
    return (
        f"{method} sip:{number}@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK{branch}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:x@example.com>;tag=f\r\nTo: <sip:{number}@10.0.0.2>{extra}\r\n"
        f"Call-ID: c{branch}\r\nCSeq: 1 {method}\r\nContact: <sip:x@10.0.0.7>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Busy:
    """An endpoint, and what it answers to raw datagrams that have waited."""

    def __init__(self, endpoint: Endpoint, network: MemoryNetwork) -> None:
        self.endpoint = endpoint
        self.calls: list[InviteSession] = []
        endpoint.on_invite = self.calls.append
        self._network = network
        self._flow = endpoint.listeners[0].flow_to(Address("10.0.0.7", 5060))
        self._seen = 0

    def send(self, data: bytes, waited: float | None = None) -> list[int]:
        """The statuses that came back at once."""
        self.endpoint.inbound.datagram_received(data, self._flow, waited)
        packets = list(self._network.captured)[self._seen :]
        self._seen = len(self._network.captured)
        return [parse_datagram(packet.data).status for packet in packets]


@pytest.fixture
async def busy() -> AsyncIterator[Busy]:
    network = MemoryNetwork()
    settings = SipSettings(listen=("udp:10.0.0.2:5060",), overload=OverloadSettings(longest=0.5))
    endpoint = Endpoint(settings, network=network.host("10.0.0.2"), clock=LoopClock(), ids=Ids())
    await endpoint.start()
    yield Busy(endpoint, network)
    await endpoint.stop()


async def test_a_call_that_waited_too_long_is_refused_unread_and_its_ack_dropped(busy: Busy) -> None:
    assert busy.send(make("INVITE"), SLOW) == [503]
    assert busy.send(make("ACK", extra=";tag=" + _tag_of(busy))) == []
    assert (busy.endpoint.counters["shed"], busy.endpoint.counters["stray_acks"], busy.calls) == (1, 1, [])
    assert len(busy.endpoint.layer) == 0, "nothing is kept of a refused call"
    assert busy.send(make("INVITE"), 0.0) == [503], "a copy that waited less is refused as well"
    assert busy.send(make("INVITE", branch="2"), 0.0) == [100]


async def test_a_copy_of_a_call_that_was_taken_is_not_refused(busy: Busy) -> None:
    assert busy.send(make("INVITE"), 0.0) == [100]
    assert busy.send(make("INVITE"), SLOW) == [100], "the 100 again"
    assert len(busy.calls) == 1


async def test_what_goes_the_long_way_is_refused_too(busy: Busy) -> None:
    odd = make("INVITE").replace(b"From:", b"From:\r\n ")
    assert busy.send(odd, SLOW) == [503]
    assert busy.endpoint.counters["shed"] == 1


async def test_emergency_calls_and_options_are_served(busy: Busy) -> None:
    assert busy.send(make("INVITE", number="110"), SLOW) == [100]
    assert busy.send(make("OPTIONS", branch="2")) == [200]


async def test_without_overload_control_everything_is_taken(busy: Busy) -> None:
    busy.endpoint.overload = None
    assert busy.send(make("INVITE"), SLOW) == [100]


def _tag_of(busy: Busy) -> str:
    return parse_datagram(busy._network.captured[-1].data).to.tag
