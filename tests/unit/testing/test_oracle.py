"""The oracle of the figures, on messages that were written by hand."""

import pytest

from sipcc.testing.oracle import Counted, CountedAgent, QueueRule, SeenLeg, legs_of, recount, totals
from sipcc.testing.party import Trace

RULES = {"4008123456": QueueRule(queue="sales", short_abandon=5.0, service_level=20.0, max_wait=60.0)}


def _message(start: str, call_id: str, cseq: str, *, caller: str = "13800138000") -> bytes:
    lines = [start, f"Call-ID: {call_id}", f"From: <sip:{caller}@127.0.0.2>;tag=a", f"CSeq: {cseq}", "", ""]
    return "\r\n".join(lines).encode()


def _caller(name: str, *, answered: float = 10.0, ended: float = 0.0, by: str = "party") -> SeenLeg:
    return SeenLeg(
        call_id=name,
        called="4008123456",
        caller=name,
        invited=answered,
        status=200 if answered else 0,
        decided=answered,
        ended=ended,
        ended_by=by,  # type: ignore[arg-type]
    )


def _offer(name: str, *, at: float, status: int = 0, decided: float = 0.0, **times: float) -> SeenLeg:
    leg = SeenLeg(
        call_id=f"o{name}{at}", called="ann", caller=name, invited=at, status=status, decided=decided
    )
    for field, value in times.items():
        setattr(leg, field, value)
    return leg


def _count(
    callers: list[SeenLeg], **agents: list[SeenLeg]
) -> tuple[dict[tuple[float, str], Counted], dict[str, CountedAgent]]:
    return recount(callers, agents, RULES, interval=lambda at: at // 1800 * 1800)


def test_a_leg_is_read_from_its_messages() -> None:
    trace = [
        Trace(1.0, "out", _message("INVITE sip:4008123456@127.0.0.1 SIP/2.0", "x", "1 INVITE")),
        Trace(1.1, "in", _message("SIP/2.0 180 Ringing", "x", "1 INVITE")),
        Trace(2.0, "in", _message("SIP/2.0 200 OK", "x", "1 INVITE")),
        Trace(2.1, "out", _message("ACK sip:4008123456@127.0.0.1 SIP/2.0", "x", "1 ACK")),
        Trace(9.0, "in", _message("BYE sip:13800138000@127.0.0.2 SIP/2.0", "x", "7 BYE")),
        Trace(9.1, "out", _message("SIP/2.0 200 OK", "x", "7 BYE")),
    ]
    (leg,) = legs_of(trace)
    assert (leg.called, leg.caller, leg.invited, leg.answered) == ("4008123456", "13800138000", 1.0, 2.0)
    assert (leg.ended, leg.ended_by, leg.cancelled) == (9.0, "centre", 0.0)


def test_short_headers_and_a_challenge_that_is_answered_are_read() -> None:
    invite = (
        b"INVITE sip:ann@127.0.1.1 SIP/2.0\r\ni: y\r\nf: <sip:+13800138000@x>;tag=1\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    trace = [
        Trace(1.0, "in", invite),
        Trace(4.0, "in", _message("CANCEL sip:ann@127.0.1.1 SIP/2.0", "y", "1 CANCEL")),
        Trace(4.1, "out", _message("SIP/2.0 200 OK", "y", "1 CANCEL")),
        Trace(4.2, "out", _message("SIP/2.0 487 Request Terminated", "y", "1 INVITE")),
        Trace(5.0, "in", b"OPTIONS sip:ann@127.0.1.1 SIP/2.0\r\nCall-ID: z\r\n\r\n"),
    ]
    (leg,) = legs_of(trace)
    assert (leg.caller, leg.status, leg.answered, leg.cancelled) == ("13800138000", 487, 0.0, 4.0)


@pytest.mark.parametrize(
    ("ended", "figures"),
    [
        (14.9, {"short": 1}),
        (15.0, {"abandoned": 1, "abandoned_in_time": 1}),
        (30.0, {"abandoned": 1, "abandoned_in_time": 1}),
        (30.1, {"abandoned": 1}),
        (70.0, {"timed_out": 1}),
    ],
)
def test_who_leaves_without_an_agent_is_told_apart_by_the_wait(ended: float, figures: dict[str, int]) -> None:
    queues, _ = _count([_caller("a", ended=ended)])
    assert queues == {(0.0, "sales"): Counted(joined=1, **figures)}  # type: ignore[arg-type]


def test_the_first_agent_who_answers_has_the_call_and_its_talk() -> None:
    queues, people = _count(
        [_caller("a", ended=100.0)],
        ann=[_offer("a", at=12.0, status=200, decided=25.0, ended=100.0)],
        bob=[_offer("a", at=12.0, status=200, decided=25.5, ended=25.6)],
        cid=[_offer("a", at=12.0, status=487, decided=25.1, cancelled=25.0)],
    )
    assert queues[0.0, "sales"] == Counted(joined=1, answered=1, answered_in_time=1, wait=15.0, talk=75.0)
    assert people["ann"] == CountedAgent(offers=1, answered=1, talk=75.0)
    assert people["bob"] == people["cid"] == CountedAgent(offers=1)


@pytest.mark.parametrize(
    ("offer", "missed"),
    [
        ({"status": 603, "decided": 13.0}, 1),
        ({"status": 487, "decided": 32.0, "cancelled": 32.0}, 1),
        ({"status": 487, "decided": 50.0, "cancelled": 50.0}, 0),
    ],
)
def test_an_offer_is_missed_unless_the_centre_called_it_off(offer: dict[str, float], missed: int) -> None:
    _, people = _count([_caller("a", ended=50.0)], ann=[_offer("a", at=12.0, **offer)])  # type: ignore[arg-type]
    assert people["ann"] == CountedAgent(offers=1, missed=missed)


def test_a_call_that_was_refused_is_in_no_queue_and_intervals_add_up() -> None:
    refused = _caller("a", answered=0.0)
    late = [_caller("b", answered=1799.0, ended=1810.0), _caller("c", answered=1800.0, ended=1820.0)]
    queues, _ = _count([refused, *late])
    assert {place: counted.joined for place, counted in queues.items()} == {
        (0.0, "sales"): 1,
        (1800.0, "sales"): 1,
    }
    assert totals(queues)["sales"].abandoned == 2


def test_the_service_levels_of_the_golden_vector() -> None:
    counted = Counted(joined=100, answered=85, abandoned=15, answered_in_time=70, abandoned_in_time=10)
    levels = [counted.figures[name] for name in ("sl_f1", "sl_f2", "sl_f3", "sl_f4")]
    assert [round(100 * level, 2) for level in levels if level is not None] == [80.00, 82.35, 70.00, 77.78]


def test_a_number_or_a_ring_that_cannot_be_explained_is_an_error() -> None:
    with pytest.raises(ValueError, match="'4008123456' is no number"):
        recount([_caller("a")], {}, {}, interval=lambda at: at)
    with pytest.raises(ValueError, match="ann was rung for 'b'"):
        _count([_caller("a")], ann=[_offer("b", at=12.0)])
