"""Grammars of tests: short ways to write documents, and to load them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from sipcc.ivr.fetch import FolderFetcher
from sipcc.ivr.grammar import Grammar, load_grammar

HEAD = '<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0" xml:lang="en-US" root="r"'


def xml(rules: str, attributes: str = "") -> str:
    """A document in the XML form: the text of a rule `r`, or several rules with what stands before them."""
    whole = re.match(r"<(?:rule|meta|metadata|lexicon)[\s/>]", rules)
    body = rules if whole else f'<rule id="r">{rules}</rule>'
    return f"{HEAD} {attributes}>{body}</grammar>"


def abnf(rules: str, header: str = "language en-US;") -> str:
    """A document in the ABNF form: the text of a rule `r`, or several rules."""
    whole = re.match(r"\$\S+ =|\$r a;|public|private", rules)
    return f"#ABNF 1.0;\n{header}\nroot $r;\n{rules if whole else f'$r = {rules};'}\n"


def load(source: str | bytes | None, documents: Mapping[str, Any] | None = None, **more: Any) -> Grammar:
    """The grammar, with what it refers to from `documents`."""
    more.setdefault("url", "http://example.com/g/main.grxml")
    return asyncio.run(load_grammar(source, fetcher=FolderFetcher(documents), **more))


def tree(grammar: Grammar, said: str, rule: str | None = None) -> str | None:
    """The tree as a text, or None."""
    match = grammar.match(said, rule)
    return None if match is None else str(match.tree)
