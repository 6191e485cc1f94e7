"""Bodies of several parts (RFC 2046 §5.1, RFC 5621): which part is the one that is wanted.

A carrier may wrap its SDP with ISUP, location or whatever else it has. Parts are looked through in order,
nested ones too; of alternatives the last that is known counts (RFC 2046 §5.1.4). Lines may end in CRLF or
bare LF, the last delimiter may be missing, and there may be text before the first: all of these are sent
by devices in use. What cannot be read yields no part; nothing here raises for what a peer sent.

How a part is to be treated stands in its ``handling`` (RFC 3261 §20.11). One that is said to be
``required`` and is not known earns 415. One that does not say is passed over, although RFC 5621 §5.3 would
refuse it: carriers that add a part seldom say so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.grammar import is_token, split, text, unquote, wire
from sipcc.sip.headers import canonical_raw
from sipcc.sip.message import Message

MAX_PARTS = 32
"""Parts of one body, nested ones of each level counted for themselves; what comes after is not looked at."""
MAX_DEPTH = 4
"""Multiparts inside multiparts."""
MAX_PART_HEADER_BYTES = 8192
"""Header lines of one part."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_PLAIN = frozenset({"", "identity", "7bit", "8bit", "binary"})


class Part(NamedTuple):
    """One part of a body."""

    content_type: str
    """As it stands in the header, with parameters."""
    body: bytes
    disposition: str = ""
    """Content-Disposition, such as ``signal;handling=optional``."""
    content_id: str = ""
    """Content-ID without its angle brackets."""
    encoding: str = ""
    """Content-Transfer-Encoding; RFC 3261 knows no other than none."""

    @property
    def kind(self) -> str:
        """``type/subtype`` in lower case, ``text/plain`` by default (RFC 2046 §5.2); ``""`` if unreadable."""
        return _kind(self.content_type) if self.content_type else "text/plain"

    @property
    def handling(self) -> str:
        """``required`` or ``optional`` as it stands there, or ``""``."""
        return _param(self.disposition, "handling").lower()


def body_of(message: Message, kind: str) -> bytes | None:
    """The first body of the type `kind` in `message`, whole or a part of it; None when there is none.

    An empty one is none.
    """
    found = [part.body for part in _leaves(_whole(message)) if part.kind == kind and part.body]
    return found[0] if found else None


def unacceptable(message: Message, known: Collection[str]) -> bool:
    """True when `message` has a body that earns 415 from somebody who knows the types `known`.

    That is a body without any part of these types, unless the whole is optional; or a part that says
    that it is required and has none of them.
    """
    if not message.body:
        return False
    whole = _whole(message)
    leaves = list(_leaves(whole))
    if any(part.handling == "required" and part.kind not in known for part in leaves):
        return True
    if whole.handling == "optional" or any(part.kind in known for part in leaves):
        return False
    return not leaves or any(part.handling != "optional" for part in leaves)


def unwrap(message: Message, kind: str = "application/sdp") -> None:
    """Leave of the body what sessions read: the part of type `kind`, or nothing where all is optional.

    Content-Type follows. A body that is neither stays as it is, and earns its refusal. Only for requests
    that are through admission, since a digest may cover the body (RFC 7616 §3.4.3).
    """
    if not message.body or message.content_type == kind:
        return
    found = body_of(message, kind)
    if found is not None:
        message.body = found
        message.headers.set("Content-Type", kind)
    elif not unacceptable(message, (kind,)):
        message.body = b""
        message.headers.remove("Content-Type")


def parts_of(message: Message) -> list[Part]:
    """All bodies of `message` that are no multipart themselves, in their order, at most `MAX_PARTS`."""
    return list(islice(_leaves(_whole(message)), MAX_PARTS))


