"""What of ports is recorded: the verbs of recording, executed."""

from __future__ import annotations

from sipcc.rtp import wire
from sipcc.rtp.consent import ConsentTone
from sipcc.rtp.recorder import Recorder, RecordingWriter
from sipcc.rtp.session import Session
from sipcc.rtp.taping import PATIENCE_S, Taping


class Tapings:
    """Starts and ends the recordings of one engine."""

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer
        self._running: dict[str, Taping] = {}
        self.endings: list[Taping] = []
        """Recordings that were told to stop and whose files are not known to be complete."""

    def record(self, session: Session, path: str, now: float, since: float | None = None) -> None:
        """Begin a recording, or go on with one that began at `since`; one that runs is ended."""
        self.end(session, "stopped", now)
        taping = self._running[session.id] = Taping(session.id, path)
        session.recorder = Recorder(path, self._writer, now=now, on_ended=taping.finish, since=since)

    def pause(self, session: Session, command: wire.PauseRecording, now: float) -> None:
        """Keep what is said out of the recording of a port, or take it in again."""
        if session.recorder is None:
            return
        if command.paused:
            session.recorder.pause(now=now, mark=command.mark)
        else:
            session.recorder.resume(now=now)

    def consent_tone(self, session: Session, period_s: float, now: float) -> None:
        """Let a party and those who talk to it hear that they are recorded; 0 ends it."""
        session.consent = ConsentTone(period_s, now=now) if period_s > 0 else None

    def end(self, session: Session, reason: str, now: float) -> Taping | None:
        """End the recording of a port, if there is one, and return it."""
        recorder, taping = session.recorder, self._running.pop(session.id, None)
        if recorder is None or taping is None:
            return None
        session.recorder = None
        recorder.stop(now=now, reason=reason)
        taping.give_up_at = now + PATIENCE_S
        self.endings.append(taping)
        return taping

    def close(self, session: Session, now: float) -> Taping | None:
        """End the recording of a port that closes; the one of its recordings that is told last, if any is."""
        self.end(session, "closed", now)
        return next((taping for taping in reversed(self.endings) if taping.port == session.id), None)

    def tend(self, session: Session, now: float) -> None:
        """Hand audio to the writer, and notice a recording that failed by itself."""
        recorder = session.recorder
        if recorder is None:
            return
        recorder.expire(now=now)
        if recorder.ended:
            self.end(session, "stopped", now)
