"""Where the fuzzers start: the messages of RFC 4475 if they are there, and some of our own."""

from __future__ import annotations

from pathlib import Path

from tests.rfc.conftest import find_corpus

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    b"a=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
)
SDP6 = (
    b"v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/SAVP 8\r\n"
)
MULTIPART = (
    b"--b1\r\nContent-Type: application/sdp\r\nContent-Disposition: session\r\n\r\n" + SDP + b"\r\n--b1\r\n"
    b"Content-Type: multipart/mixed;boundary=b2\r\n\r\n--b2\r\nContent-Type: application/isup\r\n"
    b"Content-Disposition: signal;handling=optional\r\n\r\n\x01\x00\x49\r\n--b2--\r\n--b1--\r\n"
)


def request(method: str = "INVITE", *, extra: str = "", body: bytes = b"", host: str = "192.0.2.2") -> bytes:
    """A well-formed request."""
    kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in extra else ""
    head = (
        f"{method} sip:4008123456@example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK776;rport\r\n"
        f'Max-Forwards: 70\r\nFrom: "Ann" <sip:13800138000@example.com>;tag=1928\r\n'
        f"To: <sip:4008123456@example.com>\r\nCall-ID: a84b4c76e66710@{host}\r\nCSeq: 314 {method}\r\n"
        f"Contact: <sip:13800138000@{host}>\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


AUTHORIZATION = (
    'Authorization: Digest username="1001", realm="example.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c0", '
    'uri="sip:example.com", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, qop=auth, '
    'nc=00000001, cnonce="0a4f113b", opaque="5ccc069c403ebaf9f0171e9517f40e41"\r\n'
)

OURS = [
    request(body=SDP),
    request("OPTIONS"),
    request("REGISTER", extra="Expires: 60\r\n" + AUTHORIZATION),
    request("CANCEL"),
    request("ACK"),
    request("BYE"),
    request("PRACK", extra="RAck: 1 314 INVITE\r\n"),
    request("UPDATE", extra="Session-Expires: 90;refresher=uac\r\nSupported: timer\r\n", body=SDP6),
    request("SUBSCRIBE", extra="Event: dialog\r\nExpires: 60\r\nAccept: application/dialog-info+xml\r\n"),
    request("NOTIFY", extra="Event: refer;id=1\r\nSubscription-State: active;expires=60\r\n"),
    request("REFER", extra="Refer-To: <sip:1002@example.com?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n"),
    request("INFO", extra="Content-Type: application/dtmf-relay\r\n", body=b"Signal=5\r\nDuration=160\r\n"),
    request("MESSAGE", extra="Content-Type: text/plain\r\n", body="你好".encode()),
    request(extra="Content-Type: multipart/mixed;boundary=b1\r\n", body=MULTIPART),
    request(
        extra="P-Asserted-Identity: <sip:+8613800138000@example.com>, <tel:+8613800138000>\r\nPrivacy: id\r\n"
        "Diversion: <sip:1@example.com>;reason=no-answer;counter=1\r\n"
        "History-Info: <sip:1@example.com>;index=1\r\n"
        "Require: 100rel\r\nReplaces: a;to-tag=b;from-tag=c\r\nRoute: <sip:192.0.2.9;lr>\r\n",
        body=SDP,
    ),
    request(host="[2001:db8::1]", body=SDP6),
    request().replace(b"INVITE sip:", b"SIP/2.0 183 Session Progress\r\nX: sip:", 1),
    b"SIP/2.0 200 OK\r\n" + request(body=SDP).partition(b"\r\n")[2],
    b'SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth", stale=TRUE\r\n'
    + request("REGISTER").partition(b"\r\n")[2],
    b"\r\n\r\n" + request("OPTIONS"),
]  # fmt: skip

URIS = [
    b"sip:alice@example.com",
    b"sips:alice:secret@example.com:5061;transport=tcp;lr?subject=a&to=b",
    b"sip:[2001:db8::1]:5060;maddr=239.255.255.1;ttl=1",
    b"tel:+86-400-812-3456;phone-context=+86;ext=1",
    b"tel:4008123456;phone-context=example.com",
    b'"A \\" B" <sip:a%20b%00@example.com;method=INVITE>;tag=x;q=0.5',
    b'Ann <sip:1001@example.com;gr=urn:uuid:f81d4fae>;+sip.instance="<urn:uuid:1>";expires=60',
    b"urn:service:sos",
    b"sip:user;par=u%40example.net@example.com",
]


def messages() -> list[bytes]:
    """Whole messages."""
    folder = find_corpus("rfc4475")
    torture = [path.read_bytes() for path in sorted(Path(folder).glob("*.dat"))] if folder else []
    return OURS + torture


def bodies(kind: bytes = b"v=0") -> list[bytes]:
    """The bodies of all messages that begin with `kind`."""
    found = [message.partition(b"\r\n\r\n")[2] for message in messages()]
    return [SDP, SDP6, *(body for body in found if body.startswith(kind))]


def headers() -> list[bytes]:
    """Single header values with their names, of all messages."""
    found = {
        line
        for message in messages()
        for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        if line.lower().startswith((b"authorization", b"proxy-auth", b"www-auth"))
    }
    return sorted(found)
