"""`sipccd check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sipcc.cli.check import check

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_example_is_well() -> None:
    result = CliRunner().invoke(check, [str(EXAMPLES / "sipcc.toml")])
    assert result.exit_code == 0
    assert "all is well" in result.output


@pytest.mark.parametrize(
    ("text", "options", "code", "said"),
    [
        ("[spi]\n", [], 1, "error: sipcc.toml:1 spi: unknown section 'spi'\n  cure: did you mean 'sip'?"),
        ("[spi]\n", [], 1, "1 error"),
        ('[sip]\nlisten = ["udp:127.0.0.1:5060"]\n', [], 0, "0 errors, 1 warning"),
        ('[sip]\nlisten = ["udp:127.0.0.1:5060"]\n', ["--strict"], 1, "1 warning"),
    ],
)
def test_findings(tmp_path: Path, text: str, options: list[str], code: int, said: str) -> None:
    file = tmp_path / "sipcc.toml"
    file.write_text(text)
    result = CliRunner().invoke(check, ["--config", str(file), *options])
    assert result.exit_code == code
    assert said in result.output


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(check, [str(tmp_path / "none.toml")])
    assert result.exit_code == 1
    assert "cure: sipccd init writes one" in result.output
