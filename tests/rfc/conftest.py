"""Finds the message corpora that lie beside the repository.

They are other people's texts and no part of this project. `SIPCC_CORPUS` names their directory; without
it they are looked for in ``../shared/corpus``. On a developer's machine they may be missing, in CI not.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def find_corpus(name: str) -> Path | None:
    """The directory of one corpus, or None."""
    base = Path(os.environ.get("SIPCC_CORPUS", ROOT / ".." / "shared" / "corpus"))
    found = base / name
    return found if found.is_dir() else None


def need_corpus(name: str) -> Path:
    """The directory of one corpus; skips with a reason, or fails in CI."""
    found = find_corpus(name)
    if found is None:
        reason = f"no corpus {name!r}: set SIPCC_CORPUS"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def torture() -> Path:
    """The 49 messages of RFC 4475 and what we expect of each."""
    return need_corpus("rfc4475")
