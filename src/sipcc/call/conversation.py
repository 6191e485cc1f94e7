"""A conversation: the caller and one other leg, joined until one of them leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from sipcc.call.events import EndedBy
from sipcc.call.leg import Leg
from sipcc.call.playing import Player
from sipcc.rtp.flow import PlayItem


class BridgeResult(msgspec.Struct, frozen=True):
    """How a conversation ended."""

    ended_by: EndedBy
    seconds: float
    """How long both heard each other, holds included."""


class Conversation:
    """Two legs that hear each other, or music while the other one holds."""

    def __init__(
        self, caller: Leg, peer: Leg, *, player: Player, music: Callable[[], Sequence[PlayItem]]
    ) -> None:
        self.peer = peer
        self._caller = caller
        self._player = player
        self._music = music
        self._over: asyncio.Future[EndedBy] = asyncio.get_running_loop().create_future()

    async def run(self) -> EndedBy:
        """Join the legs and wait until one is over; then they are apart, and the peer is hung up."""
        self.join()
        try:
            for leg in (self.peer, self._caller):
                if leg.ended:
                    self.ended(leg)
            return await self._over
        finally:
            if not self._caller.ended:
                self._caller.media.unbridge()
            self.peer.hangup("normal")

    def ended(self, leg: Leg) -> None:
        """One of the two is over."""
        if not self._over.done():
            self._over.set_result(leg.ended_by)

    def join(self) -> None:
        """Bridge the two legs, or give music to the one that is not on hold."""
        caller, peer = self._caller, self.peer
        if caller.ended or peer.ended:
            return
        if not caller.held and not peer.held:
            self._player.stop()
            peer.media.stop_playing()
            caller.media.bridge(peer.media)
            return
        caller.media.unbridge()
        if not caller.held:
            self._player.start(self._music(), loop=True, shared=True)
        if not peer.held:
            peer.media.play(self._music(), loop=True, shared=True)

    async def relay_refresh(self, leg: Leg) -> None:
        """Answer the session refresh of `leg`, after the other leg was asked for a sign of life."""
        other = self.peer if leg is self._caller else self._caller
        status = await other.refresh()
        leg.answer_refresh(200)
        if status in {408, 481}:
            other.hangup("network_out_of_order")
