from __future__ import annotations

from collections import Counter

import pytest

from sipcc.sip.build import response
from sipcc.sip.gate import Gate
from sipcc.sip.guard import Guard
from sipcc.sip.message import Request
from sipcc.sip.settings import GuardSettings
from sipcc.sip.transport.base import Address, TransportName


class FakeFlow:
    local = Address("192.0.2.1", 5060)
    closed = False
    peer_names: frozenset[str] = frozenset()

    def __init__(self, host: str = "203.0.113.9", transport: TransportName = "udp") -> None:
        self.remote = Address(host, 5060)
        self.transport: TransportName = transport
        self.reliable = transport != "udp"

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None: ...


REQUEST = b"OPTIONS sip:x SIP/2.0\r\n\r\n"
RESPONSE = b"SIP/2.0 200 OK\r\n\r\n"


def make() -> tuple[Gate, Guard, Counter[str]]:
    counters: Counter[str] = Counter()
    gate = Gate(counters)
    gate.guard = Guard(GuardSettings(stranger_rate=10.0))
    return gate, gate.guard, counters


def test_without_a_guard_everything_passes() -> None:
    gate = Gate(Counter())
    flow = FakeFlow()
    assert all(gate.takes(REQUEST, flow, now=0.0) for _ in range(1000))
    gate.malformed(flow, now=0.0)
    gate.stray(flow, now=0.0)
    gate.refused(flow, "INVITE", 405, now=0.0)
    answer = response(Request.build("OPTIONS", "sip:x"), 200, headers=[("Server", "x" * 1000)])
    assert gate.frugal(answer, flow, now=0.0) is answer


def test_requests_beyond_the_rate_are_dropped_and_counted_and_responses_pass() -> None:
    gate, _, counters = make()
    assert sum(gate.takes(REQUEST, FakeFlow(), now=0.0) for _ in range(50)) == 30
    assert counters["rate_limited"] == 20
    assert gate.takes(RESPONSE, FakeFlow(), now=0.0)


def test_what_is_banned_is_not_heard_on_a_stream_that_is_open() -> None:
    gate, guard, _ = make()
    guard.ban("203.0.113.9", "scanner", now=0.0)
    assert not gate.takes(b"", FakeFlow(transport="tcp"), now=1.0)


@pytest.mark.parametrize("what", ["malformed", "stray"])
def test_offences_are_told(what: str) -> None:
    gate, guard, _ = make()
    for _ in range(101):
        getattr(gate, what)(FakeFlow(), now=0.0)
    assert guard.blocked("203.0.113.9", now=0.0)


@pytest.mark.parametrize(("status", "banned"), [(405, True), (481, True), (503, False)])
def test_who_looks_for_what_is_answered(status: int, banned: bool) -> None:
    gate, guard, _ = make()
    for i in range(400):
        gate.refused(FakeFlow(), f"M{i}", status, now=0.0)
    assert guard.blocked("203.0.113.9", now=0.0) == banned


@pytest.mark.parametrize(
    ("flow", "short"),
    [
        (FakeFlow(), True),
        (FakeFlow(transport="tcp"), False),
        (FakeFlow("127.0.0.1"), False),
    ],
)
def test_only_unproved_sources_get_short_answers(flow: FakeFlow, short: bool) -> None:
    gate, _, _ = make()
    asked = Request.build(
        "OPTIONS", "sip:x", [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"), ("CSeq", "1 OPTIONS")]
    )
    gate.takes(bytes(asked), flow, now=0.0)
    answer = response(asked, 200, headers=[("Server", "x" * 100)])
    found = gate.frugal(answer, flow, now=0.0)
    assert found is not None
    assert ("Server" not in found.headers) == short
