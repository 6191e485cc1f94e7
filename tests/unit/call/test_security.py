from __future__ import annotations

import random
from typing import Literal

import pytest

from sipcc.call.describing import keying_for
from sipcc.call.negotiate import MediaNegotiation
from sipcc.call.security import Keyed, PlainKeying, SdesKeying
from sipcc.errors import NoCommonCodec
from sipcc.ids import Ids
from sipcc.rtp.flow import SRTP_SUITES, SrtpKeys
from sipcc.rtp.settings import MediaSettings
from sipcc.sip.sdes import CryptoLine, read_crypto
from sipcc.sip.sdp import MediaDescription, SessionDescription
from sipcc.sip.settings import TrunkSettings, UserSettings

CM, CM_32, GCM, GCM_256 = SRTP_SUITES
SAVP, AVP = "RTP/SAVP", "RTP/AVP"

Policy = Literal["optional", "required"]


class Side:
    """A negotiation with SDES, and what it made last."""

    def __init__(
        self, policy: Policy = "required", *, seed: int, suites: tuple[str, ...] = tuple(SRTP_SUITES)
    ) -> None:
        source = random.Random(seed)
        keying = SdesKeying(policy, suites=suites, random_bytes=source.randbytes)
        self.negotiation = MediaNegotiation(
            host=f"127.0.0.{seed}",
            port=20000,
            codecs=("PCMU",),
            ptime_ms=20,
            session_id=seed,
            keying=keying,
        )

    def offer(self) -> bytes:
        return self.negotiation.make_offer()

    @property
    def keys(self) -> SrtpKeys | None:
        assert self.negotiation.params is not None
        return self.negotiation.params.srtp


def audio_of(body: bytes) -> MediaDescription:
    return SessionDescription.parse(body).media[0]


def lines_of(body: bytes) -> list[CryptoLine]:
    return [read_crypto(value) for value in audio_of(body).get_all("crypto")]


def description(protocol: str, *crypto: str, port: int = 30000, host: str = "127.0.0.9") -> bytes:
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} {protocol} 0",
    ]
    return "\r\n".join([*lines, *(f"a=crypto:{value}" for value in crypto), ""]).encode()


def crypto(tag: int = 1, suite: str = CM, *, seed: int = 50) -> str:
    return str(CryptoLine(tag, suite, random.Random(seed).randbytes(SRTP_SUITES[suite])))


def key(suite: str = CM, *, seed: int = 50) -> bytes:
    return random.Random(seed).randbytes(SRTP_SUITES[suite])


def exchange(offerer: Side, answerer: Side) -> None:
    offerer.negotiation.take_answer(answerer.negotiation.make_answer(offerer.offer()))


# -- offers and answers -----------------------------------------------------------------------------------


def test_required_offers_savp_with_a_line_for_each_suite() -> None:
    body = Side(seed=1).offer()
    assert audio_of(body).protocol == SAVP
    assert [(line.tag, line.suite) for line in lines_of(body)] == [
        (1, CM),
        (2, CM_32),
        (3, GCM),
        (4, GCM_256),
    ]
    assert [len(line.key) for line in lines_of(body)] == [30, 30, 28, 44]
    assert len({line.key for line in lines_of(body)}) == 4


def test_optional_offers_plain_rtp_with_keys() -> None:
    body = Side("optional", seed=1).offer()
    assert audio_of(body).protocol == AVP
    assert len(lines_of(body)) == 4


@pytest.mark.parametrize("policies", [("required", "required"), ("optional", "optional")])
def test_both_ends_come_to_the_same_keys(policies: tuple[Policy, Policy]) -> None:
    near, far = Side(policies[0], seed=1), Side(policies[1], seed=2)
    exchange(near, far)
    assert near.keys is not None
    assert far.keys == SrtpKeys(CM, near.keys.receive, near.keys.send)
    assert near.keys.send != near.keys.receive


