from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.grammar import (
    format_params,
    is_token,
    number,
    parse_params,
    quote,
    quoted_end,
    split,
    text,
    unquote,
    wire,
)

# What Python's own readers take for a number, and no SIP peer may send (reliability §1.4)
NOT_NUMBERS = ["1_0", "٢", "²", " 12", "12 ", "+12", "-1", "", "12\n", "0x10", "1e3", "12345678901", "1.0"]


@pytest.mark.parametrize("raw", NOT_NUMBERS)
def test_number_is_ascii_digits_only(raw: str) -> None:
    with pytest.raises(ParseError):
        number(raw.encode(), "header:CSeq")


def test_number_has_a_range() -> None:
    assert number(b"0068", "x") == 68
    assert number(b"4294967295", "x") == 2**32 - 1
    with pytest.raises(ParseError):
        number(b"4294967296", "x")


def test_split_respects_quotes_and_brackets() -> None:
    assert split(b'"a,b" <sip:c,d@e>;x=1, <sip:f>', b",") == [b'"a,b" <sip:c,d@e>;x=1', b"<sip:f>"]
    assert split(rb'"a\",b", c', b",") == [rb'"a\",b"', b"c"]
    assert split(b"a,,b", b",") == [b"a", b"", b"b"]
    assert split(b'x, "open, y', b",") == [b"x", b'"open, y']
    for raw in (b'x, "open', b"x, <open"):
        with pytest.raises(ParseError):
            split(raw, b",", "header:Via")


def test_white_space_is_only_space_and_tab() -> None:
    assert split(b"a\x1f,\x0bb", b",") == [b"a\x1f", b"\x0bb"]
    assert not is_token("ſ".encode())
    assert not is_token(b"a b")
    assert is_token(b"!interesting-Method0123456789_*+`.%indeed'~")


def test_params() -> None:
    params = parse_params(b';a;B = c ;d="x;y";e=[::1]', "w")
    assert params == {"a": "", "b": "c", "d": '"x;y"', "e": "[::1]"}
    assert format_params(params) == ';a;b=c;d="x;y";e=[::1]'
    for raw in (b";", b";a;;b", b";a=", b";a=1;A=2", b";a b", b';a="x', b";a=b c", b";\x00"):
        with pytest.raises(ParseError):
            parse_params(raw, "w")


def test_wire_refuses_what_could_start_another_header() -> None:
    for value in ("a\r\nB: c", "a\nb", "a\rb", b"a\r"):
        with pytest.raises(LocalProtocolError):
            wire(value)
    assert wire("a\u2028b") == "a\u2028b".encode()


@given(st.binary())
def test_text_keeps_bytes(raw: bytes) -> None:
    assert text(raw).encode("utf-8", "surrogateescape") == raw


@given(st.text(alphabet=st.characters(blacklist_characters="\r\n", blacklist_categories=("Cs",))))
def test_quote_and_unquote(value: str) -> None:
    quoted = quote(value)
    assert unquote(quoted) == value
    assert quoted_end(quoted.encode(), "w") == len(quoted.encode())


def test_quote_holds_no_line_end_and_no_bare_control() -> None:
    assert quote("a\r\nVia: x") == '"a  Via: x"'
    assert quote('NUL\0 BEL\x07 "\\') == '"NUL\\\0 BEL\\\x07 \\"\\\\"'


def test_unquote_leaves_the_rest_alone() -> None:
    assert unquote("plain") == "plain"
    assert unquote('"') == '"'
    with pytest.raises(ParseError):
        quoted_end(b'"open', "w")


@pytest.mark.parametrize("count", [3, 300])
def test_few_and_many_params_are_read_alike(count: int) -> None:
    names = [f"p{i}" for i in range(count)]
    raw = b";" + ";".join(f"{name}=value-{name}" for name in names).encode()
    assert parse_params(raw, "header:To") == {name: f"value-{name}" for name in names}
    for wrong in (raw + b";", raw + b";p0=again", raw.replace(b";p1=", b";;p1="), raw + b";a b"):
        with pytest.raises(ParseError):
            parse_params(wrong, "header:To")
