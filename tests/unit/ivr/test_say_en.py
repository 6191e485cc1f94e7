"""English values: a table for the words, and an inverse parser for the rest."""

import random
import re
from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.ivr.say import PAUSE, base_language, fragments, kinds, say

SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}
MONTHS = [date(2000, month, 1).strftime("%B").lower() for month in range(1, 13)]
KEYS = {"star": "*", "hash": "#", "plus": "+"}


def words(kind, value):
    names = say(kind, value, "en")
    assert all(name == PAUSE or name in fragments("en") for name in names)
    return [name.removeprefix("say/") for name in names]


def text(kind, value):
    return " ".join(words(kind, value))


def cardinal(tokens):
    """The number that words say: a running sum of hundreds, closed by each larger scale."""
    total = part = 0
    for token in tokens:
        if token == "hundred":
            part *= 100
        elif token in SCALES:
            total += part * SCALES[token]
            part = 0
        else:
            part += int(token)
    return total + part


def decimal(tokens):
    negative = tokens[:1] == ["minus"]
    tokens = tokens[negative:]
    if "point" in tokens:
        at = tokens.index("point")
        value = Decimal(f"{cardinal(tokens[:at])}.{''.join(tokens[at + 1 :])}")
    else:
        value = Decimal(cardinal(tokens))
    return -value if negative else value


def ordinal(tokens):
    last = tokens[-1]
    bare = re.sub(r"(?<=[0-9])(st|nd|rd|th)$", "", last) if last[0].isdigit() else last.removesuffix("th")
    return cardinal([*tokens[:-1], bare])


def year(tokens):
    if "thousand" in tokens or len(tokens) == 1:
        return cardinal(tokens)
    if tokens[-1] == "hundred":
        return cardinal(tokens[:-1]) * 100
    if "oh" in tokens:
        at = tokens.index("oh")
        return cardinal(tokens[:at]) * 100 + cardinal(tokens[at + 1 :])
    high = 2 if int(tokens[0]) >= 20 and len(tokens) > 2 and int(tokens[1]) < 10 else 1
    return cardinal(tokens[:high]) * 100 + cardinal(tokens[high:])


def clock(tokens):
    *middle, half = tokens
    hour = int(middle[0]) % 12 + (12 if half == "pm" else 0)
    return time(hour, cardinal([token for token in middle[1:] if token != "oh"]))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 0, "0"),
        ("number", 13, "13"),
        ("number", 40, "40"),
        ("number", 21, "20 1"),
        ("number", 100, "1 hundred"),
        ("number", 105, "1 hundred 5"),
        ("number", 12345, "12 thousand 3 hundred 40 5"),
        ("number", 2_000_001, "2 million 1"),
        ("number", 10**9, "1 billion"),
        ("number", -5, "minus 5"),
        ("number", "3.140", "3 point 1 4"),
        ("number", 2.5, "2 point 5"),
        ("ordinal", 1, "1st"),
        ("ordinal", 22, "20 2nd"),
        ("ordinal", 30, "30th"),
        ("ordinal", 112, "1 hundred 12th"),
        ("ordinal", 1000, "1 thousandth"),
        ("digits", "40*#", "4 0 star hash"),
        ("digits", 12, "1 2"),
        ("phone", "400-812-3456", f"4 0 0 {PAUSE} 8 1 2 {PAUSE} 3 4 5 6"),
        ("phone", "+1 400 812 3456", f"plus 1 {PAUSE} 4 0 0 {PAUSE} 8 1 2 {PAUSE} 3 4 5 6"),
        ("phone", "1001", "1 0 0 1"),
        ("date", "2025-03-02", "march 2nd 20 20 5"),
        ("date", "2005-12-31", "december 30 1st 2 thousand 5"),
        ("date", "1905-01-21", "january 20 1st 19 oh 5"),
        ("date", "1900-01-01", "january 1st 19 hundred"),
        ("time", "15:05", "3 oh 5 pm"),
        ("time", "00:00", "12 am"),
        ("time", "12:30", "12 30 pm"),
        ("money", "12.05", "12 dollars and 5 cents"),
        ("money", "1.01", "1 dollar and 1 cent"),
        ("money", "0", "0 dollars"),
        ("money", "-0.50", "minus 50 cents"),
        ("money", "2.5 cny", "2 yuan and 50 fen"),
        ("duration", 0, "0 seconds"),
        ("duration", 3661, "1 hour 1 minute 1 second"),
        ("duration", timedelta(hours=26), "20 6 hours"),
        ("percent", "3.5", "3 point 5 percent"),
    ],
)
def test_words(kind, value, expected):
    assert text(kind, value) == expected


def numbers():
    rng = random.Random(1)
    edges = [
        0,
        1,
        10,
        11,
        19,
        20,
        21,
        99,
        100,
        101,
        110,
        999,
        1000,
        1001,
        9999,
        10**4,
        10**5,
        10**6,
        10**12 - 1,
    ]
    return [*edges, *range(2000), *(rng.randrange(10**6) for _ in range(5000)), *range(10**6 - 50, 10**6 + 1)]


def test_numbers_round_trip():
    for n in numbers():
        assert cardinal(words("number", n)) == n


