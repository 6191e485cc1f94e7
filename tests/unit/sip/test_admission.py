from __future__ import annotations

import re
from collections import Counter

import pytest

from sipcc.sip.admission import Admission, Admitted, Dropped, Refused
from sipcc.sip.auth import Credentials, answer_challenge
from sipcc.sip.guard import AccountAttacked
from sipcc.sip.message import Request
from sipcc.sip.settings import TrunkSettings, UserSettings
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.trunk import TrunkTable

CARRIER = TrunkSettings(name="carrier", addresses=("192.0.2.10",))


class FakeFlow:
    local = Address("192.0.2.1", 5060)
    closed = False

    def __init__(
        self, host: str, port: int = 5060, transport: TransportName = "udp", names: tuple[str, ...] = ()
    ) -> None:
        self.remote = Address(host, port)
        self.transport: TransportName = transport
        self.reliable = transport != "udp"
        self.peer_names = frozenset(names)

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None: ...


PHONE = FakeFlow("198.51.100.5", 40000)


def admission(**options: object) -> Admission:
    settings: dict[str, object] = {"trunks": TrunkTable([CARRIER]), **options}
    return Admission(
        users=[UserSettings(name="1001", password="pw"), UserSettings(name="1002", password="other")],
        realm="example.com",
        secret=b"0123456789abcdef",
        **settings,  # type: ignore[arg-type]
    )


def request(method: str = "INVITE", user: str = "4008123456", **headers: str) -> Request:
    lines = [
        ("Via", "SIP/2.0/UDP 198.51.100.5:40000;branch=z9hG4bKx"),
        ("From", "<sip:1001@example.com>;tag=f"),
        ("To", f"<sip:{user}@example.com>"),
        ("Call-ID", "c"),
        ("CSeq", f"1 {method}"),
        *headers.items(),
    ]
    return Request.build(method, f"sip:{user}@example.com", lines)


def with_proof(gate: Admission, asked: Request, password: str = "pw", user: str = "1001") -> Request:
    refused = gate.check(asked, PHONE, now=10.0)
    assert isinstance(refused, Refused)
    asked = asked.copy()
    asked.headers.add(*answer_challenge(refused.response, asked, Credentials(user, password), cnonce="c"))
    return asked


def test_a_carrier_is_known_by_its_address() -> None:
    verdict = admission().check(request(), FakeFlow("192.0.2.10", 5060), now=0.0)
    assert verdict == Admitted(trunk=CARRIER)


def test_a_carrier_may_not_register() -> None:
    assert isinstance(admission().check(request("REGISTER"), FakeFlow("192.0.2.10", 5060), now=0.0), Refused)


def test_strangers_are_challenged() -> None:
    gate = admission()
    verdict = gate.check(request(), PHONE, now=10.0)
    assert isinstance(verdict, Refused)
    assert (verdict.response.status, verdict.reason) == (401, "missing")
    assert len(verdict.response.headers.get_all("WWW-Authenticate")) == 2
    again = gate.check(request(), PHONE, now=11.0)
    assert isinstance(again, Refused)
    assert again.response.to.tag == verdict.response.to.tag != ""


def test_a_challenge_is_no_amplifier() -> None:
    verdict = admission().check(request("REGISTER"), PHONE, now=1e6)
    assert isinstance(verdict, Refused)
    invite = request(
        **{"User-Agent": "x" * 20, "Contact": "<sip:1001@198.51.100.5:40000>", "Allow": "INVITE, ACK"}
    )
    invite.body = b"v" * 200
    assert len(bytes(verdict.response)) < 1.3 * len(bytes(invite))


@pytest.mark.parametrize(
    "method", ["INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY"]
)
def test_users_by_digest(method: str) -> None:
    gate = admission()
    verdict = gate.check(with_proof(gate, request(method)), PHONE, now=11.0)
    assert verdict == Admitted(user="1001")


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [("1001", "wrong", "wrong"), ("2002", "pw", "unknown"), ("", "", "unknown")],
)
def test_wrong_proof(user: str, password: str, reason: str) -> None:
    gate = admission()
    verdict = gate.check(with_proof(gate, request(), password, user), PHONE, now=11.0)
    assert isinstance(verdict, Refused)
    assert (verdict.response.status, verdict.reason) == (401, reason)


def test_a_stolen_header_is_of_no_use() -> None:
    gate = admission()
    asked = with_proof(gate, request())
    assert isinstance(gate.check(asked, PHONE, now=11.0), Admitted)
    replay = gate.check(asked, PHONE, now=12.0)
    assert isinstance(replay, Refused)
    assert "stale=true" in (replay.response.headers.get("WWW-Authenticate") or "")
    elsewhere = gate.check(with_proof(gate, request()), FakeFlow("203.0.113.9", 1), now=12.0)
    assert isinstance(elsewhere, Refused)
    other = with_proof(gate, request())
    moved = request(user="13800138000")
    moved.headers.add("Authorization", other.headers.get("Authorization") or "")
    assert isinstance(gate.check(moved, PHONE, now=12.0), Refused)


