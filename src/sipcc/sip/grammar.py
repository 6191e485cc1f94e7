"""The words that all SIP headers are made of (RFC 3261 §25.1): tokens, quoted strings, parameters, lists.

Everything works on bytes and on ASCII only. Text is bytes decoded as UTF-8 with surrogate escapes, so
that what a peer sent comes out again byte for byte, valid or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sipcc.errors import LocalProtocolError, ParseError

TOKEN_CHARS = rb"A-Za-z0-9\-.!%*_+`'~"
"""The inside of a character class that matches one byte of a token."""

_TOKEN = re.compile(rb"[" + TOKEN_CHARS + rb"]+")
_DIGITS = re.compile(rb"[0-9]{1,10}")
_PARAM_VALUE = re.compile(rb"[" + TOKEN_CHARS + rb"\[\]:/@&$()=,?\x80-\xff]*")
_QUOTED = re.compile(rb'"(?:[^"\\\r\n]|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"')
_NEXT = {mark: re.compile(b'["<' + mark + b"]") for mark in (b",", b";")}
_FORBIDDEN = re.compile(rb"[\r\n]")
_LONG = 1024
"""Octets of parameters that are cut all at once, which is quicker."""
_NEEDS_ESCAPE = re.compile(r'[\\"\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')


def text(raw: bytes) -> str:
    """Decode `raw` so that `wire` gives back the very same bytes."""
    return raw.decode("utf-8", "surrogateescape")


def wire(value: str | bytes) -> bytes:
    """The bytes of a value that we are about to send.

    Raises:
        LocalProtocolError: the value holds CR or LF, which could start another header.
    """
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if _FORBIDDEN.search(raw):
        raise LocalProtocolError(f"CR or LF in a header value: {raw[:80]!r}")
    return raw


def is_token(raw: bytes) -> bool:
    """True when `raw` is one token."""
    return _TOKEN.fullmatch(raw) is not None


def number(raw: bytes, where: str, maximum: int = 2**32 - 1) -> int:
    """Read a decimal number of 1 to 10 ASCII digits.

    Python's own `int` takes underscores, signs, white space and the digits of other scripts; no peer may
    use those.

    Raises:
        ParseError: `raw` is no such number, or is more than `maximum`.
    """
    if not _DIGITS.fullmatch(raw) or (value := int(raw)) > maximum:
        raise ParseError(f"not a number up to {maximum}: {raw[:40]!r}", layer=where)
    return value


def split(raw: bytes, separator: bytes, where: str = "") -> list[bytes]:
    """Cut `raw` at each `separator` that is outside quotes and angle brackets; pieces are stripped.

    The separator is ``b","`` or ``b";"``.

    Raises:
        ParseError: a quote or bracket is not closed, and `where` names a layer. With an empty `where`
            the rest then is one piece.
    """
    if b'"' not in raw and b"<" not in raw:
        return [piece.strip(b" \t") for piece in raw.split(separator)]
    pieces: list[bytes] = []
    start = at = 0
    search = _NEXT[separator].search
    while found := search(raw, at):
        at = found.start()
        byte = raw[at]
        if byte == 0x22:
            quoted = _QUOTED.match(raw, at)
            at = quoted.end() if quoted else 0
        elif byte == 0x3C:
            at = raw.find(b">", at) + 1
        else:
            pieces.append(raw[start:at].strip(b" \t"))
            start = at = at + 1
        if at == 0:
            if where:
                raise ParseError(f"a quote or bracket is not closed: {raw[:80]!r}", layer=where)
            break
    pieces.append(raw[start:].strip(b" \t"))
    return pieces


def parse_params(raw: bytes, where: str) -> dict[str, str]:
    """Read ``;name=value;flag`` (with or without the first semicolon).

    Names come out in lower case; a flag has the value ``""``; a quoted value keeps its quotes (see
    `unquote`).

    Raises:
        ParseError: an empty parameter, a name that is no token, a bad value, or a name twice.
    """
    raw = raw.strip(b" \t")
    if raw.startswith(b";"):
        raw = raw[1:]
    params: dict[str, str] = {}
    pieces: Iterable[bytes]
    if b'"' in raw or b"<" in raw:
        pieces = split(raw, b";", where)
    else:
        pieces = raw.split(b";") if len(raw) <= _LONG else _one_by_one(raw)
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        key = _PARAM_NAMES.get(name) or _param_name(name, where)
        if equals and (not value or not _PARAM_VALUE.fullmatch(value)):
            value = value.strip(b" \t")
            if not (value and _PARAM_VALUE.fullmatch(value)) and not _QUOTED.fullmatch(value):
                raise ParseError(f"bad parameter value: {piece[:80]!r}", layer=where)
        if key in params:
            raise ParseError(f"parameter {key!r} twice", layer=where)
        params[key] = value.decode("utf-8", "surrogateescape")
    return params


def _one_by_one(raw: bytes) -> Iterator[bytes]:
    """The pieces between semicolons, of which there may be too many to hold them all."""
    start = 0
    while (end := raw.find(b";", start)) >= 0:
        yield raw[start:end]
        start = end + 1
    yield raw[start:]


def _param_name(raw: bytes, where: str) -> str:
    name = raw.strip(b" \t")
    if not _TOKEN.fullmatch(name):
        raise ParseError(f"bad parameter name: {raw[:80]!r}", layer=where)
    key = name.decode("ascii").lower()
    if len(_PARAM_NAMES) < 1024 and len(raw) <= 64:  # a peer that invents names must not grow our memory
        _PARAM_NAMES[raw] = key
    return key


_PARAM_NAMES: dict[bytes, str] = {}


def format_params(params: dict[str, str]) -> str:
    """Write parameters as `parse_params` reads them."""
    return "".join(f";{name}={value}" if value else f";{name}" for name, value in params.items())


def quoted_end(raw: bytes, where: str) -> int:
    """The index after the quoted string that `raw` starts with.

    Raises:
        ParseError: the string is not closed.
    """
    match = _QUOTED.match(raw)
    if match is None:
        raise ParseError(f"a quote is not closed: {raw[:80]!r}", layer=where)
    return match.end()


def unquote(value: str) -> str:
    """The content of a quoted string; any other value is returned as it is."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    inner = value[1:-1]
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL) if "\\" in inner else inner


def quote(value: str) -> str:
    """`value` as a quoted string; CR and LF, which none may hold, become spaces.

    They come from peers, as ``%0D%0A`` in a user part, and must not end a call that shows that user's name.
    """
    value = value.replace("\r", " ").replace("\n", " ")
    return '"' + _NEEDS_ESCAPE.sub(lambda match: "\\" + match[0], value) + '"'
