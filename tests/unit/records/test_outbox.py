"""The outbox of a webhook: in order for each call, once each, whatever the receiver does."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sipcc.records.outbox import LONGEST_PAUSE, PARALLEL, REFUSALS, Message, Outbox

DAY = 86_400.0


def message(seq: int, order: str = "") -> Message:
    return Message(key=f"m{seq}", seq=seq, order=order)


def outbox(*messages: Message, give_up_after: float = DAY) -> Outbox:
    box = Outbox(give_up_after=give_up_after, chance=lambda: 0.5)
    box.add(messages)
    return box


def keys(messages: list[Message]) -> list[str]:
    return [message.key for message in messages]


def test_one_call_goes_in_order_and_calls_go_side_by_side() -> None:
    box = outbox(message(1, "a"), message(2, "a"), message(3, "b"), message(4), message(5))
    assert keys(box.take(now=0.0)) == ["m1", "m3", "m4"]
    assert box.take(now=0.0) == []
    assert box.deadline() is None
    box.sent("m1")
    box.sent("m4")
    assert keys(box.take(now=0.0)) == ["m2", "m5"]
    for key in ("m2", "m3", "m5"):
        box.sent(key)
    assert (len(box), box.deadline()) == (0, None)


def test_no_more_than_so_many_at_a_time() -> None:
    box = outbox(*(message(number, f"c{number}") for number in range(10)))
    assert len(box.take(now=0.0)) == PARALLEL
    box.sent("m0")
    assert keys(box.take(now=0.0)) == [f"m{PARALLEL}"]


def test_a_receiver_that_is_down_is_asked_by_one_after_growing_pauses() -> None:
    box = outbox(message(1, "a"), message(2, "b"))
    now, pauses = 0.0, []
    assert keys(box.take(now=now)) == ["m1", "m2"]
    box.failed("m1", "refused", refused=False, now=now)
    box.failed("m2", "refused", refused=False, now=now)
    for _ in range(12):
        due = box.deadline()
        assert due is not None
        assert box.take(now=due - 0.01) == []
        pauses.append(due - now)
        now = due
        (probe,) = box.take(now=now)
        box.failed(probe.key, "timeout", refused=False, now=now)
    assert pauses == sorted(pauses)
    assert pauses[0] == 2.0
    assert pauses[-1] == LONGEST_PAUSE
    due = box.deadline()
    assert due is not None
    (probe,) = box.take(now=due)
    box.sent(probe.key)
    other = box.deadline()
    assert other is not None
    assert len(box.take(now=other)) == 1


def test_what_is_refused_dies_soon_and_lets_the_next_one_through() -> None:
    box = outbox(message(1, "a"), message(2, "a"), message(3, "b"))
    now = 0.0
    for attempt in range(1, REFUSALS + 1):
        taken = keys(box.take(now=now))
        assert "m1" in taken
        assert "m2" not in taken
        after = box.failed("m1", "400 Bad Request", refused=True, now=now)
        assert (after.attempts, after.dead) == (attempt, attempt == REFUSALS)
        now += 10.0
    assert keys(box.take(now=now)) == ["m2"]
    assert box.failures == 0


def test_what_is_not_taken_in_time_dies_and_a_replay_begins_anew() -> None:
    box = outbox(message(1, "a"), message(2, "a"), give_up_after=3600.0)
    now, dead = 1000.0, None
    while dead is None:
        (probe,) = box.take(now=now)
        after = box.failed(probe.key, "503", refused=False, now=now)
        dead = after if after.dead else None
        due = box.deadline()
        assert due is not None
        now = due
    assert dead.key == "m1"
    assert now - 1000.0 >= 3600.0
    box.add([message(1, "a")])
    assert keys(box.take(now=now)) == ["m1"]  # goes before what is behind it


def test_what_is_added_twice_goes_once() -> None:
    box = outbox(message(2, "a"))
    assert keys(box.take(now=0.0)) == ["m2"]
    box.add([message(1, "a"), message(2, "a")])
    assert box.take(now=0.0) == []  # m2 is under way, and one of its call
    box.sent("m2")
    assert keys(box.take(now=0.0)) == ["m1"]
    box.add([message(1, "a")])
    assert len(box) == 1


@given(
    st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=30),
    st.lists(st.sampled_from(["ok", "down", "refused"]), max_size=200),
)
def test_each_is_delivered_or_dead_once_and_in_order(orders: list[str], luck: list[str]) -> None:
    box = outbox(*(message(number, order) for number, order in enumerate(orders)), give_up_after=500.0)
    now, ends, delivered = 0.0, Counter[str](), list[Message]()
    while len(box):
        taken = box.take(now=now)
        for one in taken:
            match luck.pop() if luck else "ok":
                case "ok":
                    box.sent(one.key)
                    delivered.append(one)
                    ends[one.key] += 1
                case outcome:
                    after = box.failed(one.key, outcome, refused=outcome == "refused", now=now)
                    ends[one.key] += after.dead
        due = box.deadline()
        assert due is not None or not len(box), "stuck"
        now = max(now, due or now)
    assert ends == Counter(f"m{number}" for number in range(len(orders)))
    for order in set(orders):
        seqs = [one.seq for one in delivered if one.order == order]
        assert seqs == sorted(seqs)
