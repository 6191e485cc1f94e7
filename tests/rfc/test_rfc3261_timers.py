"""RFC 3261 §17, table 4, and RFC 6026: each timer of each transaction, on a clock that only we move."""

from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError
from sipcc.sip.build import response
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.machine import (
    AckArrived,
    ClientTransaction,
    Mailbox,
    ResponseArrived,
    ServerTransaction,
    TimedOut,
    TransportFailed,
)
from sipcc.sip.transaction.tables import State
from sipcc.sip.transport.base import Address, TransportName


class StillFlow:
    """A flow that goes nowhere."""

    def __init__(self, transport: TransportName = "udp") -> None:
        self.transport: TransportName = transport
        self.local, self.remote = Address("10.0.0.1", 5060), Address("10.0.0.2", 5060)
        self.reliable = transport == "tcp"
        self.closed = False

    def send(self, data: bytes) -> None:
        raise AssertionError("machines do not send by themselves")

    def close(self) -> None:
        self.closed = True


def make(method: str, number: int = 1) -> Request:
    return Request.build(
        method,
        "sip:bob@example.com",
        headers=[
            ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKabc"),
            ("Max-Forwards", "70"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "c"),
            ("CSeq", f"{number} {method}"),
        ],
    )


def client(method: str, transport: TransportName = "udp") -> tuple[ClientTransaction, Mailbox]:
    box, request = Mailbox(), make(method)
    flow = StillFlow(transport)
    return ClientTransaction(request, flow, transaction_key(request), box, Timers(), now=0.0), box


def server(method: str, transport: TransportName = "udp") -> tuple[ServerTransaction, Mailbox]:
    box, request = Mailbox(), make(method)
    return ServerTransaction(request, StillFlow(transport), transaction_key(request), box, Timers()), box


def answer(tx: ClientTransaction, status: int) -> Response:
    return response(tx.request, status, to_tag="b")


def run(tx: ClientTransaction | ServerTransaction, box: Mailbox) -> list[float]:
    """Fire all timers; return when something was sent."""
    box.sends.clear()
    at = []
    while (now := tx.deadline) is not None:
        tx.expire(now=now)
        at += [now] * len(box.sends)
        box.sends.clear()
    return at


# -- clients -------------------------------------------------------------------------------------------


def test_timers_a_and_b() -> None:
    tx, box = client("INVITE")
    assert len(box.sends) == 1
    assert run(tx, box) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert box.news == [TimedOut(tx, "B")]
    assert tx.state is State.TERMINATED


def test_timers_e_and_f() -> None:
    tx, box = client("BYE")
    assert run(tx, box) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert box.news == [TimedOut(tx, "F")]


def test_timer_e_at_t2_after_a_provisional() -> None:
    tx, box = client("OPTIONS")
    tx.receive(answer(tx, 100), now=0.2)
    assert run(tx, box)[:3] == [4.2, 8.2, 12.2]
    assert box.news[-1] == TimedOut(tx, "F")


@pytest.mark.parametrize(("method", "timer"), [("INVITE", "B"), ("BYE", "F")])
def test_a_stream_is_not_asked_twice_but_timed(method: str, timer: str) -> None:
    tx, box = client(method, "tcp")
    assert tx.deadline == 32.0
    assert run(tx, box) == []
    assert box.news == [TimedOut(tx, timer)]


def test_a_provisional_stops_a_and_b() -> None:
    tx, box = client("INVITE")
    tx.receive(answer(tx, 180), now=0.1)
    assert tx.deadline is None
    assert tx.state is State.PROCEEDING
    assert [type(news) for news in box.news] == [ResponseArrived]


def test_timer_d_and_the_ack_of_each_refusal() -> None:
    tx, box = client("INVITE")
    tx.receive(answer(tx, 486), now=1.0)
    tx.receive(answer(tx, 486), now=2.0)
    tx.receive(answer(tx, 180), now=2.5)
    acks = [data for _flow, data, _tx in box.sends if data.startswith(b"ACK")]
    assert len(acks) == 2
    assert acks[0] == acks[1]
    assert b"To: <sip:bob@example.com>;tag=b\r\n" in acks[0]
    assert b"CSeq: 1 ACK\r\n" in acks[0]
    assert b"branch=z9hG4bKabc" in acks[0]
    assert len(box.news) == 1
    assert tx.deadline == 33.0
    tx.expire(now=33.0)
    assert tx.state is State.TERMINATED


