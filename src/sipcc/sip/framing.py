"""Where a message and its headers begin and end (RFC 3261 §7.3.1, §18.3): limits, lines, folding.

This is the layer where a mistake lets two readers see two messages in the same bytes, so nothing is
tolerated here: CR and LF come as a pair only, and a length is a plain number that stands once.
"""

from __future__ import annotations

import enum
import re

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.headers import NAMES, canonical_raw


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a message we read before we call it an attack; checked before memory is taken."""

    message_bytes: int = 65536
    """One message. No UDP datagram is longer, and no stream needs to carry more."""
    head_bytes: int = 32768
    """Start line and headers on a stream: what we buffer for a peer that never ends them."""
    headers: int = 256
    """Header lines. Real messages have 10 to 40; each costs a list slot and a scan."""
    line_bytes: int = 8192
    """One header after unfolding; twice the longest seen from carriers (Identity, History-Info)."""
    dense: int = 24
    """Octets of a large header block for each comma and semicolon in it. The densest INVITE of RFC 4475
    has 40; lists and parameters that are packed much closer cost many times their size once they are read."""
    folds: int = 16
    """Continuation lines of one header; the worst of RFC 4475 needs 3."""


_LARGE = 4096
"""A header block up to this size may be as dense as it likes."""

LIMITS = Limits()
"""The limits of production."""


class KeepAlive(enum.Enum):
    """What a stream carries between messages (RFC 5626 §3.5.1)."""

    PING = b"\r\n\r\n"
    """Answer it with PONG."""
    PONG = b"\r\n"


def is_keepalive(data: bytes) -> bool:
    """True for a datagram that only keeps a NAT binding open: empty, or nothing but CR, LF and NUL."""
    return len(data) <= 64 and not data.strip(b"\r\n\x00")


def read_lines(head: bytes, limits: Limits) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Cut a header block into its start line and its (canonical name, value) items.

    Raises:
        ParseError: framing for a lone CR or LF or a broken limit, ``header:name`` for a bad name.
    """
    ends = head.count(b"\n")
    if ends > limits.headers:
        raise ParseError("too many headers", layer="framing", status_hint=513)
    if head.count(b"\r") != ends or head.endswith((b"\r", b"\n")):
        raise ParseError("CR or LF alone", layer="framing")
    if len(head) > _LARGE and head.count(b",") + head.count(b";") > len(head) // limits.dense:
        raise ParseError("too many values or parameters", layer="framing", status_hint=513)
    # bytes.splitlines cuts at CR, LF and CRLF, and at nothing else (unlike that of str): when there are as
    # many CRs and as many LFs as cuts, each cut was a CRLF
    lines = head.splitlines()
    if len(lines) - 1 != ends:
        raise ParseError("CR or LF alone", layer="framing")
    if len(head) > limits.line_bytes and max(map(len, lines)) > limits.line_bytes:
        raise ParseError("a header is too long", layer="framing", status_hint=513)
    start = lines[0]
    del lines[0]
    names = NAMES
    if b"\x0b" not in head and b"\x0c" not in head:  # strip() takes these two for white space, SIP does not
        items: list[tuple[str, bytes]] = []
        append = items.append
        try:
            for line in lines:
                raw, colon, value = line.partition(b":")
                append((names[raw if colon else b""], value.strip()))
        except KeyError:
            pass  # a name that was not seen yet, or a folded line: the careful way
        else:
            return start, items
    return start, _read_carefully(unfold(head, limits)[1:], limits)


def _read_carefully(lines: list[bytes], limits: Limits) -> list[tuple[str, bytes]]:
    items: list[tuple[str, bytes]] = []
    for line in lines:
        raw, colon, value = line.partition(b":")
        if not colon:
            raise ParseError(f"a header without a colon: {line[:60]!r}", layer="header:name")
        if len(line) > limits.line_bytes:
            raise ParseError("a header is too long", layer="framing", status_hint=513)
        items.append((NAMES.get(raw) or canonical_raw(raw), value.strip(b" \t")))
    return items


def unfold(head: bytes, limits: Limits) -> list[bytes]:
    """The lines of a header block with folded ones joined by one space (RFC 3261 §7.3.1)."""
    lines: list[bytes] = []
    pieces: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in {b" ", b"\t"} and pieces:
            if len(lines) == 0 or len(pieces) > limits.folds:
                raise ParseError("a header with too many folds, or a folded start line", layer="framing")
            pieces.append(line.strip(b" \t"))
            continue
        if pieces:
            lines.append(b" ".join(pieces))
        pieces = [line]
    lines.append(b" ".join(pieces))
    return lines


_LENGTH = re.compile(rb"[0-9]{1,10}")
_LENGTH_LINE = re.compile(rb"\r\n(?i:Content-Length|l)[ \t]*+:[ \t]*+([0-9]{1,10})[ \t]*+(?=\r\n|\Z)")
_LENGTH_NAME = re.compile(rb"\r\n(?i:Content-Length|l)[ \t]*+:")


def body_bytes(head: bytes) -> int | None:
    """How many octets of body follow `head` on a stream; None when there is no, or no single, plain length.

    This looks at one line only; the reader of the message checks that line again with all others.
    """
    found = _LENGTH_LINE.findall(head)
    if len(found) != 1 or len(_LENGTH_NAME.findall(head)) != 1:
        return _folded_length(head)
    return int(found[0])


def _folded_length(head: bytes) -> int | None:
    try:
        lines = unfold(head, LIMITS)
    except ParseError:
        return None
    lengths = []
    for line in lines:
        name, _, value = line.partition(b":")
        if name.rstrip(b" \t").lower() in {b"content-length", b"l"}:
            lengths.append(value.strip(b" \t"))
    return int(lengths[0]) if len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) else None
