"""Redirections on the way of a call: Diversion (RFC 5806) and History-Info (RFC 7044), and their mapping.

Both headers say the same in other words, so both are read into one list of `Redirection`, oldest first,
and either can be written from it (RFC 7544). Diversion has the latest on top, History-Info a tree of
indices; where a redirection hides behind a counter, History-Info gets a placeholder for it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.headers import Headers
from sipcc.sip.uri import NameAddr, SipUri

Reason: TypeAlias = Literal[
    "unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day", "do-not-disturb",
    "deflection", "follow-me", "out-of-service", "away",
]  # fmt: skip
"""Why a call was redirected, in the words of RFC 5806 §5."""

MAX_ENTRIES = 20
"""Entries of one header that are read; a call redirected more often is a loop."""

_CAUSES: dict[str, int] = {
    "unknown": 404, "unconditional": 302, "user-busy": 486, "no-answer": 408, "deflection": 480,
    "unavailable": 503,
}  # fmt: skip
"""Reason -> cause of RFC 4458; any other reason is 404 (RFC 7544 §5)."""

_REASONS: dict[str, Reason] = {
    "302": "unconditional", "486": "user-busy", "408": "no-answer", "480": "deflection",
    "487": "deflection", "503": "unavailable", "404": "unknown",
}  # fmt: skip

_INDEX = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,40}")
_CAUSE_IN_HEADERS = re.compile(r"reason=sip(?:;|%3b)cause(?:=|%3d)([0-9]{3})", re.IGNORECASE | re.ASCII)
_HIDING = frozenset({"history", "header", "session"})
_NOBODY = SipUri(user="unknown", host="unknown.invalid")


class Redirection(msgspec.Struct, frozen=True):
    """One redirection: a party that sent the call on."""

    uri: SipUri
    """Who was called and did not take it."""
    reason: Reason = "unknown"
    display: str = ""
    count: int = 1
    """How many redirections this one stands for; 1 to 100."""
    private: bool = False
    """True when that party must not be shown."""


def redirections_of(headers: Headers) -> tuple[Redirection, ...]:
    """The redirections that a request tells of, oldest first; never raises.

    When both headers stand there, the one that knows of more redirections is taken, History-Info of two
    that know the same.
    """
    history, diversion = _from_history(headers), _from_diversion(headers)
    return diversion if total(diversion) > total(history) else history


def total(redirections: Sequence[Redirection]) -> int:
    """How many redirections these are, counters included."""
    return sum(entry.count for entry in redirections)


def _entries(headers: Headers, name: str) -> list[NameAddr]:
    found = []
    for value in headers.values(name)[:MAX_ENTRIES]:
        try:
            found.append(NameAddr.parse(value, f"header:{name}"))
        except ParseError:
            continue
    return found


# -- Diversion ------------------------------------------------------------------------------------------


def _from_diversion(headers: Headers) -> tuple[Redirection, ...]:
    found = []
    for entry in _entries(headers, "Diversion"):
        reason = (entry.param("reason") or "unknown").lower()
        counter = entry.param("counter") or "1"
        known = counter.isascii() and counter.isdigit() and len(counter) <= 3
        found.append(
            Redirection(
                entry.uri,
                reason if reason in get_args(Reason) else "unknown",  # type: ignore[arg-type]  # one of them
                entry.display,
                max(1, min(int(counter), 100)) if known else 1,
                (entry.param("privacy") or "off").lower() not in {"off", "name"},
            )
        )
    return tuple(reversed(found))


def as_diversion(redirections: Sequence[Redirection]) -> list[tuple[str, str]]:
    """The Diversion lines of these redirections, the latest on top."""
    lines = []
    for entry in reversed(redirections):
        params = {"reason": entry.reason, "counter": str(entry.count)}
        params["privacy"] = "full" if entry.private else "off"
        lines.append(("Diversion", str(NameAddr(entry.uri, entry.display, params))))
    return lines


# -- History-Info -----------------------------------------------------------------------------------------


def _from_history(headers: Headers) -> tuple[Redirection, ...]:
    """The entries of which another one says that it replaced them, by its cause or by ``mp``.

    A plain re-route by a proxy (``rc``, ``np``) has neither, and is no redirection.
    """
    entries = [e for e in _entries(headers, "History-Info") if _INDEX.fullmatch(e.params.get("index", ""))]
    entries.sort(key=lambda entry: _order(entry.params["index"]))
    by_index = {entry.params["index"]: entry for entry in entries}
    found: list[Redirection] = []
    skipped = 0
    for before, entry in itertools.pairwise(entries):
        cause = entry.uri.params.get("cause", "")
        mapped_from = entry.params.get("mp", "")
        if not cause and not mapped_from:
            continue
        origin = by_index.get(mapped_from, before)
        if origin.uri.host.lower() == _NOBODY.host:
            skipped += 1
            continue
        found.append(_redirection(origin, cause, skipped))
        skipped = 0
    return tuple(found)


def _redirection(origin: NameAddr, cause: str, skipped: int) -> Redirection:
    told = _CAUSE_IN_HEADERS.search(origin.uri.headers)
    reason = _REASONS.get(cause or (told[1] if told else ""), "unknown")
    private = _hidden(origin.uri.headers)
    params = {name: value for name, value in origin.uri.params.items() if name != "cause"}
    uri = msgspec.structs.replace(origin.uri, headers="", params=params)
    return Redirection(uri, reason, origin.display, 1 + skipped, private)


def _hidden(headers: str) -> bool:
    """True when the headers of a URI ask for privacy: ``Privacy=history`` (RFC 7044 §10.1.1)."""
    for piece in headers.lower().split("&"):
        name, _, value = piece.partition("=")
        if name == "privacy" and not _HIDING.isdisjoint(value.replace("%3b", ";").split(";")):
            return True
    return False


def _order(index: str) -> tuple[int, ...]:
    return tuple(int(part) for part in index.split("."))


def as_history(redirections: Sequence[Redirection], target: SipUri) -> list[tuple[str, str]]:
    """The History-Info lines of these redirections, the last one being where the call goes now.

    Nothing when there are none: a request that was never redirected needs no history.
    """
    hops: list[tuple[SipUri, str, Reason | None]] = []
    reason: Reason | None = None
    for entry in redirections:
        for _ in range(min(entry.count, MAX_ENTRIES) - 1):
            hops.append((_NOBODY, "", reason))
            reason = "unknown"
        hops.append((_shown(entry), entry.display, reason))
        reason = entry.reason
    if not hops:
        return []
    hops.append((msgspec.structs.replace(target, headers=""), "", reason))
    lines, index = [], ""
    for uri, display, why in hops[-MAX_ENTRIES:]:
        before, index = index, f"{index}.1" if index else "1"
        params = {"index": index}
        if why is not None and before:
            uri = uri.with_params(cause=str(_CAUSES.get(why, 404)))
            params["mp"] = before
        lines.append(("History-Info", str(NameAddr(uri, display, params))))
    return lines


def _shown(entry: Redirection) -> SipUri:
    return msgspec.structs.replace(entry.uri, headers="Privacy=history" if entry.private else "")
