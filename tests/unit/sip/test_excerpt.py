from __future__ import annotations

import time

import pytest

from sipcc.sip.excerpt import call_id_of, label_of, mask


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"BYE sip:a SIP/2.0\r\nCall-ID: a b@c \r\n\r\n", b"a b@c"),
        (b"BYE sip:a SIP/2.0\r\ni:x\r\n\r\n", b"x"),
        (b"BYE sip:a SIP/2.0\r\ncall-id \t: y\r\n\r\n", b"y"),
        (b"BYE sip:a SIP/2.0\ncall-id: bare\n\n", b"bare"),
        (b"BYE sip:a SIP/2.0\r\nX-Call-ID: no\r\n\r\n", None),
        (b"BYE sip:a SIP/2.0\r\nCall-ID:\r\n\r\n", None),
        (b"\r\n\r\n", None),
    ],
)
def test_call_ids(data: bytes, found: bytes | None) -> None:
    assert call_id_of(data) == found


def test_labels() -> None:
    sdp = b"Call-ID: a\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\n"
    assert label_of(b"INVITE sip:4008123456@example.com SIP/2.0\r\n" + sdp) == "INVITE 4008123456 SDP"
    assert label_of(b"INVITE tel:+8613800138000;x=1 SIP/2.0\r\n\r\n") == "INVITE +8613800138000"
    assert label_of(b"SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n") == "180 Ringing (INVITE)"
    assert label_of(b"SIP/2.0 200 OK\r\n\r\n") == "200 OK"
    assert label_of(b"REGISTER sip:example.com SIP/2.0\r\n\r\n") == "REGISTER"
    assert label_of(b"\x1b[2J\xff\r\n") == "?[2J?" or label_of(b"\x1b[2J\xff\r\n").isprintable()


SECRETS = [
    (
        b'Authorization: Digest username="1001", realm="r", nonce="abc", uri="sip:x", response="0f1e"',
        b'Authorization: Digest username="1001", realm="r", nonce="***", uri="sip:x", response="****"',
    ),
    (b"proxy-authorization: Digest CNONCE=abc,nc=1", b"proxy-authorization: Digest CNONCE=***,nc=1"),
    (
        b'WWW-Authenticate: Digest nonce = "a\\"b", opaque="c"',
        b'WWW-Authenticate: Digest nonce = "****", opaque="*"',
    ),
    (
        b'Authorization: Digest\r\n response="ab\r\n cd"',
        b'Authorization: Digest\r\n response="**\r\n***"',
    ),
    (b'Authorization: Digest response="open', b'Authorization: Digest response="****'),
    (b"Authorization: Basic dXNlcg==", b"Authorization: **************"),
    (b"Authorization:  Bearer a.b.c, x", b"Authorization:  ***************"),
    (
        b'Authentication-Info: rspauth="ab", nextnonce="cd"',
        b'Authentication-Info: rspauth="**", nextnonce="**"',
    ),
    (
        b"\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:Zm9v|2^20",
        b"\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:****|2^20",
    ),
    (b"\r\n\r\na=ice-ufrag:ab\r\na=ice-pwd:secret", b"\r\n\r\na=ice-ufrag:ab\r\na=ice-pwd:******"),
    (b"\r\n\r\nSignal=5\r\nDuration=160", b"\r\n\r\nSignal=*\r\nDuration=160"),
    (
        b"INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf\r\n\r\n5",
        b"INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf\r\n\r\n*",
    ),
]


@pytest.mark.parametrize(("data", "shown"), SECRETS)
def test_secrets_are_starred_octet_for_octet(data: bytes, shown: bytes) -> None:
    assert mask(data) == shown
    assert mask(data + b"\r\n") == shown + b"\r\n"
    assert len(shown) == len(data)


def test_what_is_no_secret_stays() -> None:
    data = b"INVITE sip:13800138000@example.com SIP/2.0\r\nCall-ID: a\r\nSubject: nonce\r\n\r\nv=0\r\n"
    assert mask(data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"Call-ID:" + b" " * 65_000,
        b"Call-ID:" + b" \t" * 32_000 + b"\x00x",
        b"i" + b" " * 65_000 + b"x",
        b"nonce" + b" " * 65_000,
        b'nonce="' + b"\\" * 65_000,
        b"nonce=" * 10_000,
        b"a=crypto:" * 7_000,
        b"cseq:" + b"1" * 65_000,
        b"authorization:" + b" " * 65_000,
        b"content-type:application/dtmf" + b" " * 65_000 + b"x",
    ],
)
def test_no_text_makes_them_slow(data: bytes) -> None:
    data = b"INFO sip:a SIP/2.0\r\n" + data
    began = time.process_time()
    call_id_of(data)
    label_of(data)
    mask(data)
    assert time.process_time() - began < 0.5
