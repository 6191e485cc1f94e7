"""Who hears whom: conversations of two, conferences, and supervisors that listen, whisper or barge in.

A room has members in one of three roles. Who talks is heard by all others; who listens is heard by nobody;
who whispers is heard by one member only, and hears all that talk. A bridge is a room of two that talk: as
long as one of them hears nobody but the other, and no samples are asked for, packets are relayed past the
clock, whoever listens in. Otherwise a leg hears the sum of all but itself (n-1), added once per room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import Law, Role
from sipcc.rtp.frame import FRAME_SAMPLES
from sipcc.rtp.voice import decode_rows, samples_of

if TYPE_CHECKING:
    from sipcc.rtp.session import Session

Wide = npt.NDArray[np.int32]


class Member:
    """One leg in a room."""

    __slots__ = ("coached", "muted", "role", "session")

    def __init__(self, session: Session, role: Role, coached: Session | None) -> None:
        self.session = session
        self.role = role
        self.coached = coached
        """Whom a member that whispers is heard by."""
        self.muted = False

    def heard_by(self, other: Session) -> bool:
        """True when `other` hears this member."""
        if other is self.session or self.muted or not self.session.receiving:
            return False
        return self.role == "talk" or (self.role == "whisper" and self.coached is other)


class Room:
    """The members of one conversation or conference, by port id in the order of their coming."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.members: dict[str, Member] = {}

    def __iter__(self) -> Iterator[Session]:
        return (member.session for member in self.members.values())

    def sources(self, session: Session) -> tuple[Session, ...]:
        """Whom a member hears."""
        return tuple([member.session for member in self.members.values() if member.heard_by(session)])

    def talkers(self) -> list[Session]:
        """Whom all others hear."""
        return [member.session for member in self.members.values() if member.role == "talk"]

    def hearers(self, session: Session) -> Iterator[Session]:
        """Who hears a member."""
        member = self.members[session.id]
        return (other for other in self if member.heard_by(other))

    def partner(self, session: Session) -> Session | None:
        """The other party of a conversation: the only other member that talks, for one that talks."""
        if self.members[session.id].role != "talk":
            return None
        others = [talker for talker in self.talkers() if talker is not session]
        return others[0] if len(others) == 1 else None


def mix(rooms: Iterable[Room]) -> None:
    """Set `heard` of each member of `rooms` that hears more than one, from what all of them `said`.

    All rooms of one tick are added in one go: totals by room, then each total less one's own voice. Sums
    are clipped, never wrapped. Who hears only silence gets None.
    """
    legs: list[Session] = []
    starts: list[int] = []
    owners: list[int] = []
    talks: list[bool] = []
    rows: dict[str, int] = {}
    whisperers: list[Member] = []
    for room in rooms:
        starts.append(len(legs))
        for member in room.members.values():
            rows[member.session.id] = len(legs)
            if member.role == "whisper":
                whisperers.append(member)
            legs.append(member.session)
            owners.append(len(starts) - 1)
            talks.append(member.role == "talk" and not member.muted and member.session.receiving)
    if not legs:
        return
    said, loud = _matrix(legs, talks)
    totals: Wide = np.add.reduceat(said, starts, axis=0)
    heard = totals[owners]
    heard -= said
    speakers = np.add.reduceat(loud.astype(np.int32), starts)
    others = speakers[owners] - loud
    for member in whisperers:
        coached, whisper = member.coached, member.session.said
        if coached is None or coached.room is not member.session.room or not member.heard_by(coached):
            continue
        if whisper is not None:
            heard[rows[coached.id]] += samples_of(whisper, member.session.law)
            others[rows[coached.id]] += 1
    np.clip(heard, -32768, 32767, out=heard)
    _hand_out(legs, heard.astype(np.int16), others.tolist())


def _hand_out(legs: Sequence[Session], frames: Pcm, others: Sequence[int]) -> None:
    """Give each leg its row: coded in one go for all that send it as it is, as samples for the others."""
    coded: dict[Law, tuple[list[int], list[Session]]] = {"PCMU": ([], []), "PCMA": ([], [])}
    for row, leg in enumerate(legs):
        if len(leg.sources) <= 1:
            continue
        if not others[row]:
            leg.heard = None
        elif leg.law is None or leg.tapped or leg.consent is not None:
            leg.heard = frames[row]
        else:
            rows, hearers = coded[leg.law]
            rows.append(row)
            hearers.append(leg)
    for law, (rows, hearers) in coded.items():
        if rows:
            together = g711.encode(frames[rows], law)
            for place, leg in enumerate(hearers):
                leg.heard = together[place * FRAME_SAMPLES : (place + 1) * FRAME_SAMPLES]


def _matrix(legs: Sequence[Session], talks: Sequence[bool]) -> tuple[Wide, npt.NDArray[np.bool_]]:
    """What talking legs said, one row a leg, zeros for the others; and which rows hold anything."""
    said = np.zeros((len(legs), FRAME_SAMPLES), dtype=np.int32)
    loud = np.zeros(len(legs), dtype=np.bool_)
    spoken = []
    for row, leg in enumerate(legs):
        if talks[row] and leg.said is not None:
            loud[row] = True
            spoken.append((row, leg.said, leg.law))
    decode_rows(spoken, said)
    return said, loud
