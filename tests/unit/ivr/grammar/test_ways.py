"""Which of several ways to parse is taken (SRGS 1.0, 2.4.1, 2.5.1 and H), and that all of them can be had."""

from __future__ import annotations

import math
import os
import random
from typing import Any, TypeAlias

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

Shape: TypeAlias = tuple[Any, ...]
"""An expansion: its kind and what is in it."""
Told: TypeAlias = set[tuple[int, float, tuple[str, ...]]]
"""Where something may end, how likely that is, and what stands in the tree."""

GRAMMARS = int(os.environ.get("SIPCC_GRAMMARS", "150"))
"""How many are made; a long run has 10,000."""


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
        ("", "(/.5/ a {1}) | a {2}", "a", '$r["a", {2}]'),
        ("", "/4/ ([b]<0-2 /.75/>)<2-> | {t}", "", "$r[{t}]"),
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


def shape(chance: random.Random, depth: int, rule: int) -> Shape:
    """An expansion of rule 0, 1 or 2, which refers only to rules behind it."""
    kind = chance.choice(["word", "word", "tag", "ref"] + ["alt", "rep", "seq"] * (2 if depth else 0))
    if kind == "word":
        return ("word", chance.choice("ab"))
    if kind == "tag" or (kind == "ref" and rule == 2):
        return ("tag", str(chance.randrange(100)))
    if kind == "ref":
        return ("ref", chance.randrange(rule + 1, 3))
    if kind == "rep":
        low = chance.randrange(3)
        high = chance.choice([None, low, low + 1, low + 2])
        return ("rep", shape(chance, depth - 1, rule), low, high, chance.choice([None, 0.25, 0.5, 0.75]))
    parts = [shape(chance, depth - 1, rule) for _ in range(chance.randint(1, 3))]
    return (kind, parts, [chance.choice([None, 0.5, 2, 4]) for _ in parts])


def written(one: Shape) -> str:
    kind, first, *rest = one
    if kind == "alt":
        weighted = zip(first, rest[0], strict=True)
        return "(" + " | ".join(f"/{weight or 1}/ {written(part)}" for part, weight in weighted) + ")"
    if kind == "seq":
        return "(" + " ".join(written(part) for part in first) + ")"
    if kind == "rep":
        low, high, likely = rest
        count = f"{low}-" if high is None else f"{low}-{high}"
        return f"({written(first)})<{count}{f' /{likely}/' if likely else ''}>"
    return {"word": f"{first}", "tag": f"{{{first}}}", "ref": f"$r{first}"}[kind]


def ways_of(one: Shape, words: str, at: int, rules: list[Shape]) -> Told:
    """All ways to match `words` from a place on, found by trying."""
    kind, first, *rest = one
    if kind == "word":
        return {(at + 1, 0.0, (f'"{first}"',))} if words[at : at + 1] == first else set()
    if kind == "tag":
        return {(at, 0.0, (f"{{{first}}}",))}
    if kind == "ref":
        inner = ways_of(rules[first], words, at, rules)
        return {(end, cost, (f"$r{first}[{', '.join(text)}]",)) for end, cost, text in inner}
    if kind == "alt":
        return {
            (end, cost + math.log(weight or 1), text)
            for part, weight in zip(first, rest[0], strict=True)
            for end, cost, text in ways_of(part, words, at, rules)
        }
    if kind == "seq":
        found: Told = {(at, 0.0, ())}
        for part in first:
            found = joined(found, part, words, rules)
        return found
    return rounds(first, *rest, words=words, at=at, rules=rules)


def joined(before: Told, part: Shape, words: str, rules: list[Shape]) -> Told:
    return {
        (end, cost + more, text + added)
        for at, cost, text in before
        for end, more, added in ways_of(part, words, at, rules)
    }


def rounds(
    item: Shape, low: int, high: int | None, likely: float | None, *, words: str, at: int, rules: list[Shape]
) -> Told:
    go, stop = (math.log(likely), math.log(1 - likely)) if likely else (0.0, 0.0)
    found: Told = {(at, 0.0, ())}
    for _ in range(low):
        found = joined(found, item, words, rules)
    total: Told = set()
    count = low
    while found:
        last = high is not None and count >= high
        total |= {(end, cost + (0.0 if last else stop), text) for end, cost, text in found}
        if last:
            break
        found = {
            (end, cost + go, text)
            for start, before, written in found
            for end, cost, text in joined({(start, before, written)}, item, words, rules)
            if end > start
        }
        count += 1
    return total


@pytest.mark.parametrize("seed", range(3))
def test_the_likeliest_way_of_all(seed: int) -> None:
    """Grammars made at random: all their trees, and the best, against ways that are found by trying."""
    chance = random.Random(seed)
    for _ in range(GRAMMARS // 3):
        rules = [shape(chance, 3, rule) for rule in range(3)]
        source = abnf("".join(f"$r{number} = {written(rule)};\n" for number, rule in enumerate(rules)))
        grammar = load(source.replace("root $r;", "root $r0;"))
        for words in ("", "a", "b", "ab", "aab", "aba"):
            right: dict[str, float] = {}
            for end, cost, text in ways_of(rules[0], words, 0, rules):
                if end == len(words):
                    one = f"$r0[{', '.join(text)}]"
                    right[one] = max(cost, right.get(one, -math.inf))
            if len(right) <= 40:
                found = [str(match.tree) for match in grammar.matches(list(words), limit=400)]
                assert set(found) == set(right), (source, words)
                costs = [right[one] for one in found]
                assert costs == pytest.approx(sorted(costs, reverse=True)), (source, words, found)
