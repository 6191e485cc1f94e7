"""A flow as a drawing: boxes with a row for each way out, marked by what checks found and what callers did.

`graph_of` makes the boxes; `dot` and `mermaid` write them for other tools, `sipcc.ivr.flows.graphsvg.svg`
draws them with nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from sipcc.ivr.flows.check import Defect
from sipcc.ivr.flows.counts import Counts, NodeCounts
from sipcc.ivr.flows.model import Flow, Node, Phrase, Said, Variants
from sipcc.ivr.flows.ways import Way, Ways
from sipcc.ivr.steps import Audio, Named, Silence, Text

Look = Literal["plain", "start", "human", "warning", "error", "confusing"]

LONGEST_LABEL: Final = 34
"""Characters of a row; what is longer is cut."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One way out of a box."""

    edge: str
    """Its name: ``options.1``."""
    label: str
    """What leads this way, for people."""
    to: str
    """The name of the box that it leads to; empty when it leads elsewhere."""
    text: str
    """Where it leads, for people: ``queue:service``."""
    wrong: bool = False
    """Whether it leads nowhere."""
    count: int | None = None
    """How many callers took it; None when nobody counted."""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One node."""

    name: str
    kind: str
    says: str
    """The beginning of what is heard."""
    rows: tuple[Row, ...]
    look: Look
    codes: tuple[str, ...]
    """The codes of its mistakes."""
    notes: tuple[str, ...]
    """Its mistakes, in words."""
    counts: NodeCounts | None = None


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as boxes, in the order in which they are first reached, and then those that nobody reaches."""

    name: str
    version: str
    start: str
    boxes: tuple[Box, ...]
    notes: tuple[str, ...]
    """Mistakes of the flow as a whole."""
    counted: bool


def graph_of(flow: Flow, defects: Iterable[Defect] = (), counts: Counts | None = None) -> Graph:
    """The drawing of a flow.

    Args:
        flow: The flow.
        defects: What `sipcc.ivr.flows.check` found in it.
        counts: What callers did in it; None when nobody counted.
    """
    ways = Ways(flow)
    found = [defect for defect in defects if defect.flow == flow.name]
    names = [*ways.depths, *(name for name in flow.nodes if name not in ways.depths)]
    boxes = tuple(
        _box(ways, name, [defect for defect in found if defect.node == name], counts) for name in names
    )
    return Graph(
        name=flow.name,
        version=flow.version,
        start=flow.start,
        boxes=boxes,
        notes=tuple(f"{defect.code} {defect.message}" for defect in found if not defect.node),
        counted=counts is not None,
    )


def _box(ways: Ways, name: str, defects: Sequence[Defect], counts: Counts | None) -> Box:
    node = ways.node(name)
    flow = ways.flow
    here = None if counts is None else counts.get((flow.name, name), NodeCounts(flow=flow.name, node=name))
    return Box(
        name=name,
        kind=f"{node.kind} {node.calls}".strip(),
        says=_heard(node),
        rows=tuple(_row(way, here) for way in ways.of[name]),
        look=_look(node, name == flow.start, defects, here),
        codes=tuple(dict.fromkeys(defect.code for defect in defects)),
        notes=tuple(f"{defect.code} {defect.message}" for defect in defects),
        counts=here,
    )


def _row(way: Way, counts: NodeCounts | None) -> Row:
    edge, target = way.edge, way.target
    return Row(
        edge=edge.name,
        label=shortened(edge.label or edge.name, LONGEST_LABEL),
        to=way.following if target.special != "top" and edge.target != "top" else "",
        text=shortened(edge.target or "nowhere", LONGEST_LABEL),
        wrong=bool(target.unknown) or not edge.target,
        count=None if counts is None else counts.edges.get(edge.name, 0),
    )


def _look(node: Node, start: bool, defects: Sequence[Defect], counts: NodeCounts | None) -> Look:
    if any(defect.severity == "error" for defect in defects):
        return "error"
    if defects:
        return "warning"
    if counts is not None and counts.confusing:
        return "confusing"
    if node.human:
        return "human"
    return "start" if start else "plain"


