"""Rules about what is said and known in a flow: E06, W07, E16, E17, E18."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sipcc.ivr.flows.check import Fault, Rule, View
from sipcc.ivr.flows.model import BUILT_IN, Edge, Phrase, Said, Set, Variants
from sipcc.ivr.flows.nodes import Http, Lookup, Play
from sipcc.ivr.lengths import SoundFacts, facts_of
from sipcc.ivr.prompts import cure_of, is_special
from sipcc.ivr.say import LANGUAGES, base_language, say
from sipcc.ivr.steps import Audio, Named, Text, Value
from sipcc.reading.lines import Path

LONGEST: Final = 30.0
"""Seconds; nobody listens to more."""

LOWEST_HZ: Final = 8000
SILENT: Final = 0.001
"""The loudest sample of a file in which there is nothing to hear: 60 dB below full scale."""

_LETTER: Final = re.compile(r"[^\W\d_]")
_BRACES: Final = re.compile(r"\{[^{}]*\}")
_WITHOUT: Final = ("retry", "failed", "empty")
"""Ways on which a node has not set its variables."""


# -- what is said --------------------------------------------------------------------------------------------


def said(view: View) -> Iterator[Fault]:
    """E06 and W07."""
    for name, node in view.flow.nodes.items():
        for path, phrase in node.says():
            for item in phrase:
                yield from _item(view, name, path, item)
        if isinstance(node, Play) and "{" not in node.audio and "://" not in node.audio:
            yield from _file(view, name, ("audio",), node.audio)
    for path, phrase in _head_says(view):
        for item in phrase:
            yield from _item(view, "", path, item)


def _head_says(view: View) -> Iterator[tuple[Path, Phrase]]:
    """What the flow's own retry says, where a question uses it."""
    retry = view.flow.head.retry
    nodes = [node for node in view.flow.nodes.values() if node.asks and view.flow.retry_of(node) is retry]
    if nodes:
        for key, count in (("noinput_prompt", retry.noinput), ("nomatch_prompt", retry.nomatch)):
            for index, phrase in enumerate(getattr(retry, key) if count else ()):
                yield ("retry", key, index), phrase


def _item(view: View, node: str, path: Path, item: Said) -> Iterator[Fault]:
    match item:
        case Variants():
            yield from _variants(view, node, path, item)
        case Named():
            yield from _prompt(view, node, path, item.name, item.language)
        case Audio() if "{" not in item.source and "://" not in item.source:
            yield from _file(view, node, path, item.source)
        case Text():
            yield from _text(view, node, path, item)
        case Value() if "{" not in item.value:
            yield from _constant(view, node, path, item)
        case _:
            return


def _variants(view: View, node: str, path: Path, item: Variants) -> Iterator[Fault]:
    there = {base_language(language) for language in item.said}
    for language in view.languages if view.flow.head.languages else ():
        if base_language(language) not in there:
            message = f"nothing is said in {language!r}"
            yield Fault("E06", node, path, message, f"add {base_language(language)} = ... beside the others")
    for language, items in item.said.items():
        for each in items:
            if isinstance(each, Named):
                yield from _prompt(view, node, path, each.name, each.language or language)
            elif isinstance(each, Text):
                yield from _length(view, node, path, each.text)
            elif isinstance(each, Value) and "{" not in each.value:
                yield from _constant(view, node, path, each, each.language or language)


def _length(view: View, node: str, path: Path, text: str) -> Iterator[Fault]:
    """Voices read no text that is longer than the settings say, and none without a word."""
    if not text.strip():
        yield Fault("E06", node, path, "the text is empty", "write what is heard, or take it out")
    elif len(text) > view.world.longest:
        message = f"the text has {len(text)} characters, more than {view.world.longest}"
        yield Fault("E06", node, path, message, "cut it in two, or raise [speech] longest")


def _constant(view: View, node: str, path: Path, item: Value, language: str = "") -> Iterator[Fault]:
    """A value that is written in the flow must be one of its kind."""
    wanted = item.language or language or view.languages[0]
    try:
        say(item.kind, item.value, wanted if base_language(wanted) in LANGUAGES else "en")
    except ValueError as error:
        message = f"{item.value!r} cannot be said: {error}"
        yield Fault("E06", node, path, message, f"write a value of the kind {item.kind}")


def _text(view: View, node: str, path: Path, item: Text) -> Iterator[Fault]:
    """A text is in one language; where callers have several, others would hear it read wrongly."""
    text = item.text
    yield from _length(view, node, path, text)
    several = {base_language(language) for language in view.languages}
    if not item.language and len(several) > 1 and _LETTER.search(_BRACES.sub("", text)):
        message = f"the text is in one language, and callers have {' and '.join(sorted(several))}"
        hint = "write it for each: {" + ", ".join(f'{each} = "..."' for each in sorted(several)) + "}"
        yield Fault("E06", node, path, message, hint)


