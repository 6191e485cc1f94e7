"""Our 2xx without ACK: when they are sent again, and when it is enough."""

from __future__ import annotations

from typing import cast

import pytest

from sipcc.sip import Request
from sipcc.sip.timers import Timers
from sipcc.sip.transaction.machine import ServerTransaction
from sipcc.sip.unacked import UnackedAnswers


class Served:
    """As much of a server transaction as counts here."""

    def __init__(self, number: int) -> None:
        self.request = Request.build("INVITE", "sip:b@example.com", headers=[("CSeq", f"{number} INVITE")])


def served(number: int) -> ServerTransaction:
    return cast(ServerTransaction, Served(number))


def run(waiting: UnackedAnswers) -> tuple[list[float], float]:
    """The times of all copies, and the time of the end."""
    copies = []
    while True:
        now = waiting.deadline
        assert now is not None
        again, given_up = waiting.expire(now=now)
        if given_up:
            assert again == []
            return copies, now
        copies += [now] * len(again)


@pytest.mark.parametrize(
    ("timers", "first", "end"),
    [
        (Timers(), [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], 32.0),
        (Timers(t1=1.0, t2=2.0), [1.0, 3.0, 5.0], 64.0),
    ],
)
def test_copies(timers: Timers, first: list[float], end: float) -> None:
    waiting = UnackedAnswers(timers)
    assert waiting.deadline is None
    waiting.add(served(1), late_offer=False, now=0.0)
    copies, given_up = run(waiting)
    assert copies[: len(first)] == first
    assert given_up == end


def test_an_ack_stops_its_own_answer_only() -> None:
    waiting = UnackedAnswers(Timers())
    waiting.add(served(1), late_offer=False, now=0.0)
    waiting.add(served(2), late_offer=True, now=0.2)
    assert (len(waiting), waiting.late_offer, waiting.deadline) == (2, True, 0.5)
    assert waiting.acknowledge(1)
    assert not waiting.acknowledge(1)
    assert not waiting.acknowledge(7)
    assert (len(waiting), waiting.deadline) == (1, 0.7)
    assert waiting.acknowledge(2)
    assert (len(waiting), waiting.late_offer, waiting.deadline) == (0, False, None)


def test_before_its_time_nothing_is_sent() -> None:
    waiting = UnackedAnswers(Timers())
    waiting.add(served(1), late_offer=False, now=10.0)
    assert waiting.expire(now=10.4) == ([], False)


def test_a_late_wake_up_sends_one_copy() -> None:
    waiting = UnackedAnswers(Timers())
    waiting.add(served(1), late_offer=False, now=0.0)
    again, given_up = waiting.expire(now=6.0)
    assert (len(again), given_up) == (1, False)


def test_clear() -> None:
    waiting = UnackedAnswers(Timers())
    waiting.add(served(1), late_offer=True, now=0.0)
    waiting.clear()
    assert (len(waiting), waiting.deadline) == (0, None)
    assert waiting.expire(now=100.0) == ([], False)
