"""``[[menus]]`` as flows: a table is a short way of writing a menu node, and what it leads to is in its flow.

| in the table | in the flow |
|---|---|
| ``name`` | the name of the node; the flow of those who come to it first is called ``menu:NAME`` |
| ``prompt``, ``noinput_prompt``, ``nomatch_prompt`` | prompts of these names |
| ``options``, ``then`` | targets; ``menu:OTHER`` is the node OTHER |
| ``noinput``, ``nomatch``, ``then`` | the node's retry |
| ``timeout``, ``interdigit`` | the same, or those of ``[ivr]`` |
| ``bargein = false`` | ``bargein = "off"`` |
| ``language`` | a language node before the menu, called ``NAME:language`` |

Menus have events of their own; `told` makes them of those of the nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from sipcc.call.destination import Destination
from sipcc.events import Event
from sipcc.ivr.events import MenuEntered, MenuLeft, NodeEntered, NodeLeft, Reason
from sipcc.ivr.flows.counts import Counts, NodeCounts
from sipcc.ivr.flows.model import Flow, FlowHead, Node, Phrase, Retry
from sipcc.ivr.flows.nodes import Language, Menu
from sipcc.ivr.settings import IvrSettings, MenuSettings, listed
from sipcc.ivr.steps import Named

PREFIX: Final = "menu:"
"""How destinations, and the flows here, are called."""

FALLBACK: Final = "play:goodbye"
"""For whoever goes round in a circle."""

_LANGUAGE: Final = ":language"


def flows_of_menus(menus: Iterable[MenuSettings], settings: IvrSettings) -> dict[str, Flow]:
    """A flow for each menu, by its name ``menu:NAME``: callers begin there, and go on to others.

    Args:
        menus: All menus; of two with one name the last one holds.
        settings: Has the times for those that name none.
    """
    by_name = {menu.name: menu for menu in menus}
    return {f"{PREFIX}{name}": _flow(name, by_name, settings) for name in by_name}


def leads_into(destination: Destination) -> str:
    """The name of the flow, or of that of menus, to which a destination leads; empty for something else."""
    if str(destination.kind) == "flow":
        return destination.argument
    return str(destination) if str(destination.kind) == "menu" else ""


def firsts(flows: Mapping[str, Flow]) -> list[str]:
    """The names of flows that together have all menus; none is a part of another."""
    parts = {name: {PREFIX + node for node in flow.nodes} for name, flow in flows.items()}
    order = {name: index for index, name in enumerate(flows)}

    def above(other: str, name: str) -> bool:
        return name in parts[other] and (other not in parts[name] or order[other] < order[name])

    return [name for name in flows if not any(above(other, name) for other in flows if other != name)]


def _flow(first: str, menus: Mapping[str, MenuSettings], settings: IvrSettings) -> Flow:
    nodes: dict[str, Node] = {}
    there, todo = {first}, [first]
    while todo:
        menu = menus[todo.pop(0)]
        if menu.language:
            nodes[menu.name + _LANGUAGE] = Language(language=menu.language, then=menu.name)
        nodes[menu.name] = _node(menu, menus)
        for text in (*menu.options.values(), menu.then):
            name = text.removeprefix(PREFIX)
            if name != text and name in menus and name not in there:
                there.add(name)
                todo.append(name)
    said = msgspec.json.encode([nodes, settings.timeout, settings.interdigit])
    digest = hashlib.sha256(said).hexdigest()[:8]
    return Flow(
        name=PREFIX + first,
        head=FlowHead(fallback=FALLBACK, timeout=settings.timeout, interdigit=settings.interdigit),
        nodes=nodes,
        start=_target(PREFIX + first, menus),
        version=digest,
        digest=digest,
    )


def _node(menu: MenuSettings, menus: Mapping[str, MenuSettings]) -> Menu:
    return Menu(
        prompt=tuple(Named(name) for name in menu.prompts),
        options={keys: _target(to, menus) for keys, to in menu.options.items()},
        retry=Retry(
            noinput=menu.noinput,
            nomatch=menu.nomatch,
            then=_target(menu.then, menus),
            noinput_prompt=_phrases(menu.noinput_prompt),
            nomatch_prompt=_phrases(menu.nomatch_prompt),
        ),
        timeout=menu.timeout,
        interdigit=menu.interdigit,
        bargein="any" if menu.bargein else "off",
    )


def _phrases(names: str | tuple[str, ...]) -> tuple[Phrase, ...]:
    return tuple((Named(name),) for name in listed(names))


def _target(text: str, menus: Mapping[str, MenuSettings]) -> str:
    name = text.removeprefix(PREFIX)
    if name == text or name not in menus:
        return text
    return name + _LANGUAGE if menus[name].language else name


def told(event: Event, flow: Flow, keys: str) -> Event | None:
    """An event of a node of menus as one of menus; None when nothing is told of it, and others as they are.

    Args:
        event: What is told of `flow`.
        flow: One of `flows_of_menus`.
        keys: What the caller has typed last.
    """
    if not isinstance(event, NodeEntered | NodeLeft):
        return event
    if not isinstance(flow.nodes[event.node], Menu):
        return None
    if isinstance(event, NodeEntered):
        return MenuEntered(at=event.at, call=event.call, menu=event.node)
    return _left(event, flow, keys)


def _left(event: NodeLeft, flow: Flow, keys: str) -> MenuLeft | None:
    tries = event.noinput + event.nomatch
    chosen = event.edge.startswith("options.")
    if not chosen and not tries:
        return None  # the caller hung up, or could not be asked
    if event.edge == "ended":
        return None
    retry = flow.retry_of(flow.nodes[event.node])
    reason: Reason = "noinput" if event.noinput > retry.noinput else "nomatch"
    return MenuLeft(
        at=event.at,
        call=event.call,
        menu=event.node,
        reason="option" if chosen else reason,
        keys=keys if chosen else "",
        destination=_destination(flow, event.node, event.edge),
        retries=tries if chosen else tries - 1,
    )


def _destination(flow: Flow, node: str, edge: str) -> str:
    if edge == "fault":
        return flow.head.fallback
    target = flow.target_of(node, edge)
    if target.destination is not None:
        return str(target.destination)
    return PREFIX + target.node.removesuffix(_LANGUAGE)


def counts_in(flow: Flow, counts: Counts) -> Counts:
    """What callers did in menus, by the nodes and options of `flow`, one of `flows_of_menus`."""
    found: dict[tuple[str, str], NodeCounts] = {}
    for name, node in flow.nodes.items():
        of_menu = counts.get((PREFIX + name, name))
        if of_menu is None or not isinstance(node, Menu):
            continue
        written = {f"options.{keys}": f"options.{option}" for keys, option in node.choices().items()}
        edges: dict[str, int] = {}
        for edge, times in of_menu.edges.items():
            edge = written.get(edge, edge)
            edges[edge] = edges.get(edge, 0) + times
        found[flow.name, name] = msgspec.structs.replace(of_menu, flow=flow.name, edges=edges)
    return found
