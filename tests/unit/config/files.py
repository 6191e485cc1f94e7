"""Configuration files for tests, and what is found wrong with them."""

from __future__ import annotations

from pathlib import Path

from sipcc.config import check
from sipcc.reading.findings import Finding


def written(folder: Path, text: str) -> Path:
    """The file ``sipcc.toml`` in `folder`, with `text`."""
    path = folder / "sipcc.toml"
    path.write_text(text)
    return path


def assert_wrong(folder: Path, text: str, where: str, cause: str, cure: str) -> Finding:
    """`text` has exactly one error, in whose place, cause and cure these words stand."""
    errors = [finding for finding in check(written(folder, text), {}) if finding.severity == "error"]
    assert len(errors) == 1, [str(error) for error in errors]
    assert where in errors[0].where
    assert cause in errors[0].message
    assert cure in errors[0].hint
    return errors[0]
