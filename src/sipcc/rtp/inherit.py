"""From a living port to its record, and from the record to a port that goes on (`sipcc.rtp.journal`)."""

from __future__ import annotations

from collections.abc import Sequence

from sipcc.rtp import wire
from sipcc.rtp.engine import MediaCore, StandingSockets
from sipcc.rtp.flow import PlayStream
from sipcc.rtp.journal import ROOM_VERBS, LineRecord, PortRecord, RelayRecord, in_order, line_at
from sipcc.rtp.line import Mark
from sipcc.rtp.player import Player
from sipcc.rtp.session import Session

MISSED_REPORTS = 4
"""RTCP packets that may have left since a record was written; they are sent seconds apart."""


def record_of(session: Session, commands: tuple[wire.Command, ...], *, at: float) -> PortRecord:
    """The record of a port at this moment."""
    line, gate = session.line, session.gate
    sends = session.sending and (
        session.occupied or bool(session.sources) or (line.owner is not None and line.started)
    )
    return PortRecord(
        port=session.id,
        number=session.number,
        at=at,
        cname=session.cname,
        line=LineRecord(
            ssrc=line.ssrc,
            sequence=line.next_sequence,
            timestamp=line.next_timestamp,
            due_at=line.due_at,
            started=line.started,
            packet_ms=session.packet_samples // 8 if sends else 0,
        ),
        commands=(*(verb for verb in commands if _outlives(verb)), *ways_of(session)),
        relay=None if line.owner is None else RelayRecord(*line.owner.mapping),
        belief=None if gate is None else gate.belief,
        heard_at=session.heard_at,
        key_stamp=session.key_stamp,
        key=session.keys.standing,
        played_ms=session.player.position_ms if isinstance(session.player, Player) else -1,
        recorded_since=session.recorder.since if session.recorder is not None else -1.0,
        stats=session.stats(),
        browser=None if session.browser is None else session.browser.proof,
        mark=None
        if session.shield is None
        else session.shield.mark(line.next_sequence, _last_heard(session)),
    )


def _outlives(command: wire.Command) -> bool:
    """Not the verbs of rooms, which are told anew, nor speech that was fed: its audio dies with us.

    Whoever fed it is told that it has ended, rather than wait for an end that never comes.
    """
    if isinstance(command, wire.Play):
        return not any(isinstance(item, PlayStream) for item in command.items)
    return type(command).__name__ not in ROOM_VERBS


def ways_of(session: Session) -> tuple[wire.Command, ...]:
    """The verbs that put a port where it is now, whatever verbs of whom have brought it there."""
    room, port = session.room, session.id
    if room is None:
        return (wire.Echo(port),) if session.peer is session else ()
    member = room.members[port]
    mute = (wire.Mute(port, True),) if member.muted else ()
    coached = member.coached.id if member.coached is not None else ""
    if room.name:
        return (wire.Join(port, room.name, member.role, coached), *mute)
    first = next((talker.id for talker in room.talkers()), next(iter(room.members)))
    if port == first:
        return mute
    if member.role == "talk" and len(room.talkers()) == 2:
        return (wire.Bridge(port, first), *mute)
    return (wire.Supervise(port, coached or first, member.role), *mute)


def _last_heard(session: Session) -> tuple[int, int] | None:
    """SSRC and number of the last packet of the party; its arrivals are counted already."""
    received = session.received
    if received.ssrc is None or received.tracker is None:
        return None
    return received.ssrc, received.tracker.highest


NO_LINE = LineRecord(ssrc=0, sequence=0, timestamp=0, due_at=0.0, started=False, packet_ms=0)


def record_of_port(
    core: MediaCore, port: str, commands: tuple[wire.Command, ...], *, at: float
) -> PortRecord | None:
    """The record of a port, raw or not; None for one that is gone."""
    session = core.session_of(port)
    if session is not None:
        return record_of(session, commands, at=at)
    raw = core.sockets_of(port)
    if raw is None:
        return None
    return PortRecord(port, raw.number, at, "", NO_LINE, raw.beside, commands)


def inherit(
    core: MediaCore, left: Sequence[tuple[PortRecord, tuple[int, int]]], *, death: float, now: float
) -> None:
    """Go on with the ports that a worker left when it died at `death`: records, and the sockets of each."""
    core.adopt(
        (
            StandingSockets(record.port, record.number, handles, record.cname, record.beside)
            for record, handles in left
        ),
        now=now,
    )
    records = {record.port: record for record, _ in left}
    for record in records.values():
        session = core.session_of(record.port)
        if session is None:
            continue  # a raw one has no line of its own
        line = line_at(record, death)
        session.line.resume(
            line.ssrc, line.sequence, line.timestamp, due_at=line.due_at, started=line.started
        )
    for command in in_order(records.values()):
        _execute(core, records[command.port], command, death=death, now=now)
    for record in records.values():
        _protect(core, record, now)
        _believe(core, record, now)
    for record in records.values():
        _relay(core, records, record)


def _protect(core: MediaCore, record: PortRecord, now: float) -> None:
    """Go on under the same key where the line is now: no number of it is used twice (RFC 3711 §9.1)."""
    session = core.session_of(record.port)
    if session is None:
        return
    if session.browser is not None and record.browser is not None:
        session.browser.resume(record.browser, now=now)
    if session.shield is None or record.mark is None:
        return
    index, reports, heard = record.mark
    if record.relay is None:  # the numbers of a relay are those of its source: none is used again
        index += (session.line.next_sequence - record.line.sequence) & 0xFFFF
    session.shield.resume(session.line.ssrc, Mark(index, reports + MISSED_REPORTS, heard))


def _execute(core: MediaCore, record: PortRecord, command: wire.Command, *, death: float, now: float) -> None:
    """Do a verb that was in force; one that has come some way goes on from there."""
    session = core.session_of(command.port)
    if isinstance(command, wire.Record) and session is not None and record.recorded_since >= 0:
        core.resume_recording(session, command.path, since=record.recorded_since, now=now)
        return
    core.obey(command, now=now)
    if isinstance(command, wire.Play) and record.played_ms >= 0:
        running = not any(isinstance(verb, wire.PausePlaying) for verb in record.commands)
        since_ms = round(max(0.0, death - record.at) * 1000) if running else 0
        core.obey(wire.SeekPlaying(command.port, record.played_ms + since_ms), now=now)


def _believe(core: MediaCore, record: PortRecord, now: float) -> None:
    """Believe the source that was believed, and learn another no longer than the dead would have."""
    session = core.session_of(record.port)
    if session is None or session.gate is None or record.belief is None:
        return
    session.gate.resume(record.belief, heard_at=now)  # it counts as one that still sends
    session.heard_at = record.heard_at
    session.key_stamp = record.key_stamp
    if record.key is not None:
        session.keys.resume(*record.key, now=now)
    core.settle(session, now=now)


def _relay(core: MediaCore, records: dict[str, PortRecord], record: PortRecord) -> None:
    """Go on with the map of a relay, which is in the record of the leg that hears."""
    session = core.session_of(record.port)
    if session is None or session.relay is None or session.peer is None:
        return
    heard = records.get(session.peer.id)
    if heard is not None and heard.relay is not None and session.relay.line is session.peer.line:
        session.relay.resume(*_fields(heard.relay))
        session.peer.changed = False  # it hears on what it heard: there is no step to be smoothed


def _fields(relay: RelayRecord) -> tuple[int, int, int, int]:
    return relay.ssrc, relay.sequence_offset, relay.timestamp_offset, relay.first_sequence
