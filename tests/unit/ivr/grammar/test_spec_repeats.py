"""SRGS 1.0, 2.5 (repeats) and 2.2.3 (NULL): as many rounds as are asked for, also where they say nothing."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

from sipcc.ivr.grammar import GrammarError

MATCHED = [
    ('<item repeat="3"><tag>t</tag></item>', "{t}<3>", {"": "$r[{t}, {t}, {t}]", "a": None}),
    ('<item repeat="2-"><tag>t</tag></item>', "{t}<2->", {"": "$r[{t}, {t}]"}),
    ('<item repeat="0-"><tag>t</tag></item>', "{t}<0->", {"": "$r[]"}),
    (
        '<item repeat="3"><item repeat="0-1">a</item><tag>t</tag></item>',
        "([a] {t})<3>",
        {
            "": "$r[{t}, {t}, {t}]",
            "a": '$r["a", {t}, {t}, {t}]',
            "a a": '$r["a", {t}, "a", {t}, {t}]',
            "a a a": '$r["a", {t}, "a", {t}, "a", {t}]',
            "a a a a": None,
        },
    ),
    (
        '<rule id="r"><item repeat="2"><ruleref uri="#x"/></item></rule>'
        '<rule id="x"><item repeat="0-1">a</item></rule>',
        "$r = $x<2>; $x = [a];",
        {"": "$r[$x[], $x[]]", "a": '$r[$x["a"], $x[]]', "a a": '$r[$x["a"], $x["a"]]'},
    ),
    ('<item repeat="5"><ruleref special="NULL"/></item>a', "$NULL<5> a", {"a": '$r["a"]'}),
    ('<item repeat="1-"><item/></item>a', "()<1-> a", {"a": '$r["a"]', "": None}),
    ('<item repeat="2"><ruleref special="VOID"/></item>', "$VOID<2>", {"": None}),
    ('<item repeat="0-1"><ruleref special="VOID"/></item>a', "[$VOID] a", {"a": '$r["a"]'}),
    ('<item repeat="0"><ruleref special="VOID"/></item>a', "$VOID<0> a", {"a": '$r["a"]'}),
    (
        '<item repeat="1-2"><one-of><item>a</item><item><ruleref special="VOID"/></item></one-of></item>',
        "(a | $VOID)<1-2>",
        {"": None, "a": '$r["a"]', "a a": '$r["a", "a"]'},
    ),
    ('<item repeat="0-0">a</item>b', "a<0-0> b", {"b": '$r["b"]', "a b": None}),
    ('<item repeat="3-3">a</item>', "a<3-3>", {"a a a": '$r["a", "a", "a"]', "a a": None}),
    ('<item repeat="02">a</item>', "a<02>", {"a a": '$r["a", "a"]', "a": None}),
    (
        'a<item repeat="2">b</item>c',
        "a b<2> c",
        {"a b b c": '$r["a", "b", "b", "c"]', "a b a b c": None},
    ),
    (
        '<one-of><item>a</item><item>b<item repeat="2">c</item></item></one-of>',
        "a | b c<2>",
        {"a": '$r["a"]', "b c c": '$r["b", "c", "c"]', "a a": None, "b c b c": None},
    ),
    (
        '<item repeat="1-2"><token>San Jose</token></item>',
        '"San Jose"<1-2>',
        {"san jose": '$r["San Jose"]', "san jose san jose": '$r["San Jose", "San Jose"]'},
    ),
    (
        '<item repeat="2"><one-of><item>a</item><item>b</item></one-of></item>',
        "(a | b)<2>",
        {"a b": '$r["a", "b"]', "b b": '$r["b", "b"]', "a": None},
    ),
    (
        '<item repeat="2-3"><item repeat="1-2">a</item>b</item>',
        "(a<1-2> b)<2-3>",
        {"a b a a b": '$r["a", "b", "a", "a", "b"]', "a b": None, "a b a b a b a b": None},
    ),
    ('<item repeat="0-1" repeat-prob="0">a</item>', "a<0-1 /0/>", {"": "$r[]", "a": '$r["a"]'}),
    ('<item repeat="0-" repeat-prob="1.0">a</item>', "a<0- /1.0/>", {"a": '$r["a"]'}),
    ('<item repeat="0-" repeat-prob=".5">a</item>', "a<0-/.5/>", {"a": '$r["a"]'}),
    ('<item repeat="0-" repeat-prob="1.">a</item>', "a < 0- /1./ >", {"a": '$r["a"]'}),
]


@pytest.mark.parametrize(("in_xml", "in_abnf", "said"), MATCHED)
def test_rounds(in_xml: str, in_abnf: str, said: dict[str, str | None]) -> None:
    for source in (xml(in_xml), abnf(in_abnf)):
        grammar = load(source)
        for text, expected in said.items():
            assert tree(grammar, text) == expected, (source, text)


@pytest.mark.parametrize(
    ("repeat", "chance"),
    [
        ("", None), ("-", None), ("-1", None), ("+1", None), ("1-2-3", None), ("2-1", None), ("1.0", None),
        ("a", None), ("1-b", None), ("1 2", None), ("*", None), ("1--2", None), ("0x1", None),
        ("0-1", "1.01"), ("0-1", "2"), ("0-1", "-0.5"), ("0-1", "+0.5"), ("0-1", "1e-1"), ("0-1", "half"),
        ("0-1", "."),
    ],
)  # fmt: skip
def test_wrong_repeats(repeat: str, chance: str | None) -> None:
    in_xml = f'<item repeat="{repeat}"' + (f' repeat-prob="{chance}"' if chance else "") + ">a</item>"
    in_abnf = f"a<{repeat}" + (f" /{chance}/" if chance else "") + ">"
    for source in (xml(in_xml), abnf(in_abnf)):
        with pytest.raises(GrammarError):
            load(source)


@pytest.mark.parametrize("rules", ["<2> a", "a <1> <2>", "a +", "a *", "(<2>)", "a | <2>"])
def test_where_no_repeat_stands(rules: str) -> None:
    with pytest.raises(GrammarError):
        load(abnf(rules))


def test_a_huge_number_of_rounds_of_nothing_is_not_written_out() -> None:
    assert load(abnf("[a]<1000000>")).accepts("a")
    with pytest.raises(GrammarError, match="1000000 rounds of what may be nothing"):
        load(abnf("{t}<1000000>")).match("")
