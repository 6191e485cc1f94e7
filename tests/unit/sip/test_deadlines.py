from __future__ import annotations

import random

from sipcc.sip.deadlines import Deadlines


class Core:
    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.heaped: float | None = None


def test_the_earliest_comes_first_and_stale_ones_vanish() -> None:
    heap: Deadlines[Core] = Deadlines()
    a, b, c = Core(3.0), Core(1.0), Core(None)
    for core in (a, b, c):
        heap.note(core)
    assert heap.first == 1.0
    b.deadline = None
    assert heap.first == 3.0
    a.deadline = 5.0  # later: found out when its entry comes up
    assert heap.first == 5.0
    a.deadline = 2.0
    heap.note(a)
    assert heap.first == 2.0
    assert list(heap.due(1.9)) == []
    assert list(heap.due(2.0)) == [a]
    assert heap.first is None


def test_against_a_plain_search() -> None:
    dice = random.Random(3)
    heap: Deadlines[Core] = Deadlines()
    cores = [Core(None) for _ in range(50)]
    for _ in range(20_000):
        core = dice.choice(cores)
        core.deadline = None if dice.random() < 0.3 else dice.random() * 100
        heap.note(core)
        if dice.random() < 0.05:
            expected = min((c.deadline for c in cores if c.deadline is not None), default=None)
            assert heap.first == expected
    assert len(heap._heap) < 20_000
