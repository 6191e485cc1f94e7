"""What a party that we ring is shown, and what never leaves."""

from __future__ import annotations

import pytest

from sipcc.call.caller import CallIdentity
from sipcc.call.numbering import Numbering
from sipcc.call.presentation import Presentation, present
from sipcc.call.settings import DiallingSettings
from sipcc.numbers import Number
from sipcc.sip.history import Redirection
from sipcc.sip.identity import Privacy, WireIdentity
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.uri import SipUri

NUMBERING = Numbering(DiallingSettings(country="86", area_code="010"))
TARGET = SipUri.parse("sip:13800138009@192.0.2.1")
CALLER = NUMBERING.dialled("13800138000")
DID = NUMBERING.dialled("4008123456")


def caller(number: Number | None = CALLER, **options: object) -> CallIdentity:
    shown = number.canonical if number is not None else "anonymous"
    facts: dict[str, object] = {"caller": shown, "caller_name": shown, "number": number, "trunk": "in"}
    facts |= {"called": "+864008123456", "called_number": DID}
    return CallIdentity(**(facts | options))  # type: ignore[arg-type]


def shown(
    identity: CallIdentity,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    caller_id: str = "",
    trunk: dict[str, object] | None = None,
) -> Presentation:
    settings = None if trunk is None else TrunkSettings(name="out", **trunk)  # type: ignore[arg-type]
    return present(
        identity,
        TARGET,
        trunk=settings,
        numbering=NUMBERING,
        domain="pbx.example.com",
        headers=headers,
        caller_id=caller_id,
    )


def test_a_phone_of_ours_sees_name_and_number() -> None:
    found = shown(caller(caller_name="Li Lei"), headers=(("Route", "<sip:edge.example.com;lr>"),))
    assert str(found.from_) == '"Li Lei" <sip:+8613800138000@pbx.example.com>'
    assert found.headers == (("Route", "<sip:edge.example.com;lr>"),)
    assert found.contact_user == "+8613800138000"


def test_a_hidden_caller_is_hidden_from_phones() -> None:
    found = shown(caller(private=True))
    assert str(found.from_) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert found.contact_user == "anonymous"
    assert "138" not in str(found)


@pytest.mark.parametrize(
    ("trunk", "identity", "wanted", "expected"),
    [
        # nothing known of the trunk: the caller as it is, unless the trunk has one number for all
        ({}, caller(), "", "13800138000"),
        ({"caller_id": "4008123456"}, caller(), "", "4008123456"),
        # numbers that the carrier gave us: nobody shows another
        ({"numbers": ("4008123456",)}, caller(), "", "4008123456"),
        ({"numbers": ("0108123*", "4008123456")}, caller(), "", "4008123456"),
        ({"numbers": ("0108123*",), "caller_id": "4008123457"}, caller(), "", "4008123457"),
        (
            {"numbers": ("0108123*", "4008123456")},
            caller(NUMBERING.dialled("+861081234567")),
            "",
            "+861081234567",
        ),
        ({"numbers": ("0108123*", "4008123456")}, caller(), "81234568", "81234568"),
        ({"numbers": ("0108123*", "4008123456")}, caller(), "13900139000", "4008123456"),
        ({"numbers": ("0108123*", "4008123456")}, caller(None), "", "4008123456"),
        # in the carrier's own way
        ({"number_format_out": "e164"}, caller(), "", "+8613800138000"),
        ({"number_format_out": "e164", "strip_out": "+"}, caller(), "", "8613800138000"),
        ({"number_format_out": "national"}, caller(NUMBERING.dialled("+861081234567")), "", "01081234567"),
        ({"number_format_out": "national", "prepend_out": "9"}, caller(), "", "13800138000"),
        ({"country": "1"}, caller(), "", "0118613800138000"),
    ],
)
def test_the_caller_towards_a_trunk(
    trunk: dict[str, object], identity: CallIdentity, wanted: str, expected: str
) -> None:
    found = shown(identity, trunk=trunk, caller_id=wanted)
    assert (found.from_.uri.user, found.from_.uri.host) == (expected, "pbx.example.com")
    assert found.contact_user == expected


