"""What must hold for any bytes whatever; each function takes one input and raises when something does not.

Only `ParseError` may come out of a reader. What a reader has taken, it must be able to write, and to read
again as the same thing; a stream must say the same as a datagram, wherever it is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tests.fuzz import media as legs
from tests.fuzz import seeds
from tests.fuzz.endpoint import FuzzedEndpoint

from sipcc.errors import ParseError, RemoteProtocolError
from sipcc.sip.auth import Credentials, DigestServer, answer_challenge, challenges, make_ha1, parse_auth
from sipcc.sip.build import response as build_response
from sipcc.sip.excerpt import call_id_of, label_of, mask
from sipcc.sip.message import BadMessage, Request, Response, dialog_key, transaction_key
from sipcc.sip.multipart import body_of, unacceptable, unwrap
from sipcc.sip.parser import KeepAlive, Received, StreamParser, parse_datagram
from sipcc.sip.sdp import SessionDescription
from sipcc.sip.uri import NameAddr, SipUri

_server = DigestServer("example.com", b"0123456789abcdef", 60.0)
_bob = Credentials("bob", "zanzibar")


def message(data: bytes) -> None:
    """One datagram."""
    call_id_of(data)
    label_of(data)
    assert len(mask(data)) == len(data)
    try:
        found = parse_datagram(data)
    except BadMessage as error:
        _answer(error)
        return
    look(found)
    written = bytes(found)
    again = parse_datagram(written)
    assert bytes(again) == written, "what is written is read as something else"
    assert type(again) is type(found)
    assert transaction_key(again) == transaction_key(found)
    assert dialog_key(again) == dialog_key(found)


def look(found: Request | Response) -> None:
    """Use every view of a message that was taken: none may fail any more."""
    transaction_key(found)
    dialog_key(found)
    _ = found.vias, found.from_, found.to, found.cseq, found.contacts, found.max_forwards, found.call_id
    _ = found.routes, found.record_routes, found.content_type
    if isinstance(found, Request):
        _ = found.uri, str(found.uri)
        bytes(build_response(found, 200, to_tag="t"))
    bytes(found.copy())


def _answer(error: BadMessage) -> None:
    if error.request is not None:
        try:
            bytes(build_response(error.request, error.status_hint, to_tag="t"))
        except ParseError:
            return  # where no view can be read there is nobody to answer


def _told(items: list[Received]) -> list[object]:
    told: list[object] = []
    for item in items:
        if isinstance(item, BadMessage):
            told.append((item.layer, item.status_hint))
        elif not isinstance(item, KeepAlive):
            told.append(bytes(item))
    return told


def stream(data: bytes) -> None:
    """A stream whose first byte says how it is cut."""
    step, data = (data[0] % 61 + 1 if data else 1), data[1:]
    whole = StreamParser()
    at_once = _told(whole.receive(data))
    cut = StreamParser()
    piecewise: list[Received] = []
    for at in range(0, len(data), step):
        piecewise += cut.receive(data[at : at + step])
    assert _told(piecewise) == at_once, "the cut changes what is read"
    assert (cut.broken, cut.idle) == (whole.broken, whole.idle)
    try:
        alone = parse_datagram(data)
    except BadMessage:
        return
    length = alone.headers.get_raw("Content-Length")
    body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[2]
    if length is not None and int(length) == len(body) and data[:1] not in b"\r\n":
        assert at_once == [bytes(alone)], "a stream reads a whole message otherwise than a datagram"


def uri(data: bytes) -> None:
    """A URI and a name-addr."""
    value = data.decode("utf-8", "surrogateescape")
    for kind in (SipUri, NameAddr):
        try:
            found = kind.parse(value)
        except ParseError:
            continue
        written = str(found)
        again = kind.parse(written)
        assert str(again) == written, f"{kind.__name__} changes: {written!r}"


def sdp(data: bytes) -> None:
    """A session description."""
    try:
        found = SessionDescription.parse(data)
    except ParseError:
        return
    for media in found.media:
        _ = found.connection_of(media), found.direction_of(media), found.is_hold(media), found.rtcp_of(media)
        _ = media.payload_types, media.rtpmaps, media.ptime, media.maxptime, media.rtcp_mux, media.is_rtp
        media.refused().lines()
    written = bytes(found)
    assert bytes(SessionDescription.parse(written)) == written


def auth(data: bytes) -> None:
    """An Authorization that is judged, and a challenge that is answered."""
    value = data.decode("utf-8", "surrogateescape").partition(":")[2].strip()
    with suppress(ParseError):
        parse_auth(value)
    _server.verify(
        "REGISTER",
        [value],
        lambda user, realm, algorithm: (
            make_ha1("bob", realm, "zanzibar", algorithm) if user == "bob" else None
        ),
        source="192.0.2.1",
        now=1.0,
    )
    refusal = Response.build(401, headers=[])
    refusal.headers.items.append(("WWW-Authenticate", value.encode("utf-8", "surrogateescape")))
    challenges(refusal)
    with suppress(RemoteProtocolError):
        answer_challenge(refusal, Request.build("REGISTER", "sip:example.com"), _bob, cnonce="c")


def multipart(data: bytes) -> None:
    """The body of a message with a boundary that the first line gives."""
    boundary, _, body = data.partition(b"\n")
    kind = "multipart/mixed;boundary=" + (boundary.decode("ascii", "replace").strip() or "b")
    wrapped = seeds.request(extra="Content-Type: K\r\n", body=body)
    try:
        found = parse_datagram(
            wrapped.replace(b"Content-Type: K", b"Content-Type: " + kind.encode("ascii", "replace"))
        )
    except BadMessage:
        return
    taken = body_of(found, "application/sdp")
    assert taken is None or taken in body
    unacceptable(found, {"application/sdp"})
    unwrap(found)
    assert taken is None or found.body == taken


_fuzzed: FuzzedEndpoint | None = None


def endpoint(data: bytes) -> None:
    """A living endpoint that takes these datagrams, and goes on as before."""
    global _fuzzed
    if _fuzzed is None:
        _fuzzed = FuzzedEndpoint()
    _fuzzed.take(data)


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "message": (message, seeds.messages),
    "stream": (stream, lambda: [b"\x07" + each for each in seeds.messages()]),
    "uri": (uri, lambda: seeds.URIS),
    "sdp": (sdp, seeds.bodies),
    "auth": (auth, seeds.headers),
    "multipart": (multipart, lambda: [b"b1\n" + seeds.MULTIPART]),
    "endpoint": (endpoint, seeds.messages),
    "rtp": (legs.rtp, legs.packets),
    "rtcp": (legs.reports, legs.compounds),
    "media": (legs.media, legs.mixtures),
}
"""Each target with the inputs that it starts from."""