def test_timer_m_and_every_2xx_goes_up() -> None:
    tx, box = client("INVITE")
    for at in (1.0, 1.5, 2.5):
        tx.receive(answer(tx, 200), now=at)
    assert len(box.news) == 3
    assert tx.state is State.ACCEPTED
    assert tx.deadline == 33.0
    tx.receive(answer(tx, 486), now=3.0)
    assert box.unexpected == 1
    tx.expire(now=33.0)
    assert tx.state is State.TERMINATED


@pytest.mark.parametrize(("transport", "length"), [("udp", 5.0), ("tcp", 0.0)])
def test_timer_k(transport: TransportName, length: float) -> None:
    tx, box = client("BYE", transport)
    tx.receive(answer(tx, 200), now=1.0)
    assert tx.deadline == 1.0 + length
    tx.receive(answer(tx, 200), now=1.0)
    assert len(box.news) == 1
    tx.expire(now=1.0 + length)
    assert tx.state is State.TERMINATED


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_transport_error_ends_a_client(method: str) -> None:
    tx, box = client(method)
    tx.transport_failed(now=0.1)
    assert box.news == [TransportFailed(tx)]
    assert tx.state is State.TERMINATED
    assert tx.deadline is None


# -- servers -------------------------------------------------------------------------------------------


def test_timers_g_and_h() -> None:
    tx, box = server("INVITE")
    tx.respond(response(tx.request, 486, to_tag="b"), now=0.0)
    assert run(tx, box) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert box.news == [TimedOut(tx, "H")]


def test_timer_h_alone_on_a_stream() -> None:
    tx, box = server("INVITE", "tcp")
    tx.respond(response(tx.request, 486, to_tag="b"), now=0.0)
    assert run(tx, box) == []
    assert box.news == [TimedOut(tx, "H")]


@pytest.mark.parametrize(("transport", "length"), [("udp", 5.0), ("tcp", 0.0)])
def test_timer_i(transport: TransportName, length: float) -> None:
    tx, box = server("INVITE", transport)
    tx.respond(response(tx.request, 486, to_tag="b"), now=0.0)
    tx.receive(make("ACK"), now=1.0)
    tx.receive(make("ACK"), now=1.0)
    assert (tx.state, tx.deadline) == (State.CONFIRMED, 1.0 + length)
    assert run(tx, box) == []
    assert tx.state is State.TERMINATED
    assert box.news == []


def test_timer_l_absorbs_invites_and_passes_acks_up() -> None:
    tx, box = server("INVITE")
    tx.respond(response(tx.request, 200, to_tag="b"), now=1.0)
    assert len(box.sends) == 1
    tx.receive(make("INVITE"), now=1.5)
    assert len(box.sends) == 1
    tx.repeat()
    assert len(box.sends) == 2
    ack = make("ACK")
    tx.receive(ack, now=2.0)
    assert box.news == [AckArrived(tx, ack)]
    assert run(tx, box) == []
    assert tx.state is State.TERMINATED
    tx.repeat()
    assert box.sends == []


@pytest.mark.parametrize(("transport", "length"), [("udp", 32.0), ("tcp", 0.0)])
def test_timer_j(transport: TransportName, length: float) -> None:
    tx, box = server("OPTIONS", transport)
    tx.receive(make("OPTIONS"), now=0.0)
    assert box.sends == []
    tx.respond(response(tx.request, 200, to_tag="b"), now=1.0)
    if length:
        tx.receive(make("OPTIONS"), now=2.0)
        assert box.sends[0][1] == box.sends[1][1]
    assert tx.deadline == 1.0 + length
    tx.expire(now=1.0 + length)
    assert tx.state is State.TERMINATED


def test_a_repeated_invite_gets_the_last_provisional() -> None:
    tx, box = server("INVITE")
    tx.respond(response(tx.request, 100), now=0.0)
    tx.respond(response(tx.request, 180, to_tag="b"), now=0.1)
    tx.receive(make("INVITE"), now=0.5)
    assert [data[:11] for _flow, data, _tx in box.sends] == [b"SIP/2.0 100", b"SIP/2.0 180", b"SIP/2.0 180"]


@pytest.mark.parametrize("second", [100, 200, 486])
def test_only_one_final_answer(second: int) -> None:
    tx, _box = server("INVITE")
    tx.respond(response(tx.request, 486, to_tag="b"), now=0.0)
    with pytest.raises(LocalProtocolError, match=f"{second} after 486"):
        tx.respond(response(tx.request, second), now=0.1)


def test_another_t1() -> None:
    box, request = Mailbox(), make("INVITE")
    tx = ClientTransaction(request, StillFlow(), transaction_key(request), box, Timers(t1=0.1), now=0.0)
    times = run(tx, box)
    assert times[0] == pytest.approx(0.1)
    assert times[-1] == pytest.approx(6.3)
    assert tx.state is State.TERMINATED
