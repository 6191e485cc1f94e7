"""The state of one port, and its figures: what `sipcc.rtp.session` moves packets by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sipcc.rtp.consent import ConsentTone
from sipcc.rtp.dtmf import DigitReceiver, DigitSender
from sipcc.rtp.ear import Ear
from sipcc.rtp.flow import CodecName, Law, PacketSockets, RtpStats, StreamParams
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, Coding
from sipcc.rtp.keys import KeyState
from sipcc.rtp.latch import Address, SourceGate
from sipcc.rtp.line import OutgoingLine, RelayMap
from sipcc.rtp.player import Player
from sipcc.rtp.recorder import Recorder
from sipcc.rtp.reports import Reports
from sipcc.rtp.stats import Arrived, ReceiveStats, SendStats, summarize
from sipcc.rtp.streaming import StreamPlayer
from sipcc.rtp.vad import VoiceOnset
from sipcc.rtp.voice import Voice
from sipcc.rtp.wire import Event

if TYPE_CHECKING:
    from sipcc.rtp.codec.g711 import Pcm
    from sipcc.rtp.keytones import KeySounder
    from sipcc.rtp.passthrough import RawSession
    from sipcc.rtp.rooms import Room
    from sipcc.rtp.session import Session
    from sipcc.rtp.srtp import Shield
    from sipcc.rtp.watch import Watch
    from sipcc.rtp.webrtc import BrowserLeg

NOWHERE: Address = ("", 0)
NEVER = float("-inf")


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


class PortState:
    """The fields of one port, which the engine sets, and what can be told from them."""

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
        "onset",
        "overflows",
        "owner",
        "packet_samples",
        "params",
        "payload_type",
        "peer",
        "phase",
        "plain",
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
        "speaker",
        "strict_units",
        "tap_coded",
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
        self.overflows = 0
        """Datagrams that the kernel dropped, because we did not take them in time."""
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
        self.onset: VoiceOnset | None = None
        """Set while it is wanted that somebody begins to speak."""
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
        self.plain = False
        """True when nothing is to be done for it in a tick but to pass on what `speaker` says."""
        self.speaker: Session | None = None
        """The only one whom a plain leg hears by the clock."""
        self.peer: Session | None = None
        """The other party of a conversation of two; the session itself for an echo."""
        self.tapped = False
        """True while what it says and hears is told, frame by frame."""
        self.tap_coded = False
        """True when G.711 is told as it is."""
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
        self._arrivals: list[Arrived] = []
        self.owner = owner
        self._send = sockets.send

    @property
    def occupied(self) -> bool:
        """True while it hears a prompt or sends keys, and therefore nobody."""
        return self.player is not None or self.loading or self.digits.busy

    @property
    def keyed(self) -> bool:
        """True when packets can leave as they must: in the clear, or with keys and a place to send to."""
        return not self.guarded or (self.shield is not None and not self.unsettled)

    @property
    def frame_units(self) -> int:
        """How far our RTP timestamp moves in 20 ms."""
        voice = self.voice
        return voice.units * FRAME_SAMPLES // voice.samples if voice is not None else FRAME_SAMPLES

    def choose_pace(self) -> None:
        """Look whether this leg is `plain`: after every change of what it hears or plays."""
        self.plain = not (
            len(self.sources) > 1
            or self.player is not None
            or self.consent is not None
            or self.tapped
            or self.digits.busy
        )
        self.speaker = self.sources[0] if self.sources and not self.hears_by_relay else None

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
        self.received.receive_all(arrivals, self.payload_type)

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
