"""`sipccd init`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sipcc.cli.init import init
from sipcc.config import check, load


def test_defaults_make_a_file_that_check_accepts(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    result = CliRunner().invoke(init, ["--yes", str(path), "--address", "127.0.0.1"])
    assert result.exit_code == 0, result.output
    assert check(path, {}) == []
    config = load(path, {})
    assert [user.name for user in config.users] == ["1001", "1002"]
    assert len({user.password for user in config.users}) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert config.users[0].password not in result.output


def test_questions(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    answers = "not an ip\n127.0.0.1\n70000\n5070\n0.0.0.0/0\n127.0.0.2\nabc\n400-812-3456\n"
    answers += "al ice\nalice, bob\nfr\nzh\n"
    result = CliRunner().invoke(init, [str(path)], input=answers)
    assert result.exit_code == 0, result.output
    for refused in (
        "is no IPv4 address",
        "is no port",
        "is everybody",
        "is no telephone number",
        "cannot be the name",
        "speak en and zh",
    ):
        assert refused in result.output
    config = load(path, {})
    assert config.sip.listen[0] == "udp:127.0.0.1:5070"
    assert config.trunks[0].addresses == ("127.0.0.2",)
    assert [agent.name for agent in config.agents] == ["alice", "bob"]
    assert config.numbers[0].number == "400-812-3456"
    assert config.ivr.language == "zh"
    assert [finding for finding in check(path, {}) if finding.severity == "error"] == []


def test_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "sipcc.toml"
    path.write_text("mine")
    result = CliRunner().invoke(init, ["--yes", str(path)])
    assert result.exit_code == 1
    assert "--force" in result.output
    assert path.read_text() == "mine"
    assert CliRunner().invoke(init, ["--yes", "--force", str(path)]).exit_code == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    "options", [["--address", "x"], ["--agents", " , "], ["--carrier", "carrier"], ["--port", "0"]]
)
def test_wrong_options_are_refused(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "sipcc.toml"
    assert CliRunner().invoke(init, ["--yes", str(path), *options]).exit_code == 2
    assert not path.exists()
