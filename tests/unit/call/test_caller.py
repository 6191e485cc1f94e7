"""Who calls whom: what an INVITE says, what admission found, and whom we believe."""

from __future__ import annotations

from sipcc.call.caller import CallIdentity, identify
from sipcc.call.numbering import Numbering
from sipcc.call.settings import DiallingSettings
from sipcc.sip import Request
from sipcc.sip.settings import TrunkSettings, UserSettings

NUMBERING = Numbering(DiallingSettings(country="86", area_code="010"))
TRUSTED = TrunkSettings(name="carrier", trusted=True)
PLAIN = TrunkSettings(name="plain")
USERS = {"1001": UserSettings(name="1001", password="x" * 8, display="Li Lei", number="010-8123-4567")}


def invite(uri: str = "sip:4008123456@pbx.example.com", *lines: tuple[str, str], sender: str = "") -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("Max-Forwards", "12"),
        ("From", f"{sender or '<sip:013800138000@192.0.2.1>'};tag=1"),
        ("To", f"<{uri}>"),
        ("Call-ID", "1"),
        ("CSeq", "1 INVITE"),
        *lines,
    ]
    return Request.build("INVITE", uri, headers=headers)


def who(request: Request, trunk: TrunkSettings | None = TRUSTED, user: str = "") -> CallIdentity:
    return identify(request, trunk=trunk, user=user, users=USERS, numbering=NUMBERING)


def test_a_caller_from_a_trunk_is_canonical_whatever_the_spelling() -> None:
    for number in ("+8613800138000", "8613800138000", "013800138000", "13800138000", "138-0013-8000"):
        found = who(invite(sender=f"<sip:{number}@192.0.2.1;user=phone>"))
        assert (found.caller, found.caller_name) == ("+8613800138000", "+8613800138000")
    assert found.trunk == "carrier"
    assert found.hops == 11


def test_what_was_dialled_is_canonical_too() -> None:
    for uri in (
        "sip:4008123456@pbx.example.com",
        "sip:+864008123456@pbx.example.com;user=phone",
        "sip:4008123456;phone-context=+86@pbx.example.com;user=phone",
        "tel:+86-400-812-3456",
        "tel:4008123456;phone-context=+86",
        "tel:4008123456;phone-context=ims.example.net",
    ):
        assert who(invite(uri)).called == "+864008123456", uri
    assert who(invite("sip:support@pbx.example.com")).called == "support"
    assert who(invite("sip:pbx.example.com")).called == "pbx.example.com"


def test_an_asserted_identity_counts_only_over_a_trusted_trunk() -> None:
    pai = ("P-Asserted-Identity", '"Han Meimei" <sip:+8613800138001@example.net>')
    assert who(invite("sip:1@x.example.com", pai)).caller == "+8613800138001"
    assert who(invite("sip:1@x.example.com", pai)).caller_name == "Han Meimei"
    assert who(invite("sip:1@x.example.com", pai), PLAIN).caller == "+8613800138000"
    assert who(invite("sip:1@x.example.com", pai), None).caller == "+8613800138000"


def test_a_user_is_who_its_account_says() -> None:
    lies = [
        ("P-Asserted-Identity", "<sip:+8613800138001@example.net>"),
        ("P-Preferred-Identity", "<sip:+8613800138002@example.net>"),
        ("Remote-Party-ID", "<sip:+8613800138003@example.net>"),
        ("Diversion", "<sip:+8613800138004@example.net>"),
        ("Privacy", "id"),
    ]
    found = who(invite("sip:13800138000@x.example.com", *lies, sender='"CEO" <sip:ceo@x>'), None, "1001")
    assert (found.caller, found.caller_name, found.user) == ("+861081234567", "Li Lei", "1001")
    assert found.wire is None
    assert found.redirections == ()
    assert not found.private


def test_a_hidden_caller_is_anonymous_to_people_and_known_to_the_application() -> None:
    hidden = [("P-Asserted-Identity", "<tel:+8613800138001>"), ("Privacy", "id")]
    found = who(invite("sip:1@x.example.com", *hidden, sender="<sip:anonymous@anonymous.invalid>"))
    assert (found.caller, found.caller_name, found.private) == ("anonymous", "anonymous", True)
    assert str(found.number) == "+8613800138001"
    nobody = who(invite(sender="<sip:anonymous@anonymous.invalid>"), PLAIN)
    assert (nobody.caller, nobody.number) == ("anonymous", None)


def test_a_caller_with_a_name_keeps_it() -> None:
    found = who(invite(sender='"Al" <sip:alice@example.com>'), PLAIN)
    assert (found.caller, found.caller_name) == ("alice", "Al")


def test_redirections_are_believed_from_trusted_trunks() -> None:
    lines = [
        ("Diversion", "<sip:01081234568@192.0.2.1>;reason=no-answer;counter=1"),
        ("Diversion", "<tel:+861081234567>;reason=user-busy;counter=2"),
    ]
    found = who(invite("sip:1@x.example.com", *lines))
    assert [entry.uri.user for entry in found.redirections] == ["+861081234567", "+861081234568"]
    assert found.diverted_from == "+861081234568"
    assert who(invite("sip:1@x.example.com", *lines), PLAIN).redirections == ()


def test_the_ways_of_one_trunk() -> None:
    odd = TrunkSettings(name="odd", strip_in="99", number_format_in="e164")
    found = who(invite("sip:998610 81234567@x.example.com".replace(" ", "")), odd)
    assert found.called == "+861081234567"
    abroad = TrunkSettings(name="abroad", country="1")
    assert who(invite(sender="<sip:4155550100@x.example.com>"), abroad).caller == "+14155550100"
    as_is = TrunkSettings(name="raw", number_format_in="as_is")
    assert who(invite(sender="<sip:0138@x.example.com>"), as_is).caller == "0138"


def test_emergency_numbers_are_flagged() -> None:
    assert who(invite("sip:110@x.example.com"), None, "1001").emergency
    assert not who(invite("sip:1100@x.example.com"), None, "1001").emergency
