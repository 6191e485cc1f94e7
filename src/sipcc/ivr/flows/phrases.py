"""What callers hear, as people write it in a flow, made plain.

| written | heard |
|---|---|
| ``"welcome"``, ``"sounds/hello.wav"`` | the prompt of that name in the catalogue |
| ``"Welcome to the bank, {name}."`` | the text, by a voice: anything that is no single plain word |
| ``{prompt = "..."}``, ``{text = "..."}`` | the same two, where the rule above guesses wrong |
| ``{text = "...", voice = "..."}`` | the text by another voice; with `language`, in another language |
| ``{say = "money", value = "{balance}"}`` | a value; the kinds are those of `sipcc.ivr.say` |
| ``{audio = "https://...", otherwise = "..."}`` | a sound, and what is heard when it cannot be had |
| ``{silence = 0.5}`` | nothing, for so many seconds |
| ``{zh = "...", en = "..."}`` | one of these, by the language of the call |
| ``["...", {...}]`` | one after the other |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sipcc.ivr.flows.model import Phrase, Said, Variants, fill, names_in
from sipcc.ivr.say import base_language, kinds
from sipcc.ivr.steps import Audio, Named, Silence, Spoken, Text, Value
from sipcc.reading.convert import did_you_mean, shown
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path

_NAME = re.compile(r"[A-Za-z0-9_./:-]+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_KEYS = {
    "prompt": frozenset({"prompt", "language"}),
    "text": frozenset({"text", "language", "voice"}),
    "say": frozenset({"say", "value", "language"}),
    "audio": frozenset({"audio", "otherwise", "offset"}),
    "silence": frozenset({"silence"}),
}
_HINT = 'write a prompt\'s name, a text in quotes, or as in {say = "number", value = "{balance}"}'


def plain(written: Any, path: Path, report: Report) -> list[dict[str, Any]]:
    """What is `written` as a list of tables that each say their ``type``; mistakes go to `report`."""
    if isinstance(written, str):
        return _text(written, path, report)
    if isinstance(written, list):
        for index, one in enumerate(written):
            if one == "":
                report.error((*path, index), "nothing is heard here", "write what is heard, or take it out")
        return [item for index, one in enumerate(written) for item in plain(one, (*path, index), report)]
    if isinstance(written, dict) and written:
        return _table(written, path, report)
    report.error(path, f"expected something to be heard, found {shown(written)}", _HINT)
    return []


def _text(text: str, path: Path, report: Report) -> list[dict[str, Any]]:
    if not text:
        return []
    if _NAME.fullmatch(text):
        return [{"type": "prompt", "name": text}]
    return [{"type": "text", "text": _template(text, path, report)}]


def _table(written: dict[str, Any], path: Path, report: Report) -> list[dict[str, Any]]:
    kind = next((kind for kind in _KEYS if kind in written), None)
    if kind is None:
        return _variants(written, path, report)
    for key in written.keys() - _KEYS[kind]:
        report.error((*path, key), f"unknown key {key!r}", did_you_mean(key, _KEYS[kind]))
    if kind == "text" and isinstance(written["text"], dict):
        voice = {"voice": written["voice"]} if "voice" in written else {}
        texts = {name: {"text": text, **voice} for name, text in written["text"].items()}
        return _variants(texts, (*path, "text"), report)
    for key in written.keys() & {"prompt", "text", "say", "value", "audio", "language", "voice"}:
        if not isinstance(written[key], str):
            report.error((*path, key), f"expected a text in quotes, found {shown(written[key])}")
            return []
    offset = written.get("offset", 0)
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset <= 86400:
        report.error((*path, "offset"), f"expected seconds, found {shown(offset)}", "write 0 or more")
    rest: dict[str, Any] = {key: written[key] for key in ("language", "voice", "offset") if key in written}
    match kind:
        case "prompt":
            return [{"type": "prompt", "name": written["prompt"], **rest}]
        case "text":
            return [{"type": "text", "text": _template(written["text"], path, report), **rest}]
        case "say":
            return _value(written, rest, path, report)
        case "audio":
            other = plain(written.get("otherwise", []), (*path, "otherwise"), report)
            source = _template(written["audio"], (*path, "audio"), report)
            return [{"type": "audio", "source": source, "fallback": other, **rest}]
    seconds = written["silence"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 60:
        report.error((*path, "silence"), f"expected seconds, found {shown(seconds)}", "write 0 to 60")
    return [{"type": "silence", "seconds": seconds}]


def _value(written: dict[str, Any], rest: dict[str, Any], path: Path, report: Report) -> list[dict[str, Any]]:
    if written["say"] not in kinds():
        report.error(
            (*path, "say"), f"{written['say']!r} is no kind of value", did_you_mean(written["say"], kinds())
        )
    if "value" not in written:
        report.error(path, "the key 'value' is missing", 'as in {say = "number", value = "{balance}"}')
        return []
    value = _template(written["value"], (*path, "value"), report)
    return [{"type": "value", "kind": written["say"], "value": value, **rest}]


def _variants(written: dict[str, Any], path: Path, report: Report) -> list[dict[str, Any]]:
    for key in written:
        if _LANGUAGE.fullmatch(key) is None:
            report.error((*path, key), f"{key!r} is neither a language nor a key of a prompt", _HINT)
            return []
    said = {key: plain(one, (*path, key), report) for key, one in written.items()}
    for key, items in said.items():
        if any(item["type"] == "variants" for item in items):
            report.error((*path, key), "a language stands within a language", "give each language its texts")
    return [{"type": "variants", "said": said}]


def _template(text: str, path: Path, report: Report) -> str:
    try:
        for _ in names_in(text):
            pass
    except ValueError as error:
        report.error(path, str(error))
    return text


def spoken(
    phrase: Phrase, language: str, values: Callable[[str], object], voice: str = ""
) -> tuple[Spoken, ...]:
    """`phrase` with the values of its names, in the call's language.

    Args:
        phrase: What is to be heard.
        language: The language of the call.
        values: What a name stands for.
        voice: Reads the texts that name no voice; empty for the voice of the language.
    """
    return tuple(item for said in phrase for item in _spoken(said, language, values, voice))


def constant(phrase: Phrase) -> tuple[Spoken, ...] | None:
    """What is heard where that is the same in every call: without names and languages; else None."""
    found: list[Spoken] = []
    for said in phrase:
        match said:
            case Named() | Silence():
                found.append(said)
            case Text() if "{" not in said.text and "}" not in said.text:
                found.append(said)
            case _:
                return None
    return tuple(found)


def _spoken(said: Said, language: str, values: Callable[[str], object], voice: str) -> tuple[Spoken, ...]:
    match said:
        case Text():
            return (Text(fill(said.text, values), said.language, said.voice or voice),)
        case Value():
            return (Value(said.kind, fill(said.value, values), said.language),)
        case Audio():
            other = tuple(
                spoken
                for one in said.fallback
                for spoken in _spoken(one, language, values, voice)  # type: ignore[arg-type]  # no mark in it
            )
            return (Audio(fill(said.source, values), other, said.offset),)
        case Variants():
            chosen = variant(said.said, language)
            return tuple(item for one in chosen for item in _spoken(one, language, values, voice))
        case Named() | Silence():
            return (said,)


def variant(said: Mapping[str, tuple[Any, ...]], language: str) -> tuple[Any, ...]:
    """The one for `language`, or for what is nearest to it."""
    return said[nearest_language(language, tuple(said))] if said else ()


def nearest_language(language: str, known: Sequence[str]) -> str:
    """That of `known` which is `language`, the same one spoken elsewhere, or else the first."""
    if language in known:
        return language
    near = (name for name in known if base_language(name) == base_language(language))
    return next(near, known[0])
