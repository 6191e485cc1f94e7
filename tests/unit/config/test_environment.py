"""Overrides and secrets from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.errors import ConfigError

TEXT = """\
[sip]
listen = ["udp:127.0.0.1:5060"]
[[users]]
name = "Alice"
password = "a-long-password"
[[numbers]]
number = "600"
to = "echo"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sipcc.toml"
    file.write_text(TEXT)
    return file


def test_values_of_every_kind(path: Path) -> None:
    config = load(
        path,
        {
            "SIPCC__SIP__DOMAIN": "example.com",
            "SIPCC__SIP__LISTEN": "udp:127.0.0.1:5070, tcp:127.0.0.1:5070",
            "SIPCC__SIP__NONCE_LIFE": "30",
            "SIPCC__SIP__TIMERS__T1": "0.25",
            "SIPCC__MEDIA__PORTS": "[30000, 31000]",
            "SIPCC__MEDIA__WORKERS": "-1",
            "SIPCC__LOG__STYLE": "json",
            "SIPCC__USERS__alice__PASSWORD": "12345678",
            "SIPCC__NUMBERS__0__TO": "busy",
            "HOME": "/root",
        },
    )
    assert config.sip.domain == "example.com"
    assert config.sip.listen == ("udp:127.0.0.1:5070", "tcp:127.0.0.1:5070")
    assert (config.sip.nonce_life, config.sip.timers.t1) == (30.0, 0.25)
    assert (config.media.ports, config.media.workers) == ((30000, 31000), -1)
    assert config.log.style == "json"
    assert config.users[0].password == "12345678"
    assert config.numbers[0].to == "busy"


@pytest.mark.parametrize(
    ("variable", "value", "cause", "cure"),
    [
        ("SIPCC__SPI__DOMAIN", "x", "names no setting", "did you mean 'SIPCC__SIP__..."),
        ("SIPCC__SIP", "x", "names no setting", ""),
        ("SIPCC__SIP__DOMIAN", "x", "names no key of [sip]", "did you mean 'domain'"),
        ("SIPCC__SIP__MIN_EXPIRES", "soon", "expected a whole number, found the text 'soon'", ""),
        ("SIPCC__USERS__bob__PASSWORD", "x", "no entry of [[users]] has that name or number", ""),
        ("SIPCC__USERS__7__PASSWORD", "x", "no entry of [[users]] has that name or number", ""),
        ("SIPCC__USERS__alice", "x", "names no setting", ""),
        ("SIPCC__TRUNKS__a__HOST", "x", "no entry of [[trunks]]", ""),
        ("SIPCC__SIP__LISTEN", "udp:127.0.0.1", "is no listening address", "udp:0.0.0.0:5060"),
    ],
)
def test_wrong_variables_are_named(path: Path, variable: str, value: str, cause: str, cure: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, {variable: value})
    assert caught.value.path == f"environment {variable}"
    assert cause in caught.value.message
    assert cure in caught.value.hint


def test_secrets(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-a-file \n")
    secret.chmod(0o600)
    path.write_text(TEXT.replace('"a-long-password"', '"file:secret"').replace('"600"', '"env:NUMBER"'))
    config = load(path, {"NUMBER": "601"})
    assert config.users[0].password == "from-a-file "
    assert config.numbers[0].number == "601"
    assert check(path, {"NUMBER": "601"}) == []
    secret.chmod(0o644)
    (finding,) = check(path, {"NUMBER": "601"})
    assert (finding.severity, finding.where) == ("warning", "sipcc.toml:5 users[0].password")
    assert "everybody on this machine" in finding.message


@pytest.mark.parametrize(
    ("content", "cause"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "it is no text")]
)
def test_secret_files_that_hold_none(path: Path, tmp_path: Path, content: bytes, cause: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    (tmp_path / "secret").chmod(0o600)
    path.write_text(TEXT.replace('"a-long-password"', '"file:secret"'))
    with pytest.raises(ConfigError, match=cause):
        load(path, {})


def test_an_empty_variable_is_no_secret(path: Path) -> None:
    path.write_text(TEXT.replace('"a-long-password"', '"env:EMPTY"'))
    with pytest.raises(ConfigError, match="'EMPTY' is empty"):
        load(path, {"EMPTY": ""})
