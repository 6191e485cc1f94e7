"""Bytes to messages, for datagrams and for streams (RFC 3261 §7, §18.3; judged by RFC 4475).

Two speeds. What common devices send is checked by one tight pattern per header; whatever a pattern does
not know goes the slow way through the typed views, which know the whole grammar and say what is wrong.
The patterns accept less than the views do, so a message that leaves here has valid views.

Strict where leniency would let two readers see two messages (framing, repeated headers, bare LF, the
start line), and where the text would be copied into our own messages. The order of the verdicts is
framing, start-line, header:NAME, semantic.
"""

from __future__ import annotations

import re
from typing import Literal, NoReturn

from sipcc.errors import ParseError
from sipcc.sip.framing import LIMITS, KeepAlive, Limits, body_bytes, is_keepalive, read_lines
from sipcc.sip.grammar import TOKEN_CHARS, is_token, text
from sipcc.sip.headers import NAMES, Headers
from sipcc.sip.lenient import head_end, mend, mend_head
from sipcc.sip.message import METHODS, BadMessage, Request, Response

__all__ = [
    "LIMITS", "KeepAlive", "Limits", "Received", "StreamParser", "is_keepalive", "parse_datagram",
    "parse_message",
]  # fmt: skip

_METHOD_NAMES = {name.encode("ascii"): name for name in METHODS}

_PORT = rb"(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})"
_HOST4 = rb"[A-Za-z0-9._-]+" + _PORT + rb"?"
_URI = (
    rb"sips?:(?:[A-Za-z0-9\-_.!~*'()&=+$,/#]+@)?"
    + _HOST4
    + rb"(?:;[A-Za-z0-9\-_.!~*']+(?:=[A-Za-z0-9\-_.!~*'():&+$]+)?)?"
)
_fast_uri = re.compile(_URI).fullmatch
_fast_name_addr = re.compile(
    rb"(?:\"[^\"\\\x00-\x1f\x7f]*\"[ ]?|[A-Za-z0-9\-.!%*_+`'~ ]*)<"
    + _URI
    + rb">(?:;tag=(["
    + TOKEN_CHARS
    + rb"]+))?"
).fullmatch
_BRANCH = rb";branch=([" + TOKEN_CHARS + rb"]+)"
_fast_via = re.compile(
    rb"SIP/2\.0/[A-Z]+ ("
    + _HOST4
    + rb")(?:;rport"
    + _BRANCH
    + rb"|"
    + _BRANCH
    + rb"(?:;rport(?:=[0-9]{1,5})?)?(?:;received=[0-9.]+)?|"
    + _BRANCH
    + rb";received=[0-9.]+;rport(?:=[0-9]{1,5})?)"
).fullmatch
_fast_response = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)").fullmatch
_VERSION = re.compile(rb"SIP/([0-9]{1,4})\.([0-9]{1,4})", re.IGNORECASE)

_SINGLE = frozenset({
    "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Date", "Expires",
    "Content-Disposition", "Min-Expires", "Session-Expires", "Min-SE", "Event", "Refer-To", "Replaces",
    "Referred-By", "RAck", "RSeq",
})  # fmt: skip
"""Headers that may stand once only: two readers could believe two different ones."""

_ADDRESSES = ("Contact", "Route", "Record-Route")

_LINE_END = re.compile(rb"[\r\n]")
_READABLE_BYTES = 8192
"""How much is looked at of a message that is refused for its lines: Via and From come first."""


def parse_datagram(data: bytes, *, limits: Limits = LIMITS, tolerant: bool = False) -> Request | Response:
    """Read one message from one datagram; octets after Content-Length are ignored (RFC 3261 §18.3).

    With `tolerant`, a message that cannot be read is mended first (`sipcc.sip.lenient`).

    Raises:
        BadMessage: a ParseError that may hold the request, for an answer.
    """
    try:
        return _parse_datagram(data, limits)
    except BadMessage as error:
        if not tolerant or len(data) > limits.message_bytes:
            raise
        strict = error
    try:
        return _parse_datagram(mend(data), limits)
    except BadMessage:
        raise strict from None  # what is wrong with it as it came


def _parse_datagram(data: bytes, limits: Limits) -> Request | Response:
    if len(data) > limits.message_bytes:
        raise BadMessage("message too long", layer="framing", status_hint=513)
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        raise BadMessage("no blank line after the headers", layer="framing", offset=len(data))
    return parse_message(head, body, limits=limits)


