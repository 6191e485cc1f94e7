"""Everything that arrives: bytes to messages, messages to transactions, requests to sessions and handlers.

Nothing that a peer sends may raise out of here: what goes wrong is counted, and logged the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sipcc.errors import LocalProtocolError, ParseError
from sipcc.log import get_logger
from sipcc.sip.acceptance import refusal_of, unsupported
from sipcc.sip.build import response as build_response
from sipcc.sip.congestion import Congestion
from sipcc.sip.deadlines import Deadlines
from sipcc.sip.fields import Via
from sipcc.sip.gate import Gate
from sipcc.sip.incoming import tag_to
from sipcc.sip.message import METHODS, BadMessage, Request, Response, dialog_key, transaction_key
from sipcc.sip.multipart import unwrap
from sipcc.sip.nat import response_address
from sipcc.sip.parser import KeepAlive, parse_datagram
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import HeaderList, Usage
from sipcc.sip.streams import Stream
from sipcc.sip.transaction.layer import Verdict
from sipcc.sip.transaction.machine import Key, ServerTransaction
from sipcc.sip.transport.base import Flow
from sipcc.sip.transport.stun import answer_stun
from sipcc.sip.uas import ServerSession

if TYPE_CHECKING:
    from sipcc.sip.endpoint import Endpoint

DRAIN_RETRY_AFTER = "10"
"""Seconds that a peer is told to wait while we drain (RFC 3261 §20.33)."""

_OFFERING = frozenset({"INVITE", "UPDATE", "PRACK"})
"""Methods in a dialog whose body is a session description."""

_log = get_logger("sipcc.sip.inbound")


class Inbound:
    """The `Receiver` of all flows of an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._outbound = endpoint.outbound
        self._layer = endpoint.layer
        self._counters = endpoint.counters
        self.gate = Gate(self._counters)
        self._streams: dict[Flow, Stream] = {}
        self.deadlines: Deadlines[Stream] = Deadlines()
        self._congestion = Congestion(endpoint)
        self._waited: float | None = None
        self._secret = f"{endpoint.ids.bits(128):032x}".encode("ascii")

    # -- Receiver -------------------------------------------------------------------------------------

    def blocked(self, host: str) -> bool:
        """True for a host that the guard has banned: what it sends is not looked at."""
        guard = self.gate.guard
        if guard is None or not guard.blocked(host, now=self._endpoint.clock.now()):
            return False
        self._counters["blocked"] += 1
        return True

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        """One UDP datagram."""
        self._counters["received"] += 1
        if not data.strip(b"\r\n\0"):
            self._counters["keepalives"] += 1
            return
        if data[0] < 4:  # no SIP begins so: a phone asks where we see it (RFC 5626 §3.5.2)
            if not self.gate.takes(data, flow, now=self._endpoint.clock.now()):
                return
            self._counters["stun" if answer_stun(data, flow) else "malformed"] += 1
            return
        if self._congestion.is_stray_ack(data):
            self._counters["stray_acks"] += 1
            return
        self._waited = waited
        self._guarded(self._datagram, data, flow)

    def stream_received(self, data: bytes, flow: Flow) -> None:
        """Some bytes of a stream."""
        self._congestion.stream()
        self._guarded(self._stream, data, flow)

    def message_received(self, data: bytes, flow: Flow) -> None:
        """One message of a WebSocket; the flow tells that it is whole."""
        self.stream_received(data, flow)

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        """A stream ended, by the peer or by us; a second telling is passed over."""
        stream = self._streams.pop(flow, None)
        if stream is not None:
            stream.deadline = None
        self._endpoint.manager.forget(flow)
        self._layer.flow_closed(flow, now=self._endpoint.clock.now())
        if stream is not None and self._endpoint.on_flow_closed is not None:
            self._endpoint.safely(self._endpoint.on_flow_closed, flow)
        self._endpoint.pump()

    # -- bytes ----------------------------------------------------------------------------------------

    def _guarded(self, take: Callable[[bytes, Flow], None], data: bytes, flow: Flow) -> None:
        with self._endpoint.pumping():
            try:
                take(data, flow)
            except ParseError:
                self._counters["malformed"] += 1  # a view of a broken message, where no answer is due
            except Exception:
                self._counters["crashes"] += 1
                if self._counters["crashes"] == 1:
                    _log.exception("sip.message_crashed", remote=str(flow.remote), size=len(data))

    def _datagram(self, data: bytes, flow: Flow) -> None:
        if not self.gate.takes(data, flow, now=self._endpoint.clock.now()):
            return
        self._tap(data, flow)
        refusal = self._congestion.datagram(data, flow, self._waited)
        if refusal is not None:
            self._layer.send(flow, refusal)
            return
        try:
            message = self._read(data, flow)
        except BadMessage as error:
            self._bad(error, flow)
            return
        self.take(message, flow)

    def _read(self, data: bytes, flow: Flow) -> Request | Response:
        try:
            return parse_datagram(data)
        except BadMessage:
            if not self._endpoint.tolerant(flow):
                raise
        message = parse_datagram(data, tolerant=True)
        self._counters["mended"] += 1
        return message

    def _stream(self, data: bytes, flow: Flow) -> None:
        stream = self._stream_of(flow)
        if stream.whole:
            self._message(data, stream)
            return
        began = stream.parser.idle
        for item in stream.parser.receive(data):
            began = True
            if isinstance(item, KeepAlive):
                self._counters["keepalives"] += 1
                if item is KeepAlive.PING:
                    self._layer.send(flow, KeepAlive.PONG.value)
                continue
            self._counters["received"] += 1
            if not self.gate.takes(b"", flow, now=self._endpoint.clock.now()):
                continue
            if isinstance(item, BadMessage):
                self._bad(item, flow)
                continue
            self._tap(bytes(item), flow)
            self.take(item, flow)
        if stream.parser.broken:
            self._endpoint.pump_now()
            flow.close()
            self.flow_closed(flow, None)
            return
        seconds = stream.patience(self._endpoint.settings.connections.idle, began=began)
        if seconds is not None:
            self._wait_for(stream, seconds)

    def _message(self, data: bytes, stream: Stream) -> None:
        """One message of a WebSocket: SIP, or a keep-alive (RFC 7118 §6)."""
        self._wait_for(stream, self._endpoint.settings.connections.idle)
        if data.strip(b"\r\n"):
            self._counters["received"] += 1
            self._datagram(data, stream.flow)
            return
        self._counters["keepalives"] += 1
        if data == KeepAlive.PING.value:
            self._layer.send(stream.flow, KeepAlive.PONG.value)

    def _stream_of(self, flow: Flow) -> Stream:
        stream = self._streams.get(flow)
        if stream is None:
            stream = self._streams[flow] = Stream(flow, tolerant=self._endpoint.tolerant(flow))
            self._endpoint.manager.adopt(flow)
        return stream

    def _wait_for(self, stream: Stream, seconds: float) -> None:
        if self._streams.get(stream.flow) is stream:  # what came may have closed it
            stream.deadline = self._endpoint.clock.now() + seconds
            self.deadlines.note(stream)

    def _tap(self, data: bytes, flow: Flow) -> None:
        tap = self._endpoint.on_message
        if tap is not None:
            tap("in", data, flow, self._endpoint.clock.now())

    def _bad(self, error: BadMessage, flow: Flow) -> None:
        self._counters["malformed"] += 1
        self.gate.malformed(flow, now=self._endpoint.clock.now())
        request = error.request
        if request is None or request.method == "ACK":
            return
        with suppress(ParseError):  # a Via that nobody can read goes back as it came, to its source
            self._complete_via(request, flow)
        self._reply(request, flow, error.status_hint)

    def expire(self, now: float) -> None:
        """Close streams that are idle or stuck."""
        for stream in self.deadlines.due(now):
            self._counters["streams_timed_out"] += 1
            stream.flow.close()
            self.flow_closed(stream.flow, None)

    # -- messages -------------------------------------------------------------------------------------

    def take(self, message: Request | Response, flow: Flow) -> None:
        """One whole message."""
        if isinstance(message, Response):
            unwrap(message)
        key = transaction_key(message)
        verdict = self._layer.receive(message, key, now=self._endpoint.clock.now())
        if verdict is Verdict.ABSORBED:
            return
        if isinstance(message, Response):
            self._counters["stray_responses"] += 1  # also one whose top Via is not ours
            self.gate.stray(flow, now=self._endpoint.clock.now())
            return
        call_id, _from_tag, to_tag = dialog_key(message)
        usage = self._outbound.usages.get((call_id, to_tag)) if to_tag else None
        if message.method == "ACK":
            if isinstance(usage, InviteSession) and self._is_of(usage, message, flow, flow):
                unwrap(message)
                usage.receive_ack(message)
            else:
                self._counters["stray_acks"] += 1  # never answered
            return
        flow_back = self._complete_via(message, flow)
        if message.method == "CANCEL":
            self._cancel(message, flow, flow_back, key)
        elif usage is not None and message.method in METHODS:
            self._in_dialog(usage, message, flow, flow_back, key)
        else:
            self._out_of_dialog(message, flow, flow_back, key, to_tag, verdict)

    def _in_dialog(self, usage: Usage, request: Request, flow: Flow, back: Flow, key: Key) -> None:
        if not self._is_of(usage, request, flow, back):
            return
        tags = unsupported(request)
        transaction = self._layer.serve(request, back, key)
        transaction.source = flow
        if tags:
            self._respond(transaction, 420, usage.local_tag, [("Unsupported", tags)])
        else:
            if request.method in _OFFERING:
                unwrap(request)
            usage.receive(transaction)

    def _is_of(self, usage: Usage, request: Request, flow: Flow, back: Flow) -> bool:
        return self._passes(self._endpoint.admit_in_dialog(request, flow, usage), request, back)

    def _passes(self, verdict: object, request: Request, back: Flow) -> bool:
        """False for what admission has refused, which is answered here, once."""
        refusal = getattr(verdict, "response", None)
        if isinstance(refusal, Response):
            self._counters["refused"] += 1
            self._send_stateless(refusal, request, back)
            return False
        if getattr(verdict, "silent", False):
            self._counters["dropped"] += 1
            return False
        return True

    def _cancel(self, request: Request, flow: Flow, back: Flow, key: Key) -> None:
        invite = self._layer.invite_of(key)
        if invite is None:
            self.gate.refused(flow, request.method, 481, now=self._endpoint.clock.now())
            self._reply(request, back, 481)
            return
        session = invite.user
        if isinstance(session, InviteSession) and not self._is_of(session, request, flow, back):
            return
        transaction = self._layer.serve(request, back, key)
        tag = session.local_tag if isinstance(session, InviteSession) else self._tag(request)
        self._respond(transaction, 200, tag)
        if isinstance(session, InviteSession):
            session.receive_cancel(invite)

    def _out_of_dialog(
        self, request: Request, flow: Flow, back: Flow, key: Key, to_tag: bytes, verdict: Verdict
    ) -> None:
        endpoint = self._endpoint
        method = request.method
        refused = refusal_of(
            request,
            handled={"INVITE", "OPTIONS", *endpoint.on_request},
            allow=self._outbound.allow,
            in_dialog=bool(to_tag),
            merged=verdict is Verdict.MERGED,
        )
        if refused is None and endpoint.draining and method in ("INVITE", "OPTIONS"):
            refused = 503, [("Retry-After", DRAIN_RETRY_AFTER)]
        if refused is None and (pause := self._congestion.request(request, flow)) is not None:
            refused = 503, [("Retry-After", str(pause))]
        if refused is not None:
            self.gate.refused(flow, method, refused[0], now=endpoint.clock.now())
            self._reply(request, back, refused[0], refused[1])
            return
        admitted = endpoint.admit(request, flow)
        if not self._passes(admitted, request, back):
            return
        transaction = self._layer.serve(request, back, key)
        transaction.source = flow
        if method == "INVITE":
            self._invite(transaction, admitted)
        elif method in endpoint.on_request:
            inbound = self._outbound.incoming(transaction, admitted=admitted)
            try:
                endpoint.on_request[method](inbound)
            except Exception:
                self._counters["handler_crashes"] += 1
                _log.exception("sip.handler_crashed", method=method)
                if transaction.status < 200:
                    inbound.reply(500)
        else:
            self._respond(transaction, 200, self._tag(request), self._abilities())

    def _invite(self, transaction: ServerTransaction, admitted: object | None) -> None:
        endpoint = self._endpoint
        unwrap(transaction.request)
        self._outbound.respond(transaction, build_response(transaction.request, 100))
        policy = endpoint.policy_of(admitted)
        session = ServerSession(self._outbound, transaction, endpoint.ids.tag(), policy)
        session.admitted = admitted
        self._outbound.open_usage(session)
        refused = session.judge()
        if refused is not None:
            session.reject(refused[0], headers=refused[1])
            return
        handler = endpoint.on_invite
        if handler is None:
            session.reject(480)
            return
        try:
            handler(session)
        except Exception:
            self._counters["handler_crashes"] += 1
            _log.exception("sip.handler_crashed", method="INVITE")
            try:
                session.reject(500)
            except LocalProtocolError:
                session.bye()

    # -- answers --------------------------------------------------------------------------------------

    def _abilities(self) -> list[tuple[str, str]]:
        found = [("Allow", self._outbound.allow), ("Accept", "application/sdp")]
        if self._outbound.supported:
            found.append(("Supported", self._outbound.supported))
        return found

    def _respond(
        self, transaction: ServerTransaction, status: int, tag: str, headers: HeaderList = ()
    ) -> None:
        headers = [*headers, *self._outbound.response_headers]
        answer = build_response(transaction.request, status, to_tag=tag, headers=headers)
        self._outbound.respond(transaction, answer)

    def _reply(self, request: Request, flow: Flow, status: int, headers: HeaderList = ()) -> None:
        """Answer without keeping anything (RFC 3261 §8.2.7)."""
        headers = [*headers, *self._outbound.response_headers]
        self._send_stateless(build_response(request, status, headers=headers), request, flow)

    def _send_stateless(self, response: Response, request: Request, flow: Flow) -> None:
        tag_to(response, self._tag(request))
        short = self.gate.frugal(response, flow, now=self._endpoint.clock.now())
        if short is not None:
            self._layer.send(flow, bytes(short))

    def _tag(self, request: Request) -> str:
        """A To tag that is the same for each copy of a request, without any memory of it."""
        first = request.headers.first()
        seed = b"\0".join(first.get(name, b"") for name in ("Call-ID", "From", "CSeq"))
        return hashlib.blake2s(seed, key=self._secret, digest_size=5).hexdigest()

    def _complete_via(self, request: Request, flow: Flow) -> Flow:
        """Note the source in the top Via (RFC 3261 §18.2.1, RFC 3581) and return the way back."""
        via = request.via
        host, port = flow.remote
        if via.wants_rport or via.host.lower() != host.lower():
            params = dict(via.params)
            params["received"] = host
            if via.wants_rport:
                params["rport"] = str(port)
            request.replace_via(Via(via.transport, via.host, via.port, params))
        if flow.transport != "udp":
            return flow
        back = response_address(via, flow.remote)
        if back == flow.remote:
            return flow
        return self._endpoint.manager.open_flow("udp", back, like=flow) or flow
