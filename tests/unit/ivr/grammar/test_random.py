"""Grammars made at random, in both forms, against a recogniser that knows nothing but sets of sentences."""

from __future__ import annotations

import itertools
import os
import random
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, xml

from sipcc.ivr.grammar import Branch, Mark, Word, builder, network, ways

Shape: TypeAlias = tuple[Any, ...]
"""An expansion: its kind and what is in it."""

NAMES = ("r", "r1", "r2")
WORDS = ("a", "b", "c")
LONGEST = 4
GRAMMARS = int(os.environ.get("SIPCC_GRAMMARS", "150"))
"""How many are made; a long run has 10,000."""


def shape(chance: random.Random, depth: int, rules: int) -> Shape:
    leaves = ["word", "word", "ref", "tag"]
    kind = chance.choice(
        [*leaves, "seq", "seq", "alt", "alt", "rep", "rep"] if depth else [*leaves, "null", "void"]
    )
    if kind == "word":
        return ("word", chance.choice(WORDS))
    if kind == "ref":
        return ("ref", chance.randrange(rules))
    if kind == "rep":
        low = chance.randrange(3)
        high = chance.choice([None, low, low + 1, low + 2])
        return ("rep", shape(chance, depth - 1, rules), low, high)
    if kind in ("seq", "alt"):
        return (kind, *[shape(chance, depth - 1, rules) for _ in range(chance.randint(1, 3))])
    return (kind, str(chance.randrange(9)))


def in_xml(one: Shape) -> str:
    kind, *rest = one
    if kind == "word":
        return f" {rest[0]} "
    if kind == "ref":
        return f'<ruleref uri="#{NAMES[rest[0]]}"/>'
    if kind == "rep":
        inner, low, high = rest
        count = f"{low}-" if high is None else f"{low}" if low == high else f"{low}-{high}"
        return f'<item repeat="{count}">{in_xml(inner)}</item>'
    if kind == "seq":
        return f"<item>{''.join(in_xml(part) for part in rest)}</item>"
    if kind == "alt":
        return f"<one-of>{''.join(f'<item>{in_xml(part)}</item>' for part in rest)}</one-of>"
    return f"<tag>{escape(rest[0])}</tag>" if kind == "tag" else f'<ruleref special="{kind.upper()}"/>'


def in_abnf(one: Shape) -> str:
    kind, *rest = one
    if kind == "word":
        return str(rest[0])
    if kind == "ref":
        return f"${NAMES[rest[0]]}"
    if kind == "rep":
        inner, low, high = rest
        if (low, high) == (0, 1):
            return f"[{in_abnf(inner)}]"
        count = f"{low}-" if high is None else f"{low}" if low == high else f"{low}-{high}"
        return f"({in_abnf(inner)})<{count}>"
    if kind in ("seq", "alt"):
        return "(" + (" " if kind == "seq" else " | ").join(in_abnf(part) for part in rest) + ")"
    return "{" + rest[0] + "}" if kind == "tag" else f"${kind.upper()}"


Sentences: TypeAlias = frozenset[tuple[str, ...]]


def joined(left: Sentences, right: Sentences) -> Sentences:
    return frozenset(one + two for one in left for two in right if len(one) + len(two) <= LONGEST)


def sentences(one: Shape, known: list[Sentences]) -> Sentences:
    """All sentences of up to LONGEST words, given those of the rules that are known so far."""
    kind, *rest = one
    nothing: Sentences = frozenset({()})
    if kind == "word":
        return frozenset({(rest[0],)})
    if kind == "ref":
        return known[rest[0]]
    if kind == "seq":
        found = nothing
        for part in rest:
            found = joined(found, sentences(part, known))
        return found
    if kind == "alt":
        return frozenset().union(*(sentences(part, known) for part in rest))
    if kind == "rep":
        inner, low, high = rest
        item = sentences(inner, known)
        found, total = nothing, frozenset() if low else nothing
        for count in range(1, (low + LONGEST if high is None else high) + 1):
            found = joined(found, item)
            total = total | found if count >= low else total
        return total
    return frozenset() if kind == "void" else nothing


def language(rules: list[Shape]) -> Sentences:
    known: list[Sentences] = [frozenset() for _ in rules]
    while True:
        found = [sentences(rule, known) for rule in rules]
        if found == known:
            return known[0]
        known = found


Pieces: TypeAlias = tuple[tuple[str, str], ...]


