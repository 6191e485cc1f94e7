"""One port's RTP session: what arrives is checked and counted here, what leaves gets its header here.

`receive_rtp` is the hot path of a relay, so it reads straight down: unpack, compare the source, count, and
send on. Everything rare (another source, telephone events, odd headers) leaves it by a method call. A
packet goes one of three ways: relayed to the peer at once, queued for the 20 ms clock (`frames`), or
counted and dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from sipcc.ids import Ids
from sipcc.rtp.dtmf import DigitReceiver, DigitSender, KeyBegan, KeyEvent
from sipcc.rtp.flow import (
    DigitBegan,
    DigitEnded,
    PacketSockets,
    RtpStats,
    StreamParams,
)
from sipcc.rtp.frame import FRAME_SAMPLES
from sipcc.rtp.latch import Address, SourceGate, Verdict
from sipcc.rtp.line import OutgoingLine, RelayMap
from sipcc.rtp.packet import HEADER, HEADER_SIZE, MARKER, PLAIN, Flaw, payload_bounds
from sipcc.rtp.player import Player
from sipcc.rtp.queue import FrameQueue
from sipcc.rtp.recorder import Recorder
from sipcc.rtp.stats import ReceiveStats, SendStats, summarize
from sipcc.rtp.wire import Closed, FromWorker

_unpack = HEADER.unpack_from
_pack = HEADER.pack
NOWHERE: Address = ("", 0)


class Session:
    """The state of one port. The engine sets the fields; the methods move packets."""

    def __init__(
        self,
        port_id: str,
        handles: tuple[int, int],
        sockets: PacketSockets,
        ids: Ids,
        emit: Callable[[FromWorker], None],
    ) -> None:
        self.id = port_id
        self.rtp_handle, self.rtcp_handle = handles
        self.emit = emit
        self.params: StreamParams | None = None
        self.payload_type = -1
        self.event_type = -1
        self.source: Address = NOWHERE
        """The accepted source, as the gate says; also where to send."""
        self.gate: SourceGate | None = None
        self.heard_at = 0.0
        """When RTP or RTCP of the accepted source came last."""
        self.malformed = 0
        self.received = ReceiveStats()
        self.sent = SendStats()
        self.line = OutgoingLine(ids)
        self.keys = DigitReceiver()
        self.digits = DigitSender()
        self.frames = FrameQueue()
        self.queueing = False
        """True when the 20 ms clock takes our frames."""
        self.peer: Session | None = None
        """Who hears this party; the session itself for an echo."""
        self.relay: RelayMap | None = None
        """Set while packets go straight to the peer."""
        self.player: Player | None = None
        self.recorder: Recorder | None = None
        self.said: bytes | None = None
        """This party's frame in the tick that is being done."""
        self.phase = 0
        self.out_pending = b""
        """Audio that waits to fill a packet of a `ptime_ms` other than 20."""
        self.wake: Callable[[Session, float], None] | None = None
        """Asks the engine for `chores` at a time: a key without an end must be ended."""
        self.timed_out = False
        self.closed = False
        self._send = sockets.send

    # -- in ---------------------------------------------------------------------------------------------

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the RTP socket."""
        end = len(data)
        if end < HEADER_SIZE:
            self.malformed += 1
            return
        first, second, sequence, timestamp, ssrc = _unpack(data)
        start = HEADER_SIZE
        if first != PLAIN:
            bounds = payload_bounds(data, end)
            if isinstance(bounds, Flaw):
                self.malformed += 1
                return
            start, end = bounds
        payload_type = second & 0x7F
        if source == self.source:
            self.heard_at = now
        elif not self._admit(data, source, ssrc, payload_type, sequence, now):
            return
        if payload_type != self.payload_type:
            if 192 <= second <= 223:
                self.receive_rtcp(data, source, now)  # RFC 5761: a peer that muxes unasked
            elif payload_type == self.event_type:
                self._receive_event(data[start:end], ssrc, sequence, timestamp, now)
            else:
                # Comfort noise, or a type nobody negotiated: alive, but no audio of ours.
                self.received.receive(ssrc, sequence, timestamp, end - start, now=now, sampled=False)
                if self.relay is not None:
                    self.relay.skip(sequence)
            return
        self.received.receive(ssrc, sequence, timestamp, end - start, now=now)
        relay = self.relay
        if relay is not None:
            placed = relay.place(ssrc, sequence, timestamp, end - start, now)
            if placed is None:
                return
            out_sequence, out_timestamp, gap = placed
            peer = self.peer
            assert peer is not None
            out_type = peer.payload_type | (MARKER if gap else second & MARKER)
            packet = _pack(PLAIN, out_type, out_sequence, out_timestamp, peer.line.ssrc) + data[start:end]
            self._send(peer.rtp_handle, packet, peer.source)
            sent = peer.sent
            sent.packets += 1
            sent.bytes += end - start
        elif self.queueing and end > start:
            self.frames.put(sequence, data[start:end])

    def _admit(
        self, data: bytes, source: Address, ssrc: int, payload_type: int, sequence: int, now: float
    ) -> bool:
        """Judge a packet that is not from the accepted source."""
        gate = self.gate
        if gate is None:
            return False
        if 192 <= data[1] <= 223:
            if gate.accept_rtcp(source, now=now):
                self.receive_rtcp(data, source, now)
            return False
        gate.heard_at = max(gate.heard_at, self.heard_at) if self.heard_at else gate.heard_at
        verdict = gate.accept(source, ssrc, payload_type, sequence, now=now)
        if verdict is Verdict.LATCHED:
            self.source = gate.source
        if verdict is Verdict.LATCHED or verdict is Verdict.ACCEPTED:
            self.heard_at = now
            return True
        return False

    def _receive_event(self, payload: bytes, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """Take a telephone event: report it, and in a relay pass it on under the peer's payload type."""
        self.received.receive(ssrc, sequence, timestamp, len(payload), now=now, sampled=False)
        events = self.keys.receive(ssrc, timestamp, payload, now=now)
        if events:
            self.report_keys(events, now)
        relay, peer = self.relay, self.peer
        if relay is None or peer is None:
            return
        if peer.event_type < 0:
            relay.skip(sequence)
            return
        placed = relay.place(ssrc, sequence, timestamp, 0, now)
        if placed is not None:
            out_sequence, out_timestamp, gap = placed
            out_type = peer.event_type | (MARKER if gap else 0)
            packet = _pack(PLAIN, out_type, out_sequence, out_timestamp, peer.line.ssrc) + payload
            self._send(peer.rtp_handle, packet, peer.source)
            peer.sent.send(len(payload))

    def report_keys(self, events: list[KeyEvent], now: float) -> None:
        """Tell what keys did, and play them on to the peer of an anchored bridge."""
        for event in events:
            if isinstance(event, KeyBegan):
                self.emit(DigitBegan(self.id, event.digit))
                continue
            self.emit(DigitEnded(self.id, event.digit, event.duration_ms))
            peer = self.peer
            if peer is not None and self.relay is None and peer.event_type >= 0 and self.on_key is not None:
                self.on_key(peer, event.digit, event.duration_ms)
        deadline = self.keys.deadline
        if deadline is not None and self.wake is not None:
            self.wake(self, deadline)

    on_key: Callable[[Session, str, int], None] | None = None
    """The engine's way to send a key to the other leg."""
