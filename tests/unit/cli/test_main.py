"""The commands as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sipcc.daemon
from sipcc.cli.main import EXIT_CONFIG, EXIT_FAILED, main
from sipcc.errors import ConfigError, TransportError


def test_the_version_costs_nothing() -> None:
    code = (
        "import sys; from sipcc.cli.main import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'sqlalchemy', 'alembic', 'rich', 'uvloop', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": sys.path[0] and ":".join(sys.path)},
    )
    assert done.stdout.splitlines() == [f"sipccd {sipcc.__version__}", "[]"]


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name in ("run", "check", "demo", "init", "cdr"):
        assert f"  {name} " in result.output
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_an_unknown_command_is_an_error() -> None:
    result = CliRunner().invoke(main, ["rum"])
    assert result.exit_code == 2
    assert "rum" in result.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run"], (Path("sipcc.toml"), {})),
        (["run", "-c", "x.toml", "--drain-timeout", "5"], (Path("x.toml"), {"drain_timeout": 5.0})),
    ],
)
def test_run_calls_the_daemon(monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: Any) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(sipcc.daemon, "run", lambda path, **options: calls.append((path, options)))
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert calls == [expected]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("sipcc.toml:3 sip.listen", "is wrong", hint="right it"), EXIT_CONFIG),
        (TransportError("port 5060 is taken"), EXIT_FAILED),
    ],
)
def test_our_errors_are_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, code: int) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(sipcc.daemon, "run", fail)
    result = CliRunner().invoke(main, ["run"])
    assert result.exit_code == code
    assert result.stderr == f"sipccd: {error}\n"
