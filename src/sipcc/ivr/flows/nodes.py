"""The types of nodes, one struct for each; the fields are the keys of a node's table in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import Meta, Struct, field

from sipcc.call.digits import LengthMatcher, OptionsMatcher
from sipcc.expr import Kind
from sipcc.ivr.flows.answers import Answers, KeysMatcher, listen_for, plain_words
from sipcc.ivr.flows.model import (
    Edge,
    Node,
    Phrase,
    Read,
    Retry,
    Seconds,
    Set,
    condition_reads,
    reads_of,
)
from sipcc.ivr.flows.phrases import constant
from sipcc.ivr.menu import TERMINATOR
from sipcc.ivr.settings import split_keys
from sipcc.ivr.steps import BargeIn, Prompt, prompts
from sipcc.reading.lines import Path

Scalar: TypeAlias = str | int | float | bool

DEADLINE = 2.0
"""Seconds for the answer of a lookup that says nothing else."""

Case: TypeAlias = tuple[str, str]
"""A condition, and the target when it holds."""


class Question(Node, frozen=True, kw_only=True):
    """What the nodes have in common that ask the caller something."""

    asks: ClassVar[bool] = True

    prompt: Phrase = ()
    """What the caller hears."""
    retry: Retry | None = None
    """What happens when no answer or a wrong one comes; the flow's `retry` when not given."""
    timeout: Seconds | None = None
    """Seconds from the end of the prompt to the first key; the flow's when not given."""
    interdigit: Seconds | None = None
    """Seconds from key to key; the flow's when not given."""
    bargein: BargeIn = "any"
    """What cuts the prompt: ``off``, ``keys``, ``speech`` or ``any``."""

    @property
    def answers(self) -> Answers:
        """What counts as an answer; made once."""
        raise NotImplementedError

    @cached_property
    def constant(self) -> tuple[Prompt, ...] | None:
        """The prompt where it is the same in every call, whatever its language and its variables are."""
        items = constant(self.prompt)
        return None if items is None else prompts(items, bargein=self.bargein)

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """The prompt, and what goes before it when it is asked again."""
        own = () if self.retry is None else _retry_says(self.retry)
        return ((("prompt",), self.prompt), *own)


def _retry_says(retry: Retry) -> Iterator[tuple[Path, Phrase]]:
    for key in ("noinput_prompt", "nomatch_prompt"):
        for index, phrase in enumerate(getattr(retry, key)):
            yield ("retry", key, index), phrase


class Menu(Question, frozen=True, kw_only=True, tag="menu"):
    """Keys, or words, lead on."""

    options: dict[str, str]
    """Keys and their targets: ``{"1" = "balance", "0,9" = "agent"}``."""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What may be said in place of an option's keys: ``{"1" = ["balance", "my balance"]}``."""
    into: str = ""
    """The variable that has the keys of the option that was chosen."""

    def edges(self) -> tuple[Edge, ...]:
        """The options."""
        return tuple(
            Edge(f"options.{keys}", to, ("options", keys), keys) for keys, to in self.options.items()
        )

    def sets(self) -> tuple[Set, ...]:
        """The choice."""
        return (Set(self.into, ("into",)),) if self.into else ()

    def choices(self) -> dict[str, str]:
        """Each single key sequence with its option as it is written; of duplicates the first one holds."""
        found: dict[str, str] = {}
        for written in self.options:
            for keys in split_keys(written):
                found.setdefault(keys, written)
        return found

    @cached_property
    def answers(self) -> Answers:
        """The options, by keys and by words."""
        choices = self.choices()
        words = {plain_words(word): option for option, several in self.words.items() for word in several}
        return Answers(
            keys=OptionsMatcher(choices),
            listen=listen_for(word for several in self.words.values() for word in several) if words else None,
            terminators="" if any(TERMINATOR in keys for keys in choices) else TERMINATOR,
            options=choices,
            words=words,
        )


