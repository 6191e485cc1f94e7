"""Telephone numbers: one caller is one number, however it is written; a rule means what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.numbers import (
    Number,
    Pattern,
    Plan,
    adjusted,
    bare,
    in_country,
    parse,
    plan_of,
    split_subscriber,
    ways,
    written,
)

BEIJING = plan_of("86", "010", frozenset({"110", "119", "120", "122"}))
NO_PLAN = plan_of()


@pytest.mark.parametrize(
    "text",
    [
        "+8613800138000",
        "8613800138000",
        "008613800138000",
        "013800138000",
        "13800138000",
        "138-0013-8000",
        "+86 138 0013 8000",
        "+86 (0)138 0013 8000",
        "+8613800138000;ext=2;cpc=ordinary",
        "13800138000;isub=1411",
        "13800138000;phone-context=+86",
        "013800138000;phone-context=+86",
        "13800138000;phone-context=example.com",
    ],
)
def test_one_mobile_caller_is_one_number(text: str) -> None:
    number = parse(text, BEIJING)
    assert number is not None
    assert (number.canonical, number.kind) == ("+8613800138000", "mobile")


@pytest.mark.parametrize(
    ("text", "canonical", "kind"),
    [
        ("01081234567", "+861081234567", "geographic"),
        ("81234567", "+861081234567", "geographic"),  # a number of the own area
        ("+861081234567", "+861081234567", "geographic"),
        ("861081234567", "+861081234567", "geographic"),
        ("075581234567", "+8675581234567", "geographic"),
        ("81234567;phone-context=+86755", "+8675581234567", "geographic"),
        ("400-812-3456", "+864008123456", "service"),
        ("+864008123456", "+864008123456", "service"),
        ("8008101234", "+868008101234", "service"),
        ("110", "110", "emergency"),
        ("95588", "95588", "short"),
        ("12345", "12345", "short"),
        ("1001", "1001", "short"),  # a short code, or a user of ours: users are looked for first
        ("8001", "8001", "unknown"),
        ("16812345", "+8616812345", "premium"),
        ("01016812345", "+861016812345", "premium"),
        ("01095588", "+861095588", "short"),
        ("01114155550100", "+861114155550100", "unknown"),  # 011 leads abroad from elsewhere: here it is none
        ("+14155550100", "+14155550100", "international"),
        ("0014155550100", "+14155550100", "international"),
        ("+19005550100", "+19005550100", "premium"),
        ("+88212345678", "+88212345678", "premium"),
        ("4155550100;phone-context=+1", "+14155550100", "international"),
        ("99999999999999", "99999999999999", "unknown"),
    ],
)
def test_numbers_at_a_place_in_beijing(text: str, canonical: str, kind: str) -> None:
    number = parse(text, BEIJING)
    assert number is not None
    assert (number.canonical, number.kind) == (canonical, kind)


@pytest.mark.parametrize(
    "text",
    ["", "+", "0", "00", "alice", "*72", "13800138000#", "1e5", "１３８００１３８０００", "٤٠٠٨١٢٣٤٥٦", "1_3",
     "+86\r\n138", "0x10", "+0123456", "+1", "+123456789012345678", "9" * 21, "1" * 65, "sip:110", "110@x"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    assert parse(text, BEIJING) is None


@pytest.mark.parametrize(
    ("country", "text", "canonical"),
    [
        ("1", "4155550100", "+14155550100"),
        ("1", "14155550100", "+14155550100"),
        ("1", "011442071234567", "+442071234567"),
        ("44", "02071234567", "+442071234567"),
        ("44", "442071234567", "+442071234567"),
        ("852", "23456789", "+85223456789"),
        ("852", "0018613800138000", "+8613800138000"),
        ("7", "84951234567", "+74951234567"),
    ],
)
def test_numbers_in_other_countries(country: str, text: str, canonical: str) -> None:
    number = parse(text, plan_of(country))
    assert number is not None
    assert number.canonical == canonical


def test_without_a_country_numbers_stay_as_they_are() -> None:
    for text in ("13800138000", "4008123456", "1001", "01081234567"):
        assert parse(text, NO_PLAN) == Number(text, "unknown", text)
    for abroad in ("+14155550100", "0014155550100", "01114155550100"):
        number = parse(abroad, NO_PLAN)
        assert number is not None
        assert number.kind == "international"


def test_how_a_trunk_sends_decides_what_digits_without_prefix_are() -> None:
    assert str(parse("14155550100", BEIJING, form="e164")) == "+14155550100"
    assert str(parse("8613800138000", BEIJING, form="e164")) == "+8613800138000"
    assert str(parse("13800138000", BEIJING, form="as_is")) == "13800138000"
    assert str(parse("4008123456", BEIJING, context="+86")) == "+864008123456"


@pytest.mark.parametrize(
    ("canonical", "national"),
    [
        ("+8613800138000", "13800138000"),
        ("+861081234567", "01081234567"),
        ("+864008123456", "4008123456"),
        ("+14155550100", "0014155550100"),
        ("95588", "95588"),
    ],
)
def test_writing(canonical: str, national: str) -> None:
    number = Number(canonical, text="as it was")
    assert written(number, "e164", BEIJING) == canonical
    assert written(number, "national", BEIJING) == national
    assert written(number, "as_is", BEIJING) == "as it was"


def test_a_number_without_a_country_is_dialled_abroad_from_anywhere() -> None:
    assert in_country("+14155550100", NO_PLAN) == "0014155550100"


@given(st.from_regex(r"\+86(1[3-9][0-9]{9}|(10|2[0-57-9])[2-8][0-9]{7}|400[0-9]{7})", fullmatch=True))
def test_what_is_written_is_read_again(canonical: str) -> None:
    number = parse(canonical, BEIJING)
    assert number is not None
    for form in ("e164", "national"):
        assert str(parse(written(number, form, BEIJING), BEIJING)) == canonical  # type: ignore[arg-type]


@given(st.text(max_size=80), st.sampled_from(["86", "1", "44", ""]), st.sampled_from(["", "+86", "x.com"]))
def test_nothing_raises(text: str, country: str, context: str) -> None:
    number = parse(text, plan_of(country), context=context)
    assert number is None or number.canonical.removeprefix("+").isascii()
    bare(text)
    split_subscriber(text)


def test_adjusting_by_prefix() -> None:
    assert adjusted("+8613800138000", strip="+", prepend="9") == "98613800138000"
    assert adjusted("13800138000", strip="0") == "13800138000"


@pytest.mark.parametrize(
    ("pattern", "number", "expected"),
    [
        ("0*", "0014155550100", False),  # "other areas" lets nobody call abroad
        ("0*", "+14155550100", False),
        ("1*", "+14155550100", False),
        ("00*", "+14155550100", True),
        ("+*", "0014155550100", True),
        ("+1415*", "0014155550100", True),
        ("*", "+14155550100", True),
        ("0101*", "01012345678", True),
        ("0108*", "81234567", True),
        ("010*", "+861081234567", True),
        ("138*", "+8613800138000", True),
        ("+86*", "13800138000", True),
        ("13800138000", "+86-138-0013-8000", True),
        ("13800138000", "13800138001", False),
        ("national", "4008123456", True),
        ("national", "95588", False),
        ("national", "+19005550100", False),
        ("mobile", "013800138000", True),
        ("international", "+14155550100", True),
        ("international", "+19005550100", False),  # premium is a kind of its own
        ("premium", "+19005550100", True),
        ("short", "95588", True),
    ],
)
def test_patterns(pattern: str, number: str, expected: bool) -> None:
    read = parse(number, BEIJING)
    if read is None:
        pytest.fail(f"{number} is a number")
    assert Pattern.parse(pattern).matches(read, BEIJING) is expected


def test_a_beginning_with_zero_lets_nobody_abroad_without_a_country_either() -> None:
    for text in ("0014155550100", "01114155550100"):
        number = parse(text, NO_PLAN)
        assert number is not None
        assert not Pattern.parse("0*").matches(number, NO_PLAN)
    assert Pattern.parse("0*").matches(Number("01081234567"), NO_PLAN)


@pytest.mark.parametrize("text", ["", "+", "alice", "1*2", "**", "mobiles", "1" * 25, "*72"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Pattern.parse(text)


def test_visual_separators() -> None:
    assert bare("400-812-3456") == "4008123456"
    assert bare("alice-2") == "alice-2"


def test_a_plan_is_named_by_its_country() -> None:
    assert plan_of("86", "010") == Plan("86", "10", "0", "00")
    assert plan_of("1").abroad == "011"


@pytest.mark.parametrize(
    ("text", "plan", "expected"),
    [
        (
            "138-0013-8000",
            BEIJING,
            {"+8613800138000", "8613800138000", "008613800138000", "13800138000", "013800138000"},
        ),
        (
            "01062345678",
            BEIJING,
            {"+861062345678", "861062345678", "00861062345678", "01062345678", "62345678"},
        ),
        # without its plus it would be a mobile number of here
        ("+14155551234", BEIJING, {"+14155551234", "0014155551234"}),
        ("13800138000", NO_PLAN, {"13800138000"}),
        ("alice", BEIJING, {"alice"}),
    ],
)
def test_every_way_in_which_a_number_may_stand_in_records(text: str, plan: Plan, expected: set[str]) -> None:
    assert ways(text, plan) == expected | {text}
