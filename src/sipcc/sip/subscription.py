"""Subscriptions (RFC 6665): the words that both sides share, and one subscription as its notifier sees it.

A notifier answers each SUBSCRIBE at once with a NOTIFY, tells each change, and has the last word: a
subscription is over with the NOTIFY that says ``terminated``. `Watch` decides when a NOTIFY is due and what
it says; `sipcc.sip.notifier` builds and sends it. Only one NOTIFY is under way at a time: what changes in
the meantime is told together by the next one, and no sooner than the event package allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, Protocol

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.fields import delta_seconds
from sipcc.sip.grammar import format_params, is_token, parse_params
from sipcc.sip.message import Response
from sipcc.sip.uri import SipUri

RETRY_LATER_S = 60.0
"""Seconds before a new attempt when a notifier gave up and did not say when to come back."""

MAX_RETRY_S = 3600.0
"""The longest pause that a peer can put before our next attempt."""


class SubscriptionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Subscriptions of phones to lamps, message counts and registrations."""

    watch: Literal["all", "own", "none"] = "all"
    """Whom a user may watch: every user and agent, its own account alone, or nobody."""
    min_expires: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 60
    """Shortest subscription in seconds; a shorter wish earns 423."""
    max_expires: Annotated[int, msgspec.Meta(ge=60, le=86400)] = 3600
    """Longest subscription in seconds; a longer wish is cut."""
    per_user: Annotated[int, msgspec.Meta(ge=1, le=10000)] = 200
    """Subscriptions that one user may hold at a time; one more earns 403."""
    total: Annotated[int, msgspec.Meta(ge=1, le=1000000)] = 20000
    """Subscriptions of all users together; one more earns 503."""
    partial: bool = False
    """True tells lamps only what changed, as RFC 4235 §3.9 allows; False sends the whole state of the
    watched user each time, which all phones understand."""


class Document(NamedTuple):
    """The body of a NOTIFY."""

    body: bytes
    revision: int
    """What of the resource it tells; the next document of the same subscription begins after it."""


class EventPackage(Protocol):
    """An event package (RFC 6665 §7.2): what can be watched, and how it is told."""

    name: str
    content_type: str
    default_expires: int
    """Seconds of a subscription that names none."""
    interval: float
    """Least seconds between two NOTIFYs of one subscription."""
    changed: Callable[[str], None]
    """Set by the notifier; called with the name of a resource that changed."""

    def resource_of(self, uri: SipUri) -> str | None:
        """The name of what `uri` means, or None when there is no such thing."""
        ...

    def document(self, resource: str, *, version: int, since: int | None, now: float) -> Document:
        """The state of `resource`, or what changed after the revision `since`."""
        ...


class EventType(NamedTuple):
    """An Event header: which package, and which subscription to it (RFC 6665 §8.2.1)."""

    package: str
    id: str = ""
    params: Mapping[str, str] = MappingProxyType({})
    """All other parameters."""

    @classmethod
    def parse(cls, raw: bytes | None) -> EventType | None:
        """Read the value of an Event header; None when it is absent or no event."""
        name, params = _token_and_params(raw, "header:Event")
        if not name or params is None:
            return None
        return cls(name, params.pop("id", ""), params)

    @property
    def key(self) -> tuple[str, str]:
        """What tells the subscriptions of one dialog apart: package and id."""
        return self.package, self.id

    def __str__(self) -> str:
        """The header value of a SUBSCRIBE or NOTIFY; the answer to a subscription repeats only the id."""
        return self.package + format_params({**({"id": self.id} if self.id else {}), **self.params})


class SubscriptionState(NamedTuple):
    """A Subscription-State header (RFC 6665 §8.2.3)."""

    state: str
    """``active``, ``pending`` or ``terminated``; any other is an extension, and the subscription lives."""
    reason: str = ""
    expires: int | None = None
    retry_after: int | None = None

    @classmethod
    def parse(cls, raw: bytes | None) -> SubscriptionState | None:
        """Read the header value; None when it is absent or no state. Unreadable numbers count as absent."""
        name, params = _token_and_params(raw, "header:Subscription-State")
        if not name:
            return None
        params = params or {}
        return cls(
            name.lower(),
            params.get("reason", "").lower(),
            _seconds(params.get("expires")),
            _seconds(params.get("retry-after")),
        )

    @property
    def terminated(self) -> bool:
        """True when this NOTIFY is the last one."""
        return self.state == "terminated"

    def resubscribe_after(self) -> float | None:
        """Seconds before a new subscription may be tried; None for never (RFC 6665 §4.1.3)."""
        if self.reason in {"rejected", "noresource", "invariant"}:
            return None
        if self.reason in {"deactivated", "timeout"}:
            return 0.0
        if self.retry_after is not None:
            return min(float(self.retry_after), MAX_RETRY_S)
        return RETRY_LATER_S if self.reason in {"probation", "giveup"} else 0.0

    def __str__(self) -> str:
        params = {"reason": self.reason} if self.reason else {}
        if self.expires is not None and not self.terminated:
            params["expires"] = str(self.expires)
        if self.retry_after is not None and self.terminated:
            params["retry-after"] = str(self.retry_after)
        return self.state + format_params(params)


