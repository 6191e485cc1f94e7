"""The registrar: which contacts an address of record has now (RFC 3261 §10.3, RFC 3327, RFC 5626).

One binding per device: a device is its ``+sip.instance`` (with reg-id) when it names one, else its
Contact URI. A REGISTER is applied as a whole or not at all. The Contact that a phone sent is given back
as it was; where the REGISTER really came from is kept beside it, in `Binding.flow` and `.received`.
"""

from __future__ import annotations

import hashlib
import heapq
from typing import NamedTuple

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.build import response
from sipcc.sip.fields import delta_seconds
from sipcc.sip.grammar import format_params
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.settings import SipSettings
from sipcc.sip.transport.base import Address, Flow
from sipcc.sip.uri import NameAddr, SipUri

_ONE_HOUR = 3600
_RESPONSE_PARAMS = ("+sip.instance", "reg-id")


class Binding(msgspec.Struct, frozen=True):
    """One place where a user can be reached."""

    uri: SipUri
    """The Contact as a Request-URI: without ``?headers`` and ``method``, which may not stand in one."""
    flow: Flow | None
    """The way the REGISTER came; requests to this contact go back on it."""
    received: Address
    """Source address of the REGISTER."""
    path: tuple[NameAddr, ...]
    """Path values of the REGISTER: the Route of requests to this contact (RFC 3327)."""
    q: float
    """Preference of the user, 0 to 1."""
    expires_at: float
    """When it ends, in seconds of the clock that `now` comes from."""
    instance: str
    """The ``+sip.instance`` of the device without quotes, or ``""``."""


class BindingsChanged(msgspec.Struct, frozen=True):
    """The contacts of `aor` changed; there are `count` now. A mere refresh is not told."""

    aor: str
    count: int


class _Held(msgspec.Struct):
    """A binding with what only the registrar needs."""

    binding: Binding
    contact: NameAddr
    call_id: str
    cseq: int


class _Wish(NamedTuple):
    contact: NameAddr
    expires: int


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str | None = None, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.reason = reason
        self.headers = headers


