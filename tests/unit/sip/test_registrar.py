from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.message import Request, Response
from sipcc.sip.registrar import BindingsChanged, Rebound, Registrar
from sipcc.sip.settings import SipSettings
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.uri import NameAddr, SipUri

SOURCE = Address("192.0.2.7", 40000)
AOR = "1001"


class FakeFlow:
    local = Address("192.0.2.1", 5060)
    closed = False
    peer_names: frozenset[str] = frozenset()

    def __init__(self, remote: Address = SOURCE, transport: TransportName = "tcp") -> None:
        self.remote = remote
        self.transport: TransportName = transport
        self.reliable = transport != "udp"

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None: ...


FLOW = FakeFlow()


class Phone:
    """Sends REGISTERs into one registrar, as one Call-ID."""

    def __init__(self, registrar: Registrar, call_id: str = "c1") -> None:
        self.registrar = registrar
        self.call_id = call_id
        self.cseq = 0

    def register(
        self, *contacts: str, now: float = 0.0, cseq: int | None = None, flow: FakeFlow = FLOW, **headers: str
    ) -> Response:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        lines = [
            ("Via", f"SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK{self.call_id}{self.cseq}"),
            ("From", "<sip:1001@example.com>;tag=f"),
            ("To", "<sip:1001@example.com>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} REGISTER"),
            *(("Contact", contact) for contact in contacts),
            *headers.items(),
        ]
        request = Request.build("REGISTER", "sip:example.com", lines)
        return self.registrar.receive(request, AOR, flow=flow, received=flow.remote, now=now)


def make(secret: bytes = b"", **settings: int) -> tuple[Registrar, Phone]:
    registrar = Registrar(SipSettings(**settings), secret=secret)  # type: ignore[arg-type]
    return registrar, Phone(registrar)


def changes(registrar: Registrar) -> list[int]:
    """The counts that were told."""
    return [event.count for event in registrar.events() if isinstance(event, BindingsChanged)]


def test_register_and_expire() -> None:
    registrar, phone = make()
    answer = phone.register("<sip:1001@10.0.0.5:5062;transport=udp>", Expires="120")
    assert answer.status == 200
    assert answer.headers.get_all("Contact") == ["<sip:1001@10.0.0.5:5062;transport=udp>;expires=120"]
    assert answer.to.tag
    (binding,) = registrar.bindings(AOR, now=119.0)
    assert (binding.flow, binding.received, binding.q, binding.expires_at) == (FLOW, SOURCE, 1.0, 120.0)
    assert str(binding.uri) == "sip:1001@10.0.0.5:5062;transport=udp"  # not rewritten to its source
    assert registrar.events() == [BindingsChanged(AOR, 1)]
    assert registrar.events() == []
    assert registrar.deadline == 120.0
    assert registrar.bindings(AOR, now=120.0) == []
    registrar.expire(now=120.0)
    assert registrar.events() == [BindingsChanged(AOR, 0)]
    assert registrar.deadline is None
    assert len(registrar) == 0


def test_refresh_is_no_change() -> None:
    registrar, phone = make()
    phone.register("<sip:a@192.0.2.7>", Expires="100")
    phone.register("<sip:a@192.0.2.7>", Expires="100", now=50.0)
    assert registrar.events() == [BindingsChanged(AOR, 1)]
    registrar.expire(now=100.0)
    assert len(registrar.bindings(AOR, now=100.0)) == 1
    assert registrar.deadline == 150.0


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        ("<sip:a@h>", {}, 600),
        ("<sip:a@h>", {"Expires": "90"}, 90),
        ("<sip:a@h>;expires=200", {"Expires": "90"}, 200),
        ("<sip:a@h>;expires=999999", {}, 3600),
        ("<sip:a@h>;expires=280297596632815", {}, 3600),
        ("<sip:a@h>;expires=1_0", {"Expires": "77"}, 77),
        ("<sip:a@h>", {"Expires": "soon"}, 600),
        ("sip:a@h;expires=300", {}, 300),
    ],
)
def test_how_long(contact: str, header: dict[str, str], granted: int) -> None:
    registrar, phone = make()
    phone.register(contact, **header)
    assert registrar.bindings(AOR, now=0.0)[0].expires_at == granted


