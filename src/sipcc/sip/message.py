"""Requests and responses: headers as they came, typed views made when somebody asks.

A view is made once and kept until a header changes. After `parse_datagram` the views of this module
cannot fail, because the parser has checked their headers; on a message that was built by hand, or that
hangs on a `BadMessage`, they raise ParseError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Self

from sipcc.errors import ParseError
from sipcc.sip.fields import CSeq, MediaType, Via
from sipcc.sip.grammar import number, split, text, wire
from sipcc.sip.headers import Headers
from sipcc.sip.uri import NameAddr, SipUri

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification",
    300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
    380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    429: "Provide Referrer Identity", 430: "Flow Failed", 433: "Anonymity Disallowed",
    439: "First Hop Lacks Outbound Support", 469: "Bad Info Package", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
    484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 493: "Undecipherable",
    494: "Security Agreement Required", 500: "Server Internal Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 580: "Precondition Failure", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}  # fmt: skip
"""Status -> reason phrase."""

METHODS = frozenset({
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE", "REFER",
    "NOTIFY", "SUBSCRIBE", "PUBLISH",
})  # fmt: skip
"""Methods that some RFC defines; others are legal and earn 501."""

_COOKIE = b"z9hG4bK"
_MAX_VALUES = 256
_CACHED_BYTES = 256
_LINE_STARTS: dict[str, bytes] = {}


@lru_cache(maxsize=4096)
def _short_name_addr(raw: bytes, where: str) -> NameAddr:
    return NameAddr.parse(raw, where)


def _name_addr(raw: bytes, where: str) -> NameAddr:
    """Read a value; the messages of one call say the same ones again and again, so they are remembered."""
    return _short_name_addr(raw, where) if len(raw) <= _CACHED_BYTES else NameAddr.parse(raw, where)


@lru_cache(maxsize=1024)
def _uri(raw: bytes) -> SipUri:
    return SipUri.parse(raw, "start-line")


class Message:
    """What requests and responses share."""

    __slots__ = ("_facts", "_facts_version", "_views", "_views_version", "body", "headers")

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self._views: dict[str, Any] = {}
        self._views_version = headers.version
        self._facts: tuple[bytes, bytes, bytes, bytes, bytes] | None = None
        self._facts_version = -1

    @property
    def start_line(self) -> bytes:
        """The first line, without its line end."""
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        """The message for the wire; Content-Length is made here, whatever the headers say."""
        parts = [self.start_line]
        for name, raw in self.headers.items:
            if name != "Content-Length":
                start = _LINE_STARTS.get(name)
                parts.append((start or _line_start(name)) + raw)
        parts.append(b"Content-Length: %d\r\n" % len(self.body))
        return b"\r\n".join(parts) + b"\r\n" + self.body

    def __repr__(self) -> str:
        return f"<{text(self.start_line)} {self.headers.get('CSeq')} {self.headers.get('Call-ID')}>"

    def _current(self) -> dict[str, Any]:
        if self._views_version != self.headers.version:
            self._views = {}
            self._views_version = self.headers.version
        return self._views

    def forget(self) -> None:
        """Drop the views, for a message that is only kept in case it is asked for again."""
        self._views = {}
        self.headers.forget()

    def _required(self, name: str) -> bytes:
        raw = self.headers.first().get(name)
        if raw is None:
            raise ParseError(f"no {name}", layer="semantic")
        return raw

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return text(self._required("Call-ID"))

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method."""
        views = self._current()
        view: CSeq | None = views.get("CSeq")
        if view is None:
            view = views["CSeq"] = CSeq.parse(self._required("CSeq"))
        return view

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        return self._name_addr("From")

    @property
    def to(self) -> NameAddr:
        """The To header."""
        return self._name_addr("To")

    def _name_addr(self, name: str) -> NameAddr:
        views = self._current()
        view: NameAddr | None = views.get(name)
        if view is None:
            view = views[name] = _name_addr(self._required(name), f"header:{name}")
        return view

    def _name_addrs(self, name: str) -> list[NameAddr]:
        views = self._current()
        view: list[NameAddr] | None = views.get(name)
        if view is None:
            where = f"header:{name}"
            pieces = [] if name == "Contact" and self.contact_is_star else self._pieces(name)
            view = views[name] = [_name_addr(piece, where) for piece in pieces]
        return view

    def _pieces(self, name: str) -> list[bytes]:
        """The values of a list header, at most 256: more are no address book but an attack."""
        pieces: list[bytes] = []
        for raw in self.headers.get_all_raw(name):
            pieces += split(raw, b",", f"header:{name}")
            if len(pieces) > _MAX_VALUES:
                raise ParseError(f"too many values of {name}", layer=f"header:{name}", status_hint=513)
        return pieces

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.vias[0]

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first."""
        views = self._current()
        view: list[Via] | None = views.get("Via")
        if view is None:
            view = [Via.parse(piece) for piece in self._pieces("Via")]
            if not view:
                raise ParseError("no Via", layer="semantic")
            views["Via"] = view
        return view

    def replace_via(self, via: Via) -> None:
        """Put `via` in the place of the topmost one; the others stay as they came."""
        first, *rest = split(self._required("Via"), b",", "header:Via")
        del first
        self.headers.replace_first("Via", b", ".join([bytes(via), *rest]))

    @property
    def contacts(self) -> list[NameAddr]:
        """All Contact values; empty for ``Contact: *`` (see `contact_is_star`)."""
        return self._name_addrs("Contact")

    @property
    def contact_is_star(self) -> bool:
        """True for ``Contact: *``, which only REGISTER may send."""
        return self.headers.get_all_raw("Contact") == [b"*"]

    @property
    def routes(self) -> list[NameAddr]:
        """The Route set of this message, topmost first."""
        return self._name_addrs("Route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """All Record-Route values, topmost first."""
        return self._name_addrs("Record-Route")

    @property
    def max_forwards(self) -> int:
        """Max-Forwards, 70 when absent."""
        raw = self.headers.first().get("Max-Forwards")
        return 70 if raw is None else number(raw, "header:Max-Forwards", 255)

    @property
    def content_type(self) -> str:
        """``type/subtype`` in lower case without parameters; ``""`` when absent or unreadable."""
        raw = self.headers.first().get("Content-Type")
        if raw is None:
            return ""
        try:
            media = MediaType.parse(raw)
        except ParseError:
            return ""
        return f"{media.kind}/{media.subtype}"


class Request(Message):
    """A request. `method` keeps its case; methods are case-sensitive."""

    __slots__ = ("_uri", "method")

    def __init__(self, method: str, uri: SipUri | bytes, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self._uri = uri

    @classmethod
    def build(
        cls,
        method: str,
        uri: SipUri | str,
        headers: Iterable[tuple[str, str | bytes]] = (),
        body: bytes = b"",
    ) -> Self:
        """Make a request. Raises LocalProtocolError when a header value holds CR or LF."""
        target = uri if isinstance(uri, SipUri) else SipUri.parse(uri)
        return cls(method, target, Headers(headers), body)

    @property
    def uri(self) -> SipUri:
        """The Request-URI, read when first asked for."""
        if isinstance(self._uri, bytes):
            raw = self._uri
            self._uri = _uri(raw) if len(raw) <= _CACHED_BYTES else SipUri.parse(raw, "start-line")
        return self._uri

    @uri.setter
    def uri(self, uri: SipUri) -> None:
        self._uri = uri

    @property
    def uri_raw(self) -> bytes:
        """The Request-URI as bytes, as it came."""
        return self._uri if isinstance(self._uri, bytes) else bytes(self._uri)

    @property
    def start_line(self) -> bytes:
        """``METHOD uri SIP/2.0``."""
        return b"%b %b SIP/2.0" % (self.method.encode("ascii"), wire(self.uri_raw))

    def copy(self) -> Request:
        """An independent copy; values and body are shared."""
        return Request(self.method, self._uri, self.headers.copy(), self.body)


class Response(Message):
    """A response. `reason` is text; bytes that are no UTF-8 survive in it."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @classmethod
    def build(
        cls,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
        body: bytes = b"",
    ) -> Self:
        """Make a response; `sipcc.sip.build.response` makes one that answers a request."""
        return cls(status, reason_of(status) if reason is None else reason, Headers(headers), body)

    @property
    def start_line(self) -> bytes:
        """``SIP/2.0 status reason``."""
        return b"SIP/2.0 %d %b" % (self.status, wire(self.reason))

    def copy(self) -> Response:
        """An independent copy; values and body are shared."""
        return Response(self.status, self.reason, self.headers.copy(), self.body)


