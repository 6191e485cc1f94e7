from __future__ import annotations

import random

import pytest

from sipcc.errors import PortsExhausted
from sipcc.rtp.ports import REST_S, PortPool


def pool(low: int = 20000, high: int = 20007, *, seed: int = 1) -> PortPool:
    return PortPool(low, high, random=random.Random(seed).random)


def test_all_even_ports_of_the_range_and_no_more() -> None:
    ports = pool()
    assert ports.capacity == 4
    assert sorted(ports.take(now=0.0) for _ in range(4)) == [20000, 20002, 20004, 20006]
    assert len(ports) == 4
    with pytest.raises(PortsExhausted, match="all 4 "):
        ports.take(now=0.0)


@pytest.mark.parametrize(
    ("low", "high", "ports"),
    [(20001, 20004, {20002}), (20000, 20001, {20000}), (20000, 20002, {20000}), (65534, 65535, {65534})],
)
def test_a_pair_lies_whole_within_the_range(low: int, high: int, ports: set[int]) -> None:
    found = pool(low, high)
    assert {found.take(now=0.0) for _ in range(found.capacity)} == ports


@pytest.mark.parametrize(("low", "high"), [(0, 10), (10, 9), (60000, 65536), (20001, 20002), (20001, 20001)])
def test_ranges_that_are_none(low: int, high: int) -> None:
    with pytest.raises(ValueError, match=r"pair|range"):
        pool(low, high)


def test_order_is_random() -> None:
    orders = {tuple(pool(20000, 20099, seed=seed).take(now=0.0) for _ in range(1)) for seed in range(30)}
    assert len(orders) > 10


def test_a_pair_rests_after_use() -> None:
    ports = pool()
    first = ports.take(now=0.0)
    ports.give_back(first, now=1.0)
    assert len(ports) == 0
    assert first not in {ports.take(now=1.0) for _ in range(3)}


def test_a_rested_pair_comes_back() -> None:
    ports = pool(20000, 20001)
    ports.give_back(ports.take(now=0.0), now=1.0)
    assert ports.take(now=1.0 + REST_S) == 20000


def test_no_call_is_refused_while_a_pair_only_rests() -> None:
    ports = pool()
    taken = [ports.take(now=0.0) for _ in range(4)]
    ports.give_back(taken[2], now=1.0)
    ports.give_back(taken[0], now=1.1)
    assert ports.take(now=1.2) == taken[2]  # the one that rested longest
    assert ports.take(now=1.2) == taken[0]


def test_a_strange_port_given_back_is_not_taken_in() -> None:
    ports = pool()
    port = ports.take(now=0.0)
    ports.give_back(port, now=0.0)
    ports.give_back(port, now=0.0)
    ports.give_back(4444, now=0.0)
    assert sorted(ports.take(now=99.0) for _ in range(4)) == [20000, 20002, 20004, 20006]
