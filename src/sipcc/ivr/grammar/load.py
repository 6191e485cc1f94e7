"""Loads grammars, with all that they refer to, and matches input against them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote, urljoin

from sipcc.ivr.fetch import Fetcher, FetchError, FetchRequest
from sipcc.ivr.grammar.abnfform import parse_abnf
from sipcc.ivr.grammar.builtin import SCHEME, builtin
from sipcc.ivr.grammar.chart import Chart
from sipcc.ivr.grammar.keys import KeyMatcher
from sipcc.ivr.grammar.meaning import meaning
from sipcc.ivr.grammar.model import Choice as _Choice
from sipcc.ivr.grammar.model import Document, Expansion, GrammarError, Mode, Reference, Repeat, Rule
from sipcc.ivr.grammar.model import Sequence as _Sequence
from sipcc.ivr.grammar.network import Networks
from sipcc.ivr.grammar.tree import Branch
from sipcc.ivr.grammar.ways import trees_of
from sipcc.ivr.grammar.words import heard_words, is_punctuation, keys_of
from sipcc.ivr.grammar.xmlform import parse_xml
from sipcc.ivr.js import Engine, Json

MAX_DOCUMENTS = 50
"""Grammars that one may refer to, all together."""
MAX_GRAMMAR_BYTES = 4_194_304
LONG = 20_000
"""Bytes from which on a grammar takes some ten milliseconds to read."""

XML_TYPES = frozenset({"application/srgs+xml", "application/grammar+xml", "text/xml", "application/xml"})
ABNF_TYPES = frozenset({"application/srgs", "application/grammar"})


class Match:
    """What was matched."""

    def __init__(self, tree: Branch, convert: Callable[[str], Json] | None = None) -> None:
        self.tree = tree
        self._convert = convert

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens in their order, as the grammar writes them."""
        return self.tree.words

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in their order."""
        return self.tree.tags

    @property
    def text(self) -> str:
        """The tokens with spaces between them, or the keys without."""
        return self.tree.text

    def meaning(self, engine: Engine | None = None) -> Json:
        """What it means, as the tags say; see `sipcc.ivr.grammar.meaning`.

        Args:
            engine: Runs the scripts of tags; None makes one, where there are scripts.

        Raises:
            ScriptError: a script failed.
            ConfigError: there are scripts, and what runs them is not installed.
        """
        return meaning(self.tree, engine) if self._convert is None else self._convert(self.text)

    def __repr__(self) -> str:
        return f"<Match {self.tree}>"


class Grammar:
    """A grammar with all that it refers to; `load_grammar` makes it.

    Matching takes a bounded time; GrammarError says that it would be too long.
    """

    def __init__(
        self, document: Document, rule: str = "", convert: Callable[[str], Json] | None = None
    ) -> None:
        """`rule` stands in for the root rule, `convert` for the tags."""
        self._convert = convert
        self.document = document
        self.mode: Mode = document.mode
        self.language = document.language
        self.rule = rule or document.root
        self._networks: dict[str, Networks] = {}

    def match(self, said: str | Sequence[str], rule: str | None = None) -> Match | None:
        """What the grammar makes of a text, of keys (``"12#"``) or of single words, or None.

        Args:
            said: What the caller said or typed.
            rule: The rule that it must match; None for the root rule.

        Raises:
            GrammarError: there is no such rule, or it would take too long.
        """
        found = self.matches(said, rule, limit=1)
        return found[0] if found else None

    def matches(self, said: str | Sequence[str], rule: str | None = None, *, limit: int = 10) -> list[Match]:
        """All that the grammar may make of it, up to `limit`, the preferred first; see `match`.

        Raises:
            GrammarError: there is no such rule, or it would take too long.
        """
        chart = self._fed(said, rule)
        if chart is None:
            return []
        return [Match(tree, self._convert) for tree in trees_of(chart, limit)]

    def accepts(self, said: str | Sequence[str], rule: str | None = None) -> bool:
        """Whether it matches."""
        return self._fed(said, rule) is not None

    def rejects(self, said: str | Sequence[str], rule: str | None = None) -> bool:
        """Whether it does not match."""
        return self._fed(said, rule) is None

    def prepare(self) -> None:
        """Make now what the first match would make; a long grammar takes some tenths of a second for it."""
        self.chart().networks.prepare()

    def _fed(self, said: str | Sequence[str], rule: str | None) -> Chart | None:
        """A chart that has taken in all of it, or None when it does not match."""
        chart = self.chart(rule)
        for word in self.words_of(said):
            if is_punctuation(word) and not chart.wants(word):
                continue
            if not chart.open:
                return None
            chart.feed(word)
        return chart if chart.complete else None

    def matcher(self, rule: str | None = None) -> KeyMatcher:
        """What a collector of keys asks after each key; only for grammars of keys.

        Raises:
            GrammarError: it is a grammar for speech.
        """
        if self.mode != "dtmf":
            raise GrammarError("it is a grammar for speech, not for keys", url=self.document.url)
        return KeyMatcher(lambda: self.chart(rule))

    def words_of(self, said: str | Sequence[str]) -> tuple[str, ...]:
        """`said` as it is compared with tokens."""
        if not isinstance(said, str):
            return tuple(word for part in said for word in self.words_of(part))
        if self.mode == "voice":
            return heard_words(said)
        found: list[str] = []
        for part in said.split():
            found += keys_of(part) or tuple(part)
        return tuple(found)

    def chart(self, rule: str | None = None) -> Chart:
        """An empty chart of a rule, None for the root rule; GrammarError when there is none."""
        name = self.rule if rule is None else rule
        found = self.document.rules.get(name)
        if found is None:
            message = f"there is no rule {name!r}" if name else "it has no root rule; a rule must be named"
            raise GrammarError(message, url=self.document.url)
        if name not in self._networks:
            self._networks[name] = Networks(found)
        return Chart(self._networks[name])


def parse_grammar(
    source: str | bytes,
    *,
    url: str = "",
    media_type: str = "",
    charset: str = "",
    inline: bool = False,
    mode: Mode = "voice",
    language: str = "",
) -> Document:
    """One document in either form, not linked; for the arguments see `load_grammar`.

    Raises:
        GrammarError: it is no grammar.
    """
    if _is_abnf(source, media_type):
        return parse_abnf(source, url=url, charset=charset, mode=mode, language=language)
    return parse_xml(source, url=url, charset=charset, inline=inline, mode=mode, language=language)


async def _parsed(source: str | bytes, **more: Any) -> Document:
    """The same; a long one is read in a thread, so that nobody waits for it."""
    if len(source) > LONG:
        return await asyncio.to_thread(parse_grammar, source, **more)
    return parse_grammar(source, **more)


def _is_abnf(source: str | bytes, media_type: str) -> bool:
    head = source[:40] if isinstance(source, str) else str(source[:40], "latin-1").replace("\0", "")
    begins = head.lstrip("\ufeffï»¿þÿ \t\r\n")
    return begins.startswith("#ABNF") or (media_type in ABNF_TYPES and not begins.startswith("<"))


async def load_grammar(
    source: str | bytes | None = None,
    *,
    url: str = "",
    fetcher: Fetcher | None = None,
    media_type: str = "",
    charset: str = "",
    inline: bool = False,
    mode: Mode = "voice",
    language: str = "",
    headers: Callable[[str], FetchRequest] | None = None,
) -> Grammar:
    """A grammar with everything that it refers to.

    Args:
        source: The document in the XML or the ABNF form; None fetches it from `url`, which may name a rule
            behind a ``#``, a public one; or one of `sipcc.ivr.grammar.builtin`.
        url: Where it is; the base of the URIs in it.
        fetcher: Gets it, and the grammars that it refers to.
        media_type: Which form it is in. What begins with ``#ABNF`` or ``<`` tells that itself.
        charset: What its transport says of bytes.
        inline: It is part of a VoiceXML document, and needs no version.
        mode: For a document that says none.
        language: For one that says none; without either, a grammar for speech is wrong.
        headers: Makes the request for a URL, for those who have wishes about time and age.

    Raises:
        GrammarError: it is no grammar, or something that it refers to is none or cannot be fetched.
        FetchError: it cannot be fetched.
    """
    request = headers or (lambda where: FetchRequest(url=where))
    loader = _Loader(fetcher, request, language)
    if source is None and url.startswith(SCHEME):
        text, convert = builtin(url, language)
        document = parse_abnf(text, url=url)
        await loader.link(document)
        return Grammar(document, convert=convert)
    name = ""
    if source is None:
        url, _, name = url.partition("#")
        name = unquote(name)
        document = await loader.fetched(url, media_type)
    else:
        document = await _parsed(
            source,
            url=url,
            media_type=media_type,
            charset=charset,
            inline=inline,
            mode=mode,
            language=language,
        )
        loader.known[url] = document
        loader.size = len(source)
    if name:
        _reachable(document, name)
    await loader.link(document)
    grammar = Grammar(document, name)
    if loader.size > LONG and grammar.rule:
        await asyncio.to_thread(grammar.prepare)
    return grammar


def _reachable(document: Document, name: str) -> Rule:
    """The rule that another document refers to by `name`, or without one."""
    if not name:
        if not document.root:
            raise GrammarError("it has no root rule; a rule must be named", url=document.url)
        return document.rules[document.root]
    rule = document.rules.get(name)
    if rule is None:
        raise GrammarError(f"there is no rule {name!r}", url=document.url)
    if not rule.public:
        raise GrammarError(f"the rule {name!r} is private", url=document.url)
    return rule


class _Loader:
    """Gets documents, each once, and lets their references know what they refer to."""

    def __init__(
        self, fetcher: Fetcher | None, request: Callable[[str], FetchRequest], language: str
    ) -> None:
        self.known: dict[str, Document] = {}
        self.size = 0
        """Bytes of all documents."""
        self._fetcher = fetcher
        self._request = request
        self._language = language

    async def fetched(self, url: str, media_type: str = "", language: str = "") -> Document:
        """The document at `url`, which has no fragment."""
        if url not in self.known and url.startswith(SCHEME):
            self.known[url] = parse_abnf(builtin(url, language or self._language)[0], url=url)
        if url not in self.known:
            if self._fetcher is None:
                raise GrammarError("there is nothing to fetch it with", url=url)
            if len(self.known) >= MAX_DOCUMENTS:
                raise GrammarError(f"more than {MAX_DOCUMENTS} grammars refer to one another", url=url)
            fetched = await self._fetcher.fetch(self._request(url))
            if len(fetched.body) > MAX_GRAMMAR_BYTES:
                raise GrammarError(f"it is longer than {MAX_GRAMMAR_BYTES} bytes", url=url)
            self.size += len(fetched.body)
            self.known[url] = await _parsed(
                fetched.body,
                url=fetched.url,
                media_type=media_type if media_type in XML_TYPES | ABNF_TYPES else fetched.media_type,
                charset=fetched.charset,
                language=self._language,
            )
        return self.known[url]

    async def link(self, first: Document) -> None:
        """Link `first`, and all that it leads to."""
        done: set[int] = set()
        work = [first]
        while work:
            document = work.pop()
            if id(document) in done:
                continue
            done.add(id(document))
            for reference in references(document):
                target = await self._target(document, reference)
                reference.rule = target
                work.append(target.document)

    async def _target(self, document: Document, reference: Reference) -> Rule:
        if not reference.uri:
            return document.rules[reference.name]
        url = reference.uri if reference.uri.startswith(SCHEME) else urljoin(document.base, reference.uri)
        place = {"url": document.url, "line": reference.line, "column": reference.column}
        try:
            if url == document.url:
                return document.rules[reference.name or document.root]
            other = await self.fetched(url, reference.media_type, document.language)
            if other.mode != document.mode:
                raise GrammarError(
                    f"it is for {other.mode}, and what refers to it for {document.mode}", url=url
                )
            return _reachable(other, reference.name)
        except KeyError:
            raise GrammarError(f"there is no rule {reference.name!r}", **place) from None  # type: ignore[arg-type]
        except FetchError as error:
            raise GrammarError(f"what it refers to cannot be fetched: {error}", **place) from error  # type: ignore[arg-type]


def references(document: Document) -> list[Reference]:
    """All references in a document."""
    found: list[Reference] = []
    stack: list[Expansion] = [rule.body for rule in document.rules.values()]
    while stack:
        one = stack.pop()
        if isinstance(one, Reference):
            found.append(one)
        elif isinstance(one, _Sequence | _Choice):
            stack += one.items
        elif isinstance(one, Repeat):
            stack.append(one.item)
    return found
