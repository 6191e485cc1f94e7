from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.gruu import Device, TemporaryGruus, instance_param, is_gruu, public_gruu
from sipcc.sip.uri import SipUri

ONE, OTHER = Device("1001", "urn:uuid:1"), Device("1002", "urn:uuid:2")


def test_tokens_lead_to_their_device_and_say_nothing() -> None:
    gruus = TemporaryGruus(b"0123456789abcdef")
    tokens = [gruus.make(device, "c") for device in (ONE, ONE, OTHER)]
    assert len(set(tokens)) == 3
    assert [gruus.read(token) for token in tokens] == [ONE, ONE, OTHER]
    assert all("100" not in token for token in tokens)


def test_a_new_call_id_and_the_end_of_a_device_end_its_tokens() -> None:
    gruus = TemporaryGruus(b"0123456789abcdef")
    first = gruus.make(ONE, "c1")
    second = gruus.make(ONE, "c2")
    assert (gruus.read(first), gruus.read(second)) == (None, ONE)
    gruus.drop(ONE)
    gruus.drop(OTHER)
    assert gruus.read(second) is None
    assert gruus._serials == gruus._devices == {}


def test_a_token_of_another_secret_is_none() -> None:
    token = TemporaryGruus(b"another secret..").make(ONE, "c")
    gruus = TemporaryGruus(b"0123456789abcdef")
    gruus.make(ONE, "c")
    assert gruus.read(token) is None


@given(st.text(max_size=40))
def test_noise_is_no_token(noise: str) -> None:
    gruus = TemporaryGruus(b"0123456789abcdef")
    gruus.make(ONE, "c")
    assert gruus.read(noise) is None
    assert gruus.read("tgruu." + noise) is None


@pytest.mark.parametrize(
    ("instance", "written"),
    [
        ("urn:uuid:F81D4FAE", "urn:uuid:f81d4fae"),
        ("odd one;x", "odd%20one%3bx"),
        ("a%3Bb", "a%3bb"),
        ("é", "%c3%a9"),
    ],
)
def test_public_gruus(instance: str, written: str) -> None:
    assert instance_param(instance) == written
    gruu = public_gruu(SipUri.parse("sip:1001@example.com;x=y"), instance)
    assert str(gruu) == f"sip:1001@example.com;gr={written}"
    assert is_gruu(SipUri.parse(str(gruu)))
