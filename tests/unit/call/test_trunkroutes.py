from __future__ import annotations

import random
from collections import Counter

import pytest

from sipcc.call.trunkroutes import MAX_TRUNKS, RouteSettings, Share, TrunkRoutes, parse_step
from sipcc.numbers import parse, plan_of

PLAN = plan_of("86", "010")


def routes(*settings: RouteSettings, seed: int = 1) -> TrunkRoutes:
    return TrunkRoutes(settings, chance=random.Random(seed).random)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("a", [Share("a", 1)]),
        ("a:70 b:30", [Share("a", 70), Share("b", 30)]),
        ("  a:0\tb ", [Share("a", 0), Share("b", 1)]),
    ],
)
def test_a_step(text: str, shares: list[Share]) -> None:
    assert parse_step(text) == shares


@pytest.mark.parametrize("text", ["", "  ", "a:", ":5", "a:b", "a:1:2", "a:-1", "a:123456", "a:１"])
def test_what_is_no_step(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_step(text)


TABLE = (
    RouteSettings(number="mobile", trunks=("m",)),
    RouteSettings(number="0755*", trunks=("s", "a")),
    RouteSettings(name="home", number="4008123456", trunks=("h",)),
    RouteSettings(number="*", trunks=("a", "b")),
)


@pytest.mark.parametrize(
    ("number", "trunks"),
    [
        ("13800138000", ["m"]), ("+8613800138000", ["m"]), ("0755-26888888", ["s", "a"]),
        ("+8675526888888", ["s", "a"]), ("4008123456", ["h"]), ("01087654321", ["a", "b"]),
        ("0044207946000", ["a", "b"]),
    ],
)  # fmt: skip
def test_the_first_route_that_fits_is_taken(number: str, trunks: list[str]) -> None:
    assert routes(*TABLE).find(parse(number, PLAN), PLAN) == trunks


def test_no_route() -> None:
    assert routes(*TABLE[:2]).find(parse("01087654321", PLAN), PLAN) == []
    assert len(routes()) == 0


def test_what_is_no_number_goes_by_the_route_for_anything() -> None:
    assert routes(*TABLE).find(None, PLAN) == ["a", "b"]
    assert routes(*TABLE[:3]).find(None, PLAN) == []


def test_a_route_by_its_name() -> None:
    table = routes(*TABLE)
    assert "home" in table
    assert "other" not in table
    assert "" not in table
    assert table.by_name("home") == ["h"]


def test_shares_within_two_per_cent_over_10000_calls() -> None:
    table = routes(RouteSettings(trunks=("a:70 b:30", "c")))
    ordered = [table.find(None, PLAN) for _ in range(10_000)]
    firsts = Counter(trunks[0] for trunks in ordered)
    assert abs(firsts["a"] / 10_000 - 0.7) < 0.02
    assert all(sorted(trunks[:2]) == ["a", "b"] and trunks[2:] == ["c"] for trunks in ordered)


def test_a_trunk_is_tried_once_and_ten_at_most() -> None:
    table = routes(RouteSettings(trunks=("a", "b a", *(f"t{i}" for i in range(20)))))
    found = table.find(None, PLAN)
    assert len(found) == MAX_TRUNKS
    assert len(set(found)) == MAX_TRUNKS


@pytest.mark.parametrize("settings", [{"number": "x*y", "trunks": ("a",)}, {"trunks": ("a:",)}])
def test_wrong_settings(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        routes(RouteSettings(**settings))  # type: ignore[arg-type]
