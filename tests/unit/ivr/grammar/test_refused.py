"""What SRGS 1.0 says is no grammar, in both forms, each with its place."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import HEAD, abnf, load, xml

from sipcc.ivr.grammar import GrammarError

IN_XML = [
    ("", "no element found"),
    ("<grammar", "unclosed token"),
    (xml("<item>a"), "mismatched tag"),
    ("<vxml/>", "begins with vxml"),
    (f'{HEAD} mode="both"><rule id="r">a</rule></grammar>', "the mode is 'both'"),
    (xml("a").replace('version="1.0"', ""), "the version is missing"),
    (xml("a").replace('version="1.0"', 'version="2.0"'), "the version is '2.0'"),
    (xml("a").replace('xml:lang="en-US"', ""), "the language is missing"),
    (xml("a").replace('"en-US"', '"en US"'), "'en US' is no language"),
    (xml('<rule id="other">a</rule>'), "no rule 'r' to be the root"),
    (xml("a").replace('root="r"', 'root="NULL"'), "no rule may be called NULL"),
    (xml("a", 'base="x"'), "grammar has no attribute base"),
    (xml("<rule>a</rule>"), "the rule has no id"),
    (xml('<rule id="r">a</rule><rule id="r">b</rule>'), "two rules 'r'"),
    *[(xml(f'<rule id="{name}">a</rule>'), "may be called") for name in ("NULL", "VOID", "GARBAGE")],
    *[(xml(f'<rule id="{name}">a</rule>'), "is no name") for name in ("a.b", "a:b", "a-b", "1a", "", "a b")],
    (xml('<rule id="r" scope="local">a</rule>'), "the scope is 'local'"),
    (xml('<rule id="r"></rule>'), "the rule is empty"),
    (xml('<rule id="r"> \n </rule>'), "the rule is empty"),
    (xml('<rule id="r"><example>a</example></rule>'), "the rule is empty"),
    (xml('<rule id="r"><rule id="s">a</rule></rule>'), "rule does not stand in rule"),
    (xml('<rule id="r">a</rule><meta name="a" content="b"/>'), "meta stands before the rules"),
    (xml('<rule id="r">a</rule>text'), "there is text in grammar"),
    (xml('<rule id="r">a<metadata/></rule>'), "metadata does not stand in rule"),
    (xml('<rule id="r">a</rule><metadata/>'), "metadata stands before the rules"),
    (xml("<word>a</word>"), "word is no element"),
    (xml("<item weght='1'>a</item>"), "item has no attribute weght"),
    (xml("<one-of/>"), "one-of has no item"),
    (xml("<one-of>a</one-of>"), "there is text in one-of"),
    (xml("<one-of><token>a</token></one-of>"), "token does not stand in one-of"),
    (xml("<token/>"), "the token is empty"),
    (xml("<token> </token>"), "the token is empty"),
    (xml('<token>""</token>'), "the token is empty"),
    (xml("<token>a<item/></token>"), "item does not stand in token"),
    (xml('a "b'), "a quotation mark is not closed"),
    (xml('a " " b'), "in quotation marks is empty"),
    (xml("<ruleref/>"), "either uri or special"),
    (xml('<ruleref uri="#r" special="NULL"/>'), "either uri or special"),
    (xml('<ruleref special="null"/>'), "none of NULL, VOID and GARBAGE"),
    (xml('<ruleref uri="#nowhere"/>'), "there is no rule 'nowhere'"),
    (xml('<ruleref uri=""/>'), "the reference has no rule"),
    (xml('<ruleref uri="x#"/>'), "is no name of a rule"),
    (xml('<ruleref uri="#r">a</ruleref>'), "there is text in ruleref"),
    (xml('<ruleref uri="#r"><tag/></ruleref>'), "tag does not stand in ruleref"),
    *[(xml(f'<item repeat="{text}">a</item>'), "is no repeat")
      for text in ("", "a", "-1", "1-a", "1.5", "-", "1 - 2", "٣")],
    (xml('<item repeat="3-2">a</item>'), "2 is less than 3"),
    *[(xml(f'<item repeat="1-" repeat-prob="{text}">a</item>'), "is no")
      for text in ("1.1", "-0.1", "x", "")],
    *[(xml(f'<one-of><item weight="{text}">a</item></one-of>'), "is no number")
      for text in ("-1", "1e3", "x", "", ".")],
    (xml('<item xml:lang="e n">a</item>'), "'e n' is no language"),
    (xml('<meta content="a"/><rule id="r">a</rule>'), "either name or http-equiv"),
    (xml('<meta name="a"/><rule id="r">a</rule>'), "meta has content"),
    (xml('<meta name="a" http-equiv="b" content="a"/><rule id="r">a</rule>'), "either name or http-equiv"),
    (xml('<lexicon/><rule id="r">a</rule>'), "a lexicon has a uri"),
    (xml("a&nbsp;b"), "undefined entity"),
    ('<!DOCTYPE grammar SYSTEM "http://example.com/g.dtd">' + xml("a&nbsp;b"), "nobody knows the entity"),
    ('<!DOCTYPE grammar [<!ENTITY e "a">]>' + xml("&e;"), "entity 'e' is declared"),
    ('<?xml version="1.0" encoding="klingon"?>' + xml("a"), "nobody knows the encoding"),
    (xml("q", 'mode="dtmf"'), "'q' is no key"),
]  # fmt: skip

IN_ABNF = [
    ("", "does not begin with #ABNF"),
    ("#JSGF 1.0;", "does not begin with #ABNF"),
    (" #ABNF 1.0;", "does not begin with #ABNF"),
    ("#ABNF 2.0; $r = a;", "the version is 2.0"),
    ("#ABNF 1.0 klingon;", "nobody knows the encoding"),
    ("#ABNF 1.0; $r = a;", "the language is missing"),
    (abnf("a", "language en US;"), "a ; is missing before 'US'"),
    (abnf("a", "language en_;"), "is no language"),
    (abnf("a", "language en; mode both;"), "the mode is both"),
    (abnf("a", "language en; language fr;"), "language is declared twice"),
    (abnf("a", "language en; root $r;"), "root is declared twice"),
    (abnf("a", "language en; grammar g;"), "grammar is no declaration"),
    (abnf("a", "language en; meta 'a' 'b';"), "the word is"),
    (abnf("a", "language en; base x;"), "a URI in < > is missing"),
    (abnf("$r = a; language en;"), "does not begin with 'language'"),
    (abnf("public $other = a;"), "no rule $r to be the root"),
    (abnf("$r = a; $r = b;"), "two rules $r"),
    (abnf("$r = a; $NULL = b;"), "no rule may be called NULL"),
    (abnf("$r = a; $a.b = b;"), "is no name"),
    (abnf("$r = ;"), "nothing stands before ';'"),
    ("#ABNF 1.0; language en; $r = a", "a ; is missing before the end"),
    (abnf("$r a;"), "a = is missing before 'a'"),
    (abnf("a |"), "nothing stands before ';'"),
    (abnf("| a"), "nothing stands before '|'"),
    (abnf("(a"), "the end of the ( is missing"),
    (abnf("[a)"), "the end of the [ is missing"),
    (abnf("a)"), "a ; is missing before ')'"),
    (abnf("[]"), "nothing stands before ']'"),
    (abnf("a <2"), "a < is not closed"),
    (abnf("a <2> <3>"), "a ; is missing before '<3>'"),
    (abnf("<2>"), "nothing stands before '<2>'"),
    (abnf("a <3-2>"), "2 is less than 3"),
    (abnf("a <x>"), "is no repeat"),
    (abnf("a <1- /2/>"), "is no probability"),
    (abnf("/-1/ a"), "a comment or a weight is not closed"),
    (abnf("/1.1.1/ a"), "is no number"),
    (abnf("a /2/"), "a ; is missing"),
    (abnf('"a'), "a quotation mark is not closed"),
    (abnf('""'), "the token is empty"),
    (abnf("a {b"), "a tag is not closed"),
    (abnf("a {!{ b }"), "a tag is not closed"),
    (abnf("/* a"), "a comment or a weight is not closed"),
    (abnf("$nowhere"), "there is no rule $nowhere"),
    (abnf("$ r"), "a $ without"),
    (abnf("{t}!en"), "a ; is missing before '!'"),
    (abnf("a!1"), "is no language"),
    (abnf("a * b"), "'*' does not stand here"),
    (abnf("$<>"), "the reference has no rule"),
    (abnf("$<x#a-b>"), "is no name"),
    (abnf("q", "mode dtmf;"), "'q' is no key"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), IN_XML)
def test_wrong_xml(source: str, message: str) -> None:
    for form in (source.encode(), source) if "klingon" not in source else (source.encode(),):
        with pytest.raises(GrammarError) as caught:
            load(form, media_type="application/srgs+xml")
        assert message in caught.value.message
        assert caught.value.line >= 1
        assert caught.value.column >= 1


@pytest.mark.parametrize(("source", "message"), IN_ABNF)
def test_wrong_abnf(source: str, message: str) -> None:
    with pytest.raises(GrammarError) as caught:
        load(source.encode(), media_type="application/srgs")
    assert message in caught.value.message
    assert caught.value.line >= 1
    assert caught.value.column >= 1


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        (f"{HEAD}>\n<rule id='r'>\n  <item repeat='x'>a</item></rule></grammar>", 3, 3),
        (f"{HEAD}>\n<rule id='r'>a\n  <ruleref uri='#no'/></rule></grammar>", 3, 3),
        (f"{HEAD}>\n<rule id='r'>a</rule>\n<rule id='r'>a</rule></grammar>", 3, 1),
        (f"{HEAD}>\n<rule id='r'>a</rul>", 2, 17),
        ("#ABNF 1.0;\r\nlanguage en;\r\n$r = a\r\n  <x>;", 4, 3),
        ("#ABNF 1.0;\nlanguage en;\n$r = a $no;", 3, 8),
        ("#ABNF 1.0;\nlanguage en;\n$r = a;\n$r = b;", 4, 1),
        ("#ABNF 1.0;\nlanguage en;\n$r = (a;", 3, 8),
    ],
)
def test_the_place_of_a_fault(source: str, line: int, column: int) -> None:
    with pytest.raises(GrammarError) as caught:
        load(source)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"http://example.com/g/main.grxml:{line}:{column}: ")


def test_bytes_that_are_in_no_encoding() -> None:
    for source in (xml("a\ncafé").encode("latin-1"), abnf("a\ncafé").encode("latin-1")):
        with pytest.raises(GrammarError, match="it is not in utf-8") as caught:
            load(source)
        assert caught.value.line >= 2
    assert load(xml("café").encode("latin-1"), charset="iso-8859-1").accepts("café")
