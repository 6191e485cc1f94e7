from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.rtp import srtp_by_hand as by_hand

from sipcc.rtp.flow import SRTP_SUITES, SrtpKeys
from sipcc.rtp.line import Mark
from sipcc.rtp.packet import HEADER
from sipcc.rtp.srtp import LONGEST, MOST_ROLL_OVERS, MOST_SSRCS, PROFILES, WINDOW, Shield

SUITES = sorted(SRTP_SUITES)
REPORT = bytes.fromhex("80c90001cafebabe")  # an empty receiver report


def keys(
    suite: str = "AES_CM_128_HMAC_SHA1_80", *, seed: int = 1, receive_seed: int | None = None
) -> SrtpKeys:
    size = SRTP_SUITES[suite]
    send = random.Random(seed).randbytes(size)
    receive = random.Random(100 + seed if receive_seed is None else receive_seed).randbytes(size)
    return SrtpKeys(suite, send, receive)


def reverse(own: SrtpKeys) -> SrtpKeys:
    return SrtpKeys(own.suite, own.receive, own.send)


def pair(suite: str = "AES_CM_128_HMAC_SHA1_80") -> tuple[Shield, Shield]:
    return Shield(keys(suite)), Shield(reverse(keys(suite)))


def packet(sequence: int, *, ssrc: int = 0x1234, payload: bytes = b"\xff" * 160) -> bytes:
    return HEADER.pack(0x80, 0, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc) + payload


def sent(shield: Shield, data: bytes) -> bytes:
    out = shield.protect(data)
    assert out is not None
    return out


def reported(shield: Shield, data: bytes) -> bytes:
    out = shield.protect_rtcp(data)
    assert out is not None
    return out


def counts(shield: Shield) -> tuple[int, int, int]:
    return shield.bad_tags, shield.replays, shield.malformed


# -- the vectors of the RFCs ------------------------------------------------------------------------------


