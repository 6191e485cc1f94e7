"""Typed header values other than name-addr: Via, CSeq, RAck, media types, reasons."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import format_params, is_token, number, parse_params, split, text, unquote

_VIA = re.compile(
    rb"(?i:SIP)[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]+)[ \t]++"
    rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,45}\])[ \t]*+(?::[ \t]*+([0-9]{1,5}))?[ \t]*+(;.*)?",
    re.DOTALL,
)
_DELTA = re.compile(rb"[0-9]+(?=[ \t;(]|\Z)")  # Retry-After may go on with a comment or parameters

_LONGEST_VIA = 2048
"""Octets of one value; the Via of a refused message is read too, so that its sender gets the answer."""

MAX_CSEQ = 2**31 - 1
"""The largest sequence number (RFC 3261 §8.1.1.5)."""


class CSeq(msgspec.Struct, frozen=True, gc=False):
    """Sequence number and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, raw: bytes, where: str = "header:CSeq") -> CSeq:
        """Read ``4711 INVITE``. Raises ParseError for a number of 2**31 or more."""
        words = _words(raw)
        if len(words) != 2 or not is_token(words[1]):
            raise ParseError(f"not a sequence number and a method: {raw[:80]!r}", layer=where)
        return cls(number(words[0], where, MAX_CSEQ), words[1].decode("ascii"))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class Via(msgspec.Struct, frozen=True, gc=False):
    """One Via value (RFC 3261 §20.42). `host` is without the brackets of an IPv6 address."""

    transport: str
    """As it came, usually ``UDP`` or ``TCP``."""
    host: str
    port: int | None = None
    params: dict[str, str] = {}

    @classmethod
    def parse(cls, value: str | bytes, where: str = "header:Via") -> Via:
        """Read one value, with the white space that RFC 3261 allows around every slash.

        Raises:
            ParseError: with `where` as its layer.
        """
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        match = _VIA.fullmatch(raw.strip(b" \t")) if len(raw) <= _LONGEST_VIA else None
        if match is None:
            raise ParseError(f"not a Via: {raw[:80]!r}", layer=where)
        transport, host, port, params = match.groups()
        if port is not None and not 0 < int(port) < 65536:
            raise ParseError(f"bad port in a Via: {raw[:80]!r}", layer=where)
        return cls(
            transport.decode("ascii"),
            host.strip(b"[]").decode("ascii"),
            None if port is None else int(port),
            parse_params(params, where) if params else {},
        )

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{format_params(self.params)}"

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    @property
    def sent_by(self) -> str:
        """Host and port as they stand in the header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def branch(self) -> str:
        """The branch, or ``""`` for a peer of RFC 2543."""
        return self.params.get("branch", "")

    @property
    def received(self) -> str:
        """The source address that a server noted, or ``""``."""
        return self.params.get("received", "").strip("[]")

    @property
    def rport(self) -> int | None:
        """The source port that a server noted (RFC 3581); None when absent, not a port, or only asked for."""
        value = self.params.get("rport", "")
        port = int(value) if value.isascii() and value.isdigit() and len(value) <= 5 else 0
        return port if 0 < port < 65536 else None

    @property
    def wants_rport(self) -> bool:
        """True when the sender asked for rport (RFC 3581 §3)."""
        return "rport" in self.params

    def with_params(self, **params: str | None) -> Via:
        """A copy with parameters set, or removed by None."""
        merged = dict(self.params)
        for name, value in params.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        return msgspec.structs.replace(self, params=merged)


class RAck(NamedTuple):
    """What a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, raw: bytes, where: str = "header:RAck") -> RAck:
        """Read ``776656 1 INVITE``. Raises ParseError."""
        words = _words(raw)
        if len(words) != 3 or not is_token(words[2]):
            raise ParseError(f"not a RAck: {raw[:80]!r}", layer=where)
        return cls(number(words[0], where), number(words[1], where, MAX_CSEQ), words[2].decode("ascii"))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class MediaType(NamedTuple):
    """A Content-Type, in lower case."""

    kind: str
    subtype: str
    params: dict[str, str]

    @classmethod
    def parse(cls, raw: bytes, where: str = "header:Content-Type") -> MediaType:
        """Read ``application/sdp;charset=utf-8``. Raises ParseError."""
        name, _, params = raw.partition(b";")
        kind, slash, subtype = name.partition(b"/")
        kind, subtype = kind.strip(b" \t"), subtype.strip(b" \t")
        if not slash or not is_token(kind) or not is_token(subtype):
            raise ParseError(f"not a media type: {raw[:80]!r}", layer=where)
        return cls(
            kind.decode("ascii").lower(),
            subtype.decode("ascii").lower(),
            parse_params(params, where) if params else {},
        )

    def __str__(self) -> str:
        return f"{self.kind}/{self.subtype}{format_params(self.params)}"


class Reason(NamedTuple):
    """Why a request was sent (RFC 3326): ``Q.850;cause=16;text="normal"``."""

    protocol: str
    cause: int | None
    text: str

    @classmethod
    def parse_all(cls, raw: bytes, where: str = "header:Reason") -> list[Reason]:
        """Read a Reason line with one or more values. Raises ParseError."""
        reasons = []
        for piece in split(raw, b",", where):
            name, _, rest = piece.partition(b";")
            params = parse_params(rest, where) if rest else {}
            cause = params.get("cause")
            reasons.append(
                cls(
                    text(name.strip(b" \t")),
                    None if cause is None else number(cause.encode("utf-8", "replace"), where),
                    unquote(params.get("text", "")),
                )
            )
        return reasons


def _words(raw: bytes) -> list[bytes]:
    return [word for word in raw.replace(b"\t", b" ").split(b" ") if word]


def delta_seconds(raw: bytes | None) -> int | None:
    """Read Expires, Retry-After and their like; a value past 2**32-1 becomes 2**32-1 (RFC 3261 §20.19).

    None for an absent or unreadable value, which RFC 3261 §10.2.1.1 wants treated as the default.
    """
    if raw is None:
        return None
    digits = _DELTA.match(raw)
    if digits is None:
        return None
    stripped = digits[0].lstrip(b"0")[:11] or b"0"
    return min(int(stripped), 2**32 - 1)
