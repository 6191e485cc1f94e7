"""Each kind of mistake is found in flows made by chance, and flows without one are left in peace."""

import os
import re
from itertools import pairwise

import pytest

from sipcc.ivr.flows.check import Defect, check_flows
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.optionfaults import rings

from . import flowmaker

SEEDS = range(50 if os.environ.get("SIPCC_ALL_FLOWS") else 3)
CLEAN = range(100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prompts")


@pytest.mark.parametrize("kind", flowmaker.KINDS)
def test_a_mistake_is_found_where_it_is(kind, folder):
    for seed in SEEDS:
        flows, world, (code, node) = flowmaker.plant(kind, seed, folder)
        defects = check_flows(flowmaker.read(flows), world)
        nodes = node if isinstance(node, tuple) else (node,)
        mine = [each for each in defects if each.code == code and each.node in nodes]
        assert mine, (kind, seed, [str(each) for each in defects])
        text = flowmaker.text_of(flows[mine[0].flow]).splitlines()
        for defect in mine:
            assert re.match(rf"{defect.flow}\.toml:\d+:\d+$", defect.where)
            assert defect.hint
            assert "\n" not in defect.hint
            assert str(defect).startswith(f"{defect.where}: {code} {defect.flow}")
            line = text[defect.place.line - 1]
            assert defect.place.column <= len(line) + 1
            header = [head for head in text[: defect.place.line] if head.startswith("[")]
            assert not node or header[-1] == f"[nodes.{defect.node}]"


def test_flows_without_a_mistake_are_left_in_peace(folder):
    world = flowmaker.world_of(folder)
    for seed in CLEAN:
        defects = check_flows(flowmaker.read(flowmaker.clean(seed)), world)
        assert defects == [], (seed, [str(each) for each in defects])


def alone(flow: Flow | None) -> list[Defect]:
    """What can be told of a flow without the others."""
    assert flow is not None
    return check_flows((flow,), all_flows=False)


def test_what_is_not_known_is_not_said():
    text = '[nodes.a]\ntype = "call"\nflow = "other"\nthen = "queue:sales"\n'
    flow, _ = parse_flow(text, "a")
    assert alone(flow) == []
    assert [each.code for each in check_flows((flow,))] == ["E02"]


def test_a_fallback_is_where_all_go_for_whom_nothing_is_said():
    text = 'fallback = "queue:service"\n[nodes.a]\ntype = "menu"\nprompt = "welcome"\noptions = {"1" = "b"}\n'
    flow, _ = parse_flow(text + '[nodes.b]\ntype = "say"\nprompt = "goodbye"\n', "a")
    assert alone(flow) == []
    flow, _ = parse_flow(text.replace("queue:service", "nobody"), "a")
    assert {each.code for each in alone(flow)} == {"E02", "E14"}


def test_the_finding_for_a_whole_configuration():
    flow, _ = parse_flow('[nodes.a]\ntype = "say"\nprompt = "hello there"\n', "a", file="a.toml")
    first = alone(flow)[0].finding()
    assert (first.severity, first.line) == ("error", 1)
    assert first.where.startswith("a.toml:1:")


def test_a_survey_of_the_configuration_where_nobody_is_left():
    text = '[nodes.a]\ntype = "queue"\nqueue = "sales"\nunserved = "hangup"\nthen = "survey:csat"\n'
    flow, _ = parse_flow(text, "a")
    assert alone(flow) == []
    flow, _ = parse_flow(text + 'exits = {abandoned = "survey:csat"}\n', "a")
    assert [(each.code, each.at) for each in alone(flow)] == [("W21", "a.a.exits.abandoned")]


class Counting(dict[str, str]):
    """Counts how often somebody goes on in it."""

    steps = 0

    def get(self, key, default=None):
        Counting.steps += 1
        return super().get(key, default)


def test_circles_are_found_with_each_step_gone_once():
    long = [f"n{index}" for index in range(2000)]
    following = Counting({**dict(pairwise(long)), "c": "b", "b": "a", "a": "b", "d": "d", "n1999": "gone"})
    Counting.steps = 0
    assert rings(following) == [["b", "a", "b"], ["d", "d"]]
    assert Counting.steps <= len(following) + 1


def test_a_long_chain_is_checked_like_a_short_one():
    nodes = "".join(
        f'[nodes.n{index}]\ntype = "say"\nprompt = "welcome"\nthen = "n{index + 1}"\n'
        for index in range(2000)
    )
    flow, _ = parse_flow(f'{nodes}[nodes.n2000]\ntype = "goto"\nto = "queue:sales"\n', "a")
    assert alone(flow) == []


@pytest.mark.parametrize(
    ("node", "code", "told"),
    [
        (
            'type = "menu"\nprompt = "Hi there"\noptions = {"1" = ""}',
            "E03",
            "the way 'options.1' leads nowhere",
        ),
        ('type = "say"\nprompt = {say = "money", value = "abc"}', "E06", "'abc'"),
        ('type = "say"\nprompt = {say = "date", value = "2025-02-31"}', "E06", "'2025-02-31'"),
        ('type = "say"\nprompt = {en = {say = "money", value = "abc"}}', "E06", "'abc'"),
        (
            f'type = "say"\nprompt = "{"a word " * 400}"',
            "E06",
            "the text has 2800 characters, more than 2000",
        ),
        ('type = "say"\nprompt = {text = " "}', "E06", "the text is empty"),
    ],
)
def test_what_callers_would_not_hear_or_reach_is_told(node, code, told):
    flow, report = parse_flow(f'fallback = "queue:sales"\n[nodes.a]\n{node}\n', "a")
    assert report.findings == []
    assert [(each.code, told in each.message, bool(each.hint)) for each in alone(flow)] == [
        (code, True, True)
    ]


@pytest.mark.parametrize(("kind", "codes"), [("lookup", []), ("http", ["E17"])])
def test_a_secret_is_sent_to_lookups_alone(kind, codes):
    into = 'into = "x"\ndeadline = 1\n' if kind == "lookup" else ""
    flow, _ = parse_flow(
        'fallback = "queue:sales"\n[nodes.a]\ntype = "gather"\nprompt = "Type it, please"\ndigits = 4\n'
        f'into = "pin"\nsecret = true\nthen = "b"\n[nodes.b]\ntype = "{kind}"\n{into}'
        'url = "http://127.0.0.1/"\nsend = {pin = "{pin}"}\n',
        "a",
    )
    assert [each.code for each in alone(flow)] == codes
