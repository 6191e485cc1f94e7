"""Makers of broken requests: each takes a place in a call, and gives bytes with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.rogue import DESCRIPTION, Place

Make = Callable[[Place], bytes]


def swap(method: str, old: bytes, new: bytes) -> Make:
    """A request in which `old` stands for `new`, once."""

    def make(place: Place) -> bytes:
        data = place.request(method)
        assert old in data, (old, data)
        return data.replace(old, new, 1)

    return make


def line(method: str, *lines: bytes) -> Make:
    """A request with more header lines, in front of the last one."""
    return swap(method, b"Content-Length:", b"\r\n".join([*lines, b"Content-Length:"]))


def value(method: str, name: bytes, new: bytes) -> Make:
    """A request in which a header has another value."""

    def make(place: Place) -> bytes:
        data = place.request(method)
        start = data.index(b"\r\n" + name + b":") + len(name) + 3
        return data[:start] + b" " + new + data[data.index(b"\r\n", start) :]

    return make


def tail(method: str, name: bytes, more: bytes) -> Make:
    """A request in which a header goes on."""

    def make(place: Place) -> bytes:
        data = place.request(method)
        end = data.index(b"\r\n", data.index(b"\r\n" + name + b":") + 2)
        return data[:end] + more + data[end:]

    return make


def start(method: str, new: bytes) -> Make:
    """A request with another Request-URI."""

    def make(place: Place) -> bytes:
        data = place.request(method)
        first, rest = data.split(b"\r\n", 1)
        return b"%b %b SIP/2.0\r\n%b" % (first.split(b" ")[0], new, rest)

    return make


def body(method: str, kind: bytes, what: bytes) -> Make:
    """A request with a body."""

    def make(place: Place) -> bytes:
        data = place.request(method, body=what)
        return data.replace(b"Content-Type: application/sdp", b"Content-Type: " + kind, 1)

    return make


def with_body(make: Make) -> Make:
    """The same with our description for a body."""
    new = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(DESCRIPTION) + DESCRIPTION
    return lambda place: make(place).replace(b"Content-Length: 0\r\n\r\n", new, 1)


def described(old: bytes, new: bytes) -> Make:
    """An INVITE with a changed description; in a dialog a re-INVITE."""
    assert old in DESCRIPTION
    return body("INVITE", b"application/sdp", DESCRIPTION.replace(old, new, 1))


def raw(data: bytes) -> Make:
    """Bytes that are no request."""
    return lambda _place: data


def length(text: bytes, *, more: int = 0) -> Make:
    """A MESSAGE with another request for its body, and this Content-Length; %d is the right one."""

    def make(place: Place) -> bytes:
        head = place.request("MESSAGE")
        inside = smuggled(place)
        given = text.replace(b"%d", b"%d" % (len(inside) + more))
        return head.replace(b"Content-Length: 0", b"Content-Length: " + given) + inside

    return make


def smuggled(place: Place) -> bytes:
    """A second request that must not be seen: it would end the call, or be answered."""
    return place.request("BYE") if place.their_tag else place.request("OPTIONS")


def two(place: Place) -> bytes:
    """Two requests in one, by a Content-Length that is too short."""
    return place.request("OPTIONS") + place.request("OPTIONS")


def without(method: str, name: bytes) -> Make:
    """A request that lacks a header."""

    def make(place: Place) -> bytes:
        data = place.request(method)
        begin = data.index(b"\r\n" + name + b":")
        return data[:begin] + data[data.index(b"\r\n", begin + 2) :]

    return make


def stun(kind: int, attributes: bytes, *, size: int | None = None) -> Make:
    """A STUN message with the cookie of RFC 8489."""
    size = len(attributes) if size is None else size
    return raw(
        kind.to_bytes(2, "big") + size.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + b"t" * 12 + attributes
    )


def scripted(place: Place) -> bytes:
    """An INVITE whose caller has a name that somebody may show in a page, a log or an XML document."""
    data = place.request("INVITE", body=DESCRIPTION)
    return data.replace(b"From: ", 'From: "😀]]><!--&lt; \' OR 1=1" '.encode(), 1)


def multipart(boundary: bytes, what: bytes) -> Make:
    """An INVITE with a multipart body."""
    return body("INVITE", b"multipart/mixed" + boundary, what)
