"""ECMAScript for VoiceXML and for the tags of grammars: nested scopes and limits; only JSON crosses.

The engine is quickjs-ng, an optional package (``pip install 'sipcc[vxml]'``). It refuses calls back into
Python while a time limit is set, so all scopes live inside of it and Python holds handles.

A chain of scopes is one nested ``with`` over one object per scope: a name is looked up from the inside out,
and an assignment lands on the scope that has the name. (One object whose prototypes are the outer scopes does
not do that: an assignment there makes a second variable.) Each expression is compiled once for each length of
chain and then only called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from sipcc.errors import ConfigError
from sipcc.ivr.jsguard import GUARD

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What crosses the border."""


class ScriptError(Exception):
    """A script or an expression failed; the text is the engine's, in one line."""


class ScriptLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one script may use."""

    seconds: float = 0.2
    """CPU time of one evaluation, also inside a regular expression."""
    memory_bytes: int = 32 * 1024 * 1024
    """For all that one call keeps."""
    stack_bytes: int = 256 * 1024


class Undefined(msgspec.Struct, frozen=True):
    """ECMAScript's ``undefined``, which JSON does not have."""

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined()

Kind: TypeAlias = Literal["test", "text", "json", "keep", "run"]

_HELPERS: Final = r"""
(function () {
  const stringify = JSON.stringify, parse = JSON.parse, own = Object.prototype.hasOwnProperty;
  const define = Object.defineProperty, names = Object.getOwnPropertyNames, slice = Array.prototype.slice;
  const hidden = Object.create(null), base = Object.create(null), known = new Set(names(globalThis));
  for (const name of ["hasOwnProperty", "toString", "valueOf", "propertyIsEnumerable"]) {
    define(base, name, {value: Object.prototype[name]});
    hidden[name] = true;
  }
  define(base, Symbol.unscopables, {value: hidden});
  function freeze(value) {
    if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
      Object.freeze(value);
      for (const name of names(value)) freeze(value[name]);
    }
    return value;
  }
  return {
    scope(name) {
      const made = Object.create(base);
      if (name) define(made, name, {value: made, writable: true, configurable: true});
      return made;
    },
    alias(scope, name) { define(scope, name, {value: scope, writable: true, configurable: true}); },
    has(scope, name) { return own.call(scope, name); },
    owner(name, ...chain) {
      let at = chain.length - 1;
      while (at >= 0 && !own.call(chain[at], name)) at--;
      return at;
    },
    declare(scope, name) { if (!own.call(scope, name)) scope[name] = undefined; },
    set(scope, name, text) { scope[name] = parse(text); },
    unset(scope, name) { scope[name] = undefined; },
    put(scope, name, kept) { scope[name] = kept[0]; },
    property(scope, name, inner, kept) { scope[name][inner] = kept[0]; },
    build(scope, name, maker, text) { scope[name] = maker(parse(text)); },
    item(scope, name, kept, at) { scope[name] = kept[at]; },
    list(kept) { return Array.isArray(kept[0]) ? slice.call(kept[0]) : undefined; },
    size(list) { return list.length; },
    freeze,
    defined(scope, name) { return scope[name] !== undefined; },
    strays(scope) {
      for (const name of names(globalThis)) if (!known.has(name)) {
        if (!own.call(scope, name)) scope[name] = globalThis[name];
        delete globalThis[name];
      }
    },
    test(value) { return !!value; },
    text(value) { return stringify(String(value)); },
    json(value) { const text = stringify(value); return text === undefined ? "" : text; },
    keep(value) { return [value]; },
    run(value) { },
  };
})()
"""

_IDENTIFIER: Final = re.compile(r"(?:[^\W\d]|\$)[\w$]*")

_WORDS: Final = """
    break case catch class const continue debugger default delete do else enum export extends false
    finally for function if import in instanceof new null return super switch this throw true try typeof
    var void while with implements interface package private protected public static yield let
    abstract boolean byte char double final float goto int long native short synchronized throws
    transient volatile
"""

_RESERVED: Final = frozenset(_WORDS.split())

_TOKEN: Final = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"
    r"|(?P<name>[A-Za-z_$\u0080-\uffff][\w$]*)"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<arrow>=>)"
    r"|(?P<mark>.)",
    re.DOTALL,
)
_ENDLESS: Final = re.compile(r"(?<![\w$.])\d\w*n(?![\w$])")
"""A number without end, ``123n``: see `sipcc.ivr.jsguard`."""
_REGEX: Final = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*")


def is_name(text: str) -> bool:
    """Whether a variable may be called so: an identifier and no word of the language."""
    return _IDENTIFIER.fullmatch(text) is not None and text not in _RESERVED


def root_of(reference: str) -> str:
    """The variable at the root of ``a.b[0]``, or empty when this is no reference."""
    found = _IDENTIFIER.match(reference.strip())
    return found.group() if found is not None and found.group() not in _RESERVED else ""


