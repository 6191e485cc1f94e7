"""One port's RTP session: what arrives is checked and counted here, what leaves gets its header here.

`receive_rtp` is the hot path of a relay, so it reads straight down: unpack, compare the source, count, and
send on. Everything rare (another source, telephone events, odd headers) leaves it by a method call. A
packet goes one of three ways: relayed to the peer at once, heard by the 20 ms clock (`ear`), or
counted and dropped. A recording is a tap on both ways, so it neither delays nor changes anything.

A guarded leg (SRTP, a browser) believes only what its shield has opened, and sends only what it has closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sipcc.rtp.consent import ConsentTone
from sipcc.rtp.dtmf import DigitReceiver, DigitSender, EventFrame
from sipcc.rtp.ear import Ear
from sipcc.rtp.events import AudioTapped
from sipcc.rtp.flow import CodecName, Law, PacketSockets, RtpStats, StreamParams
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, Coding
from sipcc.rtp.hearing import count_lengths, leave_relay, receive_other
from sipcc.rtp.keys import KeyState
from sipcc.rtp.latch import Address, SourceGate, Verdict
from sipcc.rtp.line import OutgoingLine, RelayMap
from sipcc.rtp.packet import HEADER, HEADER_SIZE, MARKER, PLAIN, Flaw, payload_bounds
from sipcc.rtp.player import Player
from sipcc.rtp.recorder import Recorder
from sipcc.rtp.reports import Reports
from sipcc.rtp.stats import ReceiveStats, SendStats, summarize
from sipcc.rtp.streaming import StreamPlayer
from sipcc.rtp.voice import Voice, join_to, samples_of
from sipcc.rtp.wire import Event

if TYPE_CHECKING:
    from sipcc.rtp.codec.g711 import Pcm
    from sipcc.rtp.keytones import KeySounder
    from sipcc.rtp.passthrough import RawSession
    from sipcc.rtp.rooms import Room
    from sipcc.rtp.srtp import Shield
    from sipcc.rtp.watch import Watch
    from sipcc.rtp.webrtc import BrowserLeg

_unpack = HEADER.unpack_from
_pack = HEADER.pack
NOWHERE: Address = ("", 0)
NEVER = float("-inf")
MAX_ARRIVALS = 256
"""Packets whose counting may be put off; chores do it once a second, so this is for floods."""


class Owner(Protocol):
    """What a session needs of its engine."""

    def emit(self, event: Event) -> None:
        """Tell what happened."""
        ...

    def wake(self, session: Session, at: float) -> None:
        """Look after `session` at `at`."""
        ...

    def settle(self, session: Session, *, now: float) -> None:
        """Decide anew which way packets of `session` go."""
        ...

    def began(self, session: Session) -> None:
        """The first packet came on `session`, or the first after a pause."""
        ...


class Session:
    """The state of one port. The engine sets the fields; the methods move packets."""

    __slots__ = (
        "_arrivals",
        "_send",
        "beside",
        "browser",
        "changed",
        "cname",
        "codec",
        "coding",
        "consent",
        "digits",
        "ear",
        "event_type",
        "gate",
        "guarded",
        "heard",
        "heard_at",
        "id",
        "irregular",
        "key_stamp",
        "keying",
        "keys",
        "last",
        "law",
        "line",
        "loading",
        "malformed",
        "measure",
        "muxed",
        "noise_type",
        "number",
        "old_key",
        "owner",
        "packet_samples",
        "params",
        "payload_type",
        "peer",
        "phase",
        "play_loop",
        "play_serial",
        "play_shared",
        "play_token",
        "player",
        "queueing",
        "received",
        "receiving",
        "recorder",
        "rejected",
        "relay",
        "renumbered",
        "report_heard_at",
        "reports",
        "room",
        "rtcp_handle",
        "rtp_handle",
        "running",
        "said",
        "sending",
        "sent",
        "shield",
        "since",
        "source",
        "sources",
        "strict_units",
        "tapped",
        "timed_out",
        "unexpected",
        "unsettled",
        "voice",
        "watch",
    )

    def __init__(
        self, port_id: str, handles: tuple[int, int], sockets: PacketSockets, line: OutgoingLine, owner: Owner
    ) -> None:
        self.id = port_id
        self.rtp_handle, self.rtcp_handle = handles
        self.number = 0
        self.cname = ""
        self.params: StreamParams | None = None
        self.codec: CodecName = "PCMU"
        self.coding: Coding = ("PCMU", SAMPLE_RATE_HZ)
        """The codec and the rate of its timestamps."""
        self.consent: ConsentTone | None = None
        """Set while this party and those who talk to it hear again and again that they are recorded."""
        self.law: Law | None = "PCMU"
        """The codec when it is one of G.711, whose frames are moved as bytes."""
        self.payload_type = -1
        self.event_type = self.noise_type = -1
        self.renumbered: dict[int, int] = {}
        """What we receive under our own numbers, by those, as the peer's numbers, under which we send it."""
        self.packet_samples = FRAME_SAMPLES
        """Samples per packet that we send."""
        self.measure: Callable[[bytes], int] = len
        """How long a payload of the codec lasts, in units of its RTP clock."""
        self.strict_units = 0
        """The length of the packets that a peer like this one takes; 0 when any will do."""
        self.irregular = 0
        """Not 0 while this party makes packets of other lengths, which are not relayed."""
        self.sending = False
        """True when the peer may be sent to, and there is an address for it."""
        self.receiving = False
        self.gate: SourceGate | None = None
        self.source: Address = NOWHERE
        """The accepted source, as the gate says; also where to send."""
        self.since = 0.0
        """When signalling last spoke of this port."""
        self.heard_at = NEVER
        """When RTP of the accepted source came last."""
        self.report_heard_at = NEVER
        self.timed_out = False
        self.unexpected = 0
        self.malformed = 0
        self.received = ReceiveStats()
        self.sent = SendStats()
        self.line = line
        self.keys = DigitReceiver()
        self.digits: DigitSender | KeySounder = DigitSender()
        self.keying = KeyState()
        self.key_stamp = -1
        """RTP timestamp of the last key that came: all packets of one press have the same."""
        self.old_key = -1
        """That of the last key before the present bridge, which was not meant for the peer."""
        self.ear = Ear()
        self.queueing = False
        """True while the 20 ms clock takes our frames, for the peer to hear."""
        self.said: bytes | Pcm | None = None
        """This party's frame in the tick that is being done; bytes are in its own law."""
        self.heard: bytes | Pcm | None = None
        """What it hears of others in this tick."""
        self.room: Room | None = None
        self.sources: tuple[Session, ...] = ()
        """Whom this party hears."""
        self.peer: Session | None = None
        """The other party of a conversation of two; the session itself for an echo."""
        self.tapped = False
        """True while what it says and hears is told, frame by frame."""
        self.changed = False
        """True when it hears others than before, from the next packet on."""
        self.last = b""
        """The audio that was sent last."""
        self.voice: Voice | None = None
        """Codes and cuts what it hears; None until signalling has spoken."""
        self.guarded = False
        """True when packets must be protected, whether or not there are keys yet."""
        self.shield: Shield | None = None
        self.browser: BrowserLeg | None = None
        self.muxed = False
        """True when RTCP goes by the RTP port."""
        self.rejected = 0
        """Packets that the shield did not open."""
        self.relay: RelayMap | None = None
        """Set while packets go straight to the peer."""
        self.player: Player | StreamPlayer | None = None
        self.play_token = 0
        self.play_serial = 0
        """Counts the plays, so that clips which were read too late are told from those that are awaited."""
        self.play_loop = False
        self.play_shared = False
        self.loading = False
        """True while the clips of a play are being read."""
        self.recorder: Recorder | None = None
        self.phase = 0
        self.unsettled = False
        """True when the engine must decide anew which way packets go."""
        self.reports: Reports
        self.watch: Watch
        self.running = False
        """True while audio comes, but for pauses of less than two seconds, and somebody wants to know."""
        self.beside: list[RawSession] = []
        """Raw ports of the same party."""
        self._arrivals: list[tuple[tuple[int, int, int, int, int], int, float]] = []
        self.owner = owner
        self._send = sockets.send

    @property
    def occupied(self) -> bool:
        """True while it hears a prompt or sends keys, and therefore nobody."""
        return self.player is not None or self.loading or self.digits.busy

    @property
    def frame_units(self) -> int:
        """How far our RTP timestamp moves in 20 ms."""
        voice = self.voice
        return voice.units * FRAME_SAMPLES // voice.samples if voice is not None else FRAME_SAMPLES

    @property
    def hears_by_relay(self) -> bool:
        """True while packets of the peer reach this party past the clock."""
        return self.peer is not None and self.peer.relay is not None

    def speaks_like(self, other: Session) -> bool:
        """True when packets of this party are just what `other` expects."""
        mine, theirs = self.params, other.params
        return (
            mine is not None
            and theirs is not None
            and (mine.codec, mine.clock_rate_hz, mine.ptime_ms)
            == (theirs.codec, theirs.clock_rate_hz, theirs.ptime_ms)
            and not self.irregular
        )

    @property
    def held(self) -> bool:
        """True when signalling has silenced one of the directions."""
        return self.params is not None and not (self.params.send and self.params.receive)

    @property
    def last_life(self) -> float:
        """When the peer last showed that it is there, be it by video or fax."""
        raw = (port.heard_at for port in self.beside)
        checked_at = self.browser.checked_at if self.browser is not None else NEVER
        return max(self.heard_at, self.report_heard_at, self.since, checked_at, *raw)

    def count_arrivals(self) -> None:
        """Do the sums of RFC 3550 for the packets that came since the last call.

        They are done in batches: a packet touches one list then, in place of a dozen objects that the
        kernel's work has pushed out of the cache since the packet before.
        """
        arrivals, self._arrivals = self._arrivals, []
        receive = self.received.receive
        audio = self.payload_type
        for (_, second, sequence, timestamp, ssrc), size, now in arrivals:
            receive(ssrc, sequence, timestamp, size, now=now, sampled=second & 0x7F == audio)

    def stats(self) -> RtpStats:
        """The figures as they stand."""
        self.count_arrivals()
        strange = self.browser.malformed if self.browser is not None else 0
        return summarize(
            self.received,
            self.sent,
            foreign_packets=self.foreign,
            malformed_packets=self.malformed + self.keys.malformed + strange,
            srtp_rejected=self.rejected,
            send_rate_hz=self.params.clock_rate_hz if self.params is not None else 8000,
            alarms=self.watch.raised,
            playout=self.ear.playout(),
        )

    @property
    def foreign(self) -> int:
        """Packets that were not believed."""
        unproven = self.browser.foreign if self.browser is not None else 0
        return self.unexpected + unproven + (self.gate.foreign if self.gate is not None else 0)

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
        arrivals.append((header, end - start, now))
        if len(arrivals) >= MAX_ARRIVALS:
            self.count_arrivals()
        if payload_type != self.payload_type:
            receive_other(self, payload_type, data[start:end], ssrc, sequence, timestamp, now)
            return
        payload = data[start:end]
        if self.recorder is not None and self.receiving and not self.keying.covered:
            self.recorder.said(payload, self.coding, now=now, timestamp=timestamp)
        if self.relay is not None:
            units = self.measure(payload)
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
            sent.bytes += end - start
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
        if isinstance(frame, bytes) and self.packet_samples == FRAME_SAMPLES and self.law is not None:
            self._send_audio(frame, FRAME_SAMPLES, at)
            return
        for payload in voice.push(frame):
            self._send_audio(payload, voice.units, at)

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
        line.follow(at)
        sequence, timestamp, gap = line.place(units)
        if self.changed:
            payload = self.join(payload, after_gap=gap)
        self.last = payload
        payload_type = self.payload_type | MARKER if gap else self.payload_type
        self.transmit(_pack(PLAIN, payload_type, sequence, timestamp, line.ssrc) + payload, len(payload))
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
        said, hears = (samples_of(frame, self.law) for frame in (self.said, heard))
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
