"""One connection on asyncio, and the layers that may stand between its socket and SIP: TLS, WebSocket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast

from sipcc.errors import ConnectError, TransportError
from sipcc.sip.nat import plain_host
from sipcc.sip.transport.base import Address, Flow, Receiver, TransportName

if TYPE_CHECKING:
    from sipcc.sip.transport.tcp import StreamListener

WRITE_BUFFER_BYTES = 256 * 1024
"""What may wait for a peer that does not read; more closes the connection."""

HANDSHAKE_TIMEOUT = 5.0
"""Seconds from the connection to the end of the handshakes of TLS and WebSocket."""

FIRST_WORD_TIMEOUT = 10.0
"""Seconds in which a peer that connected to us must say something."""

MAX_SILENT_BEATS = 2
"""Pings without any answer after which a WebSocket counts as broken."""

CLOSE_TIMEOUT = 2.0
"""Seconds that the last bytes have to leave for a peer that we close."""

_KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 32000))
"""A peer whose machine died is noticed after 2 minutes of silence, or 32 s after what it did not confirm."""


class Layer(Protocol):
    """What stands between a socket and SIP: a core that turns bytes into bytes."""

    carries_messages: bool
    """True when what it hands up are whole messages."""
    heartbeat: float
    """Seconds between two pings to a silent peer; 0 for none."""
    open: bool
    ended: bool
    names: frozenset[str]

    def start(self) -> None:
        """Say the first word, if it is ours."""
        ...

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Bytes from below, to what goes up. Raises TransportError when the peer breaks the rules."""
        ...

    def send(self, data: bytes) -> None:
        """Bytes from above; before the layer is open they wait."""
        ...

    def ping(self) -> None:
        """Ask whether the peer is still there."""
        ...

    def close(self) -> None:
        """Say good-bye."""
        ...

    def to_send(self) -> bytes:
        """Bytes for below."""
        ...


