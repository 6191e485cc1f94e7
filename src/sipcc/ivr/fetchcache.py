"""What servers let us keep, as RFC 9111 has it for a cache that many callers share.

Copies that are stale are asked about with their validators. `wall` is the Unix time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

KEPT_STATUSES = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
"""Those that may be kept without a word of the server (RFC 9110 §15.1), but for parts (206)."""
LONGEST_GUESS_S = 86_400.0
"""The longest freshness that is guessed from the time of the last change."""
OVERHEAD_BYTES = 512
"""What a copy takes beside its body, about."""


class Copy(msgspec.Struct, kw_only=True):
    """A kept answer."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    asked_at: float
    """The Unix time at which it was asked for, or asked about last."""
    came_at: float
    varies: dict[str, str] = {}
    """The headers of the request that the answer depends on."""

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        headers = sum(len(name) + len(value) for name, value in self.headers.items())
        return len(self.url) + len(self.body) + headers + OVERHEAD_BYTES


def directives(value: str) -> dict[str, str]:
    """The directives of a Cache-Control header."""
    found = {}
    for part in value.split(","):
        name, _, argument = part.partition("=")
        if name.strip():
            found[name.strip().lower()] = argument.strip().strip('"')
    return found


def seconds_of(text: str) -> float | None:
    """A delta-seconds, or None for junk."""
    return float(min(int(text), 2**31)) if text.isascii() and text.isdigit() and len(text) < 20 else None


def time_of(text: str | None) -> float | None:
    """The Unix time of an HTTP date, or None for junk."""
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def may_keep(request: Mapping[str, str], status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer to a GET may be kept (RFC 9111 §3); names of headers are in lower case."""
    said = directives(headers.get("cache-control", ""))
    asked = directives(request.get("cache-control", ""))
    if (
        "no-store" in said
        or "no-store" in asked
        or "private" in said
        or headers.get("vary", "").strip() == "*"
    ):
        return False
    if "set-cookie" in headers:
        return False
    shared = said.keys() & {"public", "s-maxage", "must-revalidate"}
    if {"authorization", "cookie"} & request.keys() and not shared:
        return False
    told = said.keys() & {"public", "max-age", "s-maxage"} or "expires" in headers
    known = status in KEPT_STATUSES
    return (known and status < 500 and status != 404) or bool(known and told)


def freshness(copy: Copy) -> float:
    """Seconds for which it is fresh from the moment it was made (RFC 9111 §4.2.1)."""
    said = directives(copy.headers.get("cache-control", ""))
    for name in ("s-maxage", "max-age"):
        if name in said:
            return seconds_of(said[name]) or 0.0
    made = time_of(copy.headers.get("date"))
    if "expires" in copy.headers:
        ends = time_of(copy.headers["expires"])
        return 0.0 if ends is None else max(0.0, ends - (copy.came_at if made is None else made))
    changed = time_of(copy.headers.get("last-modified"))
    if changed is None:
        return 0.0
    return min(LONGEST_GUESS_S, max(0.0, 0.1 * ((copy.came_at if made is None else made) - changed)))


def age(copy: Copy, *, wall: float) -> float:
    """Seconds since the server made or confirmed it (RFC 9111 §4.2.3)."""
    made = time_of(copy.headers.get("date"))
    apparent = 0.0 if made is None else max(0.0, copy.came_at - made)
    told = seconds_of(copy.headers.get("age", "").strip()) or 0.0
    on_the_way = max(0.0, copy.came_at - copy.asked_at)
    return max(apparent, told + on_the_way) + max(0.0, wall - copy.came_at)


def usable(copy: Copy, *, max_age: float | None, max_stale: float | None, wall: float) -> bool:
    """Whether it answers a request without asking the server."""
    said = directives(copy.headers.get("cache-control", ""))
    if "no-cache" in said:
        return False
    old = age(copy, wall=wall)
    if max_age is not None and old > max_age:
        return False
    if max_age == 0:
        return False
    stale = old - freshness(copy)
    if stale < 0:
        return True
    if said.keys() & {"must-revalidate", "proxy-revalidate", "s-maxage"}:
        return False
    return max_stale is not None and stale <= max_stale


def validators(copy: Copy) -> dict[str, str]:
    """The headers that ask whether it still holds; none for a copy that has nothing to ask by."""
    asked = {}
    if "etag" in copy.headers:
        asked["if-none-match"] = copy.headers["etag"]
    if "last-modified" in copy.headers:
        asked["if-modified-since"] = copy.headers["last-modified"]
    return asked


class HttpCache:
    """Copies by URL, in `limit` bytes; what was not used for longest falls out."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._copies: OrderedDict[str, Copy] = OrderedDict()

    def find(self, url: str, request: Mapping[str, str]) -> Copy | None:
        """The copy that answers a GET with these headers, fresh or not."""
        copy = self._copies.get(url)
        if copy is None or any(request.get(name, "") != value for name, value in copy.varies.items()):
            return None
        self._copies.move_to_end(url)
        return copy

    def keep(self, copy: Copy, request: Mapping[str, str]) -> None:
        """Keep an answer, if that is allowed and there is room."""
        self.drop(copy.url)
        if not may_keep(request, copy.status, copy.headers) or copy.size > self.limit // 4:
            return
        if not freshness(copy) and not validators(copy):
            return  # it could never be used
        names = [name.strip().lower() for name in copy.headers.get("vary", "").split(",") if name.strip()]
        copy.varies = {name: request.get(name, "") for name in names}
        self._copies[copy.url] = copy
        self.size += copy.size
        while self.size > self.limit:
            self.size -= self._copies.popitem(last=False)[1].size

    def confirm(self, copy: Copy, headers: Mapping[str, str], *, asked_at: float, wall: float) -> None:
        """The server says that `copy` holds (304): go by its new headers."""
        kept = self._copies.get(copy.url) is copy
        before = copy.size
        unchanged = {"content-length", "content-encoding", "content-type", "transfer-encoding"}
        copy.headers.update({name: value for name, value in headers.items() if name not in unchanged})
        if "age" not in headers:
            copy.headers.pop("age", None)
        copy.asked_at, copy.came_at = asked_at, wall
        if kept:
            self.size += copy.size - before

    def drop(self, url: str) -> None:
        """Forget a copy; something was posted there, say."""
        copy = self._copies.pop(url, None)
        if copy is not None:
            self.size -= copy.size
