"""RFC 3262 as cores: numbers, repetition, order."""

from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError
from sipcc.sip import Request, Response, Timers
from sipcc.sip import response as build_response
from sipcc.sip.fields import RAck
from sipcc.sip.reliable import (
    MAX_WAITING,
    Provisional,
    ReliableReceiver,
    ReliableSender,
    demands_reliable,
    has_sdp,
    rack_of,
    rseq_of,
    supports_reliable,
)

RINGING = Provisional(180, b"", (), reliable=True)


def request(*headers: tuple[str, str]) -> Request:
    lines = [
        ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
        ("From", "<sip:a@example.com>;tag=a"),
        ("To", "<sip:b@example.com>"),
        ("Call-ID", "c"),
        ("CSeq", "1 INVITE"),
        *headers,
    ]
    return Request.build("INVITE", "sip:b@10.0.0.2", headers=lines)


def answer(status: int, *headers: tuple[str, str], tag: str = "p", body: bytes = b"") -> Response:
    return build_response(request(), status, to_tag=tag, headers=headers, body=body)


@pytest.mark.parametrize(
    ("headers", "supports", "demands"),
    [
        ((), False, False),
        ((("Supported", "timer, 100REL"),), True, False),
        ((("Require", "100rel"),), True, True),
        ((("Supported", "100relay"),), False, False),
    ],
)
def test_who_knows_reliable_responses(
    headers: tuple[tuple[str, str], ...], supports: bool, demands: bool
) -> None:
    message = request(*headers)
    assert (supports_reliable(message), demands_reliable(message)) == (supports, demands)


@pytest.mark.parametrize(
    ("status", "rseq", "number"),
    [
        (180, "1", 1),
        (199, "4294967295", 4294967295),
        (180, "0", None),
        (180, "4294967296", None),
        (180, "1_0", None),
        (180, "-1", None),
        (180, "", None),
        (200, "1", None),
        (100, "1", None),
    ],
)
def test_rseq(status: int, rseq: str, number: int | None) -> None:
    assert rseq_of(answer(status, ("Require", "100rel"), ("RSeq", rseq))) == number


def test_rseq_without_require_or_tag_is_not_reliable() -> None:
    assert rseq_of(answer(180, ("RSeq", "1"))) is None
    assert rseq_of(answer(180, ("Require", "100rel"), ("RSeq", "1"), tag="")) is None
    assert rseq_of(answer(180, ("Require", "100rel"))) is None


def test_rack() -> None:
    assert rack_of(request(("RAck", "7 1 INVITE"))) == RAck(7, 1, "INVITE")
    for raw in ("", "7 1", "x 1 INVITE", "7 1 INVITE x"):
        assert rack_of(request(("RAck", raw))) is None
    assert rack_of(request()) is None


def test_what_is_sdp() -> None:
    assert has_sdp(answer(183, body=b"v=0\r\n"))
    assert not has_sdp(answer(183))


def test_repeated_with_doubling_intervals_without_a_cap() -> None:
    sender = ReliableSender(Timers(), 1, first=10)
    assert sender.deadline is None
    assert sender.send(RINGING, now=0.0) == 10
    at, now = [], 0.0
    while sender.deadline is not None and now < 31.9:
        now = sender.deadline
        step = sender.expire(now=now)
        if step == "given up":
            break
        at.append(now)
    assert at == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert now == 32.0


def test_one_at_a_time() -> None:
    sender = ReliableSender(Timers(), 1, first=2**32 - 1)
    assert sender.send(RINGING, now=0.0) == 2**32 - 1
    for _ in range(MAX_WAITING):
        sender.wait(RINGING)
    with pytest.raises(LocalProtocolError):
        sender.wait(RINGING)
    assert sender.next() is None
    assert sender.acknowledge(RAck(1, 1, "INVITE")) is None
    assert sender.acknowledge(RAck(2**32 - 1, 1, "INVITE")) is RINGING
    assert sender.deadline is None
    assert sender.next() is RINGING
    assert sender.send(RINGING, now=1.0) == 1


def test_after_the_final_answer_nothing_is_repeated_but_a_prack_is_taken() -> None:
    sender = ReliableSender(Timers(), 1, first=5)
    sender.send(RINGING, now=0.0)
    sender.wait(RINGING)
    sender.stop(now=10.0)
    assert sender.deadline == 42.0
    assert sender.acknowledge(RAck(5, 1, "INVITE")) is RINGING
    assert sender.next() is None
    sender.send(RINGING, now=50.0)
    sender.forget()
    assert (sender.deadline, sender.outstanding) == (None, None)
    sender.stop(now=60.0)
    assert sender.deadline is None


def test_the_order_of_one_fork() -> None:
    receiver = ReliableReceiver()
    assert [receiver.take(rseq) for rseq in (7, 7, 9, 8, 8, 9, 6)] == [
        True, False, False, True, False, True, False,
    ]  # fmt: skip
