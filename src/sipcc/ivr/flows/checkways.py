"""Rules about the ways through a flow: E01 to E05, W11, E14, E19, W21."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sipcc.ivr.check import nearest
from sipcc.ivr.flows.check import DEEPEST, Fault, Rule, View, unknown
from sipcc.ivr.flows.connecting import Transfer
from sipcc.ivr.flows.model import SPECIAL
from sipcc.ivr.flows.nodes import Lookup, Menu, Survey
from sipcc.ivr.flows.ways import Way, Ways
from sipcc.ivr.optionfaults import rings

_GONE: Final = ("exits.abandoned", "exits.short_abandoned")
"""Ways that only callers take who have hung up."""


def unreachable(view: View) -> Iterator[Fault]:
    """E01."""
    for name in view.flow.nodes:
        if name not in view.ways.depths:
            hint = "let a node lead to it, or take it out"
            yield Fault("E01", name, (), f"nobody can reach {name!r}", hint)


def targets(view: View) -> Iterator[Fault]:
    """E02, E03 and E04: what a way leads to."""
    for way in view.ways.all:
        name, edge, target = way.source, way.edge, way.target
        if target.unknown:
            yield Fault(
                "E02", name, edge.path, target.unknown, nearest(edge.target, [*view.flow.nodes, *SPECIAL])
            )
        elif not edge.target and edge.name == "retry":
            message = "nothing says where callers go whose tries have run out"
            hint = 'add retry = {then = "NODE"} here, or a `fallback` to the flow'
            yield Fault("E04", name, edge.path, message, hint)
        elif not edge.target and not (edge.name == "failed" and isinstance(view.ways.node(name), Lookup)):
            hint = f'add {".".join(map(str, edge.path))} = "NODE", or a `fallback` to the flow'
            yield Fault("E03", name, edge.path, f"the way {edge.name!r} leads nowhere", hint)
    if view.flow.head.fallback:
        for name, node in view.flow.nodes.items():
            for edge in node.edges():
                if not edge.target and len(edge.path) > 1:
                    hint = "name a target, or take it out"
                    yield Fault("E03", name, edge.path, f"the way {edge.name!r} leads nowhere", hint)
        target = view.flow.resolve(view.flow.head.fallback)
        if target.unknown:
            hint = nearest(view.flow.head.fallback, view.flow.nodes)
            yield Fault("E02", "", ("fallback",), target.unknown, hint)


def calls(view: View) -> Iterator[Fault]:
    """E02 and E19: flows that are called."""
    known = view.world.known.get("flow")
    for name, node in view.flow.nodes.items():
        if not node.calls:
            continue
        if known is not None and node.calls not in known:
            yield Fault("E02", name, ("flow",), *unknown("flow", node.calls, known))
        if way := _calls_back(view, node.calls):
            message = f"the flow calls itself: {' > '.join([view.flow.name, *way])}"
            yield Fault("E19", name, ("flow",), message, "go on with a target in place of one of the calls")


def _calls_back(view: View, name: str) -> list[str]:
    """The calls by which `name` comes back to this flow; empty when it does not."""
    found: dict[str, list[str]] = {name: [name]}
    todo = [name]
    while todo:
        here = todo.pop()
        if here == view.flow.name:
            return found[here]
        if here in view.flows:
            for node in view.flows[here].nodes.values():
                if node.calls and node.calls not in found:
                    found[node.calls] = [*found[here], node.calls]
                    todo.append(node.calls)
    return []


def circles(view: View) -> Iterator[Fault]:
    """E05: circles in which nothing happens, and those in which a silent caller is caught."""
    hint = "let one of them ask the caller something, or lead out of the circle"
    dead = _quick(view)
    for ring in _rings(dead):
        message = f"the call goes round without input or delay: {' > '.join([*ring, ring[0]])}"
        yield Fault("E05", ring[0], (), message, hint)
    for way in rings(_silent(view.ways)):
        if any(view.ways.node(each).asks for each in way):
            message = f"a silent caller goes round for ever: {' > '.join(way)}"
            yield Fault("E05", way[0], (), message, "let one of the ways lead to a person, or hang up")


def _quick(view: View) -> dict[str, list[str]]:
    """The ways on which neither a question is asked nor time passes."""
    quick: dict[str, list[str]] = {}
    for name, ways in view.ways.of.items():
        node = view.ways.node(name)
        if not (node.asks or node.takes_time or (node.calls and _lasts(view, node.calls, set()))):
            quick[name] = [way.following for way in ways if way.following]
    return quick


def _lasts(view: View, name: str, seen: set[str]) -> bool:
    """Whether a called flow asks or lasts; one that is not known is taken to."""
    if name in seen:
        return False
    seen.add(name)
    flow = view.flows.get(name)
    if flow is None:
        return True
    return any(
        node.asks or node.takes_time or (node.calls and _lasts(view, node.calls, seen))
        for node in flow.nodes.values()
    )


def _rings(following: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Circles, one for each knot of nodes that can all reach each other."""
    state: dict[str, int] = {}
    for start in following:
        if start in state:
            continue
        way: list[str] = []
        todo: list[tuple[str, int]] = [(start, 0)]
        while todo:
            name, index = todo.pop()
            if index == 0:
                state[name] = 1
                way.append(name)
            nexts = following.get(name, [])
            if index == len(nexts):
                state[name] = 2
                way.pop()
                continue
            todo.append((name, index + 1))
            after = nexts[index]
            if state.get(after) == 1:
                yield way[way.index(after) :]
            elif after in following and after not in state:
                todo.append((after, 0))


