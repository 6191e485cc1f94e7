from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import ParseError
from sipcc.sip.uri import NameAddr, SipUri

ROUND_TRIP = [
    "sip:alice@example.com",
    "sip:example.com",
    "sip:400-812-3456@example.com:5070;user=phone",
    "sips:alice:secret@example.com;transport=tcp?subject=a&priority=urgent",
    "sip:user;par=u%40example.net@example.com",
    "sip:sips%3Auser%40example.com@example.net",
    "sip:%00%00@host5.example.com",
    "sip:+8613800138000@[2001:db8::9]:5060;transport=udp;lr",
    "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
    "tel:+86-400-812-3456",
    "tel:4008123456;phone-context=+86",
    "isbn:2983792873",
    "soap.beep://192.0.2.103:3002",
    "sip:#31#13800138000@example.com",
]


@pytest.mark.parametrize("text", ROUND_TRIP)
def test_writes_what_it_read(text: str) -> None:
    assert str(SipUri.parse(text)) == text
    assert bytes(SipUri.parse(text.encode())) == text.encode()


def test_parts() -> None:
    uri = SipUri.parse(b"SIP:a%20b:pw@Example.com:5070;LR;Transport=TCP?x=1")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sip",
        "a b",
        "pw",
        "Example.com",
        5070,
    )
    assert uri.params == {"lr": "", "transport": "TCP"}
    assert uri.headers == "x=1"
    assert uri.param("LR") == ""
    assert uri.param("maddr") is None


def test_tel_and_opaque_have_no_host() -> None:
    tel = SipUri.parse("tel:+86-400-812-3456;phone-context=x")
    assert (tel.scheme, tel.user, tel.host, tel.param("phone-context")) == (
        "tel",
        "+86-400-812-3456",
        "",
        "x",
    )
    assert SipUri.parse("urn:service:sos").user == "service:sos"


