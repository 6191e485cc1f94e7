from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.acd.bench import Free, Shares, draw
from sipcc.acd.model import Agent, AgentState
from sipcc.acd.settings import AgentSettings

BITS = st.integers(0, 2**64 - 1)
SHARES = st.lists(
    st.sampled_from([0.0, 0.0, 0.1, 0.2, 0.3, 1.0, 7.0, 5e-324, 1e300]) | st.floats(0, 1e6), min_size=1
)


def agents(count: int) -> list[Agent]:
    return [
        Agent(settings=AgentSettings(name=f"a{i}", weight=float(i)), order=i, state=AgentState.READY)
        for i in range(count)
    ]


def names(free: Free) -> list[str]:
    return [agent.name for agent in free]


@pytest.mark.parametrize(("bits", "index"), [(0, 1), (2**62 - 1, 1), (2**62, 3), (2**64 - 1, 3)])
def test_bits_fall_into_the_part_of_a_share(bits: int, index: int) -> None:
    assert draw([0.0, 0.25, 0.0, 0.75], bits) == index
    assert Shares([0.0, 0.25, 0.0, 0.75]).draw(bits) == index


def test_shares_that_are_all_0_have_the_same_chance() -> None:
    assert [draw([0.0, 0.0, 0.0], bits) for bits in range(4)] == [0, 1, 2, 0]
    assert Shares([0.0, 0.0]).draw(7) is None


@given(SHARES, BITS)
def test_the_tree_draws_as_the_list_of_those_that_are_left(shares: list[float], bits: int) -> None:
    tree, left = Shares(shares), list(range(len(shares)))
    for gone in sorted(left, key=lambda index: hash((bits, index)))[: len(left) - 1]:
        skip = left[:1] if len(left) > 1 else []
        kept = [index for index in left if index not in skip]
        found = tree.draw(bits, skip)
        parts = [shares[index] for index in kept]
        assert found == (kept[draw(parts, bits)] if any(parts) else None)
        tree.drop(gone)
        left.remove(gone)
    assert tree.draw(bits) == (left[0] if shares[left[0]] else None)


@pytest.mark.parametrize("share", [float("inf"), float("nan")])
def test_what_is_no_share(share: float) -> None:
    with pytest.raises((OverflowError, ValueError)):
        Shares([1.0, share])


@given(st.lists(st.integers(0, 19), unique=True), st.integers(1, 5))
def test_who_is_gone_is_taken_out(order: list[int], pace: int) -> None:
    gone: list[str] = []
    free = Free(agents(20), gone)
    for at, number in enumerate(order):
        gone.append(f"a{number}")
        if at % pace:
            continue
        free.settle()
        left = [f"a{i}" for i in range(20) if f"a{i}" not in gone]
        assert names(free) == left
        assert len(free) == len(left)
        assert [name for name in ("a0", "a7", "a19") if free.has(name)] == [
            name for name in ("a0", "a7", "a19") if name in left
        ]
        assert [agent.name for agent in free.without(left[1:3])] == left[:1] + left[3:]
        if left[2:]:
            assert free.least(lambda agent: agent.order, left[:2]).name == left[2]
            assert [agent.name for agent in free[1:]] == left[1:]


def test_who_was_gone_before_is_not_looked_for() -> None:
    free = Free(agents(2), ["b"])
    free.settle()
    assert names(free) == ["a0", "a1"]


def test_a_draw_follows_those_who_go() -> None:
    gone: list[str] = []
    free = Free(agents(40), gone)
    for number in range(39, 2, -1):
        found = Counter(
            free.drawn(lambda agent: agent.settings.weight, bits << 56, ["a1"]).name for bits in range(256)
        )
        assert found.keys() <= {f"a{i}" for i in range(2, number + 1)}
        assert found[f"a{number}"] >= found["a2"]
        gone.append(f"a{number}")
        free.settle()
    assert free.drawn(lambda agent: 0.0, 1, []).name in ("a1", "a2")