class Gather(Question, frozen=True, kw_only=True, tag="gather"):
    """Keys or words of the caller become a variable."""

    into: str
    """The variable."""
    then: str = ""
    """Where the call goes with the answer."""
    digits: int | tuple[int, int] | None = None
    """How many keys: a number, or the fewest and the most, as in ``[4, 12]``."""
    terminator: str = "#"
    """The key that ends the answer; empty for none."""
    secret: bool = False
    """True for a PIN or a card number: it appears nowhere, and can only be sent to a lookup."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that lead elsewhere instead: ``{"*" = "back"}``. They may not be digits."""
    speech: bool = False
    """Whether the answer may be spoken."""
    words: tuple[str, ...] = ()
    """What the caller may say; empty takes anything."""
    max_time: Seconds | None = None
    """Seconds for the whole answer; none when not given."""

    def edges(self) -> tuple[Edge, ...]:
        """On with the answer, or elsewhere by a key."""
        keys = (Edge(f"keys.{key}", to, ("keys", key), key) for key, to in self.keys.items())
        return (Edge("then", self.then, ("then",)), *keys)

    @cached_property
    def answers(self) -> Answers:
        """So many digits, the keys that lead elsewhere, and words."""
        fewest, most = (self.digits, self.digits) if isinstance(self.digits, int) else self.digits or (1, 1)
        numbers = LengthMatcher(fewest, most, "0123456789") if self.digits is not None else None
        return Answers(
            keys=KeysMatcher(numbers, self.keys) if numbers is not None or self.keys else None,
            listen=listen_for(self.words) if self.speech else None,
            terminators=self.terminator,
        )

    def sets(self) -> tuple[Set, ...]:
        """The answer."""
        return (Set(self.into, ("into",), secret=self.secret),)


