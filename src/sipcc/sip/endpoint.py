"""The SIP endpoint: the shell around transactions, dialogs and sessions, and what applications hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Unpack

from sipcc.clock import Clock
from sipcc.driver import Driver
from sipcc.errors import TransportError
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.sip.dns import DnsResolver
from sipcc.sip.inbound import Inbound
from sipcc.sip.incoming import InboundRequest
from sipcc.sip.launching import Route
from sipcc.sip.message import Request, Response
from sipcc.sip.nat import transport_of
from sipcc.sip.notifications import SubscribeOptions, Subscriber, subscribe
from sipcc.sip.outbound import Outbound
from sipcc.sip.overload import Overload
from sipcc.sip.peers import follow
from sipcc.sip.policies import Policies
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import Exchange, HeaderList, SessionListener, SessionPolicy
from sipcc.sip.settings import SipSettings
from sipcc.sip.transaction.layer import TransactionLayer
from sipcc.sip.transaction.machine import ServerTransaction, Transaction
from sipcc.sip.transport.base import Address, Flow, Listener, Network, TransportName
from sipcc.sip.transport.manager import FlowManager, SocketNetwork, Unopened
from sipcc.sip.uac import ClientSession
from sipcc.sip.uri import NameAddr, SipUri
from sipcc.sip.wiring import Forward, Heaps, Pumping
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.sip.auth import Credentials
    from sipcc.sip.guard import Guard
    from sipcc.sip.session_api import Usage

_log = get_logger("sipcc.sip.endpoint")


class Endpoint:
    """Speaks SIP on a network: takes and makes calls, sends and answers requests.

    `network` is that of the operating system unless a test gives another.
    """

    def __init__(
        self, settings: SipSettings, *, network: Network | None = None, clock: Clock, ids: Ids
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.ids = ids
        self.counters: Counter[str] = Counter()
        """received, sent, malformed, refused, stray_responses, stray_acks, crashes, send_errors ..."""
        self.on_invite: Callable[[InviteSession], None] | None = None
        """Called for each admitted INVITE, after 100 was sent; it sets the listener of the session."""
        self.admit: Callable[[Request, Flow], Any] = lambda _request, _flow: None
        """Decides who may send requests: returns anything for `InviteSession.admitted`, or an object
        whose `response` is the refusal to send, or whose `silent` is true for no answer at all."""
        self.policy_of: Callable[[Any], SessionPolicy] = Policies(settings).of
        """What a session may use, by whatever `admit` said of its caller."""
        self.tolerant: Callable[[Flow], bool] = lambda _flow: False
        """True for the flows whose sloppy messages are read all the same (`sipcc.sip.lenient`)."""
        self.on_request: dict[str, Callable[[InboundRequest], None]] = {}
        """Handlers of out-of-dialog requests by method, such as REGISTER."""
        self.on_message: Callable[[Literal["in", "out"], bytes, Flow, float], None] | None = None
        """Sees every message that passes, for ladders and captures."""
        self.on_flow_closed: Callable[[Flow], None] | None = None
        """Told of each stream that something had come on and that has ended: what was bound to it can go."""
        self.admit_in_dialog: Callable[[Request, Flow, Usage], Any] = lambda _request, _flow, _usage: None
        """Decides about requests in a dialog, and CANCEL: the answer is as that of `admit`."""
        self.overload: Overload | None = Overload(settings.overload, lambda: ids.bits(16) / 65535)
        """Refuses new work when we are too slow; None takes everything."""
        self.draining = False
        """True refuses new INVITEs, and OPTIONS outside of dialogs, with 503; what is under way goes on."""
        self.layer = TransactionLayer(settings.timers)
        self.scope = TaskScope("sip")
        self._driver: Driver | None = None
        self._pumping = Pumping(self)
        self.manager = FlowManager(
            network or SocketNetwork(settings), Forward(self), advertise=settings.advertise
        )
        self.resolver = DnsResolver(settings.dns, clock=clock, chance=lambda: ids.bits(20) / (1 << 20))
        self.outbound = Outbound(
            settings,
            layer=self.layer,
            manager=self.manager,
            clock=clock,
            ids=ids,
            counters=self.counters,
            pump=self.pump,
            scope=self.scope,
            resolver=self.resolver,
        )
        self.inbound = Inbound(self)

    @property
    def guard(self) -> Guard | None:
        """Limits and bans sources; asked before anything of them is looked at."""
        return self.inbound.gate.guard

    @guard.setter
    def guard(self, guard: Guard | None) -> None:
        self.inbound.gate.guard = guard

    @property
    def listeners(self) -> list[Listener]:
        """The open listeners; after `start` their ports are the real ones."""
        return self.manager.listeners

    @property
    def sessions(self) -> int:
        """How many dialogs are in use; 0 proves that nothing leaked."""
        return len(self.outbound.usages)

    async def start(self) -> None:
        """Open the listeners.

        Raises:
            ConfigError: a listening address cannot be read.
            TransportError: one cannot be opened.
        """
        self._driver = Driver(Heaps(self), self._flush)
        await self.manager.listen(self.settings.listen)
        self.resolver.suit(self.listeners)

    async def stop(self) -> None:
        """Close everything: who waits for an answer gets TransportError, subscriptions of ours end.

        Listeners of sessions are told nothing more: hang up first.
        """
        for end in list(self.outbound.at_stop.values()):
            self.safely(end)
        if self._driver is not None:
            self._driver.pump()
            self._driver.close()
        await self.scope.close()
        await self.resolver.close()
        await self.manager.close()

    def invite(
        self,
        target: SipUri,
        *,
        from_: NameAddr,
        to: NameAddr | None = None,
        body: bytes = b"",
        listener: SessionListener | None,
        headers: HeaderList = (),
        route: Flow | None = None,
        destination: Address | None = None,
        transport: TransportName | None = None,
        credentials: Credentials | None = None,
        contact_user: str = "",
        policy: SessionPolicy | None = None,
        patience: float | None = None,
    ) -> InviteSession:
        """Call `target`; all that follows is told to `listener`.

        The INVITE goes over `route` if that flow is open, else to `destination`, else to the host of
        `target`. Without `body` the peer makes the offer and `acknowledge` must answer it. A 401 or 407
        is answered with `credentials`. A host that is a name may have several servers: the next one is
        taken when one fails (RFC 3263 §4.3). With `patience`, somebody there must have answered something
        within so many seconds, or the call fails with TransactionTimeout.
        """
        request = self._build(
            "INVITE",
            target,
            from_=from_,
            to=to,
            headers=[*headers, ("Allow", self.outbound.allow)],
            body=body,
        )
        if self.outbound.supported:
            request.headers.add("Supported", self.outbound.supported)
        way = self._route(target, route, destination, transport)
        way.patience = patience
        flow = way.flow or Unopened(way.transport or "udp", Address(way.host, way.port or 0))
        session = ClientSession(self.outbound, request, flow, policy or self.policy_of(None))
        session.listener = listener
        session.credentials = credentials
        session.contact_user = contact_user
        self.outbound.routes[session] = way
        self.outbound.open_usage(session)
        with self.pumping():
            session.start()
        return session

    async def request(
        self,
        method: str,
        target: SipUri,
        *,
        from_: NameAddr,
        to: NameAddr,
        headers: HeaderList = (),
        body: bytes = b"",
        route: Flow | None = None,
        destination: Address | None = None,
        transport: TransportName | None = None,
        credentials: Credentials | None = None,
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> Response:
        """Send a request outside of dialogs, such as REGISTER or OPTIONS, and wait for its final answer.

        A REGISTER without Contact gets ours, with the user of `from_`. Cancelling the task forgets the
        request.

        Raises:
            TransactionTimeout: no final answer came in 64*T1.
            TransportError: it could not be sent, or the endpoint was stopped.
        """
        request = self._build(
            method, target, from_=from_, to=to, headers=headers, body=body, call_id=call_id, cseq=cseq
        )
        done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def answered(response: Response) -> None:
            if response.status >= 200 and not done.done():
                done.set_result(response)

        def failed(error: Exception) -> None:
            if not done.done():
                done.set_exception(error)

        exchange = Exchange(request, answered, failed, credentials=credentials)
        self.outbound.at_stop[exchange] = lambda: failed(TransportError("the endpoint has stopped"))
        with self.pumping():
            self.outbound.launch(exchange, self._route(target, route, destination, transport))
        try:
            return await done
        finally:
            del self.outbound.at_stop[exchange]
            exchange.cancelled = True

    def subscribe(self, target: SipUri, **options: Unpack[SubscribeOptions]) -> Subscriber:
        """Subscribe to an event of `target`: ``async for notification in endpoint.subscribe(...)``.

        It is kept up until `Subscriber.stop`, or until the notifier ends it for good (RFC 6665). Where it
        goes, and with which credentials, is as for `request`.

        Raises:
            LocalProtocolError: `event` is no event.
        """

        def find_route() -> Route:
            return self._route(
                target,
                options.get("route"),
                options.get("destination"),
                options.get("transport"),
            )

        return subscribe(self, target, find_route, options)

    async def connect(self, target: SipUri) -> Flow:
        """A stream to the host of `target`; an open one is taken, and what is opened is used again.

        Raises:
            TransportError: the name has no address, or nobody answers there.
        """
        wanted = transport_of(target, "tcp")
        transport: TransportName = "tcp" if wanted == "udp" else wanted
        return await self.outbound.launcher.open(
            Route(transport=transport, host=target.host, port=target.port)
        )

    def watch_timers(self, tell: Callable[[str, str, float, Flow], None]) -> None:
        """Tell `tell` of each timer that fires, with Call-ID, name, time and flow, before what it does.

        Those of transactions have the letter of RFC 3261 and the method (``A INVITE``), those of sessions
        a word (``ack``, ``glare``, ``timer``, ``ringing``).
        """

        def of_transaction(transaction: Transaction, letter: str, at: float) -> None:
            request = transaction.request
            tell(request.call_id, f"{letter} {request.method}", at, transaction.flow)

        self.layer.watch_timers(of_transaction)
        self.outbound.on_timer = lambda session, name, at: tell(session.call_id, name, at, session.flow)

    def rebind(self, old: Flow, new: Flow, *, was: SipUri, contact: SipUri) -> None:
        """A device went from `old` to `new`, and from the Contact `was` to `contact`: its dialogs follow."""
        for usage in self.outbound.usages.values():
            follow(usage, old, new, was=was, contact=contact)

    # -- inside, for the halves of the endpoint -------------------------------------------------------

    def pumping(self) -> Pumping:
        """Let many steps send their output together, at the end of the outermost ``with`` block."""
        return self._pumping

    def pump(self) -> None:
        """Send and tell what there is, unless a step is still under way."""
        if self._pumping.depth == 0 and self._driver is not None:
            self._driver.pump()

    def pump_now(self) -> None:
        """Send what there is, also in the middle of a step."""
        self._flush()

    def _flush(self) -> None:
        self._pumping.depth += 1
        try:
            layer = self.layer
            while True:
                sends = layer.to_send()
                for flow, data, transaction in sends:
                    self._emit(flow, data, transaction)
                news = layer.events()
                if not news and not sends:
                    break
                for event in news:
                    self.safely(self.outbound.take, event)
            for transaction in layer.over():
                self.outbound.over(transaction)
        finally:
            self._pumping.depth -= 1

    def _emit(self, flow: Flow, data: bytes, transaction: Transaction | None) -> None:
        try:
            flow.send(data)
        except TransportError as error:
            self.counters["send_errors"] += 1
            if isinstance(transaction, ServerTransaction) and flow.reliable and flow.closed:
                self.outbound.answer_anew(transaction, data)
            if transaction is not None:
                self.layer.transport_failed(transaction, now=self.clock.now())
            else:
                _log.info("sip.send_failed", remote=str(flow.remote), error=str(error))
            return
        self.counters["sent"] += 1
        if self.on_message is not None:
            self.on_message("out", data, flow, self.clock.now())

    def safely(self, call: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        """Call; an exception is counted, and logged the first time."""
        try:
            call(*args, **kwargs)
        except Exception:
            self.counters["crashes"] += 1
            if self.counters["crashes"] == 1:
                _log.exception("sip.step_crashed")

    def _build(
        self,
        method: str,
        target: SipUri,
        *,
        from_: NameAddr,
        to: NameAddr | None,
        headers: HeaderList,
        body: bytes,
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> Request:
        given = {name.lower() for name, _value in headers}
        lines: list[tuple[str, str]] = []
        if "max-forwards" not in given:
            lines.append(("Max-Forwards", "70"))
        lines += [
            ("From", str(from_ if from_.tag else from_.with_tag(self.ids.tag()))),
            ("To", str(to or NameAddr(target))),
            ("Call-ID", call_id or self.ids.call_id()),
            ("CSeq", f"{cseq or 1} {method}"),
            *headers,
            *self.outbound.request_headers,
        ]
        if body and "content-type" not in given:
            lines.append(("Content-Type", "application/sdp"))
        return Request.build(method, target, headers=lines, body=body)

    def _route(
        self,
        target: SipUri,
        route: Flow | None,
        destination: Address | None,
        transport: TransportName | None,
    ) -> Route:
        if route is not None and not route.closed:
            return Route(route)
        sips = target.scheme == "sips"
        if destination is not None:
            host, port = destination
            return Route(transport=transport, host=host, port=port or None, sips=sips)
        if transport is not None or target.param("transport"):
            transport = transport_of(target, transport or "udp")
        return Route(transport=transport, host=target.host, port=target.port, sips=sips)

    def expire(self, now: float) -> None:
        """Do what is due at `now`; for the driver."""
        with self.pumping():
            self.safely(self.layer.expire, now=now)
            for core in self.outbound.deadlines.due(now):
                self.safely(core.expire, now=now)
                self.outbound.deadlines.note(core)
            self.safely(self.inbound.expire, now)
