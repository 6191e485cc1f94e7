"""Grammars that refer to others, and grammars of keys."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

from sipcc.call.digits import Answer, LengthMatcher
from sipcc.ivr.fetch import FetchError
from sipcc.ivr.grammar import AnyMatcher, GrammarError

OTHER = "http://example.com/g/other.grxml"
PUBLIC = xml(
    '<rule id="r">root</rule><rule id="pub" scope="public">pub<tag>t</tag></rule><rule id="priv">x</rule>'
)


@pytest.mark.parametrize(
    "other",
    [PUBLIC, "#ABNF 1.0; language en; root $r; $r = root; public $pub = pub {t}; $priv = x;"],
)
@pytest.mark.parametrize(
    "source",
    [
        xml('<ruleref uri="other.grxml#pub"/><ruleref uri="other.grxml"/>'),
        abnf("$<other.grxml#pub> $<other.grxml>"),
    ],
)
def test_references_to_another_grammar(source: str, other: str) -> None:
    grammar = load(source, {OTHER: other.encode()})
    assert tree(grammar, "pub root") == f'$r[$<{OTHER}#pub>["pub", {{t}}], $<{OTHER}#r>["root"]]'


def test_relative_references_go_by_the_base() -> None:
    for source in (
        xml('<ruleref uri="other.grxml"/>', 'xml:base="http://example.com/x/"'),
        abnf("$<other.grxml>", "language en; base <http://example.com/x/>;"),
    ):
        assert load(source, {"http://example.com/x/other.grxml": PUBLIC}).accepts("root")


def test_grammars_that_refer_to_one_another() -> None:
    main = xml('<one-of><item>a</item><item>b<ruleref uri="other.grxml"/></item></one-of>')
    other = xml('c<ruleref uri="main.grxml"/>')
    documents = {OTHER: other, "http://example.com/g/main.grxml": main}
    grammar = load(None, documents)
    assert tree(grammar, "b c a") == f'$r["b", $<{OTHER}#r>["c", $<http://example.com/g/main.grxml#r>["a"]]]'


def test_a_grammar_by_url_with_a_rule() -> None:
    documents = {OTHER: PUBLIC}
    assert load(None, documents, url=OTHER + "#pub").accepts("pub")
    assert load(None, documents, url=OTHER).accepts("root")
    for fragment, message in (("priv", "is private"), ("none", "there is no rule 'none'")):
        with pytest.raises(GrammarError, match=message):
            load(None, documents, url=f"{OTHER}#{fragment}")
    with pytest.raises(FetchError):
        load(None, {}, url=OTHER)


@pytest.mark.parametrize(
    ("other", "uri", "message"),
    [
        (PUBLIC, "other.grxml#priv", "the rule 'priv' is private"),
        (PUBLIC, "other.grxml#none", "there is no rule 'none'"),
        (PUBLIC.replace('root="r"', ""), "other.grxml", "no root rule"),
        (PUBLIC, "missing.grxml", "cannot be fetched"),
        ("<grammar", "other.grxml", "unclosed token"),
        (xml("1", 'mode="dtmf"'), "other.grxml", "it is for dtmf"),
        (PUBLIC, "main.grxml#none", "there is no rule 'none'"),
    ],
)
def test_references_that_lead_nowhere(other: str, uri: str, message: str) -> None:
    with pytest.raises(GrammarError, match=message):
        load(xml(f'<ruleref uri="{uri}"/>'), {OTHER: other})


def test_references_without_end_are_refused() -> None:
    documents = {
        f"http://example.com/g/{number}.grxml": xml(f'<ruleref uri="{number + 1}.grxml"/>')
        for number in range(99)
    }
    with pytest.raises(GrammarError, match="more than 50 grammars"):
        load(xml('<ruleref uri="0.grxml"/>'), documents)


def test_a_grammar_without_a_root_needs_a_rule() -> None:
    grammar = load(xml("a").replace('root="r"', ""))
    assert grammar.accepts("a", "r")
    with pytest.raises(GrammarError, match="a rule must be named"):
        grammar.match("a")
    with pytest.raises(GrammarError, match="there is no rule 'x'"):
        grammar.match("a", "x")


DIGITS = "<one-of><item>1</item><item>2</item><item>*<tag>star</tag></item><item>3 4</item></one-of>"


def test_grammars_of_keys() -> None:
    for source in (
        xml(f'<item repeat="1-3">{DIGITS}</item><item repeat="0-1">#</item>', 'mode="dtmf"'),
        abnf('(1 | 2 | "*" {star} | 3 4)<1-3> ["#"]', "mode dtmf;"),
    ):
        grammar = load(source.replace('xml:lang="en-US"', ""))
        assert tree(grammar, "1*34") == '$r["1", "*", {star}, "3", "4"]'
        assert tree(grammar, "1 2 #") == '$r["1", "2", "#"]'
        assert grammar.rejects("3")
        matcher = grammar.matcher()
        checks = {
            "": "PARTIAL",
            "1": "MATCH",
            "3": "PARTIAL",
            "34": "MATCH",
            "5": "NO",
            "1#": "FINAL",
            "1#1": "NO",
        }
        checks |= {"111": "MATCH", "111#": "FINAL", "1111": "NO", "33": "NO", "12": "MATCH"}
        for _ in range(2):
            for digits, answer in checks.items():
                assert matcher.check(digits) is Answer[answer], digits


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("star pound", "*#"),
        ("dtmf-1 dtmf-star", "1*"),
        ("1234", "1234"),
        ("a B", "AB"),
        ('"#"', "#"),
        ("* hash", "*#"),
    ],
)
def test_ways_to_write_keys(written: str, typed: str) -> None:
    grammar = load(xml(written, 'mode="dtmf"'))
    assert grammar.matcher().check(typed) is Answer.FINAL
    assert grammar.accepts(written.replace('"', ""))


def test_what_can_never_match_is_not_waited_for() -> None:
    matcher = load(xml('1<item repeat="0-1">2<ruleref special="VOID"/></item>', 'mode="dtmf"')).matcher()
    assert [matcher.check(keys) for keys in ("", "1", "12")] == [Answer.PARTIAL, Answer.FINAL, Answer.NO]
    never = load(xml('<rule id="r">1<ruleref uri="#r"/></rule>', 'mode="dtmf"')).matcher()
    assert never.check("") is Answer.NO
    garbage = load(xml('1<ruleref special="GARBAGE"/>#', 'mode="dtmf"')).matcher()
    assert [garbage.check(keys) for keys in ("1", "15", "1#", "1#5")] == [
        Answer.PARTIAL, Answer.PARTIAL, Answer.MATCH, Answer.PARTIAL,
    ]  # fmt: skip


def test_several_grammars_at_once() -> None:
    short, long = load(xml("1", 'mode="dtmf"')).matcher(), load(xml("1 2", 'mode="dtmf"')).matcher()
    both = AnyMatcher([short, long, LengthMatcher(3, 3, "9")])
    answers = {"": "PARTIAL", "1": "MATCH", "12": "FINAL", "9": "PARTIAL", "999": "FINAL", "3": "NO"}
    assert {keys: both.check(keys).name for keys in answers} == answers


def test_a_grammar_for_speech_collects_no_keys() -> None:
    with pytest.raises(GrammarError, match="it is a grammar for speech"):
        load(xml("a")).matcher()
