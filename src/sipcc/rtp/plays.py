"""What ports play: the verbs of playing, executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from sipcc.rtp import wire
from sipcc.rtp.files import Clip, ClipStore
from sipcc.rtp.flow import Law, PlayEnded, PlayItem, PromptMissing
from sipcc.rtp.player import Player
from sipcc.rtp.session import Session


class Want(msgspec.Struct, frozen=True):
    """Clips that a play waits for."""

    port: str
    serial: int
    items: tuple[PlayItem, ...]
    codec: Law


class Plays:
    """Starts and ends the plays of one engine. Whoever calls a verb here settles the leg afterwards."""

    def __init__(self, clips: ClipStore, emit: Callable[[wire.Event], None], *, codec: Law) -> None:
        """`codec` is for ports that play before they are configured."""
        self._clips = clips
        self._emit = emit
        self._codec: Law = codec
        self.wants: list[Want] = []
        """Clips to be read, to be taken by the shell."""

    def play(self, session: Session, command: wire.Play, now: float) -> None:
        """Begin a play, in the place of what plays."""
        self.end(session, "replaced")
        codec = (session.law if session.params is not None else None) or self._codec
        session.play_serial += 1
        session.play_token = command.token
        session.play_loop = command.loop
        session.play_shared = command.shared
        clips = [self._clips.get(item, codec, now=now) for item in command.items]
        ready = [clip for clip in clips if clip is not None]
        session.loading = True
        want = Want(session.id, session.play_serial, command.items, codec)
        if len(ready) == len(clips):
            self.supply(session, want, ready, now=now)
        else:
            self.wants.append(want)

    def supply(self, session: Session, want: Want, clips: list[Clip], *, now: float) -> bool:
        """Hand in the clips of a want; False for late ones, whose play is over."""
        if not session.loading or session.play_serial != want.serial:
            return False
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
        return True

    def end(self, session: Session, reason: Literal["done", "stopped", "replaced", "closed"]) -> None:
        """End what plays, if anything does."""
        player = session.player
        if player is None and not session.loading:
            return
        session.player = None
        session.loading = False
        played_ms = player.played_ms if player is not None else 0
        self._emit(PlayEnded(session.id, session.play_token, reason, played_ms))
