"""Drawings of flows: every node and way is there, mistakes and figures are marked, nothing overlaps."""

import re
from xml.etree import ElementTree

import pytest

from sipcc.ivr.events import NodeEntered, NodeLeft
from sipcc.ivr.flows.check import check_flows
from sipcc.ivr.flows.counts import CountsFold
from sipcc.ivr.flows.graph import dot, graph_of, mermaid
from sipcc.ivr.flows.graphsvg import svg, wide
from sipcc.ivr.flows.load import parse_flow

from . import flowmaker

SVG = "{http://www.w3.org/2000/svg}"


def drawn(seed=5, counts=None, kind="E17", tmp_path=None):
    flows, world, _ = flowmaker.plant(kind, seed, tmp_path)
    read = flowmaker.read(flows)
    return read[0], graph_of(read[0], check_flows(read, world), counts)


def events(node, edges, *, noinput=0, nomatch=0):
    common = {"at": 0.0, "call": "1", "flow": "main", "version": "1", "node": node}
    for edge in edges:
        yield NodeEntered(**common, kind="menu")
        if edge is not None:
            yield NodeLeft(**common, edge=edge, noinput=noinput, nomatch=nomatch)


def test_counts_are_folded_from_events():
    fold = CountsFold()
    for event in (
        *events("main", ["options.1"] * 6 + ["ended", None]),
        *events("main", ["options.2"], noinput=2),
        *events("main", ["options.2"], nomatch=1),
    ):
        fold.apply(event)
    counts = fold.counts()["main", "main"]
    assert (counts.entries, counts.ended, counts.timed_out, counts.mistaken) == (10, 1, 1, 1)
    assert counts.edges == {"options.1": 6, "options.2": 2}
    assert (counts.lost, counts.silent, counts.confusing) == (0.1, 0.1, False)
    for event in events("main", ["ended"]):
        fold.apply(event)
    assert fold.counts()["main", "main"].confusing


def test_boxes_are_marked_by_what_was_found_and_counted(tmp_path):
    fold = CountsFold()
    for event in (*events("main", ["ended"] + ["options.1"] * 4), *events("open", ["open"] * 5)):
        fold.apply(event)
    _, graph = drawn(counts=fold.counts(), tmp_path=tmp_path)
    looks = {box.name: box.look for box in graph.boxes}
    assert looks["leak"] == "error"
    assert looks["main"] == "confusing"
    assert looks["open"] == "start"
    assert looks["agent"] == looks["night"] == "human"
    leak = next(box for box in graph.boxes if box.name == "leak")
    assert leak.codes == ("E17",)
    main = next(box for box in graph.boxes if box.name == "main")
    assert [row.count for row in main.rows if row.label == "1"] == [4]


@pytest.mark.parametrize("seed", range(8))
def test_the_svg_has_everything_and_no_boxes_overlap(seed, tmp_path):
    flow, graph = drawn(seed, tmp_path=tmp_path)
    root = ElementTree.fromstring(svg(graph))
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    for name, node in flow.nodes.items():
        assert name in texts
        assert len(flow.edges_of(name)) >= len(node.edges())
    boxes = [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for group in root.iter(f"{SVG}g")
        for rect in group.iter(f"{SVG}rect")
    ]
    assert len(boxes) == len(flow.nodes)
    width, height = float(root.get("width")), float(root.get("height"))
    for index, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for ox, oy, ow, oh in boxes[:index]:
            assert x >= ox + ow or ox >= x + w or y >= oy + oh or oy >= y + h


def test_the_svg_shows_figures_and_mistakes_and_needs_nothing_else(tmp_path):
    fold = CountsFold()
    for event in events("main", ["ended"] + ["options.1"] * 3):
        fold.apply(event)
    _, graph = drawn(counts=fold.counts(), tmp_path=tmp_path)
    text = svg(graph)
    assert "4 calls, 25 % lost, 0 % silent" in text
    assert "1 marked: above 10 % lost or silent" in text
    assert ">E17<" in text
    assert "no calls" in text
    assert not re.search(r"href|script|@import|url\((?!#)", text)


def test_dot_and_mermaid_have_every_way(tmp_path):
    flow, graph = drawn(tmp_path=tmp_path)
    ways = sum(len(flow.edges_of(name)) for name in flow.nodes)
    assert dot(graph).count(" -> ") == ways
    assert mermaid(graph).count("-->|") == ways
    assert "leak" in dot(graph)
    assert ":::error" in mermaid(graph)


def test_whatever_is_written_in_a_flow_harms_no_drawing():
    nasty = 'He said "x" <b>&amp;</b>; ]]> #quot; \\\\ 你好'
    text = f"""
[nodes.a]
type = "say"
prompt = {{text = '{nasty}'}}
then = "b"
[nodes.b]
type = "switch"
when = [["caller == '</text><script>'", "a"]]
else = "hangup"
"""
    flow, report = parse_flow(text, "nasty")
    assert flow is not None, report.findings
    graph = graph_of(flow)
    ElementTree.fromstring(svg(graph))
    assert "<script>" not in svg(graph)
    assert '"x"' not in mermaid(graph)
    assert '\\"x\\"' in dot(graph)


def test_wide_characters_are_wide():
    assert wide("你好") == 24.0 > wide("ab")
