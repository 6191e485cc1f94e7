"""What `sipccd check` says of TLS, WebSocket and connections."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.sip.certificates import authority

from sipcc.cli.check import check
from sipcc.config import load
from sipcc.errors import ConfigError


def said(tmp_path: Path, text: str) -> str:
    file = tmp_path / "sipcc.toml"
    file.write_text(text)
    return CliRunner().invoke(check, [str(file)]).output


@pytest.mark.parametrize(
    ("sip", "where", "what"),
    [
        ('listen = ["tls:127.0.0.1:5061"]', "sip.tls.certificate", "a tls listener needs a certificate"),
        ('listen = ["wss:127.0.0.1:443"]', "sip.tls.certificate", "a wss listener needs a certificate"),
        ('listen = ["tcp:127.0.0.1:5060", "ws:127.0.0.1:5060"]', "sip.listen[1]", "or its port does"),
        ('tls = { key = "a.pem" }', "sip.tls.key", "no certificate"),
        ('tls = { verify = "maybe" }', "sip.tls.verify", "found the text 'maybe'"),
        ('tls = { certificate = "none.pem" }', "sip.tls.certificate", "No such file"),
        ('tls = { certificate = "empty.pem" }', "sip.tls.certificate", "cannot be used"),
        ('tls = { authorities = "empty.pem" }', "sip.tls.authorities", "cannot be read"),
        ('websocket = { path = "ws" }', "sip.websocket.path", 'write "/ws"'),
        ('websocket = { origins = ["desk.example.com"] }', "sip.websocket.origins[0]", "is no origin"),
        ("connections = { per_source = 5000 }", "sip.connections.per_source", "must not be above total"),
        ("connections = { total = 0 }", "sip.connections.total", "0"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, sip: str, where: str, what: str) -> None:
    (tmp_path / "empty.pem").write_text("")
    output = " ".join(said(tmp_path, f"[sip]\n{sip}\n").split())
    assert f"{where}: " in output
    assert what in output


def test_files_are_found_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "pbx.pem").write_bytes(authority().sign("pbx.example.com"))
    (tmp_path / "ca.pem").write_bytes(authority().certificate)
    text = """
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:[::1]:5061",
  "ws:127.0.0.1:80", "wss:127.0.0.1:443"]
[sip.tls]
certificate = "pbx.pem"
authorities = "ca.pem"
[sip.websocket]
origins = ["https://desk.example.com", "*"]
"""
    assert "error: " not in said(tmp_path, text)
    config = load(tmp_path / "sipcc.toml")
    assert config.sip.tls.certificate == str(tmp_path / "pbx.pem")
    assert config.sip.tls.authorities == str(tmp_path / "ca.pem")
    assert config.sip.tls.key == ""


def test_a_daemon_does_not_start_without_the_certificate_that_it_needs(tmp_path: Path) -> None:
    file = tmp_path / "sipcc.toml"
    file.write_text('[sip]\nlisten = ["tls:127.0.0.1:5061"]\n')
    with pytest.raises(ConfigError, match="needs a certificate"):
        load(file)
