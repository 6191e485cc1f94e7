"""Where the keys of a TOML or JSON file stand, as a core: `tomllib` and `json` tell values, but not lines.

`KeyLines` walks a text that one of the two has accepted already, and remembers the place of every table, key
and array element. It decides nothing about validity.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Path = tuple[str | int, ...]
"""The place of a value: ``("trunks", 0, "port")``."""


DEEPEST: Final = 100
"""Tables and lists within each other; nobody writes more, and what walks through them calls itself."""


def too_deep(data: Any) -> bool:
    """Whether tables and lists stand in each other more than `DEEPEST` times."""
    level = [data]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return False
        level = inner
    return any(isinstance(one, dict | list) for one in level)


class Place(NamedTuple):
    """A place in a text, both counted from 1."""

    line: int
    column: int


_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)


class KeyLines:
    """The places of the keys of one text: TOML, or JSON."""

    def __init__(self, text: str, *, json: bool = False) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._sign = ":" if json else "="
        self._places: dict[Path, Place] = {}
        self._arrays: dict[Path, int] = {}
        """How many ``[[...]]`` headers of each array of tables were seen."""
        if json:
            self._skip(_BLANK)
            self._value(())
        else:
            self._walk()

    def place_of(self, path: Path) -> Place | None:
        """The place of `path`, or of what is nearest above it; None when nothing of it is in the file."""
        for length in range(len(path), 0, -1):
            if (place := self._places.get(path[:length])) is not None:
                return place
        return None

    def _walk(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            start = self._at
            if self._text.startswith("[[", start):
                self._at += 2
                table = self._array_header(self._dotted(), start)
                self._skip_past("]]")
            elif self._text.startswith("[", start):
                self._at += 1
                table = self._within(self._dotted())
                self._note(table, start)
                self._skip_past("]")
            else:
                self._pair(table)
            if self._at == start:
                self._at += 1  # not TOML; tomllib has refused such a text before
            self._skip(_BLANK)

    def _array_header(self, keys: list[str], at: int) -> Path:
        array = (*self._within(keys[:-1]), keys[-1])
        self._note(array, at)
        index = self._arrays.get(array, 0)
        self._arrays[array] = index + 1
        self._note((*array, index), at)
        return (*array, index)

    def _within(self, keys: list[str]) -> Path:
        """The path of a header, with the last element of each array of tables on the way."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._arrays:
                path = (*path, self._arrays[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        start = self._at
        for key in self._dotted():
            path = (*path, key)
            self._note(path, start)
        self._skip(_BLANK)
        self._skip_past(self._sign)
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        for string in _STRINGS:
            if self._skip(string):
                return
        if self._text.startswith("[", self._at):
            self._list("]", lambda index: self._element((*path, index)))
        elif self._text.startswith("{", self._at):
            self._list("}", lambda _: self._pair(path))
        else:
            self._skip(_SCALAR)

    def _element(self, path: Path) -> None:
        self._note(path)
        self._value(path)

    def _list(self, close: str, one: Callable[[int], None]) -> None:
        """Walk what is between brackets or braces, `one` for each member."""
        self._at += 1
        index = 0
        while self._at < len(self._text):
            start = self._at
            self._skip(_BLANK)
            if self._text.startswith(close, self._at):
                self._at += 1
                return
            if self._text.startswith(",", self._at):
                self._at += 1
            else:
                one(index)
                index += 1
            if self._at == start:
                return

    def _dotted(self) -> list[str]:
        """A key: bare or quoted parts, joined by dots."""
        parts: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            for pattern in (_BARE_KEY, *_STRINGS[2:]):
                if self._skip(pattern):
                    break
            part = self._text[start : self._at]
            parts.append(part[1:-1] if part[:1] in ("'", '"') else part)
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _note(self, path: Path, at: int | None = None) -> None:
        at = self._at if at is None else at
        line = bisect_left(self._ends, at)
        start = self._ends[line - 1] + 1 if line else 0
        self._places.setdefault(path, Place(line + 1, at - start + 1))

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self._text, self._at)
        if match is None or match.end() == self._at:
            return False
        self._at = match.end()
        return True

    def _skip_past(self, mark: str) -> None:
        self._skip(_SPACE)
        if self._text.startswith(mark, self._at):
            self._at += len(mark)
