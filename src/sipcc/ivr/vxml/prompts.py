"""Prompts: what an element says, put together when it is its turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urljoin

from sipcc.ivr.js import UNDEFINED
from sipcc.ivr.speech.ssml import SsmlBuilder
from sipcc.ivr.steps import Audio, BargeIn, Prompt
from sipcc.ivr.vxml.errors import semantic
from sipcc.ivr.vxml.foreach import rounds
from sipcc.ivr.vxml.machine import RECORDING, Machine
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.properties import DEFAULTS, flag, seconds
from sipcc.ivr.vxml.scope import Place

BARE: Final = frozenset({"audio", "value", "enumerate"})
"""What may stand without <prompt> among other content, like text."""

_MARKUP: Final = frozenset(
    {"break", "desc", "emphasis", "lexicon", "meta", "metadata", "p", "paragraph", "phoneme", "prompt",
     "prosody", "s", "say-as", "sentence", "sub", "voice"}
)  # fmt: skip
"""What `SsmlBuilder` knows to say as it stands."""


_FETCHING: Final = {"fetchtimeout": "fetchtimeout", "maxage": "audiomaxage", "maxstale": "audiomaxstale"}
"""Attributes of <audio>, and the properties that hold without them."""


def selected(prompts: Iterable[Element], count: int, place: Place) -> list[Element]:
    """The prompts that are heard at the count-th visit (VoiceXML 2.0 §4.1.6)."""
    held = []
    for prompt in prompts:
        condition = prompt.get("cond")
        if condition is None or place.test(condition):
            held.append((_count_of(prompt), prompt))
    right = max((of for of, _ in held if of <= count), default=None)
    return [prompt for of, prompt in held if of == right]


def _count_of(prompt: Element) -> int:
    text = (prompt.get("count") or "1").strip()
    if not text.isdigit():
        raise semantic(f"count={text!r} is no number")
    return int(text)


def say_prompt(machine: Machine, place: Place, prompt: Element) -> None:
    """Let a <prompt> wait to be played."""
    timeout = prompt.get("timeout")
    barge = prompt.get("bargein") or machine.property(place, "bargein")
    kind = prompt.get("bargeintype") or machine.property(place, "bargeintype")
    made = _Speech(machine, place, prompt.language).prompt(prompt.children, barge, kind)
    machine.say(made, None if timeout is None else seconds(timeout, "timeout"))


def say_bare(machine: Machine, place: Place, content: Sequence[Element | str]) -> None:
    """Let text, sounds and values that stand without <prompt> wait to be played."""
    barge, kind = machine.property(place, "bargein"), machine.property(place, "bargeintype")
    machine.say(_Speech(machine, place, place.element.language).prompt(content, barge, kind))


def say_visit(machine: Machine, place: Place, item: Element, count: int) -> None:
    """Let the prompts of a form item wait that are heard at its count-th visit.

    Text, sounds and values that stand in the item itself are prompts of the first count.
    """
    prompts = selected(item.elements("prompt"), count, place)
    highest = max((_count_of(prompt) for prompt in prompts), default=1)
    bare: list[Element | str] = []
    for child in item.children:
        if isinstance(child, str) or child.tag in BARE:
            bare.append(child)
        elif child.tag == "prompt":
            if highest == 1:
                say_bare(machine, place, bare)
            bare = []
            if child in prompts:
                say_prompt(machine, place, child)
    if highest == 1:
        say_bare(machine, place, bare)


class _Speech:
    """Puts together what is said, in a place: what is VoiceXML's own becomes SSML for an `SsmlBuilder`."""

    def __init__(self, machine: Machine, place: Place, language: str) -> None:
        """`language` is the one that holds where the content begins; empty for the call's."""
        self._machine = machine
        self._place = place
        self._builder = SsmlBuilder(language=language)

    def prompt(self, content: Sequence[Element | str], barge: str, kind: str) -> Prompt:
        """A prompt of some content."""
        if not any(not isinstance(child, str) or child.strip() for child in content):
            return Prompt(items=())
        if kind not in ("speech", "hotword", "energy", "recognition"):
            raise semantic(f"bargeintype={kind!r} is neither speech nor hotword")
        cut: BargeIn = "any" if flag(barge, "bargein") else "off"
        self._add(content)
        items = self._builder.close()
        return Prompt(items=items, bargein=cut, hotword=kind in ("hotword", "recognition"))

    def _add(self, content: Sequence[Element | str]) -> None:
        for child in content:
            if isinstance(child, str):
                self._builder.text(child)
            else:
                self._element(child)

    def _element(self, element: Element) -> None:
        self._machine.step(element)
        self._place.see(element)
        match element.tag:
            case "value":
                text = self._place.text(element.attributes["expr"])
                if path := self._machine.recordings.get(text):
                    self._builder.add(Audio(path))
                else:
                    self._builder.text(text)
            case "audio":
                self._audio(element)
            case "mark":
                expression = element.get("nameexpr")
                name = element.get("name") if expression is None else self._place.text(expression)
                self._inside(element, {"name": name or ""})
            case "foreach":
                for _ in rounds(self._place, element):
                    self._add(element.children)
            case "enumerate":
                self._enumerate(element)
            case tag if tag in _MARKUP:
                self._inside(element, {})

    def _inside(self, element: Element, known: Mapping[str, str]) -> None:
        """An element of SSML with what is in it; `known` are attributes that were found out here."""
        attributes = {**element.attributes, **known}
        attributes.pop("xml:base", None)  # URLs are absolute already
        self._builder.start(element.tag, attributes)
        self._add(element.children)
        self._builder.end()

    def _audio(self, element: Element) -> None:
        source = element.get("src")
        expression = element.get("expr")
        if expression is not None:
            # "If it evaluates to undefined, the element, with its content, is ignored" (§4.1.3).
            if self._place.json(expression) is UNDEFINED:
                return
            source = self._place.text(expression)
        assert source is not None  # <audio> has either, by the check of documents
        if not source.startswith(RECORDING):
            url = urljoin(self._place.base_of(element), source.strip())
            self._inside(element, {**self._fetching(), **element.attributes, "src": url})
        elif path := self._machine.recordings.get(source, ""):
            self._inside(element, {"src": path})
        else:
            self._add(element.children)

    def _fetching(self) -> dict[str, str]:
        """What properties say of how sounds are fetched, other than by default."""
        found = {}
        for attribute, name in _FETCHING.items():
            value = self._machine.property(self._place, name)
            if value != DEFAULTS.get(name, ""):
                found[attribute] = value
        return found

    def _enumerate(self, element: Element) -> None:
        template = (
            element.children if any(not isinstance(c, str) or c.strip() for c in element.children) else None
        )
        outer = self._place
        for text, keys in self._options():
            if template is None:
                self._builder.text(f" {text}; ")
                continue
            self._place = outer.inner()
            scope = self._place.chain[-1]
            self._place.engine.set(scope, "_prompt", text)
            self._place.engine.set(scope, "_dtmf", keys)
            self._add(template)
            self._builder.text(" ")
        self._place = outer

    def _options(self) -> list[tuple[str, str]]:
        """The texts and the keys of the choices of this menu, or of the options of this field."""
        for element in self._place.elements:
            if element.tag in ("menu", "field"):
                found = options_of(element)
                if found:
                    return found
        raise semantic("<enumerate> is for menus, and for fields with options")


def options_of(element: Element) -> list[tuple[str, str]]:
    """Text and keys of each choice or option; a menu with dtmf=true numbers the first nine without keys."""
    numbered = element.tag == "menu" and element.get("dtmf") == "true"
    made, number = [], 0
    for option in element.elements("choice", "option"):
        keys = "".join((option.get("dtmf") or "").split())
        if not keys and numbered and number < 9:
            number += 1
            keys = str(number)
        made.append((" ".join(spoken_text(option).split()), keys))
    return made


def spoken_text(option: Element) -> str:
    """The text of a choice, without its grammar."""
    return "".join(
        child if isinstance(child, str) else child.all_text
        for child in option.children
        if isinstance(child, str) or child.tag != "grammar"
    )
