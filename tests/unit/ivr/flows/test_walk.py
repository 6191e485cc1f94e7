"""Random walks reach every node and every way of flows in which nobody is lost, and tell what they met."""

import random

import pytest

from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.walk import walk

from . import flowmaker


def flows_of(seed):
    flows = flowmaker.clean(seed)
    flows["main"]["nodes"]["night"] = {
        "type": "queue",
        "queue": "vip",
        "then": "hangup",
        "unserved": "hangup",
    }
    return flowmaker.read(flows)


@pytest.mark.parametrize("seed", range(4))
def test_all_nodes_and_ways_are_reached(seed):
    report = walk(flows_of(seed), "main", random.Random(1), walks=1000)
    assert report.nodes.missing == ()
    assert report.edges.missing == ()
    assert report.options.percent == 100.0
    assert report.fell == {}
    assert report.circles == 0
    assert sum(report.exits.values()) == report.walks == 1000
    assert report.human_soonest == 0.0  # who calls at night is with somebody at once
    assert report.human_soonest <= report.human_middle <= report.human_latest
    assert report.longest_speech > 0
    assert report.longest_path[0] == "main.open"


def test_the_same_seed_makes_the_same_walks():
    flows = flows_of(3)
    first, second, other = (walk(flows, "main", random.Random(seed), walks=50) for seed in (1, 1, 2))
    assert first == second != other


EVERYTHING = """
[nodes.ask]
type = "gather"
prompt = "What is it about?"
into = "topic"
speech = true
words = ["order", "loan"]
digits = [1, 3]
keys = {"*" = "bot"}
then = "which"
retry = {then = "sent"}

[nodes.which]
type = "switch"
when = [["topic == '42'", "tell"], ["topic == 'loan'", "message"]]
else = "rate"

[nodes.tell]
type = "http"
url = "http://127.0.0.1:8080/tell"
wait = true
then = "sent"
failed = "message"

[nodes.message]
type = "record"
into = "message"
final_silence = 2
then = "sent"
empty = "desk"

[nodes.bot]
type = "bot"
url = "ws://127.0.0.1:9000/"
ways = {"queue:loans" = "desk"}
then = "rate"
failed = "desk"

[nodes.desk]
type = "dial"
to = "1001"
busy = "sent"
noanswer = "ask"
failed = "queue:service"
then = "rate"

[nodes.sent]
type = "transfer"
to = "1002"
failed = "hangup"

[nodes.rate]
type = "survey"
prompt = "From 1 to 5?"
store = "csat"
low = {below = 3, then = "desk"}
then = "hangup"
retry = {then = "hangup"}
"""


def test_every_type_of_node():
    flow, report = parse_flow(EVERYTHING, "all")
    assert flow is not None, report.findings
    found = walk([flow], "all", random.Random(1), walks=1000)
    assert found.edges.missing == ()
    assert found.nodes.percent == 100.0


def test_what_cannot_be_reached_is_named():
    text = '[nodes.a]\ntype = "say"\nprompt = "goodbye"\nthen = "hangup"\n[nodes.b]\ntype = "return"\n'
    flow, _ = parse_flow(text, "alone")
    report = walk([flow], "alone", random.Random(1), walks=5)
    assert report.nodes.missing == ("alone.b",)
    assert report.nodes.percent == 50.0
    assert report.without_human == 5
    assert report.human_soonest is None