def test_late_but_honest() -> None:
    gate = admission()
    verdict = gate.check(with_proof(gate, request()), PHONE, now=100.0)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "stale"


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_what_is_never_challenged(method: str) -> None:
    assert admission().check(request(method), PHONE, now=0.0) == Admitted()


def test_forbid() -> None:
    gate = admission(strangers="forbid")
    verdict = gate.check(request(), PHONE, now=0.0)
    assert isinstance(verdict, Refused)
    assert (verdict.response.status, verdict.reason) == (403, "stranger")
    register = gate.check(request("REGISTER"), PHONE, now=0.0)
    assert isinstance(register, Refused)
    assert register.response.status == 401


def test_old_phones_can_be_challenged_with_md5_alone() -> None:
    gate = Admission(
        trunks=TrunkTable([]),
        users=[UserSettings(name="1001", password="secret-one-1")],
        realm="pbx.example.com",
        secret=b"secret",
        algorithms=("MD5",),
    )
    verdict = gate.check(request("REGISTER"), FakeFlow("127.0.0.9", 5060), now=0.0)
    assert isinstance(verdict, Refused)
    [challenge] = verdict.response.headers.get_all("WWW-Authenticate")
    assert "algorithm=MD5" in challenge


# -- what a stranger may learn ---------------------------------------------------------------------------


def test_options_of_a_stranger_is_challenged_and_of_who_is_known_is_not() -> None:
    gate = admission()
    assert isinstance(gate.check(request("OPTIONS"), PHONE, now=0.0), Refused)
    assert gate.check(request("OPTIONS"), FakeFlow("127.0.0.1"), now=0.0) == Admitted()
    assert gate.check(request("OPTIONS"), FakeFlow("192.0.2.10"), now=0.0) == Admitted(trunk=CARRIER)
    gate.guard.welcome(PHONE.remote.host, now=0.0)
    assert gate.check(request("OPTIONS"), PHONE, now=0.0) == Admitted()


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE"])
def test_no_answer_tells_which_users_there_are(method: str) -> None:
    """The same bytes for a real and for an unknown name, but for the nonce and what the request said."""

    def answers(user: str) -> list[bytes]:
        gate = admission()
        asked = request(method, user=user)
        first = gate.check(asked, PHONE, now=10.0)
        second = gate.check(with_proof(gate, asked, "guess", user), PHONE, now=10.0)
        found = []
        for verdict in (first, second):
            assert isinstance(verdict, Refused)
            data = re.sub(rb'nonce="[^"]{20}"', b"nonce=", bytes(verdict.response))
            data = re.sub(rb"tag=[0-9a-f]{10}", b"tag=", data)
            found.append(re.sub(rb"sip:(1001|7777)@", b"sip:NAME@", data))
        return found

    assert answers("1001") == answers("7777")


def test_guessing_is_answered_twenty_times_an_hour_and_then_not_at_all() -> None:
    gate = admission()
    kinds: Counter[str] = Counter()
    for i in range(1000):
        flow = FakeFlow("127.0.0.7", 1024 + i)  # trusted, so that no ban comes first
        asked = request("REGISTER")
        refused = gate.check(asked, flow, now=float(i))
        assert isinstance(refused, Refused)
        asked.headers.add(
            *answer_challenge(refused.response, asked, Credentials("1001", f"guess{i}"), cnonce="c")
        )
        kinds[type(gate.check(asked, flow, now=float(i))).__name__] += 1
    assert kinds["Refused"] <= 20
    assert kinds["Dropped"] >= 980


def test_two_hundred_sources_do_not_lock_out_the_agent() -> None:
    gate = admission()
    told: list[object] = []
    gate.guard.on_event = told.append
    for source in range(200):
        flow = FakeFlow(f"203.0.113.{source}")
        for _ in range(5):
            refused = gate.check(request("REGISTER"), flow, now=1.0)
            assert isinstance(refused, Refused)
            asked = request("REGISTER")
            asked.headers.add(
                *answer_challenge(refused.response, asked, Credentials("1001", "guess"), cnonce="c")
            )
            assert isinstance(gate.check(asked, flow, now=1.0), Refused)
    assert isinstance(gate.check(with_proof(gate, request("REGISTER")), PHONE, now=11.0), Admitted)
    assert any(isinstance(event, AccountAttacked) for event in told)