def parse_message(
    head: bytes, body: bytes, *, limits: Limits = LIMITS, stream: bool = False
) -> Request | Response:
    """Read a message whose header block `head` (without the blank line) was cut out already.

    Raises:
        BadMessage: as `parse_datagram`.
    """
    items: list[tuple[str, bytes]] = []
    start = b""
    try:
        start, items = read_lines(head, limits)
        first = dict(reversed(items))
        repeats = len(items) - len(first)
        vias = _check_repeated(items, repeats) if repeats else []
        length = first.get("Content-Length")
        if length is None:
            if stream:
                raise ParseError("no Content-Length on a stream", layer="framing")
        elif not (length.isdigit() and len(length) <= 10):  # bytes.isdigit knows ASCII digits only
            raise ParseError(f"bad Content-Length: {length[:40]!r}", layer="framing")
        else:
            size = int(length)
            if size != len(body):
                if size > len(body) or stream:
                    raise ParseError("Content-Length is not the length of the body", layer="framing")
                body = body[:size]
        headers = Headers.trusted(items, first)
        if start[:8] == b"SIP/2.0 ":
            return _read_response(start, headers, body, vias)
        return _read_request(start, headers, body, vias)
    except ParseError as error:
        _fail(error, head, start, items, body)


def _check_repeated(items: list[tuple[str, bytes]], repeats: int) -> list[bytes] | None:
    """Refuse a second line of a header that may stand once only.

    Returns the Via lines after the first when no other header is repeated, else None.
    """
    at = 0
    while at <= repeats and items[at][0] == "Via":
        at += 1
    if at == repeats + 1:  # in most messages the Via lines come first, and nothing else is repeated
        return [raw for _, raw in items[1:at]]
    vias = [raw for name, raw in items if name == "Via"]
    if len(vias) == repeats + 1:
        return vias[1:]
    seen = set()
    for name, _ in items:
        if name in seen and name in _SINGLE:
            layer = "framing" if name == "Content-Length" else "semantic"
            raise ParseError(f"{name} twice", layer=layer)
        seen.add(name)
    return None


def _read_request(start: bytes, headers: Headers, body: bytes, vias: list[bytes] | None) -> Request:
    words = start.split(b" ")
    if len(words) != 3 or words[2] != b"SIP/2.0":
        _bad_start(start, words)
    raw_method, uri, _ = words
    method = _METHOD_NAMES.get(raw_method)
    if method is None:
        if not is_token(raw_method) or len(raw_method) > 64:
            raise ParseError(f"bad method: {raw_method[:40]!r}", layer="start-line")
        method = raw_method.decode("ascii")
    request = Request(method, uri, headers, body)
    if not _fast_uri(uri) and request.uri.headers:
        # RFC 3261 §19.1.1: headers are not allowed in a Request-URI; obeying them would forge requests
        raise ParseError("headers in the Request-URI", layer="semantic")
    cseq_method = _check_common(request, vias)
    if cseq_method != raw_method:
        raise ParseError("the method of CSeq is another", layer="semantic")
    return request


def _bad_start(start: bytes, words: list[bytes]) -> None:
    version = words[-1]
    match = _VERSION.fullmatch(version)
    if len(words) != 3 or match is None:
        raise ParseError(f"not a request line: {start[:80]!r}", layer="start-line")
    if (int(match[1]), int(match[2])) != (2, 0):
        raise ParseError(f"unknown version: {version!r}", layer="semantic", status_hint=505)


def _read_response(start: bytes, headers: Headers, body: bytes, vias: list[bytes] | None) -> Response:
    match = _fast_response(start)
    if match is None:
        raise ParseError(f"bad status line: {start[:80]!r}", layer="start-line")
    response = Response(int(match[1]), text(match[2]), headers, body)
    _check_common(response, vias)
    return response