def test_too_brief() -> None:
    registrar, phone = make()
    answer = phone.register("<sip:a@h>", "<sip:b@h>;expires=59")
    assert (answer.status, answer.headers.get("Min-Expires")) == (423, "60")
    assert registrar.bindings(AOR, now=0.0) == []  # all or nothing


def test_remove_one_and_all() -> None:
    registrar, phone = make()
    phone.register("<sip:a@h>", "<sip:b@h>")
    answer = phone.register("<sip:a@h>;expires=0")
    assert answer.headers.get_all("Contact") == ["<sip:b@h>;expires=600"]
    assert phone.register("<sip:gone@h>;expires=0").status == 200
    assert phone.register("*", Expires="0").headers.get_all("Contact") == []
    assert [event.count for event in registrar.events()] == [2, 1, 0]


@pytest.mark.parametrize("headers", [{}, {"Expires": "60"}, {"Expires": "x"}])
def test_star_needs_expires_0(headers: dict[str, str]) -> None:
    registrar, phone = make()
    phone.register("<sip:a@h>")
    assert phone.register("*", **headers).status == 400
    assert len(registrar.bindings(AOR, now=0.0)) == 1


def test_query_changes_nothing() -> None:
    registrar, phone = make()
    phone.register("<sip:a@h>")
    registrar.events()
    answer = phone.register(now=100.0)
    assert answer.headers.get_all("Contact") == ["<sip:a@h>;expires=500"]
    assert registrar.events() == []


def test_an_overtaken_register_undoes_nothing() -> None:
    registrar, phone = make()
    phone.register("<sip:a@h>", cseq=5)
    assert phone.register("<sip:a@h>;expires=0", cseq=5).status == 400
    assert phone.register("*", Expires="0", cseq=4).status == 400
    assert len(registrar.bindings(AOR, now=0.0)) == 1
    assert Phone(registrar, "other").register("<sip:a@h>;expires=0").status == 200
    assert registrar.bindings(AOR, now=0.0) == []


def test_instance_is_the_device() -> None:
    registrar, phone = make()
    phone.register('<sip:a@h:1000>;+sip.instance="<urn:uuid:1>";reg-id=1')
    answer = phone.register('<sip:a@h:2000>;+sip.instance="<urn:uuid:1>";reg-id=1')
    assert answer.headers.get_all("Contact") == [
        '<sip:a@h:2000>;expires=600;+sip.instance="<urn:uuid:1>";reg-id=1'
    ]
    assert registrar.bindings(AOR, now=0.0)[0].instance == "urn:uuid:1"
    phone.register('<sip:a@h:2000>;+sip.instance="<urn:uuid:2>"')
    assert len(registrar.bindings(AOR, now=0.0)) == 2
    assert changes(registrar) == [1, 1, 2]


def test_order_of_preference() -> None:
    registrar, phone = make()
    phone.register("<sip:low@h>;q=0.1", "<sip:one@h>;q=1.0", "<sip:odd@h>;q=9.9e9", "<sip:mid@h>;q=0.5")
    assert [b.uri.user for b in registrar.bindings(AOR, now=0.0)] == ["odd", "one", "mid", "low"]
    assert "q=0.1" in (phone.register().headers.get("Contact") or "")


def test_path_is_kept_and_echoed() -> None:
    registrar, phone = make()
    path = "<sip:edge1.example.com;lr>, <sip:edge2.example.com;lr>"
    answer = phone.register("<sip:a@h>", Path=path)
    assert answer.headers.get_all("Path") == [path]
    (binding,) = registrar.bindings(AOR, now=0.0)
    assert [str(hop.uri) for hop in binding.path] == ["sip:edge1.example.com;lr", "sip:edge2.example.com;lr"]
    assert phone.register("<sip:a@h>", Path="junk").status == 400


