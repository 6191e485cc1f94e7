"""How input was parsed: a tree of what the rules have matched.

A tree has the rules, and below them tokens, tags and further rules, as SRGS 1.0 has it in appendix H
("logical parse structure"): what a rule refers to stands in it, sequences and brackets do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from sipcc.ivr.grammar.model import Document


class Word(msgspec.Struct, frozen=True):
    """A token that was matched, as the grammar writes it."""

    text: str
    language: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A tag on the way."""

    text: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A rule that was matched."""

    rule: str
    children: tuple[Word | Mark | Branch, ...]
    document: Document = field(compare=False, repr=False)
    """The grammar that has the rule."""
    uri: str = ""
    """Where that is, when another grammar refers to it; empty within one grammar."""

    @property
    def text(self) -> str:
        """What was matched: tokens with spaces between them, keys without."""
        return ("" if self.document.mode == "dtmf" else " ").join(self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """All tokens below."""
        return tuple(child.text for child in _leaves(self) if isinstance(child, Word))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags below."""
        return tuple(child.text for child in _leaves(self) if isinstance(child, Mark))

    def __str__(self) -> str:
        """As in ``$order["I", "want", $drink["tea", {out = 1}]]``."""
        written: list[str] = []
        stack: list[Word | Mark | Branch | str] = [self]
        while stack:
            one = stack.pop()
            if isinstance(one, str):
                written.append(one)
            elif isinstance(one, Word):
                written.append(f'"{one.text}"')
            elif isinstance(one, Mark):
                written.append("{" + one.text + "}")
            else:
                written.append(f"$<{one.uri}#{one.rule}>[" if one.uri else f"${one.rule}[")
                stack.append("]")
                for number, child in enumerate(reversed(one.children)):
                    stack += [", ", child] if number else [child]
        return "".join(written)


def _leaves(branch: Branch) -> Iterator[Word | Mark]:
    stack: list[Word | Mark | Branch] = [branch]
    while stack:
        one = stack.pop()
        if isinstance(one, Branch):
            stack += reversed(one.children)
        else:
            yield one
