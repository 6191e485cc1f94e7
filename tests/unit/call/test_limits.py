from __future__ import annotations

import pytest

from sipcc.call.limits import CallLimits


def test_a_limit_holds_until_one_is_over() -> None:
    limits = CallLimits()
    assert [limits.take("gold", 2) for _ in range(3)] == [True, True, False]
    assert limits.up("gold") == 2
    limits.give_back("gold")
    assert limits.take("gold", 2)


def test_zero_is_no_limit_and_names_do_not_disturb_each_other() -> None:
    limits = CallLimits()
    assert all(limits.take("any", 0) for _ in range(100))
    assert limits.take("gold", 1)
    assert not limits.take("gold", 1)


def test_what_was_not_taken_cannot_be_given_back() -> None:
    with pytest.raises(KeyError):
        CallLimits().give_back("gold")
