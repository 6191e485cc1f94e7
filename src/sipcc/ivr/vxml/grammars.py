"""The grammars that a caller's answer may match: where they come from, and in which order they are asked.

The order is VoiceXML 2.0 §3.1.4's: those of the item, of the dialog, of the document, of the application
root; in each the order of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import urljoin

import msgspec

from sipcc.call.digits import Matcher, OptionsMatcher
from sipcc.ivr.fetch import FetchError, FetchRequest
from sipcc.ivr.grammar import Grammar, GrammarError, Match, load_grammar, spoken
from sipcc.ivr.grammar.builtin import SCHEME, builtin
from sipcc.ivr.grammar.load import references
from sipcc.ivr.grammar.meaning import meaning
from sipcc.ivr.grammar.model import Mode
from sipcc.ivr.grammar.words import spoken_words
from sipcc.ivr.js import Engine, Json, ScriptError
from sipcc.ivr.vxml.documents import KEPT, Document, bad_fetch
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.languages import check_language
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.parse import Element, as_grammar
from sipcc.ivr.vxml.prompts import options_of, spoken_text
from sipcc.ivr.vxml.scope import Place


class Source(Protocol):
    """Says what an answer means."""

    def accepts(self, said: str) -> bool:
        """Whether this is an answer."""
        ...

    def meaning(self, said: str, best: int = 1) -> list[Json]:
        """The `best` interpretations of what was said or typed, the likeliest first; none for no match."""
        ...

    def matcher(self) -> Matcher | None:
        """For keys; None for a grammar of speech."""
        ...


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """A grammar that is active, and whose it is."""

    source: Source
    owner: Element
    """The item, the form, the link or the choice."""
    dialog: Element
    """The dialog that it belongs to; for links the current one."""
    document: Document
    event: str = ""
    """What a universal grammar throws."""

    @property
    def by_keys(self) -> bool:
        """Whether it is for keys."""
        return self.source.matcher() is not None


class Written:
    """A grammar of SRGS; what its tags mean is found in the caller's engine."""

    def __init__(
        self, grammar: Grammar, engine: Engine, convert: Callable[[str], Json] | None = None
    ) -> None:
        """`convert` makes the value of a built-in grammar from what was matched."""
        self._grammar = grammar
        self._engine = engine
        self._convert = convert
        self._matcher = grammar.matcher() if grammar.mode == "dtmf" else None

    def accepts(self, said: str) -> bool:
        """Whether it matches."""
        try:
            return self._grammar.accepts(said)
        except GrammarError:  # it would take too long
            return False

    def meaning(self, said: str, best: int = 1) -> list[Json]:
        """What the tags say; without tags the words."""
        try:
            return [self._value(match) for match in self._grammar.matches(said, limit=best)]
        except GrammarError:
            return []

    def _value(self, match: Match) -> Json:
        text = ("" if self._matcher is not None else " ").join(match.words)
        if self._convert is not None:
            return self._convert(text)
        if not match.tags:
            return text
        try:
            return meaning(match.tree, self._engine)
        except ScriptError as error:
            raise semantic(f"a tag of the grammar: {error}") from None

    def matcher(self) -> Matcher | None:
        """For keys."""
        return self._matcher


class Free:
    """A built-in type in free speech; what a grammar of single digits takes goes before."""

    def __init__(self, kind: str, digits: Source | None) -> None:
        self._kind = kind
        self._digits = digits

    def accepts(self, said: str) -> bool:
        """Whether it is of the type."""
        return bool(self.meaning(said))

    def meaning(self, said: str, best: int = 1) -> list[Json]:
        """The value."""
        if self._digits is not None:
            # Recognisers write digits in one piece, and people say them one by one.
            apart = " ".join("".join(said.split())) if said.replace(" ", "").isdigit() else said
            if found := self._digits.meaning(apart):
                return found
        value = spoken.meaning(self._kind, said)
        return [] if value is None else [value]

    def matcher(self) -> Matcher | None:
        """None: it is spoken."""
        return None


class Phrase:
    """A phrase made of a choice or an option; `approximate` takes some of its words, in their order."""

    def __init__(self, text: str, value: Json, *, approximate: bool = False) -> None:
        self.text = text
        self._words = spoken_words(text)
        self._value = value
        self._approximate = approximate

    def accepts(self, said: str) -> bool:
        """Whether it is the phrase, or enough of it."""
        words = spoken_words(said)
        if not self._approximate:
            return bool(words) and words == self._words
        left = iter(self._words)
        return bool(words) and all(word in left for word in words)

    def meaning(self, said: str, best: int = 1) -> list[Json]:
        """The value."""
        return [self._value] if self.accepts(said) else []

    def matcher(self) -> Matcher | None:
        """None: it is spoken."""
        return None


