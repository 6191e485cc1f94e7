"""The header block: an ordered multimap, never a dict (RFC 3261 §7.3).

Names are canonical `str` ("Via", "Call-ID"), found through a bounded cache that is keyed by the raw bytes
of the name; compact forms are resolved there too. Values are the raw `bytes` of the line, unfolded and
stripped, and are decoded only when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.sip.grammar import is_token, split, text, wire

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

_SPELLED = {
    name.lower(): name
    for name in (
        "Call-ID", "CSeq", "Content-ID", "MIME-Version", "Min-SE", "RAck", "RSeq", "SIP-ETag",
        "SIP-If-Match", "WWW-Authenticate", "P-Associated-URI",
    )
}  # fmt: skip

_LISTS = frozenset({
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Call-Info", "Contact", "Content-Encoding", "Content-Language", "Diversion", "Error-Info", "Geolocation",
    "History-Info", "In-Reply-To", "P-Asserted-Identity", "P-Associated-URI", "P-Early-Media",
    "P-Preferred-Identity", "Path", "Privacy", "Proxy-Require", "Reason", "Record-Route", "Recv-Info",
    "Reject-Contact", "Require", "Route", "Security-Client", "Security-Server", "Security-Verify",
    "Service-Route", "Supported", "Unsupported", "Via", "Warning",
})  # fmt: skip
"""Headers whose grammar is a comma-separated list; in all others a comma is part of the value."""

NAMES: dict[bytes, str] = {}
"""Raw name -> canonical name, filled as names are seen. The parser probes it directly."""

_NAMES_LIMIT = 4096
_NAME_BYTES = 128


def canonical_raw(raw: bytes) -> str:
    """The canonical form of a name as it came, with white space before the colon tolerated.

    Raises:
        ParseError: the name is no token, or is longer than 128 bytes.
    """
    name = raw.rstrip(b" \t")
    if len(name) > _NAME_BYTES or not is_token(name):
        raise ParseError(f"bad header name: {name[:60]!r}", layer="header:name")
    known = _canonical(name.decode("ascii"))
    if len(NAMES) < _NAMES_LIMIT and len(raw) <= _NAME_BYTES:  # inventing names must not grow our memory
        NAMES[raw] = known
    return known


def canonical(name: str) -> str:
    """The canonical form of a name in our own code; ``"i"`` and ``"call-id"`` both give ``"Call-ID"``.

    Raises:
        LocalProtocolError: it is no header name.
    """
    known = _KNOWN.get(name)
    if known is not None:
        return known
    if not name.isascii() or not is_token(name.encode("ascii")):
        raise LocalProtocolError(f"not a header name: {name!r}")
    found = _canonical(name)
    if len(_KNOWN) < _NAMES_LIMIT:
        _KNOWN[name] = found
    return found


_KNOWN: dict[str, str] = {}


def _canonical(name: str) -> str:
    lower = name.lower()
    return _COMPACT.get(lower) or _SPELLED.get(lower) or "-".join(p.capitalize() for p in lower.split("-"))


class Headers:
    """Header lines in their order. Every name argument may have any case or be a compact form."""

    __slots__ = ("_first", "_items", "version")

    def __init__(self, items: Iterable[tuple[str, str | bytes]] = ()) -> None:
        self._items: list[tuple[str, bytes]] = [(canonical(name), wire(value)) for name, value in items]
        self._first: dict[str, bytes] | None = None
        self.version = 0
        """Grows with every change, so that typed views of a message know when they are stale."""

    @classmethod
    def trusted(cls, items: list[tuple[str, bytes]], first: dict[str, bytes] | None = None) -> Headers:
        """Wrap a list of (canonical name, clean value) without checks; the list is kept, not copied.

        `first` maps each name to its first value, when the caller has it already.
        """
        headers = cls.__new__(cls)
        headers._items = items
        headers._first = first
        headers.version = 0
        return headers

    @property
    def items(self) -> list[tuple[str, bytes]]:
        """The lines themselves, for code that copies them; not to be changed."""
        return self._items

    def first(self) -> dict[str, bytes]:
        """The first value of each name; not to be changed."""
        if self._first is None:
            self._first = dict(reversed(self._items))
        return self._first

    def forget(self) -> None:
        """Drop what can be made again from the lines."""
        self._first = None

    def _changed(self) -> None:
        self._first = None
        self.version += 1

    def get(self, name: str) -> str | None:
        """The first line of that name as text, or None."""
        raw = self.first().get(canonical(name))
        return None if raw is None else text(raw)

    def get_raw(self, name: str) -> bytes | None:
        """The first line of that name as it came, unfolded, or None."""
        return self.first().get(canonical(name))

    def get_all(self, name: str) -> list[str]:
        """All lines of that name as text."""
        return [text(raw) for raw in self.get_all_raw(name)]

    def get_all_raw(self, name: str) -> list[bytes]:
        """All lines of that name as they came, unfolded."""
        wanted = canonical(name)
        return [raw for have, raw in self._items if have == wanted]

    def values(self, name: str) -> list[str]:
        """All values of that name: lines cut at commas where the header is a list, without empty ones.

        Commas in quotes and in angle brackets do not cut; what follows a quote that never closes is one
        value. This never raises.
        """
        wanted = canonical(name)
        raws = [raw for have, raw in self._items if have == wanted]
        if wanted in _LISTS:
            raws = [piece for raw in raws for piece in split(raw, b",")]
        return [text(raw) for raw in raws if raw]

    def add(self, name: str, value: str | bytes) -> None:
        """Append a line. Raises LocalProtocolError when the value could start another header."""
        self._items.append((canonical(name), wire(value)))
        self._changed()

    def prepend(self, name: str, value: str | bytes) -> None:
        """Put a line before all others."""
        self._items.insert(0, (canonical(name), wire(value)))
        self._changed()

    def set(self, name: str, value: str | bytes) -> None:
        """Replace all lines of that name by one, at the place of the first, or append it."""
        wanted, raw = canonical(name), wire(value)
        at = next((i for i, (have, _) in enumerate(self._items) if have == wanted), len(self._items))
        kept = [item for item in self._items if item[0] != wanted]
        kept.insert(at, (wanted, raw))
        self._items[:] = kept
        self._changed()

    def replace_first(self, name: str, value: str | bytes) -> None:
        """Replace the first line of that name and leave the others; KeyError when there is none."""
        wanted = canonical(name)
        for i, (have, _) in enumerate(self._items):
            if have == wanted:
                self._items[i] = (wanted, wire(value))
                self._changed()
                return
        raise KeyError(name)

    def remove(self, name: str) -> None:
        """Take away all lines of that name; none is fine."""
        wanted = canonical(name)
        self._items[:] = [item for item in self._items if item[0] != wanted]
        self._changed()

    def copy(self) -> Headers:
        """An independent copy; the values are shared."""
        return Headers.trusted(list(self._items), self._first)

    def __contains__(self, name: str) -> bool:
        return canonical(name) in self.first()

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it can change

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"


def _fill_names() -> None:
    """Know the usual names from the start, so that nobody can fill the cache before they are seen."""
    usual = _LISTS | set(_SPELLED.values()) | set(_COMPACT.values())
    usual |= {
        "Authorization", "Content-Disposition", "Date", "Expires", "Max-Forwards", "Min-Expires",
        "Organization", "Proxy-Authenticate", "Proxy-Authorization", "Replaces", "Retry-After", "Server",
        "Subscription-State", "Timestamp", "User-Agent",
    }  # fmt: skip
    for name in usual:
        for spelling in (name, name.lower(), name.upper()):
            NAMES[spelling.encode("ascii")] = name
    for short, name in _COMPACT.items():
        NAMES[short.encode("ascii")] = name
        NAMES[short.upper().encode("ascii")] = name


_fill_names()
