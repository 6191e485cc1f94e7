"""Overload: judged by how long new requests wait, patient at first, quick to come back."""

from __future__ import annotations

import pytest

from sipcc.sip.overload import Overload, OverloadSettings, opens_something

SETTINGS = OverloadSettings(target=0.05, longest=1.5, interval=0.2, retry_after=(1, 5))


def make(chance: float = 0.5) -> Overload:
    return Overload(SETTINGS, lambda: chance)


def test_a_short_burst_is_served() -> None:
    overload = make()
    for at in (0.0, 0.1, 0.19):
        overload.note(0.3, now=at)
        assert overload.refuses("400", now=at) is None
    overload.note(0.01, now=0.2)
    overload.note(0.3, now=0.3)
    assert overload.refuses("400", now=0.3) is None, "the short wait has ended the burst"


def test_waits_that_last_are_overload_until_one_is_short() -> None:
    overload = make()
    overload.note(0.06, now=0.0)
    overload.note(0.06, now=0.25)
    assert overload.refuses("400", now=0.25) == 3
    overload.note(0.04, now=0.3)
    assert overload.refuses("400", now=0.3) is None
    overload.note(0.06, now=0.4)
    assert overload.refuses("400", now=0.4) == 3, "no patience within a second of the last refusal"
    overload.note(0.04, now=0.5)
    overload.note(0.06, now=2.0)
    assert overload.refuses("400", now=2.0) is None, "recovered"
    assert overload.refused == 2


def test_two_waits_far_apart_are_no_overload() -> None:
    overload = make()
    overload.note(0.06, now=0.0)
    overload.note(0.06, now=600.0)
    assert overload.refuses("400", now=600.0) is None
    overload.note(0.06, now=600.25)
    assert overload.refuses("400", now=600.25) == 3


def test_a_wait_that_is_always_too_long() -> None:
    overload = make()
    overload.note(1.6, now=0.0)
    assert overload.refuses("400", now=0.0) == 3


def test_requests_on_streams_do_not_hide_that_datagrams_wait() -> None:
    overload = make()
    for tenth in range(12):
        overload.note(0.3, now=tenth / 10)
        overload.note(0.01, now=tenth / 10, stream=True)
        assert overload.refuses("400", now=tenth / 10, stream=True) is None
    assert overload.refuses("400", now=1.1) == 3


def test_emergency_calls_are_never_refused() -> None:
    overload = make()
    overload.note(1.0, now=0.0)
    overload.note(1.0, now=1.0)
    assert overload.refuses("110", now=1.0) is None
    assert overload.refuses("4008123456", now=1.0) is not None


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 1), (0.49, 3), (1.0, 5)])
def test_retry_after_is_spread(chance: float, seconds: int) -> None:
    overload = make(chance)
    overload.note(1.0, now=0.0)
    overload.note(1.0, now=1.0)
    assert overload.refuses("400", now=1.0) == seconds


@pytest.mark.parametrize("slower_by", [1.5, 3.0, 5.0])
def test_what_is_accepted_is_what_the_machine_can_do(slower_by: float) -> None:
    """A queue in simulated time: 100 calls a second can be served, more are offered, refusing costs 2 %."""
    overload, now, done, waiting = make(), 0.0, 0, []
    offered, service, refusal = slower_by * 100.0, 0.01, 0.0002
    arrivals = [n / offered for n in range(int(offered * 20))]
    waits = []
    while arrivals or waiting:
        while arrivals and arrivals[0] <= now:
            waiting.append(arrivals.pop(0))
        if not waiting:
            now = arrivals[0]
            continue
        waited = now - waiting.pop(0)
        overload.note(waited, now=now)
        if overload.refuses("400", now=now) is None:
            now += service
            done += 1
            waits.append(waited)
        else:
            now += refusal
    assert done / now > 90.0
    assert sorted(waits[100:])[int(0.99 * len(waits[100:]))] < 0.12


@pytest.mark.parametrize(
    ("start", "to", "opens"),
    [
        ("INVITE sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", True),
        ("INVITE sip:a@example.com SIP/2.0", "To: <sip:a@example.com>;tag=1", False),
        ("INVITE sip:a@example.com SIP/2.0", "t:<sip:a@example.com> ; TAG=1", False),
        ("REGISTER sip:example.com SIP/2.0", "To: <sip:a@example.com>", True),
        ("SUBSCRIBE sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", True),
        ("MESSAGE sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", True),
        ("OPTIONS sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", False),
        ("BYE sip:a@example.com SIP/2.0", "To: <sip:a@example.com>;tag=1", False),
        ("ACK sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", False),
        ("CANCEL sip:a@example.com SIP/2.0", "To: <sip:a@example.com>", False),
        ("SIP/2.0 200 OK", "To: <sip:a@example.com>;tag=1", False),
        ("\x00\x01", "", False),
        ("INVITE", "", False),
    ],
)
def test_what_opens_something(start: str, to: str, opens: bool) -> None:
    data = f"{start}\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:b@example.com>;tag=9\r\n{to}\r\n\r\n".encode()
    assert opens_something(data) is opens
