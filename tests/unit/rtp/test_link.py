from __future__ import annotations

from sipcc.rtp import wire
from sipcc.rtp.link import Orders


def test_what_was_not_followed_is_ordered_again() -> None:
    orders = Orders()
    row = [wire.Open("a"), wire.StopPlaying("a"), wire.Close("a")]
    for order in row:
        orders.add(order)
    orders.follow(1)
    assert orders.done == 1
    assert orders.open() == tuple(row[1:])
    orders.follow(1)
    orders.follow(99)
    assert orders.open() == ()
    assert orders.done == orders.count == 3


def test_orders_that_are_given_up_count_as_done() -> None:
    orders = Orders()
    orders.add(wire.Open("a"))
    orders.clear()
    assert orders.done == orders.count == 1
