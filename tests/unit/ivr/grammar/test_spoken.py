"""Built-in types in free speech."""

import pytest
from tests.unit.ivr.vxml.documents import run

from sipcc.ivr.grammar.spoken import meaning


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("number", "one hundred twenty-three", "123"),
        ("number", "one hundred and five", "105"),
        ("number", "two thousand and six", "2006"),
        ("number", "twelve million three hundred thousand forty two", "12300042"),
        ("number", "five point three oh", "5.30"),
        ("number", "minus seven", "-7"),
        ("number", "12,500.75", "12500.75"),
        ("number", "-3", "-3"),
        ("number", "一百零五", "105"),
        ("number", "两万三千", "23000"),
        ("number", "十二", "12"),
        ("number", "三点一四", "3.14"),
        ("number", "负八", "-8"),
        ("number", "hundred", None),
        ("number", "twenty thirty", None),
        ("number", "and", None),
        ("number", "a lot", None),
        ("currency", "twelve dollars and fifty cents", "USD12.50"),
        ("currency", "five euros", "EUR5.00"),
        ("currency", "twenty-five cents", "USD0.25"),
        ("currency", "two pounds ten", "GBP2.10"),
        ("currency", "$12.5", "USD12.50"),
        ("currency", "12.50", "12.50"),
        ("currency", "十二元五角", "CNY12.50"),
        ("currency", "三块五", "CNY3.50"),
        ("currency", "两百美元", "USD200.00"),
        ("currency", "nothing", None),
        ("date", "march second two thousand twenty six", "20260302"),
        ("date", "the fifth of may", "????0505"),
        ("date", "july twenty first nineteen ninety nine", "19990721"),
        ("date", "march 2nd 2026", "20260302"),
        ("date", "2026-03-02", "20260302"),
        ("date", "二〇二六年三月二日", "20260302"),
        ("date", "十二月二十五号", "????1225"),
        ("date", "june", "????06??"),
        ("date", "yesterday", None),
        ("time", "five thirty p m", "0530p"),
        ("time", "five o'clock", "0500?"),
        ("time", "half past five in the morning", "0530a"),
        ("time", "quarter to six pm", "0545p"),
        ("time", "seventeen thirty", "1730h"),
        ("time", "five oh five", "0505?"),
        ("time", "17:45", "1745h"),
        ("time", "noon", "1200p"),
        ("time", "下午三点零五分", "0305p"),
        ("time", "三点半", "0330?"),
        ("time", "十五点", "1500h"),
        ("time", "soon", None),
        ("time", "25:00", None),
        ("colour", "red", None),
    ],
)
def test_what_people_say(kind: str, said: str, value: object) -> None:
    assert meaning(kind, said) == value


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("number", "one hundred", "100"),
        ("number", "one two", "12"),
        ("date", "march second", "????0302"),
        ("currency", "five dollars", "USD5.00"),
        ("time", "noon", "1200p"),
        ("digits", "1 2 3", "123"),
        ("digits?length=4", "1234", "1234"),
        ("phone", "400 812", "400812"),
    ],
)
def test_fields_take_it(kind: str, said: str, value: str) -> None:
    sim = run(f"<form><field name='a' type='{kind}'><filled><exit expr='a'/></filled></field></form>")
    sim.say(said)
    assert sim.value == value
