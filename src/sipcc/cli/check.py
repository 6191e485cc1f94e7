"""`sipccd check`: all that is wrong with a configuration, with line, cause and cure."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from sipcc.cli.options import config_option
from sipcc.config import Finding
from sipcc.config import check as find

_STYLES = {"error": "bold red", "warning": "bold yellow"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@config_option("The configuration; the same as FILE.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def check(file: Path | None, config: Path, strict: bool) -> None:
    """Say all that is wrong with the configuration FILE: place, cause and cure.

    The exit code is 1 when something must be corrected before the switch can start, else 0.
    """
    path = file or config
    findings = find(path)
    print_findings(findings, path)
    errors = sum(finding.severity == "error" for finding in findings)
    sys.exit(1 if errors or (strict and findings) else 0)


def print_findings(findings: list[Finding], path: Path) -> None:
    """Print every finding, then how many there are."""
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(
            Text.assemble(
                (f"{finding.severity}: ", _STYLES[finding.severity]), f"{finding.where}: {finding.message}"
            )
        )
        if finding.hint:
            console.print(Text(f"  cure: {finding.hint}"))
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if not findings:
        console.print(Text(f"{path}: all is well"))
    else:
        console.print(Text(f"{path}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