class Low(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a low answer."""

    below: int
    """Answers below this are low."""
    then: str
    """The target."""


class Survey(Question, frozen=True, kw_only=True, tag="survey"):
    """A question to be answered with a number, which is kept with the call."""

    store: str
    """What the answer is called in records; the variable of that name has it too."""
    scale: str = "1-5"
    """The lowest and the highest answer, one digit each."""
    then: str = ""
    """Where the call goes with the answer, or without one when `retry` says nothing."""
    low: Low | None = None
    """Another target for callers who are not content."""

    def edges(self) -> tuple[Edge, ...]:
        """On, or to where callers go who are not content."""
        low = (
            () if self.low is None else (Edge("low", self.low.then, ("low", "then"), f"< {self.low.below}"),)
        )
        return (Edge("then", self.then, ("then",)), *low)

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest answer."""
        low, high = self.scale.split("-")
        return int(low), int(high)

    @cached_property
    def answers(self) -> Answers:
        """The numbers of the scale."""
        low, high = self.ends
        scale = OptionsMatcher(str(number) for number in range(low, high + 1))
        return Answers(keys=scale, terminators=TERMINATOR)

    def sets(self) -> tuple[Set, ...]:
        """The answer."""
        return (Set(self.store, ("store",)),)


class Say(Node, frozen=True, kw_only=True, tag="say"):
    """The caller hears something. What is typed meanwhile cuts it, and answers the next question."""

    prompt: Phrase
    """What is heard."""
    bargein: BargeIn = "any"
    """What cuts it; ``off`` for what everybody must hear."""
    then: str = ""
    """Where the call goes on."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        return (Edge("then", self.then, ("then",)),)

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard."""
        return ((("prompt",), self.prompt),)


class Play(Node, frozen=True, kw_only=True, tag="play"):
    """A sound file, or one from an ``http(s)`` URL."""

    audio: str
    """The file or the URL."""
    otherwise: Phrase = ()
    """What is heard when it cannot be had."""
    bargein: BargeIn = "any"
    """What cuts it."""
    then: str = ""
    """Where the call goes on."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        return (Edge("then", self.then, ("then",)),)

    def reads(self) -> tuple[Read, ...]:
        """The names in the source."""
        return (*super().reads(), *reads_of(self.audio, "spoken", ("audio",)))

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard in its place."""
        return ((("otherwise",), self.otherwise),) if self.otherwise else ()


class Hours(Node, frozen=True, kw_only=True, tag="hours"):
    """A calendar decides."""

    calendar: str
    """A calendar of ``[[hours]]``."""
    open: str = ""
    """The target while it is open."""
    closed: str = ""
    """The target while it is closed."""
    holiday: str = ""
    """The target on its holidays; that of `closed` when not given."""

    def edges(self) -> tuple[Edge, ...]:
        """Open, closed, and on holidays."""
        holiday = (Edge("holiday", self.holiday, ("holiday",), "holiday"),) if self.holiday else ()
        closed = Edge("closed", self.closed, ("closed",), "closed")
        return (Edge("open", self.open, ("open",), "open"), closed, *holiday)


class Branch(Node, frozen=True, kw_only=True):
    """What the nodes have in common that decide by conditions."""

    when: tuple[Case, ...] = ()
    """Conditions and targets; the first one that holds decides: ``[["level >= 3", "vip"]]``."""

    def cases(self) -> tuple[Edge, ...]:
        """The conditions' ways."""
        return tuple(
            Edge(f"when.{index}", to, ("when", index, 1), condition)
            for index, (condition, to) in enumerate(self.when)
        )

    def decides_by(self) -> Iterator[Read]:
        """The variables in the conditions."""
        for index, (condition, _) in enumerate(self.when):
            yield from condition_reads(condition, ("when", index, 0))


class Switch(Branch, frozen=True, kw_only=True, tag="switch", rename={"otherwise": "else"}):
    """Conditions decide."""

    otherwise: str = ""
    """The target when none holds; written ``else``."""

    def edges(self) -> tuple[Edge, ...]:
        """The conditions, and the rest."""
        return (*self.cases(), Edge("else", self.otherwise, ("else",), "else"))

    def reads(self) -> tuple[Read, ...]:
        """The variables in the conditions."""
        return tuple(self.decides_by())


class Lookup(Branch, frozen=True, kw_only=True, tag="lookup"):
    """Something is looked up about the caller: by a function that is installed, or over HTTP."""

    into: str
    """What the answer is called: its fields are ``INTO.field``."""
    source: str = ""
    """The name of the function; see `url`."""
    url: str = ""
    """The service, in place of `source`: `send` is posted there as JSON, and the answer is a JSON object."""
    send: dict[str, Scalar] = field(default_factory=dict)
    """What the service is told: ``{"card" = "{card}"}``."""
    authorization: str = ""
    """The Authorization header for the service; ``env:NAME`` keeps it out of the file."""
    answer: dict[str, Kind] = field(default_factory=dict)
    """Fields that the answer must have, and their kind: ``{"level" = "number"}``; else it has failed."""
    deadline: Annotated[float, Meta(gt=0, le=60)] | None = None
    """Seconds for the answer; 2 when not given."""
    cache: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    """Seconds for which the answer to the same question is remembered."""
    wait_prompt: Phrase = ()
    """What is heard when it takes longer than `wait_after`."""
    wait_after: Annotated[float, Meta(ge=0, le=60)] = 1.0
    """Seconds."""
    then: str = ""
    """The target when there is an answer, and no condition holds."""
    failed: str = ""
    """The target when there is none in time, or none that can be read."""

    def edges(self) -> tuple[Edge, ...]:
        """The conditions, the rest, and the way without an answer."""
        failed = Edge("failed", self.failed, ("failed",), "failed")
        return (*self.cases(), Edge("then", self.then, ("then",)), failed)

    def reads(self) -> tuple[Read, ...]:
        """What is sent, decided by and spoken."""
        return (*sent_names(self.send), *self.decides_by(), *super().reads())

    def sets(self) -> tuple[Set, ...]:
        """The answer's fields."""
        return (Set(self.into, ("into",), whole=True),)

    def says(self) -> tuple[tuple[Path, Phrase], ...]:
        """What is heard meanwhile."""
        return ((("wait_prompt",), self.wait_prompt),) if self.wait_prompt else ()


def sent_names(
    values: Mapping[str, Scalar], use: Literal["sent", "stored"] = "sent", key: str = "send"
) -> Iterator[Read]:
    """The names in the values of a table of templates."""
    for name, value in values.items():
        if isinstance(value, str):
            yield from reads_of(value, use, (key, name))


class Http(Node, frozen=True, kw_only=True, tag="http"):
    """A service is told something, but no secret; what it answers does not matter."""

    url: str
    """What is in `send` is posted there as JSON."""
    send: dict[str, Scalar] = field(default_factory=dict)
    """What the service is told."""
    authorization: str = ""
    """The Authorization header; ``env:NAME`` keeps it out of the file."""
    deadline: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """Seconds for the answer."""
    wait: bool = False
    """Whether the call waits for the answer; without, it goes on at once, and `failed` is never taken."""
    then: str = ""
    """Where the call goes on."""
    failed: str = ""
    """The target when the service does not answer with success; that of `then` when not given."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        failed = (Edge("failed", self.failed, ("failed",), "failed"),) if self.failed else ()
        return (Edge("then", self.then, ("then",)), *failed)

    def reads(self) -> tuple[Read, ...]:
        """What is sent."""
        return tuple(sent_names(self.send, "stored"))


class Assign(Node, frozen=True, kw_only=True, tag="set"):
    """Variables get values."""

    values: dict[str, Scalar]
    """The variables and their values; texts are templates."""
    then: str = ""
    """Where the call goes on."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        return (Edge("then", self.then, ("then",)),)

    def reads(self) -> tuple[Read, ...]:
        """The names in the values."""
        return tuple(sent_names(self.values, "stored", "values"))

    def sets(self) -> tuple[Set, ...]:
        """The variables."""
        return tuple(Set(name, ("values", name)) for name in self.values)


class Language(Node, frozen=True, kw_only=True, tag="language"):
    """The call goes on in another language."""

    language: str
    """Such as ``en`` or ``zh-CN``."""
    then: str = ""
    """Where the call goes on."""

    def edges(self) -> tuple[Edge, ...]:
        """On."""
        return (Edge("then", self.then, ("then",)),)
