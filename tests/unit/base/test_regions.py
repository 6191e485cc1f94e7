"""Regions of numbers: mobiles by seven digits, landlines by area code, overrides first, else the default."""

from __future__ import annotations

import pytest

from sipcc.numbers import parse, plan_of
from sipcc.regions import AREA_CODES, Regions, RegionTable

CHINA = plan_of("86", "010")

TABLE = RegionTable.parse(
    ["prefix,region,carrier\n", "1380013,北京,x\n", "1370000,上海\n", "\n", "0755,鹏城\n", "10,京\n"]
)


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("13800138000", "北京"),
        ("+86 138 0013 8000", "北京"),
        ("8613800138000", "北京"),
        ("13700009999", "上海"),
        ("13700010000", "elsewhere"),
        ("13699999999", "elsewhere"),
        ("0755-8123-4567", "鹏城"),
        ("010-8123-4567", "京"),
        ("021 6123 4567", "上海"),
        ("+8657186543210", "杭州"),
        ("0370-8123456", "elsewhere"),
        ("4008123456", "elsewhere"),
        ("95588", "elsewhere"),
        ("+85291234567", "elsewhere"),
        ("anonymous", "elsewhere"),
        ("", "elsewhere"),
        ("13900139000", "moved"),
        ("13900139001", "block"),
        ("13900240000", "wide"),
        ("021-6000-0001", "block of Shanghai"),
    ],
)
def test_each_sort_of_number(number: str, region: str) -> None:
    overrides = {
        "139*": "wide",
        "13900139*": "block",
        "139 0013 9000": "moved",
        "0216000*": "block of Shanghai",
    }
    regions = Regions(TABLE, overrides=overrides, default="elsewhere", plan=CHINA)
    assert regions.of(number) == region
    read = parse(number, CHINA)
    if read is not None:
        assert regions.of(read) == region


def test_a_switch_without_a_country_reads_numbers_as_those_of_china() -> None:
    regions = Regions(TABLE, plan=plan_of())
    as_is = parse("13800138000", plan_of())
    assert as_is is not None
    assert regions.of(as_is) == "北京"
    assert regions.of("01081234567") == "京"


def test_a_thousand_numbers() -> None:
    """Every second number is in the table, each by its own prefix, landlines with every built-in code."""
    names = [f"region {index % 31}" for index in range(500)]
    table = RegionTable.parse(f"{1300000 + 2 * index},{name}\n" for index, name in enumerate(names))
    assert len(table) == 500
    regions = Regions(table, default="unknown", plan=CHINA)
    wanted = {f"{1300000 + 2 * index}1234": name for index, name in enumerate(names)}
    wanted |= {f"{1300001 + 2 * index}1234": "unknown" for index in range(440)}
    wanted |= {f"0{code}61234567": name for code, name in AREA_CODES.items()}
    assert len(wanted) >= 1000
    assert {number: regions.of(number) for number in wanted} == wanted


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["1380013,北京", "x,y"], "line 2: expected a prefix and a region"),
        (["1380013"], "line 1: expected a prefix and a region"),
        (["138001,北京"], "line 1: 138001 is neither"),
        (["2380013,北京"], "line 1: 2380013 is neither"),
        (["0,北京"], "line 1: 0 is neither"),
    ],
)
def test_wrong_tables(lines: list[str], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        RegionTable.parse(lines)


@pytest.mark.parametrize("text", ["mobile", "*", "north", "01*2"])
def test_wrong_overrides(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Regions(overrides={text: "x"})