class Keys:
    """The keys of a choice, an option or a link."""

    def __init__(self, keys: str, value: Json) -> None:
        self._keys = keys
        self._value = value
        self._matcher = OptionsMatcher([keys])

    def accepts(self, said: str) -> bool:
        """Whether these are the keys."""
        return said == self._keys

    def meaning(self, said: str, best: int = 1) -> list[Json]:
        """The value."""
        return [self._value] if self.accepts(said) else []

    def matcher(self) -> Matcher | None:
        """For keys."""
        return self._matcher


_UNIVERSALS: Final[dict[str, tuple[str, ...]]] = {
    "help": ("help", "帮助"),
    "exit": ("exit", "退出"),
    "cancel": ("cancel", "取消"),
}


async def active_grammars(machine: Machine, place: Place, dialog: Element) -> list[Active]:
    """All grammars that are active in an item, in the order in which they are asked.

    Raises:
        Thrown: one of them cannot be had.
    """
    item = place.element
    document = place.context.document
    found: list[Active] = []
    if item is not dialog:
        found += await _of_item(machine, place, item, dialog, document)
        if item.get("modal") == "true":
            return found
    found += await _of_dialog(machine, place, dialog, dialog, document, everything=True)
    found += await _of_document(machine, place, dialog, document)
    if not place.context.in_root:
        found += await _of_document(machine, place, dialog, place.context.application.root)
    return found + list(_universals(machine, place, dialog, document))


async def _of_item(
    machine: Machine, place: Place, item: Element, dialog: Element, document: Document
) -> list[Active]:
    found: list[Active] = []

    def add(sources: Iterable[Source]) -> None:
        found.extend(
            Active(source=source, owner=item, dialog=dialog, document=document) for source in sources
        )

    if item.tag == "field" and (kind := item.get("type")) is not None:
        add(await _builtin_type(machine, item, kind))
    for child in item.elements("grammar", "option", "link"):
        match child.tag:
            case "grammar":
                add([await _written(machine, place, child, document)])
            case "option":
                add(_option(child))
            case _:
                found += await _link(machine, place, child, dialog, document)
    return found


def _option(option: Element) -> Iterator[Source]:
    typed = "".join((option.get("dtmf") or "").split())
    text = option.text.strip()
    value: Json = option.get("value") or text or typed
    if text:
        yield Phrase(text, value, approximate=option.get("accept") == "approximate")
    if typed:
        yield Keys(typed, value)


async def _link(
    machine: Machine, place: Place, link: Element, dialog: Element, document: Document
) -> list[Active]:
    place.see(link)
    sources: list[Source] = [
        await _written(machine, place, element, document) for element in link.elements("grammar")
    ]
    if keys := "".join((link.get("dtmf") or "").split()):
        sources.append(Keys(keys, keys))
    return [Active(source=source, owner=link, dialog=dialog, document=document) for source in sources]


async def _of_dialog(
    machine: Machine, place: Place, of: Element, dialog: Element, document: Document, *, everything: bool
) -> list[Active]:
    """The grammars of a form or a menu: all, or only those with the scope of the document."""
    whole = of.get("scope") == "document"
    if of.tag == "menu":
        return await _choices(machine, place, of, document) if everything or whole else []
    found = []
    for element in of.elements("grammar", "link"):
        if element.tag == "link":
            found += await _link(machine, place, element, dialog, document) if everything else []
            continue
        wide = element.get("scope") == "document" if "scope" in element.attributes else whole
        if everything or wide:
            source = await _written(machine, place, element, document)
            found.append(Active(source=source, owner=of, dialog=of, document=document))
    return found


async def _choices(machine: Machine, place: Place, menu: Element, document: Document) -> list[Active]:
    found = []
    for choice, (text, keys) in zip(menu.elements("choice"), options_of(menu), strict=True):
        place.see(choice)
        sources: list[Source] = [
            await _written(machine, place, element, document) for element in choice.elements("grammar")
        ]
        written = any(grammar.get("mode") != "dtmf" for grammar in choice.elements("grammar"))
        if not written and " ".join(spoken_text(choice).split()):
            accept = choice.get("accept") or menu.get("accept")
            sources.append(Phrase(text, text, approximate=accept == "approximate"))
        if keys:
            sources.append(Keys(keys, keys))
        found += [Active(source=source, owner=choice, dialog=menu, document=document) for source in sources]
    return found


async def _of_document(machine: Machine, place: Place, dialog: Element, document: Document) -> list[Active]:
    found = []
    for element in document.root.elements("link", "form", "menu"):
        if element.tag == "link":
            found += await _link(machine, place, element, dialog, document)
        elif element is not dialog:
            found += await _of_dialog(machine, place, element, dialog, document, everything=False)
    return found


