"""The registrar: which contacts an address of record has now (RFC 3261 §10.3, 3327, 5626, 5627).

One binding per device: a device is its ``+sip.instance`` when it names one, else its Contact URI. A
device that speaks RFC 5626 may have several flows, told apart by ``reg-id``. A REGISTER is applied as a
whole or not at all. The Contact that a phone sent is given back as it was; where the REGISTER really came
from is kept beside it, in `Binding.flow` and `.received`. Who registers again from elsewhere is told as
`Rebound`, so that calls of that device can follow it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.binding import Binding, Held, SavedContact, SavedContacts, read_back, write_down
from sipcc.sip.build import response
from sipcc.sip.fields import delta_seconds
from sipcc.sip.grammar import format_params, quote
from sipcc.sip.gruu import Device, TemporaryGruus, instance_param, is_gruu, public_gruu
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.settings import SipSettings
from sipcc.sip.transport.base import Address, Flow
from sipcc.sip.uri import NameAddr, SipUri

_ONE_HOUR = 3600
_REPEATED = ("q", "+sip.instance", "reg-id")
_SUPPORTED = "path, outbound, gruu"
_MAX_REG_ID = 2**31 - 1


class Rebound(msgspec.Struct, frozen=True):
    """A device has registered again over another flow, or with another Contact."""

    aor: str
    instance: str
    old: Binding
    new: Binding


class BindingsChanged(msgspec.Struct, frozen=True):
    """The contacts of `aor` changed; there are `count` now. A mere refresh is not told."""

    aor: str
    count: int


class _Wish(NamedTuple):
    contact: NameAddr
    expires: int
    reg_id: int


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str | None = None, *headers: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.reason = reason
        self.headers = headers


class Registrar:
    """All bindings of all users. The caller has checked that the sender may change `aor`.

    `secret` is at least 16 random bytes, for temporary GRUUs; without it there are none.
    """

    def __init__(self, settings: SipSettings, *, secret: bytes = b"") -> None:
        self._settings = settings
        self._bindings: dict[str, list[Held]] = {}
        self._sources: dict[Address, tuple[str, ...]] = {}
        self._ends: list[tuple[float, str]] = []
        self._count = 0
        self._events: list[BindingsChanged | Rebound] = []
        self._temporary = TemporaryGruus(secret) if secret else None

    def receive(
        self, request: Request, aor: str, *, flow: Flow | None, received: Address, now: float
    ) -> Response:
        """Apply a REGISTER for `aor` and return the answer; never raises for a parsed request.

        200 lists all bindings; 423 names the shortest expiry; 400 is a bad ``*``, Contact or order; 403
        is more contacts than `SipSettings.max_contacts`, or a GRUU of the user as his Contact.
        """
        self._purge(aor, now)
        tag = hashlib.blake2s(b"\n".join(transaction_key(request)), digest_size=8).hexdigest()
        try:
            outbound = self._apply(request, aor, flow, received, now)
        except _RefusedError as refused:
            return response(request, refused.status, refused.reason, to_tag=tag, headers=refused.headers)
        gruu = "gruu" in _options(request)
        headers = [
            ("Contact", self._written(held, request, aor, gruu, now)) for held in self._bindings.get(aor, ())
        ]
        headers += [("Path", value) for value in request.headers.get_all("Path")]
        if outbound:
            headers.append(("Require", "outbound"))  # RFC 5626 §6: that it was done as asked
        headers.append(("Supported", _SUPPORTED))
        return response(request, 200, to_tag=tag, headers=headers)

    def _apply(self, request: Request, aor: str, flow: Flow | None, received: Address, now: float) -> bool:
        """Do what the REGISTER asks for; true when a flow was bound as RFC 5626 has it."""
        held = self._bindings.get(aor, [])
        call_id, cseq = request.call_id, request.cseq.number
        if request.contact_is_star:
            if delta_seconds(request.headers.get_raw("Expires")) != 0:
                raise _RefusedError(400, "Contact * needs Expires 0")
            for one in held:
                _check_order(one, call_id, cseq)
            self._replace(aor, [])
            return False
        wishes = self._wishes(request, aor)
        path = _path(request)
        changed = list(held)
        moved = []
        for wish in wishes:
            old = next((one for one in changed if _same_device(one, wish)), None)
            if old is not None:
                _check_order(old, call_id, cseq)
                changed.remove(old)
            if wish.expires:
                binding = _binding(wish, flow, received, path, now)
                changed.append(Held(binding, wish.contact.uri, _repeated(wish.contact), call_id, cseq))
                if old is not None and _has_moved(old.binding, binding):
                    moved.append(Rebound(aor, binding.instance, old.binding, binding))
        if len(changed) > self._settings.max_contacts and len(changed) > len(held):
            raise _RefusedError(403, "Too Many Contacts")
        if wishes:
            self._replace(aor, changed)
            self._events += moved
        return any(wish.reg_id and wish.expires for wish in wishes)

    def _wishes(self, request: Request, aor: str) -> list[_Wish]:
        """What each Contact asks for (RFC 3261 §10.2.1.1, §10.3 steps 6 and 7)."""
        settings = self._settings
        header = delta_seconds(request.headers.get_raw("Expires"))
        outbound = "outbound" in _options(request)
        wishes = []
        for contact in request.contacts:
            if contact.uri.scheme not in {"sip", "sips"}:
                raise _RefusedError(400, "Contact Is No SIP URI")
            if is_gruu(contact.uri) and self._is_gruu_of(contact.uri, aor):
                raise _RefusedError(403, "Contact Is A GRUU")  # it would lead to itself (RFC 5627 §5.1)
            param = contact.params.get("expires")
            own = None if param is None else delta_seconds(param.encode("utf-8", "surrogateescape"))
            wanted = own if own is not None else header
            expires = settings.default_expires if wanted is None else min(wanted, settings.max_expires)
            if 0 < expires < min(settings.min_expires, _ONE_HOUR):
                raise _RefusedError(423, None, ("Min-Expires", str(settings.min_expires)))
            wishes.append(_Wish(contact, expires, _reg_id(contact) if outbound else 0))
        if any(wish.reg_id for wish in wishes) and sum(wish.expires > 0 for wish in wishes) > 1:
            raise _RefusedError(400, "One Flow At A Time")  # RFC 5626 §6
        return wishes

    def _is_gruu_of(self, uri: SipUri, aor: str) -> bool:
        device = self.device_of_gruu(uri)
        return device is not None and device.aor == aor

    def _replace(self, aor: str, changed: list[Held]) -> None:
        before = self._bindings.get(aor, [])
        for one in before:
            if one not in changed:
                self._forget(aor, one)
        if changed:
            self._bindings[aor] = changed
            for one in changed:
                if one not in before:
                    self._note(aor, one)
            if len(self._ends) > 64 + 4 * self._count:
                self._rebuild_ends()
        else:
            self._bindings.pop(aor, None)
        self._count += len(changed) - len(before)
        uris = [one.binding.uri for one in before]
        if len(before) != len(changed) or not all(one.binding.uri in uris for one in changed):
            self._events.append(BindingsChanged(aor, len(changed)))
        if self._temporary is not None:
            kept = {one.binding.instance for one in changed}
            for one in before:
                if one.binding.instance and one.binding.instance not in kept:
                    self._temporary.drop(Device(aor, one.binding.instance))

    def _note(self, aor: str, held: Held) -> None:
        source = held.binding.received
        aors = self._sources.get(source, ())
        if aor not in aors:
            self._sources[source] = (*aors, aor)
        heapq.heappush(self._ends, (held.binding.expires_at, aor))

    def _forget(self, aor: str, held: Held) -> None:
        source = held.binding.received
        others = [one for one in self._bindings.get(aor, ()) if one is not held]
        if any(one.binding.received == source for one in others):
            return
        aors = tuple(other for other in self._sources.get(source, ()) if other != aor)
        if aors:
            self._sources[source] = aors
        else:
            self._sources.pop(source, None)

    def _rebuild_ends(self) -> None:
        """Refreshes leave old ends in the heap; drop them before they pile up."""
        self._ends = [(one.binding.expires_at, aor) for aor, held in self._bindings.items() for one in held]
        heapq.heapify(self._ends)

    def _purge(self, aor: str, now: float) -> None:
        held = self._bindings.get(aor)
        if held and any(one.binding.expires_at <= now for one in held):
            self._replace(aor, [one for one in held if one.binding.expires_at > now])

    def bindings(self, aor: str, *, now: float) -> list[Binding]:
        """The live bindings of `aor`, highest q first, then the newest.

        Of the flows of one device it is the newest that is open: a device is rung once (RFC 5626 §7).
        """
        live = [one.binding for one in self._bindings.get(aor, ()) if one.binding.expires_at > now]
        live.reverse()
        if any(binding.reg_id for binding in live):
            live = _one_flow_each(live)
        live.sort(key=lambda binding: -binding.q)
        return live

    def all_bindings(self) -> Iterator[tuple[str, Binding]]:
        """Every binding with its address of record; not to be kept while others change them."""
        return ((aor, one.binding) for aor, held in self._bindings.items() for one in held)

    def save(self, aor: str, *, wall_of: Callable[[float], float]) -> SavedContacts:
        """The bindings of `aor` that another process could use."""
        return write_down(self._bindings.get(aor, ()), wall_of=wall_of)

    def restore(
        self, aor: str, saved: SavedContacts, *, flow_of: Callable[[SavedContact], Flow | None], ages: float
    ) -> None:
        """Take in the bindings that another process has left; `ages` takes a Unix time to our clock.

        Raises:
            ParseError: what was written down is damaged.
        """
        held = read_back(saved, flow_of=flow_of, ages=ages)
        if held and aor not in self._bindings:
            self._replace(aor, held)

    def device_of_gruu(self, uri: SipUri) -> Device | None:
        """The device that a GRUU says to lead to, registered or not; None for any other URI."""
        instance = uri.params.get("gr")
        if instance:
            return Device(uri.user, instance)
        if instance is None or self._temporary is None:
            return None
        return self._temporary.read(uri.user)

    def binding_of_gruu(self, uri: SipUri, *, now: float) -> Binding | None:
        """The binding that a GRUU of ours leads to, public or temporary; None when there is none now."""
        device = self.device_of_gruu(uri)
        if device is None:
            return None
        live = self.bindings(device.aor, now=now)
        wanted = instance_param(device.instance)
        return next((one for one in live if instance_param(one.instance) == wanted), None)

    def is_bound(self, aor: str, source: Address) -> bool:
        """True when a live registration of `aor` came from `source`."""
        return aor in self._sources.get(source, ())

    def knows(self, source: Address) -> bool:
        """True when some live registration came from `source`."""
        return source in self._sources

    def remove(self, aor: str) -> None:
        """Drop all bindings of `aor`."""
        if aor in self._bindings:
            self._replace(aor, [])

    def bound_to(self, flow: Flow) -> list[Binding]:
        """The bindings that came over `flow`."""
        return [
            one.binding
            for aor in self._sources.get(flow.remote, ())
            for one in self._bindings[aor]
            if one.binding.flow is flow
        ]

    def drop_flow(self, flow: Flow) -> None:
        """A connection is gone: drop the bindings that could be reached over it only (RFC 5626 §5.3)."""
        for aor in self._sources.get(flow.remote, ()):
            held = self._bindings[aor]
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

    def events(self) -> list[BindingsChanged | Rebound]:
        """What changed since the last call."""
        events, self._events = self._events, []
        return events

    def __len__(self) -> int:
        """How many addresses of record have a binding."""
        return len(self._bindings)

    def _written(self, held: Held, request: Request, aor: str, gruu: bool, now: float) -> str:
        """A Contact value for the 200: the URI as the phone wrote it, with the time that is left."""
        binding = held.binding
        params: dict[str, str] = {}
        if gruu and binding.instance:
            public = public_gruu(request.to.uri, binding.instance)
            params["pub-gruu"] = quote(str(public))
            if self._temporary is not None:
                user = self._temporary.make(Device(aor, binding.instance), held.call_id)
                host, scheme = public.host, public.scheme
                params["temp-gruu"] = quote(str(SipUri(scheme, user, host=host, params={"gr": ""})))
        left = max(1, round(binding.expires_at - now))
        return f"<{held.uri}>;expires={left}{held.params}{format_params(params)}"


def _binding(
    wish: _Wish, flow: Flow | None, received: Address, path: tuple[NameAddr, ...], now: float
) -> Binding:
    contact = wish.contact
    uri = contact.uri.as_target()
    expires_at = now + wish.expires
    return Binding(uri, flow, received, path, _q(contact), expires_at, _instance(contact), wish.reg_id)


def _has_moved(old: Binding, new: Binding) -> bool:
    """True when requests to the device now go elsewhere."""
    if old.received != new.received or old.uri != new.uri:
        return True
    return new.flow is not old.flow and new.flow is not None and new.flow.reliable


def _one_flow_each(bindings: list[Binding]) -> list[Binding]:
    """The first open flow of each device, of bindings in the order of preference."""
    chosen: dict[str, Binding] = {}
    found = []
    for binding in bindings:
        if not binding.reg_id:
            found.append(binding)
            continue
        have = chosen.get(binding.instance)
        closed = have is not None and have.flow is not None and have.flow.closed
        if have is None or closed:
            chosen[binding.instance] = binding
    return [*chosen.values(), *found]


def _options(request: Request) -> set[str]:
    """The option tags that a REGISTER supports or demands."""
    headers = request.headers
    return {tag.lower() for tag in (*headers.values("Supported"), *headers.values("Require"))}


def _reg_id(contact: NameAddr) -> int:
    """The reg-id of a Contact with an instance; 0 when there is none (RFC 5626 §4.2)."""
    value = contact.params.get("reg-id", "")
    if "+sip.instance" not in contact.params or len(value) > 10 or not (value.isascii() and value.isdigit()):
        return 0
    return int(value) if int(value) <= _MAX_REG_ID else 0


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


def _same_device(held: Held, wish: _Wish) -> bool:
    mine, theirs = held.binding.instance, _instance(wish.contact)
    if mine and theirs:
        return mine == theirs and held.binding.reg_id == wish.reg_id
    return held.uri.matches(wish.contact.uri)


def _instance(contact: NameAddr) -> str:
    """The ``+sip.instance`` of a Contact without quotes and brackets, or ``""``."""
    return (contact.param("+sip.instance") or "").removeprefix("<").removesuffix(">")


def _repeated(contact: NameAddr) -> str:
    """The parameters of a Contact that the 200 repeats."""
    return format_params({name: contact.params[name] for name in _REPEATED if name in contact.params})


def _check_order(held: Held, call_id: str, cseq: int) -> None:
    """A REGISTER that was overtaken by a later one must not undo it (RFC 3261 §10.3 step 7)."""
    if held.call_id == call_id and cseq <= held.cseq:
        raise _RefusedError(400, "CSeq Out Of Order")