def test_ordinals_round_trip():
    for n in numbers():
        if n:
            assert ordinal(words("ordinal", n)) == n


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=3))
def test_decimals_round_trip(value):
    assert decimal(words("number", value)) == value
    assert decimal(words("percent", value)[:-1]) == value


@given(st.dates(min_value=date(1000, 1, 1)))
def test_dates_round_trip(value):
    tokens = words("date", value)
    size = 2 if tokens[1].isdigit() else 1
    day = ordinal(tokens[1 : 1 + size])
    assert date(year(tokens[1 + size :]), MONTHS.index(tokens[0]) + 1, day) == value


def test_all_days_of_half_a_century():
    day = date(2000, 1, 1)
    while day.year < 2051:
        tokens = words("date", day)
        size = 2 if tokens[1].isdigit() else 1
        assert year(tokens[1 + size :]) == day.year, tokens
        assert ordinal(tokens[1 : 1 + size]) == day.day
        day += timedelta(days=1)


def test_all_minutes_round_trip():
    for minute in range(24 * 60):
        at = time(minute // 60, minute % 60)
        assert clock(words("time", at)) == at


@given(st.integers(-(10**9), 10**9), st.sampled_from(["USD", "CNY"]))
def test_money_round_trips(cents, currency):
    tokens = words("money", f"{Decimal(cents) / 100} {currency}")
    sign = -1 if tokens[0] == "minus" else 1
    total = 0
    part: list[str] = []
    for token in tokens[tokens[0] == "minus" :]:
        if token in {"dollar", "dollars", "yuan"}:
            total, part = total + cardinal(part) * 100, []
        elif token in {"cent", "cents", "fen"}:
            total, part = total + cardinal(part), []
        elif token != "and":
            part.append(token)
    assert sign * total == cents


@given(st.integers(0, 10**6))
def test_durations_round_trip(seconds):
    total = 0
    part: list[str] = []
    for token in words("duration", seconds):
        size = {"hour": 3600, "minute": 60, "second": 1}.get(token.removesuffix("s"))
        if size is None:
            part.append(token)
        else:
            total, part = total + cardinal(part) * size, []
    assert total == seconds


@given(st.text("0123456789*#+", min_size=1, max_size=20))
def test_keys_round_trip(keys):
    for kind in ("digits", "phone"):
        heard = "".join(KEYS.get(token, token) for token in words(kind, keys) if token != PAUSE)
        assert heard == keys


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "twelve"),
        ("number", "1_0"),
        ("number", "٣"),
        ("number", True),
        ("number", None),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 10**12),
        ("ordinal", 0),
        ("ordinal", "1.5"),
        ("digits", ""),
        ("digits", "12a"),
        ("digits", 1.5),
        ("date", "2025-02-30"),
        ("date", "02.03.2025"),
        ("time", "25:00"),
        ("time", "3pm"),
        ("money", "1.005"),
        ("money", "5 EUR"),
        ("duration", -1),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_values_of_another_kind_are_refused(kind, value, language):
    with pytest.raises(ValueError, match=r"."):
        say(kind, value, language)


def test_unknown_kind_and_language_list_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown kind 'weight'; known kinds: number, ordinal, digits"):
        say("weight", 1, "en")
    with pytest.raises(ValueError, match=r"known languages: en, zh"):
        say("number", 1, "fr")


def test_languages_have_the_same_kinds():
    assert kinds("en") == kinds("zh-CN")
    assert base_language("zh_CN") == "zh"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 99, "90 9"),
        ("number", 105, "1 hundred and 5"),
        ("number", 110, "1 hundred and 10"),
        ("number", 1005, "1 thousand and 5"),
        ("number", 1200, "1 thousand 2 hundred"),
        ("number", 1205, "1 thousand 2 hundred and 5"),
        ("number", 100_000, "1 hundred thousand"),
        ("number", 123_456, "1 hundred and 20 3 thousand 4 hundred and 50 6"),
        ("number", 1_000_021, "1 million and 20 1"),
        ("number", "-105.505", "minus 1 hundred and 5 point 5 0 5"),
        ("ordinal", 105, "1 hundred and 5th"),
        ("ordinal", 1000, "1 thousandth"),
        ("money", "105.05", "1 hundred and 5 dollars and 5 cents"),
        ("percent", 101, "1 hundred and 1 percent"),
        ("phone", "0205511222", "0 2 0 silence:200 double 5 1 silence:200 1 triple 2"),
        ("phone", "888 1111", "triple 8 silence:200 triple 1 silence:200 1"),
        ("phone", "##1", "hash hash 1"),
        ("digits", "1122", "1 1 2 2"),
    ],
)
@pytest.mark.parametrize("language", ["en-GB", "en_AU"])
def test_the_british_way(kind, value, expected, language):
    names = say(kind, value, language)
    assert all(name == PAUSE or name in fragments("en") for name in names)
    assert " ".join(name.removeprefix("say/") for name in names) == expected


def test_british_numbers_round_trip():
    for n in numbers():
        tokens = [name.removeprefix("say/") for name in say("number", n, "en-GB")]
        assert cardinal([token for token in tokens if token != "and"]) == n
        groups = [n // 1000**power % 1000 for power in range(4)]
        large = n >= 1000 and 0 < groups[0] < 100
        assert tokens.count("and") == large + sum(group > 100 and group % 100 > 0 for group in groups), n