BAD = [
    "", "sip:", "sip:@example.com", "alice@example.com", "sip:alice@", "sip:a b@example.com",
    "sip:alice@example.com;", "sip:alice@example.com;;lr", "sip:alice@example.com;lr;lr",
    "sip:alice@example.com:", "sip:alice@example.com:0", "sip:alice@example.com:65536",
    "sip:alice@example.com:506000000000000", "sip:alice@example.com:5_0", "sip:alice@example.com:٥٠٦٠",
    "sip:%4@example.com", "sip:%zz@example.com", "sip:a@[::1", "sip:a@::1", "sip:a@[1:2]", "sip:a@[:::]",
    "<sip:alice@example.com>", "sip:alice@exa mple.com", "sip:alice@example.com\r\nVia: x", "sip:a@b@c",
    "tel:", "tel:abc xyz", "sip:alice@example.com;a=\x00", "sip:alice@example.com?x=<y>", ":x", "1a:b",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_refuses(text: str) -> None:
    with pytest.raises(ParseError):
        SipUri.parse(text)


EQUAL = [
    ("sip:%61lice@atlanta.example.com;transport=TCP", "sip:alice@AtlanTa.EXAMPLE.com;Transport=tcp"),
    ("sip:carol@chicago.example.com", "sip:carol@chicago.example.com;newparam=5"),
    ("sip:carol@chicago.example.com;newparam=5", "sip:carol@chicago.example.com;security=on"),
    (
        "sip:biloxi.example.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.example.com",
        "sip:biloxi.example.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.example.com",
    ),
    (
        "sip:alice@atlanta.example.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.example.com?priority=urgent&subject=project%20x",
    ),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.example.com", "sip:bob@biloxi.example.com:5060"),
    ("sip:bob@biloxi.example.com", "sip:bob@biloxi.example.com;transport=udp"),
    ("sip:bob@biloxi.example.com", "sip:bob@biloxi.example.com:6000;transport=tcp"),
    ("sip:carol@chicago.example.com", "sip:carol@chicago.example.com?Subject=next%20meeting"),
    ("sip:bob@phone21.example.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.example.com;newparam=5", "sip:carol@chicago.example.com;newparam=6"),
    ("sip:bob@example.com", "sips:bob@example.com"),
    ("sip:bob:a@example.com", "sip:bob:b@example.com"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_by_19_1_4(one: str, other: str) -> None:
    left, right = SipUri.parse(one), SipUri.parse(other)
    assert left.matches(right)
    assert right.matches(left)
    assert left == right
    assert hash(left) == hash(right)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_by_19_1_4(one: str, other: str) -> None:
    left, right = SipUri.parse(one), SipUri.parse(other)
    assert not left.matches(right)
    assert left != right
    assert left != one


def test_built_uris_are_escaped() -> None:
    assert str(SipUri(user="a b@c", host="example.com")) == "sip:a%20b%40c@example.com"
    assert str(SipUri(user="用户", host="::1", port=5070)) == "sip:%E7%94%A8%E6%88%B7@[::1]:5070"
    assert str(SipUri("sip", "a", "p:w", "example.com")) == "sip:a:p%3Aw@example.com"


def test_with_params_keeps_the_rest() -> None:
    uri = SipUri.parse("sip:%61@example.com;lr;x=1")
    assert str(uri.with_params(x=None, transport="tcp")) == "sip:%61@example.com;lr;transport=tcp"
    assert str(uri) == "sip:%61@example.com;lr;x=1"


@given(st.text(min_size=1), st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1"]))
def test_any_user_survives(user: str, host: str) -> None:
    user = user.encode("utf-8", "ignore").decode()
    uri = SipUri(user=user, host=host)
    assert SipUri.parse(bytes(uri)).user == user


@given(st.binary(max_size=60))
def test_noise_raises_nothing_but_parse_error(noise: bytes) -> None:
    for raw in (noise, b"sip:" + noise, b"sip:a@b" + noise, b'"x" <sip:a@b' + noise):
        for parse in (SipUri.parse, NameAddr.parse):
            try:
                bytes(parse(raw))
            except ParseError:
                continue


NAME_ADDRS = [
    ('"Alice \\"A\\" \\\\" <sip:alice@example.com>;tag=1', 'Alice "A" \\', "1"),
    ("Alice B. <sip:alice@example.com>;tag=x", "Alice B.", "x"),
    ("caller<sip:caller@example.com>;tag=323", "caller", "323"),
    ("<sip:alice@example.com>", "", ""),
    ('"" <sip:alice@example.com>', "", ""),
    ("sip:alice@example.com;tag=7", "", "7"),
    ("sip:alice@example.com ;\t tag = 7", "", "7"),
    ('"a, <b>; c" <sip:alice@example.com;tag=no>;tag=yes', "a, <b>; c", "yes"),
    ("张三 <sip:zhang@example.com>;tag=9", "张三", "9"),
    ("<tel:+8613800138000>;tag=5", "", "5"),
]


@pytest.mark.parametrize(("raw", "display", "tag"), NAME_ADDRS)
def test_name_addr(raw: str, display: str, tag: str) -> None:
    value = NameAddr.parse(raw)
    assert (value.display, value.tag) == (display, tag)
    again = NameAddr.parse(str(value))
    assert again == value


BAD_NAME_ADDRS = [
    "", "<sip:a@b", "sip:a@b>", '"Mr. J <sip:a@b>', "Bell, Alexander <sip:a@b>", "< sip:a@b >",
    "<sip:a@b>;", "<sip:a@b>;;;;", "<sip:a@b>;tag=1;tag=2", "<sip:a@b> junk", '"x"', '"x" sip:a@b',
    "sip:user@example.com?Route=x", "sip:a,b@example.com", "<sip:a@b>;tag=", '<sip:a@b>;x="y',
    "<sip:a@b>;x=y z", "x\x01 <sip:a@b>", "<sip:a@b>;tag", "sip:a@b;tag", '<sip:a@b>;tag="x"',
]  # fmt: skip


@pytest.mark.parametrize("raw", BAD_NAME_ADDRS)
def test_name_addr_refuses(raw: str) -> None:
    with pytest.raises(ParseError) as caught:
        NameAddr.parse(raw, "header:To")
    assert caught.value.layer == "header:To"


def test_display_bytes_are_kept() -> None:
    raw = b'"\xff\xfe \xd0\x90" <sip:a@b>'
    assert bytes(NameAddr.parse(raw)) == raw


def test_params_and_tag() -> None:
    value = NameAddr.parse('<sip:a@b>;+sip.instance="<urn:uuid:1>";q=0.5')
    assert value.param("+SIP.instance") == "<urn:uuid:1>"
    assert value.param("none") is None
    assert str(value.with_tag("t")).endswith(";q=0.5;tag=t")
    assert value.with_tag("t").with_tag("").tag == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("tel:+86-400-812-3456", "tel:+864008123456", True),
        ("tel:+864008123456", "tel:+864008123457", False),
        ("tel:8123456;phone-context=+86-400", "TEL:812-3456;phone-context=+86400", True),
        ("tel:8123456;phone-context=example.com", "tel:8123456;phone-context=EXAMPLE.com", True),
        ("tel:8123456;phone-context=+86", "tel:8123456;phone-context=+1", False),
        ("tel:8123456;phone-context=+86;ext=1", "tel:8123456;ext=1;phone-context=+86", True),
        ("tel:+864008123456;ext=1", "tel:+864008123456", False),
        ("tel:+864008123456", "sip:+864008123456@example.com", False),
    ],
)
def test_telephone_numbers_are_compared_without_separators(one: str, other: str, same: bool) -> None:
    first, second = SipUri.parse(one), SipUri.parse(other)
    assert (first == second) is same
    if same:
        assert hash(first) == hash(second)


@pytest.mark.parametrize(
    ("uri", "subscriber"),
    [
        ("tel:4008123456;phone-context=+86", "4008123456;phone-context=+86"),
        ("sip:4008123456;phone-context=+86@example.com;user=phone", "4008123456;phone-context=+86"),
        ("sip:%2B864008123456@example.com", "+864008123456"),
        ("sip:example.com", ""),
    ],
)
def test_the_telephone_number_in_a_uri(uri: str, subscriber: str) -> None:
    assert SipUri.parse(uri).subscriber == subscriber


def test_equal_uris_do_not_differ() -> None:
    one, same, other = (SipUri.parse(f"sip:{user}@example.com") for user in ("a", "a", "b"))
    assert (one != same) is False
    assert one != other
    assert one != "sip:a@example.com"
