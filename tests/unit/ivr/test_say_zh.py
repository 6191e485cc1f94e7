"""Chinese values: a table of what people say, and an inverse parser for the rest."""

import random
from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.ivr.say import PAUSE, fragments, say
from sipcc.ivr.say.zh import TEXTS

DIGITS = {character: n for n, character in enumerate("零一二三四五六七八九")} | {"两": 2, "幺": 1}
UNITS = {"十": 10, "百": 100, "千": 1000}


def text(kind, value):
    names = say(kind, value, "zh-CN")
    assert all(name == PAUSE or name in fragments("zh") for name in names)
    return "".join("，" if name == PAUSE else TEXTS[name.removeprefix("say/")] for name in names)


def cardinal(said):
    """The number that characters say, read from the right: each unit is at least as large as those before."""
    total = 0
    base = unit = 1
    bare = False  # a unit that has had no digit yet
    for character in reversed(said):
        if character in {"万", "亿"}:
            total += base * unit if bare else 0
            base, unit, bare = {"万": 10**4, "亿": 10**8}[character], 1, False
        elif character in UNITS:
            total += base * unit if bare else 0
            unit, bare = UNITS[character], True
        elif character != "零":
            total += DIGITS[character] * unit * base
            bare = False
    return total + (base * unit if bare else 0)


def decimal(said):
    negative = said.startswith("负")
    whole, _, fraction = said.removeprefix("负").partition("点")
    value = Decimal(cardinal(whole))
    if fraction:
        value += Decimal("0." + "".join(str(DIGITS[character]) for character in fraction))
    return -value if negative else value


def amounts(said, units):
    """Sum of `number unit` pairs; the longest unit name is taken first."""
    total = 0
    while said:
        at, name = min(
            ((said.find(name), name) for name in units if name in said),
            key=lambda hit: (hit[0], -len(hit[1])),
        )
        total += cardinal(said[:at]) * units[name]
        said = said[at + len(name) :]
    return total


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (22, "二十二"),
        (101, "一百零一"),
        (110, "一百一十"),
        (111, "一百一十一"),
        (200, "两百"),
        (222, "两百二十二"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (1100, "一千一百"),
        (2000, "两千"),
        (2002, "两千零二"),
        (10_000, "一万"),
        (10_001, "一万零一"),
        (10_010, "一万零一十"),
        (10_100, "一万零一百"),
        (12_000, "一万两千"),
        (20_000, "两万"),
        (100_000, "十万"),
        (100_100, "十万零一百"),
        (120_000, "十二万"),
        (201_000, "二十万一千"),
        (1_100_000, "一百一十万"),
        (10_020_000, "一千零二万"),
        (100_000_001, "一亿零一"),
        (100_100_000, "一亿零一十万"),
        (200_000_000, "两亿"),
        (1_000_000_000, "十亿"),
        (123_456_789_012, "一千两百三十四亿五千六百七十八万九千零一十二"),
        (-5, "负五"),
        ("3.1402", "三点一四零二"),
        ("0.5", "零点五"),
    ],
)
def test_numbers(value, expected):
    assert text("number", value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ordinal", 3, "第三"),
        ("ordinal", 2, "第二"),
        ("ordinal", 200, "第二百"),
        ("digits", "1024#", "一零二四井"),
        ("phone", "13800138000", "幺三八，零零幺三，八零零零"),
        ("phone", "4008123456", "四零零，八幺二，三四五六"),
        ("phone", "+8613800138000", "加八六，幺三八，零零幺三，八零零零"),
        ("phone", "95588", "九五五八八"),
        ("phone", "12345678", "幺二三四，五六七八"),
        ("phone", "021-1234-5678", "零二幺，幺二三四，五六七八"),
        ("date", "2025-03-02", "二零二五年三月二日"),
        ("date", date(2010, 12, 20), "二零一零年十二月二十日"),
        ("time", "15:05", "下午三点零五分"),
        ("time", "14:00", "下午两点"),
        ("time", "00:30", "凌晨零点三十分"),
        ("time", "12:00", "中午十二点"),
        ("time", "23:59", "晚上十一点五十九分"),
        ("time", "06:10", "上午六点十分"),
        ("money", "12.5", "十二元五角"),
        ("money", "12.05", "十二元零五分"),
        ("money", "0.05", "五分"),
        ("money", "2.55", "两元五角五分"),
        ("money", "0", "零元"),
        ("money", "-3", "负三元"),
        ("money", "12.50 USD", "十二美元五十美分"),
        ("money", "2.02 USD", "两美元零二美分"),
        ("duration", 3900, "一小时零五分"),
        ("duration", 300, "五分钟"),
        ("duration", 120, "两分钟"),
        ("duration", 320, "五分二十秒"),
        ("duration", 3605, "一小时零五秒"),
        ("duration", 3630, "一小时零三十秒"),
        ("duration", 0, "零秒"),
        ("percent", 50, "百分之五十"),
        ("percent", "-3.5", "负百分之三点五"),
    ],
)
def test_other_kinds(kind, value, expected):
    assert text(kind, value) == expected