def granted(wish: int | None, *, default: int, shortest: int, longest: int) -> int | None:
    """Seconds that a subscription gets, 0 for one that ends at once; None earns 423 (RFC 6665 §4.2.1.1)."""
    if wish is None:
        return min(default, longest)
    if 0 < wish < shortest:
        return None
    return min(wish, longest)


class Notice(NamedTuple):
    """A NOTIFY that is due."""

    state: SubscriptionState
    full: bool
    """True for the whole state, False when the changes since the last NOTIFY will do."""
    version: int
    """0 for the first one, one more for each."""


class Watch:
    """One subscription on its notifier's side.

    | what happens | what is said |
    |---|---|
    | SUBSCRIBE, SUBSCRIBE again | at once, the whole state |
    | SUBSCRIBE with ``Expires: 0``, also as the first one | ``terminated;reason=timeout``, the whole state |
    | a change | what changed, `interval` after the last NOTIFY or later |
    | its time is over | ``terminated;reason=timeout`` |
    | `end` | ``terminated`` with the reason given |
    | a NOTIFY is refused or not answered | nothing any more: `over` |
    | a NOTIFY is refused with Retry-After | the whole state, after that time |
    """

    __slots__ = (
        "_due",
        "_expires_at",
        "_full",
        "_in_flight",
        "_interval",
        "_last",
        "_over",
        "_terminal",
        "_version",
    )

    def __init__(self, *, interval: float) -> None:
        self._interval = interval
        self._expires_at = 0.0
        self._due: float | None = None
        self._full = True
        self._in_flight = False
        self._last: float | None = None
        self._terminal: SubscriptionState | None = None
        self._over = False
        self._version = 0

    @property
    def over(self) -> bool:
        """True when nothing is to be sent or waited for any more."""
        return self._over

    @property
    def ending(self) -> bool:
        """True once it was ended, by whom ever; a SUBSCRIBE for it finds nothing then."""
        return self._over or self._terminal is not None

    def subscribe(self, expires: int, *, now: float) -> None:
        """A SUBSCRIBE was accepted for `expires` seconds; 0 ends it."""
        if expires == 0:
            self.end("timeout", now=now)
            return
        self._expires_at = now + expires
        self._full = True
        self._due = now

    def change(self, *, now: float) -> None:
        """The state that is watched changed."""
        if self.ending:
            return
        at = now if self._last is None else max(now, self._last + self._interval)
        self._due = at if self._due is None else min(self._due, at)

    def end(self, reason: str, *, now: float, retry_after: int | None = None) -> None:
        """End it from our side; a NOTIFY says why."""
        if not self.ending:
            self._terminal = SubscriptionState("terminated", reason, retry_after=retry_after)
            self._full = True
            self._due = now

    def answered(self, response: Response, *, now: float) -> None:
        """The final answer to the NOTIFY under way (RFC 6665 §4.2.2)."""
        self._in_flight = False
        status = response.status
        if self._terminal is not None and self._due is None:
            self._over = True
        elif status >= 300:
            pause = delta_seconds(response.headers.get_raw("Retry-After"))
            if pause is None or status == 481 or self._terminal is not None:
                self._over = True
            else:
                self._full = True
                self._due = now + min(float(pause), MAX_RETRY_S)

    def failed(self) -> None:
        """The NOTIFY under way was not answered or could not be sent: nobody is there."""
        self._in_flight = False
        self._over = True

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        if self._over:
            return None
        if self._terminal is not None:
            return None if self._in_flight else self._due
        if self._in_flight or self._due is None:
            return self._expires_at
        return min(self._due, self._expires_at)

    def expire(self, *, now: float) -> None:
        """Its time may be over."""
        if not self.ending and self._expires_at <= now:
            self.end("timeout", now=now)

    def to_send(self, *, now: float) -> Notice | None:
        """The NOTIFY that is due now, once."""
        if self._over or self._in_flight or self._due is None or self._due > now:
            return None
        state = self._terminal or SubscriptionState("active", expires=max(0, round(self._expires_at - now)))
        notice = Notice(state, self._full, self._version)
        self._version += 1
        self._full = False
        self._due = None
        self._in_flight = True
        self._last = now
        return notice


def _token_and_params(raw: bytes | None, where: str) -> tuple[str, dict[str, str] | None]:
    """Both parts of ``token;name=value``; an empty token for what has none, None for bad parameters."""
    token, _, rest = (raw or b"").partition(b";")
    token = token.strip(b" \t")
    if not is_token(token):
        return "", None
    try:
        return token.decode("ascii"), parse_params(rest, where) if rest else {}
    except ParseError:
        return token.decode("ascii"), None


def _seconds(value: str | None) -> int | None:
    return None if value is None else delta_seconds(value.encode("utf-8", "surrogateescape"))
