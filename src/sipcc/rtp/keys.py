"""The keys of one leg: heard by one method, told, and played on in the way that the far side takes them.

A party's keys come as telephone events or as tones in its audio; one of the two is listened to, never both,
for many phones send both (rtpengine #1123). When the far side takes them in the other way, its audio is
held back by 40 ms and the tones in it are muted, so that they are not heard as a second key. While keys are
secret the same is done whatever the method, and nothing is played on: the far side and the recording hold
none of it, the application is told all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from sipcc.rtp.dtmf import FLASH_KEY, DigitSender, KeyBegan, KeyEnded, KeyEvent
from sipcc.rtp.events import DigitBegan, DigitEnded, FaxHeard
from sipcc.rtp.flow import StreamParams
from sipcc.rtp.formats import spec
from sipcc.rtp.frame import FRAME_SAMPLES, SILENCE_BYTE
from sipcc.rtp.inband import ToneBank, ToneBegan, ToneEvent
from sipcc.rtp.keytones import KeySounder
from sipcc.rtp.mask import DELAY_S, MaskLine
from sipcc.rtp.voice import decode_rows

if TYPE_CHECKING:
    from sipcc.rtp.codec.g711 import Pcm
    from sipcc.rtp.portstate import Owner
    from sipcc.rtp.session import Session

MAX_WAITING = 16
"""Keys that wait to be played on; no hand is so fast that more would."""


class KeyState:
    """How the keys of one leg are heard."""

    __slots__ = ("covered", "fax", "line", "method", "secure", "slot")

    def __init__(self) -> None:
        self.method: Literal["events", "inband", "off"] = "off"
        self.fax = False
        """True when fax tones are listened for."""
        self.secure = False
        """True while keys are secret."""
        self.covered = False
        """True while audio is not recorded but by way of `line`: as long as keys are secret, and a little
        longer, until the tone of the last one is over."""
        self.slot = -1
        """Its place in the bank of ears, while its audio is listened to."""
        self.line: MaskLine | None = None
        """Holds its audio back while keys are muted in it."""


# -- what signalling and control say ----------------------------------------------------------------------


def configure(session: Session, params: StreamParams) -> None:
    """Choose how keys are heard, and how they are sent, as was negotiated."""
    events = params.event_payload_type
    method = params.keys
    if method == "auto":
        method = "events" if events is not None else "inband"
    elif method == "events" and events is None:
        method = "off"
    session.keying.method = method
    session.keying.fax = params.fax_tones
    session.event_type = events if events is not None and method == "events" else -1
    session.keys.clock_rate_hz = params.event_clock_rate_hz
    if method != "inband":
        if not isinstance(session.digits, DigitSender):
            session.digits = DigitSender()
        session.digits.clock_rate_hz = params.event_clock_rate_hz
    elif not isinstance(session.digits, KeySounder):
        session.digits = KeySounder()


def send(session: Session, digits: str, *, duration_ms: int, gap_ms: int) -> None:
    """Send keys that the application asked for; nothing where the leg takes none."""
    if session.keying.method != "off":
        session.digits.send(digits, duration_ms=duration_ms, gap_ms=gap_ms)


def secure(session: Session, on: bool) -> None:
    """Keep the keys of a party to ourselves, or no more."""
    state = session.keying
    state.secure = on
    state.covered = on or (state.covered and state.line is not None)


def let_go(session: Session) -> None:
    """A leg and its peer part: a key that one of them holds down is over for the other."""
    session.digits.end(0)
    if session.peer is not None:
        session.peer.digits.end(0)


def masks(session: Session) -> bool:
    """True when what this party says must not be passed on as it came."""
    peer = session.peer
    if session.keying.covered:
        return True
    return (
        session.keying.method == "inband"
        and peer is not None
        and peer is not session
        and peer.keying.method != "inband"
        and spec(peer.codec).encodes  # what we cannot code can only pass as it is, tones and all
    )


# -- telephone events -------------------------------------------------------------------------------------


def receive_event(
    session: Session, payload: bytes, ssrc: int, sequence: int, timestamp: int, now: float
) -> None:
    """Take a telephone event: report it, and in a relay pass it on under the peer's payload type."""
    if not session.receiving:
        return
    session.key_stamp = timestamp
    flashes = session.keys.flashes
    events = session.keys.receive(ssrc, timestamp, payload, now=now)
    if events:
        report(session, events, now)
    relay, peer = session.relay, session.peer
    if session.keys.flashes != flashes and peer is not None and not _reach(session, peer):
        send(peer, FLASH_KEY, duration_ms=100, gap_ms=100)
        session.owner.settle(peer, now=now)
    if relay is None or peer is None:
        return
    if not _reach(session, peer) or timestamp == session.old_key or session.keying.secure:
        relay.skip(sequence)
        return
    session.relay_other(payload, peer.event_type, ssrc=ssrc, sequence=sequence, timestamp=timestamp, now=now)


def report(session: Session, events: Sequence[KeyEvent], now: float) -> None:
    """Tell what keys did, and play them on to the peer unless they reach it already."""
    peer, owner = session.peer, session.owner
    for event in events:
        if isinstance(event, KeyBegan):
            owner.emit(DigitBegan(session.id, event.digit))
        else:
            owner.emit(DigitEnded(session.id, event.digit, event.duration_ms))
        if peer is not None and not session.keying.secure and not _reach(session, peer):
            _play_on(peer, event, owner, now)
    deadline = session.keys.deadline
    if deadline is not None:
        owner.wake(session, deadline)