def _universals(machine: Machine, place: Place, dialog: Element, document: Document) -> Iterator[Active]:
    wanted = machine.property(place, "universals").split()
    for name, phrases in _UNIVERSALS.items():
        if name in wanted or "all" in wanted:
            for phrase in phrases:
                source = Phrase(phrase, name)
                yield Active(source=source, owner=dialog, dialog=dialog, document=document, event=name)


# -- written grammars --------------------------------------------------------------------------------------

_TYPES: Final = frozenset(
    {"application/srgs+xml", "application/grammar+xml", "text/xml", "application/xml", "application/srgs",
     "application/grammar"}
)  # fmt: skip


async def _written(machine: Machine, place: Place, element: Element, document: Document) -> Source:
    """The grammar of a <grammar>; one that was loaded before is used again, unless its age matters."""
    place.see(element)
    source = element.get("src")
    if (expression := element.get("srcexpr")) is not None:
        source = place.text(expression)
    key = (element, source)
    aged = source is not None and (element.get("maxage") or machine.property(place, "grammarmaxage"))
    known = None if aged else machine.grammars.get(key)
    if known is None:
        known = machine.grammars[key] = await _load(machine, place, element, source, document)
    return known


async def _load(
    machine: Machine, place: Place, element: Element, source: str | None, document: Document
) -> Source:
    media_type = (element.get("type") or "").partition(";")[0].strip().lower()
    if media_type and media_type not in _TYPES:
        raise Thrown("error.unsupported.format", f"a grammar of the type {media_type} cannot be read")
    language = element.language or place.context.document.root.get("xml:lang") or machine.session.language
    base = document.base_of(element)
    if source is not None and source.startswith(SCHEME):
        return await _builtin(machine, source, language)

    def request(url: str) -> FetchRequest:
        return machine.request(place, element, "grammar", url=url)

    more: dict[str, Any] = {"fetcher": machine.fetcher, "media_type": media_type, "language": language}
    known = machine.library.grammars.get((element, language)) if source is None else None
    if known is not None:
        return Written(known, machine.engine)
    if source is None:
        text = as_grammar(element) if any(element.elements()) else element.text.strip()
        mode: Mode = "dtmf" if element.get("mode") == "dtmf" else "voice"
        loading = load_grammar(text, url=base, inline=True, mode=mode, headers=request, **more)
    else:
        loading = load_grammar(url=urljoin(base, source.strip()), headers=request, **more)
    try:
        grammar = await loading
        if grammar.mode == "voice":
            check_language(grammar.language, machine.languages)
        if source is None and not any(reference.uri for reference in references(grammar.document)):
            machine.library.grammars[element, language] = grammar
        return Written(grammar, machine.engine)
    except GrammarError as error:
        raise Thrown("error.badfetch", str(error)) from None
    except FetchError as error:
        raise bad_fetch(error) from None


async def _builtin_type(machine: Machine, item: Element, kind: str) -> list[Source]:
    """The grammars of a field's type, such as ``digits?length=4``, for keys and perhaps for speech."""
    language = item.language or machine.session.language
    found: list[Source] = []
    for mode in ("grammar", "dtmf"):
        try:
            found.append(await _builtin(machine, f"{SCHEME}{mode}/{kind}", language))
        except Thrown:
            if mode == "dtmf":
                raise
    return found


async def _builtin(machine: Machine, uri: str, language: str) -> Source:
    mode, _, name = uri.removeprefix(SCHEME).partition("/")
    kind = name.partition("?")[0]
    free = mode != "dtmf" and kind in FREE
    try:
        known = machine.library.builtins
        if (uri, language) not in known:
            if len(known) >= KEPT:
                known.clear()
            text, convert = builtin(uri, language)
            known[uri, language] = await load_grammar(text, url=uri, language=language), convert
        grammar, convert = known[uri, language]
        written = Written(grammar, machine.engine, convert)
        return Free(kind, written) if free else written
    except GrammarError as error:
        if free and kind in spoken.SPOKEN:
            return Free(kind, None)
        raise Thrown(_refusal(name, kind, language), str(error)) from None


def _refusal(name: str, kind: str, language: str) -> str:
    """The event for a built-in grammar that cannot be had: wrong parameters are a bad URI (Appendix P)."""
    try:
        builtin(f"{SCHEME}dtmf/{name}", language)
    except GrammarError:
        if kind in FREE or kind == "boolean":
            return "error.badfetch"
    return "error.unsupported.builtin"


FREE: Final = spoken.SPOKEN | {"digits", "phone"}
"""Built-in types that are taken in free speech."""
