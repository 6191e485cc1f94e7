"""Which of several ways to parse is taken (SRGS 1.0, 2.4.1, 2.5.1 and H), and that all of them can be had."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml


@pytest.mark.parametrize(
    ("in_xml", "in_abnf", "said", "expected"),
    [
        # a weight of 1 is like none: the first in the document's order
        ("a {1} | a {2}", "a {1} | a {2}", "a", '$r["a", {1}]'),
        ("", "/1/ a {1} | a {2}", "a", '$r["a", {1}]'),
        (
            '<one-of><item weight="1">a<tag>1</tag></item><item weight="2">a<tag>2</tag></item></one-of>',
            "/1/ a {1} | /2/ a {2}",
            "a",
            '$r["a", {2}]',
        ),
        (
            '<one-of><item>a<tag>1</tag></item><item weight=".5">a<tag>2</tag></item></one-of>',
            "a {1} | /.5/ a {2}",
            "a",
            '$r["a", {1}]',
        ),
        (
            '<one-of><item weight="0">a<tag>1</tag></item><item weight=".1">a<tag>2</tag></item></one-of>',
            "/0/ a {1} | /.1/ a {2}",
            "a",
            '$r["a", {2}]',
        ),
        ('<one-of><item weight="0">a</item></one-of>', "/0/ a | $VOID", "a", '$r["a"]'),
        # weights multiply along a way
        ("", "(/2/ a {1} | /3/ a {2}) (/5/ b {3} | b {4}) | /31/ a b", "a b", '$r["a", "b"]'),
        ("", "(/2/ a {1} | /3/ a {2}) (/5/ b {3} | b {4}) | /14/ a b", "a b", '$r["a", {2}, "b", {3}]'),
        # through rules
        (
            "",
            "$r = /2/ $x | /3/ $y; $x = /2/ a | b; $y = a | b;",
            "a",
            '$r[$x["a"]]',
        ),
        # repeats: a further round against an end
        (
            '<item repeat="0-" repeat-prob=".1">a<tag>1</tag></item><item repeat="0-">a</item>',
            "(a {1})<0- /.1/> a<0->",
            "a a",
            '$r["a", "a"]',
        ),
        ("", "(a {1})<1-3 /.2/> a<0->", "a a a", '$r["a", {1}, "a", "a"]'),
        ("", "(a {1})<0-1 /.4/> [a]", "a", '$r["a"]'),
        ("", "(a {1})<0-1 /.6/> [a]", "a", '$r["a", {1}]'),
        ("", "(a {1})<0-2 /0/> a<0->", "a a", '$r["a", "a"]'),
        ("", "(a {1})<0-2 /1/> a<0->", "a a", '$r["a", {1}, "a", {1}]'),
        ("", "(a {1})<2 /.1/> | /.5/ a a", "a a", '$r["a", {1}, "a", {1}]'),
        # the order of the document also in what a rule leaves to the next
        ("", "$r = $x $y; $x = $NULL | a; $y = [a];", "a", '$r[$x[], $y["a"]]'),
        ("", "$r = $x $y; $x = a | $NULL; $y = [a];", "a", '$r[$x["a"], $y[]]'),
        ("", "$r = $x [b]; $x = a | a b;", "a b", '$r[$x["a"], "b"]'),
        ("", "$r = $x [b]; $x = a [b];", "a b", '$r[$x["a", "b"]]'),
    ],
)
def test_the_way_that_is_taken(in_xml: str, in_abnf: str, said: str, expected: str) -> None:
    for source in (xml(in_xml) if in_xml.startswith("<") else "", abnf(in_abnf)):
        if source:
            assert tree(load(source), said) == expected, source


@pytest.mark.parametrize(
    ("rules", "said", "expected"),
    [
        ("a {1} | a {2}", "a", ['$r["a", {1}]', '$r["a", {2}]']),
        ("a | a", "a", ['$r["a"]']),
        ("/1/ a {1} | /2/ a {2} | /3/ a {3}", "a", ['$r["a", {3}]', '$r["a", {2}]', '$r["a", {1}]']),
        ("(a {x})<0-> a<0->", "a a", ['$r["a", {x}, "a", {x}]', '$r["a", {x}, "a"]', '$r["a", "a"]']),
        ("$r = $x $y; $x = [a]; $y = [a];", "a", ['$r[$x["a"], $y[]]', '$r[$x[], $y["a"]]']),
        ("$r = $r $r | a;", "a a", ['$r[$r["a"], $r["a"]]']),
        ("$r = $r | a;", "a", ['$r["a"]']),
        ("b", "a", []),
        ("a", "a", ['$r["a"]']),
    ],
)
def test_all_ways(rules: str, said: str, expected: list[str]) -> None:
    assert [str(one.tree) for one in load(abnf(rules)).matches(said)] == expected


def test_as_many_ways_as_are_asked_for() -> None:
    grammar = load(abnf("$r = $r $r | a;"))
    counts = [len(grammar.matches("a " * words, limit=1000)) for words in range(1, 7)]
    assert counts == [1, 1, 2, 5, 14, 42]
    assert len(grammar.matches("a " * 9, limit=10)) == 10
    first = grammar.match("a " * 5)
    assert first is not None
    assert str(grammar.matches("a " * 5)[0].tree) == str(first.tree)