def test_each_trunk_is_told_in_its_own_style() -> None:
    for style, name in (("pai", "P-Asserted-Identity"), ("ppi", "P-Preferred-Identity")):
        found = shown(caller(), trunk={"identity": style, "from_host": "carrier.example.net"})
        assert found.headers == ((name, '"13800138000" <sip:13800138000@carrier.example.net>'),)
    assert shown(caller(), trunk={"identity": "from"}).headers == ()


def test_a_hidden_caller_with_its_own_number_is_told_to_the_carrier_under_privacy() -> None:
    found = shown(caller(private=True), trunk={"identity": "pai"})
    assert found.from_.uri.host == "anonymous.invalid"
    assert found.headers == (
        ("P-Asserted-Identity", '"13800138000" <sip:13800138000@pbx.example.com>'),
        ("Privacy", "id"),
    )
    plain = shown(caller(private=True), trunk={"identity": "from"})
    assert plain.from_.uri.host == "anonymous.invalid"
    assert plain.headers == (("Privacy", "id"),)


def test_our_own_number_needs_no_privacy() -> None:
    found = shown(caller(private=True), trunk={"identity": "pai", "numbers": ("4008123456",)})
    assert found.from_.uri.user == "4008123456"
    assert "Privacy" not in dict(found.headers)
    assert "138" not in str(found.headers)


def test_redirections_towards_a_carrier() -> None:
    before = (Redirection(SipUri(user="+861081234567", host="inside.example.com"), "user-busy"),)
    identity = caller(redirections=before)
    diversion = shown(identity, trunk={"diversion": "diversion", "number_format_out": "national"})
    assert diversion.headers == (
        ("Diversion", "<sip:4008123456@pbx.example.com>;reason=unconditional;counter=1;privacy=off"),
        ("Diversion", "<sip:01081234567@pbx.example.com>;reason=user-busy;counter=1;privacy=off"),
    )
    history = shown(identity, trunk={"diversion": "history-info", "number_format_out": "e164"})
    assert [value for _, value in history.headers] == [
        "<sip:+861081234567@pbx.example.com>;index=1",
        "<sip:+864008123456@pbx.example.com;cause=486>;index=1.1;mp=1",
        "<sip:13800138009@192.0.2.1;cause=302>;index=1.1.1;mp=1.1",
    ]
    assert "inside.example.com" not in str(diversion) + str(history)
    assert shown(identity, trunk={}).headers == ()


def test_a_history_to_be_hidden_is_hidden() -> None:
    wire = WireIdentity(SipUri(user="x", host="y"), privacy=Privacy(frozenset({"history"})))
    found = shown(caller(wire=wire), trunk={"diversion": "diversion"})
    assert found.headers[0][1].endswith("privacy=full")


def test_a_call_of_our_own_user_was_not_redirected() -> None:
    identity = caller(trunk="", user="1001")
    assert shown(identity, trunk={"diversion": "history-info"}).headers == ()


def test_only_what_may_pass_leaves_to_a_carrier() -> None:
    inside = (
        ("P-Asserted-Identity", "<sip:ceo@pbx.example.com>"),
        ("X-Internal", "queue=vip"),
        ("P-Charging-Vector", "icid-value=1"),
        ("Route", "<sip:10.0.0.1;lr>"),
        ("Referred-By", "<sip:1001@pbx.example.com>"),
        ("Subject", "order 7"),
        ("X-Account", "42"),
    )
    found = shown(caller(), headers=inside, trunk={"pass_headers": ("X-Account", "P-Asserted-Identity")})
    assert found.headers == (("Subject", "order 7"), ("X-Account", "42"))


def test_the_hops_of_the_call_go_down() -> None:
    assert shown(caller(hops=11)).headers == (("Max-Forwards", "11"),)
    assert shown(caller(hops=11), trunk={}).headers == (("Max-Forwards", "11"),)


def test_nobody_is_asserted_to_nobody() -> None:
    found = shown(caller(None, private=True), trunk={"identity": "pai"})
    assert found.from_.uri.host == "anonymous.invalid"
    assert found.headers == ()
