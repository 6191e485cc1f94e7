"""The lite end of ICE: what proves a way, where media goes, and what gets no answer (RFC 8445, RFC 7675)."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc import stun
from sipcc.rtp.ice import (
    CONSENT_S,
    MAX_PAIRS,
    REFUSALS_AT_ONCE,
    Credentials,
    IceLite,
    is_no_place_for_media,
)
from sipcc.rtp.latch import Address

OURS = Credentials("us12", "our-password-of-22-chars", "them")
PEER = ("192.0.2.7", 40000)
OTHER = ("198.51.100.9", 41000)

PRIORITY, USE_CANDIDATE, CONTROLLED, CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A


def lite(denied: tuple[str, ...] = ()) -> IceLite:
    return IceLite(OURS, denied=lambda address: address[0] in denied)


def check(
    *,
    nominate: bool = False,
    username: str = "us12:them",
    password: str = OURS.local_password,
    more: bytes = b"",
    behind: bytes = b"",
    priority: bool = True,
    role: int = CONTROLLING,
    kind: int = stun.REQUEST,
) -> bytes:
    """A connectivity check as a browser makes it; `behind` follows its MESSAGE-INTEGRITY."""
    body = stun.attribute(stun.USERNAME, username.encode())
    body += stun.attribute(role, bytes(8))
    if priority:
        body += stun.attribute(PRIORITY, (1845501695).to_bytes(4, "big"))
    if nominate:
        body += stun.attribute(USE_CANDIDATE, b"")
    transaction = os.urandom(12)
    if not behind:
        return stun.seal(kind, transaction, body + more, key=password.encode())
    sealed = stun.seal(kind, transaction, body + more, key=password.encode(), fingerprinted=False)
    return stun.seal(kind, transaction, sealed[stun.HEADER.size :] + behind)


def status(answer: bytes | None) -> int:
    """200 for a success, else the number of the error; 0 for no answer."""
    if answer is None:
        return 0
    kind, length, _, _ = stun.HEADER.unpack_from(answer)
    assert length == len(answer) - stun.HEADER.size
    attributes = stun.read_attributes(answer)
    assert attributes is not None, "our own message is well made, with a right FINGERPRINT"
    if kind == stun.SUCCESS:
        return 200
    assert kind == stun.ERROR
    [error] = [entry.value for entry in attributes if entry.kind == stun.ERROR_CODE]
    return error[2] * 100 + error[3]


def test_a_check_is_answered_with_where_we_see_its_sender() -> None:
    ice = lite()
    question = check()
    answer = ice.receive(question, PEER, now=0)
    assert answer is not None
    assert status(answer) == 200
    assert answer[8:20] == question[8:20]
    attributes = {entry.kind: entry for entry in stun.read_attributes(answer) or ()}
    assert stun.has_integrity(answer, attributes[stun.MESSAGE_INTEGRITY], OURS.local_password.encode())
    mapped = attributes[stun.XOR_MAPPED_ADDRESS].value
    assert int.from_bytes(mapped[2:4], "big") ^ 0x2112 == PEER[1]
    assert bytes(a ^ b for a, b in zip(mapped[4:], stun.COOKIE, strict=True)) == bytes((192, 0, 2, 7))


def test_the_sample_request_of_rfc_5769_has_the_integrity_that_it_claims() -> None:
    data = bytes.fromhex(
        "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
        "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
        "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
    )
    attributes = stun.read_attributes(data)
    assert attributes is not None
    [integrity] = [entry for entry in attributes if entry.kind == stun.MESSAGE_INTEGRITY]
    assert stun.has_integrity(data, integrity, b"VOkJxbRl1RmTxUk/WvJxBt")
    assert not stun.has_integrity(data, integrity, b"VOkJxbRl1RmTxUk/WvJxBu")


def test_media_goes_where_the_last_nomination_said() -> None:
    ice = lite()
    assert ice.target(now=0) is None
    ice.receive(check(), PEER, now=0)
    assert ice.target(now=0) == PEER, "valid, though not nominated yet"
    ice.receive(check(nominate=True), OTHER, now=1)
    ice.receive(check(), PEER, now=2)
    assert ice.target(now=2) == OTHER
    ice.receive(check(nominate=True), PEER, now=3)
    assert ice.target(now=3) == PEER


def test_a_way_that_nobody_checks_any_more_has_no_consent() -> None:
    ice = lite()
    ice.receive(check(nominate=True), PEER, now=0)
    ice.receive(check(), OTHER, now=20)
    assert ice.target(now=CONSENT_S - 0.1) == PEER
    assert ice.target(now=CONSENT_S + 0.1) == OTHER
    assert ice.target(now=20 + CONSENT_S + 0.1) is None
    ice.receive(check(priority=False), PEER, now=60)
    assert ice.target(now=60) == PEER, "a consent check of RFC 7675 needs no priority"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (check(password="guessed"), 401),
        (check(username="us12:else"), 401),
        (check(username="them:us12"), 401),
        (check(username="u" * 400), 401),
        (stun.seal(stun.REQUEST, bytes(12), stun.attribute(stun.USERNAME, b"us12:them")), 400),
        (stun.seal(stun.REQUEST, bytes(12), b"", key=OURS.local_password.encode()), 400),
        (check(priority=False), 400),
        (check(role=CONTROLLED), 487),
        (check(more=stun.attribute(0x7ABC, b"what is this")), 420),
        (check(more=stun.attribute(0x001A, bytes(4))), 420),
        (check(more=stun.attribute(0xC057, bytes(4))), 200),
        (check(behind=stun.attribute(0x7ABC, b"not vouched for")), 200),
        (stun.seal(stun.REQUEST, bytes(12), b""), 0),
        (check(kind=stun.INDICATION), 0),
        (check(kind=stun.SUCCESS), 0),
        (check()[:-3], 0),
        (check()[:-4] + b"\0\0\0\0", 0),
        (check().replace(stun.COOKIE, bytes(4), 1), 0),
        (b"\0\1\0\4" + stun.COOKIE + bytes(12) + b"\0\6\xff\xff", 0),
        (check(more=stun.attribute(0xC000, bytes(600))), 0),
        (b"\0", 0),
        (b"", 0),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,  # each is made with random bytes
)
def test_what_is_out_of_order_is_answered_as_the_rfc_says_and_proves_nothing(
    question: bytes, expected: int
) -> None:
    ice = lite()
    answer = ice.receive(question, PEER, now=0)
    assert status(answer) == expected
    assert ice.is_valid(PEER) == (expected == 200)
    assert (ice.target(now=0) is None) == (expected != 200)
    assert ice.malformed + ice.refused == (expected != 200)
    if expected in (400, 401) and b"them" not in question:
        assert answer is not None
        assert len(answer) <= len(question)


def test_use_candidate_behind_the_integrity_nominates_nothing() -> None:
    ice = lite()
    ice.receive(check(nominate=True), PEER, now=0)
    ice.receive(check(behind=stun.attribute(USE_CANDIDATE, b"")), OTHER, now=1)
    assert ice.target(now=1) == PEER


def test_strangers_get_a_few_refusals_and_no_more() -> None:
    ice = lite()
    wrong = check(password="guessed")
    answers = [ice.receive(wrong, ("203.0.113.1", 1000 + n), now=0) for n in range(200)]
    assert sum(answer is not None for answer in answers) == REFUSALS_AT_ONCE
    assert ice.refused == 200
    assert status(ice.receive(check(), PEER, now=0)) == 200


def test_nothing_is_sent_to_a_denied_address_even_with_the_password() -> None:
    ice = lite(denied=(PEER[0],))
    assert ice.receive(check(nominate=True), PEER, now=0) is None
    assert ice.target(now=0) is None
    assert not ice.is_valid(PEER)
    assert ice.refused == 1


def test_ways_are_bounded_and_the_nominated_one_stays() -> None:
    ice = lite()
    ice.receive(check(nominate=True), PEER, now=0)
    others: list[Address] = [("198.51.100.1", 2000 + n) for n in range(MAX_PAIRS * 3)]
    for other in others:
        ice.receive(check(), other, now=1)
    assert sum(ice.is_valid(other) for other in others) == MAX_PAIRS - 1
    assert ice.is_valid(PEER)
    assert ice.target(now=1) == PEER


def test_after_a_restart_media_goes_the_old_way_until_a_new_one_is_proved() -> None:
    ice = lite()
    ice.receive(check(nominate=True), PEER, now=0)
    ice.restart(OURS, now=1)
    assert ice.is_valid(PEER), "the same names again are no restart"
    ice.restart(Credentials("us34", "another-password-of-ours", "more"), now=1)
    assert ice.target(now=1) == PEER
    assert ice.is_valid(PEER)
    assert status(ice.receive(check(nominate=True), PEER, now=2)) == 401
    fresh = check(nominate=True, username="us34:more", password="another-password-of-ours")
    assert status(ice.receive(fresh, OTHER, now=3)) == 200
    assert ice.target(now=3) == OTHER
    assert not ice.is_valid(PEER)


def test_after_a_restart_that_nobody_follows_the_old_way_loses_its_consent() -> None:
    ice = lite()
    ice.receive(check(nominate=True), PEER, now=0)
    ice.restart(Credentials("us34", "another-password-of-ours", "more"), now=10)
    assert ice.target(now=CONSENT_S - 1) == PEER
    assert ice.target(now=CONSENT_S + 1) is None


@given(st.binary(max_size=200), st.integers(0, 90))
def test_no_datagram_raises_or_proves_anything(noise: bytes, at: int) -> None:
    ice = lite()
    question = check(nominate=True)
    for data in (noise, question[:8] + noise, question[:at] + noise + question[at + len(noise) :]):
        if data != question:
            ice.receive(data, PEER, now=0)
            assert ice.target(now=0) is None


@pytest.mark.parametrize(
    ("host", "denied"),
    [
        ("224.0.0.1", True),
        ("239.255.255.250", True),
        ("255.255.255.255", True),
        ("0.0.0.0", True),
        ("::", True),
        ("ff02::1", True),
        ("169.254.169.254", True),
        ("a.example.com", True),
        ("fe80::1", False),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
    ],
)
def test_addresses_at_which_no_audio_lives(host: str, denied: bool) -> None:
    assert is_no_place_for_media(host) is denied
