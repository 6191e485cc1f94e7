"""Gets a request to the first server that takes it: hops by RFC 3263 §4, the next one when one fails.

A hop has failed when it cannot be reached, when it answers 503, or when it says nothing for a while and
there is another to try (§4.3). The session that sends knows nothing of it: its exchange goes on with a
copy of the request in a new transaction. An INVITE that was given up may have arrived all the same, so its
transaction lives on as a ghost: it is cancelled at its first sign of life, and a 2xx is hung up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from sipcc.errors import LoopDetected, TransactionTimeout, TransportError
from sipcc.sip.fields import delta_seconds
from sipcc.sip.message import Response
from sipcc.sip.nat import is_address
from sipcc.sip.resolve import Hop, HopHealth, Resolver
from sipcc.sip.session_api import Exchange, Usage
from sipcc.sip.transaction.machine import ClientTransaction
from sipcc.sip.transport.base import Address, Flow, TransportName

if TYPE_CHECKING:
    from sipcc.sip.settings import SipSettings
    from sipcc.sip.transport.manager import FlowManager
    from sipcc.sip.uac import ClientSession
    from sipcc.tasks import TaskScope


class Route:
    """Where a request goes: a flow that is there, or a host to find hops for."""

    __slots__ = ("flow", "host", "like", "patience", "port", "sips", "transport")

    def __init__(
        self,
        flow: Flow | None = None,
        *,
        transport: TransportName | None = None,
        host: str = "",
        port: int | None = None,
        sips: bool = False,
        like: Flow | None = None,
        patience: float | None = None,
    ) -> None:
        self.flow = flow
        self.transport = transport
        """None leaves the choice to the DNS; an address without one gets UDP, or TLS with `sips`."""
        self.host = host
        self.port = port
        """None takes the port of the SRV records, or the usual one of the transport."""
        self.sips = sips
        self.like = like
        self.patience = patience
        """Seconds in which some hop must have answered, all hops together; None for as long as it takes."""


class Way:
    """How far one exchange has come among its hops."""

    __slots__ = ("deadline", "hop", "left", "like", "own_contact", "rang", "usage")

    def __init__(self, route: Route, usage: Usage | None, now: float, *, own_contact: bool) -> None:
        self.usage = usage
        self.like = route.like
        self.own_contact = own_contact
        """The Contact is ours to write, anew for each hop."""
        self.hop: Hop | None = None
        self.left: list[Hop] = []
        self.rang = False
        self.deadline = None if route.patience is None else now + route.patience


class LaunchHost(Protocol):
    """What launching asks of the sending half of the endpoint."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        ...

    def emit(
        self, exchange: Exchange, flow: Flow, usage: Usage | None, *, patience: float | None = None
    ) -> None:
        """Send the request of `exchange` on `flow`, in a new transaction."""
        ...

    def fail(self, exchange: Exchange, error: Exception) -> None:
        """Tell `exchange` that it has failed, not before the caller has returned."""
        ...

    def send_cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Send the CANCEL of an INVITE."""
        ...

    def abandon(self, exchange: Exchange) -> None:
        """Forget a request."""
        ...

    def changed(self, core: Ghost) -> None:
        """The deadline of `core` may be earlier now."""
        ...


class Launcher:
    """Takes exchanges to their hops."""

    def __init__(
        self,
        settings: SipSettings,
        host: LaunchHost,
        *,
        resolver: Resolver,
        manager: FlowManager,
        scope: TaskScope,
    ) -> None:
        self.resolver = resolver
        self.health = HopHealth(settings.hop_penalty)
        self._host = host
        self._manager = manager
        self._scope = scope
        self._hop_timeout = settings.hop_timeout
        self._give_up_after = settings.timers.timeout

    # -- sending --------------------------------------------------------------------------------------

    def launch(self, exchange: Exchange, route: Route, usage: Usage | None) -> None:
        """Send `exchange` on its way, now if that needs no waiting."""
        if route.flow is not None:
            self._send(exchange, route.flow, usage, None)
            return
        own_contact = "Contact" not in exchange.request.headers
        way = exchange.way = Way(route, usage, self._host.now(), own_contact=own_contact)
        hops = self.resolver.hops_now(route.host, route.port, route.transport, sips=route.sips)
        if hops is None:
            self._scope.spawn(self._find(exchange, way, route), name="resolve")
        else:
            way.left = self.health.order(hops, now=self._host.now())
            self._proceed(exchange, way, TransportError(f"no way to {route.host}"))

    def open_now(self, route: Route) -> Flow | None:
        """The flow of the first hop, when that needs no waiting."""
        if route.flow is not None:
            return route.flow
        hops = self.resolver.hops_now(route.host, route.port, route.transport, sips=route.sips)
        if not hops:
            return None
        hop = self.health.order(hops, now=self._host.now())[0]
        address = Address(hop.host, hop.port)
        return self._manager.open_flow(hop.transport, address, like=route.like, name=_meant(hop, route.like))

    async def open(self, route: Route) -> Flow:
        """A flow to the first hop that can be reached. Raises TransportError."""
        if route.flow is not None:
            return route.flow
        hops = await self.resolver.hops(route.host, route.port, route.transport, sips=route.sips)
        error = TransportError(f"no way to {route.host}")
        for hop in self.health.order(hops, now=self._host.now()):
            try:
                return await self._open(hop, route.like)
            except TransportError as reason:
                self.health.failed(hop, now=self._host.now())
                error = reason
        raise error

    # -- what became of it ----------------------------------------------------------------------------

    def answered(self, exchange: Exchange, response: Response) -> bool:
        """Look at an answer before the session does; True when the exchange went on to another hop."""
        way = exchange.way
        if way is None or way.hop is None:
            return False
        if 100 < response.status < 200:
            way.rang = True
        if response.status != 503:
            self.health.worked(way.hop)
            return False
        wait = delta_seconds(response.headers.get_raw("Retry-After"))
        self.health.failed(way.hop, now=self._host.now(), seconds=wait)
        if not self._may_go_on(exchange, way):
            return False
        self._next(exchange, way, TransportError(f"{way.hop.host} answered 503"))
        return True

    def lost(self, exchange: Exchange) -> bool:
        """The hop cannot be reached; True when the exchange went on to another one."""
        way = exchange.way
        if way is None or way.hop is None:
            return False
        self.health.failed(way.hop, now=self._host.now())
        if not self._may_go_on(exchange, way):
            return False
        self._next(exchange, way, TransportError(f"cannot send to {way.hop.host}"))
        return True

    def silent(self, exchange: Exchange, transaction: ClientTransaction) -> None:
        """The hop has said nothing for as long as we wait: leave its INVITE to a ghost and go on."""
        way = exchange.way
        if way is None or way.hop is None or exchange.transaction is not transaction or _is_over(exchange):
            return
        self.health.failed(way.hop, now=self._host.now())
        if exchange.request.method == "INVITE":
            ghost = Ghost(self._host, transaction, way.usage, self._host.now() + self._give_up_after)
            transaction.user = ghost.exchange
            self._host.changed(ghost)
        self._next(exchange, way, TransactionTimeout("B" if exchange.request.method == "INVITE" else "F"))

    # -- inside ---------------------------------------------------------------------------------------

    def _may_go_on(self, exchange: Exchange, way: Way) -> bool:
        out_of_time = way.deadline is not None and self._host.now() >= way.deadline
        return bool(way.left) and not way.rang and not out_of_time and not _is_over(exchange)

    def _next(self, exchange: Exchange, way: Way, error: Exception) -> None:
        """Go on with a copy of the request: same CSeq, but Via and Contact as the next hop needs them."""
        exchange.transaction = None
        request = exchange.request = exchange.request.copy()
        request.headers.remove("Via")
        if way.own_contact:
            request.headers.remove("Contact")
        self._proceed(exchange, way, error)

    def _proceed(self, exchange: Exchange, way: Way, error: Exception) -> None:
        """Send to the first hop that is left and can be reached."""
        while not exchange.cancelled:
            if not way.left or (way.deadline is not None and self._host.now() >= way.deadline):
                self._host.fail(exchange, error)
                return
            hop = way.hop = way.left.pop(0)
            try:
                address = Address(hop.host, hop.port)
                flow = self._manager.open_flow(
                    hop.transport, address, like=way.like, name=_meant(hop, way.like)
                )
            except TransportError as reason:
                self.health.failed(hop, now=self._host.now())
                error = reason
                continue
            if flow is None:
                self._scope.spawn(self._connect(exchange, way, hop), name="connect")
            else:
                self._send(exchange, flow, way.usage, self._patience(way))
            return

    def _send(self, exchange: Exchange, flow: Flow, usage: Usage | None, patience: float | None) -> None:
        request = exchange.request
        if request.method == "INVITE" and not request.to.tag and self._manager.sent_by(flow) == flow.remote:
            self._host.fail(exchange, LoopDetected(f"{flow.remote} is our own address"))
        else:
            self._host.emit(exchange, flow, usage, patience=patience)

    def _patience(self, way: Way) -> float | None:
        """Seconds that the hop gets for its first answer; None when nobody else is to be tried."""
        left = None if way.deadline is None else max(0.0, way.deadline - self._host.now())
        if not way.left:
            return left
        return self._hop_timeout if left is None else min(self._hop_timeout, left)

    async def _find(self, exchange: Exchange, way: Way, route: Route) -> None:
        left = None if way.deadline is None else way.deadline - self._host.now()
        try:
            async with asyncio.timeout(left):
                hops = await self.resolver.hops(route.host, route.port, route.transport, sips=route.sips)
        except (TransportError, TimeoutError) as reason:
            error = reason if isinstance(reason, TransportError) else TransportError("the DNS is silent")
            if not exchange.cancelled:
                self._host.fail(exchange, error)
            return
        way.left = self.health.order(hops, now=self._host.now())
        self._proceed(exchange, way, TransportError(f"no way to {route.host}"))

    async def _connect(self, exchange: Exchange, way: Way, hop: Hop) -> None:
        try:
            async with asyncio.timeout(self._patience(way)):
                flow = await self._open(hop, way.like)
        except (TransportError, TimeoutError) as reason:
            self.health.failed(hop, now=self._host.now())
            error = reason if isinstance(reason, TransportError) else TransportError(f"{hop.host} is silent")
            self._proceed(exchange, way, error)
            return
        if not exchange.cancelled:
            self._send(exchange, flow, way.usage, self._patience(way))

    async def _open(self, hop: Hop, like: Flow | None) -> Flow:
        address, name = Address(hop.host, hop.port), _meant(hop, like)
        flow = self._manager.open_flow(hop.transport, address, like=like, name=name)
        if flow is None:
            flow = await self._manager.connect(address, transport=hop.transport, name=name)
        return flow


def _meant(hop: Hop, like: Flow | None) -> str:
    """Whom a hop has to prove to be.

    The Contact of a carrier is an address, and its certificate speaks for a domain: when the connection of
    a dialog has broken, the new one must prove what the old one did.
    """
    if like is None or not is_address(hop.name) or hop.name in like.peer_names:
        return hop.name
    return min(like.peer_names, default=hop.name)


def _is_over(exchange: Exchange) -> bool:
    """True when nobody wants the request any more: it is forgotten, or its session is being cancelled."""
    usage = exchange.way.usage if exchange.way is not None else None
    return exchange.cancelled or bool(getattr(usage, "cancelling", False))


class Ghost:
    """An INVITE at a hop that was given up: when it lives after all, it is cancelled or hung up.

    Forgotten after 64*T1 without a final answer (RFC 3261 §9.1).
    """

    def __init__(
        self, host: LaunchHost, transaction: ClientTransaction, usage: Usage | None, deadline: float
    ) -> None:
        self.heaped: float | None = None
        self.deadline: float | None = deadline
        self.exchange = Exchange(transaction.request, self._answered, lambda _error: self._end())
        self.exchange.transaction = transaction
        self._host = host
        self._flow = transaction.flow
        self._usage = usage
        self._cancelled = False

    def expire(self, *, now: float) -> None:
        """Nobody said anything final: forget it."""
        self.deadline = None
        self._host.abandon(self.exchange)

    def _answered(self, response: Response) -> None:
        if response.status < 200:
            if not self._cancelled:
                self._cancelled = True
                self._host.send_cancel(self.exchange, 'SIP;cause=408;text="answered too late"')
            return
        if response.status < 300:
            session: ClientSession = self._usage  # type: ignore[assignment]  # only its kind sends INVITEs
            session.refuse_late(self.exchange, response, self._flow)
        self._end()

    def _end(self) -> None:
        self.deadline = None