def ends(one: Shape, pieces: Pieces, start: int) -> set[int]:
    """Where `one` may end in the children of a tree when it begins at `start`."""
    kind, *rest = one
    if kind in ("null", "void"):
        return {start} if kind == "null" else set()
    if kind in ("word", "ref", "tag"):
        name = NAMES[rest[0]] if kind == "ref" else rest[0]
        return {start + 1} if pieces[start : start + 1] == ((kind, name),) else set()
    if kind == "alt":
        return set().union(*(ends(part, pieces, start) for part in rest))
    if kind == "seq":
        found = {start}
        for part in rest:
            found = {end for at in found for end in ends(part, pieces, at)}
        return found
    inner, low, high = rest
    found, total = {start}, set() if low else {start}
    for count in range(1, (low + len(pieces) + 1 if high is None else high) + 1):
        found = {end for at in found for end in ends(inner, pieces, at)}
        total |= found if count >= low else set()
    return total


def assert_derived(branch: Branch, rules: dict[str, Shape]) -> None:
    """Each rule of a tree has the children that it may have."""
    pieces = tuple(
        ("word", child.text)
        if isinstance(child, Word)
        else ("tag", child.text)
        if isinstance(child, Mark)
        else ("ref", child.rule)
        for child in branch.children
    )
    assert len(pieces) in ends(rules[branch.rule], pieces, 0), (str(branch), rules[branch.rule])
    for child in branch.children:
        if isinstance(child, Branch):
            assert_derived(child, rules)


@pytest.mark.parametrize("seed", range(5))
def test_both_forms_match_what_the_sets_have(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed > 2:  # each choice is a long one, and each repeat has too many rounds to be written out
        monkeypatch.setattr(network, "MANY", 2)
        monkeypatch.setattr(builder, "MAX_COPIES", 1)
    if seed > 3:  # there is never time for the document's order
        monkeypatch.setattr(ways, "ORDER_STEPS", -1000)
    chance = random.Random(seed)
    inputs = [words for length in range(LONGEST + 1) for words in itertools.product(WORDS, repeat=length)]
    for _ in range(GRAMMARS // 5):
        rules = [shape(chance, 3, 3) for _ in range(3)]
        named = list(zip(NAMES, rules, strict=True))
        first = load(xml("".join(f'<rule id="{name}">{in_xml(rule)}</rule>' for name, rule in named)))
        second = load(abnf("".join(f"${name} = {in_abnf(rule)};\n" for name, rule in named)))
        right = language(rules)
        for words in inputs:
            one, two = first.match(words), second.match(words)
            assert (one is not None) is (words in right), (in_abnf(rules[0]), rules, words)
            assert (two is not None) is (words in right), (rules, words)
            if one is not None and two is not None:
                assert one.words == two.words == words
                assert str(one.tree) == str(two.tree)
                assert_derived(one.tree, dict(named))
                many = [match.tree for match in second.matches(words, limit=6)]
                assert str(many[0]) == str(one.tree)
                assert len({str(tree) for tree in many}) == len(many)
                for tree in many:
                    assert tree.words == words
                    assert_derived(tree, dict(named))


@pytest.mark.parametrize("seed", range(3))
def test_matchers_of_keys_know_what_can_follow(seed: int) -> None:
    chance = random.Random(f"keys {seed}")
    keys = dict(zip(WORDS, "12#", strict=True))
    for _ in range(20):
        rules = [shape(chance, 3, 3) for _ in range(3)]
        written = " ".join(f'"{keys[one]}"' if one in keys else one for one in _spaced(rules))
        matcher = load(abnf(written, "mode dtmf;")).matcher()
        right = {"".join(keys[word] for word in words) for words in language(rules)}
        for length in range(LONGEST):
            for typed in map("".join, itertools.product("12#", repeat=length)):
                answer = matcher.check(typed).name
                assert (answer in ("MATCH", "FINAL")) is (typed in right)
                longer = any(one.startswith(typed) and one != typed for one in right)
                if longer:
                    assert answer in ("PARTIAL", "MATCH")


def _spaced(rules: list[Shape]) -> list[str]:
    text = " ".join(f"${name} = {in_abnf(rule)} ;" for name, rule in zip(NAMES, rules, strict=True))
    for mark in "()[]|":
        text = text.replace(mark, f" {mark} ")
    return text.replace("<", " <").replace("{", " {").split()
