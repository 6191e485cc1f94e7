from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.sdes import CryptoLine, read_crypto

KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()
SUITE = "AES_CM_128_HMAC_SHA1_80"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"1 {SUITE} inline:{TEXT}", CryptoLine(1, SUITE, KEY)),
        (f"999999999 {SUITE} inline:{TEXT}", CryptoLine(999999999, SUITE, KEY)),
        (f"1  {SUITE}  inline:{TEXT} ", CryptoLine(1, SUITE, KEY)),
        (f"1 {SUITE} inline:{TEXT}|2^20", CryptoLine(1, SUITE, KEY, 2**20)),
        (f"1 {SUITE} inline:{TEXT}|2^48", CryptoLine(1, SUITE, KEY, 2**48)),
        (f"1 {SUITE} inline:{TEXT}|1048576", CryptoLine(1, SUITE, KEY, 1048576)),
        (f"1 {SUITE} inline:{TEXT} WSH=128", CryptoLine(1, SUITE, KEY)),
        (f"1 {SUITE} inline:{TEXT} -NEW=3 -ALSO", CryptoLine(1, SUITE, KEY)),
        # the example of RFC 4568 §4.1
        (
            "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20",
            CryptoLine(1, SUITE, b"=-n@%^x!Bjufr9)?,#5h\\`=&]{qiPQ", 2**20),
        ),
    ],
)
def test_lines_that_can_be_used(value: str, expected: CryptoLine) -> None:
    assert read_crypto(value) == expected


def test_padding_may_be_left_out() -> None:
    key = bytes(28)
    text = base64.b64encode(key).decode()
    assert text.endswith("=")
    for form in (text, text.rstrip("=")):
        assert read_crypto(f"3 AEAD_AES_128_GCM inline:{form}") == CryptoLine(3, "AEAD_AES_128_GCM", key)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "needs a tag"),
        ("1", "needs a tag"),
        (f"1 {SUITE}", "needs a tag"),
        (f"x {SUITE} inline:{TEXT}", "needs a tag"),
        (f"1234567890 {SUITE} inline:{TEXT}", "needs a tag"),
        (f"-1 {SUITE} inline:{TEXT}", "needs a tag"),
        (f"1 {SUITE} outline:{TEXT}", "not inline"),
        (f"1 {SUITE} inline:", "not inline"),
        (f"1 {SUITE} inline:{TEXT[:-1]}!", "not inline"),
        (f"1 {SUITE} inline:{TEXT}|1:4", "an MKI"),
        (f"1 {SUITE} inline:{TEXT}|2^20|1:4", "an MKI"),
        (f"1 {SUITE} inline:{TEXT}|2^20|1:4|x", "unknown terms"),
        (f"1 {SUITE} inline:{TEXT}|", "unknown terms"),
        (f"1 {SUITE} inline:{TEXT}|2^20|", "unknown terms"),
        (f"1 {SUITE} inline:{TEXT}|2^0", "unknown terms"),
        (f"1 {SUITE} inline:{TEXT}|2^49", "longer than SRTP allows"),
        (f"1 {SUITE} inline:{TEXT}|999999999999999", "longer than SRTP allows"),
        (f"1 {SUITE} inline:{TEXT};inline:{TEXT}", "several keys"),
        (f"1 {SUITE} inline:{TEXT}|2^20|1:4;inline:{TEXT}|2^20|2:4", "several keys"),
        (f"1 {SUITE} inline:{TEXT} UNENCRYPTED_SRTP", "UNENCRYPTED_SRTP"),
        (f"1 {SUITE} inline:{TEXT} UNENCRYPTED_SRTCP", "UNENCRYPTED_SRTCP"),
        (f"1 {SUITE} inline:{TEXT} UNAUTHENTICATED_SRTP", "UNAUTHENTICATED_SRTP"),
        (f"1 {SUITE} inline:{TEXT} KDR=1", "with KDR$"),
        (f"1 {SUITE} inline:{TEXT} FEC_ORDER=FEC_SRTP", "FEC_ORDER"),
        (f"1 {SUITE} inline:{TEXT} WSH=1", "WSH"),
        (f"1 {SUITE} inline:{TEXT} WSH=128 NEW", "with NEW"),
        (f"1 {SUITE} inline:{'A' * 129}", "not inline"),
        (f"1 {SUITE} inline:{'A' * 41}", "no base64"),
        (f"1 {SUITE} inline:{'A' * 37}==", "no base64"),
    ],
)
def test_lines_that_cannot(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_crypto(value)


@given(st.text(max_size=200))
def test_no_text_does_harm(value: str) -> None:
    try:
        line = read_crypto(value)
    except ValueError:
        return
    assert line.suite


@given(
    tag=st.integers(0, 999999999),
    suite=st.from_regex(r"[A-Z0-9_]{1,40}", fullmatch=True),
    key=st.binary(min_size=1, max_size=90),
)
def test_what_is_written_is_read(tag: int, suite: str, key: bytes) -> None:
    line = CryptoLine(tag, suite, key)
    assert read_crypto(str(line)) == line


def test_a_key_is_in_no_log() -> None:
    assert repr(CryptoLine(7, SUITE, KEY)) == f"CryptoLine(7, {SUITE!r})"
