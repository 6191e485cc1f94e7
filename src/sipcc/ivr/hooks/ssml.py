"""SSML in texts of applications, as what can be said: pauses and values; the rest is read as plain text."""

from __future__ import annotations

import re

from sipcc.ivr.hooks.model import BadAnswer
from sipcc.ivr.hooks.xmltree import Element, parse
from sipcc.ivr.say import say
from sipcc.ivr.steps import Mark, Silence, Spoken, Text, Value

ELEMENTS = frozenset(
    {
        "break",
        "emphasis",
        "lang",
        "mark",
        "p",
        "phoneme",
        "prosody",
        "s",
        "say-as",
        "speak",
        "sub",
        "voice",
        "w",
    }
)
"""What may stand in a text."""

_STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.75, "x-strong": 1.0}
_TIME = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)(ms|s)")
_KINDS = {
    "number": "number", "cardinal": "number", "ordinal": "ordinal", "digits": "digits", "telephone": "phone",
    "date": "date", "time": "time", "currency": "money", "duration": "duration",
}  # fmt: skip
"""What ``interpret-as`` is called here."""


def said(text: str, language: str, voice: str, at: str) -> tuple[Spoken, ...]:
    """What a text that begins with ``<speak`` says; `at` is its place for errors."""
    try:
        return inside(parse(text.encode()), language, voice)
    except BadAnswer as error:
        raise BadAnswer(at, f"SSML {error.where}: {error.message}") from None


def inside(element: Element, language: str, voice: str) -> tuple[Spoken, ...]:
    """What stands in an element, in its order."""
    found: list[Spoken] = []
    for part in element.content:
        if isinstance(part, str):
            text = " ".join(part.split())
            if text:
                _add(found, text, language, voice)
        elif part.name not in ELEMENTS:
            raise part.wrong(f"{part.name} cannot stand in a text; known are {', '.join(sorted(ELEMENTS))}")
        else:
            _one(part, found, language, voice)
    return tuple(found)


def _add(found: list[Spoken], text: str, language: str, voice: str) -> None:
    """Add words; those that follow words in the same voice are read in one breath."""
    last = found[-1] if found else None
    if isinstance(last, Text) and (last.language, last.voice) == (language, voice):
        found[-1] = Text(f"{last.text} {text}", language, voice)
    else:
        found.append(Text(text, language, voice))


def _one(element: Element, found: list[Spoken], language: str, voice: str) -> None:
    attributes = element.attributes
    match element.name:
        case "break":
            found.append(Silence(_pause(element)))
        case "mark":
            found.append(Mark(attributes.get("name", "")))
        case "sub":
            _add(found, attributes.get("alias", element.own_text), language, voice)
        case "say-as":
            found.append(_value(element, language, voice))
        case _:
            language = attributes.get("xml:lang", language)
            if element.name == "voice":
                voice = attributes.get("name", voice)
            for item in inside(element, language, voice):
                if isinstance(item, Text):
                    _add(found, item.text, item.language, item.voice)
                else:
                    found.append(item)


def _pause(element: Element) -> float:
    time = element.attributes.get("time")
    if time is None:
        strength = element.attributes.get("strength", "medium")
        if strength not in _STRENGTHS:
            raise element.wrong(f"strength={strength!r} is none of {', '.join(_STRENGTHS)}")
        return _STRENGTHS[strength]
    read = _TIME.fullmatch(time.strip())
    if read is None:
        raise element.wrong(f"time={time!r} is no time; as in 500ms or 2s")
    return min(float(read[1]) / (1000 if read[2] == "ms" else 1), 60.0)


def _value(element: Element, language: str, voice: str) -> Spoken:
    """A value in the words of its kind; what is none of it, or of no kind that we know, is read as text."""
    kind, text = _KINDS.get(element.attributes.get("interpret-as", "")), element.own_text
    wanted = element.attributes.get("interpret-as")
    if wanted in ("characters", "spell-out", "verbatim"):
        return Text(" ".join(text), language, voice)
    if kind is not None:
        try:
            say(kind, text, language or "en")
            return Value(kind, text, language)
        except ValueError:
            pass
    return Text(text, language, voice)
