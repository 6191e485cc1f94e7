"""Documents, grammars, sounds and answers of programs by URL: what is asked for, and what comes.

`sipcc.ivr.fetchhttp.HttpFetcher` gets them from the network; `FolderFetcher` here from folders and from
memory, for tests, simulations and judges. Times are seconds.
"""

from __future__ import annotations

import codecs
import mimetypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeAlias
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

import msgspec
from msgspec import Meta

from sipcc.errors import TransportError

Fault = Literal["refused", "unreachable", "timeout", "too_large", "redirects", "status", "junk"]
"""Why nothing came: our own rules, the network, time, size, too many redirects, the server said no, or what
it said cannot be read."""

Part: TypeAlias = tuple[str, str, bytes, str]
"""A part of a form: the field's name, a file name or empty, the content, its media type or empty."""


class FetchError(TransportError):
    """Nothing came. `fault` says why; `status` is the server's, or 0; `url` is shown without its query."""

    def __init__(self, url: str, fault: Fault, message: str, *, status: int = 0) -> None:
        super().__init__(f"{shown(url)}: {message}")
        self.url = shown(url)
        self.fault = fault
        self.status = status


class FetchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be fetched by URL, and how much: documents, grammars, sounds, and answers of programs.

    Addresses inside (private, loopback, link-local and the like) are refused wherever a name or a redirect
    leads, unless they are allowed here. A URL that stands in this configuration is allowed by itself.
    """

    allow: tuple[str, ...] = ()
    """Hosts (``crm.example.com``, ``*.example.com``, ``10.1.2.3:8080``), networks (``10.1.0.0/16``) and
    beginnings of URLs (``https://app.example.com/ivr/``) that may be fetched from also when they are inside.
    With the beginning of a URL, nothing else of its host may be fetched."""
    only_allowed: bool = False
    """Refuse everything else, also what is outside."""
    folders: tuple[str, ...] = ()
    """Folders whose files may be fetched as ``file:`` URLs; none without."""
    timeout: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """Seconds for everything together, redirects too."""
    max_bytes: Annotated[int, Meta(ge=1024, le=1_073_741_824)] = 8_388_608
    """The longest document, grammar or sound."""
    cache_bytes: Annotated[int, Meta(ge=0, le=4_294_967_296)] = 33_554_432
    """Memory for what servers let us keep; 0 keeps nothing."""


MAX_REDIRECTS = 3
"""Redirects that are followed for one request; each is checked as if it were asked for."""


class FetchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. At most one of `form`, `parts`, `json` and `body` is sent."""

    url: str
    """Relative to `base`. A fragment is left out."""
    base: str = ""
    method: Literal["GET", "POST"] = "GET"
    query: tuple[tuple[str, str], ...] = ()
    """Goes behind the query that the URL has."""
    form: tuple[tuple[str, str], ...] | None = None
    """Sent as ``application/x-www-form-urlencoded``."""
    parts: tuple[Part, ...] | None = None
    """Sent as ``multipart/form-data``."""
    json: object = msgspec.UNSET
    body: bytes | None = None
    """Sent as it is; say what it is in `headers`."""
    headers: Mapping[str, str] = {}
    timeout: float | None = None
    """None takes that of the settings."""
    max_bytes: int | None = None
    max_age: float | None = None
    """The oldest kept copy that is wanted; 0 always asks the server. None takes any that is fresh."""
    max_stale: float | None = None
    """How far beyond its freshness a kept copy may be; None not at all."""

    @property
    def target(self) -> str:
        """The absolute URL with its query and without a fragment."""
        url = urldefrag(urljoin(self.base, self.url.strip())).url
        if not self.query:
            return url
        joint = "" if url.endswith(("?", "&")) else "&" if urlsplit(url).query else "?"
        return url + joint + urlencode(self.query)


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What came."""

    url: str
    """Where it came from in the end: the base of the URLs in it."""
    body: bytes
    status: int = 200
    media_type: str = ""
    """Such as ``application/srgs+xml``, in lower case; empty when it was not told."""
    charset: str = ""
    """That of the media type; empty when it was not told."""
    headers: Mapping[str, str] = {}
    """Their names in lower case."""
    cached: bool = False
    """Whether a kept copy was used, also one that the server was asked about."""

    def text(self, default: str = "utf-8") -> str:
        """The body by its charset, its byte order mark, or else `default`.

        Raises:
            FetchError: it is not in that charset, or nobody knows it.
        """
        for mark, name in _MARKS:
            if self.body.startswith(mark):
                return self._decoded(self.body[len(mark) :], name)
        return self._decoded(self.body, self.charset or default)

    def _decoded(self, body: bytes, charset: str) -> str:
        try:
            return str(body, charset)
        except (LookupError, ValueError):
            raise FetchError(self.url, "junk", f"it is no text in {charset!r}") from None


_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Fetcher(Protocol):
    """Gets things by URL."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What `request` asks for; every status from 400 on is an error.

        Raises:
            FetchError: nothing came.
        """
        ...


def shown(url: str) -> str:
    """`url` as logs may have it: without user, password, query and fragment, and not too long."""
    head, _, _ = url.partition("?")
    head, _, _ = head.partition("#")
    scheme, mark, rest = head.partition("://")
    if mark:
        place, slash, path = rest.partition("/")
        head = scheme + mark + place.rpartition("@")[2] + slash + path
    text = "".join(char if char.isprintable() else "?" for char in head)
    return text if len(text) <= 200 else text[:197] + "..."


def media_type_of(content_type: str) -> tuple[str, str]:
    """The media type and the charset in a Content-Type header, both in lower case."""
    media_type, *parameters = content_type.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return media_type.strip().lower(), value.strip().strip("\"'").lower()
    return media_type.strip().lower(), ""


TYPES = {
    ".grxml": "application/srgs+xml",
    ".srgs": "application/srgs+xml",
    ".gram": "application/srgs",
    ".abnf": "application/srgs",
    ".vxml": "application/voicexml+xml",
    ".js": "application/ecmascript",
    ".json": "application/json",
    ".ulaw": "audio/basic",
    ".alaw": "audio/x-alaw-basic",
}
"""Media types of files that Python's own list has not, or has otherwise."""


def media_type_of_file(name: str) -> str:
    """The media type by the end of a file's name; empty when nobody knows it."""
    ending = Path(name).suffix.lower()
    return TYPES.get(ending) or mimetypes.guess_type(name)[0] or ""


Content: TypeAlias = bytes | str | Path | Fetched | Callable[[FetchRequest], Fetched]
"""What stands behind a URL: bytes, a text, a file, an answer, or a program that makes one."""


class FolderFetcher:
    """Gets things from `documents`, by URL, and from `folders`, by the beginning of one.

    It needs no network, and remembers what was asked for in `requests`. What it has not is a 404::

        FolderFetcher({"http://example.com/a.vxml": "<vxml/>"}, {"http://example.com/": Path("app")})
    """

    def __init__(
        self, documents: Mapping[str, Content] | None = None, folders: Mapping[str, Path] | None = None
    ) -> None:
        self.documents = dict(documents or {})
        self.folders = {beginning: folder.resolve() for beginning, folder in (folders or {}).items()}
        self.requests: list[FetchRequest] = []

    async def fetch(self, request: FetchRequest) -> Fetched:
        """What stands behind the URL; a query chooses a document, and never a file."""
        self.requests.append(request)
        url = request.target
        content = self.documents.get(url) or self.documents.get(url.partition("?")[0]) or self._file(url)
        if callable(content):
            content = content(request)
        if isinstance(content, Fetched):
            if content.status >= 400:
                raise FetchError(url, "status", f"the status is {content.status}", status=content.status)
            return content
        media_type = media_type_of_file(url.partition("?")[0])
        if isinstance(content, Path):
            body = _read(content, url)
        elif isinstance(content, str):
            body = content.encode()
        elif content is None:
            raise FetchError(url, "status", "there is no such document", status=404)
        else:
            body = content
        limit = request.max_bytes
        if limit is not None and len(body) > limit:
            raise FetchError(url, "too_large", f"it is longer than {limit} bytes")
        return Fetched(url=url, body=body, media_type=media_type)

    def _file(self, url: str) -> Path | None:
        path = url.partition("?")[0]
        for beginning, folder in sorted(self.folders.items(), key=lambda pair: -len(pair[0])):
            if path.startswith(beginning):
                file = (folder / path[len(beginning) :]).resolve()
                return file if file.is_relative_to(folder) and file.is_file() else None
        return None


def _read(file: Path, url: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FetchError(url, "unreachable", error.strerror or "it cannot be read") from None
