"""The grammars that every platform has: VoiceXML 2.0, appendix P."""

from __future__ import annotations

import calendar
import os
import random

import pytest
from tests.unit.ivr.grammar.forms import load, xml

from sipcc.call.digits import Answer
from sipcc.ivr.grammar import GrammarError
from sipcc.ivr.grammar.model import Choice, Expansion, Reference, Repeat, Sequence, Token

SENTENCES = int(os.environ.get("SIPCC_SENTENCES", "100"))
"""How many are made for each type and language; a long run has 20,000."""


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
        ("number", "en", "one hundred and five", "105"),
        ("number", "en", "minus two thousand twenty point five", "-2020.5"),
        ("number", "en", "hundred", None),
        ("number", "en", "twenty ten", None),
        ("number", "zh", "一百零五", "105"),
        ("number", "zh", "负两万三千点五", "-23000.5"),
        ("number", "zh", "百万", None),
        ("currency", "en", "ten dollars and fifty cents", "USD10.50"),
        ("currency", "en", "five pounds twenty", "GBP5.20"),
        ("currency", "en", "sixty cents", "USD0.60"),
        ("currency", "en", "fifty", None),
        ("currency", "zh-CN", "一百二十块五", "CNY120.50"),
        ("currency", "zh-CN", "三元五角二分", "CNY3.52"),
        ("currency", "zh-CN", "三十美元", "USD30.00"),
        ("currency", "zh-CN", "五十", None),
        ("date", "en-US", "March second, twenty twenty six", "20260302"),
        ("date", "en-GB", "the third of april", "????0403"),
        ("date", "en", "july fourth nineteen oh five", "19050704"),
        ("date", "en", "the fortieth of may", None),
        ("date", "zh-CN", "二零二六年三月二日", "20260302"),
        ("date", "zh-CN", "十二月三十一号", "????1231"),
        ("date", "zh-CN", "十三月一日", None),
        ("time", "en", "half past five", "0530?"),
        ("time", "en", "quarter to one p.m.", "1245p"),
        ("time", "en", "eight thirty in the morning", "0830a"),
        ("time", "en", "nineteen hundred hours", "1900h"),
        ("time", "en", "twenty fifteen", "2015h"),
        ("time", "en", "noon", "1200p"),
        ("time", "en", "twenty five", None),
        ("time", "zh-CN", "下午三点半", "0330p"),
        ("time", "zh-CN", "八点零五分", "0805?"),
        ("time", "zh-CN", "十五点一刻", "1515h"),
        ("time", "zh-CN", "下午十五点", None),
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
        "builtin:grammar/colour",
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
    speech = "for speech there are boolean, currency, date, digits, number, phone, time, in en and zh"
    with pytest.raises(GrammarError, match=f"in zh-CN; {speech}"):
        load(None, url="builtin:grammar/colour", language="zh-CN")
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


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("kind", ["boolean", "currency", "date", "digits", "number", "phone", "time"])
def test_all_that_can_be_said_has_a_value(kind: str, language: str) -> None:
    """Sentences that are made by the grammar at random."""
    grammar = load(None, url=f"builtin:grammar/{kind}", language=language)
    chance = random.Random(f"{kind} {language}")
    for _ in range(SENTENCES):
        said = " ".join(sentence(grammar.document.rules["r"].body, chance))
        match = grammar.match(said)
        assert match is not None, said
        assert match.meaning() is not None, said


def sentence(one: Expansion, chance: random.Random) -> list[str]:
    """Words that `one` matches."""
    if isinstance(one, Token):
        return [one.text]
    if isinstance(one, Reference):
        assert one.rule is not None
        return sentence(one.rule.body, chance)
    if isinstance(one, Sequence):
        return [word for item in one.items for word in sentence(item, chance)]
    if isinstance(one, Choice):
        return sentence(chance.choice(one.items), chance)
    assert isinstance(one, Repeat)
    rounds = chance.randint(one.low, min(one.low + 3, one.high or one.low))
    return [word for _ in range(rounds) for word in sentence(one.item, chance)]


def test_a_grammar_may_refer_to_what_is_said() -> None:
    grammar = load(xml('on<ruleref uri="builtin:grammar/date"/>at<ruleref uri="builtin:grammar/time"/>'))
    assert grammar.accepts("on march second at half past five")
    assert grammar.rejects("on march at five hundred")
