"""SIP, SIPS and TEL URIs and the name-addr form around them (RFC 3261 §19.1 and §20.10, RFC 3966).

What a URI says is kept decoded where people look at it (`SipUri.user`), and as it came where only bytes
count: an escaped user part is written again with the same escapes. URIs of other schemes are carried as
an opaque text in `SipUri.user`, with an empty host, because To and From may hold them (RFC 4475 §3.3.4).
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import format_params, parse_params, quote, quoted_end, text, unquote

_USER = rb"A-Za-z0-9\-_.!~*'()&=+$,;?/%#\x80-\xff"
_PARAM = rb"A-Za-z0-9\-_.!~*'()\[\]/:&+$%=@"
_SIP_URI = re.compile(
    rb"(?i:(sips?)):(?:([" + _USER + rb"]+)(?::([A-Za-z0-9\-_.!~*'()&=+$,%]*))?@)?"
    rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
    rb"(;[" + _PARAM + rb";]+)?(?:\?([^\s\"<>?\x00-\x1f\x7f]*))?"
)
_TEL_URI = re.compile(rb"(?i:tel):([+0-9A-Fa-f*#().\-]+)(;[" + _PARAM + rb";]+)?")
_ANY_URI = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*):([^\s\"<>\x00-\x1f\x7f]+)")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNSAFE_USER = re.compile(rb"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")
_UNSAFE_PASSWORD = re.compile(rb"[^A-Za-z0-9\-_.!~*'()&=+$,]")
_DISPLAY = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\xff]*")

_SEPARATORS = str.maketrans("", "", "-.()")  # those that a tel URI may hold, RFC 3966 §5.1.1

_MUST_MATCH = ("user", "ttl", "method", "maddr", "transport")


def _unescape(raw: bytes) -> str:
    if b"%" in raw:
        raw = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)
    return text(raw)


def _escape(value: str, unsafe: re.Pattern[bytes]) -> str:
    raw = value.encode("utf-8", "surrogateescape")
    return unsafe.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


class SipUri(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A URI. ``==`` compares as RFC 3261 §19.1.4 does, without regard to parameters that may differ.

    `user` and `password` are unescaped. `params` have lower-case names and their escapes as on the wire;
    a flag such as ``lr`` has the value ``""``. `host` is without the brackets of an IPv6 address.
    """

    scheme: str = "sip"
    user: str = ""
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: dict[str, str] = {}
    headers: str = ""
    """What follows the ``?``, as on the wire."""
    wire_user: str = ""
    """The user part as it came, escapes and all; not used when `user` was replaced."""

    @classmethod
    def parse(cls, value: str | bytes, where: str = "uri") -> SipUri:
        """Read one URI that has nothing around it.

        Raises:
            ParseError: with `where` as its layer.
        """
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        match = _SIP_URI.fullmatch(raw)
        if match is None:
            return cls._parse_other(raw, where)
        scheme, user, password, host, port, params, headers = match.groups()
        if b"%" in raw and _BAD_ESCAPE.search(raw):
            raise ParseError(f"bad escape in a URI: {raw[:80]!r}", layer=where)
        if port is not None and not 0 < int(port) < 65536:
            raise ParseError(f"bad port in a URI: {raw[:80]!r}", layer=where)
        name = _unescape(user) if user else ""
        return cls(
            scheme.lower().decode("ascii"),
            name,
            _unescape(password) if password else None,
            _host(host, where),
            None if port is None else int(port),
            parse_params(params, where) if params else {},
            text(headers) if headers else "",
            text(user) if user and b"%" in user else name,
        )

    @classmethod
    def _parse_other(cls, raw: bytes, where: str) -> SipUri:
        if match := _TEL_URI.fullmatch(raw):
            params = parse_params(match[2], where) if match[2] else {}
            return cls("tel", text(match[1]), params=params, wire_user=text(match[1]))
        match = _ANY_URI.fullmatch(raw)
        if match is None or match[1].lower() in {b"sip", b"sips", b"tel"}:
            raise ParseError(f"not a URI: {raw[:80]!r}", layer=where)
        return cls(text(match[1]).lower(), text(match[2]), wire_user=text(match[2]))

    def __str__(self) -> str:
        parts = [self.scheme, ":"]
        if self.host:
            if self.user:
                parts.append(self._written_user())
                if self.password:
                    parts += (":", _escape(self.password, _UNSAFE_PASSWORD))
                parts.append("@")
            parts.append(f"[{self.host}]" if ":" in self.host else self.host)
            if self.port is not None:
                parts.append(f":{self.port}")
        else:
            parts.append(self.user)
        if self.params:
            parts.append(format_params(self.params))
        if self.headers:
            parts.append(f"?{self.headers}")
        return "".join(parts)

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    def __eq__(self, other: object) -> bool:
        return self.matches(other) if isinstance(other, SipUri) else NotImplemented

    def __ne__(self, other: object) -> bool:
        # msgspec's own would compare identities
        return not self.matches(other) if isinstance(other, SipUri) else NotImplemented

    def __hash__(self) -> int:
        user = self.user.translate(_SEPARATORS).lower() if self.scheme == "tel" else self.user
        return hash((self.scheme, user, self.host.lower(), self.port))

    def _written_user(self) -> str:
        if self.wire_user and _unescape(self.wire_user.encode("utf-8", "surrogateescape")) == self.user:
            return self.wire_user
        return _escape(self.user, _UNSAFE_USER)

    def matches(self, other: SipUri) -> bool:
        """True when both mean the same by RFC 3261 §19.1.4.

        User and password count with their case, scheme and host do not; a missing port differs from
        5060; user, ttl, method, maddr and transport must be in both or in none; other parameters only
        count when both have them; headers always count.
        """
        if self.scheme == other.scheme == "tel":
            return self._same_telephone(other)
        if (self.scheme, self.user, self.password, self.port) != (
            other.scheme, other.user, other.password, other.port
        ) or self.host.lower() != other.host.lower():  # fmt: skip
            return False
        mine, theirs = self.params, other.params
        if mine or theirs:
            for name in _MUST_MATCH:
                if (name in mine) != (name in theirs):
                    return False
            for name in mine.keys() & theirs.keys():
                if _folded(mine[name]) != _folded(theirs[name]):
                    return False
        return sorted(_folded(self.headers).split("&")) == sorted(_folded(other.headers).split("&"))

    def _same_telephone(self, other: SipUri) -> bool:
        """RFC 3966 §4: separators and case do not count, every parameter does, in any order."""
        if self.user.translate(_SEPARATORS).lower() != other.user.translate(_SEPARATORS).lower():
            return False
        mine, theirs = (
            {name: value.translate(_SEPARATORS).lower() for name, value in uri.params.items()}
            for uri in (self, other)
        )
        return mine == theirs

    def param(self, name: str) -> str | None:
        """The value of a parameter: None when absent, ``""`` for a flag. The name's case is ignored."""
        return self.params.get(name.lower())

    @property
    def subscriber(self) -> str:
        """The telephone number with its parameters, as in ``4008123456;phone-context=+86``, or the user part.

        A tel URI has the parameters behind it, a SIP URI in its user part (RFC 3261 §19.1.6).
        """
        return self.user + format_params(self.params) if self.scheme == "tel" else self.user

    def with_params(self, **params: str | None) -> SipUri:
        """A copy with parameters set, or removed by None. Underscores stand for themselves."""
        merged = dict(self.params)
        for name, value in params.items():
            if value is None:
                merged.pop(name.lower(), None)
            else:
                merged[name.lower()] = value
        return msgspec.structs.replace(self, params=merged)

    def as_target(self) -> SipUri:
        """The URI of a Contact as a Request-URI, where no headers and no method may be (RFC 3261 §19.1.1)."""
        if not self.headers and "method" not in self.params:
            return self
        return msgspec.structs.replace(self.with_params(method=None), headers="")


