"""What `sipccd check` says of SRTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.sip.certificates import authority

from sipcc.cli.check import check
from sipcc.config import load


def said(tmp_path: Path, text: str) -> str:
    file = tmp_path / "sipcc.toml"
    file.write_text(text)
    return CliRunner().invoke(check, [str(file)]).output


NUMBER = '[[numbers]]\nnumber = "1"\nto = "echo"\n'
USER = '[[users]]\nname = "1001"\npassword = "secret-one-1"\n'
TRUNK = '[[trunks]]\nname = "carrier"\naddresses = ["127.0.0.2"]\n'
READABLE = "the keys of SRTP can be read"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[media]\nsrtp = "maybe"\n', "media.srtp", '"off", "optional", "required"'),
        ("[media]\nsrtp_suites = []\n", "media.srtp_suites", "the list is empty"),
        ('[media]\nsrtp_suites = ["AES"]\n', "media.srtp_suites[0]", "AES_CM_128_HMAC_SHA1_80"),
        (
            '[media]\nsrtp_suites = ["AEAD_AES_128_GCM", "AEAD_AES_128_GCM"]\n',
            "media.srtp_suites[1]",
            "stands there twice",
        ),
        (USER + 'srtp = "yes"\n', "users[0].srtp", '"optional"'),
        (TRUNK + 'srtp = "yes"\n', "trunks[0].srtp", '"required"'),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, where: str, what: str) -> None:
    found = next(line for line in said(tmp_path, text + NUMBER).splitlines() if f" {where}:" in line)
    assert found.startswith("error:")
    assert what in found


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[media]\nsrtp = "optional"\n' + USER, "media.srtp"),
        (USER + 'srtp = "required"\n', "users[0].srtp"),
        (TRUNK + 'srtp = "required"\n', "trunks[0].srtp"),
        ('[media]\nsrtp = "required"\n' + TRUNK, "trunks[0]"),
        (TRUNK + 'srtp = "optional"\ntransport = "tcp"\n', "trunks[0].srtp"),
    ],
)
def test_keys_in_signalling_that_can_be_read_are_warned_of(tmp_path: Path, text: str, where: str) -> None:
    found = [line for line in said(tmp_path, text + NUMBER).splitlines() if READABLE in line]
    assert len(found) == 1
    assert found[0].startswith("warning:")
    assert where in found[0]


@pytest.mark.parametrize(
    "text",
    [
        USER + TRUNK,
        USER + 'srtp = "off"\n' + TRUNK + 'srtp = "off"\n',
        '[media]\nsrtp = "required"\n' + USER + 'srtp = "off"\n',
        TRUNK + 'srtp = "required"\ntransport = "tls"\n',
        '[sip]\nlisten = ["udp:127.0.0.1:5060", "tls:127.0.0.1:5061"]\ntls = { certificate = "ours.pem" }\n'
        '[media]\nsrtp = "required"\n' + USER,
    ],
)
def test_where_they_cannot_be_read_nothing_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "ours.pem").write_bytes(authority().sign("pbx.example.com"))
    output = said(tmp_path, text + NUMBER)
    assert READABLE not in output
    assert "error:" not in output


def test_the_settings_are_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "sipcc.toml"
    file.write_text(
        '[media]\nsrtp = "required"\nsrtp_suites = ["AEAD_AES_256_GCM"]\n'
        + USER
        + 'srtp = "optional"\n'
        + TRUNK
        + 'srtp = "off"\n'
        + NUMBER
    )
    config = load(file)
    assert (config.media.srtp, config.media.srtp_suites) == ("required", ("AEAD_AES_256_GCM",))
    assert (config.users[0].srtp, config.trunks[0].srtp) == ("optional", "off")