class StreamFlow(asyncio.Protocol):
    """One connection, opened by either side, with its layers from the socket upwards."""

    def __init__(
        self,
        transport: TransportName,
        receiver: Receiver,
        layers: Sequence[Layer] = (),
        listener: StreamListener | None = None,
    ) -> None:
        self.transport: TransportName = transport
        self.local = Address("", 0)
        self.remote = Address("", 0)
        self.reliable = True
        self.closed = False
        self.peer_names: frozenset[str] = frozenset()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when SIP may flow, or with the error that it never will."""
        self._receiver = receiver
        self._layers = layers
        self._listener = listener
        self._admitted = False
        self._reason: TransportError | None = None
        self._stream: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._silent = 0
        self._deliver: Callable[[bytes, Flow], None] = receiver.stream_received
        if layers and layers[-1].carries_messages:
            self._deliver = receiver.message_received

    def __repr__(self) -> str:
        return f"<{self.transport} {self.local} > {self.remote}>"

    def send(self, data: bytes) -> None:
        """Send one message.

        Raises:
            TransportError: the connection is closed, or the peer does not read.
        """
        if self.closed or self._stream is None:
            raise TransportError(f"the connection to {self.remote} is closed")
        if self._layers:
            self._layers[-1].send(data)
            self._flush()
        else:
            self._write(data)
        if self._reason is not None:
            raise self._reason

    def close(self) -> None:
        """Close after what was written has left."""
        self._close(None)

    # -- asyncio ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection stands."""
        self._stream = cast(asyncio.Transport, transport)
        name, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if name is None or peer is None:  # reset between accept and now
            self._abort(TransportError("reset at once"))
            return
        self.local = Address(plain_host(name[0]), name[1])
        self.remote = Address(plain_host(peer[0]), peer[1])
        if self._listener is not None and not self._listener.admit(self):
            self._abort(TransportError("refused"))
            return
        self._admitted = True
        _keep_alive(transport.get_extra_info("socket"))
        self._arm(HANDSHAKE_TIMEOUT if self._layers else FIRST_WORD_TIMEOUT)
        try:
            for layer in self._layers:
                layer.start()
        except TransportError as error:
            self._close(error)
            return
        self._flush()
        self._note_open()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self.closed:
            return
        self._silent = 0
        now = asyncio.get_running_loop().time()
        pieces = [data]
        fault: TransportError | None = None
        for layer in self._layers:
            risen: list[bytes] = []
            try:
                for piece in pieces:
                    risen += layer.receive(piece, now=now)
            except TransportError as error:
                fault = error
            pieces = risen
            if layer.ended:
                fault = fault or _BYE
            if not pieces:
                break
        self._flush()
        self._note_open()
        self._hand_up(pieces)
        if fault is not None:
            self._close(None if fault is _BYE else fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self.closed = True
        self._disarm()
        if self._beat is not None:
            self._beat.cancel()
        if self._listener is not None:
            self._listener.release(self, counted=self._admitted)
        reason = self._reason or exc
        if self.opened.done():
            self._receiver.flow_closed(self, reason)
        elif self._listener is None:
            self.opened.set_exception(ConnectError(f"no connection to {self.remote}: {reason or 'closed'}"))

    # -- inside -----------------------------------------------------------------------------------------

    def _hand_up(self, pieces: list[bytes]) -> None:
        if pieces:
            self._disarm()
        for piece in pieces:
            if self.closed:
                return  # what we have heard before was enough to close
            self._deliver(piece, self)

    def _note_open(self) -> None:
        """Tell, once, that all layers are open."""
        if self.opened.done() or self.closed or not all(layer.open for layer in self._layers):
            return
        self.peer_names = frozenset().union(*(layer.names for layer in self._layers))
        self.opened.set_result(None)
        if self._listener is None:
            self._disarm()
        elif self._layers:
            self._arm(FIRST_WORD_TIMEOUT)
        if self._layers and self._layers[-1].heartbeat:
            self._beat = asyncio.get_running_loop().call_later(self._layers[-1].heartbeat, self._pulse)

    def _pulse(self) -> None:
        """Ping a peer that is silent, and give up one that stays so."""
        if self.closed:
            return
        top = self._layers[-1]
        if self._silent > MAX_SILENT_BEATS:
            self._abort(TransportError(f"{self.remote} answers no ping"))
            return
        if self._silent:
            top.ping()
            self._flush()
        self._silent += 1
        self._beat = asyncio.get_running_loop().call_later(top.heartbeat, self._pulse)

    def _flush(self) -> None:
        """Bring down what the layers want to send, from the topmost to the socket."""
        try:
            for upper, lower in zip(self._layers[:0:-1], self._layers[-2::-1], strict=True):
                data = upper.to_send()
                if data:
                    lower.send(data)
        except TransportError as error:
            self._abort(error)
            return
        if self._layers:
            data = self._layers[0].to_send()
            if data:
                self._write(data)

    def _write(self, data: bytes) -> None:
        stream = self._stream
        assert stream is not None
        if stream.get_write_buffer_size() + len(data) > WRITE_BUFFER_BYTES:
            self._abort(TransportError(f"{self.remote} does not read"))
        elif not stream.is_closing():
            stream.write(data)

    def _close(self, reason: TransportError | None) -> None:
        """Say good-bye on all layers, and close when it has left, or soon."""
        if self.closed or self._stream is None:
            self.closed = True
            return
        for layer in reversed(self._layers):
            with suppress(TransportError):
                layer.close()
            self._flush()
        self.closed = True
        self._reason = self._reason or reason
        self._stream.close()
        self._arm(CLOSE_TIMEOUT)

    def _abort(self, reason: TransportError) -> None:
        self.closed = True
        self._reason = self._reason or reason
        if self._stream is not None:
            self._stream.abort()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._time_out)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        if self.closed:
            self._abort(TransportError(f"{self.remote} does not read"))
        else:
            self._close(TransportError(f"{self.remote} says nothing"))


_BYE = TransportError("closed by the peer")
"""Marks a layer that has ended as it should."""


def _keep_alive(opened: socket.socket | None) -> None:
    if opened is None:
        return
    with suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):
                opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
