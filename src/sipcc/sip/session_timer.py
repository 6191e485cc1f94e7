"""Session timers (RFC 4028): who refreshes a session, when, and when it counts as dead.

A core of one session. The session asks it for the headers of its INVITEs and of their answers, shows it
what the peer sends, and calls `expire` at `deadline`.

With the policy ``off`` we have no timer of our own. A caller that wants to refresh by itself is told that
it may; without that promise such peers hang up at the end of their interval.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import parse_params
from sipcc.sip.message import Request, Response

LEAST = 90
"""The shortest interval that RFC 4028 §5 knows, in seconds."""

SPREAD = 1.5
"""Seconds by which a refresh may come before half of the interval."""

_DIGITS = re.compile(rb"[0-9]{1,10}")

Side = Literal["us", "peer"]
Step = Literal["refresh", "expired"]
Headers = list[tuple[str, str]]


class TimerPolicy(msgspec.Struct, frozen=True):
    """What we want; intervals in seconds."""

    mode: Literal["off", "supported", "required"] = "off"
    interval: int = 1800
    least: int = LEAST


class SessionExpires(msgspec.Struct, frozen=True):
    """A Session-Expires value: seconds, and the side of the request that refreshes, if it says so."""

    interval: int
    refresher: str = ""

    @classmethod
    def of(cls, message: Request | Response) -> SessionExpires | None:
        """The value of a message; None when there is none, or none that can be read."""
        raw = message.headers.get_raw("Session-Expires")
        if raw is None:
            return None
        value, _, rest = raw.partition(b";")
        try:
            params = parse_params(rest, "header:Session-Expires") if rest else {}
        except ParseError:
            params = {}
        if not _DIGITS.fullmatch(value.strip(b" \t")):
            return None
        refresher = params.get("refresher", "").lower()
        return cls(int(value.strip(b" \t")), refresher if refresher in ("uac", "uas") else "")


class SessionTimer:
    """The session timer of one dialog."""

    def __init__(self, policy: TimerPolicy) -> None:
        self._policy = policy
        self.interval = 0
        """Seconds of the interval in force; 0 when no timer runs."""
        self.refresher: Side = "us"
        self.peer_updates = False
        """True when the peer takes UPDATE, and so needs no re-INVITE to be refreshed."""
        self._least = policy.least
        self._alone = False
        self._refresh_at: float | None = None
        self._dead_at: float | None = None

    @property
    def enabled(self) -> bool:
        """True when a timer of ours may run."""
        return self._policy.mode != "off" or self.interval > 0

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called, or None."""
        return min((at for at in (self._refresh_at, self._dead_at) if at is not None), default=None)

    # -- our requests ---------------------------------------------------------------------------------

    def request_headers(self) -> Headers:
        """The headers of an INVITE or UPDATE of ours; the first one names no refresher (RFC 4028 §7.1)."""
        policy = self._policy
        if self.interval and not self._alone:
            side = "uac" if self.refresher == "us" else "uas"
            wanted = f"{max(self.interval, self._least)};refresher={side}"
        elif policy.mode != "off":
            wanted = f"{max(policy.interval, self._least)}"
        else:
            return []
        headers = [("Session-Expires", wanted)]
        if self._least != LEAST:
            headers.append(("Min-SE", str(self._least)))
        if policy.mode == "off":
            headers.append(("Supported", "timer"))
        elif policy.mode == "required" and not self.interval:
            headers.append(("Require", "timer"))
        return headers

    def raise_to(self, response: Response) -> bool:
        """Take the Min-SE of a 422; False when it asks for no more than we offered (RFC 4028 §7.3)."""
        least = _seconds(response, "Min-SE")
        offered = max(self.interval or self._policy.interval, self._least)
        if least is None or least <= offered:
            return False
        self._least = least
        return True

    def take_answer(self, response: Response, *, now: float, jitter: float = 0.0) -> None:
        """Take the 2xx to a request of ours (RFC 4028 §7.2); `jitter` from 0 to 1 varies the refresh."""
        self._note(response)
        said = SessionExpires.of(response)
        if self._policy.mode == "off" and not self.interval:
            return  # nobody may ask a timer of a UAC that did not offer one
        if said is not None:
            self._start(said.interval, "peer" if said.refresher == "uas" else "us", now, jitter)
        elif self._policy.mode == "off":
            self.stop()
        else:
            # the peer knows no timers: refreshing alone still tells whether it lives
            self._start(max(self._policy.interval, self._least), "us", now, jitter, alone=True)

    # -- the peer's requests --------------------------------------------------------------------------

    def judge(self, request: Request, *, initial: bool) -> tuple[int, Headers] | None:
        """Refuse an INVITE or UPDATE: 422 for an interval that is too short, 421 without support."""
        supports = _lists(request, "Supported") or _lists(request, "Require")
        said = SessionExpires.of(request)
        if said is not None and supports and said.interval < self._policy.least:
            return 422, [("Min-SE", str(self._policy.least))]
        if initial and self._policy.mode == "required" and not supports:
            return 421, [("Require", "timer")]
        return None

    def accept(self, request: Request, *, now: float, jitter: float = 0.0) -> Headers:
        """The headers of our 2xx to `request`; starts, restarts or stops the timer (RFC 4028 §9)."""
        self._note(request)
        demands = _lists(request, "Require")
        supports = demands or _lists(request, "Supported")
        said = SessionExpires.of(request)
        off = self._policy.mode == "off"
        if off and (said is None or not supports or (said.refresher == "uas" and not demands)):
            # without Session-Expires in the 2xx a caller that wants a timer has to refresh by itself
            self.stop()
            return []
        interval = self._policy.interval if said is None else said.interval
        if not off:
            interval = min(interval, self._policy.interval)
        interval = max(interval, self._policy.least, _seconds(request, "Min-SE") or 0)
        side = (said.refresher if said is not None and said.refresher else "uac") if supports else "uas"
        self._start(interval, "peer" if side == "uac" else "us", now, jitter)
        headers = [("Session-Expires", f"{interval};refresher={side}")]
        if side == "uac":
            headers.append(("Require", "timer"))
        return headers

    def resume(self, interval: int, refresher: Side, *, peer_updates: bool, now: float) -> None:
        """Go on with a timer that another process has begun, as if it were refreshed now."""
        self.peer_updates = peer_updates
        self._start(interval, refresher, now, 0.0)

    # -- time -----------------------------------------------------------------------------------------

    def expire(self, *, now: float) -> Step | None:
        """What is due at `now`: our refresh, or the end of a session that nobody refreshed."""
        if self._dead_at is not None and self._dead_at <= now:
            self.stop()
            return "expired"
        if self._refresh_at is not None and self._refresh_at <= now:
            self._refresh_at = None
            return "refresh"
        return None

    def postpone(self, *, now: float) -> None:
        """A refresh could not be sent, or was refused: try again well before the end."""
        if self.interval and self.refresher == "us":
            left = self.interval / 2 if self._dead_at is None else self._dead_at - now
            self._refresh_at = now + max(1.0, left / 2)

    def stop(self) -> None:
        """No timer runs any more."""
        self.interval = 0
        self._alone = False
        self._refresh_at = self._dead_at = None

    def _start(self, interval: int, side: Side, now: float, jitter: float, *, alone: bool = False) -> None:
        # a peer that names a tiny interval must not make us send without pause
        interval = max(interval, min(self._policy.least, LEAST))
        self.interval, self.refresher, self._alone = interval, side, alone
        # RFC 4028 §10: the other side hangs up this long before the interval ends
        self._dead_at = None if alone else now + interval - min(32.0, interval / 3)
        # spread a little, so that the calls of one moment do not refresh in one moment
        self._refresh_at = now + interval / 2 - SPREAD * jitter if side == "us" else None

    def _note(self, message: Request | Response) -> None:
        allowed = message.headers.values("Allow")
        if allowed:
            self.peer_updates = "UPDATE" in allowed


def _lists(message: Request | Response, name: str) -> bool:
    """True when Supported or Require names ``timer``."""
    return any(tag.lower() == "timer" for tag in message.headers.values(name))


def _seconds(message: Request | Response, name: str) -> int | None:
    """The number that Min-SE begins with, or None."""
    raw = (message.headers.get_raw(name) or b"").partition(b";")[0].strip(b" \t")
    return int(raw) if _DIGITS.fullmatch(raw) else None
