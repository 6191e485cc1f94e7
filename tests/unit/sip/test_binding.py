"""Registrations that outlive the process that took them."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.sip.test_registrar import AOR, SOURCE, FakeFlow, Phone, changes, make

from sipcc.errors import ParseError
from sipcc.sip.binding import SavedContacts
from sipcc.sip.registrar import Registrar

UDP = FakeFlow(transport="udp")
BOOT = 1_790_000_000.0


def wall_of(at: float) -> float:
    return BOOT + at


def moved(registrar: Registrar, *, later: float, boot: float = BOOT) -> tuple[Registrar, Phone]:
    """What another process has of it, `later` seconds on, whose clock began at `boot`."""
    saved = registrar.save(AOR, wall_of=wall_of)
    written = msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=SavedContacts)
    fresh, phone = make()
    fresh.restore(AOR, written, flow_of=lambda contact: UDP, ages=-boot)
    assert later >= 0
    return fresh, phone


def test_a_phone_is_known_after_a_restart_for_as_long_as_it_asked() -> None:
    registrar, phone = make()
    phone.register('<sip:1001@10.0.0.5:5062>;q=0.7;+sip.instance="<urn:x>"', flow=UDP, Expires="120")
    (before,) = registrar.bindings(AOR, now=0.0)
    boot = BOOT + 50.0  # the other process runs after a reboot: its clock began anew
    fresh, _ = moved(registrar, later=50.0, boot=boot)
    (after,) = fresh.bindings(AOR, now=0.0)
    assert after.expires_at == pytest.approx(70.0)
    assert (after.uri, after.q, after.instance, after.received) == (
        before.uri,
        before.q,
        before.instance,
        SOURCE,
    )
    assert after.flow is UDP
    assert changes(fresh) == [1]
    assert fresh.is_bound(AOR, SOURCE)
    assert fresh.bindings(AOR, now=70.1) == []


def test_it_refreshes_there_as_if_nothing_had_been() -> None:
    registrar, phone = make()
    contact = "<sip:1001@10.0.0.5:5062>"
    phone.register(contact, flow=UDP, Expires="120")
    fresh, other = moved(registrar, later=1.0)
    other.cseq = phone.cseq - 1
    assert other.register(contact, flow=UDP, Expires="120").status != 200  # the same number once more
    answer = other.register(contact, cseq=phone.cseq + 1, flow=UDP, Expires="0")
    assert answer.status == 200
    assert fresh.bindings(AOR, now=1.0) == []


@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_browser_is_not_kept_as_its_connection_has_ended(transport: str) -> None:
    registrar, phone = make()
    phone.register("<sip:x@abc.invalid>", flow=FakeFlow(transport=transport), Expires="120")  # type: ignore[arg-type]
    assert registrar.save(AOR, wall_of=wall_of).contacts == ()


def test_a_flow_of_rfc_5626_is_not_kept() -> None:
    registrar, phone = make()
    phone.register(
        '<sip:1001@10.0.0.5:5062>;reg-id=1;+sip.instance="<urn:x>"', Expires="120", Supported="outbound"
    )
    assert registrar.save(AOR, wall_of=wall_of).contacts == ()


def test_who_has_registered_already_is_not_overwritten() -> None:
    registrar, phone = make()
    phone.register("<sip:1001@10.0.0.5:5062>", flow=UDP, Expires="120")
    saved = registrar.save(AOR, wall_of=wall_of)
    fresh, other = make()
    other.register("<sip:1001@10.0.0.9:5062>", flow=UDP, Expires="120")
    fresh.restore(AOR, saved, flow_of=lambda contact: UDP, ages=-BOOT)
    assert [str(one.uri) for one in fresh.bindings(AOR, now=1.0)] == ["sip:1001@10.0.0.9:5062"]


def test_what_is_damaged_is_refused() -> None:
    registrar, phone = make()
    phone.register("<sip:1001@10.0.0.5:5062>", flow=UDP, Expires="120")
    (contact,) = registrar.save(AOR, wall_of=wall_of).contacts
    damaged = SavedContacts((msgspec.structs.replace(contact, uri="no uri"),))
    with pytest.raises(ParseError):
        make()[0].restore(AOR, damaged, flow_of=lambda contact: UDP, ages=-BOOT)