def test_the_answer_copies_the_tag_of_the_first_line_that_it_can_keep() -> None:
    side = Side(seed=1, suites=(CM, GCM))
    body = side.negotiation.make_answer(
        description(
            SAVP,
            "1 F8_128_HMAC_SHA1_80 inline:" + "A" * 40,
            "2 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            f"3 {CM} inline:" + "A" * 40 + "|1:4",
            crypto(4, CM_32),
            crypto(17, GCM),
            crypto(5, CM),
        )
    )
    assert [(line.tag, line.suite) for line in lines_of(body)] == [(17, GCM)]
    assert audio_of(body).protocol == SAVP
    assert side.keys == SrtpKeys(GCM, lines_of(body)[0].key, key(GCM))


def test_an_offer_of_plain_rtp_with_keys_is_answered_in_kind() -> None:
    side = Side("optional", seed=1)
    body = side.negotiation.make_answer(description(AVP, crypto()))
    assert audio_of(body).protocol == AVP
    assert len(lines_of(body)) == 1
    assert side.keys is not None


@pytest.mark.parametrize("protocol", [AVP, "RTP/AVPF"])
@pytest.mark.parametrize("lines", [(), ("nonsense",), ("1 F8_128_HMAC_SHA1_80 inline:" + "A" * 40,)])
def test_optional_takes_plain_rtp(protocol: str, lines: tuple[str, ...]) -> None:
    side = Side("optional", seed=1)
    body = side.negotiation.make_answer(description(protocol, *lines))
    assert audio_of(body).protocol == protocol
    assert not lines_of(body)
    assert side.keys is None


def test_optional_takes_an_answer_in_the_clear() -> None:
    side = Side("optional", seed=1)
    side.offer()
    side.negotiation.take_answer(description(AVP))
    assert side.keys is None


@pytest.mark.parametrize(
    "offer",
    [
        description(AVP),
        description("RTP/AVPF"),
        description(AVP, crypto()),
        description(SAVP),
        description(SAVP, "1 F8_128_HMAC_SHA1_80 inline:" + "A" * 40),
        description(SAVP, f"1 {CM} inline:" + "A" * 36),
        description(SAVP, crypto() + " UNENCRYPTED_SRTP"),
        description("UDP/TLS/RTP/SAVPF", crypto()),
        description("RTP/SAVQ", crypto()),
    ],
)
def test_required_refuses_what_is_not_protected(offer: bytes) -> None:
    side = Side(seed=1)
    with pytest.raises(NoCommonCodec):
        side.negotiation.make_answer(offer)
    assert side.negotiation.params is None


def test_savp_without_a_key_is_refused_by_optional_too() -> None:
    with pytest.raises(NoCommonCodec, match="no key of ours"):
        Side("optional", seed=1).negotiation.make_answer(description(SAVP))


@pytest.mark.parametrize("policy", ["required", "optional"])
@pytest.mark.parametrize(
    "crypto_line",
    [
        crypto(1, CM_32),  # the tag of another suite
        crypto(9),
        crypto(1) + " UNENCRYPTED_SRTP",
        f"1 {CM} inline:" + "A" * 40 + "|1:4",
        "nonsense",
    ],
)
def test_an_answer_must_name_a_line_of_the_offer(policy: Policy, crypto_line: str) -> None:
    side = Side(policy, seed=1)
    side.offer()
    protocol = SAVP if policy == "required" else AVP
    with pytest.raises(NoCommonCodec):
        side.negotiation.take_answer(description(protocol, crypto_line))
    assert side.negotiation.params is None


@pytest.mark.parametrize("answer", [description(AVP), description(AVP, crypto()), description(SAVP)])
def test_an_answer_without_protection_is_never_taken_by_required(answer: bytes) -> None:
    side = Side(seed=1)
    side.offer()
    with pytest.raises(NoCommonCodec):
        side.negotiation.take_answer(answer)


def test_our_own_key_is_not_the_peers() -> None:
    side = Side(seed=1)
    own = lines_of(side.offer())[0]
    with pytest.raises(NoCommonCodec, match="our own"):
        side.negotiation.take_answer(description(SAVP, str(own)))


def test_no_key_is_in_what_goes_wrong() -> None:
    with pytest.raises(NoCommonCodec) as caught:
        Side(seed=1).negotiation.make_answer(description(SAVP, crypto() + " KDR=1"))
    assert "inline" not in str(caught.value)


