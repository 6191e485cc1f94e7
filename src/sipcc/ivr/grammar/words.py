"""What is compared when a token meets input: words, and keys.

Letters are compared without case, and in Unicode's composed form. Chinese characters and their like are words
each on its own: who writes and who recognises them part them in other places.
"""

from __future__ import annotations

import re
import unicodedata

from sipcc.call.digits import KEYS
from sipcc.ivr.grammar.model import Mode

_ALONE = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"[{_ALONE}]|[^\s{_ALONE}]+")
_PUNCTUATION = ".,!?;:。，！？；：、…\u3000"
_NAMED_KEYS = {"star": "*", "pound": "#", "hash": "#"}

WHITE = " \t\r\n"


def words_of(text: str) -> tuple[str, ...]:
    """The words of a token; one that is nothing but punctuation is a word."""
    return spoken_words(text) or heard_words(text)


def spoken_words(text: str) -> tuple[str, ...]:
    """The words of what a recogniser has understood, without punctuation and quotation marks around them."""
    return tuple(word for word in heard_words(text) if not is_punctuation(word))


def heard_words(text: str) -> tuple[str, ...]:
    """The same, with punctuation that stands alone."""
    pieces = _PIECE.findall(unicodedata.normalize("NFC", text.replace('"', " ")).casefold())
    return tuple(piece.strip(_PUNCTUATION) or piece for piece in pieces)


def is_punctuation(word: str) -> bool:
    """Whether nobody says this word, unless a grammar has it as a token."""
    return not word.strip(_PUNCTUATION)


def keys_of(text: str) -> tuple[str, ...] | None:
    """The keys of a token in a DTMF grammar, or None when it has others."""
    name = text.lower().removeprefix("dtmf-")
    if name in _NAMED_KEYS:
        return (_NAMED_KEYS[name],)
    keys = tuple(char.upper() for char in name if char not in WHITE)
    return keys if keys and KEYS.issuperset(keys) else None


def token_words(text: str, mode: Mode) -> tuple[str, ...]:
    """What a token stands for. ValueError when it cannot be typed."""
    if mode == "voice":
        return words_of(text)
    keys = keys_of(text)
    if keys is None:
        raise ValueError(f"{text!r} is no key of a telephone; 0 to 9, *, #, A to D are")
    return keys


def normal(text: str) -> str:
    """`text` with white space at its ends removed and inside as one space (SRGS 2.1)."""
    return " ".join(text.split())


def split_text(text: str) -> list[str]:
    """The tokens in plain text. ValueError for a quotation mark that is not closed."""
    found: list[str] = []
    for index, part in enumerate(text.split('"')):
        found += [normal(part)] if index % 2 else part.split()
    if text.count('"') % 2:
        raise ValueError("a quotation mark is not closed")
    if "" in found:
        raise ValueError("a token in quotation marks is empty")
    return found
