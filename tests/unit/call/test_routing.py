from __future__ import annotations

import pytest

from sipcc.call.routing import Route, Routes
from sipcc.numbers import bare, plan_of


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("4008123456", "4008123456"),
        ("400-812-3456", "4008123456"),
        ("+86 400.812.3456", "+864008123456"),
        ("alice-2", "alice-2"),
        ("echo", "echo"),
        ("١٢-٣", "١٢-٣"),  # Arabic digits are a name to us, not a number
    ],
)
def test_visual_separators_are_dropped_from_numbers_only(dialled: str, expected: str) -> None:
    assert bare(dialled) == expected


def test_exact_beats_prefix_and_longer_prefix_beats_shorter() -> None:
    routes = Routes([Route("4*", "any"), Route("400*", "400s"), Route("4008123456", "main")])
    assert routes.find("400-812-3456", None).handler == "main"
    assert routes.find("4009999999", None).handler == "400s"
    assert routes.find("4100", None).handler == "any"
    assert routes.find("5", None) is None


def test_a_route_may_belong_to_one_trunk() -> None:
    routes = Routes([Route("4008123456", "all"), Route("4008123456", "vip", trunk="gold")])
    assert routes.find("4008123456", "gold").handler == "vip"
    assert routes.find("4008123456", "tin").handler == "all"
    assert routes.find("4008123456", None).handler == "all"


def test_the_same_number_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="routed twice"):
        Routes([Route("4008123456", "a"), Route("400-812-3456", "b")])


def test_a_star_may_stand_only_at_the_end() -> None:
    with pytest.raises(ValueError, match="only at the end"):
        Route("4*8", "x")


def test_with_a_country_a_route_takes_its_number_however_it_is_written() -> None:
    routes = Routes([Route("400-812-3456", "main"), Route("0108*", "office")], plan=plan_of("86", "010"))
    for dialled in ("4008123456", "+864008123456", "008640 08123456", "864008123456"):
        assert routes.find(dialled, None).handler == "main"
    for dialled in ("01081234567", "+861081234567", "81234567"):
        assert routes.find(dialled, None).handler == "office"
    assert routes.find("+14008123456", None) is None


def test_the_same_number_in_two_spellings_is_refused() -> None:
    with pytest.raises(ValueError, match="routed twice"):
        Routes([Route("4008123456", "a"), Route("+864008123456", "b")], plan=plan_of("86"))


def test_a_name_that_is_a_kind_of_number_elsewhere_is_a_name_here() -> None:
    routes = Routes([Route("mobile", "x")], plan=plan_of("86"))
    assert routes.find("13800138000", None) is None
    assert routes.find("mobile", None).handler == "x"


def test_a_full_route_and_where_it_leads() -> None:
    route = Route("4008123456", "main", max_calls=2, full="busy", trunk="gold", language="zh")
    assert not route.is_full
    route.calls = 2
    assert route.is_full
    full = route.full
    assert full is not None
    full.calls += 1
    assert (full.handler, full.trunk, full.language, full.is_full, route.calls) == (
        "busy",
        "gold",
        "zh",
        False,
        2,
    )
    assert Route("4008123456", "main", max_calls=1).full is None


def test_a_route_without_a_limit_is_never_full() -> None:
    route = Route("4008123456", "main")
    route.calls = 1000
    assert not route.is_full