def build(parts: Sequence[Part], *, boundary: str, subtype: str = "mixed") -> tuple[str, bytes]:
    """Content-Type and body of a multipart of `parts`.

    Raises:
        LocalProtocolError: the boundary is no boundary, or stands in one of the parts.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise LocalProtocolError(f"not a boundary: {boundary[:80]!r}")
    mark = b"--" + boundary.encode("ascii")
    pieces: list[bytes] = []
    for part in parts:
        if mark in part.body:
            raise LocalProtocolError("the boundary stands in a part")
        lines = [mark, b"Content-Type: " + wire(part.content_type)]
        if part.disposition:
            lines.append(b"Content-Disposition: " + wire(part.disposition))
        if part.content_id:
            lines.append(b"Content-ID: <" + wire(part.content_id) + b">")
        pieces.append(b"\r\n".join([*lines, b"", part.body]))
    pieces.append(mark + b"--\r\n")
    return f'multipart/{subtype};boundary="{boundary}"', b"\r\n".join(pieces)


def _whole(message: Message) -> Part:
    """The body of `message` as a part of itself."""
    first = message.headers.first()
    return Part(
        text(first.get("Content-Type", b"?")),
        message.body,
        text(first.get("Content-Disposition", b"")),
        encoding=text(first.get("Content-Encoding", b"")),
    )


def _leaves(part: Part, depth: int = 0) -> Iterator[Part]:
    if part.encoding.strip(" \t").lower() not in _PLAIN:
        return
    if not part.kind.startswith("multipart/"):
        yield part
        return
    boundary = _param(part.content_type, "boundary")
    if depth >= MAX_DEPTH or not _BOUNDARY.fullmatch(boundary):
        return
    parts = [_read(piece) for piece in _pieces(part.body, boundary.encode("ascii"))]
    if part.kind == "multipart/alternative":
        parts.reverse()
    for inner in parts:
        yield from _leaves(inner, depth + 1)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between the delimiter lines."""
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    begin: int | None = None
    count = 0
    for found in line.finditer(body):
        if begin is not None:
            yield body[begin : found.start()]
            count += 1
        if found[1] is not None or count >= MAX_PARTS:
            return
        begin = found.end()
    if begin is not None:  # the last delimiter is missing
        yield body[begin:]


def _read(piece: bytes) -> Part:
    """One part; `piece` begins with the line end of its delimiter, or is empty."""
    start = _LINE_END.match(piece)
    piece = piece[start.end() :] if start else piece
    blank = _LINE_END.match(piece)
    if blank is not None:
        return Part("", piece[blank.end() :])
    end = _HEADER_END.search(piece, 0, MAX_PART_HEADER_BYTES)
    head, body = (piece[: end.start()], piece[end.end() :]) if end else (piece[:MAX_PART_HEADER_BYTES], b"")
    found: dict[str, str] = {}
    for raw in _LINE_END.split(_FOLD.sub(b" ", head)):
        name, colon, value = raw.partition(b":")
        if not colon:
            continue
        try:
            found.setdefault(canonical_raw(name), text(value.strip(b" \t")))
        except ParseError:
            continue
    content_id = found.get("Content-Id", found.get("Content-ID", ""))
    if len(content_id) >= 2 and content_id[0] == "<" and content_id[-1] == ">":
        content_id = content_id[1:-1]
    return Part(
        found.get("Content-Type", ""),
        body,
        found.get("Content-Disposition", ""),
        content_id,
        found.get("Content-Transfer-Encoding", found.get("Content-Encoding", "")),
    )


def _kind(content_type: str) -> str:
    kind, slash, subtype = content_type.partition(";")[0].partition("/")
    kind, subtype = kind.strip(" \t").lower(), subtype.strip(" \t").lower()
    both = kind.isascii() and subtype.isascii()
    if not slash or not both or not is_token(kind.encode()) or not is_token(subtype.encode()):
        return ""
    return f"{kind}/{subtype}"


def _param(value: str, name: str) -> str:
    """One parameter without quotes, or ``""``; broken neighbours do not hide it."""
    for piece in split(value.encode("utf-8", "surrogateescape"), b";")[1:]:
        key, equals, found = piece.partition(b"=")
        if equals and key.strip(b" \t").lower() == name.encode("ascii"):
            return unquote(text(found.strip(b" \t")))
    return ""
