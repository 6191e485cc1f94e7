"""Each fuzz target on its seeds and on simple mutations of them: runs everywhere, without atheris."""

from __future__ import annotations

import random

import pytest
from tests.fuzz.endpoint import FuzzedEndpoint
from tests.fuzz.targets import TARGETS

FAST = [name for name in TARGETS if name != "endpoint"]
PIECES = (
    b"\r\n",
    b"\r\n\r\n",
    b":",
    b";",
    b'"',
    b"<",
    b">",
    b"\\",
    b"%00",
    b"[",
    b"]",
    b",",
    b"\0",
    b"\xff",
    b"0",
)


def mutants(data: bytes, dice: random.Random, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        raw = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            at = dice.randint(0, len(raw))
            raw[at : at + dice.choice((0, 0, 1, 2, 20))] = dice.choice(PIECES) * dice.choice((1, 1, 1, 50))
        found.append(bytes(raw))
    return found


@pytest.mark.parametrize("name", FAST)
def test_seeds_and_mutants(name: str) -> None:
    check, make_seeds = TARGETS[name]
    dice = random.Random(name)
    for seed in make_seeds():
        check(seed)
        for mutant in mutants(seed, dice, 30):
            check(mutant)


def test_an_endpoint_survives_them_all() -> None:
    fuzzed = FuzzedEndpoint()
    dice = random.Random("endpoint")
    for seed in TARGETS["endpoint"][1]():
        for data in [seed, *mutants(seed, dice, 3)]:
            fuzzed.take(data)
    fuzzed.settle()
    fuzzed.close()
