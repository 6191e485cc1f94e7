"""The example of a routing function that is installed: by the entry point, on a whole switch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.examples.stage import AGENT_HZ, CONFIG, EXAMPLES, Stage, load_example, write_world

from sipcc.acd.events import QueueJoined
from sipcc.config import Config, check, load
from sipcc.switch import Switch

ROUTED = """
[[queues]]
name = "retention"
[[queues]]
name = "vip"
[[queues]]
name = "general"
[[routers]]
name = "customers"
plugin = "by-customer"
default = "queue:general"
[[numbers]]
number = "4008123456"
to = "router:customers"
"""

CHANGED = CONFIG.replace('["sales", "helpdesk"]', '["sales", "helpdesk", "retention", "vip", "general"]')


@pytest.mark.parametrize(
    ("days", "spent", "queue"),
    [(31, 9000, "retention"), (30, 5001, "vip"), (30, 5000, "general"), (0, 0, "general")],
)
def test_the_function(days: int, spent: int, queue: str) -> None:
    route_call = load_example("17_route_call").route_call
    assert route_call({"days_since_last_order": days, "total_spent": spent}) == queue


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the example in it, as pip leaves it behind."""
    site = tmp_path / "site"
    about = site / "route_call-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(EXAMPLES / "17_route_call.py", site / "route_call.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: route-call\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sipcc.routers]\nby-customer = route_call:by_customer\n")
    monkeypatch.syspath_prepend(site)
    return site


def written(folder: Path) -> Config:
    """The configuration with the router."""
    file = folder / "sipcc.toml"
    file.write_text(CHANGED + ROUTED)
    assert [finding for finding in check(file) if finding.severity == "error"] == []
    return load(file)


@pytest.mark.parametrize(
    ("caller", "queue"),
    [("13800138000", "retention"), ("13900139000", "vip"), ("02161234567", "general")],
)
async def test_a_call_is_routed_by_the_entry_point(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch, caller: str, queue: str
) -> None:
    write_world(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = written(tmp_path)
    async with Stage(Switch(config)) as stage:
        await stage.phone("1002")
        call = await stage.carrier.call("4008123456", caller=caller)
        await call.answered()
        await call.hears(AGENT_HZ["1002"])
        await call.hangup()
        assert [event.queue for event in stage.told("QueueJoined") if isinstance(event, QueueJoined)] == [
            queue
        ]


def test_a_wrong_name_is_told_with_those_that_are_installed(tmp_path: Path, installed: Path) -> None:
    file = tmp_path / "sipcc.toml"
    file.write_text(CHANGED + ROUTED.replace("by-customer", "by-costumer"))
    found = [str(finding) for finding in check(file) if finding.severity == "error"]
    assert any("(did you mean 'by-customer'?)" in line for line in found)