def test_key_derivation_of_rfc3711_b3() -> None:
    key, salt = (
        bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"),
        bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6"),
    )
    assert by_hand.derive(key, salt, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert by_hand.derive(key, salt, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert by_hand.derive(key, salt, 1, 94).hex().upper() == (
        "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098"
        "6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
    )


def test_key_stream_of_rfc3711_b2() -> None:
    key, salt = (
        bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"),
        bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    )
    stream = by_hand.counter_mode(key, salt, 0, 0, bytes(48))
    assert stream.hex().upper() == (
        "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
    )


QUID_PRO_QUO = b"Quid pro quo"
GALLIA = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
LUNA = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61" + "deadbeef" * 5)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (
            16,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf"
            "8833899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            32,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799"
            "b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ],
)
def test_packets_of_rfc7714_16(size: int, expected: str) -> None:
    sealed = by_hand.seal_gcm(bytes(range(size)), QUID_PRO_QUO, GALLIA, 0x5501A0B2, 0, 0xF17B)
    assert sealed.hex() == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (
            16,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded"
            "0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            32,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de047"
            "6f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ],
)
def test_reports_of_rfc7714_17(size: int, expected: str) -> None:
    sealed = by_hand.seal_gcm_rtcp(bytes(range(size)), QUID_PRO_QUO, LUNA, 0x4D617273, 0x5D4)
    assert sealed.hex() == expected


def written(suite: str, master: bytes, data: bytes, roll_over: int) -> bytes:
    if "GCM" in suite:
        return by_hand.protect_gcm(master, data, roll_over)
    return by_hand.protect_cm(master, data, roll_over, tag=4 if suite.endswith("_32") else 10)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_is_what_its_rfc_says(suite: str) -> None:
    own = keys(suite)
    shield = Shield(own)
    for sequence in (0x7FF0, 0xFFFF, 0x10000, 0x12345):
        data = packet(sequence, ssrc=0xDEADBEEF, payload=bytes(range(160)))
        assert sent(shield, data) == written(suite, own.send, data, sequence >> 16)


@pytest.mark.parametrize("suite", SUITES)
def test_reports_of_every_suite_are_what_the_rfc_says(suite: str) -> None:
    own = keys(suite)
    shield = Shield(own)
    by_rfc = by_hand.protect_gcm_rtcp if "GCM" in suite else by_hand.protect_cm_rtcp
    for index in (1, 2, 3):  # libsrtp counts from 1
        assert reported(shield, LUNA) == by_rfc(own.send, LUNA, index)


@pytest.mark.parametrize("suite", SUITES)
@given(payload=st.binary(max_size=400), sequence=st.integers(0, 0x7FFF), ssrc=st.integers(0, 2**32 - 1))
def test_there_and_back(suite: str, payload: bytes, sequence: int, ssrc: int) -> None:
    near, far = pair(suite)
    data = packet(sequence, ssrc=ssrc, payload=payload)
    assert far.unprotect(sent(near, data)) == data
    assert near.unprotect(sent(far, data)) == data
    assert counts(near) == counts(far) == (0, 0, 0)


def test_the_table_of_suites_is_whole() -> None:
    assert set(PROFILES) == set(SRTP_SUITES)


@pytest.mark.parametrize(
    "wrong", [SrtpKeys("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)), SrtpKeys("", b"", b"")]
)
def test_a_suite_that_there_is_not(wrong: SrtpKeys) -> None:
    with pytest.raises(ValueError, match="are no key of"):
        Shield(wrong)


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_must_have_its_length(suite: str) -> None:
    size = SRTP_SUITES[suite]
    with pytest.raises(ValueError, match="are no key of"):
        Shield(SrtpKeys(suite, bytes(size - 1), bytes(size)))
    with pytest.raises(ValueError, match="are no key of"):
        Shield(SrtpKeys(suite, bytes(size), bytes(size + 1)))


# -- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_a_changed_packet_is_none_wherever_it_was_changed(suite: str) -> None:
    near, far = pair(suite)
    good = sent(near, packet(7))
    for at in range(2, len(good)):
        forged = bytearray(good)
        forged[at] ^= 0x01
        assert far.unprotect(bytes(forged)) is None
    assert far.rejected == len(good) - 2
    assert far.unprotect(good) == packet(7)


@pytest.mark.parametrize("suite", SUITES)
def test_a_cut_packet_is_none(suite: str) -> None:
    near, far = pair(suite)
    good = sent(near, packet(7))
    for size in range(len(good)):
        assert far.unprotect(good[:size]) is None
        assert far.unprotect_rtcp(good[:size]) is None
    assert far.rejected == 2 * len(good)
    assert far.unprotect(good) == packet(7)


def test_a_burst_of_ten_thousand_bad_tags_leaves_the_stream_alone() -> None:
    near, far = pair()
    assert far.unprotect(sent(near, packet(0))) is not None
    noise = random.Random(4)
    for number in range(10_000):
        assert (
            far.unprotect(packet(number + 1, ssrc=noise.getrandbits(32), payload=noise.randbytes(170)))
            is None
        )
    assert counts(far) == (10_000, 0, 0)
    assert far.unprotect(sent(near, packet(1))) == packet(1)


def test_the_same_packet_counts_once() -> None:
    near, far = pair()
    good = [sent(near, packet(number)) for number in range(WINDOW + 20)]
    for data in good:
        assert far.unprotect(data) is not None
    for data in good:
        assert far.unprotect(data) is None
    assert counts(far) == (0, len(good), 0)


def test_a_late_packet_within_the_window_is_let_in() -> None:
    near, far = pair()
    good = [sent(near, packet(number)) for number in range(WINDOW + 1)]
    assert far.unprotect(good[-1]) is not None
    assert far.unprotect(good[1]) == packet(1)
    assert far.unprotect(good[0]) is None
    assert counts(far) == (0, 1, 0)


def test_a_report_counts_once_and_only_with_its_key() -> None:
    near, far = pair()
    good = reported(near, REPORT)
    assert far.unprotect_rtcp(good) == REPORT
    assert far.unprotect_rtcp(good) is None
    stranger = Shield(keys(seed=9))
    reported(stranger, REPORT)
    assert far.unprotect_rtcp(reported(stranger, REPORT)) is None
    assert counts(far) == (1, 1, 0)


def test_a_packet_that_is_none_or_too_long() -> None:
    near, far = pair()
    for data in (b"", b"\x80", bytes(11), b"\x8f" + bytes(40), b"\x90" + bytes(30), bytes(1501)):
        assert far.unprotect(data) is None
        assert far.unprotect_rtcp(data) is None
    assert far.unprotect(b"\x80" * 3000) is None
    assert near.protect(b"\x80") is None
    assert near.protect(packet(1, payload=bytes(LONGEST - 11))) is None
    assert near.protect_rtcp(bytes(1400)) is None
    assert near.unprotectable == 3
    assert far.unprotect(sent(near, packet(1, payload=bytes(LONGEST - 12)))) is not None


@given(st.binary(max_size=1600))
def test_nothing_that_comes_raises(data: bytes) -> None:
    shield = Shield(keys())
    assert shield.unprotect(data) is None
    assert shield.unprotect_rtcp(data) is None
    assert shield.rejected == 2


def test_a_number_is_not_sent_twice() -> None:
    near, _ = pair()
    sent(near, packet(5))
    assert near.protect(packet(5)) is None  # RFC 3711 §9.1: two payloads under one key stream
    assert near.unprotectable == 1


# -- roll-over counter, SSRCs, keys -----------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_the_roll_over_counter_is_kept_when_the_keys_are_given_again(suite: str) -> None:
    near, far = pair(suite)
    for number in range(0x7000, 0x1A000, 0x1000):
        assert far.unprotect(sent(near, packet(number))) is not None
        near.rekey(keys(suite))
        far.rekey(reverse(keys(suite)))
    assert far.rejected == 0


def test_packets_from_before_the_keys_were_given_again_stay_replays() -> None:
    near, far = pair()
    good = sent(near, packet(1))
    far.unprotect(good)
    far.rekey(reverse(keys()))
    assert far.unprotect(good) is None
    assert far.replays == 1


def test_a_new_ssrc_begins_at_roll_over_counter_0() -> None:
    own = keys()
    far = Shield(reverse(own))
    assert far.unprotect(by_hand.protect_cm(own.send, packet(9, ssrc=1), 0, tag=10)) is not None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(60_000, ssrc=2), 0, tag=10)) is not None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(3, ssrc=2), 1, tag=10)) is not None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(10, ssrc=1), 0, tag=10)) is not None
    assert far.rejected == 0


