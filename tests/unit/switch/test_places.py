from __future__ import annotations

import pytest
from tests.unit.switch.test_places_gruu import StillClock

from sipcc.sip import Address, Flow, Registrar, Request, SipSettings, TrunkSettings
from sipcc.sip.transport.manager import Unopened
from sipcc.switch.places import Places

CARRIER = TrunkSettings(
    name="carrier", host="sip.example.net", addresses=("192.0.2.10", "2001:db8::1", "198.51.100.0/24")
)


class OpenFlow(Unopened):
    closed = False


def registered(contact: str, flow: Flow) -> Registrar:
    """A registrar where 1001 has registered `contact`."""
    registrar = Registrar(SipSettings())
    lines = [
        ("Via", "SIP/2.0/TCP 192.0.2.77;branch=z9hG4bK1"),
        ("From", "<sip:1001@pbx.example.com>;tag=f"),
        ("To", "<sip:1001@pbx.example.com>"),
        ("Call-ID", "c"),
        ("CSeq", "1 REGISTER"),
        ("Contact", f"<{contact}>"),
    ]
    request = Request.build("REGISTER", "sip:pbx.example.com", lines)
    registrar.receive(request, "1001", flow=flow, received=flow.remote, now=0.0)
    return registrar


def places(contact: str, *, flow: Flow) -> Places:
    """Places of a switch where 1001 has registered `contact`."""
    return Places(
        registrar=registered(contact, flow),
        users=["1001"],
        trunks=[CARRIER],
        domain="pbx.example.com",
        clock=StillClock(),
    )


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.10", "[::ffff:192.0.2.10]", "[2001:DB8:0:0::1]", "198.51.100.7", "SIP.example.net.",
        "3221225994", "0xc000020a", "192.0.522", "alias.example.org",
    ],
)  # fmt: skip
def test_no_spelling_of_a_carrier_is_the_place_of_a_phone_that_is_gone(host: str) -> None:
    source = Address("192.0.2.77", 40000)
    contact = f"sip:0014155550100@{host};transport=tcp"
    assert places(contact, flow=Unopened("tcp", source)).locate("1001") == []
    [target] = places(contact, flow=OpenFlow("tcp", source)).locate("1001")
    assert target.flow is not None, "it rings the phone, whatever that has registered"


def test_a_phone_that_is_gone_is_looked_for_at_its_own_address() -> None:
    source = Address("192.0.2.77", 40000)
    [target] = places("sip:1001@192.0.2.77:5070", flow=Unopened("tcp", source)).locate("1001")
    assert target.uri.host == "192.0.2.77"


@pytest.mark.parametrize("target", ["sip:1@[2001:DB8:0::1]", "sip:1@198.51.100.9", "sip:1@SIP.example.net."])
def test_a_uri_at_a_carrier_is_a_number_on_its_trunk(target: str) -> None:
    source = Address("192.0.2.77", 40000)
    [found] = places("sip:1001@192.0.2.77", flow=OpenFlow("tcp", source)).locate(target)
    assert found.trunk is CARRIER


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("13800000077", ["13800000077"]),
        ("tel:13800000077", ["13800000077"]),
        ("138-0000-0077", ["13800000077"]),
        ("nobody", []),
        ("queue:nope", []),
    ],
)
def test_a_plain_number_goes_to_the_carrier_and_a_name_does_not(target: str, sent: list[str]) -> None:
    found = places("sip:1001@192.0.2.77", flow=OpenFlow("tcp", Address("192.0.2.77", 40000))).locate(target)
    assert [place.uri.user for place in found if place.trunk is not None] == sent
