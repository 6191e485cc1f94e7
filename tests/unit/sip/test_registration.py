from __future__ import annotations

import pytest

from sipcc.sip.auth import Credentials, parse_auth
from sipcc.sip.message import Request, Response
from sipcc.sip.registration import Registration, RegistrationChanged, RegistrationState
from sipcc.sip.uri import SipUri


def make(*, password: str | None = "pw", expires: int = 300, chance: float = 0.5) -> Registration:
    return Registration(
        aor=SipUri.parse("sip:4008123456@carrier.example.com"),
        registrar=SipUri.parse("sip:carrier.example.com"),
        contact=SipUri.parse("sip:4008123456@192.0.2.1:5060"),
        credentials=None if password is None else Credentials("4008123456", password),
        call_id="c",
        tag="t",
        expires=expires,
        chance=lambda: chance,
        cnonce=lambda: "cn",
    )


def sent(registration: Registration) -> Request:
    (request,) = registration.to_send()
    return request


def answer(status: int, *headers: tuple[str, str]) -> Response:
    return Response.build(status, None, headers)


def challenge(nonce: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return answer(status, (name, f'Digest realm="carrier.example.com", nonce="{nonce}", qop="auth"'))


def registered() -> Registration:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(answer(200, ("Expires", "100")), now=0.0)
    registration.events()
    return registration


def test_first_request() -> None:
    registration = make()
    registration.start()
    registration.start()
    request = sent(registration)
    assert bytes(request) == (
        b"REGISTER sip:carrier.example.com SIP/2.0\r\nMax-Forwards: 70\r\n"
        b"From: <sip:4008123456@carrier.example.com>;tag=t\r\nTo: <sip:4008123456@carrier.example.com>\r\n"
        b"Call-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <sip:4008123456@192.0.2.1:5060>\r\nExpires: 300\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert registration.deadline is None


def test_challenge_then_refresh_with_the_same_nonce() -> None:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(challenge("n1"), now=1.0)
    second = sent(registration)
    params = parse_auth(second.headers.get("Authorization") or "")[1]
    assert (params["nonce"], params["nc"], second.cseq.number) == ("n1", "00000001", 2)
    registration.receive(answer(200, ("Contact", "<sip:4008123456@192.0.2.1:5060>;expires=200")), now=2.0)
    assert registration.events() == [RegistrationChanged(True, 200, "OK")]
    assert (registration.state, registration.expires_at) == (RegistrationState.REGISTERED, 202.0)
    assert registration.deadline == pytest.approx(2.0 + 200 * 0.7)
    registration.expire(now=100.0)
    assert registration.to_send() == []
    registration.expire(now=142.0)
    third = sent(registration)
    assert parse_auth(third.headers.get("Authorization") or "")[1]["nc"] == "00000002"
    registration.receive(answer(200), now=143.0)
    assert registration.events() == []


@pytest.mark.parametrize(("chance", "part"), [(0.0, 0.5), (1.0, 0.9)])
def test_refresh_is_spread(chance: float, part: float) -> None:
    registration = make(chance=chance)
    registration.start()
    sent(registration)
    registration.receive(answer(200, ("Expires", "100")), now=0.0)
    assert registration.deadline == pytest.approx(100 * part)


def test_407_uses_its_own_header() -> None:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(challenge("n", 407), now=0.0)
    assert "Proxy-Authorization" in sent(registration).headers


def test_a_new_nonce_is_answered_without_stale() -> None:
    registration = registered()
    registration.expire(now=90.0)
    sent(registration)
    registration.receive(challenge("n2"), now=90.0)
    sent(registration)
    registration.receive(challenge("n3"), now=90.0)
    assert parse_auth(sent(registration).headers.get("Authorization") or "")[1]["nonce"] == "n3"


def test_the_same_nonce_again_means_a_wrong_password() -> None:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(challenge("n"), now=0.0)
    sent(registration)
    registration.receive(challenge("n"), now=0.0)
    assert registration.to_send() == []
    assert (registration.state, registration.deadline) == (RegistrationState.WAITING, 300.0)


def test_endless_challenges_end() -> None:
    """CVE-2020-28242: a new nonce each time must not make a loop."""
    registration = make()
    registration.start()
    rounds = 0
    while registration.to_send():
        rounds += 1
        registration.receive(challenge(f"n{rounds}"), now=0.0)
    assert rounds == 3
    assert registration.deadline == 300.0


@pytest.mark.parametrize("password", [None, "pw"])
def test_challenges_that_cannot_be_answered(password: str | None) -> None:
    registration = make(password=password)
    registration.start()
    sent(registration)
    odd = answer(401, ("WWW-Authenticate", 'Digest realm="x", nonce="n", algorithm=ODD'))
    registration.receive(challenge("n") if password is None else odd, now=0.0)
    assert registration.state is RegistrationState.WAITING


def test_423_is_honoured_once_it_is_sensible() -> None:
    registration = make(expires=60)
    registration.start()
    sent(registration)
    registration.receive(answer(423, ("Min-Expires", "1800")), now=0.0)
    assert sent(registration).headers.get("Expires") == "1800"
    registration.receive(answer(423, ("Min-Expires", "1800")), now=0.0)
    assert registration.state is RegistrationState.WAITING
    registration = make(expires=60)
    registration.start()
    sent(registration)
    registration.receive(answer(423), now=0.0)
    assert registration.state is RegistrationState.WAITING


def test_back_off_doubles() -> None:
    registration = make()
    registration.start()
    now, waits = 0.0, []
    for _ in range(8):
        sent(registration)
        registration.failed("timeout", now=now)
        assert registration.deadline is not None
        waits.append(registration.deadline - now)
        now = registration.deadline
        registration.expire(now=now)
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert registration.events() == []


def test_retry_after_counts() -> None:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(answer(503, ("Retry-After", "33 (busy)")), now=1.0)
    assert registration.deadline == pytest.approx(34.5)


def test_an_ill_carrier_keeps_us_until_we_expire() -> None:
    registration = registered()
    registration.expire(now=70.0)
    sent(registration)
    registration.receive(answer(503), now=70.0)
    assert registration.registered
    assert registration.events() == []
    registration.expire(now=75.0)
    sent(registration)
    registration.failed("timeout", now=95.0)
    assert registration.deadline == 100.0
    registration.expire(now=100.0)
    assert registration.events() == [RegistrationChanged(False, 0, "expired")]
    assert len(registration.to_send()) == 1


def test_a_refusal_counts_at_once() -> None:
    registration = registered()
    registration.expire(now=90.0)
    sent(registration)
    registration.receive(answer(403), now=90.0)
    assert registration.events() == [RegistrationChanged(False, 403, "Forbidden")]
    assert registration.deadline == 390.0


def test_stop_takes_it_back() -> None:
    registration = registered()
    registration.stop()
    request = sent(registration)
    assert request.headers.get("Expires") == "0"
    assert registration.events() == [RegistrationChanged(False, 0, "stopped")]
    registration.receive(challenge("n9"), now=1.0)
    assert sent(registration).headers.get("Expires") == "0"
    registration.receive(answer(200), now=1.0)
    assert registration.state is RegistrationState.IDLE
    assert registration.deadline is None
    registration.receive(answer(200), now=2.0)
    assert registration.events() == []


def test_stop_without_an_answer() -> None:
    registration = make()
    registration.stop()
    assert registration.to_send() == []
    registration = registered()
    registration.stop()
    registration.failed("timeout", now=1.0)
    assert registration.state is RegistrationState.IDLE


def test_provisional_answers_and_silly_intervals() -> None:
    registration = make()
    registration.start()
    sent(registration)
    registration.receive(answer(100), now=0.0)
    assert registration.state is RegistrationState.TRYING
    registration.receive(answer(200, ("Expires", "0")), now=0.0)
    assert registration.expires_at == 300.0
    registration.expire(now=300.0)
    sent(registration)
    registration.receive(answer(200, ("Expires", "1")), now=300.0)
    assert registration.expires_at == 310.0
