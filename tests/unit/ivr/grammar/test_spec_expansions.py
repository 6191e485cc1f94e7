"""SRGS 1.0, 2.1 (tokens), 2.3 (sequences), 2.4 (alternatives), 2.6 (tags), 2.7 (language), 2.8 (order)."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, tree, xml

from sipcc.ivr.grammar import GrammarError, Word

Said = dict[str, str | None]

MATCHED: list[tuple[str, str, Said]] = [
    # 2.1: white space between tokens, around and inside quoted tokens
    ("  a\tb\r\n c ", "  a\tb\r\n c ", {"a b c": '$r["a", "b", "c"]', "ab c": None}),
    ('a"b c"d', 'a"b c"d', {"a b c d": '$r["a", "b c", "d"]'}),
    ('"  b \n\t c  "', '"  b \n\t c  "', {"b c": '$r["b c"]', "bc": None}),
    ("<token>  b \n c </token>", '"b c"', {"b c": '$r["b c"]'}),
    ("<token>b</token><token>c</token>", '"b""c"', {"b c": '$r["b", "c"]'}),
    ("<item>b</item><item>c</item>", "(b)(c)", {"b c": '$r["b", "c"]'}),
    ("&quot;b c&quot; d", '"b c" d', {"b c d": '$r["b c", "d"]'}),
    ("b&#x20;c", "b c", {"b c": '$r["b", "c"]'}),
    ("<token>a &amp; b</token>", '"a & b"', {"a & b": '$r["a & b"]'}),
    ("<token><![CDATA[a < b]]></token>", '"a < b"', {"a < b": '$r["a < b"]'}),
    ("<![CDATA[a b]]> c", "a b c", {"a b c": '$r["a", "b", "c"]'}),
    ("a<!-- x --> b<?x y?>", "a /* x */ b // y\n", {"a b": '$r["a", "b"]'}),
    ("p.m. 5:30 a,b @x #1 it's", "p.m. 5:30 a,b @x #1 it's", {"p.m. 5:30 a,b @x #1 it's": "*"}),
    ("caf&#233; &#x4E2D;", "café 中", {"café 中": '$r["café", "中"]', "cafe\u0301 中": '$r["café", "中"]'}),
    ("Hallo WELT", "Hallo WELT", {"hallo welt": '$r["Hallo", "WELT"]', "HALLO Welt": '$r["Hallo", "WELT"]'}),
    ("a public root", "a public root", {"a public root": '$r["a", "public", "root"]'}),
    ("<token>a;b|c</token>", '"a;b|c"', {"a;b|c": '$r["a;b|c"]'}),
    ('<token>$x{y}(z)[w]</token>', '"$x{y}(z)[w]"', {"$x{y}(z)[w]": '$r["$x{y}(z)[w]"]'}),
    ("<token>a // b /* c</token>", '"a // b /* c"', {"a // b /* c": '$r["a // b /* c"]'}),
    ("<token>?</token> a", '"?" a', {"? a": '$r["?", "a"]', "a": None, "! a": None, "? a .": '$r["?", "a"]'}),
    ("a , b", "a , b", {"a , b": '$r["a", ",", "b"]', "a b": None, "a, b": None}),
    ("a b", "a b", {"a , b .": '$r["a", "b"]', ". a b": '$r["a", "b"]', "a, b!": '$r["a", "b"]'}),
    ('<token>a , b</token>', '"a , b"', {"a , b": '$r["a , b"]', "a b": '$r["a , b"]'}),
    # 2.3: sequences, empty ones too
    ("<item/>", "()", {"": "$r[]", "a": None}),
    ("<item><item/></item>a", "(()) a", {"a": '$r["a"]'}),
    ("<item>a<item>b<item>c</item></item></item>", "(a (b (c)))", {"a b c": '$r["a", "b", "c"]'}),
    (
        "<one-of><item>a</item><item/></one-of>b",
        "(a | ()) b",
        {"a b": '$r["a", "b"]', "b": '$r["b"]'},
    ),
    (
        '<one-of><item>a</item><item><ruleref special="NULL"/></item></one-of>b',
        "(a | $NULL) b",
        {"a b": '$r["a", "b"]', "b": '$r["b"]'},
    ),
    # 2.4: alternatives
    ("<one-of><item>a</item></one-of>", "(a)", {"a": '$r["a"]', "": None}),
    (
        "<one-of><item weight='10'>a</item><item weight='2.'>b</item><item weight='.1'>c</item><item>d</item>"
        "<item weight='0'>e</item><item weight='0.0'>f</item></one-of>",
        "/10/ a | /2./ b | /.1/ c | d | /0/ e | /0.0/ f",
        {one: f'$r["{one}"]' for one in "abcdef"} | {"a b": None},
    ),
    (
        "<one-of><item>a<one-of><item>b</item><item>c</item></one-of></item><item>d</item></one-of>",
        "a (b | c) | d",
        {"a b": '$r["a", "b"]', "a c": '$r["a", "c"]', "d": '$r["d"]', "a": None, "a d": None},
    ),
    # 2.6: tags, wherever an expansion stands
    ("<tag>x</tag>", "{x}", {"": "$r[{x}]"}),
    ("<tag>x</tag>a<tag>y</tag><tag>z</tag>", "{x} a {y}{z}", {"a": '$r[{x}, "a", {y}, {z}]'}),
    ("a<tag/>b", "a {} b", {"a b": '$r["a", {}, "b"]'}),
    ("a<tag>x = {y: '}'};</tag>", "a {!{x = {y: '}'};}!}", {"a": "$r[\"a\", {x = {y: '}'};}]"}),
    ("a<tag>// b /* c \" ; |</tag>", 'a {// b /* c " ; |}', {"a": '$r["a", {// b /* c " ; |}]'}),
    ("a<tag><![CDATA[a<b && c]]></tag>", "a {a<b && c}", {"a": '$r["a", {a<b && c}]'}),
    (
        "<one-of><item><tag>x</tag></item><item>a</item></one-of>",
        "{x} | a",
        {"": "$r[{x}]", "a": '$r["a"]'},
    ),
    ('<item repeat="0-1"><tag>x</tag>a</item>b', "[{x} a] b", {"a b": '$r[{x}, "a", "b"]', "b": '$r["b"]'}),
    # 2.8: a repeat and a language bind closer than a sequence, that closer than alternatives
    (
        '<one-of><item>a<item repeat="2">b</item></item><item>c<tag>t</tag></item></one-of>',
        "a b<2> | c {t}",
        {"a b b": '$r["a", "b", "b"]', "c": '$r["c", {t}]', "a b a b": None, "a b b c": None},
    ),
    (
        '<item repeat="0-1"><one-of><item>a b</item><item>c</item></one-of></item>',
        "[a b | c]",
        {"": "$r[]", "a b": '$r["a", "b"]', "c": '$r["c"]', "a c": None},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("in_xml", "in_abnf", "said"), MATCHED)
def test_expansions(in_xml: str, in_abnf: str, said: Said) -> None:
    for source in (xml(in_xml), abnf(in_abnf)):
        grammar = load(source)
        for text, expected in said.items():
            found = tree(grammar, text)
            assert found is not None if expected == "*" else found == expected, (source, text, found)


WRONG = [
    ("<token></token>", '""'),
    ("<token> \n </token>", '" "'),
    ('a "b', 'a "b'),
    ("", ""),
    ("<one-of></one-of>", "()|"),
    ("<one-of>a</one-of>", "| a"),
    ("<one-of><ruleref special='NULL'/></one-of>", "a | | b"),
    ("<one-of><tag>t</tag><item>a</item></one-of>", "a |"),
    ("<one-of><one-of><item>a</item></one-of></one-of>", "[]"),
    *[
        (f'<one-of><item weight="{weight}">a</item></one-of>', f"/{weight}/ a | b")
        for weight in ("-1", "+1", "1e2", "x", "1.2.3", "1,5", "", " ", ".", "0x1", "50%")
    ],
    ("<item><item>a</item>", "((a)"),
    ("a</item>", "a)"),
    ("<token>a<token>b</token></token>", "a = b"),
    ("<tag>a<item/></tag>", "a {b"),
    ("<tag><tag/></tag>", "a {!{b}"),
    ("<item repeat='2'>a<example>b</example></item>", "a } b"),
    ("<token xml:lang='1'>a</token>", "a!1"),
    ("<item xml:lang='e n'>a</item>", "(a)!"),
    ("<count number='2'>a</count>", "a * 2"),
    ("<item lang='en'>a</item>", "a + b"),
    ("<token repeat='2'>a</token>", "a > b"),
    ("<ruleref uri='#r'><item>a</item></ruleref>", "a $ b"),
    ("<alternatives/>", "a / b"),
]


@pytest.mark.parametrize(("in_xml", "in_abnf"), WRONG)
def test_what_is_no_expansion(in_xml: str, in_abnf: str) -> None:
    for source in (xml(in_xml), abnf(in_abnf)):
        with pytest.raises(GrammarError):
            load(source)


def test_languages() -> None:
    in_xml = xml(
        'a<token xml:lang="fr-CA">b</token>'
        '<item xml:lang="fr">c<token>d e</token><token xml:lang="de">f</token></item>'
        '<one-of xml:lang="it"><item>g</item><item xml:lang="es">h</item></one-of>'
        '<item repeat="0-1" xml:lang="pt"><item>i</item></item>'
    )
    in_abnf = abnf('a b!fr-CA (c "d e" f!de)!fr (g | (h)!es)!it [(i)]!pt')
    for grammar in (load(in_xml), load(in_abnf)):
        for said, languages in (
            ("a b c d e f g i", ["fr-CA", "fr", "fr", "de", "it", "pt"]),
            ("a b c d e f h", ["fr-CA", "fr", "fr", "de", "es"]),
        ):
            match = grammar.match(said)
            assert match is not None
            words = [child for child in match.tree.children if isinstance(child, Word)]
            assert [word.language for word in words[1:]] == languages
            assert words[0].language == "en-US"


def test_a_language_stands_before_the_repeat() -> None:
    for rules in ("a!fr<2>", '"a"!fr <2>', "(a)!fr-CA<2>", "[a]!fr<2>", "a!en-US <2> {t}"):
        assert load(abnf(rules)).accepts("a a")
    for rules in ("a<2>!fr", "()!fr", "{t}!fr", "a!fr!de"):
        with pytest.raises(GrammarError):
            load(abnf(rules))