def _folded(value: str) -> str:
    return _unescape(value.encode("utf-8", "surrogateescape")).lower()


def _host(raw: bytes, where: str) -> str:
    if not raw.startswith(b"["):
        return raw.decode("ascii")
    host = raw[1:-1].decode("ascii")
    if ":::" in host and "." in host.rpartition(":::")[2]:
        # what the grammar of RFC 3261 makes of "::" before an IPv4 address, by mistake (RFC 5118 §4.10)
        host = "::".join(host.rsplit(":::", 1))
    try:
        ipaddress.IPv6Address(host)
    except ValueError as error:
        raise ParseError(f"not an IPv6 address: {host!r}", layer=where) from error
    return host


class NameAddr(msgspec.Struct, frozen=True, gc=False):
    """A URI with a display name and header parameters: the value of From, To, Contact, Route.

    `display` is without quotes. `params` have lower-case names; a quoted value keeps its quotes, which
    `param` takes off.
    """

    uri: SipUri
    display: str = ""
    params: dict[str, str] = {}

    @classmethod
    def parse(cls, value: str | bytes, where: str = "name-addr") -> NameAddr:
        """Read ``"Display" <uri>;params`` or ``uri;params``.

        Without brackets all parameters belong to the header, and ``?`` and ``,`` are not allowed
        (RFC 3261 §20).

        Raises:
            ParseError: with `where` as its layer.
        """
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        raw = raw.strip(b" \t")
        display = ""
        if raw.startswith(b'"'):
            end = quoted_end(raw, where)
            display = unquote(text(raw[:end]))
            raw = raw[end:].lstrip(b" \t")
            if not raw.startswith(b"<"):
                raise ParseError(f"no <URI> after a display name: {raw[:80]!r}", layer=where)
        before, bracket, inside = raw.partition(b"<")
        if not bracket:
            spec, semicolon, params = raw.partition(b";")
            spec = spec.rstrip(b" \t")
            if b"?" in spec or b"," in spec:
                raise ParseError(f"a URI with ? or , needs <>: {raw[:80]!r}", layer=where)
            uri = SipUri.parse(spec, where)
            return cls(uri, "", _header_params(params, where) if semicolon else {})
        if before:
            if not _DISPLAY.fullmatch(before):
                raise ParseError(f"a display name needs quotes: {before[:80]!r}", layer=where)
            display = text(before.rstrip(b" \t"))
        spec, closing, rest = inside.partition(b">")
        rest = rest.strip(b" \t")
        if not closing or (rest and not rest.startswith(b";")):
            raise ParseError(f"brackets do not match: {raw[:80]!r}", layer=where)
        return cls(SipUri.parse(spec, where), display, _header_params(rest, where) if rest else {})

    def __str__(self) -> str:
        params = format_params(self.params) if self.params else ""
        if self.display:
            return f"{quote(self.display)} <{self.uri}>{params}"
        return f"<{self.uri}>{params}"

    def __bytes__(self) -> bytes:
        return str(self).encode("utf-8", "surrogateescape")

    @property
    def tag(self) -> str:
        """The tag, or ``""``."""
        return self.params.get("tag", "")

    def param(self, name: str) -> str | None:
        """A header parameter without its quotes: None when absent, ``""`` for a flag."""
        value = self.params.get(name.lower())
        return None if value is None else unquote(value)

    def with_tag(self, tag: str) -> NameAddr:
        """A copy with this tag; an empty one takes the tag away."""
        params = {name: value for name, value in self.params.items() if name != "tag"}
        if tag:
            params["tag"] = tag
        return msgspec.structs.replace(self, params=params)


def _header_params(raw: bytes, where: str) -> dict[str, str]:
    """Parameters of a header; a tag must have a value, or ours would become a second one."""
    params = parse_params(raw, where)
    if params.get("tag", "x")[:1] in {"", '"'}:
        raise ParseError(f"a tag that is no token: {raw[:80]!r}", layer=where)
    return params
