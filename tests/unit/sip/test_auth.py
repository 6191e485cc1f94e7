from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.errors import ParseError, RemoteProtocolError
from sipcc.sip.auth import (
    Challenge,
    Credentials,
    DigestServer,
    Rejected,
    Verified,
    answer_challenge,
    authorization,
    challenges,
    digest,
    make_ha1,
    parse_auth,
)
from sipcc.sip.message import Request, Response
from sipcc.sip.uri import SipUri

REALM = "example.com"
BOB = Credentials("bob", "zanzibar")


def ha1(user: str, realm: str, algorithm: str) -> str | None:
    return make_ha1("bob", realm, "zanzibar", algorithm) if user == "bob" else None


def request(method: str = "INVITE", uri: str = "sip:4008123456@example.com", body: bytes = b"") -> Request:
    return Request.build(method, uri, body=body)


def server(**options: object) -> DigestServer:
    return DigestServer(REALM, b"0123456789abcdef", 60.0, **options)  # type: ignore[arg-type]


def challenged(values: list[str], status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Response.build(status, None, [(name, value) for value in values])


def proof(
    digest_server: DigestServer,
    *,
    credentials: Credentials = BOB,
    count: int = 1,
    now: float = 100.0,
    source: str = "192.0.2.1",
    asked: Request | None = None,
) -> str:
    response = challenged(digest_server.challenge(source=source, now=now))
    return answer_challenge(response, asked or request(), credentials, nonce_count=count, cnonce="c1")[1]


def check(
    digest_server: DigestServer,
    *values: str,
    now: float = 100.0,
    source: str = "192.0.2.1",
    method: str = "INVITE",
) -> Verified | Rejected:
    return digest_server.verify(method, values, ha1, source=source, now=now)


# RFC 7616 §3.9.1 gives the request and the two answers
MUFASA = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


@pytest.mark.parametrize(("algorithm", "answer"), MUFASA.items())
def test_vectors_of_rfc_7616(algorithm: str, answer: str) -> None:
    challenge = Challenge(
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm,
        ("auth", "auth-int"),
        "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
    )
    credentials = Credentials("Mufasa", "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    ha2 = digest(algorithm, "GET:/dir/index.html")
    secret = make_ha1("Mufasa", challenge.realm, "Circle of Life", algorithm)
    assert digest(algorithm, f"{secret}:{challenge.nonce}:00000001:{cnonce}:auth:{ha2}") == answer
    written = authorization(challenge, request(), credentials, 1, cnonce)
    assert f'opaque="{challenge.opaque}"' in written
    assert f'nonce="{challenge.nonce}"' in written


def test_sha_512_256_is_known() -> None:
    assert digest("SHA-512-256", "abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_right_password(algorithm: str) -> None:
    digest_server = server(algorithms=(algorithm,))
    assert check(digest_server, proof(digest_server)) == Verified("bob")


def test_strongest_first_and_chosen() -> None:
    values = server().challenge(source="x", now=1.0)
    assert [parse_auth(value)[1]["algorithm"] for value in values] == ["SHA-256", "MD5"]
    assert [c.algorithm for c in challenges(challenged(list(reversed(values))))] == ["SHA-256", "MD5"]
    assert "algorithm=SHA-256" in proof(server())


def test_wrong_password_and_unknown_user_look_the_same() -> None:
    """Only the word for our own counters tells them apart; `Admission` makes one answer of both."""
    for credentials, reason in (
        (Credentials("bob", "x"), "wrong"),
        (Credentials("nobody", "zanzibar"), "unknown"),
        (Credentials("", ""), "unknown"),
    ):
        digest_server = server()
        verdict = check(digest_server, proof(digest_server, credentials=credentials))
        assert verdict == Rejected(False, reason, credentials.username)


def test_dummy_secret_opens_nothing() -> None:
    """Who could compute the dummy digest would still be nobody."""
    digest_server = server()
    dummy = digest_server._dummy["SHA-256"]
    nonce = parse_auth(digest_server.challenge(source="192.0.2.1", now=100.0)[0])[1]["nonce"]
    ha2 = digest("SHA-256", "INVITE:sip:x")
    answer = digest("SHA-256", f"{dummy}:{nonce}:00000001:c:auth:{ha2}")
    value = (
        f'Digest username="nobody", realm="{REALM}", nonce="{nonce}", uri="sip:x", response="{answer}", '
        "algorithm=SHA-256, qop=auth, nc=00000001, cnonce=c"
    )
    assert check(digest_server, value) == Rejected(False, "unknown", "nobody")


@pytest.mark.parametrize("value", ["", "NoOneKnowsThisScheme opaque-data=here", "Basic dXNlcg==", "Digest"])
def test_nothing_to_check(value: str) -> None:
    verdict = check(server(), value)
    assert isinstance(verdict, Rejected)
    assert verdict.reason in {"missing", "malformed"}
    assert check(server()) == Rejected(False, "missing")


def test_pjsip_first_register_is_no_failure() -> None:
    value = f'Digest username="bob", realm="{REALM}", nonce="", uri="sip:example.com", response=""'
    assert check(server(), value) == Rejected(False, "missing")


def test_other_realms_are_passed_over() -> None:
    digest_server = server()
    other = 'Digest username="bob", realm="elsewhere", nonce="x", uri="sip:a", response="y"'
    assert check(digest_server, other, proof(digest_server)) == Verified("bob")


def test_a_nonce_has_a_life() -> None:
    digest_server = server()
    value = proof(digest_server, now=100.0)
    assert check(digest_server, value, now=160.5) == Rejected(True, "stale", "bob")
    assert check(digest_server, value, now=50.0) == Rejected(True, "stale", "bob")
    assert check(digest_server, value, now=159.0) == Verified("bob")


def test_a_nonce_belongs_to_its_source() -> None:
    digest_server = server()
    assert check(digest_server, proof(digest_server), source="192.0.2.9") == Rejected(True, "stale", "bob")


def test_a_foreign_nonce_is_stale_when_the_password_is_right() -> None:
    """As after a restart of ours: the phone goes on without asking its user."""
    before = DigestServer(REALM, b"another secret..", 60.0)
    assert check(server(), proof(before)) == Rejected(True, "stale", "bob")
    assert check(server(), proof(before, credentials=Credentials("bob", "x"))) == Rejected(
        False, "wrong", "bob"
    )


def with_count(value: str, count: int, digest_server: DigestServer) -> str:
    """The same nonce used for the count-th time."""
    params = parse_auth(value)[1]
    challenge = Challenge(REALM, params["nonce"], params["algorithm"], ("auth",))
    return authorization(challenge, request(), BOB, count, "c2")


def test_each_count_once() -> None:
    digest_server = server()
    first = proof(digest_server)
    counts = [1, 1, 2, 5, 3, 5, 3, 4, 70, 6, 7, 0]
    verdicts = [check(digest_server, with_count(first, count, digest_server)) for count in counts]
    fine = [isinstance(verdict, Verified) for verdict in verdicts]
    assert fine == [True, False, True, True, True, False, False, True, True, False, True, False]
    assert Rejected(True, "replayed", "bob") in verdicts


def test_without_qop_a_nonce_serves_once() -> None:
    digest_server = server()
    params = parse_auth(digest_server.challenge(source="192.0.2.1", now=100.0)[1])[1]
    value = authorization(Challenge(REALM, params["nonce"], "MD5"), request(), BOB, 1, "")
    assert "qop" not in value
    assert check(digest_server, value) == Verified("bob")
    assert check(digest_server, value) == Rejected(True, "replayed", "bob")


def test_memory_is_bounded_and_forgetting_opens_no_replay() -> None:
    digest_server = server(remembered=3)
    values = [proof(digest_server, now=100.0 + i / 10) for i in range(6)]
    assert all(check(digest_server, value, now=101.0) == Verified("bob") for value in values)
    assert len(digest_server._used) <= 3
    assert check(digest_server, values[0], now=101.0) == Rejected(True, "stale", "bob")
    later = proof(digest_server, now=300.0)
    assert check(digest_server, later, now=300.0) == Verified("bob")
    assert len(digest_server._used) == 1


def test_two_phones_behind_one_address_get_two_nonces() -> None:
    digest_server = server()
    one, other = (digest_server.challenge(source="x", now=5.0)[0] for _ in range(2))
    assert one != other


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("INVITE", "BYE", "wrong"),
        ("algorithm=SHA-256", "algorithm=MD4", "malformed"),
        ("qop=auth", "qop=auth-int", "malformed"),
        ("nc=00000001", "nc=1", "malformed"),
        ("nc=00000001", "nc=0000000_", "malformed"),
        ("nc=00000001", "nc=00000002", "wrong"),
        ('cnonce="c1"', 'cnonce=""', "malformed"),
        ('username="bob"', 'username="bob", username="eve"', "malformed"),
        ('uri="sip:4008123456', 'uri="sip:4008123457', "wrong"),
        ('response="', 'response="é', "wrong"),
        ('realm="', 'realm="x', "missing"),
    ],
)
def test_tampering(old: str, new: str, reason: str) -> None:
    digest_server = server()
    method = "BYE" if new == "BYE" else "INVITE"
    value = re.sub(re.escape(old), new, proof(digest_server), count=1)
    verdict = check(digest_server, value, method=method)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason


def test_digest_for_another_number_is_refused() -> None:
    digest_server = server()
    value = proof(digest_server)
    for uri, good in (("sip:13800138000@example.com", False), ("sip:4008123456@192.0.2.1:5060", True)):
        verdict = digest_server.verify(
            "INVITE", [value], ha1, source="192.0.2.1", now=100.0, uri=SipUri.parse(uri)
        )
        assert isinstance(verdict, Verified) == good
    unreadable = Request.build("INVITE", "sip:4008123456@example.com")
    unreadable.uri = SipUri(user="4008123456", host="no host")
    verdict = digest_server.verify(
        "INVITE", [proof(digest_server, asked=unreadable)], ha1, source="192.0.2.1", now=100.0, uri=SipUri()
    )
    assert verdict == Rejected(False, "wrong", "bob")


def test_stateless_tag_is_the_same_for_the_same_request() -> None:
    digest_server = server()
    headers = [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"), ("Call-ID", "c"), ("CSeq", "1 INVITE")]
    one = Request.build("INVITE", "sip:b@example.com", headers)
    other = Request.build("INVITE", "sip:b@example.com", [*headers[:1], ("Call-ID", "d"), *headers[2:]])
    assert digest_server.stateless_tag(one) == digest_server.stateless_tag(one.copy())
    assert digest_server.stateless_tag(one) != digest_server.stateless_tag(other)


def test_a_password_that_may_not_be_tried_is_not_looked_at() -> None:
    digest_server = server()
    asked: list[str] = []

    def no(user: str) -> bool:
        asked.append(user)
        return False

    verdict = digest_server.verify(
        "INVITE", [proof(digest_server)], ha1, source="192.0.2.1", now=100.0, may_try=no
    )
    assert verdict == Rejected(False, "exhausted", "bob")
    assert asked == ["bob"]


@pytest.mark.parametrize("name", ["username", "cnonce", "uri", "opaque", "x"])
def test_over_long_fields(name: str) -> None:
    digest_server = server()
    value = proof(digest_server) + f', {name}2="{"x" * 5000}"'
    assert check(digest_server, value) == Rejected(False, "malformed")
    assert challenges(challenged([value])) == []


def test_few_headers_are_looked_at() -> None:
    digest_server = server()
    other = 'Digest username="bob", realm="elsewhere", nonce="x", uri="sip:a", response="y"'
    assert check(digest_server, *[other] * 8, proof(digest_server)) == Rejected(False, "missing")


@pytest.mark.parametrize(
    "nonce",
    ["", "x", "A" * 19, "A" * 20, "A" * 21, "A" * 19 + "=", "A" * 19 + "\u0660", "____________________"],
)
def test_forged_nonces(nonce: str) -> None:
    digest_server = server()
    challenge = Challenge(REALM, nonce, "SHA-256", ("auth",))
    verdict = check(digest_server, authorization(challenge, request(), BOB, 1, "c"))
    assert isinstance(verdict, Rejected)
    assert verdict.reason == ("stale" if nonce else "missing")


def test_md5_is_refused_where_it_is_not_configured() -> None:
    digest_server = server(algorithms=("SHA-512-256", "SHA-256"))
    nonce = parse_auth(digest_server.challenge(source="192.0.2.1", now=100.0)[0])[1]["nonce"]
    value = authorization(Challenge(REALM, nonce, "MD5", ("auth",)), request(), BOB, 1, "c")
    assert check(digest_server, value) == Rejected(False, "malformed")


def test_three_algorithms_in_their_order() -> None:
    digest_server = server(algorithms=("SHA-512-256", "SHA-256", "MD5"))
    values = digest_server.challenge(source="192.0.2.1", now=100.0)
    assert [parse_auth(value)[1]["algorithm"] for value in values] == ["SHA-512-256", "SHA-256", "MD5"]
    assert check(digest_server, proof(digest_server)) == Verified("bob")


PHONE_STEPS = so_many(20_000, 8_000)


@pytest.mark.parametrize("algorithm", ["SHA-512-256", "SHA-256", "MD5"])
def test_no_phone_that_refreshes_for_weeks_is_ever_refused(algorithm: str) -> None:
    """A thousand phones behind few addresses: they use a nonce again until it is stale, and go on."""
    digest_server = server(algorithms=(algorithm,))
    bits = random.Random(7616)
    held: dict[int, tuple[Challenge, int]] = {}
    now, challenged_again = 0.0, 0
    for step in range(PHONE_STEPS):
        now += bits.expovariate(30.0)
        phone = bits.randrange(1000)
        source = f"192.0.2.{phone % 7}"
        for _attempt in range(2):
            challenge, count = held.get(phone, (None, 0))
            if challenge is None:
                [challenge] = challenges(challenged(digest_server.challenge(source=source, now=now)))
            held[phone] = challenge, count + 1
            value = authorization(challenge, request(), BOB, count + 1, f"c{step}")
            verdict = check(digest_server, value, now=now, source=source)
            if isinstance(verdict, Verified):
                break
            assert verdict == Rejected(True, "stale", "bob")
            challenged_again += 1
            del held[phone]
        else:
            raise AssertionError(f"refused at step {step}")
    assert challenged_again > PHONE_STEPS / 20


# -- client ---------------------------------------------------------------------------------------------


def test_407_is_answered_in_its_own_header() -> None:
    response = challenged(['Digest realm="r", nonce="a+/=", opaque="o", qop="auth,auth-int"'], 407)
    name, value = answer_challenge(response, request(), BOB, nonce_count=17, cnonce="c")
    params = parse_auth(value)[1]
    assert name == "Proxy-Authorization"
    assert (params["nonce"], params["nc"], params["qop"], params["opaque"]) == (
        "a+/=",
        "00000011",
        "auth",
        "o",
    )
    assert params["algorithm"] == "MD5"


def test_auth_int_covers_the_body() -> None:
    response = challenged(['Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256'])
    one, other = (answer_challenge(response, request(body=body), BOB, cnonce="c")[1] for body in (b"a", b"b"))
    assert parse_auth(one)[1]["qop"] == "auth-int"
    assert parse_auth(one)[1]["response"] != parse_auth(other)[1]["response"]


@pytest.mark.parametrize(
    "value",
    [
        'Digest realm="trunk", nonce="n", algorithm=MD5-sess', 'Digest realm="trunk"', "Basic realm=x",
        'Digest realm="trunk", nonce="n", qop="odd"', 'Digest realm="other", nonce="n"', 'Digest realm="open',
    ],
)  # fmt: skip
def test_credentials_are_not_given_away(value: str) -> None:
    credentials = Credentials("bob", "zanzibar", "trunk")
    with pytest.raises(RemoteProtocolError):
        answer_challenge(challenged([value]), request(), credentials, cnonce="c")
    assert "zanzibar" not in repr(credentials)


def test_folded_and_odd_challenges_are_read() -> None:
    response = challenged(['Digest  realm = "a, b",  nonce="n" ,, stale=TRUE, qop=auth'])
    assert challenges(response) == [Challenge("a, b", "n", "MD5", ("auth",), None, True)]


def test_quotes_in_names_survive() -> None:
    credentials = Credentials('b"ob\\', "x")
    value = authorization(Challenge("r", "n", "MD5"), request(), credentials, 1, "")
    assert parse_auth(value)[1]["username"] == 'b"ob\\'


@given(st.text(max_size=120))
def test_noise_is_rejected_without_an_exception(noise: str) -> None:
    noise = noise.encode("utf-8", "ignore").decode()
    for value in (noise, f"Digest {noise}", f'Digest realm="{REALM}", nonce="1", {noise}'):
        assert isinstance(check(server(), value), Rejected)
        challenges(challenged([re.sub("[\r\n\0]", "", value)]))
        try:
            parse_auth(value)
        except ParseError:
            continue


def test_a_client_that_takes_the_first_algorithm_text_it_sees_finds_md5() -> None:
    first = DigestServer("pbx.example.com", b"secret").challenge(source="127.0.0.3", now=0.0)[0]
    assert first.index('opaque="algorithm=MD5"') < first.index("algorithm=SHA-256")
