"""The grammars that every platform has: VoiceXML 2.0, appendix P."""

from __future__ import annotations

import calendar

import pytest
from tests.unit.ivr.grammar.forms import load, xml

from sipcc.call.digits import Answer
from sipcc.ivr.grammar import GrammarError


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("boolean", "1", True),
        ("boolean", "2", False),
        ("boolean", "3", None),
        ("boolean?y=7;n=*", "7", True),
        ("boolean?y=7;n=*", "*", False),
        ("boolean?y=7;n=*", "1", None),
        ("digits", "0123456789", "0123456789"),
        ("digits", "", None),
        ("digits", "1*", None),
        ("digits?length=4", "1234", "1234"),
        ("digits?length=4", "123", None),
        ("digits?length=4", "12345", None),
        ("digits?minlength=2;maxlength=3", "12", "12"),
        ("digits?minlength=2&maxlength=3", "1", None),
        ("digits?minlength=2;maxlength=3", "1234", None),
        ("digits?minlength=70", "1" * 70, "1" * 70),
        ("number", "12*5", "12.5"),
        ("number", "*5", "0.5"),
        ("number", "12*", "12"),
        ("number", "*", None),
        ("currency", "100*5", "100.50"),
        ("currency", "100", "100.00"),
        ("currency", "*99", "0.99"),
        ("currency", "1*999", None),
        ("date", "20261121", "20261121"),
        ("date", "20261321", None),
        ("date", "20260132", None),
        ("date", "2026112", None),
        ("date", "20250231", None),
        ("date", "20260431", None),
        ("date", "20240229", "20240229"),
        ("date", "20250229", None),
        ("time", "0930", "0930?"),
        ("time", "1545", "1545h"),
        ("time", "0015", "0015h"),
        ("time", "2400", None),
        ("time", "1260", None),
        ("phone", "4008123456", "4008123456"),
        ("phone", "4008123456*12", "4008123456x12"),
        ("phone", "400*", None),
    ],
)
def test_keys(kind: str, typed: str, value: object) -> None:
    grammar = load(None, url=f"builtin:dtmf/{kind}")
    match = grammar.match(typed)
    assert (None if match is None else match.meaning()) == value
    good = grammar.matcher().check(typed) in (Answer.MATCH, Answer.FINAL)
    assert good is (match is not None)


def test_dates_are_those_of_the_calendar() -> None:
    """Every day of February and every 29th to 31st of years with each kind of rule."""
    grammar = load(None, url="builtin:dtmf/date")
    for year in (1600, 1700, 1900, 1904, 1996, 2000, 2001, 2002, 2003, 2012, 2026, 2100, 2400):
        for month in range(1, 13):
            last = calendar.monthrange(year, month)[1]
            for day in (0, 1, 9, 10, 19, 28, 29, 30, 31, 32):
                typed = f"{year}{month:02}{day:02}"
                assert grammar.accepts(typed) is (1 <= day <= last), typed


def test_the_last_key_of_a_date_is_final() -> None:
    matcher = load(None, url="builtin:dtmf/date").matcher()
    assert [matcher.check("20240229"[:end]).name for end in range(9)] == ["PARTIAL"] * 8 + ["FINAL"]


def test_the_last_key_of_a_known_length_is_final() -> None:
    matcher = load(None, url="builtin:dtmf/digits?length=4").matcher()
    assert [matcher.check("1234"[:end]).name for end in range(5)] == ["PARTIAL"] * 4 + ["FINAL"]


@pytest.mark.parametrize(
    ("kind", "language", "said", "value"),
    [
        ("boolean", "en-US", "yes", True),
        ("boolean", "en", "No thanks.", False),
        ("boolean", "en", "maybe", None),
        ("boolean", "zh-CN", "是的", True),
        ("boolean", "zh-CN", "不是", False),
        ("boolean", "zh-CN", "也许", None),
        ("digits", "", "one oh 2 nine", "1029"),
        ("digits?length=3", "zh", "幺零二", "102"),
        ("digits", "zh", "十", None),
        ("number", "en", "three point one four", "3.14"),
        ("number", "zh", "三点一四", "3.14"),
        ("phone", "zh", "一三八转六", "138x6"),
        ("phone", "en", "one two extension three", "12x3"),
    ],
)
def test_speech(kind: str, language: str, said: str, value: object) -> None:
    match = load(None, url=f"builtin:grammar/{kind}", language=language).match(said)
    assert (None if match is None else match.meaning()) == value


@pytest.mark.parametrize(
    "uri",
    [
        "builtin:dtmf/colour",
        "builtin:speech/digits",
        "builtin:",
        "builtin:grammar/date",
        "builtin:dtmf/digits?length=x",
        "builtin:dtmf/digits?length=4;minlength=2",
        "builtin:dtmf/digits?minlength=5;maxlength=2",
        "builtin:dtmf/boolean?y=2",
        "builtin:dtmf/boolean?y=10",
        "builtin:dtmf/digits?length=99999",
    ],
)
def test_there_is_no_such_grammar(uri: str) -> None:
    with pytest.raises(GrammarError):
        load(None, url=uri)


def test_what_is_missing_says_what_there_is() -> None:
    with pytest.raises(
        GrammarError, match="in zh-CN; for speech there are boolean, digits, number, phone, in en"
    ):
        load(None, url="builtin:grammar/date", language="zh-CN")
    with pytest.raises(GrammarError, match="of date only fields of VoiceXML understand what is said"):
        load(None, url="builtin:grammar/date", language="zh-CN")
    with pytest.raises(GrammarError, match="for keys there are boolean, currency, date"):
        load(None, url="builtin:dtmf/colour")


def test_a_grammar_may_refer_to_one() -> None:
    source = xml('<ruleref uri="builtin:dtmf/digits?length=2"/>#', 'mode="dtmf"')
    grammar = load(source)
    assert grammar.accepts("12#")
    assert grammar.rejects("123#")
    spoken = load(xml('pin<ruleref uri="builtin:grammar/digits"/>').replace("en-US", "zh-CN"))
    assert spoken.accepts("pin 一二")
    with pytest.raises(GrammarError, match="it is for dtmf"):
        load(xml('<ruleref uri="builtin:dtmf/digits"/>'))


def test_a_language_without_words() -> None:
    with pytest.raises(GrammarError, match="in fr"):
        load(None, url="builtin:grammar/digits", language="fr")