def _prompt(view: View, node: str, path: Path, name: str, language: str) -> Iterator[Fault]:
    catalogue = view.world.catalogue
    if catalogue is None or "{" in name:
        return
    for wanted in (language,) if language else view.languages:
        gaps = catalogue.missing((name,), wanted)
        for gap in gaps:
            hint = cure_of(gap.name, f"the prompts' folder {wanted}/")
            yield Fault("E06", node, path, gap.message, hint)
        found = None if gaps or is_special(name) else catalogue.find(name, wanted)
        if found is not None and found.path is not None:
            yield from _sound(node, path, name, facts_of(str(found.path)))


def _file(view: View, node: str, path: Path, source: str) -> Iterator[Fault]:
    if view.world.catalogue is not None:
        yield from _prompt(view, node, path, source, "")


def _sound(node: str, path: Path, name: str, facts: SoundFacts) -> Iterator[Fault]:
    if facts.error:
        yield Fault("W07", node, path, f"{name!r} cannot be read: {facts.error}", "record it again as WAV")
    elif facts.rate_hz < LOWEST_HZ:
        message = f"{name!r} has {facts.rate_hz} samples per second, and sounds dull"
        yield Fault("W07", node, path, message, f"record it with {LOWEST_HZ} or more")
    elif facts.peak < SILENT:
        hint = "record it again, or write silence:MILLISECONDS"
        yield Fault("W07", node, path, f"there is nothing to hear in {name!r}", hint)
    elif facts.seconds > LONGEST:
        message = f"{name!r} is {facts.seconds:.0f} seconds long"
        yield Fault("W07", node, path, message, f"say it in {LONGEST:.0f} seconds")


# -- variables -----------------------------------------------------------------------------------------------


def variables(view: View) -> Iterator[Fault]:
    """E16: what has surely a value wherever a node is reached; conditions may ask for what is not there.

    A condition is only wrong when no node at all sets what it asks for.
    """
    before = _before(view)
    ever = {(each.name, each.whole) for node in view.flow.nodes.values() for each in node.sets()}
    ever |= before.get(view.flow.start, set())
    for name, node in view.flow.nodes.items():
        if name not in before:
            continue
        own = {(each.name, each.whole) for each in node.sets()}
        for read in node.reads():
            having = ever if read.use == "condition" else before[name]
            having = having | own if read.path[0] in ("when", "low") else having
            if not _has(having, read.name):
                message = f"{read.name!r} is read, and may not have a value here"
                hint = "set it on every way to here, or name it in `needs`"
                yield Fault("E16", name, read.path, message, hint)


def _before(view: View) -> dict[str, set[tuple[str, bool]]]:
    """The variables that have a value at each node, whichever way the call came."""
    head = view.flow.head
    start = {(name, False) for name in BUILT_IN} | {(name, True) for name in head.needs}
    before: dict[str, set[tuple[str, bool]]] = {view.flow.start: start}
    todo = [view.flow.start]
    while todo:
        name = todo.pop()
        own = {(each.name, each.whole) for each in view.ways.node(name).sets()}
        for way in view.ways.of[name]:
            after = before[name] | own if _sets(way.edge) else before[name]
            if not way.following:
                continue
            known = before.get(way.following)
            meet = after if known is None else known & after
            if meet != known:
                before[way.following] = set(meet)
                todo.append(way.following)
    return before


def _sets(edge: Edge) -> bool:
    return edge.name not in _WITHOUT and not edge.name.startswith("keys.")


def _has(having: set[tuple[str, bool]], name: str) -> bool:
    if (name, False) in having or (name, True) in having:
        return True
    parts = name.split(".")
    return any((".".join(parts[:end]), True) in having for end in range(1, len(parts)))


def secrets(view: View) -> Iterator[Fault]:
    """E17: a secret may be sent to a lookup, and nothing else."""
    secret = {each.name for node in view.flow.nodes.values() for each in node.sets() if each.secret}
    words = {"spoken": "spoken", "stored": "stored or shown", "condition": "what a condition decides by"}
    for name, node in view.flow.nodes.items():
        for read in node.reads():
            told = "told by an http node" if isinstance(node, Http) else words.get(read.use)
            if read.name in secret and told:
                message = f"the secret {read.name!r} is {told}"
                hint = "send it to a lookup, and go by the answer"
                yield Fault("E17", name, read.path, message, hint)
        twice: list[Set] = [each for each in node.sets() if each.name in secret and not each.secret]
        for each in twice:
            message = f"{each.name!r} is a secret elsewhere, and not here"
            yield Fault("E17", name, each.path, message, "give it another name, or secret = true")


def lookups(view: View) -> Iterator[Fault]:
    """E18."""
    for name, node in view.flow.nodes.items():
        if not isinstance(node, Lookup):
            continue
        if node.deadline is None:
            hint = "add deadline = 0.8, in seconds"
            yield Fault("E18", name, (), "nothing says how long the caller waits for the answer", hint)
        if not node.failed and not view.flow.head.fallback:
            hint = 'add failed = "NODE", or a `fallback` to the flow'
            yield Fault("E18", name, (), "nothing says where callers go when there is no answer", hint)


RULES: Final[tuple[Rule, ...]] = (said, variables, secrets, lookups)
