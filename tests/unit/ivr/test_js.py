"""ECMAScript in nested scopes, and its limits."""

import time

import pytest

from sipcc.ivr.js import UNDEFINED, Engine, ScriptError, ScriptLimits, declared_names, is_name, root_of


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_an_assignment_lands_on_the_scope_that_has_the_name(engine: Engine) -> None:
    outer, inner = engine.scope("document"), engine.scope("dialog")
    engine.set(outer, "x", 1)
    engine.run("x = 2", (outer, inner))
    assert engine.json("document.x", (outer, inner)) == 2
    assert engine.owner((outer, inner), "x") is outer
    assert not engine.has(inner, "x")


def test_an_inner_variable_hides_the_outer_one(engine: Engine) -> None:
    outer, inner = engine.scope("document"), engine.scope("dialog")
    engine.set(outer, "x", "out")
    engine.set(inner, "x", "in")
    assert engine.text("x + document.x", (outer, inner)) == "inout"


def test_undefined_null_and_functions(engine: Engine) -> None:
    scope = engine.scope()
    engine.declare(scope, "x")
    assert engine.json("x", (scope,)) is UNDEFINED
    assert engine.json("null", (scope,)) is None
    assert engine.json("(function(){})", (scope,)) is UNDEFINED
    assert engine.text("x", (scope,)) == "undefined"
    assert not engine.defined(scope, "x")
    assert engine.test("'a' && 1", (scope,))


def test_what_is_not_declared_is_an_error(engine: Engine) -> None:
    with pytest.raises(ScriptError, match="nobody is not defined"):
        engine.text("nobody", (engine.scope(),))


def test_scripts_declare_in_the_innermost_scope(engine: Engine) -> None:
    outer, inner = engine.scope(), engine.scope()
    engine.set(outer, "rate", 3)
    source = (
        "var a = twice(rate), b; function twice(n) { var local = n; rate++; return 2 * local } const c = 'k';"
    )
    engine.script(source, (outer, inner))
    assert engine.json("[a, b === undefined, c, twice(5), rate]", (outer, inner)) == [6, True, "k", 10, 5]
    assert not engine.has(inner, "local")


def test_what_a_script_forgot_to_declare_belongs_to_its_scope(engine: Engine) -> None:
    one, other = engine.scope(), engine.scope()
    engine.script("stray = 4", (one,))
    assert engine.json("stray", (one,)) == 4
    with pytest.raises(ScriptError):
        engine.json("stray", (other,))


@pytest.mark.parametrize(
    ("source", "variables", "others"),
    [
        ("var a, b = [1, c], d", ["a", "b", "d"], []),
        ("for (var i = 0; i < 3; i++) { var j = i }", ["i", "j"], []),
        ("function f() { var x } var y", ["y"], ["f"]),
        ("var g = function () { var x; }, h = 2", ["g", "h"], []),
        ("var s = 'var q'; /* var r */ // var t\nvar u = /var v/", ["s", "u"], []),
        ("var k = (a) => { var x; return x }; var m = a => a + 1, n", ["k", "m", "n"], []),
        ("var o = {a: 1, b: function () { return 1 }}, p", ["o", "p"], []),
        ("class C { m() { return 1 } } let z = 1", [], ["C", "z"]),
    ],
)
def test_the_names_that_a_script_declares(source: str, variables: list[str], others: list[str]) -> None:
    assert declared_names(source) == (variables, others)


def test_a_frozen_scope_cannot_be_changed(engine: Engine) -> None:
    session = engine.scope("session")
    engine.set(session, "connection", {"remote": {"uri": "tel:1"}})
    engine.freeze(session)
    engine.run("session.connection.remote.uri = 'x', session.more = 1", (session,))
    assert engine.json("[session.connection.remote.uri, session.more]", (session,)) == ["tel:1", None]