class Registrar:
    """All bindings of all users. The caller has checked that the sender may change `aor`."""

    def __init__(self, settings: SipSettings) -> None:
        self._settings = settings
        self._bindings: dict[str, list[_Held]] = {}
        self._ends: list[tuple[float, str]] = []
        self._events: list[BindingsChanged] = []

    def receive(
        self, request: Request, aor: str, *, flow: Flow | None, received: Address, now: float
    ) -> Response:
        """Apply a REGISTER for `aor` and return the answer; never raises for a parsed request.

        200 lists all bindings; 423 names the shortest expiry; 400 is a bad ``*``, Contact or order; 403
        is more contacts than `SipSettings.max_contacts`.
        """
        self._purge(aor, now)
        tag = hashlib.sha256(b"\n".join(transaction_key(request))).hexdigest()[:16]
        try:
            self._apply(request, aor, flow, received, now)
        except _RefusedError as refused:
            return response(request, refused.status, refused.reason, to_tag=tag, headers=refused.headers)
        headers = [("Contact", self._written(held, now)) for held in self._bindings.get(aor, ())]
        headers += [("Path", value) for value in request.headers.get_all("Path")]
        return response(request, 200, to_tag=tag, headers=headers)

    def _apply(self, request: Request, aor: str, flow: Flow | None, received: Address, now: float) -> None:
        held = self._bindings.get(aor, [])
        call_id, cseq = request.call_id, request.cseq.number
        if request.contact_is_star:
            if delta_seconds(request.headers.get_raw("Expires")) != 0:
                raise _RefusedError(400, "Contact * needs Expires 0")
            for one in held:
                _check_order(one, call_id, cseq)
            self._replace(aor, [])
            return
        wishes = self._wishes(request)
        path = _path(request)
        changed = list(held)
        for wish in wishes:
            old = next((one for one in changed if _same_device(one.contact, wish.contact)), None)
            if old is not None:
                _check_order(old, call_id, cseq)
                changed.remove(old)
            if wish.expires:
                binding = _binding(wish, flow, received, path, now)
                changed.append(_Held(binding, wish.contact, call_id, cseq))
        if len(changed) > self._settings.max_contacts and len(changed) > len(held):
            raise _RefusedError(403, "Too Many Contacts")
        if wishes:
            self._replace(aor, changed)

    def _wishes(self, request: Request) -> list[_Wish]:
        """What each Contact asks for (RFC 3261 §10.2.1.1, §10.3 steps 6 and 7)."""
        settings = self._settings
        header = delta_seconds(request.headers.get_raw("Expires"))
        wishes = []
        for contact in request.contacts:
            if contact.uri.scheme not in {"sip", "sips"}:
                raise _RefusedError(400, "Contact Is No SIP URI")
            param = contact.params.get("expires")
            own = None if param is None else delta_seconds(param.encode("utf-8", "surrogateescape"))
            wanted = own if own is not None else header
            expires = settings.default_expires if wanted is None else min(wanted, settings.max_expires)
            if 0 < expires < min(settings.min_expires, _ONE_HOUR):
                raise _RefusedError(423, None, ("Min-Expires", str(settings.min_expires)))
            wishes.append(_Wish(contact, expires))
        return wishes

    def _replace(self, aor: str, changed: list[_Held]) -> None:
        before = [one.binding.uri for one in self._bindings.get(aor, ())]
        if changed:
            self._bindings[aor] = changed
            for one in changed:
                heapq.heappush(self._ends, (one.binding.expires_at, aor))
            if len(self._ends) > 64 + 4 * len(self._bindings) * self._settings.max_contacts:
                self._rebuild_ends()
        else:
            self._bindings.pop(aor, None)
        after = [one.binding.uri for one in changed]
        if len(before) != len(after) or not all(uri in before for uri in after):
            self._events.append(BindingsChanged(aor, len(after)))

    def _rebuild_ends(self) -> None:
        """Refreshes leave old ends in the heap; drop them before they pile up."""
        self._ends = [(one.binding.expires_at, aor) for aor, held in self._bindings.items() for one in held]
        heapq.heapify(self._ends)

    def _purge(self, aor: str, now: float) -> None:
        held = self._bindings.get(aor)
        if held and any(one.binding.expires_at <= now for one in held):
            self._replace(aor, [one for one in held if one.binding.expires_at > now])

    def bindings(self, aor: str, *, now: float) -> list[Binding]:
        """The live bindings of `aor`, highest q first, then the newest."""
        live = [one.binding for one in self._bindings.get(aor, ()) if one.binding.expires_at > now]
        live.reverse()
        live.sort(key=lambda binding: -binding.q)
        return live

    def remove(self, aor: str) -> None:
        """Drop all bindings of `aor`."""
        if aor in self._bindings:
            self._replace(aor, [])

    def bound_to(self, flow: Flow) -> list[Binding]:
        """The bindings that came over `flow`."""
        return [one.binding for held in self._bindings.values() for one in held if one.binding.flow is flow]

    def drop_flow(self, flow: Flow) -> None:
        """A connection is gone: drop the bindings that could be reached over it only (RFC 5626 §5.3)."""
        for aor, held in list(self._bindings.items()):
            kept = [one for one in held if one.binding.flow is not flow]
            if len(kept) != len(held):
                self._replace(aor, kept)

    @property
    def deadline(self) -> float | None:
        """When the next binding may end, or None."""
        return self._ends[0][0] if self._ends else None

    def expire(self, *, now: float) -> None:
        """Drop what has ended by `now`."""
        while self._ends and self._ends[0][0] <= now:
            _, aor = heapq.heappop(self._ends)
            self._purge(aor, now)

    def events(self) -> list[BindingsChanged]:
        """What changed since the last call."""
        events, self._events = self._events, []
        return events

    def __len__(self) -> int:
        """How many addresses of record have a binding."""
        return len(self._bindings)

    def _written(self, held: _Held, now: float) -> str:
        """A Contact value for the 200: the URI as the phone wrote it, with the time that is left."""
        contact = held.contact
        params = {"expires": str(max(1, round(held.binding.expires_at - now)))}
        if "q" in contact.params:
            params["q"] = contact.params["q"]
        for name in _RESPONSE_PARAMS:
            if name in contact.params:
                params[name] = contact.params[name]
        return f"<{contact.uri}>{format_params(params)}"


def _binding(
    wish: _Wish, flow: Flow | None, received: Address, path: tuple[NameAddr, ...], now: float
) -> Binding:
    contact = wish.contact
    uri = contact.uri
    if uri.headers or "method" in uri.params:
        uri = msgspec.structs.replace(uri.with_params(method=None), headers="")
    instance = contact.param("+sip.instance") or ""
    return Binding(uri, flow, received, path, _q(contact), now + wish.expires, instance)


def _q(contact: NameAddr) -> float:
    """The q of a Contact; 1 when absent, and for what is no qvalue."""
    value = contact.params.get("q", "")
    digits = value.replace(".", "", 1)
    if len(value) > 5 or not (digits.isascii() and digits.isdigit()):
        return 1.0
    return min(1.0, float(value))


def _path(request: Request) -> tuple[NameAddr, ...]:
    try:
        return tuple(NameAddr.parse(value, "header:Path") for value in request.headers.values("Path"))
    except ParseError as error:
        raise _RefusedError(400, "Bad Path") from error


def _same_device(one: NameAddr, other: NameAddr) -> bool:
    mine, theirs = one.params.get("+sip.instance"), other.params.get("+sip.instance")
    if mine and theirs:
        return mine == theirs and one.params.get("reg-id") == other.params.get("reg-id")
    return one.uri.matches(other.uri)


def _check_order(held: _Held, call_id: str, cseq: int) -> None:
    """A REGISTER that was overtaken by a later one must not undo it (RFC 3261 §10.3 step 7)."""
    if held.call_id == call_id and cseq <= held.cseq:
        raise _RefusedError(400, "CSeq Out Of Order")
