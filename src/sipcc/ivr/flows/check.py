"""Looks for mistakes in flows before a caller finds them: 21 kinds, each with a code.

An error (``E``) sends callers astray; a warning (``W``) makes them wait, or tries their patience.

| code | what is wrong |
|---|---|
| E01 | a node that nobody can reach |
| E02 | a target that is not there |
| E03 | a dead end: no target, and the call does not end here |
| E04 | a question whose tries run out without `then` |
| E05 | a circle without input and delay, or one in which a silent caller goes round for ever |
| E06 | a prompt, or a language of it, is missing |
| W07 | sound that cannot be read, is silent, has a rate below 8 kHz, or is longer than 30 s |
| E08 | two options are equal |
| W09 | an option is the beginning of another, so that callers wait |
| E10 | an option takes the key that would end another one |
| W11 | a menu lies deeper than nine levels |
| W12 | a menu has more than five options |
| E12 | a menu has more than seven options |
| W13 | the numbers of a menu do not ascend from 1, or have gaps |
| E14 | no way leads to a person or a mailbox |
| E15 | a calendar has overlapping hours or days, or a hole between its hours |
| E16 | a variable is read before it is set |
| E17 | a secret is spoken, stored, or decides |
| E18 | a lookup without `deadline` or without a way for its failure |
| E19 | flows that call each other round and round |
| E20 | a queue, number, menu and so on that the configuration does not know |
| W21 | a survey where the caller has gone already |

Each rule is a function from a `View` to the mistakes that it finds; `RULES` has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from sipcc.ivr.check import nearest
from sipcc.ivr.flows.model import Flow
from sipcc.ivr.flows.ways import Ways
from sipcc.ivr.hours import HoursSettings
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.reading.findings import Finding, dotted
from sipcc.reading.lines import Path, Place

DEEPEST: Final = 9
"""Levels of menus."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What there is besides the flows; what is None is not known, and nothing is said of it."""

    known: Mapping[str, Collection[str]] = {}
    """The names by kind of destination, such as ``queue`` and ``flow``; also ``trunk`` and ``user``."""
    calendars: Mapping[str, HoursSettings] | None = None
    lookups: Collection[str] | None = None
    """The functions that lookups may name as their source."""
    catalogue: PromptCatalogue | None = None
    longest: int = SpeechSettings().longest
    """Characters of a text that a voice reads."""
    language: str = "en"
    """The language of calls that have none of their own."""


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake."""

    code: str
    """One of the table above."""
    flow: str
    node: str
    """Empty when it is about the flow as a whole."""
    where: str
    """``FILE:LINE:COLUMN``, or the flow's name for one made in a program."""
    at: str
    """The place in the flow: ``main.lang.options.1``."""
    message: str
    hint: str
    """The cure."""
    place: Place = Place(0, 0)

    @property
    def severity(self) -> Literal["error", "warning"]:
        """Errors have codes with E."""
        return "error" if self.code[0] == "E" else "warning"

    def finding(self) -> Finding:
        """The same for whoever reports on a whole configuration."""
        line, column = self.place
        return Finding(
            self.severity,
            f"{self.where} {self.at}",
            f"{self.code} {self.message}",
            self.hint,
            line,
            column,
        )

    def __str__(self) -> str:
        return f"{self.where}: {self.code} {self.at}: {self.message}; {self.hint}"


class Fault(NamedTuple):
    """What a rule finds."""

    code: str
    node: str
    path: Path
    message: str
    hint: str


class View:
    """One flow among the others, as rules see it."""

    def __init__(self, flow: Flow, flows: Mapping[str, Flow], ways: Mapping[str, Ways], world: World) -> None:
        self.flow = flow
        self.flows = flows
        self.ways = ways[flow.name]
        self.ways_of = ways
        self.world = world

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that its callers may have."""
        return self.flow.head.languages or (self.world.language,)


Rule: TypeAlias = Callable[[View], Iterator[Fault]]


def check_flows(flows: Sequence[Flow], world: World | None = None, *, all_flows: bool = True) -> list[Defect]:
    """All mistakes in `flows`, in the order of the files.

    Args:
        flows: The flows; they may call each other.
        world: What else there is.
        all_flows: False when there may be more, so that one that is not among `flows` is no mistake.
    """
    world = world or World()
    by_name = {flow.name: flow for flow in flows}
    if all_flows:
        world = msgspec.structs.replace(world, known={**world.known, "flow": by_name.keys()})
    ways = {name: Ways(flow) for name, flow in by_name.items()}
    defects: list[Defect] = []
    for flow in flows:
        view = View(flow, by_name, ways, world)
        found = [_defect(flow, fault) for rule in _rules() for fault in rule(view)]
        defects += sorted(dict.fromkeys(found), key=lambda defect: (defect.place, defect.code))
    return defects


def unknown(kind: str, name: str, known: Collection[str]) -> tuple[str, str]:
    """Message and hint for a name that is not there."""
    return f"there is no {kind} {name!r}", nearest(name, known)


def _defect(flow: Flow, fault: Fault) -> Defect:
    path: Path = ("nodes", fault.node, *fault.path) if fault.node else fault.path
    return Defect(
        code=fault.code,
        flow=flow.name,
        node=fault.node,
        where=flow.where(fault.node, fault.path),
        at=dotted((flow.name, fault.node, *fault.path) if fault.node else (flow.name, *fault.path)),
        message=fault.message,
        hint=fault.hint,
        place=flow.written.place(path) if flow.written is not None else Place(0, 0),
    )


def _rules() -> tuple[Rule, ...]:
    from sipcc.ivr.flows import checkmenus, checkvalues, checkways, checkworld

    return (*checkways.RULES, *checkmenus.RULES, *checkvalues.RULES, *checkworld.RULES)
