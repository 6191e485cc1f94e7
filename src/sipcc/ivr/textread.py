"""Bytes of a stranger's document as text, by its mark, its transport, its own word, or as UTF-8; a core."""

from __future__ import annotations

import codecs
import re
from typing import Final

from sipcc.errors import SipccError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")
_REFUSED: Final = frozenset(
    {
        "idna",
        "mbcs",
        "oem",
        "palmos",
        "punycode",
        "raw-unicode-escape",
        "undefined",
        "unicode-escape",
        "utf-7",
    }
)
"""Python's own, which no document is in. Some take time by the square of the length; UTF-7 hides marks."""
_WIDER: Final = {
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
}
"""What browsers read under these names: they hold characters that the encoding itself has not."""


class EncodingError(SipccError):
    """A document is in no encoding, or in another than it says; `line` and `column` count from 1."""

    def __init__(self, problem: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {problem}")
        self.problem = problem
        self.line = line
        self.column = column


def text_of(body: bytes, *, charset: str = "", declared: str = "", first: str = "<") -> str:
    """The text of a document, without a byte order mark.

    Args:
        body: The document.
        charset: What its transport says; a byte order mark goes before it.
        declared: What it says itself, in letters of ASCII; goes after both.
        first: The character that every document of its kind begins with.

    Raises:
        EncodingError: nobody knows the encoding, or it is not in it; with the place of the first wrong byte.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decoded(body[len(mark) :], name)
    start = first.encode()
    if body[:2] in (start + b"\0", b"\0" + start):
        return _decoded(body, "utf-16-be" if body[:1] == b"\0" else "utf-16-le")
    return _decoded(body, charset or declared or "utf-8")


def _decoded(body: bytes, charset: str) -> str:
    try:
        known = codecs.lookup(charset).name if _NAME.fullmatch(charset) else "undefined"
    except LookupError:
        known = "undefined"
    if known in _REFUSED:
        raise EncodingError(f"nobody knows the encoding {charset!r}")
    for name in (known, _WIDER.get(known)):
        try:
            return str(body, name or known)
        except UnicodeDecodeError as error:
            wrong = error
        except LookupError:  # of bytes or of text into the same again
            raise EncodingError(f"nobody knows the encoding {charset!r}") from None
    before = str(body[: wrong.start], known, "replace")
    line = before.count("\n") + 1
    raise EncodingError(f"it is not in {charset}", line, len(before) - (before.rfind("\n") + 1) + 1)
