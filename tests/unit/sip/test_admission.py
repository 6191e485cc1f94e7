from __future__ import annotations

import pytest

from sipcc.sip.admission import Admission, Admitted, Refused
from sipcc.sip.auth import Credentials, answer_challenge
from sipcc.sip.message import Request
from sipcc.sip.settings import TrunkSettings, UserSettings
from sipcc.sip.transport.base import Address
from sipcc.sip.trunk import TrunkTable

CARRIER = TrunkSettings(name="carrier", addresses=("192.0.2.10",))
PHONE = Address("198.51.100.5", 40000)


def admission(**options: str) -> Admission:
    return Admission(
        trunks=TrunkTable([CARRIER]),
        users=[UserSettings(name="1001", password="pw")],
        realm="example.com",
        secret=b"0123456789abcdef",
        **options,  # type: ignore[arg-type]
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
    verdict = admission().check(request(), Address("192.0.2.10", 5060), now=0.0)
    assert verdict == Admitted(trunk=CARRIER)


def test_a_carrier_may_not_register() -> None:
    assert isinstance(admission().check(request("REGISTER"), Address("192.0.2.10", 5060), now=0.0), Refused)


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


@pytest.mark.parametrize(("user", "password"), [("1001", "wrong"), ("2002", "pw"), ("", "")])
def test_wrong_proof(user: str, password: str) -> None:
    gate = admission()
    verdict = gate.check(with_proof(gate, request(), password, user), PHONE, now=11.0)
    assert isinstance(verdict, Refused)
    assert (verdict.response.status, verdict.reason) == (401, "wrong")


def test_a_stolen_header_is_of_no_use() -> None:
    gate = admission()
    asked = with_proof(gate, request())
    assert isinstance(gate.check(asked, PHONE, now=11.0), Admitted)
    replay = gate.check(asked, PHONE, now=12.0)
    assert isinstance(replay, Refused)
    assert "stale=true" in (replay.response.headers.get("WWW-Authenticate") or "")
    elsewhere = gate.check(with_proof(gate, request()), Address("203.0.113.9", 1), now=12.0)
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


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "OPTIONS"])
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
    verdict = gate.check(request("REGISTER"), Address("127.0.0.9", 5060), now=0.0)
    assert isinstance(verdict, Refused)
    [challenge] = verdict.response.headers.get_all("WWW-Authenticate")
    assert "algorithm=MD5" in challenge