def test_after_a_new_key_the_old_one_is_dropped_and_counted() -> None:
    near, far = pair()
    assert far.unprotect(sent(near, packet(1))) is not None
    late = sent(near, packet(2))
    far.rekey(reverse(keys(seed=2)))
    near.rekey(keys(seed=2))
    assert far.unprotect(late) is None
    assert counts(far) == (1, 0, 0)
    assert far.unprotect(sent(near, packet(3))) == packet(3)
    assert near.unprotect(sent(far, packet(3))) == packet(3)


def test_a_new_key_one_way_leaves_the_other_way_alone() -> None:
    near, far = pair()
    for number in range(0x7000, 0x18000, 0x1000):
        assert near.unprotect(sent(far, packet(number))) is not None
    new = SrtpKeys(keys().suite, keys(seed=2).send, keys().receive)
    near.rekey(new)
    far.rekey(reverse(new))
    assert near.unprotect(sent(far, packet(0x18000))) is not None  # roll-over counter 1
    assert far.unprotect(sent(near, packet(1))) is not None


def test_a_new_suite_takes_effect() -> None:
    near, far = pair()
    near.rekey(keys("AEAD_AES_256_GCM"))
    far.rekey(reverse(keys("AEAD_AES_256_GCM")))
    assert far.unprotect(sent(near, packet(1))) == packet(1)


@pytest.mark.parametrize("roll_over", [1, 2, 22, MOST_ROLL_OVERS - 1])
@pytest.mark.parametrize("sequence", [0, 100, 0x8000, 0xFFF0])
def test_a_peer_that_goes_on_at_a_counter_we_do_not_know_is_found(roll_over: int, sequence: int) -> None:
    """The port was moved: we took a new key, the peer goes on with its own (RFC 4568 §7.1.4)."""
    own = keys()
    far = Shield(reverse(own))
    heard = 0
    index = roll_over << 16 | sequence
    for number in range(index, index + MOST_ROLL_OVERS + 20):
        data = by_hand.protect_cm(own.send, packet(number), number >> 16, tag=10)
        heard += far.unprotect(data) == packet(number)
    assert heard >= 20
    assert heard + far.rejected == MOST_ROLL_OVERS + 20


