"""What docs/voicexml.md says is so."""

import re
from pathlib import Path

import msgspec

from sipcc.ivr.vxml.settings import VxmlSettings
from sipcc.ivr.vxml.simulation import Simulation

PAGE = (Path(__file__).parents[3] / "docs" / "voicexml.md").read_text(encoding="utf-8")


def test_the_programs_run() -> None:
    names: dict[str, object] = {}
    for program in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(program, "voicexml.md", "exec"), names)


def test_every_setting_stands_there() -> None:
    for name in msgspec.structs.asdict(VxmlSettings()):
        assert f"`{name}`" in PAGE


def test_the_names_of_the_simulation_exist() -> None:
    part = PAGE[PAGE.index("| `Simulation(url") : PAGE.index("`after` is the moment")]
    for name in re.findall(r"^\| `(\w+)", part, re.MULTILINE):
        assert name == "Simulation" or hasattr(Simulation, name) or f"self.{name}" in _source()


def _source() -> str:
    from sipcc.ivr.vxml import simulation

    return Path(simulation.__file__).read_text(encoding="utf-8")
