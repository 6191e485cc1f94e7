"""The verbs of ports, executed: who hears whom, by which way, and what plays.

After every change one function, `settle`, decides anew for a leg and for all who share a room with it. A
packet is relayed when its party is all that one other leg hears, and both agree on codec, clock and packet
time; it is queued for the 20 ms clock when somebody needs frames of it; and it is dropped while the leg that
would hear it hears a prompt or sends keys. The two directions of a bridge are decided apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache, partial

from sipcc.rtp import keys, wire
from sipcc.rtp.codec.base import units_of
from sipcc.rtp.files import ClipStore
from sipcc.rtp.flow import Role, StreamParams
from sipcc.rtp.frame import FRAME_SAMPLES, law_of
from sipcc.rtp.latch import SourceGate
from sipcc.rtp.line import RelayMap
from sipcc.rtp.plays import Plays
from sipcc.rtp.recorder import RecordingWriter
from sipcc.rtp.rooms import Member, Room
from sipcc.rtp.session import Session
from sipcc.rtp.settings import MediaSettings
from sipcc.rtp.tapings import Tapings
from sipcc.rtp.tick import FrameClock
from sipcc.rtp.vad import VoiceOnset
from sipcc.rtp.voice import Voice
from sipcc.rtp.webrtc import ProvedGate, denied_by, tie


@lru_cache(maxsize=4096)
def can_send_to(host: str, port: int) -> bool:
    """True for an address that audio can go to: no name, no ``0.0.0.0`` of an old-style hold, no port 0."""
    try:
        return port > 0 and not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


class Control:
    """Executes commands on the sessions of one engine."""

    def __init__(
        self,
        settings: MediaSettings,
        sessions: dict[str, Session],
        frames: FrameClock,
        clips: ClipStore,
        writer: RecordingWriter,
        emit: Callable[[wire.Event], None],
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._frames = frames
        self._rooms: dict[str, Room] = {}
        self._complexity = settings.opus_complexity
        self.plays = Plays(clips, emit, codec=settings.law)
        self.tapings = Tapings(writer)
        self._denied = denied_by(frozenset({settings.address, settings.public_host}), settings.ports)

    def execute(self, session: Session, command: wire.Command, *, now: float) -> None:
        """Do one verb."""
        match command:
            case wire.Configure():
                self._configure(session, command.params, now)
            case (
                wire.Play()
                | wire.StopPlaying()
                | wire.PausePlaying()
                | wire.SeekPlaying()
                | wire.Feed()
                | wire.MarkPlaying()
                | wire.ClearPlaying()
            ):
                self._play(session, command, now)
            case wire.Bridge():
                self._bridge(session, command.other, now)
            case wire.Unbridge():
                self.leave(session, now)
            case wire.Join():
                self._join(session, command, now)
            case wire.Supervise():
                self._supervise(session, command.other, command.role, now)
            case wire.Mute():
                if session.room is not None:
                    session.room.members[session.id].muted = command.muted
            case wire.Echo():
                self.leave(session, now)
                session.peer = session
            case wire.ListenVoice():
                session.onset = VoiceOnset() if command.on else None
            case wire.Tap():
                session.tapped, session.tap_coded = command.on, command.coded
            case wire.Record():
                self.tapings.record(session, command.path, now)
            case wire.StopRecording():
                self.tapings.end(session, "stopped", now)
            case wire.PauseRecording():
                self.tapings.pause(session, command, now)
            case wire.SetConsentTone():
                self.tapings.consent_tone(session, command.period_s, now)
            case wire.SendDigits():
                keys.send(session, command.digits, duration_ms=command.duration_ms, gap_ms=command.gap_ms)
            case wire.SecureKeys():
                keys.secure(session, command.on)
            case wire.Close():  # the engine's own matter
                raise AssertionError(command)
        self.settle(session, now)

    def _play(self, session: Session, command: wire.Command, now: float) -> None:
        match command:
            case wire.Play():
                self.plays.play(session, command, now)
            case wire.StopPlaying():
                self.plays.end(session, "stopped")
            case wire.PausePlaying():
                self.plays.pause(session, command.paused)
            case wire.SeekPlaying():
                self.plays.seek(session, command.position_ms)
            case wire.Feed():
                self.plays.feed(session, command)
            case wire.MarkPlaying():
                self.plays.mark(session, command)
            case wire.ClearPlaying():
                self.plays.clear(session, command)

    # -- addresses and ways -------------------------------------------------------------------------------

    def _configure(self, session: Session, params: StreamParams, now: float) -> None:
        expected = (params.remote_host, params.remote_port)
        session.renumbered = _renumbered(params)
        types = {
            params.payload_type,
            params.event_payload_type,
            params.noise_payload_type,
            *session.renumbered,
        }
        negotiated = frozenset(kind for kind in types if kind is not None)
        if session.gate is None:
            session.gate = (
                SourceGate(expected, now=now, payload_types=negotiated)
                if params.browser is None
                else ProvedGate(now=now)
            )
        else:
            session.gate.heard_at = session.heard_at
            held = not (params.send and params.receive)
            session.gate.reopen(expected, now=now, payload_types=negotiated, held=held)
        session.count_arrivals()  # by the old payload type
        before = session.params
        if before is not None and not before.receive and params.receive:
            session.ear.clear()  # nobody wants to hear the seconds before the hold
        session.params = params
        session.codec = params.codec
        session.coding = (params.codec, params.clock_rate_hz)
        session.law = law_of(params.codec)
        session.payload_type = params.payload_type
        session.noise_type = -1 if params.noise_payload_type is None else params.noise_payload_type
        session.ear.configure(params.codec, params.clock_rate_hz)
        session.line.retune(params.clock_rate_hz)
        session.measure = len if session.law is not None else partial(units_of, *session.coding)
        keys.configure(session, params)
        if before is None or _coding(before) != _coding(params):
            voice = Voice(
                params.codec,
                params.clock_rate_hz,
                fmtp=params.fmtp,
                ptime_ms=params.ptime_ms,
                complexity=self._complexity,
            )
            if session.voice is not None:
                voice.carry_on(session.voice)
            session.voice = voice
            session.irregular = 0
        session.packet_samples = session.voice.samples if session.voice is not None else FRAME_SAMPLES
        can_be_cut = params.codec in {"PCMU", "PCMA", "G722", "L16"}
        session.strict_units = session.voice.units if session.voice is not None and can_be_cut else 0
        _guard(session, params)
        session.muxed = params.rtcp_mux
        if params.browser is not None:
            tie(session, params.browser, denied=self._denied, now=now)
        session.received.configure(params.codec, params.clock_rate_hz)
        session.reports.ptime_ms = params.ptime_ms
        session.receiving = params.receive
        self.plays.recode(session, now)
        session.since = now
        session.timed_out = False

    def settle(self, session: Session, now: float) -> None:
        """Decide anew which way packets of a leg, and of all in its room, go."""
        self.plays.tend(session)
        legs = list(session.room) if session.room is not None else [session]
        for leg in legs:
            self._readdress(leg)
            before = leg.sources
            if leg.room is not None:
                leg.sources = leg.room.sources(leg)
                leg.peer = leg.room.partner(leg)
            else:
                leg.sources = (leg,) if leg.peer is leg else ()
            leg.changed = leg.changed or leg.sources != before
        for leg in legs:
            self._frames.listener.attend(leg, now)
            self._choose_way(leg)
        for leg in legs:
            playing = (leg.player is not None or leg.digits.busy) and leg.keyed
            ticking = playing or leg.queueing or any(source.queueing for source in leg.sources)
            if not ticking:
                leg.forget_pending()
            leg.choose_pace()
            self._frames.activate(leg, ticking, now=now)

    def _readdress(self, session: Session) -> None:
        """Follow the gate: where to send, and whether at all."""
        session.unsettled = False
        params, gate = session.params, session.gate
        if params is None or gate is None:
            return
        session.source = gate.source
        session.sending = params.send and session.keyed and can_send_to(*gate.source)
        reports = session.reports
        if session.muxed:
            reports.target = gate.source if can_send_to(*gate.source) else None
        elif gate.rtcp_source is not None:
            reports.target = gate.rtcp_source
        elif can_send_to(gate.source[0], params.remote_rtcp_port):
            host = gate.source[0] if gate.latched else params.remote_host
            reports.target = (host, params.remote_rtcp_port)
        else:
            reports.target = None

    @staticmethod
    def _choose_way(leg: Session) -> None:
        """How packets of `leg` go: to its peer at once, or to the clock, or both, or nowhere."""
        peer = leg.peer
        relayed = (
            peer is not None
            and peer.sources == (leg,)
            and leg.receiving
            and peer.sending
            and not peer.occupied
            and leg.speaks_like(peer)
            and leg.keying.line is None
            and leg.consent is peer.consent is None
        )
        if relayed and peer is not None:
            if leg.relay is None or leg.relay.line is not peer.line:
                leg.relay = RelayMap(peer.line)
        else:
            leg.relay = None
        hearers = [peer] if leg.room is None else leg.room.hearers(leg)
        wanted = any(
            other is not None
            and (other.tapped or (other.sending and not other.occupied and not (relayed and other is peer)))
            for other in hearers
        )
        queueing = leg.receiving and (wanted or leg.tapped or leg.keying.slot >= 0)
        if queueing != leg.queueing:
            leg.ear.clear()
        leg.queueing = queueing

    # -- rooms --------------------------------------------------------------------------------------------

    def _bridge(self, session: Session, other_id: str, now: float) -> None:
        other = self._sessions.get(other_id)
        if other is None or other is session:
            return
        if session.room is not None and session.room is other.room and session.peer is other:
            return
        room = _supervised(session, other) or _supervised(other, session) or Room()
        for talker in room.talkers():
            if talker is not session and talker is not other:
                self.leave(talker, now)
        for leg in (session, other):
            if leg.room is not room:
                self.leave(leg, now)
            self._enter(room, leg, "talk", None)
        session.old_key, other.old_key = session.key_stamp, other.key_stamp

    def _join(self, session: Session, command: wire.Join, now: float) -> None:
        room = self._rooms.get(command.room)
        if room is None:
            room = self._rooms[command.room] = Room(command.room)
        coached = self._sessions.get(command.coached)
        if session.room is not room:
            self.leave(session, now)
        self._enter(room, session, command.role, coached)

    def _supervise(self, session: Session, other_id: str, role: Role, now: float) -> None:
        other = self._sessions.get(other_id)
        if other is None or other is session:
            return
        if session.room is None or session.room is not other.room:
            self.leave(session, now)
        room = other.room
        if room is None:
            room = Room()
            self.leave(other, now)
            self._enter(room, other, "talk", None)
        self._enter(room, session, role, other)

    def _enter(self, room: Room, session: Session, role: Role, coached: Session | None) -> None:
        """Let a leg into a room, or change its role there."""
        member = room.members.get(session.id)
        if member is not None:
            member.role, member.coached = role, coached
            return
        for other in room:
            self._frames.align(session, other)
            break
        room.members[session.id] = Member(session, role, coached)
        session.room = room

    def leave(self, session: Session, now: float) -> None:
        """Take a leg out of its room, or end its echo; who is left alone is in no room either."""
        room = session.room
        keys.let_go(session)
        session.room = session.peer = None
        session.sources = ()
        if room is not None:
            del room.members[session.id]
            for member in room.members.values():
                if member.coached is session:
                    member.coached = None
                    member.role = "listen" if member.role == "whisper" else member.role
            left = list(room)
            if len(left) == 1 and not room.name:
                self.leave(left[0], now)
            elif left:
                self.settle(left[0], now)
            elif self._rooms.get(room.name) is room:
                del self._rooms[room.name]
        self.settle(session, now)


def _guard(session: Session, params: StreamParams) -> None:
    """Take the keys of signalling; those of a browser come by its own path."""
    session.guarded = params.srtp is not None or params.browser is not None
    if params.srtp is None:
        session.shield = session.shield if params.browser is not None else None
    elif session.shield is None:
        from sipcc.rtp.srtp import Shield  # libsrtp takes 20 ms to load, and most switches have no use for it

        session.shield = Shield(params.srtp)
    else:
        session.shield.rekey(params.srtp)
    if session.shield is not None:
        session.shield.mark(session.line.next_sequence)


def _renumbered(params: StreamParams) -> dict[int, int]:
    """The peer's payload types by ours, where they differ."""
    audio, events = params.receive_payload_type, params.receive_event_payload_type
    numbers = {} if audio is None else {audio: params.payload_type}
    if events is not None and params.event_payload_type is not None:
        numbers[events] = params.event_payload_type
    return numbers


def _coding(params: StreamParams) -> tuple[object, ...]:
    """What an encoder depends on."""
    return params.codec, params.clock_rate_hz, params.fmtp, params.ptime_ms


def _supervised(session: Session, other: Session) -> Room | None:
    """The room of a conversation that others listen to: it outlives that, and they hear the next one too.

    No conference, whose listeners came for all of it, and none where `session` is one of the listeners.
    """
    room = session.room
    if room is None or room.name or room.members[session.id].role != "talk":
        return None
    listened = any(member.role != "talk" and member.session is not other for member in room.members.values())
    return room if listened else None
