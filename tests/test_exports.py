"""The public surface: every package lists its names, has them, and loads nothing that it does not need."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = ["sipcc", "sipcc.sip", "sipcc.rtp", "sipcc.call", "sipcc.ivr", "sipcc.acd", "sipcc.records",
            "sipcc.config", "sipcc.switch", "sipcc.testing"]  # fmt: skip

HEAVY = ["numpy", "soundfile", "sqlalchemy", "alembic", "uvloop", "click", "aiosqlite"]

SOUND = ["numpy", "soundfile"]

ENGINE = [*SOUND, "sipcc.rtp.engine", "sipcc.rtp.local", "sipcc.rtp.pool", "sipcc.rtp.worker"]

LIGHT = {
    "sipcc": [*HEAVY, "rich", "msgspec", "structlog", "pyee", "sipcc.sip", "sipcc.rtp", "asyncio"],
    "sipcc.sip": [*HEAVY, "sipcc.rtp", "sipcc.call"],
    "sipcc.rtp": [*HEAVY, *ENGINE, "asyncio", "sipcc.sip", "sipcc.call"],
    "sipcc.call": [*HEAVY, *ENGINE, "sipcc.ivr", "sipcc.acd"],
    "sipcc.ivr": [*HEAVY, *ENGINE, "sipcc.acd", "sipcc.records"],
    "sipcc.acd": [*HEAVY, *ENGINE, "sipcc.sip", "sipcc.records"],
    "sipcc.records": [*ENGINE, "uvloop", "click", "sipcc.config", "sipcc.switch"],
    "sipcc.config": [*ENGINE, "uvloop", "click", "sipcc.switch"],
    "sipcc.switch": [*ENGINE, "uvloop", "click", "sipcc.cli", "sipcc.testing"],
    "sipcc.cli.main": [*HEAVY[:5], "rich", "asyncio", "sipcc.sip", "sipcc.rtp", "sipcc.config"],
    "sipcc.acd.settings": ["sqlalchemy", "click", "sipcc.records"],
}
"""What may not come along with each import, in a fresh process."""

NUMPY_BY = [
    "from sipcc.rtp import LocalEngine",
    "import sipcc.rtp.codec",
    "import sipcc.rtp.worker",
]
"""Ways to come to numpy; all lead through `sipcc.rtp`, where the switch for it is."""


def run(code: str, **environ: str) -> str:
    """What `code` prints in a fresh process, whose environment has nothing of ours but `environ`."""
    path = ":".join(place for place in sys.path if place)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": path, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


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
    assert run(f"import sys, {name}; print(*[m for m in {LIGHT[name]!r} if m in sys.modules])") == ""


@pytest.mark.parametrize("name", ["sipcc", "sipcc.rtp"])
def test_lazy_names_are_listed_before_they_are_loaded_and_strangers_are_none(name: str) -> None:
    code = f"""
import sys, {name}
print(set({name}.__all__) <= set(dir({name})), "numpy" in sys.modules)
try:
    {name}.nothing
except AttributeError as error:
    print(error)
"""
    assert run(code).splitlines() == ["True False", f"module '{name}' has no attribute 'nothing'"]


@pytest.mark.parametrize("way", NUMPY_BY)
def test_blas_is_told_to_keep_still_before_numpy_is_loaded(way: str) -> None:
    code = f"""
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
            sys.meta_path.remove(self)

sys.meta_path.insert(0, Watch())
{way}
assert "numpy" in sys.modules
"""
    assert run(code) == "1"


def test_the_number_of_blas_threads_is_the_users_if_he_sets_it() -> None:
    code = "import os, sipcc.rtp; print(os.environ['OPENBLAS_NUM_THREADS'])"
    assert run(code, OPENBLAS_NUM_THREADS="2") == "2"
