"""What a match means: Semantic Interpretation for Speech Recognition (SISR) 1.0.

Each rule that was matched has a value. With the tag format ``semantics/1.0`` its tags are a script, run in
their order: `out` is the value, `rules.NAME` and `rules.latest()` are the values of the rules that it refers
to, `meta.current().text`, `meta.NAME.text` and `meta.latest().text` what was matched. With
``semantics/1.0-literals`` the last tag is the value as a text. A rule without a tag on the way has the value
of the last rule that it refers to, or else its text. A match without any tag at all means its text.

Grammars that name no format are older than that: a tag with an assignment is a script, in which ``$`` may
stand for `out`, ``$$`` for `rules.latest()` and ``$NAME`` for `rules.NAME`; any other tag is a value.
"""

from __future__ import annotations

import json
import re

from sipcc.ivr.grammar.model import Document
from sipcc.ivr.grammar.tree import Branch, Mark, Word
from sipcc.ivr.js import Engine, Json, Scope, Undefined

SCRIPT = "semantics/1.0"
LITERALS = "semantics/1.0-literals"
_UNTOLD = frozenset({"", "semantics-ms/1.0"})

_ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)|\+\+|--|\b(?:var|function|if|for|return)\b")
_VALUE = re.compile(
    r"""\s*(?:"[^"]*"|'[^']*'|-?[0-9]+(?:\.[0-9]+)?|true|false|null|\{.*\}|\[.*\])\s*;?\s*""", re.DOTALL
)
_OLD = re.compile(r"\$(\$|[A-Za-z_]\w*)?")


def meaning(tree: Branch, engine: Engine | None = None) -> Json:
    """The value of the rule at the root of `tree`; None for undefined.

    Raises:
        ScriptError: a script failed.
        ConfigError: there are scripts, and what runs them is not installed.
    """
    if not tree.tags:
        return tree.text
    if not _has_scripts(tree):
        return _plain(tree)
    interpreter = _Interpreter(engine or Engine())
    found = interpreter.result(tree)
    return None if isinstance(found, Undefined) else found


def _post_order(tree: Branch) -> list[Branch]:
    """All branches, those below before those above."""
    found, stack = [], [tree]
    while stack:
        one = stack.pop()
        found.append(one)
        stack += [child for child in one.children if isinstance(child, Branch)]
    return found[::-1]


def _has_scripts(tree: Branch) -> bool:
    formats = (branch.document.tag_format for branch in _post_order(tree) if _marks(branch))
    return any(tag_format == SCRIPT or tag_format in _UNTOLD for tag_format in formats)


def _marks(branch: Branch) -> list[str]:
    return [child.text for child in branch.children if isinstance(child, Mark)]


def _plain(tree: Branch) -> Json:
    """The value where no script is needed."""
    values: dict[int, Json] = {}
    for branch in _post_order(tree):
        marks = _marks(branch)
        below = [child for child in branch.children if isinstance(child, Branch)]
        if marks:
            values[id(branch)] = marks[-1].strip()
        else:
            values[id(branch)] = values[id(below[-1])] if below else branch.text
    return values[id(tree)]


class _Interpreter:
    """Runs the scripts of a tree, from the leaves up; each grammar has a scope of its own for its header."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scopes: dict[int, Scope] = {}

    def result(self, tree: Branch) -> Json | Undefined:
        """The value of `tree`."""
        engine = self._engine
        kept: dict[int, object] = {}
        for branch in _post_order(tree):
            local = engine.scope()
            below = [child for child in branch.children if isinstance(child, Branch)]
            for number, child in enumerate(below):
                engine.put(local, f"__value{number}", kept[id(child)])
            kept[id(branch)] = engine.keep(_program(branch), [self._scope(branch.document), local])
        last = engine.scope()
        engine.put(last, "__value", kept[id(tree)])
        return engine.json("__value", [last])

    def _scope(self, document: Document) -> Scope:
        """The scope of a grammar, in which the tags of its header have run."""
        scope = self._scopes.get(id(document))
        if scope is None:
            scope = self._scopes[id(document)] = self._engine.scope()
            for tag in document.header_tags:
                self._engine.script(tag, [scope])
        return scope


def _program(branch: Branch) -> str:
    """The script of one rule, as an expression that gives its value."""
    lines = [
        "(function () {",
        "var out = {}, __rule, __about, rules = {latest: function () { return __rule; }};",
        f"var __own = {_about(branch)};",
        "var meta = {current: function () { return __own; }, latest: function () { return __about; }};",
    ]
    number, marks, rules = 0, 0, 0
    for child in branch.children:
        if isinstance(child, Branch):
            name = json.dumps(child.rule)
            lines.append(
                f"__rule = rules[{name}] = __value{number}; __about = meta[{name}] = {_about(child)};"
            )
            number, rules = number + 1, rules + 1
        elif isinstance(child, Mark):
            lines.append(_statement(child.text, branch.document.tag_format) + "\n;")
            marks += 1
        else:
            assert isinstance(child, Word)
    if not marks:
        lines.append("out = __rule;" if rules else "out = __own.text;")
    lines += ["return out;", "})()"]
    return "\n".join(lines)


def _about(branch: Branch) -> str:
    return json.dumps({"text": branch.text, "score": 1.0})


def _statement(text: str, tag_format: str) -> str:
    """A tag as a statement."""
    if tag_format == SCRIPT:
        return text
    if tag_format in _UNTOLD:
        if _ASSIGNS.search(text):
            return _OLD.sub(_modern, text)
        if _VALUE.fullmatch(text):
            return f"out = ({text.strip().rstrip(';')})"
    return f"out = {json.dumps(text.strip())}"


def _modern(found: re.Match[str]) -> str:
    name = found[1]
    if not name:
        return "out"
    return "rules.latest()" if name == "$" else f"rules.{name}"