def _check_common(message: Request | Response, vias: list[bytes] | None) -> bytes:
    """Check the headers that every message needs; store the facts for keys; return CSeq's method."""
    headers = message.headers
    first = headers.first()
    try:
        via, cseq, call_id = first["Via"], first["CSeq"], first["Call-ID"]
        from_, to = first["From"], first["To"]
    except KeyError as error:
        raise ParseError(f"no {error.args[0]}", layer="semantic") from None
    if not call_id or b" " in call_id or b"\t" in call_id:
        raise ParseError("bad Call-ID", layer="header:Call-ID")
    match = _fast_via(via)
    if match is not None:
        sent_by = match[1].lower()
        branch: bytes = match[match.lastindex or 1]
    else:
        top = message.via
        sent_by = top.sent_by.lower().encode("ascii")
        branch = top.branch.encode("utf-8", "surrogateescape")
    number, _, method = cseq.partition(b" ")
    if not (number.isdigit() and len(number) < 10 and method in _METHOD_NAMES):
        # bytes.isdigit knows ASCII digits only; str.isdigit would take any script's
        method = message.cseq.method.encode("ascii")
    match = _fast_name_addr(from_)
    from_tag = (match[1] or b"") if match else message.from_.tag.encode("utf-8", "surrogateescape")
    match = _fast_name_addr(to)
    to_tag = (match[1] or b"") if match else message.to.tag.encode("utf-8", "surrogateescape")
    _check_rest(message, first, vias)
    message._facts = (branch, sent_by, method, from_tag, to_tag)
    message._facts_version = headers.version
    return method


def _check_rest(message: Request | Response, first: dict[str, bytes], vias: list[bytes] | None) -> None:
    """Check what else a typed view may be asked for: other Vias, Contact, Route, Max-Forwards."""
    hops = first.get("Max-Forwards")
    if hops is not None and not (hops.isdigit() and len(hops) < 3):
        _ = message.max_forwards
    if vias is None:
        vias = message.headers.get_all_raw("Via")[1:]
        for name, raw in message.headers.items:
            if name in _ADDRESSES and not _fast_name_addr(raw):
                _check_list(message, name, raw)
    else:
        for name in _ADDRESSES:
            line = first.get(name)
            if line is not None and not _fast_name_addr(line):
                _check_list(message, name, line)
    for line in vias:
        if not _fast_via(line):
            _ = message.vias


def _check_list(message: Request | Response, name: str, raw: bytes) -> None:
    if name == "Contact":
        if raw == b"*" and isinstance(message, Request) and message.method != "REGISTER":
            raise ParseError("Contact * is for REGISTER only", layer="header:Contact")
        _ = message.contacts
    elif name == "Route":
        _ = message.routes
    else:
        _ = message.record_routes


def _fail(
    error: ParseError, head: bytes, start: bytes, items: list[tuple[str, bytes]], body: bytes
) -> NoReturn:
    """Raise `error` as a BadMessage: with the place, and with the request if it can be answered."""
    offset = error.offset
    layer = error.layer
    if layer == "start-line":
        offset = 0
    elif layer.startswith("header:"):
        wanted = layer[7:]
        raw = next((raw for name, raw in items if name == wanted), b"")
        offset = head.find(raw) if raw else -1
    if not items:  # not even its lines could be read
        start, items = _readable_lines(head)
    request = _answerable(start, items, body)
    raise BadMessage(
        str(error), layer=layer, offset=offset, status_hint=error.status_hint, request=request
    ) from error


def _answerable(start: bytes, items: list[tuple[str, bytes]], body: bytes = b"") -> Request | None:
    """The request, if an answer to it would find its way back."""
    method, _, rest = start.partition(b" ")
    uri, _, version = rest.rpartition(b" ")
    if not is_token(method) or version[:4].upper() != b"SIP/" or all(name != "Via" for name, _ in items):
        return None
    return Request(method.decode("ascii"), uri, Headers.trusted(items), body)


def _readable_lines(head: bytes | bytearray) -> tuple[bytes, list[tuple[str, bytes]]]:
    """What can be read of a block whose lines are bad or too many, so that its sender gets an answer.

    A line with CR or LF alone is left out: in an answer it would be two.
    """
    start, *lines = bytes(head[:_READABLE_BYTES]).split(b"\r\n", LIMITS.headers)
    if len(head) > _READABLE_BYTES or len(lines) == LIMITS.headers:
        del lines[-1:]
    cut = (line.partition(b":") for line in lines if not _LINE_END.search(line))
    items = [(NAMES[raw], value.strip(b" \t")) for raw, _, value in cut if raw in NAMES]
    return b"" if _LINE_END.search(start) else start, items


Received = Request | Response | BadMessage | KeepAlive


