"""Grammars of what callers may say or type: SRGS 1.0 in both forms, and what its tags mean."""

from sipcc.ivr.grammar.keys import AnyMatcher, KeyMatcher
from sipcc.ivr.grammar.load import Grammar, Match, load_grammar, parse_grammar
from sipcc.ivr.grammar.model import GrammarError
from sipcc.ivr.grammar.tree import Branch, Mark, Word

__all__ = [
    "AnyMatcher",
    "Branch",
    "Grammar",
    "GrammarError",
    "KeyMatcher",
    "Mark",
    "Match",
    "Word",
    "load_grammar",
    "parse_grammar",
]
