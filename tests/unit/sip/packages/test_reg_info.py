"""Registration documents: contacts that stand, came and went."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from sipcc.sip.binding import Binding
from sipcc.sip.packages import RegistrationPackage
from sipcc.sip.packages.reg_info import KEPT_ENDED, MAX_CONTACTS, NAMESPACE
from sipcc.sip.packages.xml import read
from sipcc.sip.transport.base import Address
from sipcc.sip.uri import SipUri


def binding(uri: str, expires_at: float) -> Binding:
    return Binding(SipUri.parse(uri), None, Address("127.0.0.1", 5060), (), 1.0, expires_at, "")


class Desk:
    def __init__(self) -> None:
        self.stands: list[Binding] = []
        self.package = RegistrationPackage(
            lambda uri: uri.user, lambda user: f"sip:{user}@example.com", lambda user: self.stands
        )
        self.told: list[str] = []
        self.package.changed = self.told.append

    def read(self, since: int | None, now: float) -> tuple[str, list[tuple[str, ...]], int]:
        document = self.package.document("1001", version=0, since=since, now=now)
        root = read(document.body, NAMESPACE, "reginfo")
        (registration,) = root.findall("registration")
        assert registration.get("aor") == "sip:1001@example.com"
        found = [_contact(element) for element in registration.findall("contact")]
        return registration.get("state", ""), found, document.revision


def _contact(element: Element) -> tuple[str, ...]:
    uri = element.find("uri")
    assert uri is not None
    return uri.text or "", element.get("state", ""), element.get("event", ""), element.get("expires", "")


def test_contacts_come_and_go() -> None:
    desk = Desk()
    assert desk.read(None, 0.0) == ("init", [], 0)
    desk.stands = [binding("sip:1001@127.0.0.1", 100.0), binding("sip:1001@127.0.0.2;x=&", 60.0)]
    desk.package.update("1001", now=0.0)
    state, contacts, since = desk.read(0, 10.0)
    assert state == "active"
    assert contacts == [
        ("sip:1001@127.0.0.1", "active", "registered", "90"),
        ("sip:1001@127.0.0.2;x=&", "active", "registered", "50"),
    ]
    desk.stands = desk.stands[:1]
    desk.package.update("1001", now=60.0)
    state, contacts, after = desk.read(since, 60.0)
    assert (state, contacts[0][1:]) == ("active", ("terminated", "expired", ""))
    assert len(desk.read(after, 60.0)[1]) == 1
    desk.stands = []
    desk.package.update("1001", now=70.0)
    state, contacts, _ = desk.read(after, 70.0)
    assert (state, contacts) == ("terminated", [("sip:1001@127.0.0.1", "terminated", "unregistered", "")])
    assert desk.told == ["1001"] * 3


def test_documents_are_bounded() -> None:
    desk = Desk()
    desk.stands = [binding(f"sip:1001@127.0.0.1:{port}", 100.0) for port in range(1000, 1100)]
    desk.package.update("1001", now=0.0)
    assert len(desk.read(None, 0.0)[1]) == MAX_CONTACTS
    desk.stands = []
    assert len(desk.read(0, 0.0)[1]) == KEPT_ENDED