class StreamParser:
    """Cuts a stream into messages by Content-Length (RFC 3261 §18.3), however the bytes arrive.

    A message whose length is known but which is wrong otherwise comes out as a BadMessage and the stream
    goes on. When the length itself cannot be trusted, `broken` is set: nothing after that point means
    anything, and the connection must be closed once the answer was sent. With `tolerant`, lines may end in
    LF alone, and messages are mended as `parse_datagram` does; where they end is not guessed.
    """

    def __init__(self, limits: Limits = LIMITS, *, tolerant: bool = False) -> None:
        self._limits = limits
        self._tolerant = tolerant
        self._buffer = bytearray()
        self._searched = 0
        self._head: bytes | None = None
        self._need = 0
        self._half_ping = False
        self.broken = False

    @property
    def idle(self) -> bool:
        """True between messages: nothing half read, so a slow peer owes us nothing."""
        return not self._buffer and self._head is None

    @property
    def waiting(self) -> Literal["idle", "header", "body"]:
        """What has to come next: nothing, the rest of a start line and headers, or the rest of a body."""
        if self._head is not None:
            return "body"
        return "header" if self._buffer else "idle"

    def receive(self, data: bytes) -> list[Received]:
        """Take the next bytes; return what they complete, in order. After `broken` always empty."""
        out: list[Received] = []
        if self.broken:
            return out
        self._buffer += data
        while self._step(out):
            pass
        return out

    def _step(self, out: list[Received]) -> bool:
        if self._head is None:
            return self._read_head(out)
        if len(self._buffer) < self._need:
            return False
        head, body = self._head, bytes(self._buffer[: self._need])
        del self._buffer[: self._need]
        self._head = None
        try:
            out.append(self._parse(head, body))
        except BadMessage as error:
            out.append(error)
            if error.layer == "framing":
                self._break()
        return not self.broken

    def _read_head(self, out: list[Received]) -> bool:
        buffer = self._buffer
        if buffer[:1] == b"\r" and self._searched == 0:
            return self._read_keepalive(out)
        if self._tolerant and buffer[:1] == b"\n":
            del buffer[:1]
            return bool(buffer)
        end, body_at = self._find_head_end()
        if (len(buffer) if end < 0 else end) > self._limits.head_bytes:
            out.append(self._refused(bytes(buffer), "headers too long for a stream", 513))
            self._break()
            return False
        if end < 0:
            self._searched = max(0, len(buffer) - 3)
            if buffer:
                self._half_ping = False
            return False
        head = bytes(buffer[:end])
        del buffer[:body_at]
        self._searched = 0
        self._half_ping = False
        need = body_bytes(head)
        if need is None and self._tolerant:
            need = body_bytes(mend_head(head, None))
        if need is None or need + end > self._limits.message_bytes:
            # checked before anything waits for the body or takes memory for it
            status = 400 if need is None else 513
            out.append(self._refused(head, "no usable Content-Length", status))
            self._break()
            return False
        self._head, self._need = head, need
        return True

    def _find_head_end(self) -> tuple[int, int]:
        """Where the header block ends and its body begins; (-1, -1) when it is not all there."""
        if self._tolerant:
            return head_end(self._buffer, self._searched) or (-1, -1)
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        return end, end + 4

    def _parse(self, head: bytes, body: bytes) -> Request | Response:
        try:
            return parse_message(head, body, limits=self._limits, stream=True)
        except BadMessage as error:
            if not self._tolerant:
                raise
            strict = error
        try:
            return parse_message(mend_head(head, None), body, limits=self._limits, stream=True)
        except BadMessage:
            raise strict from None

    def _read_keepalive(self, out: list[Received]) -> bool:
        buffer = self._buffer
        if buffer[:4] == KeepAlive.PING.value:
            out.append(KeepAlive.PING)
            del buffer[:4]
            return True
        if len(buffer) == 1 or (buffer[:3] == b"\r\n\r" and len(buffer) == 3):
            return False
        if buffer[1] != 0x0A:
            out.append(BadMessage("CR alone between messages", layer="framing"))
            self._break()
            return False
        # A CRLF alone is a pong and is told at once; if another follows, both were a ping that was cut.
        out.append(KeepAlive.PING if self._half_ping else KeepAlive.PONG)
        self._half_ping = not self._half_ping
        del buffer[:2]
        return bool(buffer)

    def _refused(self, head: bytes, why: str, status: int) -> BadMessage:
        """The framing error of `head`, with its request, so that an answer can go out before we close."""
        request = _answerable(*_readable_lines(head))
        return BadMessage(why, layer="framing", status_hint=status, request=request)

    def _break(self) -> None:
        self.broken = True
        self._buffer.clear()
        self._head = None
