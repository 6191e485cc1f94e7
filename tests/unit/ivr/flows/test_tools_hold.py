"""Flows with any number of mistakes: checks, drawings and walks tell of them, and never fall over them."""

import os
import random
from xml.etree import ElementTree

import pytest

from sipcc.ivr.flows.check import check_flows
from sipcc.ivr.flows.graph import dot, graph_of, mermaid
from sipcc.ivr.flows.graphsvg import svg
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.walk import walk
from sipcc.log import quiet

from . import flowmaker

ROUNDS = range(400 if os.environ.get("SIPCC_ALL_FLOWS") else 15)

TARGETS = (
    "main",
    "order",
    "agent",
    "open",
    "back",
    "top",
    "return",
    "nowhere",
    "queue:nowhere",
    "hangup",
    "",
)


def mangle(flows, rng):
    """Change some targets, take nodes and keys out, double options."""
    for _ in range(rng.randint(1, 6)):
        nodes = flows[rng.choice(list(flows))]["nodes"]
        name = rng.choice(list(nodes))
        node = nodes[name]
        match rng.randint(0, 4):
            case 0 if len(nodes) > 2:
                del nodes[name]
            case 1:
                for key in ("then", "failed", "open", "closed", "unserved", "else"):
                    if key in node:
                        node[key] = rng.choice(TARGETS)
            case 2 if "options" in node:
                node["options"][rng.choice(["1", "12", "#", "9", "1#", "2,3"])] = rng.choice(TARGETS)
            case 3 if len(node) > 1:
                node.pop(rng.choice(list(node)), None)
            case _:
                nodes[f"new{rng.randint(0, 3)}"] = {"type": "call", "flow": rng.choice(TARGETS), "then": name}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return flowmaker.world_of(tmp_path_factory.mktemp("prompts"))


@pytest.mark.parametrize("seed", ROUNDS)
def test_no_tool_falls_over_a_flow(seed, world):
    rng = random.Random(seed)
    flows = flowmaker.clean(seed % 20)
    mangle(flows, rng)
    read = []
    for name, flow in flows.items():
        made, _ = parse_flow(flowmaker.text_of(flow), name)
        read += [made] if made is not None else []
    defects = check_flows(read, world)
    for flow in read:
        graph = graph_of(flow, defects)
        ElementTree.fromstring(svg(graph))
        assert dot(graph)
        assert mermaid(graph)
        with quiet():
            report = walk(read, flow.name, random.Random(seed), walks=20)
        assert sum(report.exits.values()) == 20
