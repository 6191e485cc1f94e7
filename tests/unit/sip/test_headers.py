from __future__ import annotations

import pytest

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip import headers as module
from sipcc.sip.headers import Headers, canonical, canonical_raw


def test_names_have_one_form() -> None:
    for name in ("Call-ID", "call-id", "CALL-ID", "i", "I"):
        assert canonical(name) == "Call-ID"
        assert canonical_raw(name.encode()) == "Call-ID"
    assert canonical("x-my-header") == "X-My-Header"
    assert canonical("www-authenticate") == "WWW-Authenticate"
    assert canonical("p-asserted-identity") == "P-Asserted-Identity"
    assert canonical_raw(b"TO \t") == "To"  # RFC 3261 allows white space before the colon


@pytest.mark.parametrize("raw", [b"", b" ", b"To\x01", b"T o", b"\xc3\xa9", b"x" * 129, b"a\0", "ſ".encode()])
def test_bad_names(raw: bytes) -> None:
    with pytest.raises(ParseError):
        canonical_raw(raw)


@pytest.mark.parametrize("name", ["", "a b", "é", "a:"])
def test_our_own_bad_names(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        canonical(name)


def test_name_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NAMES_LIMIT", len(module.NAMES))
    assert canonical_raw(b"X-Never-Seen-Before") == "X-Never-Seen-Before"
    assert b"X-Never-Seen-Before" not in module.NAMES


def test_long_spellings_are_not_kept() -> None:
    raw = b"Subject" + b" " * 500
    assert canonical_raw(raw) == "Subject"
    assert raw not in module.NAMES
    assert module.NAMES[b"max-forwards"] == "Max-Forwards"


def test_is_an_ordered_multimap() -> None:
    headers = Headers([("Via", "1"), ("To", "t"), ("v", b"2")])
    assert list(headers) == [("Via", b"1"), ("To", b"t"), ("Via", b"2")]
    assert headers.get("VIA") == "1"
    assert headers.get_all("Via") == ["1", "2"]
    assert headers.get("From") is None
    assert headers.get_raw("t") == b"t"
    assert "to" in headers
    assert "f" not in headers
    assert len(headers) == 3
    assert "Via" in repr(headers)


def test_changes() -> None:
    headers = Headers([("Via", "1"), ("To", "t"), ("Via", "2")])
    other = headers.copy()
    version = headers.version
    headers.prepend("v", "0")
    headers.add("Subject", "s")
    headers.replace_first("Via", "00")
    assert headers.get_all("Via") == ["00", "1", "2"]
    headers.set("Via", "only")
    headers.set("Require", "x")
    headers.remove("To")
    headers.remove("Expires")
    assert list(headers) == [("Via", b"only"), ("Subject", b"s"), ("Require", b"x")]
    assert headers.version > version
    assert other.get_all("Via") == ["1", "2"]
    assert other != headers
    with pytest.raises(KeyError):
        headers.replace_first("Route", "x")


def test_values_split_lists_only() -> None:
    headers = Headers(
        [
            ("k", "a, b"),
            ("Supported", ",c,"),
            ("Subject", "one, two"),
            ("Contact", '"x, y" <sip:a@b>, <sip:c,d@e>;q=1'),
            ("Warning", '307 isi.edu "a, b", 399 x "open, '),
            ("WWW-Authenticate", 'Digest realm="a", nonce="b"'),
        ]
    )
    assert headers.values("Supported") == ["a", "b", "c"]
    assert headers.values("Subject") == ["one, two"]
    assert headers.values("m") == ['"x, y" <sip:a@b>', "<sip:c,d@e>;q=1"]
    assert headers.values("Warning") == ['307 isi.edu "a, b"', '399 x "open,']
    assert headers.values("WWW-Authenticate") == ['Digest realm="a", nonce="b"']
    assert headers.values("Require") == []


@pytest.mark.parametrize("value", ["a\r\nInjected: 1", "a\nb", b"a\r"])
def test_no_value_can_start_another_header(value: str | bytes) -> None:
    headers = Headers()
    for change in (headers.add, headers.set, headers.prepend):
        with pytest.raises(LocalProtocolError):
            change("Subject", value)


def test_bytes_that_are_no_utf8_survive() -> None:
    headers = Headers([("Subject", b"\xff\xfe")])
    text = headers.get("Subject")
    assert text is not None
    headers.set("Subject", text)
    assert headers.get_raw("Subject") == b"\xff\xfe"
