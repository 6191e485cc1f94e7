"""What matches mean: the tags of SISR 1.0 in both formats, and older ones."""

from __future__ import annotations

import pytest
from tests.unit.ivr.grammar.forms import abnf, load, xml

from sipcc.ivr.js import Engine, ScriptError

SCRIPT = "language en-US; tag-format <semantics/1.0>;"
LITERALS = "language en-US; tag-format <semantics/1.0-literals>;"


@pytest.mark.parametrize(
    ("rules", "said", "value"),
    [
        ("a b", "a b", "a b"),
        ("$r = go to $city; $city = boston {out = 'BOS';};", "go to boston", "BOS"),
        (
            "$r = go to $city {out.to = rules.city;}; $city = boston {out = 'BOS';};",
            "go to boston",
            {"to": "BOS"},
        ),
        ("$r = $a $b {out = rules.latest();}; $a = x; $b = y;", "x y", "y"),
        (
            "$r = $a {out.first = rules.latest()} $a {out.second = rules.a}; $a = x {out = 1} | y {out = 2};",
            "x y",
            {"first": 1, "second": 2},
        ),
        (
            "$r = {out.sum = 0;} ($n {out.sum += rules.n;})<1->; $n = one {out = 1;} | two {out = 2;};",
            "one two two",
            {"sum": 5},
        ),
        ("a {var x = 2;} b {out = x * 3;}", "a b", 6),
        (
            "$r = a $b {out = meta.b.text + '/' + meta.current().text + '/' + meta.latest().text}; $b = b c;",
            "a b c",
            "b c/a b c/b c",
        ),
        ("a {out.x = 1}", "a", {"x": 1}),
        ("a {}", "a", {}),
        ("a {out = undefined}", "a", None),
        ("a {out = 1 // one\n}", "a", 1),
        ("$r = $r a {out = rules.r + 1} | a {out = 1};", "a a a", 3),
        (
            "$r = {out = typeof rules.x + typeof rules.latest();} $x; $x = a {out = 1;};",
            "a",
            "undefinedundefined",
        ),
        (
            "$r = {out = [];} ($p {out.push(rules.p);})<1->; $p = {out = [];} (a {out.push(1);})<2>;",
            "a a a a",
            [[1, 1], [1, 1]],
        ),
        ("$r = {var v = 1;} $x {out = rules.x;}; $x = a {out = typeof v;};", "a", "undefined"),
        ("$r = $x {rules.x.k = 2; out = rules.x;}; $x = a {out.j = 1;};", "a", {"j": 1, "k": 2}),
        ("$r = [$x] b {out.v = rules.x ? rules.x : 'none';}; $x = a {out = 1;};", "b", {"v": "none"}),
        ("$r = (a {out.x = 1;} | b {out.x = 2;}) c {out.y = 3;};", "b c", {"x": 2, "y": 3}),
        ("$r = $x $y; $x = a {out = 1;}; $y = b;", "a b", "b"),
        ("$r = b $x {out = rules.x;}; $x = a c;", "b a c", "a c"),
        ("a {out = false;}", "a", False),
        ("a {out = null;}", "a", None),
        ("$r = $x {out = typeof meta.x.score + typeof meta.current().score;}; $x = a;", "a", "numbernumber"),
        ("$r = $a {out = rules.a.x.y}; $a = a {!{out.x = {y: [1, {z: '中'}]}}!};", "a", [1, {"z": "中"}]),
    ],
)
def test_scripts(rules: str, said: str, value: object) -> None:
    match = load(abnf(rules, SCRIPT)).match(said)
    assert match is not None
    assert match.meaning() == value


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ("a { tea }", "tea"),
        ("a {1} {out = 2}", "out = 2"),
        ("$r = a $b; $b = b {x};", "x"),
        ("$r = a $b {y}; $b = b {x};", "y"),
        ("a b", "a b"),
    ],
)
def test_literals(rules: str, value: str) -> None:
    grammar = load(abnf(rules, LITERALS))
    match = grammar.match("a b") or grammar.match("a")
    assert match is not None
    assert match.meaning() == value


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("tea", "tea"),
        ("'green tea'", "green tea"),
        ("12", 12),
        ("{!{{a: 1}}!}", {"a": 1}),
        ("out = 'x'", "x"),
        ("$ = 'x'", "x"),
        ("$.drink = $b; $.last = $$", {"drink": "b", "last": "b"}),
        ("it's", "it's"),
    ],
)
def test_grammars_that_tell_no_format(tag: str, value: object) -> None:
    written = tag if tag.startswith("{!{") else "{" + tag + "}"
    match = load(abnf(f"$r = a $b {written}; $b = b;")).match("a b")
    assert match is not None
    assert match.meaning() == value


def test_the_header_is_run_once_for_each_grammar() -> None:
    other = abnf("public $x = b {count += 10; out = count;};", SCRIPT + " {var count = 5;};").replace(
        "root $r;", ""
    )
    main = abnf("$r = a {count++;} $<other.gram#x> a {count++; out = [count, rules.x, twice(4)];};",
                SCRIPT + " {!{var count = 0; function twice(n) { return 2 * n; }}!};")  # fmt: skip
    match = load(main, {"http://example.com/g/other.gram": other}).match("a b a")
    assert match is not None
    assert match.meaning() == [2, 15, 8]
    assert match.meaning(Engine()) == [2, 15, 8]


@pytest.mark.parametrize(
    "tag", ["out = (", "throw 1", "out = nobody.x", "while (true) {}", "out = []; for (;;) out.push('xxxx')"]
)
def test_scripts_that_fail(tag: str) -> None:
    match = load(xml(f"a<tag><![CDATA[{tag}]]></tag>", 'tag-format="semantics/1.0"')).match("a")
    assert match is not None
    with pytest.raises(ScriptError):
        match.meaning()


def test_a_match_without_tags_means_its_text() -> None:
    for tags in (SCRIPT, LITERALS, "language en-US;"):
        match = load(abnf("$r = $d<3>; $d = a | b | c;", tags)).match("a b c")
        assert match is not None
        assert match.meaning() == "a b c"


def test_keys_are_one_text() -> None:
    match = load(abnf("(1|2|3)<3>", "mode dtmf;")).match("1 2 3")
    assert match is not None
    assert (match.meaning(), match.text, match.words) == ("123", "123", ("1", "2", "3"))


def test_another_grammar_has_tags_of_its_own_format() -> None:
    main = abnf("$r = $<o.gram> {out.v = rules.x;};", SCRIPT)
    for tag_format, tag in (("semantics/1.0", "out = 'seven'"), ("semantics/1.0-literals", "seven")):
        other = abnf(f"$x = a {{{tag}}};", f"language en; tag-format <{tag_format}>;").replace("$r", "$x")
        match = load(main, {"http://example.com/g/o.gram": other}).match("a")
        assert match is not None
        assert match.meaning() == {"v": "seven"}


def test_tags_of_the_header_run_in_their_order() -> None:
    header = "{var x = 1;}; {!{var y = x + 1; function f(z) { return 3 * z; }}!};"
    found = load(abnf("a {out = f(y);}", SCRIPT + header)).match("a")
    assert found is not None
    assert found.meaning() == 6
