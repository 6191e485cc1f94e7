"""Mends what some carriers send, so that the strict reader takes it: the profile ``tolerant`` of a trunk.

The reader itself stays strict, and sees the message as it came first. Only when it refuses, and only from
a carrier that the operator has vouched for, the bytes are mended here and read once more. What two readers
could take for two messages is not mended: two different values of one header stay an error.

| mended | as in |
|---|---|
| lines that end in LF alone, a missing blank line, blank lines in front | scripts and old gateways |
| Content-Length that is wrong (datagrams) or absent (streams) | a body counted in characters |
| one header twice with the same value | proxies that add what is there |
| lines without a colon, names that are no token | debug output |
| spaces and brackets in the start line | hand-made requests |
| display names that need quotes or do not close them | ``Smith, John <sip:...>`` (kamailio #3426) |
| empty parameters, a bracket that does not close, blanks in a tel URI | ``;;tag=1``, ``tel:138 0013 8000`` |
| Max-Forwards beyond 255 | |
"""

from __future__ import annotations

import re

from sipcc.errors import ParseError
from sipcc.sip.grammar import is_token, split
from sipcc.sip.headers import canonical_raw
from sipcc.sip.uri import NameAddr

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_SPACES = re.compile(rb"[ \t]+")
_DIGITS = re.compile(rb"[0-9]{1,10}")
_NOT_IN_A_NAME = re.compile(rb'[\x00-\x1f\x7f"\\]')

_ONE_ADDRESS = frozenset({"From", "To"})
_ADDRESSES = frozenset({"Contact", "Route", "Record-Route"})


def mend(data: bytes) -> bytes:
    """One datagram with what can be mended mended; the body is not touched."""
    data = data.lstrip(b"\r\n")
    end = _HEAD_END.search(data)
    head, body = (data.rstrip(b"\r\n"), b"") if end is None else (data[: end.start()], data[end.end() :])
    return mend_head(head, body) + b"\r\n\r\n" + body


def head_end(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """Where the header block in a stream ends, and where its body begins; None when it is not all there."""
    found = _HEAD_END.search(buffer, start)
    return None if found is None else found.span()


def mend_head(head: bytes, body: bytes | None) -> bytes:
    """A header block in CRLF lines, without its blank line; `body` is None on a stream, where it follows."""
    start, *lines = _unfolded(head)
    kept = [_start_line(start)]
    seen: dict[str, bytes] = {}
    for line in lines:
        raw, colon, value = line.partition(b":")
        value = value.strip(b" \t")
        if not colon or not is_token(raw.rstrip(b" \t")):
            continue
        name = _name(raw)
        if seen.get(name) == value and name not in ("Via", "Route", "Record-Route"):
            continue
        if name == "Content-Length" and body is not None:
            seen[name], value = value, _length(value, body)
        else:
            seen[name] = value
            value = _value(name, value)
        kept.append(name.encode("ascii") + b": " + value)
    if body is None and "Content-Length" not in seen and "Content-Type" not in seen:
        kept.append(b"Content-Length: 0")
    return b"\r\n".join(kept)


def _unfolded(head: bytes) -> list[bytes]:
    lines: list[bytes] = []
    for line in _LINE_END.split(head):
        if line[:1] in (b" ", b"\t") and len(lines) > 1:
            lines[-1] += b" " + line.strip(b" \t")
        else:
            lines.append(line)
    return lines


def _name(raw: bytes) -> str:
    try:
        return canonical_raw(raw)
    except ParseError:  # too long to be one: the strict reader says so
        return raw.decode("latin-1").strip(" \t")


def _start_line(line: bytes) -> bytes:
    words = _SPACES.split(line.strip(b" \t"))
    if len(words) != 3 or words[0][:4].upper() == b"SIP/":
        return line
    method, uri, version = words
    if uri[:1] == b"<" and uri[-1:] == b">":
        uri = uri[1:-1]
    return b" ".join((method, uri, version.upper()))


def _length(value: bytes, body: bytes) -> bytes:
    """The length of what is there, unless less is claimed: then the rest is no part of the message."""
    if _DIGITS.fullmatch(value) and int(value) <= len(body):
        return value
    return b"%d" % len(body)


def _value(name: str, value: bytes) -> bytes:
    if name == "Max-Forwards" and _DIGITS.fullmatch(value) and int(value) > 255:
        return b"255"
    if name in _ONE_ADDRESS:
        return _address(value)
    if name in _ADDRESSES and value != b"*":
        return b", ".join(_address(piece) for piece in split(value, b",") if piece)
    return value


def _address(raw: bytes) -> bytes:
    """A name-addr that cannot be read, in quotes and brackets and without empty parameters."""
    try:
        NameAddr.parse(raw)
    except ParseError:
        pass
    else:
        return raw
    display, bracket, rest = raw.rpartition(b"<")
    if bracket:
        uri, closing, params = rest.partition(b">")
        if not closing:
            uri, _, params = rest.partition(b";")
    else:
        display, (uri, _, params) = b"", raw.partition(b";")
    uri = _SPACES.sub(b"", uri)
    name = _NOT_IN_A_NAME.sub(b"", display).strip(b" \t")
    parts = [part.strip(b" \t") for part in params.split(b";")]
    quoted = b'"' + name + b'" ' if name else b""
    return b";".join([quoted + b"<" + uri + b">", *(part for part in parts if part)])
