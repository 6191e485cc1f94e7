"""SIP over WebSocket (RFC 7118, RFC 6455), for browsers: one message of SIP in each message.

The bytes are the business of the `websockets` package and its core without sockets; here are the rules:
which handshake is for us, how large, how cut and how often. A refused handshake gets an HTTP answer.
"""

from __future__ import annotations

from typing import TypeAlias

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from sipcc.bucket import TokenBucket
from sipcc.errors import TransportError
from sipcc.sip.framing import LIMITS
from sipcc.sip.settings import WebSocketSettings

MAX_FRAGMENTS = 64
"""Frames in which one message may come; browsers send one."""

PINGS_PER_SECOND, PINGS_AT_ONCE = 1.0, 64.0
"""Pings, and other frames without content, that a peer may send; phones send one in 10 to 60 seconds."""

SLICE_BYTES = 4096
"""How much is read between two looks at the counts: a flood of empty frames stops here."""

_SUBPROTOCOL = Subprotocol("sip")
_Protocol: TypeAlias = ServerProtocol | ClientProtocol


class _WsLayer:
    """What both ends share: messages in and out, and their bounds."""

    carries_messages = True

    def __init__(self, protocol: _Protocol, *, heartbeat: float = 0.0) -> None:
        self.heartbeat = heartbeat
        """Seconds between two of our pings; 0 for none."""
        self.open = False
        """True once the handshake is done."""
        self.ended = False
        """True once the peer has closed."""
        self.names: frozenset[str] = frozenset()
        self._protocol = protocol
        self._early: list[bytes] = []
        self._pieces: list[bytes] = []
        self._text = False
        self._idle_frames = TokenBucket(PINGS_PER_SECOND, PINGS_AT_ONCE)

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Take bytes of the network; return the messages that they complete.

        Raises:
            TransportError: the handshake is refused, or the peer breaks a rule; the answer is in `to_send`.
        """
        out: list[bytes] = []
        for start in range(0, len(data), SLICE_BYTES):
            self._protocol.receive_data(data[start : start + SLICE_BYTES])
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event, out, now)
                else:
                    self._greet(event)
            fault = self._protocol.parser_exc or self._protocol.handshake_exc
            if fault is not None:
                raise TransportError(f"WebSocket: {fault}")
        return out

    def send(self, data: bytes) -> None:
        """Send one message, as text where it is UTF-8 (RFC 7118 §5)."""
        if not self.open:
            self._early.append(data)
        elif _is_text(data):
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)

    def ping(self) -> None:
        """Ask whether the peer is still there; any peer answers by itself."""
        if self.open:
            self._protocol.send_ping(b"")

    def close(self) -> None:
        """Say good-bye."""
        if self.open and not self._protocol.close_expected():
            self._protocol.send_close(CloseCode.GOING_AWAY)

    def to_send(self) -> bytes:
        """Bytes for the network."""
        return b"".join(self._protocol.data_to_send())

    def _greet(self, event: Request | Response) -> None:
        raise NotImplementedError

    def _opened(self) -> None:
        self.open = True
        early, self._early = self._early, []
        for data in early:
            self.send(data)

    def _take(self, frame: Frame, out: list[bytes], now: float) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.ended = True
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            self._count_idle_frame(now)
        else:
            if frame.opcode is not Opcode.CONT:
                self._text = frame.opcode is Opcode.TEXT
            self._pieces.append(bytes(frame.data))
            if len(self._pieces) > MAX_FRAGMENTS:
                self._fail(CloseCode.POLICY_VIOLATION, "too many fragments")
            if frame.fin:
                self._complete(out, now)

    def _complete(self, out: list[bytes], now: float) -> None:
        message = b"".join(self._pieces)
        self._pieces.clear()
        if not message:
            self._count_idle_frame(now)
            return
        if self._text and not _is_text(message):
            self._fail(CloseCode.INVALID_DATA, "text that is no UTF-8")
        out.append(message)

    def _count_idle_frame(self, now: float) -> None:
        if not self._idle_frames.take(now):
            self._fail(CloseCode.POLICY_VIOLATION, "too many pings")

    def _fail(self, code: CloseCode, why: str) -> None:
        self._protocol.fail(code, why)
        raise TransportError(f"WebSocket: {why}")


class WsServerLayer(_WsLayer):
    """Our end of a connection that a browser opened."""

    def __init__(self, settings: WebSocketSettings) -> None:
        # no extensions: compressed frames could grow a thousandfold in memory
        self._server = ServerProtocol(subprotocols=[_SUBPROTOCOL], max_size=LIMITS.message_bytes)
        self._settings = settings
        super().__init__(self._server, heartbeat=settings.ping)

    def start(self) -> None:
        """The browser says the first word."""

    def _greet(self, event: Request | Response) -> None:
        assert isinstance(event, Request)
        refused = self._refusal(event)
        answer = self._server.accept(event) if refused is None else self._server.reject(*refused)
        self._server.send_response(answer)
        if answer.status_code != 101:
            why = answer.body.decode("utf-8", "replace").strip() if answer.body else answer.reason_phrase
            raise TransportError(f"WebSocket: {answer.status_code} {why}")
        self._opened()

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if request.path.partition("?")[0] != self._settings.path:
            return 404, f"SIP is at {self._settings.path}\n"
        origins = request.headers.get_all("Origin")
        if not origins or "*" in self._settings.origins:
            return None  # no page of a browser: there is no user whom it could misuse
        if len(origins) == 1 and self._is_welcome(origins[0].lower(), request):
            return None
        return 403, "this page may not connect\n"

    def _is_welcome(self, origin: str, request: Request) -> bool:
        if origin in {allowed.lower().rstrip("/") for allowed in self._settings.origins}:
            return True
        hosts = request.headers.get_all("Host")
        return len(hosts) == 1 and origin.partition("://")[2] == hosts[0].lower()


class WsClientLayer(_WsLayer):
    """Our end of a connection that we open, as a browser would."""

    def __init__(self, uri: str) -> None:
        self._client = ClientProtocol(
            parse_uri(uri), subprotocols=[_SUBPROTOCOL], max_size=LIMITS.message_bytes
        )
        super().__init__(self._client)

    def start(self) -> None:
        """Ask for the connection."""
        self._client.send_request(self._client.connect())

    def _greet(self, event: Request | Response) -> None:
        if self._client.subprotocol != _SUBPROTOCOL:
            self._fail(CloseCode.PROTOCOL_ERROR, "the server does not speak SIP here")
        self._opened()


def _is_text(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
