from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError
from sipcc.sip.build import ack, cancel, response
from sipcc.sip.message import Request, transaction_key
from sipcc.sip.parser import parse_datagram
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.layer import TransactionLayer, Verdict
from sipcc.sip.transaction.machine import ResponseArrived, TransportFailed
from sipcc.sip.transport.base import Address, TransportName


class StillFlow:
    def __init__(self, transport: TransportName = "udp") -> None:
        self.transport: TransportName = transport
        self.local, self.remote = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060)
        self.reliable = transport == "tcp"
        self.closed = False

    def send(self, data: bytes) -> None:
        raise AssertionError("the layer does not send by itself")

    def close(self) -> None:
        self.closed = True


def make(method: str = "INVITE", *, branch: str = "z9hG4bK1", number: int = 1, to_tag: str = "") -> Request:
    built = Request.build(
        method,
        "sip:bob@example.com",
        headers=[
            ("Via", "SIP/2.0/UDP 10.0.0.1:5060" + (f";branch={branch}" if branch else "")),
            ("Max-Forwards", "70"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", "c"),
            ("CSeq", f"{number} {method}"),
        ],
    )
    parsed = parse_datagram(bytes(built))
    assert isinstance(parsed, Request)
    return parsed


def receive(layer: TransactionLayer, request: Request, now: float = 0.0) -> Verdict:
    return layer.receive(request, transaction_key(request), now=now)


@pytest.fixture
def layer() -> TransactionLayer:
    return TransactionLayer(Timers())


def test_a_retransmission_gets_the_stored_bytes(layer: TransactionLayer) -> None:
    request = make()
    assert receive(layer, request) is Verdict.NEW
    tx = layer.serve(request, StillFlow(), transaction_key(request))
    assert receive(layer, make()) is Verdict.ABSORBED
    assert layer.to_send() == []
    layer.respond(tx, response(request, 180, to_tag="b"), now=0.1)
    assert receive(layer, make(), now=0.5) is Verdict.ABSORBED
    first, second = layer.to_send()
    assert first[1] == second[1]
    assert len(layer) == 1


@pytest.mark.parametrize("branch", ["z9hG4bK1", "", "z9hG4bK", "old"])
def test_ack_and_cancel_find_their_invite_also_of_rfc_2543(layer: TransactionLayer, branch: str) -> None:
    request = make(branch=branch)
    tx = layer.serve(request, StillFlow(), transaction_key(request))
    killer = cancel(request)
    assert receive(layer, killer) is Verdict.NEW
    assert layer.invite_of(transaction_key(killer)) is tx
    refusal = response(request, 487, to_tag="b")
    layer.respond(tx, refusal, now=0.0)
    assert receive(layer, ack(request, refusal)) is Verdict.ABSORBED
    layer.expire(now=5.0)
    assert len(layer) == 0


def test_cancel_of_nothing(layer: TransactionLayer) -> None:
    assert layer.invite_of(transaction_key(cancel(make()))) is None


def test_an_ack_without_transaction_is_stray(layer: TransactionLayer) -> None:
    assert receive(layer, make("ACK", branch="z9hG4bK2", to_tag="b")) is Verdict.STRAY


def test_merged_requests(layer: TransactionLayer) -> None:
    request = make()
    layer.serve(request, StillFlow(), transaction_key(request))
    assert receive(layer, make(branch="z9hG4bK2")) is Verdict.MERGED
    assert receive(layer, make(branch="z9hG4bK2", number=2)) is Verdict.NEW
    assert receive(layer, make("BYE", branch="z9hG4bK2", to_tag="b")) is Verdict.NEW


def test_a_merged_key_is_free_again_afterwards(layer: TransactionLayer) -> None:
    request = make("OPTIONS")
    tx = layer.serve(request, StillFlow("tcp"), transaction_key(request))
    layer.respond(tx, response(request, 200, to_tag="b"), now=0.0)
    assert len(layer) == 0
    assert receive(layer, make("OPTIONS", branch="z9hG4bK2")) is Verdict.NEW


def test_a_reinvite_with_the_branch_of_the_invite(layer: TransactionLayer) -> None:
    request = make()
    tx = layer.serve(request, StillFlow(), transaction_key(request))
    layer.respond(tx, response(request, 200, to_tag="b"), now=0.0)
    assert receive(layer, make()) is Verdict.ABSORBED
    assert receive(layer, make(number=2, to_tag="b")) is Verdict.NEW
    assert len(layer) == 0


def test_responses_find_their_request_by_branch_sent_by_and_method(layer: TransactionLayer) -> None:
    tx = layer.request(make("OPTIONS"), StillFlow(), now=0.0)
    for other in (make("OPTIONS", branch="z9hG4bK2"), make("INFO")):
        reply = response(other, 200, to_tag="b")
        assert layer.receive(reply, transaction_key(reply), now=0.1) is Verdict.STRAY
    foreign = make("OPTIONS")
    foreign.headers.set("Via", "SIP/2.0/UDP 192.0.2.255;branch=z9hG4bK1")
    reply = response(foreign, 200)
    assert layer.receive(reply, transaction_key(reply), now=0.1) is Verdict.STRAY
    reply = response(make("OPTIONS"), 200, to_tag="b")
    assert layer.receive(reply, transaction_key(reply), now=0.1) is Verdict.ABSORBED
    assert layer.events() == [ResponseArrived(tx, reply)]
    assert layer.events() == []


def test_unlisted_input_from_the_network_is_counted(layer: TransactionLayer) -> None:
    layer.request(make(), StillFlow(), now=0.0)
    for status in (200, 486):
        reply = response(make(), status, to_tag="b")
        layer.receive(reply, transaction_key(reply), now=0.1)
    assert layer.unexpected == 1


def test_unlisted_input_from_above_is_an_error(layer: TransactionLayer) -> None:
    request = make("OPTIONS")
    tx = layer.serve(request, StillFlow(), transaction_key(request))
    layer.respond(tx, response(request, 200), now=0.0)
    with pytest.raises(LocalProtocolError):
        layer.respond(tx, response(request, 500), now=0.0)


def test_one_heap_for_all_timers(layer: TransactionLayer) -> None:
    for i in range(100):
        layer.request(make("OPTIONS", branch=f"z9hG4bK{i}"), StillFlow(), now=i / 1000)
    assert layer.deadline == 0.5
    layer.expire(now=0.5495)
    assert len(layer.to_send()) == 100 + 50
    assert layer.deadline == pytest.approx(0.55)
    now = 0.0
    while (at := layer.deadline) is not None:
        assert at >= now
        now = at
        layer.expire(now=now)
    assert len(layer) == 0
    assert len(layer.events()) == 100


def test_stale_deadlines_vanish(layer: TransactionLayer) -> None:
    layer.request(make("OPTIONS"), StillFlow("tcp"), now=0.0)
    reply = response(make("OPTIONS"), 200, to_tag="b")
    layer.receive(reply, transaction_key(reply), now=0.1)
    assert len(layer) == 0
    assert layer.deadline is None


def test_a_lost_stream_fails_what_waits_on_it(layer: TransactionLayer) -> None:
    flow, other = StillFlow("tcp"), StillFlow("tcp")
    lost = layer.request(make("OPTIONS"), flow, now=0.0)
    layer.request(make("OPTIONS", branch="z9hG4bK2"), other, now=0.0)
    answered = layer.request(make("INVITE", branch="z9hG4bK3"), flow, now=0.0)
    reply = response(make(branch="z9hG4bK3"), 200, to_tag="b")
    layer.receive(reply, transaction_key(reply), now=0.1)
    layer.events()
    layer.flow_closed(flow, now=0.2)
    assert layer.events() == [TransportFailed(lost)]
    assert len(layer) == 2
    layer.abandon(answered)
    assert len(layer) == 1
