"""A flow as data: an immutable graph of nodes, and all that who checks, walks, draws or runs flows reads.

A `Flow` has `Node`s by name. A node's fields are what its table in the file says; `sipcc.ivr.flows.nodes` and
`sipcc.ivr.flows.connecting` have one struct for each ``type``. Nobody needs to know the types to follow a
flow, for every node tells of itself:

| asked | answered |
|---|---|
| `Node.edges` | where the call may go from here: name, target, and the target's place in the node's table |
| `Node.reads` | the variables that it uses, and what for: to decide, to speak, to send or to store |
| `Node.sets` | the variables that have a value after it, and which of them are secret |
| `Node.says` | what the caller may hear in it |
| `Node.leads_to` | the destinations that it uses by itself, such as ``queue:service`` of a queue node |
| `Node.calls` | the flow that it calls and returns from; empty for none |
| `Node.asks` | whether the caller must do something in it |
| `Node.takes_time` | whether time passes in it whatever the caller does |
| `Node.human` | whether a person, or a mailbox, takes care of the caller in it |
| `Node.leaves` | whether the call never goes on in this flow from here |

`Flow.edges_of` has the edges as they are gone: with the way of used-up tries, and the fall-back filled in.

A **target** is, in this order: ``back``, ``top`` or ``return``; the name of a node; a destination such as
``queue:service`` or ``hangup`` (`sipcc.call.destination`). ``back`` goes to the question before this one,
``top`` to the start of the flow, ``return`` to whoever called the flow. `Flow.resolve` tells which one it is.

**Variables** are text, numbers, truths and lists, for the whole call. A node that sets ``NAME`` with `whole`
sets everything called ``NAME.x`` too. `BUILT_IN` names are always there. **Templates** are texts with
``{name}`` in them, and nothing but names; ``{{`` and ``}}`` are braces. **Conditions** are those of
`sipcc.expr`. A **secret** variable may be sent in the body of a lookup, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

from sipcc.call.destination import Destination
from sipcc.expr import compile_expression
from sipcc.ivr.steps import Audio, Named, Silence, Text, Value
from sipcc.reading.lines import KeyLines, Path, Place

BUILT_IN = frozenset({"caller", "dialled", "language"})
"""Variables that every flow has."""

SPECIAL = frozenset({"back", "top", "return"})
"""Targets that are no nodes and no destinations."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]
"""A time that somebody waits for: more than nothing, and a day at most."""

NODE_NAME = re.compile(r"[^\W\d][\w-]*")
"""What a node or a flow may be called: letters of any script, digits, ``_`` and ``-``."""

VARIABLE = re.compile(r"[^\W\d]\w*(?:\.\w+)*")
"""What a variable may be called; `sipcc.expr` reads the same."""

_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class Variants(msgspec.Struct, frozen=True, tag="variants"):
    """Different things for different languages; one that is not named hears the first."""

    said: dict[str, tuple[Named | Text | Value | Audio | Silence, ...]]


Said: TypeAlias = Named | Text | Value | Audio | Silence | Variants
"""One thing that a caller hears; texts, values and sources are templates."""

Phrase: TypeAlias = tuple[Said, ...]
"""What a caller hears in one go."""

Use = Literal["condition", "spoken", "sent", "stored"]
"""What a variable is used for: to decide, to be heard, to go to a service, or to be kept or shown."""


class Edge(msgspec.Struct, frozen=True):
    """One way out of a node."""

    name: str
    """Unique in the node: ``then``, ``options.1``, ``when.0``; events and graphs name it so."""
    target: str
    """Empty when the file says none: the caller then goes where `Flow.fallback` says."""
    path: Path
    """The place of the target below the node's table."""
    label: str = ""
    """What leads this way, for people: the keys, or the condition."""
    fallen: bool = False
    """Whether `target` is the flow's `fallback`, for the file says none."""


class Read(msgspec.Struct, frozen=True):
    """A variable that a node uses."""

    name: str
    use: Use
    path: Path
    """The place below the node's table."""