# -- a leg that is protected stays so ---------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["required", "optional"])
@pytest.mark.parametrize("offer", [description(AVP), description(AVP, crypto()), description(SAVP)])
def test_a_protected_leg_refuses_to_be_undone(policy: Policy, offer: bytes) -> None:
    side = Side(policy, seed=1)
    side.negotiation.make_answer(description(SAVP, crypto()))
    before = side.keys
    with pytest.raises(NoCommonCodec):
        side.negotiation.make_answer(offer)
    assert side.keys == before
    side.negotiation.make_answer(description(SAVP, crypto()))
    assert side.keys == before


def test_a_leg_protected_by_the_way_of_rfc8643_stays_so() -> None:
    side = Side("optional", seed=1)
    side.negotiation.make_answer(description(AVP, crypto()))
    before = side.keys
    with pytest.raises(NoCommonCodec):
        side.negotiation.make_answer(description(AVP))
    side.negotiation.make_answer(description(AVP, crypto()))
    assert side.keys == before


def test_an_answer_in_the_clear_to_a_later_offer_is_refused() -> None:
    near, far = Side("optional", seed=1), Side("optional", seed=2)
    exchange(near, far)
    near.offer()
    with pytest.raises(NoCommonCodec):
        near.negotiation.take_answer(description(AVP))


def test_a_leg_in_the_clear_may_become_protected() -> None:
    side = Side("optional", seed=1)
    side.negotiation.make_answer(description(AVP))
    assert side.keys is None
    side.negotiation.make_answer(description(SAVP, crypto()))
    assert side.keys is not None
    with pytest.raises(NoCommonCodec):
        side.negotiation.make_answer(description(AVP))


# -- which key, and for how long --------------------------------------------------------------------------


def test_nothing_changes_while_nothing_changes() -> None:
    near, far = Side(seed=1), Side(seed=2)
    exchange(near, far)
    before = near.keys
    for offerer, answerer in ((near, far), (far, near)) * 3:
        exchange(offerer, answerer)
        assert near.keys == before
    near.negotiation.local_hold = "sendonly"
    exchange(near, far)
    near.negotiation.local_hold = ""
    exchange(near, far)
    assert near.keys == before


def test_the_suite_of_the_leg_is_kept_while_the_peer_still_has_it() -> None:
    side = Side(seed=1)
    side.negotiation.make_answer(description(SAVP, crypto(1, GCM)))
    before = side.keys
    side.negotiation.make_answer(description(SAVP, crypto(1, CM), crypto(2, GCM)))
    assert side.keys == before
    assert lines_of(side.offer())[0].suite == GCM
    assert lines_of(side.negotiation.local_body)[0].key == before.send  # type: ignore[union-attr]


def test_a_new_key_of_the_peer_brings_a_new_one_of_ours_in_the_answer() -> None:
    side = Side(seed=1)
    side.negotiation.make_answer(description(SAVP, crypto(seed=50)))
    before = side.keys
    side.negotiation.make_answer(description(SAVP, crypto(seed=51)))
    assert before is not None
    assert side.keys is not None
    assert side.keys.receive == key(seed=51)
    assert side.keys.send != before.send


def test_a_suite_that_was_left_comes_back_with_another_key() -> None:
    side = Side(seed=1)
    seen: set[bytes] = set()
    for number, suite in enumerate((CM, GCM, CM, GCM, CM)):
        side.offer()
        line = next(line for line in lines_of(side.negotiation.local_body) if line.suite == suite)
        side.negotiation.take_answer(description(SAVP, crypto(line.tag, suite, seed=number)))
        assert side.keys is not None
        assert side.keys.send == line.key
        seen.add(line.key)
    assert len(seen) == 5


def test_another_port_has_another_key_and_the_old_port_keeps_its_own() -> None:
    side = Side(seed=1)
    side.offer()
    side.negotiation.take_answer(description(SAVP, crypto()))
    before = side.keys
    assert before is not None
    side.negotiation.move("127.0.0.1", 20100)
    moved = lines_of(side.offer())[0].key
    assert moved != before.send
    side.negotiation.withdraw()
    side.negotiation.move("127.0.0.1", 20000)  # the peer refused
    assert lines_of(side.offer())[0].key == before.send
    side.negotiation.withdraw()
    side.negotiation.move("127.0.0.1", 20200)
    body = side.offer()
    side.negotiation.take_answer(description(SAVP, crypto()))
    assert side.keys == SrtpKeys(CM, lines_of(body)[0].key, key())
    assert side.keys.send not in (before.send, moved)