class BadMessage(ParseError):
    """A message that cannot be used.

    `request` holds what could be read of it when that is enough to send an answer: at least a method and
    a Via. Its typed views may raise ParseError. ACKs and responses are never answered.
    """

    def __init__(
        self,
        message: str,
        *,
        layer: str,
        offset: int = -1,
        status_hint: int = 400,
        request: Request | None = None,
    ) -> None:
        super().__init__(message, layer=layer, offset=offset, status_hint=status_hint)
        self.request = request


def reason_of(status: int) -> str:
    """The reason phrase of a status."""
    return REASONS.get(status, "Unknown")


_TAG = re.compile(rb";[ \t]*+(?i:tag)[ \t]*+(?:=([^;]*+)|(?=;|\Z))")


def tag_of(raw: bytes) -> bytes:
    """The tag of a raw From or To value, or ``b""``; never raises, also for broken values."""
    tail = raw[raw.rfind(b">") + 1 :]
    if b'"' in tail or raw.count(b'"') % 2:
        try:
            return NameAddr.parse(raw).tag.encode("utf-8", "surrogateescape")
        except ParseError:
            return b""
    found = _TAG.search(tail)  # no split: this reads refused messages too, which may have thousands
    return (found[1] or b"").strip(b" \t") if found else b""


def transaction_key(message: Request | Response) -> tuple[bytes, bytes, bytes]:
    """What finds the transaction of a message: (branch, sent-by, method), RFC 3261 §17.1.3 and §17.2.3.

    The method is that of CSeq; an ACK has the key of its INVITE. sent-by is in lower case. A request
    without a branch that starts with the magic cookie and goes on comes from a peer of RFC 2543: then
    the first part is made of Request-URI, tags, Call-ID, CSeq number and Via, so that INVITE, its ACK
    and its CANCEL share it.

    Raises:
        ParseError: for a message whose Via or CSeq cannot be read; never after `parse_datagram`.
    """
    if message._facts_version == message.headers.version and message._facts is not None:
        branch, sent_by, method, _, _ = message._facts
    else:
        via = message.via
        branch = via.branch.encode("utf-8", "surrogateescape")
        sent_by = via.sent_by.lower().encode("ascii")
        method = message.cseq.method.encode("ascii")
    if method == b"ACK":
        method = b"INVITE"
    if isinstance(message, Request) and (len(branch) < 8 or branch[:7] != _COOKIE):
        branch = _old_branch(message, method)
    return branch, sent_by, method


def _old_branch(request: Request, method: bytes) -> bytes:
    first = request.headers.first()
    parts = [request.uri_raw, first.get("Call-ID", b""), tag_of(first.get("From", b""))]
    parts += [b"%d" % request.cseq.number, split(first.get("Via", b""), b",")[0]]
    if method not in {b"INVITE", b"CANCEL"}:
        parts.append(tag_of(first.get("To", b"")))  # the ACK to a non-2xx has a tag that its INVITE had not
    return b"\r\n".join(parts)


def dialog_key(message: Request | Response) -> tuple[bytes, bytes, bytes]:
    """(Call-ID, From tag, To tag) as raw bytes; missing tags are ``b""``.

    Local and remote are the caller's to decide: in a request that came in, From is the peer.
    """
    first = message.headers.first()
    if message._facts_version == message.headers.version and message._facts is not None:
        return first["Call-ID"], message._facts[3], message._facts[4]
    return first.get("Call-ID", b""), tag_of(first.get("From", b"")), tag_of(first.get("To", b""))


def _line_start(name: str) -> bytes:
    start = name.encode("ascii") + b": "
    if len(_LINE_STARTS) < 4096:
        _LINE_STARTS[name] = start
    return start