class Set(msgspec.Struct, frozen=True):
    """A variable that has a value after a node."""

    name: str
    path: Path
    secret: bool = False
    whole: bool = False
    """True when everything called ``NAME.x`` has a value then too."""


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens when the caller does nothing, or types something wrong."""

    noinput: int = 2
    """How often the question is asked again because nothing came, 0 to 100."""
    nomatch: int = 2
    """How often it is asked again because the answer was wrong, 0 to 100; counted on its own."""
    total: int | None = None
    """How often it is asked again at most, for either reason, 0 to 100; None for no such limit."""
    then: str = ""
    """The target when the tries are used up; empty for the flow's `fallback`."""
    noinput_prompt: tuple[Phrase, ...] = ((Named("noinput"),),)
    """What goes before the question when it is asked again: the first time, the second, and so on."""
    nomatch_prompt: tuple[Phrase, ...] = ((Named("invalid"),),)
    """The same after a wrong answer."""


class Node(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", dict=True
):
    """What all nodes have; see the table above."""

    asks: ClassVar[bool] = False
    """The caller must do something before the call goes on."""
    takes_time: ClassVar[bool] = False
    """Some time passes in it whatever the caller does, so that going round through it is no dead loop."""
    human: ClassVar[bool] = False
    """A person, or a mailbox, takes care of the caller in it."""
    leaves: ClassVar[bool] = False
    """The call never goes on in this flow from here."""

    note: str = ""
    """For whoever reads the flow."""

    def edges(self) -> tuple[Edge, ...]:
        """The ways out, in the order in which they are tried or shown."""
        return ()

    def reads(self) -> tuple[Read, ...]:
        """The variables that it uses."""
        return tuple(spoken_names(self.says()))

    def sets(self) -> tuple[Set, ...]:
        """The variables that have a value after it."""
        return ()

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What the caller may hear in it, each with its place below the node's table."""
        return ()

    def leads_to(self) -> tuple[tuple[Path, str], ...]:
        """Destinations that it uses by itself, as they are written, each with its place."""
        return ()

    @property
    def calls(self) -> str:
        """The flow that it calls and returns from; empty for none."""
        return ""

    @cached_property
    def kind(self) -> str:
        """Its ``type`` in the file."""
        return str(self.__struct_config__.tag)


class Written(msgspec.Struct, frozen=True):
    """Where a flow stands in a file."""

    file: str
    lines: KeyLines
    prefix: Path = ()
    """The place of the flow's table in the file."""

    def place(self, path: Path) -> Place:
        """The line and column of `path` below the flow's table, or of what is nearest above it."""
        return self.lines.place_of((*self.prefix, *path)) or Place(1, 1)

    def where(self, path: Path) -> str:
        """The same as ``FILE:LINE:COLUMN``."""
        place = self.place(path)
        return f"{self.file}:{place.line}:{place.column}"


class Target(msgspec.Struct, frozen=True):
    """What a target is: exactly one of the four."""

    special: Literal["back", "top", "return", ""] = ""
    node: str = ""
    destination: Destination | None = None
    unknown: str = ""
    """Why it is none of the three."""
    heard_once: bool = False
    """Whether the destination is a prompt that is heard once, and then the call ends. Elsewhere it is heard
    until the caller hangs up; a last resort must not hold a caller so."""


class FlowBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flow's table says besides its nodes, and how its questions are asked again."""

    start: str = ""
    """The node at which callers begin; the first one in the file when not given."""
    fallback: str = ""
    """The target of callers for whom something went wrong, and of every node that names none. It should be
    a person. Empty says that there was an error, and hangs up."""
    languages: tuple[str, ...] = ()
    """The languages in which all of it must be there, such as ``["zh-CN", "en"]``; a call in another one
    begins in the first. Empty for the language of the call."""
    version: str = ""
    """What the version is called; empty for a digest of what it says."""
    needs: tuple[str, ...] = ()
    """Variables that are set before the flow begins, by a program or by the flow that calls it."""
    timeout: Seconds = 5.0
    """Seconds from the end of a question to the first key, for questions that do not say."""
    interdigit: Seconds = 3.0
    """Seconds from key to key, for questions that do not say."""
    voice: str = ""
    """The voice that reads the texts; empty for that of the language."""


