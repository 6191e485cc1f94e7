"""What ports play: the verbs of playing, executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from sipcc.rtp import wire
from sipcc.rtp.events import PlayCleared, PlayEnded, PlayFlow, PlayMarked, PromptMissing
from sipcc.rtp.files import ClipStore
from sipcc.rtp.flow import CodecName, PlayItem, PlayStream
from sipcc.rtp.formats import spec
from sipcc.rtp.frame import SAMPLE_RATE_HZ, Coding, law_of
from sipcc.rtp.player import Clip, Player
from sipcc.rtp.session import Session
from sipcc.rtp.streaming import StreamPlayer

_QUICK: Coding = ("PCMU", SAMPLE_RATE_HZ)


class Want(msgspec.Struct, frozen=True):
    """Clips that a play waits for."""

    port: str
    serial: int
    items: tuple[PlayItem, ...]
    codec: Coding


class _Play:
    """What was asked for, and what was asked of it while its clips were being read."""

    __slots__ = ("command", "paused", "position_ms", "told")

    def __init__(self, command: wire.Play) -> None:
        self.command = command
        self.paused = False
        self.position_ms: int | None = None
        self.told: set[int] = set()
        """Items that were reported as unplayable."""


class Plays:
    """Starts and ends the plays of one engine. Whoever calls a verb here settles the leg afterwards."""

    def __init__(self, clips: ClipStore, emit: Callable[[wire.Event], None], *, codec: CodecName) -> None:
        """`codec` is for ports that play before they are configured."""
        self._clips = clips
        self._emit = emit
        self._coding: Coding = (codec, spec(codec).clock_rate_hz)
        self._plays: dict[str, _Play] = {}
        self.wants: list[Want] = []
        """Clips to be read, to be taken by the shell."""

    def play(self, session: Session, command: wire.Play, now: float) -> None:
        """Begin a play, in the place of what plays."""
        self.end(session, "replaced")
        self._plays[session.id] = _Play(command)
        session.play_serial += 1
        streams = [item for item in command.items if isinstance(item, PlayStream)]
        if streams:
            session.player = StreamPlayer(streams[0])
        else:
            session.loading = True
            self._fetch(session, command, now)

    def supply(self, session: Session, want: Want, clips: list[Clip], *, now: float) -> bool:
        """Hand in the clips of a want; False for late ones, whose play is over."""
        play = self._plays.get(session.id)
        if play is None or session.play_serial != want.serial:
            return False
        if want.codec not in (_QUICK, self._coding_of(session)):  # which has changed meanwhile
            self._fetch(session, play.command, now)
            return not session.loading
        for index, (item, clip) in enumerate(zip(want.items, clips, strict=True)):
            if clip.error and index not in play.told:
                play.told.add(index)
                self._emit(PromptMissing(session.id, getattr(item, "path", ""), clip.error))
        if isinstance(session.player, Player):
            session.player.recode(clips, want.codec)
        elif session.loading:
            session.loading = False
            command = play.command
            session.player = Player(
                clips, coding=want.codec, loop=command.loop, shared=command.shared, now=now
            )
            session.player.paused = play.paused
            if play.position_ms is not None:
                session.player.seek(play.position_ms)
            self.recode(session, now)
        return True

    def recode(self, session: Session, now: float) -> None:
        """The leg has another codec: have what plays in that, at the same place.

        Between the two laws, and until the clips are there, the clock does it frame by frame.
        """
        player, play = session.player, self._plays.get(session.id)
        coding = self._coding_of(session)
        if play is None or not isinstance(player, Player) or player.coding == coding:
            return
        if law_of(coding[0]) is None:
            self._want(session, play.command, coding, now)

    def pause(self, session: Session, paused: bool) -> None:
        """Let what plays be silent, or go on where it was."""
        play = self._plays.get(session.id)
        if play is not None:
            play.paused = paused
            if session.player is not None:
                session.player.paused = paused

    def seek(self, session: Session, position_ms: int) -> None:
        """Go to another place in what plays."""
        play = self._plays.get(session.id)
        if play is not None:
            play.position_ms = position_ms
            if session.player is not None:
                session.player.seek(position_ms)

    def feed(self, session: Session, command: wire.Feed) -> None:
        """Take in a piece of the stream that plays; one for a stream that is over is nothing."""
        player = self._stream(session, command.token)
        if player is not None:
            player.feed(command.audio, last=command.last)

    def mark(self, session: Session, command: wire.MarkPlaying) -> None:
        """Put a mark behind what was fed; in a stream that is over it is told at once, as not heard."""
        player = self._stream(session, command.token)
        if player is not None:
            player.mark(command.mark)
        else:
            self._emit(PlayMarked(session.id, command.token, command.mark, False, 0))

    def clear(self, session: Session, command: wire.ClearPlaying) -> None:
        """Drop what waits in the stream that plays."""
        player = self._stream(session, command.token)
        if player is not None:
            dropped_ms = player.clear()
            self._tell_marks(session, command.token, player)
            self._emit(PlayCleared(session.id, command.token, player.played_ms, dropped_ms))

    def _stream(self, session: Session, token: int) -> StreamPlayer | None:
        play, player = self._plays.get(session.id), session.player
        if play is not None and play.command.token == token and isinstance(player, StreamPlayer):
            return player
        return None

    def _tell_marks(self, session: Session, token: int, player: StreamPlayer) -> None:
        for mark in player.take_marks():
            self._emit(PlayMarked(session.id, token, mark.name, mark.heard, mark.at_ms))

    def tend(self, session: Session) -> None:
        """End what is done, and tell the producer of a stream whether to wait."""
        player = session.player
        if player is None:
            return
        play = self._plays.get(session.id)
        if play is not None and isinstance(player, StreamPlayer) and player.turned:
            player.turned = False
            self._tell_marks(session, play.command.token, player)
            if player.full != player.told_full:
                player.told_full = player.full
                self._emit(PlayFlow(session.id, play.command.token, player.full))
        if player.done:
            self.end(session, "done")

    def end(self, session: Session, reason: Literal["done", "stopped", "replaced", "closed"]) -> None:
        """End what plays, if anything does."""
        play = self._plays.pop(session.id, None)
        if play is None:
            return
        player, session.player = session.player, None
        session.loading = False
        played_ms = player.played_ms if player is not None else 0
        if isinstance(player, StreamPlayer):
            player.clear()
            self._tell_marks(session, play.command.token, player)
        self._emit(PlayEnded(session.id, play.command.token, reason, played_ms))

    def _coding_of(self, session: Session) -> Coding:
        return session.coding if session.params is not None else self._coding

    def _fetch(self, session: Session, command: wire.Play, now: float) -> None:
        """Have the clips of a play in the codec of the leg, at once when they are at hand.

        To make packets takes longer than to read the file, up to a second for a long one. So a leg of
        another codec begins with G.711, which the clock codes frame by frame, until its packets are there.
        """
        coding = self._coding_of(session)
        if law_of(coding[0]) is None:
            at_hand = [self._clips.get(item, coding, now=now) for item in command.items]
            coding = _QUICK if None in at_hand else coding
        self._want(session, command, coding, now)

    def _want(self, session: Session, command: wire.Play, coding: Coding, now: float) -> None:
        want = Want(session.id, session.play_serial, command.items, coding)
        clips = [self._clips.get(item, coding, now=now) for item in command.items]
        ready = [clip for clip in clips if clip is not None]
        if len(ready) == len(clips):
            self.supply(session, want, ready, now=now)
        else:
            self.wants.append(want)
