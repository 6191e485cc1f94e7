"""The leg to a browser: who may speak to it, what it says to whom, and when it has keys."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc import stun
from sipcc.rtp.dtls import DtlsEndpoint, make_identity
from sipcc.rtp.flow import BrowserParams
from sipcc.rtp.ice import CONSENT_S, BrowserProof
from sipcc.rtp.latch import Address
from sipcc.rtp.webrtc import BrowserLeg, denied_by

OURS = make_identity(wall=1_800_000_000.0)
THEIRS = make_identity(wall=1_800_000_000.0)
PARAMS = BrowserParams(
    local_ufrag="us12",
    local_password="our-password-of-22-chars",
    remote_ufrag="them",
    remote_password="their-password-of-24-char",
    fingerprints=(THEIRS.fingerprint,),
    identity=OURS,
)
PEER = ("192.0.2.7", 40000)
OTHER = ("198.51.100.9", 41000)
RTP = bytes.fromhex("8000000100000001000000aa") + bytes(160)


class Browser:
    """The other end: it checks, it shakes hands, and all that we send stands in its boxes."""

    def __init__(self, params: BrowserParams = PARAMS, *, active: bool = True) -> None:
        self.sent: list[tuple[bytes, Address]] = []
        self.changes: list[float] = []
        self.alarms: list[float] = []
        self.params = params
        self.leg = BrowserLeg(
            params,
            send=lambda data, to: self.sent.append((bytes(data), to)),
            changed=self.changes.append,
            wake=self.alarms.append,
            denied=denied_by(frozenset({"127.0.0.1", "203.0.113.1"}), (20000, 29999)),
        )
        self.dtls = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=active)

    def check(self, source: Address = PEER, *, nominate: bool = True, now: float = 0.0) -> None:
        params = self.params
        body = stun.attribute(stun.USERNAME, f"{params.local_ufrag}:{params.remote_ufrag}".encode())
        body += stun.attribute(0x0024, bytes(4)) + stun.attribute(0x802A, bytes(8))
        if nominate:
            body += stun.attribute(0x0025, b"")
        data = stun.seal(stun.REQUEST, os.urandom(12), body, key=params.local_password.encode())
        assert self.leg.receive(data, source, now=now)

    def take(self, at: Address = PEER) -> list[bytes]:
        """What was sent to an address of the browser since the last call; nothing may go elsewhere."""
        sent, self.sent = self.sent, []
        assert {to for _, to in sent} <= {at}
        return [data for data, _ in sent]

    def shake(self, source: Address = PEER, *, now: float = 0.0) -> None:
        waiting = self.dtls.begin(now=now)
        if not waiting:
            hello = [data for data in self.take(source) if data[0] > 3]
            waiting = [each for data in hello for each in self.dtls.receive(data, now=now)]
        while waiting:
            answers = [each for data in waiting for each in self._carry(data, source, now)]
            waiting = [each for data in answers for each in self.dtls.receive(data, now=now)]

    def _carry(self, data: bytes, source: Address, now: float) -> list[bytes]:
        assert self.leg.receive(data, source, now=now)
        return [data for data in self.take(source) if data[0] > 3]


def test_checks_then_dtls_then_keys_and_rtp_is_let_through() -> None:
    browser = Browser()
    assert browser.leg.target is None
    browser.check()
    assert browser.leg.target == PEER
    browser.take()
    browser.shake()
    assert browser.leg.keys is not None
    assert browser.dtls.keys is not None
    assert browser.leg.keys.send == browser.dtls.keys.receive
    assert browser.leg.receive(RTP, PEER, now=1) is False
    assert len(browser.changes) == 2, "a way, and keys"
    assert (browser.leg.foreign, browser.leg.malformed) == (0, 0)


def test_before_a_check_nothing_is_believed_and_nothing_is_said() -> None:
    browser = Browser()
    [hello] = browser.dtls.begin(now=0)
    assert browser.leg.receive(hello, PEER, now=0)
    assert browser.leg.receive(RTP, PEER, now=0)
    browser.leg.expire(now=5)
    browser.leg.close()
    assert browser.sent == []
    assert browser.leg.unproven == 2
    assert browser.leg.keys is None


def test_a_hello_of_a_stranger_is_dropped_though_the_peer_has_been_checked() -> None:
    browser = Browser()
    browser.check()
    browser.take()
    forger = DtlsEndpoint(make_identity(wall=0.0), (OURS.fingerprint,), active=True)
    assert browser.leg.receive(forger.begin(now=0)[0], OTHER, now=0)
    assert browser.sent == []
    browser.shake()
    assert browser.leg.keys is not None
    assert browser.leg.unproven == 1


def test_the_wrong_certificate_gets_no_keys() -> None:
    browser = Browser(msgspec.structs.replace(PARAMS, fingerprints=(OURS.fingerprint,)))
    browser.check()
    browser.take()
    browser.shake()
    assert browser.leg.keys is None
    assert browser.leg.wrong_fingerprint


def test_the_active_end_begins_when_there_is_a_way() -> None:
    browser = Browser(msgspec.structs.replace(PARAMS, setup="active"), active=False)
    assert browser.sent == []
    browser.check()
    assert browser.alarms == [pytest.approx(1.0, abs=0.1)]
    browser.shake()
    assert browser.leg.keys is not None
    browser.check(now=2)
    assert [data[0] for data in browser.take()] == [1], "no second hello"


def test_a_new_offer_with_the_same_names_changes_nothing() -> None:
    browser = Browser()
    browser.check()
    browser.take()
    browser.shake()
    keys, changes = browser.leg.keys, list(browser.changes)
    browser.leg.configure(msgspec.structs.replace(PARAMS), now=2)
    assert (browser.leg.keys, browser.changes, browser.sent) == (keys, changes, [])


def test_an_ice_restart_keeps_the_keys_and_moves_when_the_new_way_is_proved() -> None:
    browser = Browser()
    browser.check()
    browser.take()
    browser.shake()
    keys = browser.leg.keys
    browser.params = msgspec.structs.replace(
        PARAMS, local_ufrag="us34", local_password="another-password-of-ours", remote_ufrag="newer"
    )
    browser.leg.configure(browser.params, now=2)
    assert browser.leg.target == PEER
    assert browser.leg.receive(RTP, PEER, now=2) is False
    browser.check(OTHER, now=3)
    assert browser.leg.target == OTHER
    assert browser.leg.keys is keys
    assert browser.leg.receive(RTP, PEER, now=3) is True


def test_a_new_certificate_is_a_new_association_and_its_old_keys_end_at_once() -> None:
    browser = Browser()
    browser.check()
    browser.take()
    browser.shake()
    old = browser.leg.keys
    stranger = make_identity(wall=0.0)
    browser.leg.configure(msgspec.structs.replace(PARAMS, fingerprints=(stranger.fingerprint,)), now=2)
    assert browser.leg.keys is None
    browser.dtls = DtlsEndpoint(stranger, (OURS.fingerprint,), active=True)
    browser.take()
    browser.shake(now=2)
    assert browser.leg.keys not in (None, old)


def test_consent_runs_out_and_comes_back() -> None:
    browser = Browser()
    browser.check()
    browser.leg.expire(now=CONSENT_S - 1)
    assert browser.leg.target == PEER
    browser.leg.expire(now=CONSENT_S + 1)
    assert browser.leg.target is None
    browser.check(now=CONSENT_S + 5)
    assert browser.leg.target == PEER
    assert browser.leg.checked_at == CONSENT_S + 5


@pytest.mark.parametrize(
    "source",
    [
        ("224.0.0.5", 9000),
        ("255.255.255.255", 9000),
        ("169.254.169.254", 80),
        ("0.0.0.0", 9000),
        ("127.0.0.1", 20002),
        ("203.0.113.1", 29999),
    ],
)
def test_denied_addresses_are_sent_nothing_even_with_a_right_check(source: Address) -> None:
    browser = Browser()
    browser.check(source)
    assert browser.sent == []
    assert browser.leg.target is None
    assert browser.leg.receive(RTP, source, now=0) is True
    assert browser.leg.foreign == 2


def test_other_ports_of_our_own_host_may_be_a_browser_on_the_same_machine() -> None:
    browser = Browser()
    browser.check(("127.0.0.1", 40001))
    assert browser.leg.target == ("127.0.0.1", 40001)


def test_the_end_is_told_where_the_peer_is() -> None:
    browser = Browser()
    browser.check()
    browser.take()
    browser.shake()
    browser.leg.close()
    [goodbye] = browser.take()
    browser.dtls.receive(goodbye, now=1)
    assert browser.dtls.state == "closed"


@given(st.lists(st.binary(max_size=80), max_size=10))
def test_noise_is_counted_and_answers_go_nowhere_else(noise: list[bytes]) -> None:
    browser = Browser()
    browser.check()
    browser.take()
    for data in noise:
        browser.leg.receive(data, PEER, now=0)
        browser.leg.receive(data, OTHER, now=0)
        browser.leg.expire(now=0)
    assert browser.leg.target == PEER
    assert {to for _, to in browser.sent} <= {PEER, OTHER}
    assert browser.leg.keys is None


def test_a_successor_goes_on_with_the_way_and_the_keys_of_a_browser() -> None:
    before = Browser()
    before.check(OTHER, nominate=False)
    before.take(OTHER)
    before.check()
    before.take()
    before.shake()
    proof = msgspec.msgpack.decode(msgspec.msgpack.encode(before.leg.proof), type=BrowserProof)
    after = Browser()
    after.leg.resume(proof, now=3.0)
    assert after.changes == [3.0]
    assert after.leg.target == PEER
    assert after.leg.keys == before.leg.keys
    assert after.leg.receive(RTP, PEER, now=3) is False
    assert after.leg.receive(RTP, OTHER, now=3) is False
    after.check(now=4.0)
    [answer] = after.take()
    assert stun.HEADER.unpack_from(answer)[0] == stun.SUCCESS
    assert after.leg.checked_at == 4.0
    after.leg.expire(now=4.0 + CONSENT_S)
    assert after.leg.target is None, "consent runs out as ever"


@pytest.mark.parametrize("right", [True, False])
def test_a_browser_may_shake_hands_anew_with_a_successor(right: bool) -> None:
    """The association died with the process; keys change only for who proves again that it is the peer."""
    before = Browser()
    before.check()
    before.take()
    before.shake()
    after = Browser()
    after.leg.resume(before.leg.proof, now=3.0)
    keys = after.leg.keys
    if not right:
        after.dtls = DtlsEndpoint(make_identity(wall=1_800_000_000.0), (OURS.fingerprint,), active=True)
    after.shake(now=3.0)
    assert (after.leg.keys is not keys) is right
    assert after.leg.keys is not None
    if right:
        assert after.dtls.keys is not None
        assert after.leg.keys.send == after.dtls.keys.receive


def test_a_successor_of_one_that_had_proved_nothing_begins_from_nothing() -> None:
    after = Browser()
    after.leg.resume(Browser().leg.proof, now=3.0)
    assert after.leg.target is None
    after.check()
    after.take()
    after.shake()
    assert after.leg.keys is not None
