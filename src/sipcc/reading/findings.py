"""What is wrong with a configuration, and where."""

from __future__ import annotations

from typing import Literal

import msgspec

from sipcc.reading.lines import KeyLines, Path, Place


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, or looks wrong."""

    severity: Literal["error", "warning"]
    where: str
    """The place, as ``sipcc.toml:12 trunks[0].port``, or the variable of the environment."""
    message: str
    """The cause."""
    hint: str = ""
    """The cure."""
    line: int = 0
    """The line in the file, 0 when there is none."""
    column: int = 0

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class Report:
    """Collects findings, and knows the place of every value."""

    def __init__(self, file: str, lines: KeyLines | None = None, *, columns: bool = False) -> None:
        """Take the file's name and its places; `columns` has findings tell ``file:line:column``."""
        self.file = file
        self.findings: list[Finding] = []
        self.overrides: dict[Path, str] = {}
        """The values that come from the environment, with the names of their variables."""
        self.lines = lines
        """The places in the file; None when nobody knows them."""
        self._columns = columns
        self._bad: set[Path] = set()

    def error(self, path: Path, message: str, hint: str = "") -> None:
        """`path` is wrong; nothing can start with it."""
        self._add("error", path, message, hint)

    def warn(self, path: Path, message: str, hint: str = "") -> None:
        """`path` works, but hardly as it was meant."""
        self._add("warning", path, message, hint)

    def place_of(self, path: Path) -> Place:
        """Where `path`, or what is nearest above it, stands; (0, 0) when nobody knows."""
        return (self.lines.place_of(path) if self.lines else None) or Place(0, 0)

    @property
    def failed(self) -> bool:
        """True when there is an error."""
        return any(finding.severity == "error" for finding in self.findings)

    def sorted(self) -> list[Finding]:
        """All findings in the order of the file."""
        return sorted(self.findings, key=lambda finding: finding.line)

    def has_error_below(self, path: Path) -> bool:
        """True when an error was found at `path` or at a value within it."""
        return any(bad[: len(path)] == path for bad in self._bad)

    def _add(self, severity: Literal["error", "warning"], path: Path, message: str, hint: str) -> None:
        if severity == "error":
            self._bad.add(path)
        place = self.place_of(path)
        where = self._source(path, place)
        finding = Finding(severity, where, message, hint, place.line, place.column)
        if finding not in self.findings:
            self.findings.append(finding)

    def _source(self, path: Path, place: Place) -> str:
        for length in range(len(path), 0, -1):
            if (variable := self.overrides.get(path[:length])) is not None:
                return f"environment {variable}"
        at = f":{place.line}" if place.line else ""
        if at and self._columns:
            at += f":{place.column}"
        return f"{self.file}{at} {dotted(path)}" if path else f"{self.file}{at}"


def dotted(path: Path) -> str:
    """A path as people write it: ``trunks[0].port``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