def test_a_counter_is_not_sought_for_ever_nor_once_the_peer_is_heard() -> None:
    own = keys()
    far = Shield(reverse(own))
    for number in range(MOST_ROLL_OVERS):
        assert far.unprotect(packet(number, payload=bytes(170))) is None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(1), 1, tag=10)) is None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(1), 0, tag=10)) is not None
    assert far.unprotect(by_hand.protect_cm(own.send, packet(1, ssrc=9), 1, tag=10)) is None
    assert far.bad_tags == MOST_ROLL_OVERS + 2


def test_the_ssrcs_under_one_key_are_limited() -> None:
    near, far = pair()
    for ssrc in range(MOST_SSRCS):
        assert far.unprotect(sent(near, packet(1, ssrc=ssrc))) is not None
    assert far.unprotect(sent(near, packet(1, ssrc=MOST_SSRCS))) is None
    assert far.unprotect_rtcp(reported(near, REPORT)) is None
    assert far.malformed == 2
    assert far.unprotect(sent(near, packet(2, ssrc=0))) is not None


# -- another process goes on --------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("roll_over", [0, 1, 5])
def test_a_successor_goes_on_with_the_line_and_uses_no_number_twice(suite: str, roll_over: int) -> None:
    own = keys(suite)
    near, far = Shield(own), Shield(reverse(own))
    last = roll_over * 0x10000 + 0x4321
    near.mark(0x100)
    for number in [*range(0x100, last, 0x3000), last]:
        assert far.unprotect(sent(near, packet(number))) is not None
        near.mark((number + 1) & 0xFFFF)
    report = bytes.fromhex("80c9000100001234")
    assert far.unprotect_rtcp(reported(near, report)) == report
    mark = near.mark((last + 1) & 0xFFFF)
    assert mark.next_index == last + 1
    heir = Shield(own)
    heir.resume(0x1234, Mark(mark.next_index + 10, mark.reports + 3))
    assert heir.protect(packet(last + 10)) is None
    assert far.unprotect(sent(heir, packet(last + 11))) == packet(last + 11)
    assert far.unprotect_rtcp(reported(heir, report)) == report
    assert far.rejected == 0
    assert heir.mark((last + 12) & 0xFFFF) == Mark(last + 12, mark.reports + 4)


def test_a_line_that_had_sent_nothing_is_taken_over_as_well() -> None:
    own = keys()
    near, far = Shield(own), Shield(reverse(own))
    heir = Shield(own)
    heir.resume(0x1234, near.mark(0))
    assert far.unprotect(sent(heir, packet(0))) == packet(0)


def test_a_new_key_counts_from_the_beginning() -> None:
    near, _ = pair()
    near.mark(0xFFFF)
    assert near.mark(5).next_index == 0x10005
    near.rekey(keys(seed=2))
    assert near.mark(6) == Mark(6, 0)


@pytest.mark.parametrize(
    ("heard", "comes"), [(0x2_FFF0, 0x3_0005), (0x3_0005, 0x2_FFF8), (0x16_8000, 0x16_8001)]
)
def test_a_successor_knows_the_counter_of_the_peer(heard: int, comes: int) -> None:
    """No packet is lost in seeking it, though the peer has rolled over since it was written down."""
    own = keys()
    before, far = Shield(reverse(own)), Shield(own)
    far.resume(0x1234, Mark(0x100, 0))
    for number in [*range(0x100, heard, 0x3000), heard]:
        assert before.unprotect(sent(far, packet(number))) is not None
        mark = before.mark(0, (0x1234, number & 0xFFFF))
    assert mark.heard == heard
    heir = Shield(reverse(own))
    heir.resume(0x9999, mark)
    data = by_hand.protect_cm(own.send, packet(comes), comes >> 16, tag=10)
    assert heir.unprotect(data) == packet(comes)
    assert heir.mark(0, (0x1234, comes & 0xFFFF)).heard == comes
    assert heir.rejected == 0
