"""Messages that follow from other messages: responses, the ACK to a refusal, CANCEL.

Headers are copied as raw lines; nothing is read again, so the answer to a broken request is as sound as
the answer to a good one.
"""

from __future__ import annotations

from collections.abc import Iterable

from sipcc.errors import LocalProtocolError
from sipcc.sip.grammar import split, wire
from sipcc.sip.headers import Headers, canonical
from sipcc.sip.message import Request, Response, reason_of, tag_of

_COPIED = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})
_COPIED_WITH_ROUTE = _COPIED | {"Record-Route"}
_NEXT_HOP = frozenset({"Route", "From", "To", "Call-ID", "User-Agent"})
_MAKES_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


def response(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str | bytes]] = (),
    body: bytes = b"",
    content_type: str = "application/sdp",
) -> Response:
    """The answer to `request` with Via, From, To, Call-ID and CSeq as they came (RFC 3261 §8.2.6).

    Record-Route is copied too where a dialog may come of it (§12.1.1), and Timestamp into a 100.
    `to_tag` is added to To unless there is a tag already; a 100 never gets one. `content_type` counts
    only with a `body`.

    Raises:
        LocalProtocolError: a header of ours holds CR or LF.
    """
    dialog = 100 < status < 300 and request.method in _MAKES_DIALOG
    wanted = _COPIED_WITH_ROUTE if dialog else _COPIED
    items = [item for item in request.headers.items if item[0] in wanted]
    if status == 100:
        stamp = request.headers.get_raw("Timestamp")
        if stamp is not None:
            items.append(("Timestamp", stamp))
    elif to_tag:
        tag = wire(to_tag)
        for i, (name, raw) in enumerate(items):
            if name == "To":
                if not _to_tag(request, raw):
                    items[i] = ("To", b"%b;tag=%b" % (raw, tag))
                break
    items += [(canonical(name), wire(value)) for name, value in headers]
    if body:
        items.append(("Content-Type", wire(content_type)))
    return Response(status, reason_of(status) if reason is None else reason, Headers.trusted(items), body)


def _to_tag(request: Request, raw: bytes) -> bytes:
    if request._facts_version == request.headers.version and request._facts is not None:
        return request._facts[4]
    return tag_of(raw)


def ack(invite: Request, refusal: Response) -> Request:
    """The ACK to a final response of 300 or more to `invite` (RFC 3261 §17.1.1.3).

    It repeats the Request-URI, topmost Via, Route, From and Call-ID of the INVITE, and takes To from the
    response. The ACK to a 2xx is the dialog's, not the transaction's.
    """
    items = _hop(invite, b"ACK")
    to = refusal.headers.get_raw("To")
    if to is not None:
        items = [("To", to) if name == "To" else (name, raw) for name, raw in items]
    return Request("ACK", invite.uri, Headers.trusted(items))


def cancel(invite: Request, *, headers: Iterable[tuple[str, str | bytes]] = ()) -> Request:
    """The CANCEL of `invite` (RFC 3261 §9.1): same branch, Request-URI, To, From, Call-ID and Route."""
    items = _hop(invite, b"CANCEL")
    items += [(canonical(name), wire(value)) for name, value in headers]
    return Request("CANCEL", invite.uri, Headers.trusted(items))


def _hop(invite: Request, method: bytes) -> list[tuple[str, bytes]]:
    """The headers that an ACK or a CANCEL to the next hop has in common with its INVITE."""
    first = invite.headers.first()
    if "Via" not in first or "CSeq" not in first:
        raise LocalProtocolError(f"no Via or CSeq in {invite!r}")
    items = [("Via", split(first["Via"], b",")[0]), ("Max-Forwards", b"70")]
    items += [item for item in invite.headers.items if item[0] in _NEXT_HOP]
    number = first["CSeq"].replace(b"\t", b" ").split(b" ")[0]
    items.append(("CSeq", b"%b %b" % (number, method)))
    return items
