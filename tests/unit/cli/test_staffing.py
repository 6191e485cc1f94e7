"""`sipccd staffing`."""

from __future__ import annotations

from click.testing import CliRunner

from sipcc.cli.main import main


def test_one_line_for_each_interval() -> None:
    result = CliRunner().invoke(main, ["staffing", "--aht", "240", "--shrinkage", "0.3", "0", "360"])
    assert result.exit_code == 0, result.output
    _, night, noon = result.output.splitlines()
    assert night.split()[:5] == ["1", "0", "0.0", "0", "0"]
    assert noon.split()[:5] == ["2", "360", "48.0", "54", "78"]


def test_impatient_callers_need_fewer() -> None:
    result = CliRunner().invoke(main, ["staffing", "--aht", "240", "--patience", "60", "360"])
    assert int(result.output.splitlines()[-1].split()[3]) < 54


def test_a_wrong_figure() -> None:
    assert CliRunner().invoke(main, ["staffing", "--aht", "0", "360"]).exit_code == 2
    result = CliRunner().invoke(main, ["staffing", "--aht", "240", "--target", "0.99999", "360"])
    assert result.exit_code == 1
    assert "0.9999" in result.output
