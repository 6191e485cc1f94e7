from __future__ import annotations

import random
import re

import pytest

from sipcc.ids import Ids, SystemBits


@pytest.mark.parametrize("size", [1, 7, 8, 20, 31, 32, 128, 65536])
def test_system_bits_have_the_size_asked_for_and_are_not_repeated(size: int) -> None:
    bits = SystemBits()
    drawn = [bits.getrandbits(size) for _ in range(200)]
    assert all(0 <= number < 1 << size for number in drawn)
    if size >= 31:
        assert len(set(drawn)) == len(drawn)
    else:
        assert len(set(drawn)) > 1


def test_ids_have_the_form_that_the_rfc_asks_for() -> None:
    ids = Ids()
    assert re.fullmatch("[0-9a-f]{32}", ids.call_id())
    assert re.fullmatch("[0-9a-f]{16}", ids.tag())
    assert re.fullmatch("z9hG4bK[0-9a-f]{16}", ids.branch())
    assert re.fullmatch("call-[0-9a-f]{16}", ids.uid("call"))


def test_a_seed_gives_the_same_ids_again() -> None:
    assert Ids(random.Random(7)).call_id() == Ids(random.Random(7)).call_id()
