from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import ParseError
from sipcc.sip.message import Request
from sipcc.sip.refer import (
    Referral,
    Replaces,
    TargetDialog,
    is_over,
    refer_event,
    refer_to,
    replaces_of,
    sipfrag,
    status_of,
    subscription_state,
)
from sipcc.sip.uri import SipUri


def refer(*headers: tuple[str, str]) -> Request:
    return Request.build("REFER", "sip:pbx.example.com", headers=headers)


def test_a_blind_transfer_names_its_target() -> None:
    found = Referral.of(
        refer(
            ("Refer-To", "<sip:1002@pbx.example.com;method=INVITE>"),
            ("Referred-By", "<sip:1001@example.com>"),
        )
    )
    assert str(found.target) == "sip:1002@pbx.example.com"
    assert found.replaces is None
    assert found.referred_by is not None
    assert found.referred_by.uri.user == "1001"
    assert found.subscribes


def test_compact_forms_and_tel() -> None:
    found = Referral.of(refer(("r", "tel:+8613800138000"), ("Refer-Sub", "false")))
    assert (found.target.scheme, found.target.user) == ("tel", "+8613800138000")
    assert not found.subscribes


def test_an_attended_transfer_names_a_dialog() -> None:
    value = "<sip:1002@pbx.example.com?Replaces=a84b%40h%3Bto-tag%3D7743%3Bfrom-tag%3D6472&Require=replaces>"
    found = Referral.of(refer(("Refer-To", value)))
    assert found.replaces == Replaces("a84b@h", "7743", "6472")
    assert found.target.headers == ""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 400),
        ((("Refer-To", "<sip:a@example.com>"), ("Refer-To", "<sip:b@example.com>")), 400),
        ((("Refer-To", "not a uri"),), 400),
        ((("Refer-To", "<http://example.com/>"),), 416),
        ((("Refer-To", "<mailto:a@example.com>"),), 416),
        ((("Refer-To", "<sip:a@example.com;method=BYE>"),), 403),
        ((("Refer-To", "<sip:a@example.com?Route=%3Csip:evil.example.net%3E>"),), 403),
        ((("Refer-To", "<sip:a@example.com?Contact=sip:evil.example.net>"),), 403),
        ((("Refer-To", "<sip:a@example.com?body=x>"),), 403),
        ((("Refer-To", "<sip:a@example.com?Replaces=a>"),), 400),
        ((("Refer-To", "<sip:a@example.com?Replaces=a%3Bto-tag%3D1>"),), 400),
        ((("Refer-To", "<sip:a@example.com?Replaces=a%0d%0aX%3B1>"),), 400),
        ((("Refer-To", "<sip:a@example.com?Replaces>"),), 400),
        ((("Refer-To", "<sip:a@example.com?%20=x>"),), 400),
    ],
)
def test_what_a_refer_may_not_ask_for(headers: tuple[tuple[str, str], ...], status: int) -> None:
    with pytest.raises(ParseError) as caught:
        Referral.of(refer(*headers))
    assert caught.value.status_hint == status


def test_a_broken_referred_by_is_passed_over() -> None:
    assert Referral.of(refer(("Refer-To", "<sip:a@example.com>"), ("Referred-By", "<<"))).referred_by is None


def test_an_invite_replaces_at_most_one_dialog() -> None:
    one = ("Replaces", "98732@h;from-tag=r33th4x0r;to-tag=ff87ff;early-only")
    assert replaces_of(refer()) is None
    assert replaces_of(refer(one)) == Replaces("98732@h", "ff87ff", "r33th4x0r", True)
    for headers in ((one, one), (one, ("Join", "x;from-tag=1;to-tag=2"))):
        with pytest.raises(ParseError):
            replaces_of(refer(*headers))


def test_target_dialog() -> None:
    value = "fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544"
    found = TargetDialog.parse(value)
    assert (found.local_tag, found.remote_tag) == ("kkaz-", "6544")
    assert str(found) == value
    for bad in ("a", "a;local-tag=1", ";local-tag=1;remote-tag=2"):
        with pytest.raises(ParseError):
            TargetDialog.parse(bad)


TOKENS = st.text("abcXYZ0189-.!%*_+`'~", min_size=1, max_size=20)


@given(TOKENS, TOKENS, TOKENS, st.booleans())
def test_what_is_written_is_read_again(call_id: str, to_tag: str, from_tag: str, early_only: bool) -> None:
    replaces = Replaces(f"{call_id}@example.com", to_tag, from_tag, early_only)
    value = refer_to(SipUri(user="1002", host="example.com"), replaces)
    assert Referral.of(refer(("Refer-To", value))).replaces == replaces


@given(st.binary(max_size=80))
def test_nothing_but_a_parse_error_comes_out(raw: bytes) -> None:
    with contextlib.suppress(ParseError):
        Replaces.parse(raw)
    with contextlib.suppress(ParseError):
        Referral.of(refer(("Refer-To", raw.replace(b"\r", b"").replace(b"\n", b"").decode("latin-1"))))


def test_progress_travels_as_a_status_line() -> None:
    assert sipfrag(180) == b"SIP/2.0 180 Ringing\r\n"
    assert status_of(sipfrag(486)) == 486
    assert status_of(b"SIP/2.0 200") == 200
    assert [status_of(bad) for bad in (b"", b"SIP/2.0 20", b"SIP/2.0 700 X", b"x")] == [0, 0, 0, 0]
    assert refer_event(7, first=True) == "refer"
    assert refer_event(7, first=False) == "refer;id=7"
    assert is_over(subscription_state(over=True))
    assert not is_over(subscription_state(over=False))
    assert not is_over(None)
