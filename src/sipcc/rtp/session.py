"""One port's RTP session: what arrives is checked and counted here, what leaves gets its header here.

`receive_rtp` is the hot path of a relay, so it reads straight down: unpack, compare the source, count, and
send on. Everything rare (another source, telephone events, odd headers) leaves it by a method call. A
packet goes one of three ways: relayed to the peer at once, heard by the 20 ms clock (`ear`), or
counted and dropped. A recording is a tap on both ways, so it neither delays nor changes anything.

A guarded leg (SRTP, a browser) believes only what its shield has opened, and sends only what it has closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.rtp.codec import g711
from sipcc.rtp.dtmf import EventFrame
from sipcc.rtp.events import AudioTapped, VoiceBegan
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ
from sipcc.rtp.hearing import count_lengths, leave_relay, receive_other
from sipcc.rtp.latch import Address, Verdict
from sipcc.rtp.packet import HEADER, HEADER_SIZE, MARKER, PLAIN, Flaw, payload_bounds
from sipcc.rtp.portstate import PortState
from sipcc.rtp.voice import join_to, samples_of

if TYPE_CHECKING:
    from sipcc.rtp.codec.g711 import Pcm

_unpack = HEADER.unpack_from
_pack = HEADER.pack
MAX_ARRIVALS = 256
"""Packets whose counting may be put off; chores do it once a second, so this is for floods."""


class Session(PortState):
    """One port: the engine sets the fields, the methods move packets."""

    __slots__ = ()

    # -- in ---------------------------------------------------------------------------------------------

    def receive_first(self, data: bytes, source: Address, now: float) -> None:
        """Take a datagram while no audio comes: the packet that is believed ends the pause."""
        before = self.heard_at
        self.receive_rtp(data, source, now)
        if self.heard_at != before:
            self.owner.began(self)

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the RTP socket."""
        if self.guarded:
            opened = self._open(data, source, now)
            if opened is None:
                return
            data = opened
        end = len(data)
        if end < HEADER_SIZE:
            self.malformed += 1
            return
        header = _unpack(data)
        first, second, sequence, timestamp, ssrc = header
        start = HEADER_SIZE
        if first != PLAIN:
            bounds = payload_bounds(data, end)
            if isinstance(bounds, Flaw):
                self.malformed += 1
                return
            start, end = bounds
        payload_type = second & 0x7F
        if payload_type != self.payload_type:
            known = self.renumbered.get(payload_type)
            if known is not None:
                payload_type, second = known, second & MARKER | known
                header = (first, second, sequence, timestamp, ssrc)
            elif 192 <= second <= 223:
                self.receive_rtcp(data, source, now)  # RFC 5761: a peer that muxes unasked
                return
        if source == self.source:
            self.heard_at = now
        elif not self._admit(source, ssrc, payload_type, sequence, now):
            return
        arrivals = self._arrivals
        size = end - start
        arrivals.append((header, size, now))
        if len(arrivals) >= MAX_ARRIVALS:
            self.count_arrivals()
        if payload_type != self.payload_type:
            receive_other(self, payload_type, data[start:end], ssrc, sequence, timestamp, now)
            return
        payload = data[start:end]
        if self.onset is not None and self.receiving and self.onset.hears(payload, self.coding):
            self.onset = None
            self.owner.emit(VoiceBegan(self.id))
        if self.recorder is not None and self.receiving and not self.keying.covered:
            self.recorder.said(payload, self.coding, now=now, timestamp=timestamp)
        if self.relay is not None:
            units = size if self.law is not None else self.measure(payload)
            if units != self.strict_units and self.strict_units:
                leave_relay(self, now)
        relay = self.relay
        if relay is not None:
            placed = relay.place(ssrc, sequence, timestamp, units, now)
            if placed is None:
                return
            out_sequence, out_timestamp, gap = placed
            peer = self.peer
            assert peer is not None
            out_type = peer.payload_type | (MARKER if gap else second & MARKER)
            sounds = peer.join(payload, after_gap=gap) if peer.changed else payload
            peer.last = sounds
            packet = _pack(PLAIN, out_type, out_sequence, out_timestamp, peer.line.ssrc) + sounds
            shield = peer.shield
            closed = packet if shield is None else shield.protect(packet)
            if closed is None:
                return
            self._send(peer.rtp_handle, closed, peer.source)
            sent = peer.sent
            sent.packets += 1
            sent.bytes += size
            if peer.recorder is not None:
                peer.recorder.heard(payload, peer.coding, now=now, timestamp=out_timestamp)
        if self.queueing:
            self.ear.put(ssrc, sequence, timestamp, second >= MARKER, payload, now=now)
            if self.irregular:
                count_lengths(self, self.measure(payload), now)

    def _open(self, data: bytes, source: Address, now: float) -> bytes | None:
        """Take a datagram of a guarded leg; returns the RTP packet in it, if there is one to believe."""
        browser, shield = self.browser, self.shield
        if browser is not None and browser.receive(data, source, now=now):
            return None
        if shield is None or len(data) < HEADER_SIZE:
            self.unexpected += 1
            return None
        if 192 <= data[1] <= 223:
            self._receive_report(data, source, now)
            return None
        opened = shield.unprotect(data)
        if opened is None:
            self.rejected += 1
        return opened

    def _admit(self, source: Address, ssrc: int, payload_type: int, sequence: int, now: float) -> bool:
        """Judge a packet that is not from the accepted source."""
        gate = self.gate
        if gate is None:
            self.unexpected += 1
            return False
        gate.heard_at = self.heard_at
        if self.shield is not None:
            verdict = gate.accept_proved(source, now=now)
        else:
            verdict = gate.accept(source, ssrc, payload_type, sequence, now=now)
        if verdict is Verdict.LATCHED:
            self.source = gate.source
            self.unsettled = True
            self.owner.wake(self, now)
        elif verdict is not Verdict.ACCEPTED:
            return False
        self.heard_at = now
        return True

    def receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the RTCP socket, or one that was muxed onto the RTP socket."""
        if self.guarded:
            self._receive_report(data, source, now)
        else:
            self._take_report(data, source, now)

    def _receive_report(self, data: bytes, source: Address, now: float) -> None:
        shield = self.shield
        opened = shield.unprotect_rtcp(data) if shield is not None else None
        if opened is None:
            self.rejected += 1
        else:
            self._take_report(opened, source, now)

    def _take_report(self, data: bytes, source: Address, now: float) -> None:
        if self.gate is None:
            self.unexpected += 1
        elif self.gate.accept_rtcp(source, now=now):
            self.count_arrivals()
            if self.reports.receive(data, now=now):
                self.report_heard_at = now
                self.reports.target = source
            else:
                self.malformed += 1

    def relay_other(
        self, payload: bytes, kind: int, *, ssrc: int, sequence: int, timestamp: int, now: float
    ) -> None:
        """Relay a packet that is no audio (keys, comfort noise) under the peer's payload type `kind`."""
        relay, peer = self.relay, self.peer
        assert relay is not None
        assert peer is not None
        placed = relay.place(ssrc, sequence, timestamp, 0, now)
        if placed is not None:
            out_sequence, out_timestamp, gap = placed
            out_type = kind | (MARKER if gap else 0)
            packet = _pack(PLAIN, out_type, out_sequence, out_timestamp, peer.line.ssrc) + payload
            peer.transmit(packet, len(payload))

    def record_said(self, frame: bytes | Pcm, at: float) -> None:
        """Record what the party said at `at`, as far as it may be heard."""
        if self.recorder is not None:
            self.recorder.said(frame, self.coding, now=at)

    # -- out --------------------------------------------------------------------------------------------

    def send_frame(self, frame: bytes | Pcm, at: float) -> None:
        """Send one frame of audio, as bytes in our law or as samples, whose place in time is `at`."""
        voice = self.voice
        if not self.sending or voice is None:
            return
        whole = self.packet_samples == FRAME_SAMPLES and not voice.rest
        if isinstance(frame, bytes) and whole and self.law is not None:
            self._send_audio(frame, FRAME_SAMPLES, at)
            return
        begins = at - voice.waiting / SAMPLE_RATE_HZ  # by when its audio begins, no change of length is a gap
        for payload in voice.push(frame):
            self._send_audio(payload, voice.units, begins)
            begins += voice.samples / SAMPLE_RATE_HZ

    def send_packet(self, payload: bytes, at: float) -> None:
        """Send a packet of our codec that was made before, of one frame whose place in time is `at`."""
        if self.sending:
            self._send_audio(payload, FRAME_SAMPLES * self.coding[1] // SAMPLE_RATE_HZ, at)

    def forget_pending(self) -> None:
        """Drop audio that waits to fill a packet of more than 20 ms."""
        if self.voice is not None:
            self.voice.clear()

    def _send_audio(self, payload: bytes, units: int, at: float) -> None:
        line = self.line
        sequence, timestamp, gap = line.next(units, at)
        if self.changed:
            payload = self.join(payload, after_gap=gap)
        self.last = payload
        payload_type = self.payload_type | MARKER if gap else self.payload_type
        packet = _pack(PLAIN, payload_type, sequence, timestamp, line.ssrc) + payload
        if self.shield is None:
            self._send(self.rtp_handle, packet, self.source)
            sent = self.sent
            sent.packets += 1
            sent.bytes += len(payload)
        else:
            self.transmit(packet, len(payload))
        if self.recorder is not None:
            self.recorder.heard(payload, self.coding, now=at, timestamp=timestamp)

    def send_event(self, event: EventFrame) -> None:
        """Send a telephone event in the place of one frame; call `line.follow` before."""
        if not self.sending or self.event_type < 0:
            return
        line = self.line
        sequence, _, _ = line.place(self.frame_units)
        payload_type = self.event_type | MARKER if event.marker else self.event_type
        packet = _pack(PLAIN, payload_type, sequence, event.timestamp, line.ssrc) + event.payload
        self.transmit(packet, len(event.payload))

    def join(self, payload: bytes, *, after_gap: bool) -> bytes:
        """The first packet of a new mixture, without a click where it meets the last of the old one."""
        self.changed = False
        if self.law is None or not payload:
            return payload
        return join_to(b"" if after_gap else self.last, payload, self.law)

    def transmit(self, packet: bytes, size: int) -> None:
        """Send one RTP packet with `size` bytes of payload, protected when it must be."""
        shield = self.shield
        closed = packet if shield is None else shield.protect(packet)
        if closed is None:
            return
        self._send(self.rtp_handle, closed, self.source)
        sent = self.sent
        sent.packets += 1
        sent.bytes += size

    def tell_tap(self, heard: bytes | Pcm | None) -> None:
        """Tell what was said and heard in this tick."""
        law = self.law
        if self.tap_coded and law is not None:
            told = [frame if isinstance(frame, bytes) else b"" if frame is None else g711.encode(frame, law)
                    for frame in (self.said, heard)]  # fmt: skip
            self.owner.emit(AudioTapped(self.id, told[0], told[1], law))
            return
        said, hears = (samples_of(frame, law) for frame in (self.said, heard))
        self.owner.emit(AudioTapped(self.id, said.tobytes(), hears.tobytes()))

    def wake(self, at: float) -> None:
        """Have this port looked after at `at`."""
        self.owner.wake(self, at)

    def send_beside(self, data: bytes, target: Address) -> None:
        """Send a datagram that is neither RTP nor RTCP."""
        self._send(self.rtp_handle, data, target)

    def send_report(self, data: bytes, target: Address) -> None:
        """Send one RTCP datagram, protected when it must be."""
        closed: bytes | None = data
        if self.guarded:
            closed = self.shield.protect_rtcp(data) if self.shield is not None else None
        if closed is not None:
            self._send(self.rtp_handle if self.muxed else self.rtcp_handle, closed, target)
