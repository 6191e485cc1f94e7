"""Documents: fetched, read and checked once, and found again by their URL."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urldefrag, urljoin

from sipcc.ivr.fetch import Fetched, Fetcher, FetchError, FetchRequest
from sipcc.ivr.grammar import Grammar
from sipcc.ivr.js import Json
from sipcc.ivr.vxml.check import check
from sipcc.ivr.vxml.errors import Thrown
from sipcc.ivr.vxml.limits import ParseLimits
from sipcc.ivr.vxml.parse import Element, parse

KEPT: Final = 200
"""Documents whose trees are kept for others who get the same bytes; and as many built-in grammars."""


class Document:
    """A document that was checked."""

    def __init__(self, url: str, root: Element, faults: Mapping[Element, str] = MappingProxyType({})) -> None:
        self.url = url
        self.root = root
        self.faults = faults
        """Why some of its elements cannot be carried out."""
        self.base = urljoin(url, root.get("xml:base") or "")
        self.dialogs = list(root.elements("form", "menu"))
        self._by_id = {name: dialog for dialog in self.dialogs if (name := dialog.get("id")) is not None}

    @property
    def application(self) -> str:
        """The absolute URL of its application root, or empty."""
        named = self.root.get("application")
        return urldefrag(urljoin(self.base, named.strip())).url if named else ""

    def base_of(self, element: Element) -> str:
        """What URLs in an element of this document are relative to."""
        bases = []
        inner: Element | None = element
        while inner is not None and inner is not self.root:
            if (base := inner.get("xml:base")) is not None:
                bases.append(base)
            inner = inner.parent
        url = self.base
        for base in reversed(bases):
            url = urljoin(url, base)
        return url

    def dialog(self, name: str) -> Element | None:
        """A dialog by its id, or the first one for an empty name."""
        if name:
            return self._by_id.get(name)
        return self.dialogs[0] if self.dialogs else None


class Library:
    """Reads documents, and keeps the trees of those that many calls use.

    Trees hold nothing of a call, so that one library may serve all.
    """

    def __init__(self, limits: ParseLimits = ParseLimits()) -> None:  # noqa: B008  # frozen
        self.limits = limits
        self.grammars: dict[tuple[Element, str], Grammar] = {}
        """Grammars in documents that refer to no others, by element and language."""
        self.builtins: dict[tuple[str, str], tuple[Grammar, Callable[[str], Json]]] = {}
        """Built-in grammars with what makes their values, by URI and language."""
        self._read: OrderedDict[tuple[str, bytes, str], Document] = OrderedDict()

    def document(self, fetched: Fetched, url: str) -> Document:
        """The document in what was fetched.

        Raises:
            DocumentError: it cannot be used.
        """
        key = (fetched.url, fetched.body, fetched.charset)
        document = self._read.get(key)
        if document is None:
            root = parse(fetched.body, fetched.url, charset=fetched.charset, limits=self.limits)
            faults = check(root, fetched.url)
            document = Document(urldefrag(fetched.url).url, root, faults)
            self._read[key] = document
            if len(self._read) > KEPT:
                self._read.popitem(last=False)
                self.grammars.clear()  # those of the tree that goes are among them
        else:
            self._read.move_to_end(key)
        return document


async def fetch(fetcher: Fetcher, request: FetchRequest) -> Fetched:
    """What stands behind a URL; what cannot be had is an event.

    Raises:
        Thrown: ``error.badfetch``, with the status of HTTP if there is one, or ``error.noauthorization``.
    """
    try:
        return await fetcher.fetch(request)
    except FetchError as error:
        raise bad_fetch(error) from None
    except ValueError as error:
        raise Thrown("error.badfetch", f"{request.url!r} is no URL: {error}") from None


def bad_fetch(error: FetchError) -> Thrown:
    """The event that stands for a failed fetch (VoiceXML 2.0 §5.2.6)."""
    scheme = error.url.partition(":")[0] if "://" in error.url else ""
    if error.fault == "status" and error.status and scheme in ("http", "https"):
        return Thrown(f"error.badfetch.{scheme}.{error.status}", str(error))
    return Thrown("error.badfetch", str(error))
