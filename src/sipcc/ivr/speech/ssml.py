"""SSML as what can be said, as a core: text with marks in it becomes `sipcc.ivr.steps.Spoken` items.

| element | becomes |
|---|---|
| text | `Text`; what follows in the same language and voice is read in one breath |
| ``break`` | `Silence`: ``time``, or by ``strength`` |
| ``say-as`` | `Value`, or a `Text` where it is none; see `sipcc.ivr.speech.sayas.say_as` |
| ``sub`` | `Text` of its ``alias`` |
| ``audio`` | `Audio` of its ``src``; what stands in it is its fallback; ``clipBegin`` is its offset |
| | its ``fetchtimeout``, ``maxage`` and ``maxstale`` say how it is fetched |
| ``mark`` | `Mark` |
| ``voice``, ``lang``, ``xml:lang`` | the voice (``name``) and the language of what is in them |
| ``p``, ``s`` | what is in them, with a short silence after a paragraph |
| ``emphasis``, ``prosody``, ``phoneme``, ``w``, ``token`` | the text in them, as plain text |
| ``desc``, ``lexicon``, ``lookup``, ``meta``, ``metadata`` | nothing |

`read_ssml` reads a document. Who has a tree of its own (VoiceXML, TwiML) feeds a `SsmlBuilder`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urljoin

from sipcc.ivr.speech.sayas import say_as
from sipcc.ivr.speech.voice import SpeechError
from sipcc.ivr.steps import Audio, Mark, Silence, Spoken, Text
from sipcc.ivr.xmlread import Element, XmlError, XmlLimits, read

MAX_CHARACTERS: Final = 200_000
MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 5000

PARAGRAPH_S: Final = 0.4
"""Silence between two paragraphs, in seconds."""

LONGEST_BREAK_S: Final = 60.0

STRENGTHS: Final[Mapping[str, float]] = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.75, "x-strong": 1.0,
}  # fmt: skip
"""The silence of each strength of a ``break``, in seconds."""

SIZES: Final[Mapping[str, str]] = {"none": "none", "small": "weak", "medium": "medium", "large": "strong"}
"""The strength of each ``size`` that a ``break`` had before SSML 1.0, as in VoiceXML 1.0."""

ELEMENTS: Final = frozenset(
    {"audio", "break", "desc", "emphasis", "lang", "lexicon", "lookup", "mark", "meta", "metadata", "p",
     "paragraph", "phoneme", "prosody", "s", "say-as", "sentence", "speak", "sub", "token", "voice", "w"}
)  # fmt: skip
"""Every element that SSML 1.0 and 1.1 have."""

_FRAME: Final = ("<speak>", "</speak>")
_LIMITS: Final = XmlLimits(max_bytes=MAX_CHARACTERS + 20, max_depth=MAX_DEPTH, max_elements=MAX_ELEMENTS)
_SILENT = frozenset({"desc", "lexicon", "lookup", "meta", "metadata"})
_APART = frozenset({"audio", "p", "paragraph", "s", "sentence", "speak"})
"""What never runs on into the words before and after it, as ``emphasis`` does."""
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(ms|s)")


class SsmlError(SpeechError):
    """A text is no SSML; the message tells line and column."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


def read_ssml(
    text: str, *, language: str = "", voice: str = "", base: str = "", strict: bool = False
) -> tuple[Spoken, ...]:
    """What an SSML document says; the text may also be a fragment without ``speak`` round it.

    Args:
        text: The document. It has no document type, and no entities but XML's own five.
        language: Where the document names none; empty for the call's.
        voice: Where the document names none.
        base: The URL by which a relative ``src`` goes; ``xml:base`` goes before it.
        strict: True refuses elements that SSML has not; else what is in them is read.

    Raises:
        SsmlError: it is no XML, too large, too deep, or has a document type; with line and column.
    """
    if len(text) > MAX_CHARACTERS:
        raise SsmlError(f"more than {MAX_CHARACTERS} characters", line=1, column=1)
    bare = not text.lstrip().startswith(("<?xml", "<speak"))
    shift = len(_FRAME[0]) if bare else 0
    builder = SsmlBuilder(language=language, voice=voice, base=base)
    try:
        root = read(text.join(_FRAME) if bare else text, limits=_LIMITS, blanks=True)
        feed(builder, [root], strict=strict)
    except XmlError as error:
        column = error.column - (shift if error.line == 1 else 0)
        raise SsmlError(error.problem, line=error.line, column=max(1, column)) from None
    return builder.close()


def feed(builder: SsmlBuilder, content: Iterable[Element | str], *, strict: bool) -> None:
    """Give a builder what stands in a document, in its order; see `read_ssml`.

    Raises:
        XmlError: with `strict`, an element is none of SSML's.
    """
    for part in content:
        if isinstance(part, str):
            builder.text(part)
            continue
        if strict and part.tag.rpartition(":")[2] not in ELEMENTS:
            raise XmlError(f"there is no element {part.tag!r} in SSML", part.line, part.column)
        builder.start(part.tag, part.attributes)
        feed(builder, part.children, strict=strict)
        builder.end()