def _silent(ways: Ways) -> dict[str, str]:
    """Where a caller who does nothing goes from each node, where only one way is possible."""
    following: dict[str, str] = {}
    for name, several in ways.of.items():
        node = ways.node(name)
        if node.human or node.calls:
            continue
        chosen = [way for way in several if way.edge.name == "retry"] if node.asks else list(several)
        nexts = {way.following for way in chosen}
        if len(nexts) == 1 and (one := nexts.pop()):
            following[name] = one
    return following


def depth(view: View) -> Iterator[Fault]:
    """W11."""
    for name, deep in view.ways.depths.items():
        if deep > DEEPEST and isinstance(view.ways.node(name), Menu):
            message = f"{name!r} is the {deep}th menu on the shortest way to it"
            yield Fault("W11", name, (), message, f"have {DEEPEST} levels at most, and more side by side")


def humans(view: View) -> Iterator[Fault]:
    """E14; a flow that returns to its caller may leave that to it."""
    having: set[str] = set()
    grown = True
    while grown:
        more = {name for name, ways in view.ways_of.items() if name not in having and ways.to_human(having)}
        grown = bool(more)
        having |= more
    strangers = {
        node.calls for node in view.flow.nodes.values() if node.calls and node.calls not in view.flows
    }
    if view.flow.name not in having and not view.ways.returns and not strangers:
        hint = 'let a way lead to a queue, a telephone or a voicemail, as in "0" = "queue:service"'
        yield Fault("E14", "", (), "no way leads to a person or a mailbox", hint)


def surveys(view: View) -> Iterator[Fault]:
    """W21: surveys that nobody is there to answer."""
    told: set[str] = set()
    hint = "ask it after a queue or dial node, by `then`"
    for way in view.ways.all:
        why = _gone(view, way)
        to = way.target.destination
        if why and to is not None and to.kind == "survey":
            yield Fault("W21", way.source, way.edge.path, f"{way.edge.target!r} is reached {why}", hint)
        if why and way.following not in told and isinstance(view.flow.nodes.get(way.following), Survey):
            told.add(way.following)
            yield Fault("W21", way.following, (), f"{way.source!r} leads here {why}", hint)


def _gone(view: View, way: Way) -> str:
    if way.edge.name in _GONE:
        return "when the caller has hung up"
    if isinstance(view.ways.node(way.source), Transfer):
        return "only when the transfer failed; whoever was transferred has gone"
    return ""


RULES: Final[tuple[Rule, ...]] = (unreachable, targets, calls, circles, depth, humans, surveys)
