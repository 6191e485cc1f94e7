"""SRGS 1.0, 2.2 (rule references) and 3 (rule definitions): names, scope, other grammars, special rules."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import HEAD, abnf, load, tree, xml

from sipcc.ivr.grammar import GrammarError

OTHER = "http://example.com/g/other"
XML_RULES = (
    '<rule id="open" scope="public">a</rule><rule id="shut" scope="private">b</rule><rule id="plain">c</rule>'
)
ABNF_RULES = "public $open = a;\nprivate $shut = b;\n$plain = c;\n"
OTHERS = [
    f"{HEAD.replace(chr(34) + 'r' + chr(34), chr(34) + 'shut' + chr(34))}>{XML_RULES}</grammar>",
    f"#ABNF 1.0;\nlanguage en-US;\nroot $shut;\n{ABNF_RULES}",
]
ROOTLESS = [
    f"{HEAD.replace(' root=' + chr(34) + 'r' + chr(34), '')}>{XML_RULES}</grammar>",
    f"#ABNF 1.0;\nlanguage en-US;\n{ABNF_RULES}",
]


def both(uri: str, media_type: str = "") -> list[str]:
    """A reference in both forms."""
    typed = f' type="{media_type}"' if media_type else ""
    return [
        xml(f'<ruleref uri="{uri}"{typed}/>'),
        abnf(f"$<{uri}>" + (f"~<{media_type}>" if media_type else "")),
    ]


@pytest.mark.parametrize("other", OTHERS)
def test_public_rules_and_the_root_may_be_referred_to(other: str) -> None:
    for uri, rule, said in (
        ("other#open", "open", "a"),
        (f"{OTHER}#open", "open", "a"),
        ("other", "shut", "b"),
    ):
        for source in both(uri):
            assert tree(load(source, {OTHER: other}), said) == f'$r[$<{OTHER}#{rule}>["{said}"]]'


@pytest.mark.parametrize("other", [*OTHERS, *ROOTLESS])
def test_private_rules_may_not(other: str) -> None:
    for uri in ("other#shut", "other#plain", "other#none", "other#Open", f"{OTHER}#NULL"):
        for source in both(uri):
            with pytest.raises(GrammarError):
                load(source, {OTHER: other})


@pytest.mark.parametrize("other", ROOTLESS)
def test_a_grammar_without_a_root_is_referred_to_by_a_rule(other: str) -> None:
    for source in both("other#open"):
        assert load(source, {OTHER: other}).accepts("a")
    for source in both("other"):
        with pytest.raises(GrammarError, match="no root rule"):
            load(source, {OTHER: other})


@pytest.mark.parametrize(("media_type", "other"), [("application/srgs+xml", 0), ("application/srgs", 1)])
def test_media_types(media_type: str, other: int) -> None:
    for uri in ("other#open", "other"):
        for source in both(uri, media_type):
            assert load(source, {OTHER: OTHERS[other]}).accepts("a" if "#" in uri else "b")


@pytest.mark.parametrize(("mode", "other"), [("voice", "dtmf"), ("dtmf", "voice")])
def test_modes_do_not_mix(mode: str, other: str) -> None:
    target = xml('<rule id="r" scope="public">1</rule>', f'mode="{other}"')
    for uri in ("other", "other#r"):
        for source in (
            xml(f'<ruleref uri="{uri}"/>', f'mode="{mode}"'),
            abnf(f"$<{uri}>", f"language en; mode {mode};"),
        ):
            with pytest.raises(GrammarError, match=f"it is for {other}"):
                load(source, {OTHER: target})


@pytest.mark.parametrize(
    "name", ["r1", "_r", "R", "null", "Null", "naïve", "规则", "a_b", "public", "language"]
)
def test_legal_names(name: str) -> None:
    for source in (
        xml(f'<rule id="r">a<ruleref uri="#{name}"/></rule><rule id="{name}">b</rule>'),
        abnf(f"$r = a ${name}; ${name} = b;"),
    ):
        assert tree(load(source), "a b") == f'$r["a", ${name}["b"]]'


@pytest.mark.parametrize(
    "name", ["1a", "a.b", "a:b", "a-b", "-a", ".a", ":a", "a b", "a$b", "NULL", "VOID", "GARBAGE", ""]
)
def test_illegal_names(name: str) -> None:
    for source in (
        xml(f'<rule id="r">a</rule><rule id="{name}">b</rule>'),
        abnf(f"$r = a; ${name} = b;"),
        xml("a").replace('root="r"', f'root="{name}"') if name else xml("<rule>a</rule>"),
        abnf("a").replace("root $r", f"root ${name}"),
    ):
        with pytest.raises(GrammarError):
            load(source)


def test_names_are_compared_with_case() -> None:
    for source in (
        xml('<rule id="r">a<ruleref uri="#R"/></rule><rule id="R">b</rule>'),
        abnf("$r = a $R; $R = b;"),
    ):
        assert tree(load(source), "a b") == '$r["a", $R["b"]]'
    for source in (xml('<ruleref uri="#R"/>'), abnf("$r = $R; $x = a;")):
        with pytest.raises(GrammarError, match="there is no rule"):
            load(source)


def test_a_rule_that_nobody_needs_must_be_right_too() -> None:
    for source in (
        xml('<rule id="r">a</rule><rule id="x"><ruleref uri="#none"/></rule>'),
        abnf("$r = a; $x = $none;"),
    ):
        with pytest.raises(GrammarError, match="there is no rule"):
            load(source)


def test_names_may_be_written_as_uris_have_them() -> None:
    other = xml('<rule id="naïve" scope="public">a</rule>').replace(' root="r"', "")
    for source in both("other#na%C3%AFve"):
        assert tree(load(source, {OTHER: other}), "a") == f'$r[$<{OTHER}#naïve>["a"]]'
    assert load(None, {OTHER: other}, url=f"{OTHER}#na%C3%AFve").accepts("a")
    assert load(xml('<rule id="r"><ruleref uri="#na%C3%AFve"/></rule><rule id="naïve">a</rule>')).accepts("a")


def test_a_language_at_a_reference_says_nothing() -> None:
    for source in (
        xml('<rule id="r"><ruleref uri="#x" xml:lang="fr"/></rule><rule id="x">a</rule>'),
        abnf("$r = $x!fr; $x = a;"),
    ):
        assert tree(load(source), "a") == '$r[$x["a"]]'


def test_special_rules() -> None:
    cases = {
        "NULL": {"a b": '$r["a", "b"]', "a x b": None},
        "VOID": {"a b": None, "a x b": None},
        "GARBAGE": {
            "a b": '$r["a", "b"]',
            "a x b": '$r["a", "b"]',
            "a x y z b": '$r["a", "b"]',
            "x a b": None,
        },
    }
    for name, said in cases.items():
        for source in (xml(f'a<ruleref special="{name}"/>b'), abnf(f"a ${name} b")):
            for text, expected in said.items():
                assert tree(load(source), text) == expected
    for source in (xml('a <ruleref uri="#NULL"/>'), abnf("a $<#NULL>"), xml('a <ruleref special="GARBLE"/>')):
        with pytest.raises(GrammarError):
            load(source)


@pytest.mark.parametrize("scope", ["Public", "PRIVATE", "local", ""])
def test_wrong_scopes(scope: str) -> None:
    for source in (
        xml(f'<rule id="r" scope="{scope}">a</rule>'),
        abnf(f"private $x = b; {scope or 'pub'} $r = a;"),
    ):
        with pytest.raises(GrammarError):
            load(source)


@pytest.mark.parametrize(
    ("in_xml", "in_abnf", "said"),
    [
        (
            '<rule id="r"><ruleref uri="#d"/><item repeat="0-1"><ruleref uri="#r"/></item></rule>'
            '<rule id="d">a</rule>',
            "$r = $d [$r]; $d = a;",
            {"a": '$r[$d["a"]]', "a a": '$r[$d["a"], $r[$d["a"]]]', "": None},
        ),
        (
            '<rule id="r"><one-of><item><ruleref uri="#s"/>b</item><item>b</item></one-of></rule>'
            '<rule id="s"><one-of><item><ruleref uri="#r"/>c</item><item>c</item></one-of></rule>',
            "$r = $s b | b; $s = $r c | c;",
            {"b": '$r["b"]', "c b": '$r[$s["c"], "b"]', "b c b": '$r[$s[$r["b"], "c"], "b"]', "b b": None},
        ),
        (
            '<rule id="r">a<item repeat="0-1"><ruleref uri="#r"/></item>b</rule>',
            "$r = a [$r] b;",
            {"a b": '$r["a", "b"]', "a a b b": '$r["a", $r["a", "b"], "b"]', "a a b": None},
        ),
    ],
)
def test_recursion(in_xml: str, in_abnf: str, said: dict[str, str | None]) -> None:
    for source in (xml(in_xml), abnf(in_abnf)):
        for text, expected in said.items():
            assert tree(load(source), text) == expected