def test_limit_of_contacts() -> None:
    registrar, phone = make(max_contacts=2)
    assert phone.register("<sip:a@h>", "<sip:b@h>").status == 200
    assert phone.register("<sip:c@h>").status == 403
    assert phone.register("<sip:a@h>", "<sip:b@h>").status == 200
    assert phone.register("<sip:a@h>;expires=0", "<sip:c@h>").status == 200
    assert [b.uri.user for b in registrar.bindings(AOR, now=0.0)] == ["c", "b"]


def test_contact_with_headers_is_echoed_but_not_used() -> None:
    registrar, phone = make()
    answer = phone.register("<sip:a@h;method=INVITE;x=1?Route=%3Csip:evil%3E>")
    assert "?Route=" in (answer.headers.get("Contact") or "")
    assert str(registrar.bindings(AOR, now=0.0)[0].uri) == "sip:a@h;x=1"


def test_a_contact_that_cannot_be_called() -> None:
    _, phone = make()
    assert phone.register("<name:John_Smith>").status == 400


def test_a_lost_connection_takes_its_bindings() -> None:
    registrar, phone = make()
    other = FakeFlow()
    phone.register("<sip:a@h>")
    phone.register("<sip:b@h>", flow=other)
    registrar.drop_flow(other)
    assert [b.uri.user for b in registrar.bindings(AOR, now=0.0)] == ["a"]
    registrar.remove(AOR)
    registrar.remove("nobody")
    assert [event.count for event in registrar.events()] == [1, 2, 1, 0]


def test_expired_bindings_do_not_come_back_in_answers() -> None:
    _, phone = make()
    phone.register("<sip:a@h>", Expires="60")
    answer = phone.register("<sip:b@h>", now=61.0)
    assert answer.headers.get_all("Contact") == ["<sip:b@h>;expires=600"]


def test_refreshes_do_not_pile_up() -> None:
    registrar, phone = make()
    for i in range(500):
        phone.register("<sip:a@h>", now=float(i))
    assert len(registrar._ends) <= 200
    assert registrar.deadline is not None


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # which contact
        st.sampled_from([0, 60, 90, 200, 4000]),  # for how long
        st.floats(0, 150),  # how much later
        st.booleans(),  # whether the timer runs first
    ),
    max_size=25,
)


@given(STEPS)
def test_any_history(steps: list[tuple[str, int, float, bool]]) -> None:
    """Against a model that is a dict: contacts, their ends, and one event for each change."""
    registrar, phone = make()
    model: dict[str, float] = {}
    told = 0
    now = 0.0
    for name, expires, later, timer in steps:
        now += later
        if timer:
            registrar.expire(now=now)
        assert phone.register(f"<sip:{name}@h>;expires={expires}", now=now).status == 200
        model = {contact: end for contact, end in model.items() if end > now}
        model[name] = now + min(expires, 3600)
        if not expires:
            del model[name]
        bindings = registrar.bindings(AOR, now=now)
        assert {b.uri.user: b.expires_at for b in bindings} == pytest.approx(model)
        told = [told, *changes(registrar)][-1]
        assert told == len(model)
        assert (registrar.deadline is not None) or not model
    registrar.expire(now=now + 10_000)
    assert len(registrar) == 0
    assert registrar.deadline is None


# -- flows of a device (RFC 5626) --------------------------------------------------------------------------

ONE = '+sip.instance="<urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6>"'
OUTBOUND = {"Supported": "path, outbound"}


def test_a_flow_is_bound_and_said_to_be() -> None:
    registrar, phone = make()
    answer = phone.register(f"<sip:a@h>;{ONE};reg-id=1", **OUTBOUND)
    assert answer.headers.get("Require") == "outbound"
    assert "outbound" in (answer.headers.get("Supported") or "")
    assert registrar.bindings(AOR, now=0.0)[0].reg_id == 1


