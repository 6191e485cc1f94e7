"""DTLS-SRTP between two ends in memory: keys, roles, forged and broken datagrams (RFC 5764, RFC 8122)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from sipcc.rtp import dtls
from sipcc.rtp.dtls import MAX_ATTEMPTS, MTU, DtlsEndpoint, make_identity
from sipcc.rtp.flow import Identity

WALL = 1_800_000_000.0
OURS = make_identity(wall=WALL)
THEIRS = make_identity(wall=WALL)
WRONG = ("sha-256", ":".join(["00"] * 32))


def pair(
    *,
    server_expects: tuple[tuple[str, str], ...] = (THEIRS.fingerprint,),
    client_expects: tuple[tuple[str, str], ...] = (OURS.fingerprint,),
) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    return DtlsEndpoint(OURS, server_expects), DtlsEndpoint(THEIRS, client_expects, active=True)


def shake(server: DtlsEndpoint, client: DtlsEndpoint, *, first: list[bytes] | None = None) -> list[bytes]:
    """Carry datagrams to and fro until both are silent; all that were carried."""
    carried = []
    waiting = client.begin(now=0) if first is None else first
    side, other = server, client
    while waiting:
        carried += waiting
        waiting = [answer for data in waiting for answer in side.receive(data, now=0)]
        side, other = other, side
    return carried


def test_both_ends_take_the_same_keys_and_each_the_others_way_round() -> None:
    server, client = pair()
    carried = shake(server, client)
    assert (server.state, client.state) == ("keyed", "keyed")
    assert server.keys is not None
    assert client.keys is not None
    assert (server.keys.suite, len(server.keys.send)) == ("AEAD_AES_128_GCM", 28)
    assert (server.keys.send, server.keys.receive) == (client.keys.receive, client.keys.send)
    assert server.keys.send != server.keys.receive
    assert max(map(len, carried)) <= MTU
    assert all(20 <= data[0] <= 63 for data in carried)
    assert server.deadline is None


def test_a_peer_that_knows_only_the_old_profile_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server, _ = pair()
    profile = b"SRTP_AES128_CM_SHA1_80"
    with monkeypatch.context() as old_times:
        old_times.setattr(dtls, "_PROFILES", {profile: dtls._PROFILES[profile]})
        dtls._context.cache_clear()
        client = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=True)
    dtls._context.cache_clear()
    shake(server, client)
    assert server.keys is not None
    assert (server.keys.suite, len(server.keys.send)) == ("AES_CM_128_HMAC_SHA1_80", 30)
    assert client.keys is not None
    assert client.keys.send == server.keys.receive


@pytest.mark.parametrize(
    "expected",
    [
        (),
        (WRONG,),
        (("sha-256", "not hex"),),
        (("md5", "00"),),
        (("sha-512", THEIRS.fingerprint[1]),),
    ],
)
def test_a_peer_with_another_certificate_gets_no_keys(expected: tuple[tuple[str, str], ...]) -> None:
    server, client = pair(server_expects=expected)
    shake(server, client)
    assert server.state == "failed"
    assert server.keys is None
    assert server.wrong_fingerprint
    assert server.receive(client.begin(now=1)[0] if client.begin(now=1) else b"\x16", now=1) == []


def test_one_right_fingerprint_of_several_is_enough_however_it_is_spelled() -> None:
    algorithm, value = THEIRS.fingerprint
    server, client = pair(server_expects=(WRONG, (algorithm.upper(), value.lower())))
    shake(server, client)
    assert server.state == "keyed"


def test_a_flight_that_is_not_answered_has_a_deadline() -> None:
    server, client = pair()
    [hello] = client.begin(now=100.0)
    assert server.receive(hello, now=100.1)
    assert client.deadline == pytest.approx(101.0, abs=0.1)
    assert server.deadline == pytest.approx(101.1, abs=0.1)
    assert server.expire(now=100.5) == []
    assert server.expire(now=101.2) == [], "OpenSSL keeps its own time: test_browser_audio waits for it"


def test_a_forged_hello_before_and_within_the_handshake_does_not_stop_the_peer() -> None:
    forger = DtlsEndpoint(make_identity(wall=WALL), (OURS.fingerprint,), active=True)
    server, client = pair()
    forged = forger.begin(now=0)[0]
    assert server.receive(forged, now=0)
    shake(server, client)
    assert (server.state, client.state) == ("keyed", "keyed")
    keys = server.keys
    assert server.receive(forged, now=1) == []
    assert server.keys == keys
    assert server.state == "keyed"
    assert server.malformed == 1


def test_hellos_of_ever_new_clients_are_bounded() -> None:
    server, _ = pair()
    for _ in range(MAX_ATTEMPTS + 3):
        forger = DtlsEndpoint(THEIRS, (OURS.fingerprint,), active=True)
        server.receive(forger.begin(now=0)[0], now=0)
    assert server.malformed == 3


def test_a_fatal_alert_from_nowhere_costs_one_attempt() -> None:
    server, client = pair()
    server.receive(DtlsEndpoint(THEIRS, (), active=True).begin(now=0)[0], now=0)
    server.receive(b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28", now=0)
    shake(server, client)
    assert server.state == "keyed"


def test_a_passive_end_says_nothing_by_itself_and_an_active_one_once() -> None:
    server, client = pair()
    assert server.begin(now=0) == []
    assert client.begin(now=0)
    assert client.begin(now=0) == []
    assert server.receive(b"\x17\xfe\xfd" + bytes(20), now=0) == []
    assert server.malformed == 1


def test_the_end_of_the_peer_is_heard_and_ours_is_told() -> None:
    server, client = pair()
    shake(server, client)
    [goodbye] = client.close()
    server.receive(goodbye, now=1)
    assert (client.state, server.state) == ("closed", "closed")
    assert client.close() == []
    assert server.receive(goodbye, now=1) == []
    assert DtlsEndpoint(OURS, ()).close() == []


def test_data_of_the_browser_is_dropped() -> None:
    server, client = pair()
    shake(server, client)
    assert client._ssl is not None
    client._ssl.write(b"an SCTP packet")
    [data] = client._step(1)
    assert server.receive(data, now=1) == []
    assert server.state == "keyed"


@given(st.lists(st.binary(max_size=120), max_size=6), st.integers(0, 400))
def test_noise_never_raises_and_never_makes_keys(noise: list[bytes], at: int) -> None:
    server, client = pair()
    hello = client.begin(now=0)[0]
    for data in (*noise, hello[:at] + b"\x80" + hello[at + 1 :], *(bytes((22,)) + each for each in noise)):
        server.receive(data, now=0)
        server.expire(now=0)
    assert server.keys is None
    assert server.state != "keyed"


def test_an_identity_travels_to_a_worker_and_names_itself() -> None:
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(OURS), type=Identity)
    assert copy == OURS
    algorithm, value = copy.fingerprint
    assert algorithm == "sha-256"
    assert len(value) == 95
    assert value == value.upper()
    assert OURS.fingerprint != THEIRS.fingerprint
    server = DtlsEndpoint(copy, (THEIRS.fingerprint,))
    shake(server, pair()[1])
    assert server.state == "keyed"


def test_a_flight_longer_than_a_datagram_is_cut_between_records() -> None:
    class Written:
        def __init__(self, *sizes: int) -> None:
            self.data = b"".join(
                b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size) for size in sizes
            )

        def bio_read(self, _size: int) -> bytes:
            data, self.data = self.data, b""
            if not data:
                raise SSL.WantReadError
            return data

    assert [len(data) for data in dtls._take_out(Written(500, 500, 300, 1000))] == [1026, 313, 1013]  # type: ignore[arg-type]
