"""Both forms of SRGS 1.0: what they match, and with which tree. Each case is written in both."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

CASES = [
    # tokens (2.1)
    ("hello", "hello", {"hello": '$r["hello"]', "HELLO": '$r["hello"]', "help": None, "": None}),
    ("St. Johns", "St. Johns", {"St. Johns.": '$r["St.", "Johns"]', "st, johns!": '$r["St.", "Johns"]'}),
    ("a  b\n c", "a  b\n c", {"a b c": '$r["a", "b", "c"]', "a b": None, "a b c d": None}),
    ('"New   York" city', '"New   York" city', {"new york city": '$r["New York", "city"]', "new city": None}),
    ('<token>"New York"</token>', '"New York"', {"new york": '$r["New York"]'}),
    ("<token>New\n York</token>", '"New\n York"', {"new york": '$r["New York"]'}),
    ("don't", "don't", {"don't": '$r["don\'t"]'}),
    ("查 订单", "查 订单", {"查订单": '$r["查", "订单"]', "查订": None}),
    ("<![CDATA[R&B]]>", "R&B", {"r&b": '$r["R&B"]'}),
    # special rules (2.2.3)
    ('a<ruleref special="NULL"/>b', "a $NULL b", {"a b": '$r["a", "b"]', "a x b": None}),
    ('a<ruleref special="VOID"/>', "a $VOID", {"a": None}),
    (
        '<one-of><item>a<ruleref special="VOID"/></item><item>a</item></one-of>',
        "a $VOID | a",
        {"a": '$r["a"]'},
    ),
    (
        'a<ruleref special="GARBAGE"/>b',
        "a $GARBAGE b",
        {"a b": '$r["a", "b"]', "a x y b": '$r["a", "b"]', "a b b": '$r["a", "b"]', "x b": None},
    ),
    # sequences (2.3)
    ("<item/>a<item></item>", "() a ()", {"a": '$r["a"]', "": None}),
    ("<item>a<item>b</item></item>c", "(a (b)) c", {"a b c": '$r["a", "b", "c"]'}),
    # alternatives (2.4)
    (
        '<one-of><item weight="2">a</item><item weight=".5">b c</item><item weight="3.">d</item></one-of>',
        "/2/ a | /.5/ b c | /3./ d",
        {"a": '$r["a"]', "b c": '$r["b", "c"]', "d": '$r["d"]', "b": None, "c": None},
    ),
    (
        "<one-of><item>a<tag>1</tag></item><item>a<tag>2</tag></item></one-of>",
        "a {1} | a {2}",
        {"a": '$r["a", {1}]'},
    ),
    (
        "<one-of><item>a</item><item>a b</item></one-of><item repeat='0-1'>b</item>",
        "(a | a b) [b]",
        {"a b": '$r["a", "b"]', "a b b": '$r["a", "b", "b"]'},
    ),
    # repeats (2.5)
    ('<item repeat="0-1">a</item>b', "[a] b", {"a b": '$r["a", "b"]', "b": '$r["b"]', "a a b": None}),
    ('<item repeat="0-1">a</item>b', "a<0-1> b", {"a b": '$r["a", "b"]', "b": '$r["b"]'}),
    ('<item repeat="2">a</item>', "a <2>", {"a a": '$r["a", "a"]', "a": None, "a a a": None}),
    ('<item repeat="1-2">a b</item>', "(a b)<1-2>", {"a b a b": '$r["a", "b", "a", "b"]', "": None}),
    ('<item repeat="2-">a</item>', "a<2->", {"a": None, "a a a a": '$r["a", "a", "a", "a"]'}),
    ('<item repeat="0-">a</item>', "a<0->", {"": "$r[]", "a": '$r["a"]'}),
    ('<item repeat="0">a</item>', "a<0>", {"": "$r[]", "a": None}),
    ('<item repeat="1-" repeat-prob="0.3">a</item>', "a <1- /0.3/>", {"a a": '$r["a", "a"]'}),
    (
        '<item repeat="0-">a<tag>x</tag></item><item repeat="0-">a</item>',
        "(a {x})<0-> a<0->",
        {"a a": '$r["a", {x}, "a", {x}]'},
    ),
    (
        '<item repeat="3"><item repeat="0-1">a</item></item>',
        "[a]<3>",
        {"": "$r[]", "a": '$r["a"]', "a a a": '$r["a", "a", "a"]', "a a a a": None},
    ),
    ('<item repeat="2-"><tag>t</tag></item>', "{t}<2->", {"": "$r[{t}, {t}]"}),
    # tags (2.6)
    ("a<tag>x = 1;</tag>b", "a {x = 1;} b", {"a b": '$r["a", {x = 1;}, "b"]'}),
    ("a<tag>{}</tag>", "a {!{{}}!}", {"a": '$r["a", {{}}]'}),
    # references (2.2.1)
    (
        '<rule id="r">a<ruleref uri="#x"/></rule><rule id="x">b<tag>t</tag></rule>',
        "$r = a $x; $x = b {t};",
        {"a b": '$r["a", $x["b", {t}]]'},
    ),
    (
        '<rule id="r"><one-of><item><ruleref uri="#r"/>a</item><item>a</item></one-of></rule>',
        "$r = $r a | a;",
        {"a a a": '$r[$r[$r["a"], "a"], "a"]', "": None},
    ),
    (
        '<rule id="r"><one-of><item>(<ruleref uri="#r"/>)</item><item>x</item></one-of></rule>',
        '$r = "(" $r ")" | x;',
        {"( ( x ) )": '$r["(", $r["(", $r["x"], ")"], ")"]', "( x": None},
    ),
    (
        '<rule id="r"><one-of><item><ruleref uri="#r"/></item><item>a</item></one-of></rule>',
        "$r = $r | a;",
        {"a": '$r["a"]', "b": None},
    ),
    ('<rule id="r"><ruleref uri="#r"/>a</rule>', "$r = $r a;", {"a": None, "a a": None}),
    (
        '<rule id="r"><item repeat="0-1"><ruleref uri="#r"/></item><item repeat="0-1">a</item></rule>',
        "$r = [$r] [a];",
        {"": "$r[]", "a a": '$r[$r["a"], "a"]'},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("in_xml", "in_abnf", "said"), CASES)
def test_both_forms(in_xml: str, in_abnf: str, said: dict[str, str | None]) -> None:
    for source in (xml(in_xml), abnf(in_abnf)):
        grammar = load(source)
        for text, expected in said.items():
            assert tree(grammar, text) == expected, (source, text)


def test_a_parse_of_a_rule_that_is_not_the_root() -> None:
    grammar = load(abnf("public $r = a; $other = b;"))
    assert tree(grammar, "b", "other") == '$other["b"]'
    assert grammar.rejects("b")


def test_languages_of_tokens() -> None:
    in_xml = load(xml('a <token xml:lang="fr-CA">b</token><item xml:lang="de">c<token>d</token></item>'))
    in_abnf = load(abnf("a b!fr-CA (c d)!de"))
    for grammar in (in_xml, in_abnf):
        match = grammar.match("a b c d")
        assert match is not None
        languages = [child.language for child in match.tree.children]  # type: ignore[union-attr]
        assert languages == ["en-US", "fr-CA", "de", "de"]


def test_the_header() -> None:
    header = (
        '<meta name="author" content="Chen"/><meta http-equiv="Date" content="x"/>'
        '<metadata><x xmlns="urn:x">text</x></metadata>'
        '<lexicon uri="names.pls" type="application/pls+xml"/><tag>var x = 1;</tag>'
    )
    document = load(
        xml(
            header + '<rule id="r" scope="public"><example>a  b</example>a b</rule>',
            'tag-format="semantics/1.0" xml:base="/b/"',
        )
    ).document
    in_abnf = load(
        "#ABNF 1.0 UTF-8;\nlanguage en-US; mode voice; root $r; base </b/>; tag-format <semantics/1.0>;\n"
        "meta 'author' is \"Chen\"; http-equiv \"Date\" is 'x';\n"
        "lexicon <names.pls>~<application/pls+xml>; {var x = 1;};\n"
        "/** Says it.\n * @example a  b\n */\npublic $r = a b; // the end\n"
    ).document
    for one in (document, in_abnf):
        assert (one.language, one.mode, one.root, one.tag_format) == ("en-US", "voice", "r", "semantics/1.0")
        assert one.base == "http://example.com/b/"
        assert one.lexicons == ("http://example.com/b/names.pls",)
        assert one.meta == {"author": "Chen", "Date": "x"}
        assert one.header_tags == ("var x = 1;",)
        assert one.rules["r"].public
        assert one.rules["r"].examples == ("a b",)


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "iso-8859-1",
        "iso-8859-15",
        "gb18030",
        "shift_jis",
    ],
)
def test_encodings(encoding: str) -> None:
    word = {"iso-8859-1": "café", "iso-8859-15": "€"}.get(encoding, "中")
    declared = "utf-8" if encoding == "utf-8-sig" else encoding.removesuffix("-le").removesuffix("-be")
    in_xml = f'<?xml version="1.0" encoding="{declared}"?>' + xml(word)
    in_abnf = abnf(word).replace("#ABNF 1.0;", f"#ABNF 1.0 {declared};")
    for source in (in_xml, in_abnf):
        assert load(source.encode(encoding)).accepts(word)


def test_comments_stand_anywhere() -> None:
    text = "#ABNF 1.0;\n// a\nlanguage /* b */ en-US; /* c\n */ root $r;\n$r = a // x;\n | /* y */ b /**/ ;"
    grammar = load(text)
    assert grammar.accepts("a")
    assert grammar.accepts("b")


def test_foreign_elements_and_attributes_are_passed_over() -> None:
    source = xml('a<x:y xmlns:x="urn:x" z="1">b<x:z/></x:y>c', 'xmlns:q="urn:q" q:w="1"')
    assert tree(load(source), "a c") == '$r["a", "c"]'


def test_a_document_type_is_not_loaded() -> None:
    source = '<!DOCTYPE grammar PUBLIC "-//W3C//DTD GRAMMAR 1.0//EN" "http://www.w3.org/TR/speech-grammar/grammar.dtd">'
    assert load(source + xml("a")).accepts("a")


def test_a_grammar_in_voicexml_needs_less() -> None:
    source = (
        '<grammar xmlns="http://www.w3.org/2001/vxml" type="application/srgs+xml" root="r">'
        '<rule id="r">a</rule></grammar>'
    )
    assert load(source, inline=True, language="en").accepts("a")
    source = '<grammar type="application/srgs+xml" mode="dtmf" root="r"><rule id="r">1</rule></grammar>'
    assert load(source, inline=True).accepts("1")