@pytest.mark.parametrize(
    ("contact", "headers"),
    [
        (f"<sip:a@h>;{ONE};reg-id=1", {}),
        ("<sip:a@h>;reg-id=1", OUTBOUND),
        (f"<sip:a@h>;{ONE};reg-id=0", OUTBOUND),
        (f"<sip:a@h>;{ONE};reg-id=2147483648", OUTBOUND),
        (f"<sip:a@h>;{ONE};reg-id=x", OUTBOUND),
        (f"<sip:a@h>;{ONE}", OUTBOUND),
    ],
)
def test_what_is_no_flow_is_bound_as_ever(contact: str, headers: dict[str, str]) -> None:
    registrar, phone = make()
    assert "Require" not in phone.register(contact, **headers).headers
    assert registrar.bindings(AOR, now=0.0)[0].reg_id == 0


def test_of_two_flows_of_a_device_the_newest_open_one_is_rung() -> None:
    registrar, phone = make()
    first, second = FakeFlow(Address("192.0.2.7", 1)), FakeFlow(Address("192.0.2.7", 2))
    phone.register(f"<sip:a@h>;{ONE};reg-id=1", flow=first, **OUTBOUND)
    answer = phone.register(f"<sip:a@h>;{ONE};reg-id=2", flow=second, **OUTBOUND)
    assert len(answer.headers.get_all("Contact")) == 2
    assert [binding.reg_id for binding in registrar.bindings(AOR, now=0.0)] == [2]
    second.closed = True
    assert [binding.reg_id for binding in registrar.bindings(AOR, now=0.0)] == [1]
    registrar.drop_flow(first)
    assert [binding.reg_id for binding in registrar.bindings(AOR, now=0.0)] == [2]


def test_one_flow_at_a_time() -> None:
    _, phone = make()
    answer = phone.register(f"<sip:a@h>;{ONE};reg-id=1", "<sip:b@h>", **OUTBOUND)
    assert answer.status == 400


# -- who moves ---------------------------------------------------------------------------------------------


def moves(registrar: Registrar) -> list[tuple[str, Address, Address]]:
    return [
        (event.instance, event.old.received, event.new.received)
        for event in registrar.events()
        if isinstance(event, Rebound)
    ]


@pytest.mark.parametrize("contact", ["<sip:a@10.0.0.5>", f"<sip:a@10.0.0.5>;{ONE}"])
def test_a_moved_source_port_moves_the_binding(contact: str) -> None:
    registrar, phone = make()
    old, new = Address("192.0.2.7", 40000), Address("192.0.2.7", 41000)
    phone.register(contact, flow=FakeFlow(old, "udp"))
    phone.register(contact, flow=FakeFlow(old, "udp"), now=10.0)
    assert moves(registrar) == []
    answer = phone.register(contact, flow=FakeFlow(new, "udp"), now=20.0)
    assert len(answer.headers.get_all("Contact")) == 1
    assert answer.headers.get_all("Contact")[0].startswith("<sip:a@10.0.0.5>")  # and not where it came from
    [(_, before, after)] = moves(registrar)
    assert (before, after) == (old, new)
    assert registrar.is_bound(AOR, new)
    assert registrar.knows(new)
    assert not registrar.is_bound(AOR, old)
    assert not registrar.knows(old)


def test_a_new_stream_or_contact_of_a_device_is_a_move() -> None:
    registrar, phone = make()
    phone.register(f"<sip:a@h:1>;{ONE}")
    phone.register(f"<sip:a@h:1>;{ONE}", flow=FakeFlow())
    phone.register(f"<sip:a@h:2>;{ONE}", flow=FakeFlow())
    assert len(moves(registrar)) == 2


