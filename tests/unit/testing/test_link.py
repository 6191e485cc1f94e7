from __future__ import annotations

import random

import pytest

from sipcc.sip.transport.base import Address
from sipcc.testing.link import REORDER_DELAY_S, STREAM_LOSS_DELAY_S, Link, Nat

PHONE = Address("192.168.1.10", 5060)
SWITCH = Address("203.0.113.1", 5060)
OTHER = Address("203.0.113.2", 5060)


@pytest.mark.parametrize(
    ("link", "arrivals"),
    [
        (Link(), [0.0]),
        (Link(delay=0.02), [0.02]),
        (Link(loss=1.0), []),
        (Link(duplicate=1.0), [0.0, 0.0]),
        (Link(reorder=1.0, delay=0.01), [0.01 + REORDER_DELAY_S]),
    ],
)
def test_certain_qualities(link: Link, arrivals: list[float]) -> None:
    assert link.arrivals(random.Random(1)) == pytest.approx(arrivals)


def test_loss_is_the_fraction_asked_for_and_the_same_for_a_seed() -> None:
    link = Link(loss=0.1, jitter=0.02)
    runs = []
    for _ in range(2):
        dice = random.Random(7)
        runs.append([link.arrivals(dice) for _ in range(2000)])
    assert runs[0] == runs[1]
    assert 150 < sum(not arrivals for arrivals in runs[0]) < 250
    assert all(0 <= seconds <= 0.02 for arrivals in runs[0] for seconds in arrivals)


def test_a_stream_loses_nothing_but_time() -> None:
    assert Link(loss=1.0, delay=0.01).stream_delay(random.Random(1)) == 0.01 + STREAM_LOSS_DELAY_S
    assert Link(segment_bytes=3).segments(b"INVITE") == [b"INV", b"ITE"]
    assert Link().segments(b"INVITE") == [b"INVITE"]


def test_nat_lets_in_only_answers() -> None:
    nat = Nat("198.51.100.1", frozenset({PHONE.host}), life=30.0)
    public = nat.outbound(PHONE, SWITCH, now=0.0)
    assert public.host == "198.51.100.1"
    assert nat.outbound(PHONE, OTHER, now=20.0) == public  # endpoint-independent mapping
    assert nat.inbound(SWITCH, public, now=10.0) == PHONE
    assert nat.inbound(Address(SWITCH.host, 5070), public, now=10.0) is None
    assert nat.inbound(SWITCH, public, now=30.5) is None  # nothing went out for `life` seconds
    assert nat.inbound(OTHER, public, now=30.5) == PHONE
    nat.forget()
    assert nat.inbound(OTHER, public, now=30.5) is None
    assert nat.outbound(PHONE, SWITCH, now=31.0) != public


def test_a_symmetric_nat_has_a_port_for_each_peer_and_after_each_silence() -> None:
    nat = Nat("198.51.100.1", frozenset({PHONE.host}), life=30.0, symmetric=True)
    public = nat.outbound(PHONE, SWITCH, now=0.0)
    other = nat.outbound(PHONE, OTHER, now=0.0)
    assert other != public
    assert nat.inbound(OTHER, public, now=1.0) is None
    assert nat.inbound(SWITCH, public, now=1.0) == nat.inbound(OTHER, other, now=1.0) == PHONE
    assert nat.outbound(PHONE, SWITCH, now=30.0) == public
    moved = nat.outbound(PHONE, SWITCH, now=60.5)
    assert moved != public
    assert nat.inbound(SWITCH, public, now=60.5) is None
    assert nat.inbound(SWITCH, moved, now=60.5) == PHONE