def shortened(text: str, longest: int) -> str:
    """`text`, cut to `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _heard(node: Node) -> str:
    """The beginning of what a node says first."""
    for path, phrase in node.says():
        if path[0] != "retry":
            return shortened(" ".join(_words(phrase)), LONGEST_LABEL)
    return ""


def _words(phrase: Phrase) -> Iterable[str]:
    for said in phrase:
        yield _word(said)


def _word(said: Said) -> str:
    match said:
        case Named():
            return said.name
        case Text():
            return said.text
        case Audio():
            return said.source
        case Silence():
            return "…"
        case Variants():
            return _word(next(iter(said.said.values()))[0])
    return f"<{said.kind}>"


def percent(part: float) -> str:
    """``0.123`` as ``12 %``."""
    return f"{100 * part:.0f} %"


def figures(counts: NodeCounts) -> str:
    """The figures of a node in a line."""
    if not counts.entries:
        return "no calls"
    calls = "1 call" if counts.entries == 1 else f"{counts.entries} calls"
    return f"{calls}, {percent(counts.lost)} lost, {percent(counts.silent)} silent"


COLOURS: Final[dict[Look, tuple[str, str]]] = {
    "plain": ("#e8eef7", "#4a6fa5"),
    "start": ("#d3e3fb", "#1f4e9c"),
    "human": ("#dff3e4", "#2d7d46"),
    "warning": ("#fdf0d2", "#b7791f"),
    "error": ("#fbdedd", "#c0392b"),
    "confusing": ("#f3e0f7", "#8e44ad"),
}
"""Fill and line of each look."""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def dot(graph: Graph) -> str:
    """The graph in the language of Graphviz."""
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
    ]
    ends: dict[str, str] = {}
    for box in graph.boxes:
        fill, line = COLOURS[box.look]
        label = "\n".join(_lines(box))
        note = f", tooltip={_quoted(chr(10).join(box.notes))}" if box.notes else ""
        lines.append(
            f"  {_quoted(box.name)} [label={_quoted(label)}, fillcolor={_quoted(fill)},"
            f" color={_quoted(line)}{note}];"
        )
    for box in graph.boxes:
        for row in box.rows:
            to = row.to or ends.setdefault(row.text, f"-> {row.text}")
            label = row.label if row.count is None else f"{row.label} ({row.count})"
            colour = ', color="#c0392b"' if row.wrong else ""
            lines.append(f"  {_quoted(box.name)} -> {_quoted(to)} [label={_quoted(label)}{colour}];")
    lines += [f"  {_quoted(name)} [label={_quoted(text)}, shape=plain];" for text, name in ends.items()]
    return "\n".join([*lines, "}"]) + "\n"


def _lines(box: Box) -> Iterable[str]:
    """The text of a box: name, kind, what is heard, mistakes, figures."""
    yield box.name
    yield box.kind
    if box.says:
        yield f"“{box.says}”"
    if box.codes:
        yield " ".join(box.codes)
    if box.counts is not None:
        yield figures(box.counts)


def mermaid(graph: Graph) -> str:
    """The graph as Mermaid, which is drawn by many viewers of Markdown."""
    ids = {box.name: f"n{index}" for index, box in enumerate(graph.boxes)}
    lines = ["flowchart LR"]
    lines += [
        f'  {ids[box.name]}("{"<br/>".join(map(_entities, _lines(box)))}"):::{box.look}'
        for box in graph.boxes
    ]
    ends: dict[str, str] = {}
    for box in graph.boxes:
        for row in box.rows:
            to = ids[row.to] if row.to else ends.setdefault(row.text, f"e{len(ends)}")
            label = row.label if row.count is None else f"{row.label} ({row.count})"
            lines.append(f'  {ids[box.name]} -->|"{_entities(label)}"| {to}')
    lines += [f'  {name}(["{_entities(text)}"])' for text, name in ends.items()]
    lines += [f"  classDef {look} fill:{fill},stroke:{line}" for look, (fill, line) in COLOURS.items()]
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    """Everything but letters, digits and harmless signs as Mermaid's entities."""
    return re.sub(r"[^\w .,:/+()%=…“”-]", lambda match: f"#{ord(match[0])};", text)
