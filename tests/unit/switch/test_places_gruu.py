from __future__ import annotations

import pytest

from sipcc.sip import Address, NameAddr, Registrar, Request, SipSettings
from sipcc.switch.places import Places

INSTANCE = '+sip.instance="<urn:uuid:{}>"'


class StillClock:
    def now(self) -> float:
        return 10.0

    def wall_of(self, at: float) -> float:
        return at


def register(registrar: Registrar, user: str, device: int) -> NameAddr:
    """Register one device; the Contact of the answer that is its own."""
    contact = f"<sip:{user}@192.0.2.{device}>;{INSTANCE.format(device)}"
    lines = [
        ("Via", f"SIP/2.0/UDP 192.0.2.{device};branch=z9hG4bK{device}"),
        ("From", f"<sip:{user}@pbx.example.com>;tag=f"),
        ("To", f"<sip:{user}@pbx.example.com>"),
        ("Call-ID", f"c{device}"),
        ("CSeq", "1 REGISTER"),
        ("Contact", contact),
        ("Supported", "gruu"),
    ]
    request = Request.build("REGISTER", "sip:pbx.example.com", lines)
    source = Address(f"192.0.2.{device}", 5060)
    answer = registrar.receive(request, user, flow=None, received=source, now=0.0)
    return next(one for one in answer.contacts if f"192.0.2.{device}" in str(one.uri))


@pytest.mark.parametrize("kind", ["pub-gruu", "temp-gruu"])
def test_a_gruu_rings_one_device_and_not_the_others(kind: str) -> None:
    registrar = Registrar(SipSettings(), secret=b"0123456789abcdef")
    places = Places(
        registrar=registrar, users=["1001", "1002"], trunks=[], domain="pbx.example.com", clock=StillClock()
    )
    contacts = [register(registrar, "1001", device) for device in (5, 6)]
    assert len(places.locate("1001")) == 2
    for contact, host in zip(contacts, ("192.0.2.5", "192.0.2.6"), strict=True):
        [target] = places.locate(contact.param(kind) or "")
        assert (target.uri.host, target.user) == (host, "1001")
    registrar.remove("1001")
    assert places.locate(contacts[0].param(kind) or "") == []
    assert places.locate("sip:9999@pbx.example.com;gr=urn:uuid:5") == []