def test_who_guesses_from_the_agents_own_host_does_not_lock_him_out() -> None:
    home = "203.0.112.1"
    gate = admission(is_bound=lambda user, address: (user, address) == ("1001", Address(home, 40001)))
    attacker, agent = FakeFlow(home, 6666), FakeFlow(home, 40001)
    gate.guard.welcome(home, now=0.0)
    for _ in range(50):
        gate.guard.tell(home, "wrong_password", now=1.0, account="1001")
    asked = request("REGISTER")
    asked.headers.add("Authorization", 'Digest username="1001", realm="example.com", nonce="x", response=""')
    assert isinstance(gate.check(asked, attacker, now=2.0), Dropped)
    refused = gate.check(request("REGISTER"), agent, now=2.0)
    assert isinstance(refused, Refused)
    asked = request("REGISTER")
    asked.headers.add(*answer_challenge(refused.response, asked, Credentials("1001", "pw"), cnonce="c"))
    assert gate.check(asked, agent, now=2.0) == Admitted(user="1001")


def test_a_scanner_is_soon_shut_out() -> None:
    gate = admission()
    for _ in range(4):
        gate.check(request("REGISTER", **{"User-Agent": "friendly-scanner"}), PHONE, now=0.0)
    assert gate.guard.blocked(PHONE.remote.host, now=0.0)


@pytest.mark.parametrize(
    "value",
    ["", "Digest", "Digest ,", "Digest =", 'Digest username="1001', "Digest " + "a=b," * 3000, "\udcff\udcfe",
     'Digest username="1001", username="1001"', "Basic MTAwMTpwdw==", 'Digest realm="example.com", nonce=""',
     'Digest realm="example.com", nonce="x", qop=auth, nc=\u0661\u0661\u0661\u0661, cnonce=x',
     f'Digest realm="example.com", nonce="{"x" * 3000}", username="{"y" * 900}"'],
)  # fmt: skip
def test_broken_authorization_is_refused_like_none(value: str) -> None:
    gate = admission()
    for name in ("Authorization", "Proxy-Authorization"):
        asked = request("REGISTER")
        asked.headers.add(name, value)
        verdict = gate.check(asked, PHONE, now=0.0)
        assert isinstance(verdict, Refused)
        assert verdict.response.status == 401


# -- requests in a dialog from elsewhere -----------------------------------------------------------------

GATEWAY = FakeFlow("192.0.2.10", 5060)
OUTSIDE = FakeFlow("203.0.113.66", 5060)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "REFER", "CANCEL", "ACK"])
def test_a_forged_request_in_a_carriers_dialog(method: str) -> None:
    verdict = admission().check_in_dialog(request(method), OUTSIDE, peer=GATEWAY, user="", now=0.0)
    assert isinstance(verdict, Refused)
    assert (verdict.response.status, verdict.reason) == (481, "forged")


def test_another_address_of_the_same_trunk_is_its_peer() -> None:
    other = TrunkSettings(name="carrier", addresses=("192.0.2.10", "198.51.100.0/24"))
    gate = admission(trunks=TrunkTable([other]))
    verdict = gate.check_in_dialog(request("BYE"), FakeFlow("198.51.100.9"), peer=GATEWAY, user="", now=0.0)
    assert verdict == Admitted(trunk=other)


def test_a_trunk_that_was_taken_out_ends_its_calls_from_all_its_addresses_and_begins_none() -> None:
    other = TrunkSettings(name="carrier", addresses=("192.0.2.10", "198.51.100.0/24"))
    gate, second = admission(trunks=TrunkTable([other])), FakeFlow("198.51.100.9")
    gate.load([], TrunkTable([]))
    assert gate.check_in_dialog(request("BYE"), second, peer=GATEWAY, user="", now=0.0) == Admitted()
    assert isinstance(gate.check_in_dialog(request("BYE"), OUTSIDE, peer=GATEWAY, user="", now=0.0), Refused)
    assert isinstance(gate.check(request("INVITE"), GATEWAY, now=0.0), Refused)


def test_an_agent_whose_port_has_moved_proves_himself() -> None:
    gate = admission()
    moved = FakeFlow(PHONE.remote.host, 40002)
    first = gate.check_in_dialog(request("BYE"), moved, peer=PHONE, user="1001", now=10.0)
    assert isinstance(first, Refused)
    assert first.response.status == 401
    asked = request("BYE")
    asked.headers.add(*answer_challenge(first.response, asked, Credentials("1001", "pw"), cnonce="c"))
    verdict = gate.check_in_dialog(asked, moved, peer=PHONE, user="1001", now=11.0)
    assert verdict == Admitted(user="1001", source=moved.remote)


