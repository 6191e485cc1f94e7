"""The 20 ms tick of anchored legs: one frame in from each, one packet out to each.

All legs of one phase go through here together, those of one room always in the same phase, in two passes:
first what everybody said, then what everybody hears. A prompt comes coded in the leg's own law and another
law is one `bytes.translate` away; samples are touched only for who hears more than one, or has another codec.

A program that speaks with a party answers what it heard a few milliseconds before. Such a leg is sent its
answer `ANSWER_MS` after it was heard, and not in the next 20 ms; its tick is moved to where its packets come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law
from sipcc.rtp.frame import FRAME_MS, FRAME_S, FRAME_SAMPLES
from sipcc.rtp.keys import Listener, send_next
from sipcc.rtp.rooms import Room, mix
from sipcc.rtp.session import Session
from sipcc.rtp.streaming import StreamPlayer

ANSWER_MS = 10
"""So long after the tick in which a tapped leg was heard the stream that plays to it is sent."""
RESERVE_S = 0.005
"""Its ear waits so much longer than is needed; with more it is looked at earlier in the 20 ms."""
MAX_CATCH_UP_S = 0.2
"""A clock that is later than this leaves frames out; timestamps then jump as after any gap."""


class FrameClock:
    """Gives each leg one of the phases of 20 ms, and does its frame when that is due.

    Only legs that are `activate`d cost anything; a relayed or silent one has a phase but no tick.
    """

    def __init__(self, clock_ms: int, on_crash: Callable[[Exception], None]) -> None:
        """`on_crash` is told of a frame that made us raise."""
        self._on_crash = on_crash
        self._marred: set[int] = set()
        """Phases in which that has happened: their rooms are done one by one, for the sake of the others."""
        self._period = clock_ms / 1000
        count = FRAME_MS // clock_ms
        self._active: list[dict[str, Session]] = [{} for _ in range(count)]
        self._answers: list[list[tuple[Session, float]]] = [[] for _ in range(count)]
        """Legs that are still to be sent what they hear, by phase, and the place in time of their tick."""
        self._lag = ANSWER_MS // clock_ms % count
        self._crowd = [0] * count
        self._origin = 0.0
        self._ticks = 0
        self.active = 0
        """Legs that tick."""
        self.listener = Listener()
        """Hears keys in the audio of legs."""

    def assign(self, session: Session) -> None:
        """Give a new leg the phase that the fewest have."""
        session.phase = self._crowd.index(min(self._crowd))
        self._crowd[session.phase] += 1

    def release(self, session: Session) -> None:
        """Forget a leg."""
        self.activate(session, False, now=0.0)
        self._crowd[session.phase] -= 1

    def align(self, session: Session, other: Session) -> None:
        """Move a leg to the phase of `other`, so that what one says the other hears in the same tick."""
        if session.phase == other.phase:
            return
        ticking = self._active[session.phase].pop(session.id, None)
        self._crowd[session.phase] -= 1
        session.phase = other.phase
        self._crowd[session.phase] += 1
        if ticking is not None:
            self._active[session.phase][session.id] = session

    def activate(self, session: Session, ticking: bool, *, now: float) -> None:
        """Let a leg tick, or not."""
        group = self._active[session.phase]
        if ticking and session.id not in group:
            if not self.active:
                self._skip_to(now)
            group[session.id] = session
            self.active += 1
        elif not ticking and group.pop(session.id, None) is not None:
            self.active -= 1
            if not self.active:
                for answers in self._answers:
                    answers.clear()

    @property
    def deadline(self) -> float | None:
        """When the next frame of any leg is due; None while none ticks."""
        if not self.active:
            return None
        count = len(self._active)
        for ahead in range(count):
            phase = (self._ticks + ahead) % count
            if self._active[phase] or self._answers[phase]:
                return self._origin + (self._ticks + ahead) * self._period
        return None

    def run(self, *, now: float, settle: Callable[[Session, float], None]) -> None:
        """Do all frames that are due; `settle` is called for each leg that needs another way after one."""
        if not self.active:
            return
        if now - self._origin - self._ticks * self._period > MAX_CATCH_UP_S:
            self._skip_to(now)
        count = len(self._active)
        while (at := self._origin + self._ticks * self._period) <= now:
            phase = self._ticks % count
            group = self._active[phase]
            self._ticks += 1
            if self._answers[phase]:
                self._answer(phase, now, settle)
            if group:
                later = self._answers[(phase + self._lag) % count] if self._lag else None
                sessions = list(group.values())
                for part in _by_room(sessions) if phase in self._marred else (sessions,):
                    try:
                        for session in run_frames(part, at=at, listener=self.listener, later=later):
                            settle(session, now)
                        if later:
                            self._hasten(later)
                    except Exception as crash:
                        self._marred.add(phase)
                        self._on_crash(crash)

    def _hasten(self, answers: Sequence[tuple[Session, float]]) -> None:
        """Give legs an earlier phase whose ears wait longer than they need to."""
        count = len(self._active)
        for session, _ in answers:
            steps = int((session.ear.spare_s - RESERVE_S) / self._period)
            if session.room is None and 0 < steps < count and session.id in self._active[session.phase]:
                del self._active[session.phase][session.id]
                self._crowd[session.phase] -= 1
                session.phase = (session.phase - steps) % count
                self._crowd[session.phase] += 1
                self._active[session.phase][session.id] = session

    def _answer(self, phase: int, now: float, settle: Callable[[Session, float], None]) -> None:
        """Send the legs of a phase what they hear, that were heard a little before."""
        answers, self._answers[phase] = self._answers[phase], []
        for session, at in answers:
            if session.id not in self._active[session.phase]:
                continue
            try:
                session.heard, packet = _plays(session, at)
                _send(session, session.heard, packet, at)
                if session.unsettled:
                    settle(session, now)
            except Exception as crash:
                self._on_crash(crash)

    def _skip_to(self, now: float) -> None:
        """Leave out whole rounds, so that each leg keeps its phase on the grid."""
        rounds = int((now - self._origin - self._ticks * self._period) / FRAME_S)
        if rounds > 0:
            self._ticks += rounds * len(self._active)


def _by_room(sessions: Sequence[Session]) -> list[list[Session]]:
    """The same legs, those of one room together."""
    parts: dict[object, list[Session]] = {}
    for session in sessions:
        parts.setdefault(session.id if session.room is None else id(session.room), []).append(session)
    return list(parts.values())


def run_frames(
    sessions: Sequence[Session],
    *,
    at: float,
    listener: Listener,
    later: list[tuple[Session, float]] | None = None,
) -> list[Session]:
    """Do one tick, due at `at`, for sessions of one phase; returns those that need another way now.

    Those who are to hear a little `later`, if there is such a thing, are put there.
    """
    rooms: dict[int, Room] = {}
    listened: list[Session] = []
    others: list[Session] = []
    for session in sessions:
        session.said = session.ear.take(now=at) if session.queueing else None
        if session.keying.slot >= 0:
            listened.append(session)
        if not session.plain:
            others.append(session)
            if len(session.sources) > 1 and session.room is not None:
                rooms[id(session.room)] = session.room
    if listened:
        listener.hear(listened, at=at)
    for session in others:
        if session.consent is not None:
            session.said = session.consent.mix(session.said, session.law, at=at)
    if rooms:
        mix(rooms.values())
    for session in sessions:
        if not session.plain:
            if later is not None and session.tapped and isinstance(session.player, StreamPlayer):
                session.tell_tap(session.heard)  # what it was sent last
                later.append((session, at))
            else:
                _let_hear(session, at)
        elif (source := session.speaker) is not None and (said := source.said) is not None:
            if isinstance(said, bytes) and source.law is not None and source.law != session.law:
                said = _turn(said, source.law, session.law)
            session.send_frame(said, at)
    return [session for session in sessions if session.unsettled]


def _let_hear(session: Session, at: float) -> None:
    """Send what a leg hears now: others, a prompt, a key."""
    if len(session.sources) <= 1:
        session.heard = _overhear(session)
    frame, packet = _plays(session, at)
    if session.tapped:
        session.tell_tap(frame)
    _send(session, frame, packet, at)


def _plays(session: Session, at: float) -> tuple[bytes | Pcm | None, bytes | None]:
    """What a leg is to hear now, and the same as a packet if there is one that is ready."""
    frame, packet = session.heard, None
    if session.player is not None:  # it waits for keys, and does not begin in the middle
        frame, packet = _pull(session, at) if session.keyed else (None, None)
    if session.consent is not None:
        frame = session.consent.mix(frame, session.law, at=at)
    return frame, packet


def _send(session: Session, frame: bytes | Pcm | None, packet: bytes | None, at: float) -> None:
    if session.digits.busy and send_next(session, at):
        return  # a prompt goes on under the key, unheard
    if packet is not None:
        session.send_packet(packet, at)
    elif frame is not None and not session.hears_by_relay:
        session.send_frame(frame, at)


def _pull(session: Session, at: float) -> tuple[bytes | Pcm | None, bytes | None]:
    """What plays now: a frame, and the same as a packet that is ready for this leg, if there is one."""
    player = session.player
    assert player is not None
    frame = player.pull(now=at)
    if frame is None or player.turned:
        session.unsettled = True
    fits = player.coding == session.coding and session.packet_samples == FRAME_SAMPLES
    packet = player.packet if fits and session.consent is None else None
    if isinstance(frame, bytes) and (packet is None or session.tapped):
        frame = _turn(frame, player.law, session.law)
    return frame, packet


def _turn(frame: bytes, law: Law, wanted: Law | None) -> bytes | Pcm:
    """A frame of one law in the other, or as samples."""
    if wanted is None:
        return g711.decode(frame, law)
    return frame if law == wanted else frame.translate(g711.TRANSLATION[law, wanted])


def _overhear(session: Session) -> bytes | Pcm | None:
    """What the only one whom it hears says now; bytes are in the law of this leg."""
    if not session.sources:
        return None
    source = session.sources[0]
    said = source.said
    if isinstance(said, bytes) and source.law is not None:
        return _turn(said, source.law, session.law)
    return said
