"""Draws a flow as SVG, with nothing but text: layers from left to right, a line from each row to its box.

A box stands one layer to the right of the first box that leads to it, so every line to the right ends in the
next layer. The order within a layer is found by moving each box to the middle of its neighbours, again and
again; heights follow in the same way, pushed apart where boxes would overlap. Lines to a box that stands
anywhere else are not drawn: the row names it, in blue.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

import msgspec

from sipcc.ivr.flows.graph import COLOURS, Box, Graph, Row, figures

WIDTH = 250.0
ROW = 19.0
HEAD = 40.0
LINE = 16.0
"""One more line of the head: what is heard, or the figures."""
ACROSS = 90.0
"""Between two layers."""
BETWEEN = 26.0
"""Between two boxes of a layer."""
MARGIN = 24.0
TITLE = 44.0
ENTRY = 13.0
"""How far below the top of a box lines come in."""
SWEEPS = 25

_FONT = "font-family=\"system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif\""


class _Place(msgspec.Struct, eq=False, kw_only=True):
    """Where a box stands."""

    box: Box
    layer: int
    y: float = 0.0
    before: list[tuple[_Place, float]] = msgspec.field(default_factory=list)
    """Boxes that lead here, and how far below their top the row stands."""
    after: list[tuple[_Place, float]] = msgspec.field(default_factory=list)
    """Boxes that this one leads to, and how far below its own top the row stands."""

    @property
    def x(self) -> float:
        return MARGIN + self.layer * (WIDTH + ACROSS)

    @property
    def height(self) -> float:
        return _top(self.box) + ROW * len(self.box.rows) + 4.0


class _Line(NamedTuple):
    row: Row
    source: _Place
    target: _Place
    down: float
    """How far below the top of its box the row stands."""


class _Layout:
    """Where everything of a graph stands."""

    def __init__(self, graph: Graph) -> None:
        layers = _layers(graph)
        self.places = {box.name: _Place(box=box, layer=layers.get(box.name, 0)) for box in graph.boxes}
        deepest = max(place.layer for place in self.places.values())
        self.layers: list[list[_Place]] = [[] for _ in range(deepest + 1)]
        for place in self.places.values():
            self.layers[place.layer].append(place)
        self.lines = [line for place in self.places.values() for line in self._lines(place)]
        for line in self.lines:
            line.source.after.append((line.target, line.down))
            line.target.before.append((line.source, line.down))
        self._order()
        self._heights()

    def _lines(self, source: _Place) -> Iterator[_Line]:
        for index, row in enumerate(source.box.rows):
            target = self.places.get(row.to)
            if target is not None and target.layer == source.layer + 1:
                yield _Line(row, source, target, _top(source.box) + index * ROW + ROW / 2)

    def _order(self) -> None:
        """Put the boxes of each layer into an order in which few lines cross."""
        for layer in self.layers:
            _stack(layer)
        for sweep in range(SWEEPS):
            forward = sweep % 2 == 0
            for layer in self.layers if forward else reversed(self.layers):
                layer.sort(key=lambda place: _middle(place, forward=forward))  # used at once
                _stack(layer)

    def _heights(self) -> None:
        for sweep in range(SWEEPS):
            for layer in self.layers if sweep % 2 == 0 else reversed(self.layers):
                _settle(layer, [_wanted(place) for place in layer])
        top = min(place.y for place in self.places.values())
        for place in self.places.values():
            place.y += TITLE + MARGIN - top

    @property
    def size(self) -> tuple[float, float]:
        bottom = max(place.y + place.height for place in self.places.values())
        return 2 * MARGIN + len(self.layers) * (WIDTH + ACROSS) - ACROSS, bottom + MARGIN


def _layers(graph: Graph) -> dict[str, int]:
    """The layer of each box that can be reached."""
    layers = {graph.start: 0}
    todo = [graph.start]
    boxes = {box.name: box for box in graph.boxes}
    for name in todo:
        for row in boxes[name].rows:
            if row.to in boxes and row.to not in layers:
                layers[row.to] = layers[name] + 1
                todo.append(row.to)
    return layers


def _top(box: Box) -> float:
    """How far below the top of a box its rows begin."""
    return HEAD + LINE * (bool(box.says) + (box.counts is not None)) + 6.0


def _stack(layer: list[_Place]) -> None:
    y = 0.0
    for place in layer:
        place.y = y
        y += place.height + BETWEEN


def _middle(place: _Place, *, forward: bool) -> float:
    """The middle of the neighbours on one side; where there are none, where it stands."""
    if forward:
        heights = sorted(other.y + down for other, down in place.before)
    else:
        heights = sorted(other.y + ENTRY - down for other, down in place.after)
    return heights[len(heights) // 2] if heights else place.y


def _wanted(place: _Place) -> float:
    """Where a box would like its top: lines as level as they can be."""
    wishes = [other.y + down - ENTRY for other, down in place.before]
    wishes += [other.y + ENTRY - down for other, down in place.after]
    return sum(wishes) / len(wishes) if wishes else place.y


def _settle(layer: list[_Place], wanted: list[float]) -> None:
    """Put places as near as can be to where they want to be, in their order and without overlap.

    Less the room of those above, the tops must not fall from place to place: where the wishes do, neighbours
    share their mean (isotonic regression).
    """
    above = 0.0
    rooms = []
    blocks: list[tuple[float, int]] = []
    for place, wish in zip(layer, wanted, strict=True):
        rooms.append(above)
        mean, count = wish - above, 1
        while blocks and blocks[-1][0] > mean:
            other, members = blocks.pop()
            mean = (mean * count + other * members) / (count + members)
            count += members
        blocks.append((mean, count))
        above += place.height + BETWEEN
    tops = [mean for mean, count in blocks for _ in range(count)]
    for place, top, room in zip(layer, tops, rooms, strict=True):
        place.y = top + room


def svg(graph: Graph) -> str:
    """The graph as an SVG document."""
    layout = _Layout(graph)
    width, height = layout.size
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" {_FONT} font-size="12">',
        f"<title>{escape(graph.name)}</title>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"'
        ' markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="30" font-size="18" font-weight="600">{escape(graph.name)}</text>',
        f'<text x="{MARGIN}" y="48" fill="#666">{escape(_subtitle(graph))}</text>',
    ]
    parts += [_path(line) for line in layout.lines]
    parts += [part for place in layout.places.values() for part in _drawn(place)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _subtitle(graph: Graph) -> str:
    marked = sum(box.counts is not None and box.counts.confusing for box in graph.boxes)
    counted = f", {marked} marked: above 10 % lost or silent" if graph.counted else ""
    return f"version {graph.version}, {len(graph.boxes)} nodes{counted} {'; '.join(graph.notes)}".strip()


def _path(line: _Line) -> str:
    x, y = line.source.x + WIDTH, line.source.y + line.down
    to_x, to_y, bend = line.target.x, line.target.y + ENTRY, ACROSS / 2
    quiet = line.row.edge in ("retry", "failed", "unserved") or line.row.edge.startswith("exits.")
    colour = "#b8bec8" if quiet else "#5b6b82"
    width = min(5.0, 1.2 + 0.6 * (len(str(line.row.count)) if line.row.count else 0))
    curve = f"M{x:.1f} {y:.1f}C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return (
        f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="{width:.1f}" marker-end="url(#a)"/>'
    )


def _drawn(place: _Place) -> Iterator[str]:
    box = place.box
    fill, stroke = COLOURS[box.look]
    x, y = place.x, place.y
    yield f"<g><title>{escape(chr(10).join(box.notes) or box.name)}</title>"
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH:.0f}" height="{place.height:.1f}" rx="7" fill="#ffffff"'
        f' stroke="{stroke}" stroke-width="1.5"/>'
    )
    head = _top(box) - 4.0
    yield (
        f'<path d="M{x:.1f} {y + head:.1f}v-{head - 7:.1f}a7 7 0 0 1 7-7h{WIDTH - 14:.0f}a7 7 0 0 1 7 7'
        f'v{head - 7:.1f}z" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
    )
    yield _text(x + 10, y + 18, box.name, "#111", 'font-weight="600" font-size="13"', WIDTH - 20)
    yield _text(x + 10, y + 34, box.kind, "#555", "", WIDTH - 90)
    if box.codes:
        yield _text(
            x + WIDTH - 10, y + 34, " ".join(box.codes), stroke, 'font-weight="700" text-anchor="end"', 90
        )
    line = y + 34
    if box.says:
        line += LINE
        yield _text(x + 10, line, f"“{box.says}”", "#333", 'font-style="italic"', WIDTH - 20)
    if box.counts is not None:
        line += LINE
        weight = 'font-weight="700"' if box.counts.confusing else ""
        colour = COLOURS["confusing"][1] if box.counts.confusing else "#333"
        yield _text(x + 10, line, figures(box.counts), colour, weight, WIDTH - 20)
    for index, row in enumerate(box.rows):
        yield from _row(x, y + _top(box) + index * ROW + ROW / 2 + 4, row)
    yield "</g>"


def _row(x: float, y: float, row: Row) -> Iterator[str]:
    """A way out: what leads to it at the left, where it goes at the right."""
    colour = "#c0392b" if row.wrong else "#1f4e9c" if row.to else "#2d7d46"
    right = x + WIDTH - 10
    if row.count is not None:
        yield _text(right, y, str(row.count), "#555", 'text-anchor="end"', 60)
        right -= 10 + 7 * len(str(row.count))
    room = right - x - 20
    yield _text(right, y, row.text, colour, 'text-anchor="end"', room * 0.7)
    yield _text(x + 10, y, row.label, "#111", "", room - min(wide(row.text), room * 0.7))


def wide(text: str) -> float:
    """About how wide a text is drawn at 12 px."""
    return sum(12.0 if ord(char) > 0x2E7F else 6.6 for char in text)


def _text(x: float, y: float, text: str, colour: str, more: str, room: float) -> str:
    while len(text) > 2 and wide(text) > room:
        text = text[:-2] + "…"
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'