def _tokens(source: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each token; a slash after an operand divides, else it begins a regular expression."""
    at, operand = 0, False
    while at < len(source):
        if source[at] == "/" and not operand and source[at + 1 : at + 2] not in ("/", "*"):
            regex = _REGEX.match(source, at)
            if regex is not None:
                at, operand = regex.end(), True
                continue
        found = _TOKEN.match(source, at)
        if found is None:  # an open string or comment: the engine says so
            return
        at, kind = found.end(), str(found.lastgroup)
        if kind == "skip":
            continue
        text = found.group()
        operand = kind in ("string", "number") or text in ")]}" or (kind == "name" and text not in _RESERVED)
        yield kind, text


def declared_names(source: str) -> tuple[list[str], list[str]]:
    """The names that a script declares by ``var``, and those of its functions, classes and constants.

    What stands in the bodies of functions is theirs. More than there is does no harm: it is undefined.
    """
    variables: list[str] = []
    others: list[str] = []
    depth, bodies, pending, before = 0, list[int](), False, ""
    in_var, var_depth = False, 0
    for kind, text in _tokens(source):
        if text in ("(", "[", "{"):
            if text == "{" and pending:
                bodies.append(depth)
                pending = False
            depth += 1
        elif text in (")", "]", "}"):
            depth -= 1
            if bodies and depth == bodies[-1] and text == "}":
                bodies.pop()
            in_var = in_var and depth >= var_depth
        elif not bodies:
            in_var = in_var and text != ";"
            if kind == "name" and before in ("function", "class", "let", "const", "*") and is_name(text):
                if depth == 0:
                    others.append(text)
            elif (
                kind == "name"
                and is_name(text)
                and (before == "var" or (in_var and before == "," and depth == var_depth))
            ):
                variables.append(text)
                in_var, var_depth = True, depth
        pending = pending or text in ("function", "=>")
        if pending and kind == "mark" and text in (";", ",") and before == "=>":
            pending = False
        before = text
    return variables, others


class Scope:
    """A handle on one scope inside the engine."""

    __slots__ = ("handle", "name")

    def __init__(self, name: str, handle: Any) -> None:
        self.name = name
        self.handle = handle


Chain: TypeAlias = Sequence[Scope]
"""Scopes from the outermost to the innermost."""


class Engine:
    """One caller's engine: scopes, and what is evaluated in them.

    Raises:
        ConfigError: the package quickjs-ng is not installed.
    """

    def __init__(self, limits: ScriptLimits = ScriptLimits()) -> None:  # noqa: B008  # frozen
        quickjs = _engine()
        self._failures: tuple[type[Exception], ...] = (quickjs.JSException, quickjs.StackOverflow)
        self._context = quickjs.Context()
        self._context.set_memory_limit(limits.memory_bytes)
        self._context.set_max_stack_size(limits.stack_bytes)
        self._context.eval(GUARD)
        self._helpers = self._context.eval(_HELPERS)
        self._context.set_time_limit(limits.seconds)
        self._compiled: dict[tuple[str, str, int], Any] = {}
        self._called: dict[str, Any] = {}
        self._makers: dict[str, Any] = {}

    # -- scopes --------------------------------------------------------------------------------------------

    def scope(self, name: str = "") -> Scope:
        """A new scope, which holds itself under its name if it has one."""
        return Scope(name, self._help("scope", name))

    def alias(self, scope: Scope, name: str) -> None:
        """Let a scope be found inside itself under one more name."""
        self._help("alias", scope.handle, name)

    def has(self, scope: Scope, name: str) -> bool:
        """Whether a variable is declared in this very scope."""
        return bool(self._help("has", scope.handle, name))

    def owner(self, chain: Chain, name: str) -> Scope | None:
        """The innermost scope that has a variable."""
        at = self._help("owner", name, *(scope.handle for scope in chain))
        return None if at < 0 else chain[at]

    def declare(self, scope: Scope, name: str) -> None:
        """Make a variable; one that is there keeps its value."""
        self._help("declare", scope.handle, name)

    def set(self, scope: Scope, name: str, value: Json | Undefined) -> None:
        """Give a variable of this scope a value, and make it if it is not there."""
        if isinstance(value, Undefined):
            self._help("unset", scope.handle, name)
        else:
            self._help("set", scope.handle, name, json.dumps(value))

    def put(self, scope: Scope, name: str, kept: Any) -> None:
        """Give a variable what `keep` kept."""
        self._help("put", scope.handle, name, kept)

    def build(self, scope: Scope, name: str, maker: str, value: Json) -> None:
        """Give a variable what a function makes of a value; `maker` is the function's source."""
        function = self._makers.get(maker)
        if function is None:
            function = self._makers[maker] = self._guarded(self._context.eval, maker)
        self._help("build", scope.handle, name, function, json.dumps(value))

    def property(self, scope: Scope, name: str, inner: str, kept: Any) -> None:
        """Give a property of a variable, which is an object, what `keep` kept."""
        self._help("property", scope.handle, name, inner, kept)

    def defined(self, scope: Scope, name: str) -> bool:
        """Whether a variable of this scope is something else than undefined."""
        return bool(self._help("defined", scope.handle, name))

    def freeze(self, scope: Scope) -> None:
        """Let nobody change a scope and what is in it."""
        self._help("freeze", scope.handle)

    # -- expressions ---------------------------------------------------------------------------------------

    def test(self, expression: str, chain: Chain) -> bool:
        """The value as a truth value."""
        return bool(self._evaluate("test", expression, chain))

    def text(self, expression: str, chain: Chain) -> str:
        """The value as the language makes a string of it."""
        return _sound(json.loads(self._evaluate("text", expression, chain)))

    def json(self, expression: str, chain: Chain) -> Json | Undefined:
        """The value as JSON; functions and undefined are `UNDEFINED`."""
        return self._decoded(self._evaluate("json", expression, chain))

    def keep(self, expression: str, chain: Chain) -> Any:
        """A handle on the value, for `put` and `elements`."""
        return self._evaluate("keep", expression, chain)

    def run(self, statement: str, chain: Chain) -> None:
        """Evaluate an expression for what it does, such as an assignment."""
        self._evaluate("run", statement, chain)

    def elements(self, kept: Any) -> Elements | None:
        """A copy of an array that was kept; None when it is none."""
        copied = self._help("list", kept)
        return None if copied is None else Elements(self, copied)

    def script(self, source: str, chain: Chain) -> None:
        """Run a script; what it declares belongs to the innermost scope."""
        variables, others = declared_names(source)
        inner = chain[-1]
        for name in variables:
            self.declare(inner, name)
        last = f"__{len(chain) - 1}"
        functions = "".join(
            f"if(typeof {name}==='function'){last}.{name}={name};" for name in _hoisted(source, others)
        )
        after = "".join(f"{last}.{name}={name};" for name in others)
        body = f"{{{functions}\n{source}\n;{after}}}"
        self._call(self._compile(body, len(chain)), chain)
        self._help("strays", inner.handle)

    # -- inside --------------------------------------------------------------------------------------------

    def _evaluate(self, kind: Kind, expression: str, chain: Chain) -> Any:
        key = (kind, expression, len(chain))
        function = self._compiled.get(key)
        if function is None:
            function = self._compile(f"return __h.{kind}((\n{expression}\n));", len(chain))
            if len(self._compiled) >= MAX_COMPILED:
                self._compiled.clear()
            self._compiled[key] = function
        return self._call(function, chain)

    def _compile(self, body: str, depth: int) -> Any:
        if _ENDLESS.search(body) and any(
            token == "number" and _ENDLESS.fullmatch(text) for token, text in _tokens(body)
        ):
            raise ScriptError("SyntaxError: BigInt is not there")
        parameters = ",".join(["__h", *(f"__{at}" for at in range(depth))])
        nested = "".join(f"with(__{at})" for at in range(depth))
        return self._guarded(self._context.eval, f"(function({parameters}){{{nested}{{{body}}}}})")

    def _call(self, function: Any, chain: Chain) -> Any:
        return self._guarded(function, self._helpers, *(scope.handle for scope in chain))

    def _help(self, name: str, *arguments: Any) -> Any:
        function = self._called.get(name)
        if function is None:
            function = self._called[name] = self._getter(name)
        return self._guarded(function, *arguments)

    def _getter(self, name: str) -> Any:
        return self._context.eval(f"(function(h){{return h.{name}}})")(self._helpers)

    def _guarded(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except self._failures as error:
            raise ScriptError(_first_line(str(error))) from None
        except (UnicodeError, ValueError, TypeError) as error:  # a lone surrogate, a zero byte
            raise ScriptError(f"text that cannot cross the border: {error}") from None

    @staticmethod
    def _decoded(text: str) -> Json | Undefined:
        if not text:
            return UNDEFINED
        try:
            value: Json = json.loads(text)
        except RecursionError:
            raise ScriptError("a value nested too deeply") from None
        return value


class Elements:
    """The elements of an array inside the engine."""

    def __init__(self, engine: Engine, handle: Any) -> None:
        self._engine = engine
        self._handle = handle

    def __len__(self) -> int:
        return int(self._engine._help("size", self._handle))

    def put(self, at: int, scope: Scope, name: str) -> None:
        """Give a variable of a scope the element at this place."""
        self._engine._help("item", scope.handle, name, self._handle, at)


MAX_COMPILED: Final = 4096
"""Compiled expressions kept for one caller; documents have some dozens."""


def _hoisted(source: str, names: Sequence[str]) -> list[str]:
    """Those of the names that are functions, which may be called before they are declared."""
    return [name for name in names if re.search(rf"\bfunction\s*\*?\s*{re.escape(name)}\b", source)]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:300]


def _sound(text: str) -> str:
    """Without lone surrogates, which no encoding can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def require_engine() -> None:
    """See that the engine is there.

    Raises:
        ConfigError: it is not installed.
    """
    _engine()


def _engine() -> Any:
    try:
        import quickjs
    except ImportError:
        raise ConfigError(
            "[vxml]",
            "quickjs-ng, which evaluates ECMAScript, is not installed",
            hint="pip install 'sipcc[vxml]'",
        ) from None
    return quickjs