def test_another_fork_may_have_other_keys_or_none() -> None:
    side = Side("optional", seed=1)
    side.offer()
    side.negotiation.take_answer(description(AVP, crypto()), reliable=False, fork="one")
    assert side.keys is not None
    side.negotiation.take_answer(description(AVP), fork="two")
    assert side.keys is None


def test_what_is_asked_by_an_empty_reinvite_is_the_same_offer() -> None:
    side = Side(seed=1)
    first = side.negotiation.make_answer(description(SAVP, crypto()))
    assert lines_of(side.offer())[0].key == lines_of(first)[0].key


def test_another_process_goes_on_with_the_same_keys() -> None:
    before = Side(seed=1)
    answer = before.negotiation.make_answer(description(SAVP, crypto(3, GCM)))
    after = Side("optional", seed=7)
    assert before.negotiation.params is not None
    after.negotiation.resume(
        answer,
        description(SAVP, crypto(3, GCM)),
        params=before.negotiation.params,
        local_hold="",
        held=False,
    )
    after.negotiation.make_answer(description(SAVP, crypto(1, CM), crypto(3, GCM), port=30002))
    assert after.keys == before.keys
    with pytest.raises(NoCommonCodec):
        after.negotiation.make_answer(description(AVP))
    plain = Side("optional", seed=8)
    plain.negotiation.make_answer(description(AVP))
    assert plain.negotiation.params is not None
    after = Side("optional", seed=9)
    after.negotiation.resume(
        plain.negotiation.local_body,
        description(AVP),
        params=plain.negotiation.params,
        local_hold="",
        held=False,
    )
    after.negotiation.make_answer(description(AVP))
    assert after.keys is None


# -- the policy of a leg ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "trunk", "user", "expected"),
    [
        ("off", None, None, "off"),
        ("optional", None, None, "optional"),
        ("required", None, "", "required"),
        ("required", None, "off", "off"),
        ("off", None, "optional", "optional"),
        ("off", "required", None, "required"),
        ("required", "off", None, "off"),
        ("optional", "", None, "optional"),
    ],
)
def test_trunks_and_users_go_before_the_section(
    media: Literal["off", "optional", "required"],
    trunk: Literal["", "off", "required"] | None,
    user: Literal["", "off", "optional"] | None,
    expected: str,
) -> None:
    keying = keying_for(
        MediaSettings(srtp=media, srtp_suites=("AEAD_AES_128_GCM",)),
        None if trunk is None else TrunkSettings(name="carrier", srtp=trunk),
        None if user is None else UserSettings(name="1001", password="secret-one-1", srtp=user),
        Ids(random.Random(1)),
    )
    protocol, lines = keying.offer()
    if expected == "off":
        assert isinstance(keying, PlainKeying)
        assert (protocol, lines) == (AVP, ())
    else:
        assert protocol == (SAVP if expected == "required" else AVP)
        assert [read_crypto(value).suite for _, value in lines] == [GCM]
        assert keying.by_address
        assert keying.session() == ()


def test_plain_audio_knows_no_keys() -> None:
    plain = PlainKeying()
    plain.place("127.0.0.1", 20000)
    plain.reopen()
    side = Side("optional", seed=1)
    side.negotiation.make_answer(description(AVP))
    assert side.negotiation.params is not None
    plain.resume(SessionDescription.parse(description(AVP)), side.negotiation.params)
    offer = SessionDescription.parse(description(AVP, crypto()))
    plain.check(offer, offer.media[0], answered=False)
    assert plain.answer(offer, offer.media[0]) == (AVP, ())
    assert plain.agree(offer, offer.media[0], answered=False) == Keyed()
    with pytest.raises(NoCommonCodec):
        plain.check(offer, SessionDescription.parse(description(SAVP, crypto())).media[0], answered=False)