def _reach(session: Session, peer: Session) -> bool:
    """True when keys of a party reach its peer by themselves: relayed events, or tones in the audio.

    Events of another clock rate are not relayed: a press may need segments there that it has not here.
    """
    if session.keying.method == "inband":
        return peer.keying.method == "inband"
    alike = session.keys.clock_rate_hz == peer.keys.clock_rate_hz
    return session.relay is not None and peer.event_type >= 0 and alike


def _play_on(peer: Session, event: KeyEvent, owner: Owner, now: float) -> None:
    """Press and let go a key on `peer` as its own peer does."""
    if peer.keying.method == "off" or not peer.sending:
        return
    if isinstance(event, KeyEnded):
        peer.digits.end(event.duration_ms)
    elif peer.digits.waiting < MAX_WAITING:
        peer.digits.begin(event.digit)
        owner.settle(peer, now=now)


def send_next(session: Session, at: float) -> bool:
    """Send what is due of a key in this tick; false in the pause between keys, when audio may go."""
    digits = session.digits
    if isinstance(digits, KeySounder):
        frame = digits.tick()
        if frame is not None:
            session.send_frame(frame, at)
        session.unsettled = session.unsettled or not digits.busy
        return frame is not None
    if digits.begins:
        session.forget_pending()  # a part of a packet of audio that would come too late behind the key
    session.line.follow(at)
    event = digits.tick(session.line.next_timestamp)
    session.unsettled = session.unsettled or not digits.busy
    if event is None:
        return False
    session.send_event(event)
    return True


# -- tones in the audio -----------------------------------------------------------------------------------


class Listener:
    """Hears the keys and fax tones in the audio of all legs of an engine that are to be listened to."""

    def __init__(self) -> None:
        self._bank = ToneBank()

    def attend(self, session: Session, now: float) -> None:
        """Begin or end to listen to a leg, and to hold its audio back, as its state asks for."""
        state = session.keying
        masking = masks(session)
        wanted = session.receiving and (state.method == "inband" or state.fax or masking)
        if wanted and state.slot < 0:
            state.slot = self._bank.add()
        elif not wanted:
            self.release(session, now)
        if wanted:
            self._bank.listen_for_fax(state.slot, state.fax)
        if not masking or not wanted:
            state.line = None
            state.covered = state.secure
        elif state.line is None:
            state.line = MaskLine()

    def release(self, session: Session, now: float) -> None:
        """Listen to a leg no more; a key that sounds is over."""
        state = session.keying
        if state.slot >= 0:
            slot, state.slot = state.slot, -1
            _tell(session, self._bank.remove(slot), now)

    def hear(self, sessions: Sequence[Session], *, at: float) -> None:
        """Take what each of `sessions` said in this tick, and put what may be heard of it in its place."""
        bank = self._bank
        slots = [session.keying.slot for session in sessions]
        holes = {
            row: hole
            for row, session in enumerate(sessions)
            if session.queueing and (hole := session.ear.hole) is not None
        }
        events = bank.hear(slots, _matrix(sessions), holes)
        if events:
            by_slot = dict(zip(slots, sessions, strict=True))
            for event in events:
                _tell(by_slot[event.slot], [event], at)
        for session, slot in zip(sessions, slots, strict=True):
            line = session.keying.line
            if line is not None:
                line.mute(bank.span(slot, suspected=True))
                silence = SILENCE_BYTE[session.law] if session.law is not None else 0
                session.said = line.push(session.said, bank.place(slot) - FRAME_SAMPLES, silence)
                if session.keying.covered and session.said is not None:
                    session.record_said(session.said, at - DELAY_S)
                if session.keying.covered and not session.keying.secure and not bank.stirs(slot):
                    session.keying.covered = False
                    session.unsettled = True


def _tell(session: Session, events: Sequence[ToneEvent], now: float) -> None:
    for event in events:
        if event.name in ("CNG", "CED"):
            if session.keying.fax and isinstance(event, ToneBegan):
                session.owner.emit(FaxHeard(session.id, "calling" if event.name == "CNG" else "answering"))
        elif session.keying.method == "inband":
            if isinstance(event, ToneBegan):
                report(session, [KeyBegan(event.name)], now)
            else:
                report(session, [KeyEnded(event.name, event.duration_ms)], now)


def _matrix(sessions: Sequence[Session]) -> Pcm:
    """What legs said, one row each; zeros where nothing was said."""
    rows: Pcm = np.zeros((len(sessions), FRAME_SAMPLES), dtype=np.int16)
    decode_rows(
        [
            (row, said, session.law)
            for row, session in enumerate(sessions)
            if (said := _as_sent(session)) is not None and len(said) == FRAME_SAMPLES
        ],
        rows,
    )
    return rows


def _as_sent(session: Session) -> bytes | Pcm | None:
    """What a leg said, without what its ear has made up."""
    bare = session.ear.bare if session.queueing else None
    return session.said if bare is None else bare
