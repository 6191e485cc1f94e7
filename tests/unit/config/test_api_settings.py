"""What `sipccd check` says of the HTTP interface, and what `sipccd token` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sipcc.api import digest_of
from sipcc.cli.check import check
from sipcc.cli.token import token
from sipcc.config import load

BASE = """
[[users]]
name = "1001"
password = "secret-one-1"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[queues]]
name = "sales"
[[numbers]]
number = "1"
to = "echo"
"""
LISTEN = '[api]\nlisten = "127.0.0.1:8080"\n'
DIGEST = f'digest = "{digest_of("one")}"\n'


def said(tmp_path: Path, text: str) -> str:
    file = tmp_path / "sipcc.toml"
    file.write_text(BASE + text)
    return CliRunner().invoke(check, [str(file)]).output


def token_entry(text: str) -> str:
    return f'{LISTEN}[[tokens]]\nname = "t"\n{text}'


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('[api]\nlisten = "8080"\n', "api.listen", "HOST:PORT"),
        ('[api]\nlisten = "localhost:8080"\n', "api.listen", "HOST:PORT"),
        ('[api]\nlisten = "127.0.0.1:99999"\n', "api.listen", "HOST:PORT"),
        ('[api]\nlisten = "::1:8080"\n', "api.listen", "HOST:PORT"),
        ('[api]\nlisten = "0.0.0.0:8080"\n', "api.listen", "unencrypted"),
        (LISTEN, "api.listen", "sipccd token"),
        (token_entry('role = "boss"\n' + DIGEST), "tokens[0].role", "supervisor"),
        (token_entry('role = "admin"\ndigest = "secret"\n'), "tokens[0].digest", "no SHA-256"),
        (token_entry('role = "admin"\ndigest = "env:NO_SUCH_NAME"\n'), "tokens[0].digest", "is not set"),
        (token_entry('role = "agent"\n' + DIGEST), "tokens[0].agent", "needs its agent"),
        (token_entry('role = "agent"\nagent = "bob"\n' + DIGEST), "tokens[0].agent", "no agent 'bob'"),
        (token_entry('role = "admin"\nagent = "alice"\n' + DIGEST), "tokens[0].agent", "leave it out"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, text: str, where: str, what: str) -> None:
    found = said(tmp_path, text)
    assert where in found
    assert what in found


def test_good_values_are_read(tmp_path: Path) -> None:
    text = '[api]\nlisten = "[::1]:8080"\n[[tokens]]\nname = "t"\nrole = "agent"\nagent = "alice"\n' + DIGEST
    assert "tokens" not in said(tmp_path, text)
    assert "api" not in said(tmp_path, text)
    config = load(tmp_path / "sipcc.toml")
    assert config.api.listen == "[::1]:8080"
    assert [entry.agent for entry in config.tokens] == ["alice"]


def test_a_token_is_made_with_its_digest() -> None:
    first, second = (CliRunner().invoke(token).output.split() for _ in range(2))
    assert first[0] == "token"
    assert first[2] == "digest"
    assert first[3] == digest_of(first[1])
    assert first[1] != second[1]
