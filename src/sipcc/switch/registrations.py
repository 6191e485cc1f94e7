"""REGISTER in both directions: phones that register with us, and trunks that we register at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container, Sequence
from typing import Protocol

from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import ParseError, SipccError, TransportError
from sipcc.ids import Ids
from sipcc.journal import Journal
from sipcc.log import get_logger
from sipcc.sip import (
    Address,
    Binding,
    Credentials,
    Endpoint,
    Flow,
    InboundRequest,
    Registrar,
    Registration,
    Request,
    SipUri,
    TrunkSettings,
    local_host_towards,
    response,
)
from sipcc.sip.binding import SavedContact, SavedContacts
from sipcc.sip.nat import contact_transport, is_address
from sipcc.sip.registrar import Rebound
from sipcc.sip.trunk import destination_of
from sipcc.tasks import TaskScope

GOODBYE_TIMEOUT = 2.0
"""Seconds that a stop waits for carriers to confirm that we are gone."""

PROBE_PAUSES = (0.2, 0.6, 0.8)
"""Seconds before each attempt to reach a phone whose stream was closed."""

LOST_WITHIN = 1.9
"""Seconds after which such a phone counts as gone, however long its attempts take."""

_ANYWHERE = "192.0.2.1"
"""An address that no route but the default one leads to (RFC 5737); nothing is sent there."""

_log = get_logger("sipcc.registrations")


class PhoneListener(Protocol):
    """Who is told of phones."""

    def registered(self, user: str, count: int, why: str) -> None:
        """A user has so many contacts now, and has lost others because of `why`."""
        ...

    def closed(self, flow: Flow) -> None:
        """A connection has closed over which somebody had registered."""
        ...

    def heard(self, user: str, source: Address) -> None:
        """A phone of `user` has registered, maybe again, from `source`."""
        ...


class PhoneRegistrations:
    """Feeds REGISTER requests to the registrar, and tells when a user's phones come and go."""

    def __init__(
        self,
        endpoint: Endpoint,
        registrar: Registrar,
        clock: Clock,
        listener: PhoneListener,
        *,
        journal: Journal[SavedContacts] | None = None,
    ) -> None:
        """With a `journal` the phones are still known after a restart (`restore`)."""
        self._journal = journal
        self._endpoint = endpoint
        self._registrar = registrar
        self._clock = clock
        self._listener = listener
        self._why = ""
        self._scope = TaskScope("phones")
        self._driver = Driver(registrar, self._flush)
        endpoint.on_request["REGISTER"] = self._on_register
        endpoint.on_flow_closed = self._on_flow_closed
        self._closed = False

    async def close(self) -> None:
        """Stop watching expiry and streams."""
        self._closed = True
        await self._scope.close()
        self._driver.close()
        if self._journal is not None:
            self._journal.close()

    def _on_register(self, inbound: InboundRequest) -> None:
        request = inbound.request
        user = getattr(inbound.admitted, "user", None)
        # whoever proved to be 1001 may move the phones of 1001 and of nobody else (RFC 3261 §10.3 step 4)
        if user is None or request.to.uri.user != user:
            inbound.respond(response(request, 403))
            return
        answer = self._registrar.receive(
            request, user, flow=inbound.flow, received=inbound.flow.remote, now=self._clock.now()
        )
        inbound.respond(answer)
        self._write_down(user)
        self._pump("unregistered")
        if answer.status == 200:
            self._listener.heard(user, inbound.flow.remote)

    def _pump(self, why: str) -> None:
        """Tell what has changed, with the reason for contacts that are gone."""
        self._why = why
        self._driver.pump()
        self._why = ""

    def _write_down(self, user: str) -> None:
        if self._journal is None:
            return
        saved = self._registrar.save(user, wall_of=self._clock.wall_of)
        if saved.contacts:
            self._journal.note(user, saved)
        else:
            self._journal.over(user)

    def restore(self, users: Container[str]) -> None:
        """Know the phones again that were registered before this process; those of `users` alone."""
        if self._journal is None:
            return
        now = self._clock.now()
        ages = now - self._clock.wall_of(now)
        for user, saved in self._journal.open().items():
            if user not in users:
                self._journal.over(user)
                continue
            with contextlib.suppress(ParseError):
                self._registrar.restore(user, saved, flow_of=self._flow_of, ages=ages)
        self._driver.pump()

    def _flow_of(self, contact: SavedContact) -> Flow | None:
        """The way to a phone; streams ended with the process that had them."""
        if contact.transport != "udp":
            return None
        listeners = [one for one in self._endpoint.listeners if one.transport == "udp"]
        return listeners[0].flow_to(Address(*contact.received)) if listeners else None

    def _on_flow_closed(self, flow: Flow) -> None:
        bindings = self._registrar.bound_to(flow)
        if bindings and not self._closed:
            self._listener.closed(flow)
            self._scope.spawn(self._look_after(flow, bindings), name=str(flow.remote))

    async def _look_after(self, flow: Flow, bindings: Sequence[Binding]) -> None:
        """The stream of a registration was closed: is the phone gone, or did it only hang up on us?

        Many phones can be reached over that stream only (RFC 5626 §5.3), others listen at their Contact:
        connections that fail tell them apart. A phone that restarts is given a moment.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOST_WITHIN):
                for pause in PROBE_PAUSES:
                    await asyncio.sleep(pause)
                    for binding in bindings:
                        with contextlib.suppress(TransportError):
                            await self._endpoint.connect(binding.uri)
                            return
        if not self._closed:
            self._registrar.drop_flow(flow)
            self._pump("connection_lost")

    def _flush(self) -> None:
        for event in self._registrar.events():
            if isinstance(event, Rebound):
                self._follow(event.old, event.new)
            else:
                _log.info("registration.changed", user=event.aor, contacts=event.count)
                if not event.count:
                    self._write_down(event.aor)
                self._listener.registered(event.aor, event.count, self._why or "registration_expired")

    def _follow(self, old: Binding, new: Binding) -> None:
        """A phone is elsewhere now, with the calls that it is in."""
        if old.flow is not None and new.flow is not None:
            self._endpoint.rebind(old.flow, new.flow, was=old.uri, contact=new.uri)


class TrunkRegistrations:
    """Keeps us registered at every trunk that asks for it."""

    def __init__(
        self, endpoint: Endpoint, trunks: Sequence[TrunkSettings], *, clock: Clock, ids: Ids
    ) -> None:
        self._endpoint = endpoint
        self._trunks = trunks
        self._clock = clock
        self._ids = ids
        self._scope = TaskScope("registrations")
        self._kept: list[_Kept] = []

    def start(self) -> None:
        """Begin to register; the endpoint must be listening."""
        self.load(self._trunks)

    def load(self, trunks: Sequence[TrunkSettings]) -> None:
        """Be registered at these from now on; carriers with whom nothing has changed hear nothing."""
        before, self._kept = self._kept, []
        for trunk in trunks:
            if not trunk.register:
                continue
            kept = next((kept for kept in before if _same_account(kept.trunk, trunk)), None)
            if kept is not None:
                before.remove(kept)
            else:
                kept = _Kept(trunk, self._endpoint, self._clock, self._ids, self._scope)
                kept.start()
            self._kept.append(kept)
        for kept in before:
            kept.stop()

    def registered(self, trunk: str) -> bool:
        """True while the carrier knows where we are."""
        return any(kept.core.registered for kept in self._kept if kept.trunk.name == trunk)

    def of(self, trunk: str) -> Registration | None:
        """Our registration at a trunk; None when there is none to be."""
        return next((kept.core for kept in self._kept if kept.trunk.name == trunk), None)

    async def stop(self) -> None:
        """Take every registration back; a carrier that does not answer is not waited for."""
        for kept in self._kept:
            kept.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._scope.join(), GOODBYE_TIMEOUT)
        await self._scope.close()


def _same_account(one: TrunkSettings, other: TrunkSettings) -> bool:
    """True when a registration for `one` is one for `other`."""
    return all(
        getattr(one, key) == getattr(other, key)
        for key in ("name", "host", "port", "addresses", "transport", "username", "password", "expires")
    )


class _Kept:
    """One registration: its core, the driver of its timer, and the requests on their way."""

    def __init__(
        self, trunk: TrunkSettings, endpoint: Endpoint, clock: Clock, ids: Ids, scope: TaskScope
    ) -> None:
        self.trunk = trunk
        self._endpoint = endpoint
        self._clock = clock
        self._scope = scope
        host = SipUri(host=trunk.host, port=trunk.port or None)
        self.core = Registration(
            aor=SipUri(user=trunk.username, host=trunk.host),
            registrar=host,
            contact=_contact(endpoint, trunk),
            credentials=Credentials(trunk.username, trunk.password),
            call_id=ids.call_id(),
            tag=ids.tag(),
            expires=trunk.expires,
            chance=lambda: ids.bits(20) / (1 << 20),
            cnonce=ids.tag,
        )
        self._driver = Driver(self.core, self._flush)

    def start(self) -> None:
        """Send the first REGISTER."""
        self.core.start()
        self._driver.pump()

    def stop(self) -> None:
        """Take the registration back."""
        self.core.stop()
        self._driver.pump()
        self._driver.close()

    def _flush(self) -> None:
        for event in self.core.events():
            _log.info("trunk.registered" if event.registered else "trunk.unregistered", trunk=self.trunk.name)
        for request in self.core.to_send():
            self._scope.spawn(self._send(request), name=self.trunk.name)

    async def _send(self, request: Request) -> None:
        host, port, transport = destination_of(self.trunk)
        try:
            answer = await self._endpoint.request(
                "REGISTER",
                request.uri,
                from_=request.from_,
                to=request.to,
                headers=[
                    (name, value)
                    for name in ("Contact", "Expires", "Authorization", "Proxy-Authorization")
                    if (value := request.headers.get(name)) is not None
                ],
                call_id=request.call_id,
                cseq=request.cseq.number,
                destination=Address(host, port),
                transport=transport,
            )
        except SipccError as error:
            self.core.failed(str(error), now=self._clock.now())
        else:
            self.core.receive(answer, now=self._clock.now())
        self._driver.pump()


def _contact(endpoint: Endpoint, trunk: TrunkSettings) -> SipUri:
    """Where the carrier shall send calls: our listener of its transport, at the address that faces it."""
    listener = next(
        (entry for entry in endpoint.listeners if entry.transport == trunk.transport), endpoint.listeners[0]
    )
    host, port = listener.local
    if host in {"0.0.0.0", "::"}:
        # a name would have to be looked up, which blocks: the way out is the same for all of them
        host = local_host_towards(trunk.host if is_address(trunk.host) else _ANYWHERE)
    params = {} if listener.transport == "udp" else {"transport": contact_transport(listener.transport)}
    return SipUri(user=trunk.username, host=host, port=port, params=params)