def test_arrays_are_walked_as_they_were(engine: Engine) -> None:
    scope = engine.scope()
    engine.script("var list = [1, {a: 2}, 'x']", (scope,))
    elements = engine.elements(engine.keep("list", (scope,)))
    assert elements is not None
    engine.run("list.length = 0", (scope,))
    seen = []
    for at in range(len(elements)):
        elements.put(at, scope, "each")
        seen.append(engine.json("each", (scope,)))
    assert seen == [1, {"a": 2}, "x"]
    assert engine.elements(engine.keep("'text'", (scope,))) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "(function(){while(true){}})()",
        "/(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')",
        "(function(){var a=[];while(true)a.push(new Array(10000).fill(1))})()",
        "(function f(){f()})()",
        "'x'.repeat(1<<30)",
        "(function(){var o={};o.o=o;return o})()",
        "1) ) ((",
        "new Array(4e9).join('x')",
        "Array.prototype.indexOf.call({length: 9e15}, 1)",
        "Array.prototype.indexOf.call({get length() { return 9e15 }}, 1)",
        "Array.prototype.indexOf.call(Object.create({length: 9e15}), 1)",
        "Array.from({length: 4e9})",
        "[].concat({length: 9e15, [Symbol.isConcatSpreadable]: true})",
        "new Set(new Array(4e9)).size",
        "JSON.stringify(new Array(4e9))",
        "JSON.stringify({a: new Array(4e9)})",
        "({a: new Array(4e9)})",
        "String(new Array(4e9))",
        "Math.max.apply(null, {length: 9e15})",
        "'a'.repeat(1.5e7).indexOf('a'.repeat(7e6) + 'b')",
        "'a'.repeat(1.5e7).split('a'.repeat(7e6) + 'b')",
        "'a'.repeat(1.5e7).replace({toString: function () { return 'a'.repeat(7e6) + 'b' }}, '')",
        "new Array(4e9).sort()",
        "(function(){for(var a=1n;;a=a*a+1n);})()",
        "(function(){var b=(1n<<1000000n)-1n;return (b*b)+{}.x.y})()",
        "eval('while(1);')",
        "1n",
        "0xffn << 4",
        "eval('1' + 'n')",
        "Function('return 1' + 'n')()",
        "(function () {}).constructor('return 1' + 'n')()",
        "(function* () {}).constructor('yield 1' + 'n')().next()",
        "new BigInt64Array(1)[0]",
        "new Function('while(1);')()",
        "(function*(){while(1) yield 1})().next().value + [...(function*(){while(1) yield 1})()]",
        "JSON.parse('['.repeat(1e6))",
        "new RegExp('('.repeat(1e5)).test('x')",
        "'a,'.repeat(1e7).split(',')",
        "Object.defineProperty([], 'length', {value: 4e9}).fill(1)",
        "new Uint8Array(1e9)",
        "'\\u0041'.normalize().padEnd(1e9)",
    ],
)
def test_hostile_scripts_stop_and_the_engine_lives(hostile: str) -> None:
    engine = Engine(ScriptLimits(seconds=0.05))
    scope = engine.scope()
    began = time.process_time()
    with pytest.raises(ScriptError):
        engine.json(hostile, (scope,))
    assert time.process_time() - began < 5
    assert engine.json("1 + 1", (scope,)) == 2


def test_text_of_any_kind_crosses(engine: Engine) -> None:
    scope = engine.scope()
    engine.set(scope, "x", "零\0\U0001f600")
    assert engine.text("x", (scope,)) == "零\0\U0001f600"
    assert engine.text("'\\ud800'", (scope,)) == "?"
    with pytest.raises(ScriptError):
        engine.text("'\ud800'", (scope,))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'12n'", "12n"),
        ("x1n", 5),
        ("eval('1 + 1')", 2),
        ("new Function('a', 'return a * 2')(4)", 8),
        ("/1n/.test('1n')", True),
    ],
)
def test_what_only_looks_like_a_number_without_end(engine: Engine, source: str, value: object) -> None:
    scope = engine.scope()
    engine.set(scope, "x1n", 5)
    assert engine.json(source, (scope,)) == value


def test_nothing_of_the_machine_is_there(engine: Engine) -> None:
    scope = engine.scope()
    for name in ("require", "process", "std", "os", "fetch", "BigInt"):
        assert engine.text(f"typeof {name}", (scope,)) == "undefined"


@pytest.mark.parametrize("name", ["a", "$a_1", "_a", "变量"])
def test_right_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["1a", "if", "a.b", "", "a b"])
def test_wrong_names(name: str) -> None:
    assert not is_name(name)


def test_the_root_of_a_reference() -> None:
    assert root_of("a.b[0]") == "a"
    assert root_of("this.x") == ""
