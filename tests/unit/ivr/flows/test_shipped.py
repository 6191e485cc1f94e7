"""The flows of the examples: no mistake in any, and callers reach every node and every way."""

import random
import tomllib
from pathlib import Path

import pytest

from sipcc.config import load
from sipcc.config.flows import read_flows, world_of
from sipcc.ivr.flows.check import check_flows
from sipcc.ivr.flows.walk import walk
from sipcc.log import quiet

EXAMPLES = Path(__file__).parents[4] / "examples"

SHIPPED = [
    (path.name, flow["name"])
    for path in sorted(EXAMPLES.glob("*.toml"))
    for flow in tomllib.loads(path.read_text()).get("flows", ())
    if not flow.get("program")
]


class Secrets(dict):
    def get(self, name, default=None):
        return "a secret of an example"


@pytest.mark.parametrize(("file", "name"), SHIPPED)
def test_a_shipped_flow_is_sound_and_all_of_it_is_reached(file, name):
    config = load(EXAMPLES / file, Secrets())
    flows = read_flows(config)
    assert check_flows(tuple(flows.values()), world_of(config, prompts=True)) == []
    with quiet():
        report = walk(tuple(flows.values()), name, random.Random(1), walks=500)
    assert report.nodes.missing == ()
    assert report.edges.missing == ()
    assert report.options.percent == 100.0
    assert report.without_human == 0 or report.human_soonest is not None


def test_there_are_shipped_flows():
    assert ("18_bank.toml", "bank") in SHIPPED