def test_the_sources_of_registrations_are_forgotten_with_them() -> None:
    registrar, phone = make()
    one, two = FakeFlow(Address("192.0.2.7", 1), "udp"), FakeFlow(Address("192.0.2.7", 2), "udp")
    phone.register("<sip:a@h>;expires=60", flow=one)
    phone.register("<sip:b@h>;expires=90", flow=one)
    phone.register("<sip:c@h>;expires=120", flow=two)
    registrar.expire(now=61.0)
    assert registrar.is_bound(AOR, one.remote)
    registrar.expire(now=91.0)
    assert not registrar.knows(one.remote)
    assert registrar.knows(two.remote)
    registrar.remove(AOR)
    assert registrar._sources == {}
    assert registrar._count == 0


# -- GRUUs (RFC 5627) --------------------------------------------------------------------------------------

SECRET = b"0123456789abcdef"
GRUU = {"Supported": "gruu"}


def gruus(answer: Response) -> tuple[str, str]:
    [contact] = [NameAddr.parse(value) for value in answer.headers.get_all("Contact")]
    return contact.param("pub-gruu") or "", contact.param("temp-gruu") or ""


def test_gruus_lead_to_the_device() -> None:
    registrar, phone = make(SECRET)
    public, temporary = gruus(phone.register(f"<sip:a@10.0.0.5>;{ONE}", **GRUU))
    assert public == "sip:1001@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    assert "1001" not in temporary
    assert temporary.endswith("@example.com;gr")
    for text in (public, temporary):
        binding = registrar.binding_of_gruu(SipUri.parse(text), now=1.0)
        assert binding is not None
        assert binding.uri.host == "10.0.0.5"
        assert registrar.binding_of_gruu(SipUri.parse(text), now=601.0) is None


def test_gruus_only_for_who_knows_them() -> None:
    _, phone = make(SECRET)
    assert gruus(phone.register(f"<sip:a@h>;{ONE}")) == ("", "")
    _, without = make()
    public, temporary = gruus(without.register(f"<sip:a@h>;{ONE}", **GRUU))
    assert public
    assert not temporary


def test_temporary_gruus_die_with_the_call_id() -> None:
    registrar, phone = make(SECRET)
    _, first = gruus(phone.register(f"<sip:a@h>;{ONE}", **GRUU))
    _, second = gruus(phone.register(f"<sip:a@h>;{ONE}", **GRUU))
    assert first != second
    for text in (first, second):
        assert registrar.binding_of_gruu(SipUri.parse(text), now=1.0) is not None
    _, third = gruus(Phone(registrar, "another").register(f"<sip:a@h>;{ONE}", **GRUU))
    for text, alive in ((first, False), (second, False), (third, True)):
        assert (registrar.binding_of_gruu(SipUri.parse(text), now=1.0) is not None) == alive
    registrar.remove(AOR)
    assert registrar.binding_of_gruu(SipUri.parse(third), now=1.0) is None


def test_a_gruu_is_no_contact() -> None:
    _, phone = make(SECRET)
    public, temporary = gruus(phone.register(f"<sip:a@h>;{ONE}", **GRUU))
    for text in (public, temporary):
        assert phone.register(f"<{text}>").status == 403
    assert phone.register("<sip:other@h;gr=urn:uuid:1>").status == 200


@pytest.mark.parametrize(
    "text", ["sip:1001@example.com", "sip:1001@example.com;gr", "sip:tgruu.x@example.com;gr",
             "sip:tgruu.AAAAAAAAAAAAAAAAAAAAAAAA@example.com;gr", "sip:9999@example.com;gr=urn:uuid:1",
             "sip:tgruu.%C3%A9@example.com;gr", "sip:1001@example.com;gr=urn:uuid:2"],
)  # fmt: skip
def test_what_is_no_gruu_of_ours(text: str) -> None:
    registrar, phone = make(SECRET)
    phone.register(f"<sip:a@h>;{ONE}", **GRUU)
    assert registrar.binding_of_gruu(SipUri.parse(text), now=1.0) is None
