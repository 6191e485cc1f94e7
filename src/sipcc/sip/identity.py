"""Who calls, as headers say it: RFC 3325 identities, RFC 3323 privacy, the old Remote-Party-ID.

This module reads and writes; it believes nobody. Whether an asserted identity counts is asked of whoever
received the request: only a trunk that the operator trusts may assert one, a user never.

| header | read from | written to |
|---|---|---|
| From | everybody | everybody |
| P-Asserted-Identity, Privacy | trusted trunks | trunks that want them |
| P-Preferred-Identity | nobody | trunks that want it |
| Remote-Party-ID | trusted trunks | trunks that want it |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import split, text
from sipcc.sip.headers import Headers, canonical
from sipcc.sip.uri import NameAddr, SipUri

Style = Literal["from", "pai", "ppi", "rpid"]
"""How a carrier is told who calls: by From alone, or by one more header."""

Source = Literal["asserted", "remote-party", "from", "account"]

ANONYMOUS = NameAddr(SipUri(user="anonymous", host="anonymous.invalid"), "Anonymous")
"""The From of a caller who wants to stay unknown (RFC 3323 §4.1.1.3)."""

MAX_IDENTITIES = 8
"""Values of one header that are looked at; RFC 3325 allows two."""

_NOBODY = frozenset({"", "anonymous", "unknown", "unavailable", "restricted", "private", "withheld"})

_PRIVACY = frozenset({"header", "session", "user", "id", "history", "none", "critical"})

EDGE_ONLY = frozenset(map(canonical, (
    "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Remote-Party-ID", "Diversion", "History-Info",
    "Referred-By", "Identity", "Identity-Info", "Geolocation", "Route", "Record-Route", "Path",
    "Service-Route", "Via", "Contact", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Authorization",
    "Proxy-Authorization", "Security-Client", "Security-Server", "Security-Verify", "User-Agent", "Server",
    "Organization",
)))  # fmt: skip
"""Headers that no application or transfer can put on a call to a carrier: rules write them, or nobody."""


class Privacy(msgspec.Struct, frozen=True):
    """The values of a Privacy header (RFC 3323 §4.2), in lower case."""

    values: frozenset[str] = frozenset()

    @classmethod
    def of(cls, headers: Headers) -> Privacy:
        """Read all Privacy lines; values stand between semicolons, from some peers between commas."""
        values = {
            word.strip(" \t").lower()
            for line in headers.values("Privacy")
            for word in line.split(";")[:MAX_IDENTITIES]
        }
        return cls(frozenset(values - {""}))

    @property
    def hides_caller(self) -> bool:
        """True when the caller must not be shown to whoever is outside of the trust domain."""
        return "none" not in self.values and bool(self.values & {"id", "user", "header"})

    @property
    def hides_history(self) -> bool:
        """True when the redirections must not be shown either (RFC 7044 §10.1)."""
        return "none" not in self.values and bool(self.values & {"history", "header", "session"})

    @property
    def cannot_serve(self) -> bool:
        """True when a privacy that nobody knows is demanded: such a request must fail (RFC 3323 §5)."""
        return "critical" in self.values and bool(self.values - _PRIVACY)

    def __str__(self) -> str:
        return ";".join(sorted(self.values, key=lambda value: (value == "critical", value)))


class WireIdentity(msgspec.Struct, frozen=True):
    """The caller as one request names it."""

    uri: SipUri
    """The URI whose user is the caller's number or name; a ``tel`` line goes before a ``sip`` one."""
    display: str = ""
    source: Source = "from"
    privacy: Privacy = Privacy()
    anonymous: bool = False
    """True when the caller is unknown, or known and not to be shown."""

    @property
    def subscriber(self) -> str:
        """The number or name as written, with the parameters of a telephone number; may be empty."""
        return "" if self.uri.user.lower() in _NOBODY else self.uri.user


def identity_of(headers: Headers, sender: NameAddr, *, trusted: bool) -> WireIdentity:
    """The caller of a request whose From is `sender`.

    With `trusted`, an asserted identity goes before a Remote-Party-ID, and that one before From
    (RFC 3325 §9.1). A line that cannot be read is passed over; this never raises.
    """
    privacy = Privacy.of(headers)
    hidden = privacy.hides_caller
    if trusted:
        if asserted := _addresses(headers.values("P-Asserted-Identity")):
            uri, display = _best(asserted)
            return WireIdentity(uri, display, "asserted", privacy, hidden)
        if party := _remote_party(headers):
            hidden = hidden or party.params.get("privacy", "off").lower() not in {"off", "name"}
            return WireIdentity(party.uri, party.display, "remote-party", privacy, hidden)
    return WireIdentity(sender.uri, sender.display, "from", privacy, hidden or is_anonymous(sender.uri))


def is_anonymous(uri: SipUri) -> bool:
    """True for the URIs by which nobody is meant (RFC 3323 §4.1.1.3, and what carriers send instead)."""
    return uri.host.lower() == "anonymous.invalid" or uri.user.lower() in _NOBODY


def _addresses(values: Iterable[str]) -> list[NameAddr]:
    found = []
    for value in list(values)[:MAX_IDENTITIES]:
        try:
            address = NameAddr.parse(value, "identity")
        except ParseError:
            continue
        if address.uri.scheme in {"sip", "sips", "tel"}:
            found.append(address)
    return found


def _best(asserted: Sequence[NameAddr]) -> tuple[SipUri, str]:
    """The URI that holds the number, and the first display name: a sip and a tel line are one caller."""
    display = next((address.display for address in asserted if address.display), "")
    tel = next((address.uri for address in asserted if address.uri.scheme == "tel"), None)
    return tel or asserted[0].uri, display


def _remote_party(headers: Headers) -> NameAddr | None:
    """The calling party of Remote-Party-ID (draft-ietf-sip-privacy-04), unless its network doubts it."""
    values = [text(piece) for raw in headers.get_all_raw("Remote-Party-ID") for piece in split(raw, b",")]
    for address in _addresses(values):
        params = {name: (address.param(name) or "").lower() for name in ("party", "screen")}
        if params["party"] in {"", "calling"} and params["screen"] != "no":
            return address
    return None


def identity_headers(style: Style, address: NameAddr, *, private: bool = False) -> list[tuple[str, str]]:
    """The headers that tell a carrier in its own style who calls; From is not among them.

    With `private` they also ask the carrier not to pass the number on (RFC 3325 §7).
    """
    hide = [("Privacy", "id")] if private else []
    match style:
        case "pai":
            return [("P-Asserted-Identity", str(address)), *hide]
        case "ppi":
            return [("P-Preferred-Identity", str(address)), *hide]
        case "rpid":
            state = "full" if private else "off"
            return [("Remote-Party-ID", f"{address};party=calling;screen=yes;privacy={state}")]
        case _:
            return hide


def at_the_edge(
    headers: Iterable[tuple[str, str]], passed: Iterable[str] = ()
) -> tuple[tuple[str, str], ...]:
    """What may leave to a carrier of the headers that somebody put on a call.

    `EDGE_ONLY` never does. ``P-`` and ``X-`` headers, which are internal by their nature, only when
    `passed` names them.
    """
    allowed = {canonical(name) for name in passed} - EDGE_ONLY
    kept = []
    for name, value in headers:
        known = canonical(name)
        internal = known in EDGE_ONLY or known.startswith(("P-", "X-"))
        if not internal or known in allowed:
            kept.append((name, value))
    return tuple(kept)
