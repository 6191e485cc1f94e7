"""SRGS 1.0 sets no limit to the length of input: what may really be said is matched; a match has an end."""

from __future__ import annotations

import os

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

from sipcc.ivr.grammar import GrammarError

DIGIT = "(0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9)"
NAMES = "; ".join(f"$x{number} = name{number} | {{t}} other{number}" for number in range(300))
CHAINS = "; ".join(f"$x{number} = {{t}} name{number} [please]" for number in range(300))
DOUBLED = "$r = $a0; " + "".join(f"$a{n} = $a{n + 1} $a{n + 1}; " for n in range(30)) + "$a30 = a;"
CHAIN = "$r = $a0; " + "".join(f"$a{n} = $a{n + 1}; " for n in range(2_000)) + "$a2000 = a;"
ITEMS = " | ".join(f"$x{number}" for number in range(300))


@pytest.mark.parametrize(
    ("rules", "word", "count"),
    [
        (f"{DIGIT}<1->", "7", 500),
        (f"$r = $d<1-500>; $d = {DIGIT};", "7", 500),
        (f"$r = $number<1->; $number = $d<1->; $d = {DIGIT};", "7", 200),
        (f"$r = $d $r | $d; $d = {DIGIT};", "7", 200),
        (f"$r = $d [$r]; $d = {DIGIT};", "7", 200),
        (f"$r = $r $d | $d; $d = {DIGIT};", "7", 400),
        (f"$r = $d $s | $d; $s = $d $r | $d; $d = {DIGIT};", "7", 200),
        ("($GARBAGE a)<1->", "a", 200),
        ("[a]<0-> [a]<0-> [a]<0->", "a", 200),
        ("((((a<1->)<1->)<1->)<1->)<1->", "a", 500),
        ("(([a]<0->)<2->)<0-> b<0->", "a", 500),
        ("$r = $x<1->; $x = $y<0->; $y = $z<1->; $z = a<1->;", "a", 150),
        ("$r = $r $r | a;", "a", 100),
        ("$r = /2/ $r $r | /3/ a;", "a", 60),
        ("$r = [$r] [$r] [$r] a | $NULL;", "a", 60),
        ("((a<1- /.5/>)<1- /.5/>)<1- /.5/>", "a", 300),
        ("a<300->", "a", 300),
        (f"$r = ({ITEMS})<1->; {CHAINS};", "name7", 200),
        (f"$r = ({ITEMS})<1->; {NAMES};", "name7", 200),
    ],
)
def test_long_input_is_matched(rules: str, word: str, count: int) -> None:
    count = int(os.environ.get("SIPCC_GRAMMAR_WORDS", count))  # a long run has 500
    match = load(abnf(rules)).match([word] * count)
    assert match is not None
    assert match.words == (word,) * count


def test_long_input_of_the_xml_form() -> None:
    digit = "<one-of>" + "".join(f"<item>{number}</item>" for number in range(10)) + "</one-of>"
    rules = f'<rule id="r">{digit}<item repeat="0-1"><ruleref uri="#r"/></item></rule>'
    grammar = load(xml(rules))
    match = grammar.match("7 " * 200)
    assert match is not None
    assert len(match.words) == 200
    assert grammar.rejects("7 " * 199 + "x")


def test_a_match_has_an_end() -> None:
    with pytest.raises(GrammarError, match="a match takes more than"):
        load(abnf("((a<1-300>)<1-300>)<1-300>")).match(["a"] * 400)
    with pytest.raises(GrammarError, match="more than 1000 words"):
        load(abnf("a<1->")).match(["a"] * 1001)
    assert load(abnf("a<1->")).accepts(["a"] * 1000)


@pytest.mark.parametrize(
    ("rules", "said", "expected"),
    [
        ("(" * 90 + "a" + ")<1->" * 90, "a " * 100, True),
        ("(" * 90 + "a" + ")<0->" * 90, "a " * 100, True),
        ("[" * 90 + "a" + "]" * 90, "a", True),
        ("(" * 20 + "a" + ")<2>" * 20, "a " * 100, False),
        (" ".join("[a]" for _ in range(2_000)), "a " * 20, None),
        (" ".join(f"[w{number}]" for number in range(5_000)), "w1 w300 w4999", True),
        (" ".join(["$GARBAGE"] * 50) + " a", "x " * 100 + "a", True),
        ("a | " * 20_000 + "b", "b", True),
        (DOUBLED, "a " * 90, False),
        (CHAIN, "a", True),
        ("$r = /9/ $r $r | /9/ $r | a | $NULL;", "a " * 30, True),
    ],
)  # fmt: skip
def test_grammars_that_would_be_huge_when_written_out(rules: str, said: str, expected: bool | None) -> None:
    """Each is matched or refused at once; None: whether it takes too many steps does not matter."""
    grammar = load(abnf(rules))
    try:
        assert grammar.accepts(said) is (expected is not False)
    except GrammarError:
        assert expected is None


def test_long_lists_of_what_does_not_begin_with_a_token() -> None:
    rules = "; ".join(f'$x{number} = {{t{number}}} ["very"] w{number} | v{number}' for number in range(40))
    items = " | ".join(f"$x{number}" for number in range(40))
    grammar = load(abnf(f"$r = ({items} | u $VOID | $NULL | $r y) z; {rules};"))
    assert tree(grammar, "w3 z") == '$r[$x3[{t3}, "w3"], "z"]'
    assert tree(grammar, "very w4 z") == '$r[$x4[{t4}, "very", "w4"], "z"]'
    assert tree(grammar, "v5 z") == '$r[$x5["v5"], "z"]'
    assert tree(grammar, "z y z") == '$r[$r["z"], "y", "z"]'
    assert grammar.rejects("u z")
    assert grammar.rejects("very z")
