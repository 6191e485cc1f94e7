"""The verbs of ports, executed: who hears whom, by which way, and what plays.

After every change one function, `settle`, decides anew for a leg and its peer. A packet is relayed when
both legs agree on codec and packet time and the peer hears nothing else; it is queued for the 20 ms clock
when they do not agree; and it is dropped while the peer hears a prompt or sends keys. The two directions
of a bridge are decided apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import msgspec

from sipcc.rtp import wire
from sipcc.rtp.anchored import FrameClock
from sipcc.rtp.files import Clip, ClipStore
from sipcc.rtp.flow import Law, PlayEnded, PlayItem, PromptMissing, StreamParams
from sipcc.rtp.frame import law_of
from sipcc.rtp.latch import SourceGate
from sipcc.rtp.line import RelayMap
from sipcc.rtp.player import Player
from sipcc.rtp.recorder import Recorder, RecordingWriter
from sipcc.rtp.session import Session
from sipcc.rtp.settings import MediaSettings
from sipcc.rtp.taping import PATIENCE_S, Taping


class Want(msgspec.Struct, frozen=True):
    """Clips that a play waits for."""

    port: str
    serial: int
    items: tuple[PlayItem, ...]
    codec: Law


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
        self._clips = clips
        self._writer = writer
        self._emit = emit
        self._tapings: dict[str, Taping] = {}
        self.wants: list[Want] = []
        """Clips to be read for plays, to be taken by the shell."""
        self.endings: list[Taping] = []
        """Recordings that were told to stop and whose files are not known to be complete."""

    def execute(self, session: Session, command: wire.Command, *, now: float) -> None:
        """Do one verb."""
        match command:
            case wire.Configure():
                self._configure(session, command.params, now)
            case wire.Play():
                self._play(session, command, now)
            case wire.StopPlaying():
                self.end_play(session, "stopped")
                self.settle(session, now)
            case wire.Bridge():
                self._bridge(session, command.other, now)
            case wire.Unbridge():
                self.unbridge(session, now)
            case wire.Echo():
                self.unbridge(session, now)
                session.peer = session
                self.settle(session, now)
            case wire.Record():
                self._record(session, command.path, now)
            case wire.StopRecording():
                self.end_recording(session, "stopped", now)
            case wire.SendDigits():
                session.digits.send(command.digits, duration_ms=command.duration_ms, gap_ms=command.gap_ms)
                self.settle(session, now)
            case wire.Close():  # the engine's own matter
                raise AssertionError(command)

    # -- addresses and ways -------------------------------------------------------------------------------

    def _configure(self, session: Session, params: StreamParams, now: float) -> None:
        expected = (params.remote_host, params.remote_port)
        types = {params.payload_type, params.event_payload_type}
        negotiated = frozenset(kind for kind in types if kind is not None)
        if session.gate is None:
            session.gate = SourceGate(expected, now=now, payload_types=negotiated)
        else:
            session.gate.heard_at = session.heard_at
            session.gate.reopen(expected, now=now, payload_types=negotiated)
        session.count_arrivals()  # by the old payload type
        if session.params is not None and not session.params.receive and params.receive:
            session.frames.clear()  # nobody wants to hear the seconds before the hold
        session.params = params
        session.codec = params.codec
        session.law = law_of(params.codec)
        session.payload_type = params.payload_type
        session.event_type = -1 if params.event_payload_type is None else params.event_payload_type
        session.packet_samples = params.ptime_ms * 8
        session.receiving = params.receive
        session.since = now
        session.timed_out = False
        self.settle(session, now)

    def settle(self, session: Session, now: float) -> None:
        """Decide anew which way packets of a leg and of its peer go."""
        player = session.player
        if player is not None and player.done:
            self.end_play(session, "done")
        self._readdress(session)
        peer = session.peer
        pair = [session]
        if peer is not None and peer is not session:
            self._readdress(peer)
            pair.append(peer)
        for leg in pair:
            self._choose_way(leg)
        for leg in pair:
            hears = leg.peer is not None and leg.peer.queueing
            playing = leg.player is not None or leg.digits.busy
            ticking = playing or leg.queueing or hears
            if not ticking:
                leg.forget_pending()
            self._frames.activate(leg, ticking, now=now)

    def _readdress(self, session: Session) -> None:
        """Follow the gate: where to send, and whether at all."""
        session.unsettled = False
        params, gate = session.params, session.gate
        if params is None or gate is None:
            return
        session.source = gate.source
        session.sending = params.send and can_send_to(*gate.source)
        reports = session.reports
        if gate.rtcp_source is not None:
            reports.target = gate.rtcp_source
        elif can_send_to(gate.source[0], params.remote_rtcp_port):
            host = gate.source[0] if gate.latched else params.remote_host
            reports.target = (host, params.remote_rtcp_port)
        else:
            reports.target = None

    @staticmethod
    def _choose_way(leg: Session) -> None:
        peer = leg.peer
        audible = (
            peer is not None
            and leg.receiving
            and peer.sending
            and peer.player is None
            and not peer.loading
            and not peer.digits.busy
        )
        alike = peer is not None and leg.codec == peer.codec and leg.packet_samples == peer.packet_samples
        if audible and alike and peer is not None:
            if leg.relay is None or leg.relay.line is not peer.line:
                leg.relay = RelayMap(peer.line)
        else:
            leg.relay = None
        queueing = audible and not alike
        if queueing and not leg.queueing:
            leg.frames.clear()
        leg.queueing = queueing

    def _bridge(self, session: Session, other_id: str, now: float) -> None:
        other = self._sessions.get(other_id)
        if other is None:
            return
        self.unbridge(session, now)
        self.unbridge(other, now)
        session.peer, other.peer = other, session
        session.old_key, other.old_key = session.key_stamp, other.key_stamp
        self._frames.align(other, session)
        self.settle(session, now)

    def unbridge(self, session: Session, now: float) -> None:
        """Take a leg and its peer apart."""
        peer = session.peer
        session.peer = None
        self.settle(session, now)
        if peer is not None and peer is not session:
            peer.peer = None
            self.settle(peer, now)

    # -- playing ------------------------------------------------------------------------------------------

    def _play(self, session: Session, command: wire.Play, now: float) -> None:
        self.end_play(session, "replaced")
        codec = (session.law if session.params is not None else None) or self._settings.codecs[0]
        session.play_serial += 1
        session.play_token = command.token
        session.play_loop = command.loop
        session.play_shared = command.shared
        clips = [self._clips.get(item, codec, now=now) for item in command.items]
        ready = [clip for clip in clips if clip is not None]
        session.loading = True
        want = Want(session.id, session.play_serial, command.items, codec)
        if len(ready) == len(clips):
            self.supply(want, ready, now=now)
        else:
            self.wants.append(want)
            self.settle(session, now)

    def supply(self, want: Want, clips: list[Clip], *, now: float) -> None:
        """Hand in the clips of a want; late ones, whose play is over, are nothing."""
        session = self._sessions.get(want.port)
        if session is None or not session.loading or session.play_serial != want.serial:
            return
        session.loading = False
        for item, clip in zip(want.items, clips, strict=True):
            if clip.error:
                self._emit(PromptMissing(session.id, getattr(item, "path", ""), clip.error))
        session.player_codec = want.codec
        session.player = Player(
            [clip.payload for clip in clips],
            codec=want.codec,
            loop=session.play_loop,
            shared=session.play_shared,
            now=now,
        )
        self.settle(session, now)

    def end_play(self, session: Session, reason: Literal["done", "stopped", "replaced", "closed"]) -> None:
        """End what plays, if anything does; the caller settles."""
        player = session.player
        if player is None and not session.loading:
            return
        session.player = None
        session.loading = False
        played_ms = player.played_ms if player is not None else 0
        self._emit(PlayEnded(session.id, session.play_token, reason, played_ms))

    # -- recording ----------------------------------------------------------------------------------------

    def _record(self, session: Session, path: str, now: float) -> None:
        self.end_recording(session, "stopped", now)
        taping = self._tapings[session.id] = Taping(session.id, path)
        session.recorder = Recorder(path, self._writer, now=now, on_ended=taping.finish)

    def end_recording(self, session: Session, reason: str, now: float) -> Taping | None:
        """End the recording of a port, if there is one, and return it."""
        recorder, taping = session.recorder, self._tapings.pop(session.id, None)
        if recorder is None or taping is None:
            return None
        session.recorder = None
        recorder.stop(now=now, reason=reason)
        taping.give_up_at = now + PATIENCE_S
        self.endings.append(taping)
        return taping

    def tend_recording(self, session: Session, now: float) -> None:
        """Hand audio to the writer, and notice a recording that failed by itself."""
        recorder = session.recorder
        if recorder is None:
            return
        recorder.expire(now=now)
        if recorder.ended:
            self.end_recording(session, "stopped", now)
