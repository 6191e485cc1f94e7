"""What callers typed or said in secret, so that no log tells it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sipcc.ivr.js import Json, Undefined
from sipcc.ivr.vxml.signals import Exit, Note

LEAST: Final = 3
"""A shorter value stands in too many other words to be looked for; only its own answer is masked."""


class Secrets:
    """The answers of one session to fields with ``sipcc.secret``."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def add(self, value: Json | Undefined) -> None:
        """Keep an answer, or what it means, from logs from now on."""
        self._values.update(text for text in _texts(value) if len(text) >= LEAST)

    def masked(self, text: str) -> str:
        """A text with asterisks for the secrets in it."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, stars(value))
        return text

    def masked_note(self, note: Note) -> Note:
        """A note without the secrets."""
        if not self._values:
            return note
        details = {name: self._detail(value) for name, value in note.details.items()}
        return Note(what=note.what, text=self.masked(note.text), details=details)

    def _detail(self, value: object) -> object:
        return self.masked(value) if isinstance(value, str) else value

    def masked_value(self, value: Json) -> Json:
        """A value with asterisks for the secrets in its texts and numbers."""
        if isinstance(value, dict):
            return {name: self.masked_value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.masked_value(inner) for inner in value]
        texts = list(_texts(value))
        return value if not texts or self.masked(texts[0]) == texts[0] else self.masked(texts[0])

    def masked_exit(self, ended: Exit) -> Exit:
        """An exit whose event and message tell no secrets; its values are for whoever started the session."""
        event, message = self.masked(ended.event), self.masked(ended.message)
        return msgspec.structs.replace(ended, event=event, message=message)


def stars(text: str) -> str:
    """As many asterisks."""
    return "*" * len(text)


def _texts(value: Json | Undefined) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(int(value)) if value == value // 1 else str(value)
