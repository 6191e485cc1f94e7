from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.lru import Lru


def test_the_one_that_was_not_used_for_longest_falls_out() -> None:
    kept: Lru[str, int] = Lru(2)
    assert kept.put("a", 1) == 1
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)


def test_peeking_is_no_use() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.peek("a") == 1
    kept.put("c", 3)
    assert kept.peek("a") is None


def test_dropping() -> None:
    kept: Lru[str, int] = Lru(2)
    kept.put("a", 1)
    kept.drop("a")
    kept.drop("a")
    assert len(kept) == 0


@given(st.lists(st.integers(0, 20), max_size=80))
def test_it_never_grows_beyond_its_limit(keys: list[int]) -> None:
    kept: Lru[int, int] = Lru(5)
    for key in keys:
        kept.put(key, key)
        assert len(kept) <= 5
        assert kept.get(key) == key
