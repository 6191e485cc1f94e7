"""The page about tests shows the example that is run, and names what is there."""

import re
from pathlib import Path

import pytest
from tests import samples

from sipcc import testing
from sipcc.testing import audio, fakecall, link, media, network, party, phone

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")


def test_the_whole_test_is_the_example() -> None:
    example = (ROOT / "examples" / "08_test_without_a_phone.py").read_text("utf-8")
    assert f"```python\n{example}```" in PAGE


@pytest.mark.parametrize(
    "name", ["VirtualClockLoop", "run_virtual", "DeadlockError", "MemoryNetwork", "Link"]
)
def test_names_of_the_kit_are_there(name: str) -> None:
    assert name in PAGE
    assert hasattr(testing, name)


def test_verbs_that_the_page_names_are_there() -> None:
    homes = (
        audio,
        fakecall.FakeCall,
        media.FakeMedia,
        network.MemoryNetwork,
        network.HostNetwork,
        link.Nat,
        link,
        party.FakeParty,
        phone,
        phone.FakePhone,
        testing,
        samples,
    )
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    called = {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"(\w+)\(", code)}
    elsewhere = {"on_all", "flush", "cdrs", "invariants", "call", "use", "LocalEngine", "startswith"}
    lost = {name for name in called - elsewhere if not any(hasattr(home, name) for home in homes)}
    assert lost == set()
