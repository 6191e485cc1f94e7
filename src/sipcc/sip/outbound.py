"""Everything that leaves: requests of sessions and of the endpoint, their challenges, ACKs, responses.

This is the `SessionHost` of all sessions, and the user of the transaction layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from sipcc.clock import Clock
from sipcc.errors import SipccError, TransactionTimeout, TransportError
from sipcc.ids import Ids
from sipcc.log import get_logger
from sipcc.sip.auth import answer_challenge, put_credentials
from sipcc.sip.build import cancel as build_cancel
from sipcc.sip.deadlines import Deadlines
from sipcc.sip.dialog import MAX_CSEQ, Dialog
from sipcc.sip.incoming import InboundRequest
from sipcc.sip.launching import Launcher, Route
from sipcc.sip.message import Request, Response
from sipcc.sip.nat import DEFAULT_PORT, contact_transport, is_address, prefers_flow, transport_of
from sipcc.sip.resolve import Resolver
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import AckSent, Exchange, HeaderList, Timed, Usage
from sipcc.sip.session_timer import TimerPolicy
from sipcc.sip.settings import SipSettings
from sipcc.sip.transaction.layer import TransactionLayer
from sipcc.sip.transaction.machine import (
    AckArrived,
    ClientTransaction,
    Event,
    ResponseArrived,
    ServerTransaction,
    TimedOut,
    Transaction,
    TransportFailed,
)
from sipcc.sip.transaction.tables import Input
from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.sip.transport.manager import FlowManager
from sipcc.sip.uri import SipUri
from sipcc.tasks import TaskScope

MAX_CHALLENGES = 2
"""How often one request answers 401 or 407, each time for another nonce."""

_MAKES_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER"})

_NONCE = re.compile(rb'(?:^|[\s,])nonce\s*=\s*"([^"]*)"', re.IGNORECASE)
_log = get_logger("sipcc.sip.outbound")


class Outbound:
    """The sending half of the endpoint."""

    def __init__(
        self,
        settings: SipSettings,
        *,
        layer: TransactionLayer,
        manager: FlowManager,
        clock: Clock,
        ids: Ids,
        counters: Counter[str],
        pump: Callable[[], None],
        scope: TaskScope,
        resolver: Resolver,
    ) -> None:
        self.ids = ids
        self.timers = settings.timers
        self.allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"
        self.session_timer = TimerPolicy(settings.session_timer, settings.session_expires, settings.min_se)
        self.supported = "timer" if settings.session_timer != "off" else ""
        agent = settings.user_agent
        self.request_headers: HeaderList = [("User-Agent", agent)] if agent else []
        self.response_headers: HeaderList = [("Server", agent)] if agent else []
        self.usages: dict[tuple[bytes, bytes], Usage] = {}
        """Who takes the requests of a dialog, by Call-ID and local tag."""
        self.deadlines: Deadlines[Timed] = Deadlines()
        self.on_timer: Callable[[InviteSession, str, float], None] | None = None
        self.tcp_above_bytes: int | None = None
        """Requests longer than this take TCP instead of UDP (RFC 3261 §18.1.1 says 1300); None: never."""
        self.routes: dict[Usage, Route] = {}
        """Where the requests that make dialogs and have not left yet are to go."""
        self.at_stop: dict[object, Callable[[], None]] = {}
        """How to tell those who wait for an answer, by whatever they wait with, that the endpoint stops."""
        self._layer = layer
        self._manager = manager
        self._clock = clock
        self.counters = counters
        self._pump = pump
        self._scope = scope
        self._contacts: dict[tuple[Address, TransportName, str], str] = {}
        self.launcher = Launcher(settings, self, resolver=resolver, manager=manager, scope=scope)
        """Finds the hops of each request, and the next one when one fails."""

    # -- SessionHost ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return self._clock.now()

    def contact(self, usage: Usage) -> str:
        """Our Contact value towards the peer of `usage`."""
        return self.contact_on(usage.flow, usage.contact_user)

    def contact_on(self, flow: Flow, user: str) -> str:
        """Our Contact value for messages on `flow`."""
        key = (self._manager.sent_by(flow), flow.transport, user)
        value = self._contacts.get(key)
        if value is None:
            host, port = key[0]
            params = {} if flow.transport == "udp" else {"transport": contact_transport(flow.transport)}
            if len(self._contacts) > 4096:
                self._contacts.clear()
            value = self._contacts[key] = f"<{SipUri('sip', user, '', host, port, params)}>"
        return value

    def send(
        self,
        usage: Usage,
        request: Request,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Exception], None],
        *,
        dialog: Dialog | None,
    ) -> Exchange:
        """Send a request in a transaction; without `dialog` it is the one that shall make the dialog."""
        exchange = Exchange(
            request,
            on_response,
            on_failure,
            credentials=usage.credentials,
            next_cseq=None if dialog is None else dialog.next_cseq,
            usage=usage,
        )
        if isinstance(usage, InviteSession) and request.method in ("INVITE", "UPDATE"):
            exchange.timer = usage.timer
        route = self.routes.pop(usage) if dialog is None else self._route(usage, dialog)
        self.launch(exchange, route, usage)
        return exchange

    def send_cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Send the CANCEL of an INVITE; its answer needs nobody."""
        if exchange.transaction is None:
            return
        headers = [("Reason", reason)] if reason else []
        request = build_cancel(exchange.request, headers=[*headers, *self.request_headers])
        self._layer.request(request, exchange.transaction.flow, now=self.now())
        self._pump()

    def abandon(self, exchange: Exchange) -> None:
        """Forget a request."""
        exchange.cancelled = True
        if exchange.transaction is not None:
            self._layer.abandon(exchange.transaction)

    def send_ack(self, session: InviteSession, request: Request, dialog: Dialog) -> AckSent:
        """Send the ACK to a 2xx."""
        route = self._route(session, dialog)
        sent = AckSent(None, b"")
        flow = self.launcher.open_now(route)
        if flow is not None:
            self._emit_ack(sent, request, flow)
        else:
            self._scope.spawn(self._ack_later(sent, request, route), name="ack")
        return sent

    def repeat_ack(self, ack: AckSent) -> None:
        """Send an ACK once more."""
        if ack.flow is not None:
            self._layer.send(ack.flow, ack.data)
            self._pump()

    def respond(self, transaction: ServerTransaction, response: Response) -> None:
        """Send a response; one that comes after the final one is dropped and counted."""
        self._layer.respond(transaction, response, now=self.now())
        self._pump()
        if response.status >= 200 and response.cseq.method != "INVITE":
            transaction.request.forget()

    def repeat(self, transaction: ServerTransaction) -> None:
        """Send the last 1xx or 2xx of an INVITE transaction once more."""
        self._layer.repeat(transaction)
        self._pump()

    def timer_fired(self, session: InviteSession, name: str, now: float) -> None:
        """Tell whoever traces calls."""
        if self.on_timer is not None:
            self.on_timer(session, name, now)

    def changed(self, core: Timed) -> None:
        """The deadline of `core` may be earlier now."""
        self.deadlines.note(core)
        self._pump()

    def finished(self, session: InviteSession) -> None:
        """`session` takes no more requests; its transactions keep it for another 64*T1."""
        self.close_usage(session)
        session.finished = True
        session.request.forget()

    def incoming(
        self,
        transaction: ServerTransaction,
        *,
        session: InviteSession | None = None,
        admitted: object | None = None,
    ) -> InboundRequest:
        """The request of `transaction` for whoever answers it; 500 is sent for one who never does."""
        inbound = InboundRequest(self, transaction, session=session, admitted=admitted)
        self.deadlines.note(inbound)
        return inbound

    def allow_also(self, *methods: str) -> None:
        """Name `methods` in Allow: somebody answers them now."""
        known = self.allow.split(", ")
        self.allow = ", ".join([*known, *(method for method in methods if method not in known)])

    def support_also(self, *tags: str) -> None:
        """Name option tags in Supported."""
        known = [tag for tag in self.supported.split(", ") if tag]
        self.supported = ", ".join([*known, *(tag for tag in tags if tag not in known)])

    def open_usage(self, usage: Usage) -> None:
        """Let in-dialog requests find `usage`."""
        self.usages[_usage_key(usage)] = usage

    def close_usage(self, usage: Usage) -> None:
        """`usage` takes no more requests."""
        key = _usage_key(usage)
        if self.usages.get(key) is usage:
            del self.usages[key]

    # -- for the endpoint -----------------------------------------------------------------------------

    def launch(self, exchange: Exchange, route: Route, usage: Usage | None = None) -> None:
        """Send `exchange` on its way as soon as there is a flow."""
        limit = self.tcp_above_bytes
        if limit is not None and len(bytes(exchange.request)) > limit:
            route = _over_tcp(route)
        self.launcher.launch(exchange, route, usage)

    def take(self, event: Event) -> None:
        """Bring news of the transaction layer to whoever waits for it."""
        user = event.transaction.user
        if isinstance(event, ResponseArrived):
            if isinstance(user, Exchange):
                self._take_response(user, event)
        elif isinstance(event, AckArrived):
            if isinstance(user, InviteSession):
                user.receive_ack(event.request)
        elif isinstance(user, Exchange):
            self._take_failure(user, event)
        elif isinstance(event, TimedOut):
            self.counters["refusals_unacknowledged"] += 1

    def over(self, transaction: Transaction) -> None:
        """A transaction is gone, and all its news were told: nothing is kept by what it was for.

        So an ended call leaves no ring of objects that only the garbage collector could free.
        """
        user, transaction.user = transaction.user, None
        if isinstance(user, Exchange):
            session = user.usage
            if user.transaction is transaction and (user.final or user.cancelled):
                user.let_go()
        else:
            session = user
        if isinstance(session, InviteSession) and session.finished:
            session.listener = None

    def answer_anew(self, transaction: ServerTransaction, data: bytes) -> None:
        """The stream of a request is gone: its response goes where its dialog has moved to, or on a new one.

        A new one (RFC 3261 §18.2.2) is opened only over TCP: where certificates count nobody has told us a
        name to ask for, and nobody can be reached at a WebSocket that is gone.
        """
        moved: Flow | None = getattr(transaction.user, "flow", None)
        if moved is not None and moved.reliable and not moved.closed:
            with suppress(TransportError):
                moved.send(data)
                return
        if transaction.flow.transport != "tcp":
            self.counters["answers_lost"] += 1
            return
        source, port = transaction.flow.remote.host, transaction.request.via.port or DEFAULT_PORT
        self._scope.spawn(self._answer_later(Address(source, port), data), name="answer")

    # -- inside ---------------------------------------------------------------------------------------

    async def _answer_later(self, address: Address, data: bytes) -> None:
        try:
            flow = self._manager.open_flow("tcp", address) or await self._manager.connect(address)
            flow.send(data)
        except TransportError as error:
            self.counters["answers_lost"] += 1
            _log.info("sip.answer_lost", remote=str(address), error=str(error))

    def _take_failure(self, exchange: Exchange, event: TimedOut | TransportFailed) -> None:
        transaction = event.transaction
        if isinstance(event, TimedOut):
            if event.timer == Input.GIVE_UP and isinstance(transaction, ClientTransaction):
                self.launcher.silent(exchange, transaction)
            else:
                exchange.final = True
                exchange.on_failure(TransactionTimeout(event.timer, provisionals=transaction.provisionals))
        elif not self.launcher.lost(exchange):
            exchange.final = True
            exchange.on_failure(TransportError(f"cannot send to {transaction.flow.remote}"))

    def _take_response(self, exchange: Exchange, event: ResponseArrived) -> None:
        response = event.response
        if event.transaction is not exchange.transaction and response.status >= 300:
            return
        if self.launcher.answered(exchange, response):
            return
        if response.status in (401, 407) and self._answer_challenge(exchange, response):
            return
        if response.status == 422 and self._ask_for_longer(exchange, response):
            return
        exchange.final = exchange.final or response.status >= 200
        exchange.on_response(response)
        if response.status >= 200 and response.cseq.method != "INVITE":
            exchange.request.forget()

    def _answer_challenge(self, exchange: Exchange, response: Response) -> bool:
        credentials, transaction = exchange.credentials, exchange.transaction
        if credentials is None or transaction is None or exchange.cancelled:
            return False
        header = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
        nonces = {
            match[1].decode("latin-1")
            for raw in response.headers.get_all_raw(header)
            for match in _NONCE.finditer(raw)
        }
        # some registrars change the nonce without stale=true: what counts is that it is another one
        if exchange.challenges >= MAX_CHALLENGES or not nonces - exchange.nonces:
            return False
        exchange.challenges += 1
        exchange.nonces |= nonces
        request = exchange.request.copy()
        try:
            name, value = answer_challenge(
                response, request, credentials, nonce_count=1, cnonce=f"{self.ids.bits(64):016x}"
            )
            put_credentials(request.headers, name, value)
        except SipccError:
            return False
        self._emit_again(exchange, request, transaction.flow)
        return True

    def _ask_for_longer(self, exchange: Exchange, response: Response) -> bool:
        """Repeat a request with the session interval that a 422 demands, once (RFC 4028 §7.3)."""
        timer, transaction = exchange.timer, exchange.transaction
        if timer is None or transaction is None or exchange.cancelled or not timer.raise_to(response):
            return False
        exchange.timer = None
        request = exchange.request.copy()
        for name, value in timer.request_headers():
            if name in ("Session-Expires", "Min-SE"):
                request.headers.set(name, value)
        self._emit_again(exchange, request, transaction.flow)
        return True

    def _emit_again(self, exchange: Exchange, request: Request, flow: Flow) -> None:
        """Send a changed copy of a refused request in a transaction of its own."""
        request.headers.remove("Via")
        number = request.cseq.number % MAX_CSEQ + 1 if exchange.next_cseq is None else exchange.next_cseq()
        request.headers.set("CSeq", f"{number} {request.method}")
        exchange.request = request
        self.emit(exchange, flow, None)

    def emit(
        self, exchange: Exchange, flow: Flow, usage: Usage | None, *, patience: float | None = None
    ) -> None:
        """Stamp a request with Via, and Contact where it lacks one, and open its transaction."""
        request = exchange.request
        if usage is not None and "Contact" not in request.headers and request.method in _MAKES_DIALOG:
            usage.flow = flow
            request.headers.add("Contact", self.contact(usage))
        self._stamp(request, flow)
        exchange.transaction = self._layer.request(request, flow, now=self.now(), patience=patience)
        exchange.transaction.user = exchange
        self._pump()

    def _emit_ack(self, sent: AckSent, request: Request, flow: Flow) -> None:
        self._stamp(request, flow)
        sent.flow, sent.data = flow, bytes(request)
        self._layer.send(flow, sent.data)
        self._pump()

    def _stamp(self, request: Request, flow: Flow) -> None:
        protocol = flow.transport.upper()
        sent_by = self._manager.sent_by(flow)
        request.headers.prepend("Via", f"SIP/2.0/{protocol} {sent_by};branch={self.ids.branch()};rport")

    def _route(self, usage: Usage, dialog: Dialog) -> Route:
        """Where an in-dialog request goes: route set, remote target, or the flow behind a NAT."""
        uri, flow = dialog.next_hop, usage.flow
        usable = not flow.closed
        if usable and (not uri.host or not is_address(uri.host)):
            return Route(flow)  # a tel: URI, or a name: the flow leads there without asking anybody
        if usable and not dialog.route_set and prefers_flow(uri.host, flow.remote.host):
            return Route(flow)
        transport = transport_of(uri, flow.transport)
        if usable and flow.reliable and transport == flow.transport and uri.host == flow.remote.host:
            return Route(flow)
        return Route(transport=transport, host=uri.host, port=uri.port, sips=uri.scheme == "sips", like=flow)

    async def _ack_later(self, sent: AckSent, request: Request, route: Route) -> None:
        try:
            self._emit_ack(sent, request, await self.launcher.open(route))
        except TransportError as error:
            # the peer repeats its 2xx, and without an ACK it hangs up by itself
            self.counters["acks_lost"] += 1
            _log.warning("sip.ack_lost", error=str(error))

    def fail(self, exchange: Exchange, error: Exception) -> None:
        """Tell a failure, from a task of its own, so that no callback runs inside of `send`."""
        self._scope.spawn(self._fail(exchange, error), name="fail")

    async def _fail(self, exchange: Exchange, error: Exception) -> None:
        if not exchange.cancelled:
            exchange.on_failure(error)
            self._pump()


def _over_tcp(route: Route) -> Route:
    """The same way over TCP; what goes over a stream already stays there, above all over TLS."""
    if route.flow is not None:
        if route.flow.reliable:
            return route
        host, port = route.flow.remote
        return Route(transport="tcp", host=host, port=port, patience=route.patience)
    if route.sips or route.transport not in (None, "udp"):
        return route
    return Route(transport="tcp", host=route.host, port=route.port, patience=route.patience)


def _usage_key(usage: Usage) -> tuple[bytes, bytes]:
    """What in-dialog requests are found by."""
    return (
        usage.call_id.encode("utf-8", "surrogateescape"),
        usage.local_tag.encode("utf-8", "surrogateescape"),
    )