def numbers():
    rng = random.Random(2)
    edges = [10**n + d for n in range(1, 12) for d in (-1, 0, 1, 10)] + [2 * 10**n for n in range(12)]
    return [*edges, *range(3000), *(rng.randrange(10**6) for _ in range(8000)), *range(99_900, 100_200)]


def test_numbers_round_trip():
    for n in [*numbers(), 10**6, 10**12 - 1]:
        said = text("number", n)
        assert cardinal(said) == n, said
        assert "零零" not in said
        assert not said.endswith("零") or n == 0


def test_ordinals_round_trip():
    for n in numbers():
        if n:
            said = text("ordinal", n)
            assert said[0] == "第"
            assert cardinal(said[1:]) == n


def test_sampled_up_to_the_limit():
    rng = random.Random(3)
    for _ in range(5000):
        n = rng.randrange(10 ** rng.randrange(6, 13))
        assert cardinal(text("number", n)) == n


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3))
def test_decimals_round_trip(value):
    assert decimal(text("number", value)) == value
    assert decimal(text("percent", value).replace("百分之", "", 1)) == value


def test_all_days_of_half_a_century():
    day = date(2000, 1, 1)
    while day.year < 2051:
        year, _, rest = text("date", day).partition("年")
        month, _, number = rest.partition("月")
        spelled = int("".join(str(DIGITS[character]) for character in year))
        assert (spelled, cardinal(month), cardinal(number.removesuffix("日"))) == (
            day.year,
            day.month,
            day.day,
        )
        day += timedelta(days=1)


def test_all_minutes_round_trip():
    periods = {"凌晨": 0, "上午": 0, "中午": 0, "下午": 12, "晚上": 12}
    for at in (time(minute // 60, minute % 60) for minute in range(24 * 60)):
        said = text("time", at)
        hour, _, minute = said[2:].partition("点")
        assert (cardinal(hour) + periods[said[:2]], cardinal(minute.removesuffix("分"))) == (
            at.hour,
            at.minute,
        )


@given(st.integers(-(10**9), 10**9), st.sampled_from(["USD", "CNY"]))
def test_money_round_trips(cents, currency):
    said = text("money", f"{Decimal(cents) / 100} {currency}")
    units = {"元": 100, "角": 10, "分": 1} if currency == "CNY" else {"美元": 100, "美分": 1}
    total = amounts(said.removeprefix("负"), units)
    assert (-total if said.startswith("负") else total) == cents


@given(st.integers(0, 10**6))
def test_durations_round_trip(seconds):
    assert amounts(text("duration", seconds), {"小时": 3600, "分钟": 60, "分": 60, "秒": 1}) == seconds


@given(st.text("0123456789*#+", min_size=1, max_size=20))
def test_keys_round_trip(keys):
    signs = {"星": "*", "井": "#", "加": "+"}
    for kind in ("digits", "phone"):
        heard = "".join(signs.get(c, str(DIGITS.get(c, ""))) for c in text(kind, keys) if c != "，")
        assert heard == keys
