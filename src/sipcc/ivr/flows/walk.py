"""Random walks through flows: what callers can reach, how long they listen, how soon they are with a person.

Each walk is a simulated call whose caller decides by chance, node after node, and prefers ways that were not
taken yet. It hears every question to its end before it answers. Lookups find values that the flow's
conditions ask for, calendars are open or closed, queues and telephones answer or do not, all by chance. A
seed makes the same walks again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import singledispatchmethod
from typing import Any, Final, Protocol

import msgspec

from sipcc.events import Event
from sipcc.ivr.events import NodeEntered
from sipcc.ivr.flows.connecting import Bot, Dial, Queue, Record, Transfer
from sipcc.ivr.flows.menus import leads_into
from sipcc.ivr.flows.model import Flow, Node
from sipcc.ivr.flows.nodes import Gather, Hours, Http, Lookup, Menu, Question, Survey
from sipcc.ivr.flows.run import playable
from sipcc.ivr.flows.script import Act, Answer, Asked, HangUp, Keys, Say, Script, Silence, Wait
from sipcc.ivr.flows.simulate import Simulated, SimWorld
from sipcc.ivr.flows.ways import Ways
from sipcc.ivr.settings import split_keys
from sipcc.ivr.sim import finish

_LITERAL: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])|\b(true|false)\b")

_VALUES: Final[Mapping[str, tuple[Answer, ...]]] = {
    "number": (0,),
    "truth": (True, False),
    "text": ("text",),
    "list": ([],),
    "any": (0, "text", True),
}
"""What a lookup may find where no condition asks for anything."""

_OTHER_EXITS: Final = ("timed_out", "no_agent", "full", "closed")


class Chance(Protocol):
    """Where chance comes from: the part of `random.Random` that is used."""

    def random(self) -> float:
        """A number from 0 up to 1."""
        ...

    def choice(self, seq: Sequence[Any]) -> Any:
        """One of several."""
        ...

    def randint(self, a: int, b: int) -> int:
        """A whole number from `a` to `b`."""
        ...


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What of something was reached."""

    reached: int
    of: int
    missing: tuple[str, ...]

    @property
    def percent(self) -> float:
        """From 0 to 100; of nothing, all."""
        return 100.0 * self.reached / self.of if self.of else 100.0


class WalkReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the walks."""

    walks: int
    nodes: Coverage
    """Nodes as ``main.lang``."""
    edges: Coverage
    """Ways as ``main.lang.options.1``."""
    options: Coverage
    """Those of the ways that callers choose by keys or words."""
    longest_speech: float
    """The most seconds of speech that one caller heard."""
    longest_path: tuple[str, ...]
    """The nodes that this caller went through."""
    human_soonest: float | None
    """Seconds until the caller is put into a queue or a mailbox, or a telephone is called; None for never."""
    human_middle: float | None
    human_latest: float | None
    without_human: int
    """Walks that led to nobody."""
    exits: Mapping[str, int]
    """How the calls ended."""
    fell: Mapping[str, int]
    """What went wrong, and how often."""
    circles: int
    """Walks that were ended because they went round and round."""


def walk(
    flows: Sequence[Flow], start: str, chance: Chance, *, walks: int = 1000, world: SimWorld | None = None
) -> WalkReport:
    """Walk through the flow `start`, and those that it calls.

    Args:
        flows: The flows.
        start: The name of the one that calls come to.
        chance: Such as ``random.Random(1)``.
        walks: How many.
        world: What else there is; its flows are those of `flows`.
    """
    by_name = {flow.name: flow for flow in flows}
    world = msgspec.structs.replace(
        world or SimWorld(), flows={flow.name: playable(flow) for flow in flows}, calendars={}
    )
    tally = _Tally(by_name, start)
    for _ in range(walks):
        walker = _Walker(by_name, start, chance, world, tally.taken)
        finish(walker.run())
        tally.add(walker)
    return tally.report(walks)


class _Tally:
    """What all walks reached."""

    def __init__(self, flows: Mapping[str, Flow], start: str) -> None:
        self.taken: Counter[tuple[str, str, str]] = Counter()
        self._nodes: set[tuple[str, str]] = set()
        self._wanted = [Ways(flows[name]) for name in _called(flows, start)]
        self._flows = flows
        self._speech = 0.0
        self._path: tuple[str, ...] = ()
        self._human: list[float] = []
        self._exits: Counter[str] = Counter()
        self._fell: Counter[str] = Counter()
        self._circles = 0

    def add(self, walker: _Walker) -> None:
        session = walker.session
        self._nodes.update((event.flow, event.node) for event in walker.entered)
        if session.speech_seconds >= self._speech:
            self._speech, self._path = session.speech_seconds, tuple(walker.path)
        human = next((event.at for event in walker.entered if self._is_human(event)), session.handed_at)
        if human is not None:
            self._human.append(human)
        self._exits[walker.exit] += 1
        self._circles += session.exit == "circle"
        self._fell.update(f"{fell.flow}.{fell.node}: {fell.reason}" for fell in walker.fell)

    def _is_human(self, event: NodeEntered) -> bool:
        return self._flows[event.flow].nodes[event.node].human

    def report(self, walks: int) -> WalkReport:
        nodes = [(ways.flow.name, name) for ways in self._wanted for name in ways.flow.nodes]
        edges = [(ways.flow.name, way.source, way.edge.name) for ways in self._wanted for way in ways.all]
        taken = set(self.taken)
        human = sorted(self._human)
        return WalkReport(
            walks=walks,
            nodes=_coverage(nodes, self._nodes),
            edges=_coverage(edges, taken),
            options=_coverage([edge for edge in edges if edge[2].startswith(("options.", "keys."))], taken),
            longest_speech=self._speech,
            longest_path=self._path,
            human_soonest=human[0] if human else None,
            human_middle=human[len(human) // 2] if human else None,
            human_latest=human[-1] if human else None,
            without_human=walks - len(human),
            exits=dict(self._exits.most_common()),
            fell=dict(self._fell.most_common()),
            circles=self._circles,
        )


def _coverage(wanted: Sequence[tuple[str, ...]], reached: set[Any]) -> Coverage:
    missing = tuple(".".join(one) for one in wanted if one not in reached)
    return Coverage(reached=len(wanted) - len(missing), of=len(wanted), missing=missing)


def _called(flows: Mapping[str, Flow], start: str) -> list[str]:
    """The flow `start`, and all that are called from it."""
    found = [start]
    for name in found:
        for node in flows[name].nodes.values():
            if node.calls in flows and node.calls not in found:
                found.append(node.calls)
        for way in Ways(flows[name]).all:
            to = way.target.destination
            other = leads_into(to) if to is not None else ""
            if other in flows and other not in found:
                found.append(other)
    return found


class _Walker(Simulated):
    """One walk: decides at each node what its caller, and the world, will do there."""

    def __init__(
        self,
        flows: Mapping[str, Flow],
        start: str,
        chance: Chance,
        world: SimWorld,
        taken: Counter[tuple[str, str, str]],
    ) -> None:
        self._acts: list[Act] = []
        self._outcomes: dict[str, tuple[Answer, ...]] = {}
        self._flows = flows
        self._chance = chance
        self._taken = taken
        texts = [text for flow in flows.values() for text in _conditions(flow)]
        self._values: list[Answer] = sorted({value for text in texts for value in _constants(text)}, key=str)
        numbers = [value for value in self._values if isinstance(value, str) and value.isdigit()]
        caller = chance.choice([*numbers, world.caller])
        script = Script(self._acts, self._outcomes)  # type: ignore[arg-type]  # a list, for it grows
        super().__init__(playable(flows[start]), script, msgspec.structs.replace(world, caller=caller))

    def tell(self, event: Event) -> None:
        """Decide at each node that is entered; note what came of each that is left."""
        super().tell(event)
        if isinstance(event, NodeEntered):
            self._at = event
            self._decide(self._flows[event.flow].nodes[event.node])
        elif self.left:
            step = self.left[-1]
            self._taken[step.flow, step.node, step.edge] += 1

    def _pick(self, *edges: str) -> str:
        """One of several ways, rather one that was seldom taken."""
        counts = [self._taken[self._at.flow, self._at.node, edge] for edge in edges]
        rare = [edge for edge, count in zip(edges, counts, strict=True) if count == min(counts)]
        return str(self._chance.choice(rare if self._chance.random() < 0.5 else edges))

    def _answer(self, *acts: Act) -> None:
        self._acts += (Asked(to_the_end=True), *acts)

    def _give_up(self, node: Question) -> None:
        """Do nothing, or something wrong, until the tries are used up."""
        retry = self._flows[self._at.flow].retry_of(node)
        wrong: Act = Silence() if self._chance.random() < 0.7 else Keys("D")
        for _ in range(max(retry.noinput, retry.nomatch) + 1):
            self._answer(wrong)

    @singledispatchmethod
    def _decide(self, node: Node) -> None:
        """Nothing is to be decided in most nodes."""

    @_decide.register
    def _in_menu(self, node: Menu) -> None:
        edge = self._pick(*(f"options.{written}" for written in node.options), "retry")
        if edge == "retry":
            return self._give_up(node)
        written = edge.removeprefix("options.")
        if node.words.get(written) and self._chance.random() < 0.3:
            return self._answer(Say(self._chance.choice(node.words[written])))
        return self._answer(Keys(self._chance.choice(split_keys(written))))

    @_decide.register
    def _in_gather(self, node: Gather) -> None:
        edge = self._pick("then", "then", *(f"keys.{key}" for key in node.keys), "retry")
        if edge == "retry":
            return self._give_up(node)
        if edge != "then":
            return self._answer(Keys(edge.removeprefix("keys.")))
        if node.digits is None or (node.speech and self._chance.random() < 0.3):
            return self._answer(Say(self._chance.choice(node.words or ("something",))))
        fewest, most = (node.digits, node.digits) if isinstance(node.digits, int) else node.digits
        asked_for = [
            text for text in map(str, self._values) if text.isdigit() and fewest <= len(text) <= most
        ]
        if asked_for and self._chance.random() < 0.5:
            keys = str(self._chance.choice(asked_for))
        else:
            count = self._chance.randint(max(1, fewest), most)
            keys = "".join(str(self._chance.randint(0, 9)) for _ in range(count))
        return self._answer(Keys(keys + (node.terminator if len(keys) < most else "")))

    @_decide.register
    def _in_survey(self, node: Survey) -> None:
        edge = self._pick("then", "then", *(("low",) if node.low else ()), "retry")
        if edge == "retry":
            return self._give_up(node)
        low, high = int(node.scale[0]), int(node.scale[-1])
        if node.low is not None:
            low, high = (low, node.low.below - 1) if edge == "low" else (max(low, node.low.below), high)
        return self._answer(Keys(str(self._chance.randint(min(low, high), high))))

    @_decide.register
    def _in_hours(self, node: Hours) -> None:
        edges = ("open", "closed", "holiday") if node.holiday else ("open", "closed")
        self._outcomes[node.calendar] = (self._pick(*edges),)

    @_decide.register
    def _in_lookup(self, node: Lookup) -> None:
        edge = self._pick("then", *(f"when.{index}" for index in range(len(node.when))), "failed")
        name = node.source or node.url.rstrip("/").rpartition("/")[2]
        if edge == "failed":
            self._outcomes[name] = (self._chance.choice(("failed", "slow")),)
            return
        found: dict[str, object] = {}
        for field in sorted({*self._fields(f"{node.into}."), *node.answer}):
            _put(found, field.split("."), self._value(node.answer.get(field, "any")))
        self._outcomes[name] = (found,)

    def _fields(self, prefix: str) -> set[str]:
        """What the flows read of a lookup's answer."""
        nodes = [node for flow in self._flows.values() for node in flow.nodes.values()]
        names = [read.name for node in nodes for read in node.reads()]
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def _value(self, kind: str) -> Answer:
        fitting = [value for value in self._values if _fits(value, kind)]
        value: Answer = self._chance.choice([*fitting, *_VALUES[kind]])
        return value

    @_decide.register
    def _in_http(self, node: Http) -> None:
        name = node.url.rstrip("/").rpartition("/")[2]
        self._outcomes[name] = (self._pick("then", "failed"),)

    @_decide.register
    def _in_queue(self, node: Queue) -> None:
        edge = self._pick("then", *(f"exits.{name}" for name in node.exits), "unserved")
        others = [name for name in _OTHER_EXITS if name not in node.exits]
        exits = {"then": "answered", "unserved": self._chance.choice(others)}
        self._outcomes["queue"] = (exits.get(edge, edge.removeprefix("exits.")),)

    @_decide.register
    def _in_dial(self, node: Dial) -> None:
        edge = self._pick("then", "busy", "noanswer", "failed")
        self._outcomes["dial"] = ("far_end" if edge == "then" else edge,)

    @_decide.register
    def _in_transfer(self, node: Transfer) -> None:
        self._outcomes["dial"] = (self._pick("sent", "busy", "noanswer", "failed"),)

    @_decide.register
    def _in_record(self, node: Record) -> None:
        if self._pick("then", "empty") == "then":
            self._acts += (Asked(), Wait(0.5), Say("This is a message."))
        else:
            self._acts += (Asked(), Keys(node.terminators[:1]) if node.terminators else HangUp())

    @_decide.register
    def _in_bot(self, node: Bot) -> None:
        edge = self._pick("then", "failed", *(f"ways.{name}" for name in node.ways))
        wants = edge.removeprefix("ways.") if edge.startswith("ways.") else ""
        self._outcomes["stream"] = ({"ended_by": "lost" if edge == "failed" else "program", "to": wants},)


def _conditions(flow: Flow) -> list[str]:
    return [condition for node in flow.nodes.values() for condition, _ in getattr(node, "when", ())]


def _constants(condition: str) -> list[Answer]:
    """What a condition compares with, and numbers on either side of it."""
    found: list[Answer] = []
    for double, single, number, truth in _LITERAL.findall(condition):
        if number:
            value = float(number) if "." in number else int(number)
            found += [value - 1, value, value + 1]
        elif truth:
            found += [truth == "true", truth != "true"]
        else:
            found.append(double or single)
    return found


def _fits(value: Answer, kind: str) -> bool:
    if kind == "truth":
        return isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind == "any" or (kind == "text" and isinstance(value, str))


def _put(table: dict[str, object], names: Sequence[str], value: object) -> None:
    for name in names[:-1]:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        table = inner
    table.setdefault(names[-1], value)