def test_another_agent_with_his_own_password_is_not_the_peer() -> None:
    gate = admission()
    first = gate.check_in_dialog(request("BYE"), OUTSIDE, peer=PHONE, user="1001", now=10.0)
    assert isinstance(first, Refused)
    asked = request("BYE")
    asked.headers.add(*answer_challenge(first.response, asked, Credentials("1002", "other"), cnonce="c"))
    verdict = gate.check_in_dialog(asked, OUTSIDE, peer=PHONE, user="1001", now=11.0)
    assert isinstance(verdict, Refused)
    assert verdict.response.status == 481


def test_an_agent_is_where_he_has_registered_since() -> None:
    moved = FakeFlow(PHONE.remote.host, 40002)
    gate = admission(is_bound=lambda user, address: (user, address) == ("1001", moved.remote))
    verdict = gate.check_in_dialog(request("BYE"), moved, peer=PHONE, user="1001", now=10.0)
    assert verdict == Admitted(user="1001")


def test_a_cancel_cannot_be_challenged() -> None:
    gate = admission()
    verdict = gate.check_in_dialog(request("CANCEL"), OUTSIDE, peer=PHONE, user="1001", now=10.0)
    assert isinstance(verdict, Refused)
    assert verdict.response.status == 481


def test_a_peer_that_is_no_user_may_open_a_stream_of_its_own() -> None:
    gate = admission()
    peer = FakeFlow("203.0.113.5", 5060, "tcp")
    stream, datagram = FakeFlow("203.0.113.5", 50000, "tcp"), FakeFlow("203.0.113.5", 50000)
    assert gate.check_in_dialog(request("BYE"), stream, peer=peer, user="", now=0.0) == Admitted()
    assert isinstance(gate.check_in_dialog(request("BYE"), datagram, peer=peer, user="", now=0.0), Refused)


class FakeUsage:
    """What admission looks at of a session."""

    call_id = local_tag = contact_user = ""
    credentials = None

    def __init__(self, flow: FakeFlow, admitted: Admitted | None = None, called: str = "") -> None:
        self.flow = flow
        self.admitted = admitted
        self.request = request(user=called) if called else None

    def receive(self, transaction: object) -> None:
        raise AssertionError(transaction)


def test_who_is_at_the_other_end_of_a_dialog() -> None:
    gate = admission()
    bye = request("BYE")
    for usage in (FakeUsage(PHONE, Admitted(user="1001")), FakeUsage(PHONE, called="1001")):
        assert gate.check_usage(bye, PHONE, usage, now=0.0) == Admitted()
        verdict = gate.check_usage(bye, OUTSIDE, usage, now=0.0)
        assert isinstance(verdict, Refused)
        assert verdict.response.status == 401
    for usage in (FakeUsage(GATEWAY, Admitted(trunk=CARRIER)), FakeUsage(GATEWAY)):
        verdict = gate.check_usage(bye, OUTSIDE, usage, now=0.0)
        assert isinstance(verdict, Refused)
        assert verdict.response.status == 481


def test_a_phone_that_listens_at_one_port_and_sends_from_another() -> None:
    gate = admission()
    sends = FakeFlow("198.51.100.5", 50000)
    refused = gate.check(request(), sends, now=10.0)
    assert isinstance(refused, Refused)
    asked = request()
    asked.headers.add(*answer_challenge(refused.response, asked, Credentials("1001", "pw"), cnonce="c"))
    admitted = gate.check(asked, sends, now=11.0)
    assert admitted == Admitted(user="1001", source=sends.remote)
    usage = FakeUsage(PHONE, admitted)
    assert gate.check_usage(request("BYE"), sends, usage, now=12.0) == Admitted()
    other = FakeFlow("198.51.100.5", 50001)
    assert isinstance(gate.check_usage(request("BYE"), other, usage, now=12.0), Refused)


def test_an_ack_with_an_answer_must_come_from_the_peer() -> None:
    gate = admission()
    usage = FakeUsage(GATEWAY, Admitted(trunk=CARRIER))
    ack = request("ACK")
    assert gate.check_usage(ack, OUTSIDE, usage, now=0.0) == Admitted()
    ack.body = b"v=0"
    assert gate.check_usage(ack, OUTSIDE, usage, now=0.0) == Dropped("forged")
    assert gate.check_usage(ack, GATEWAY, usage, now=0.0) == Admitted()


def test_a_carrier_with_a_certificate_is_a_trunk_to_the_guard_too() -> None:
    named = TrunkSettings(name="named", host="sbc.example.net", tls_names=("sbc.example.net",))
    gate = admission(trunks=TrunkTable([named]))
    flow = FakeFlow("203.0.113.200", 40000, "tls", ("sbc.example.net",))
    assert gate.check(request(), flow, now=0.0) == Admitted(trunk=named)
    assert gate.guard.class_of("203.0.113.200", now=1.0) == "trunk"
