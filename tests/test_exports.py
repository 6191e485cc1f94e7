"""The public surface: every package lists its names, has them, and loads nothing that it does not need."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = ["sipcc", "sipcc.sip", "sipcc.rtp", "sipcc.call", "sipcc.ivr", "sipcc.acd", "sipcc.records",
            "sipcc.config", "sipcc.switch", "sipcc.testing"]  # fmt: skip

HEAVY = ["numpy", "soundfile", "sqlalchemy", "alembic", "uvloop", "click", "aiosqlite"]

LIGHT = {
    "sipcc": [*HEAVY, "sipcc.sip", "sipcc.rtp", "asyncio"],
    "sipcc.sip": [*HEAVY, "sipcc.rtp", "sipcc.call"],
    "sipcc.rtp": ["sqlalchemy", "alembic", "uvloop", "click", "sipcc.sip", "sipcc.call"],
    "sipcc.cli.main": [*HEAVY[:5], "rich", "sipcc.sip", "sipcc.rtp", "sipcc.config"],
    "sipcc.acd.settings": ["sqlalchemy", "click", "sipcc.records"],
}
"""What may not come along with each import, in a fresh process."""


@pytest.mark.parametrize("name", PACKAGES)
def test_every_listed_name_is_there(name: str) -> None:
    package = importlib.import_module(name)
    names = package.__all__
    assert len(set(names)) == len(names)
    for exported in names:
        assert hasattr(package, exported), f"{name} lists {exported}, which it does not have"
    assert package.__doc__


@pytest.mark.parametrize("name", LIGHT)
def test_an_import_loads_only_its_own(name: str) -> None:
    code = f"import sys, {name}; print(*[m for m in {LIGHT[name]!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    assert done.stdout.split() == []