class SsmlBuilder:
    """Makes `Spoken` items of elements and texts in their order.

    `start` and `end` frame an element, `text` and `add` put something into it; `close` gives what came of it.
    """

    def __init__(self, *, language: str = "", voice: str = "", base: str = "") -> None:
        self._open: list[_Open] = [_Open("", {}, language, voice, base)]

    @property
    def language(self) -> str:
        """That of what would come next; empty for the call's."""
        return self._open[-1].language

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins; a prefix of its name goes for nothing."""
        name = name.rpartition(":")[2]
        outer = self._open[-1]
        language = attributes.get("xml:lang") or outer.language
        voice = outer.voice
        if name == "voice":
            voice = attributes.get("name", "").split()[0] if attributes.get("name", "").split() else voice
        base = urljoin(outer.base, attributes["xml:base"]) if "xml:base" in attributes else outer.base
        self._open.append(_Open(name, attributes, language, voice, base))

    def text(self, text: str) -> None:
        """Words, with any blanks."""
        self._open[-1].words.append(text)

    def add(self, item: Spoken) -> None:
        """Something that stands here and is no SSML."""
        self._open[-1].flush()
        self._open[-1].add(item)

    def end(self) -> None:
        """The element that began last ends."""
        done = self._open.pop()
        outer = self._open[-1]
        if done.name in _SILENT:
            return
        if done.name in ("break", "mark") or (done.name in ("say-as", "sub") and not done.items):
            outer.put(_leaf(done))
            return
        if done.name not in _APART and not done.items and _alike(done, outer):
            outer.words += done.words
            return
        done.flush()
        if done.name == "audio":
            outer.put(_audio(done))
            return
        if done.name in ("p", "paragraph") and done.items:
            done.items.append(Silence(PARAGRAPH_S))
        outer.flush()
        for item in done.items:
            outer.add(item)

    def close(self) -> tuple[Spoken, ...]:
        """All that is said, without a silence after the last word of the last paragraph."""
        self._open[0].flush()
        items = self._open[0].items
        if len(items) > 1 and items[-1] == Silence(PARAGRAPH_S):
            items.pop()
        return tuple(items)


class _Open:
    """An element that has not ended."""

    __slots__ = ("attributes", "base", "items", "language", "name", "voice", "words")

    def __init__(
        self, name: str, attributes: Mapping[str, str], language: str, voice: str, base: str
    ) -> None:
        self.name, self.attributes = name, attributes
        self.language, self.voice, self.base = language, voice, base
        self.items: list[Spoken] = []
        self.words: list[str] = []

    def flush(self) -> None:
        """What was said in words is an item now."""
        text = " ".join("".join(self.words).split())
        self.words.clear()
        if text:
            self.add(Text(text, self.language, self.voice))

    def put(self, item: Spoken) -> None:
        """What stands among the words; a text that is spoken as they are is some more of them."""
        if isinstance(item, Text) and _alike(item, self):
            self.words.append(item.text)
        else:
            self.flush()
            self.add(item)

    def add(self, item: Spoken) -> None:
        last = self.items[-1] if self.items else None
        if isinstance(item, Text) and isinstance(last, Text) and _alike(item, last):
            item = Text(f"{last.text} {item.text}", last.language, last.voice)
            self.items.pop()
        self.items.append(item)


def _alike(one: Text | _Open, other: Text | _Open) -> bool:
    return (one.language, one.voice) == (other.language, other.voice)


def _leaf(element: _Open) -> Spoken:
    """An element in which nothing but words may stand."""
    attributes, text = element.attributes, " ".join("".join(element.words).split())
    if element.name == "mark":
        return Mark(attributes.get("name", ""))
    if element.name == "break":
        return Silence(break_seconds(attributes))
    if element.name == "sub":
        return Text(attributes.get("alias") or text, element.language, element.voice)
    return say_as(
        text,
        attributes.get("interpret-as", attributes.get("type", "")),
        format=attributes.get("format", ""),
        language=element.language,
        voice=element.voice,
    )


def _audio(element: _Open) -> Audio:
    source = element.attributes.get("src", "")
    begin = seconds_of(element.attributes.get("clipBegin", ""))
    return Audio(
        urljoin(element.base, source) if element.base and source else source,
        fallback=tuple(element.items),
        offset=begin or 0.0,
        timeout=seconds_of(element.attributes.get("fetchtimeout", "")),
        max_age=_whole(element.attributes.get("maxage", "")),
        max_stale=_whole(element.attributes.get("maxstale", "")),
    )


def _whole(seconds: str) -> float | None:
    seconds = seconds.strip()
    return float(seconds) if seconds.isdecimal() and len(seconds) < 10 else None


def break_seconds(attributes: Mapping[str, str]) -> float:
    """How long a ``break`` is; one that says nothing, or something wrong, is of medium strength."""
    seconds = seconds_of(attributes.get("time", ""))
    if seconds is None:
        strength = attributes.get("strength") or SIZES.get(attributes.get("size", ""), "medium")
        seconds = STRENGTHS.get(strength, STRENGTHS["medium"])
    return min(seconds, LONGEST_BREAK_S)


def seconds_of(time: str) -> float | None:
    """A time as CSS and SSML write it, such as ``500ms`` and ``1.5s``, in seconds; None for anything else."""
    read = _TIME.fullmatch(time.strip())
    return None if read is None else float(read[1]) / (1000 if read[2] == "ms" else 1)