class FlowHead(FlowBase, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flow's table says besides its nodes."""

    retry: Retry = Retry()
    """For the questions that have no `retry` of their own."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow, read and well-formed. What is wrong with its ways is told by `sipcc.ivr.flows.check`."""

    name: str
    head: FlowHead
    nodes: dict[str, Node]
    """By their names, in the order of the file."""
    start: str
    version: str
    digest: str
    """Of what it says: two flows with the same one are the same."""
    written: Written | None = None
    _targets: dict[str, dict[str, Target]] = msgspec.field(default_factory=dict)
    """What `target_of` has found."""

    def where(self, node: str = "", path: Path = ()) -> str:
        """``FILE:LINE:COLUMN`` of a node, or of a place below it; the name for a flow made in a program."""
        if self.written is None:
            return self.name
        return self.written.where(("nodes", node, *path) if node else path)

    def retry_of(self, node: Node) -> Retry:
        """The retry rules that a question of this flow has."""
        own: Retry | None = getattr(node, "retry", None)
        return self.head.retry if own is None else own

    def edges_of(self, name: str) -> tuple[Edge, ...]:
        """The ways out of a node, with that of used-up tries, and the fall-back where no target is named."""
        node = self.nodes[name]
        edges = list(node.edges())
        if node.asks:
            path: Path = ("retry", "then") if getattr(node, "retry", None) is not None else ()
            edges.append(Edge("retry", self.retry_of(node).then, path, "no answer"))
        return tuple(
            edge if edge.target else Edge(edge.name, self.head.fallback, edge.path, edge.label, fallen=True)
            for edge in edges
        )

    def target_of(self, node: str, edge: str) -> Target:
        """Where an edge of a node leads; an edge that is not there leads nowhere."""
        known = self._targets.get(node)
        if known is None:
            known = {
                each.name: (self.last_resort if each.fallen else self.resolve)(each.target)
                for each in self.edges_of(node)
            }
            self._targets[node] = known
        found = known.get(edge)
        return self.resolve("") if found is None else found

    def last_resort(self, fallback: str) -> Target:
        """What a fallback is, for whoever something went wrong for."""
        found = self.resolve(fallback)
        if found.destination is None or str(found.destination.kind) != "play":
            return found
        return Target(destination=found.destination, heard_once=True)

    def resolve(self, target: str) -> Target:
        """What a target is."""
        if target in SPECIAL:
            return Target(special=target)  # type: ignore[arg-type]  # SPECIAL has the words of the Literal
        if target in self.nodes:
            return Target(node=target)
        try:
            return Target(destination=Destination.parse(target))
        except ValueError as error:
            if ":" in target:
                return Target(unknown=str(error))
            return Target(unknown=f"there is no node {target!r}" if target else "no target is named")


def names_in(template: str) -> Iterator[str]:
    """The names in a template.

    Raises:
        ValueError: it is none; the text says what is wrong and how it is written.
    """
    for match in _TEMPLATE.finditer(template):
        if match[0] in ("{{", "}}"):
            continue
        if VARIABLE.fullmatch(match[1]) is None:
            raise ValueError(f"{match[0]} is no name in braces, as in {{balance}}; a brace is written twice")
        yield match[1]
    if set(_TEMPLATE.sub("", template)) & {"{", "}"}:
        raise ValueError("a brace stands alone; write {{ or }} for one that is meant")


def fill(template: str, values: Any) -> str:
    """The template with each name replaced by ``values(name)``."""
    if "{" not in template and "}" not in template:
        return template

    def one(match: re.Match[str]) -> str:
        return match[0][0] if match[0] in ("{{", "}}") else str(values(match[1]))

    return _TEMPLATE.sub(one, template)


def reads_of(template: str, use: Use, path: Path) -> Iterator[Read]:
    """The variables of a template."""
    for name in names_in(template):
        yield Read(name, use, path)


def condition_reads(text: str, path: Path) -> Iterator[Read]:
    """The variables of a condition."""
    for name in compile_expression(text).names:
        yield Read(name.name, "condition", path)


def spoken_names(phrases: tuple[tuple[Path, Phrase], ...]) -> Iterator[Read]:
    """The variables that are heard."""
    for path, phrase in phrases:
        for said in phrase:
            yield from _names_said(said, path)


def _names_said(said: Said, path: Path) -> Iterator[Read]:
    match said:
        case Text():
            yield from reads_of(said.text, "spoken", path)
        case Value():
            yield from reads_of(said.value, "spoken", path)
        case Audio():
            yield from reads_of(said.source, "spoken", path)
            for other in said.fallback:
                yield from _names_said(other, path)  # type: ignore[arg-type]  # no mark stands in a file
        case Variants():
            for items in said.said.values():
                for item in items:
                    yield from _names_said(item, path)
        case _:
            return
