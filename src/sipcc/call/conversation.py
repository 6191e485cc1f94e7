"""A conversation: the caller and one other leg, joined until one of them leaves or is transferred away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from sipcc.call.events import EndedBy
from sipcc.call.leg import Leg
from sipcc.call.playing import Player
from sipcc.rtp.flow import PlayItem

DEATHS = frozenset({"media_timeout", "network_out_of_order"})
"""Causes that a leg ends with when nobody has hung up."""


class BridgeResult(msgspec.Struct, frozen=True):
    """How a conversation ended."""

    ended_by: EndedBy
    seconds: float
    """How long both heard each other, holds included."""
    transferred: bool = False
    """True when a transfer took the other party away: the next verb that sounds waits until the caller
    has no party any more."""
    lost: bool = False
    """True when the other party's leg died without a goodbye: silence, a lost connection, no answer."""


class Conversation:
    """Two legs that hear each other, or music while one of them is on hold."""

    def __init__(
        self,
        caller: Leg,
        peer: Leg,
        *,
        player: Player,
        music: Callable[[], Sequence[PlayItem]],
        on_joined: Callable[[], None],
    ) -> None:
        """`on_joined` is called each time when the two hear each other (again)."""
        self.peer = peer
        self.caller = caller
        self.parted = False
        """True while a transfer is under way: then whoever is transferred hears what that one plays."""
        self.transferred = False
        """True when the conversation ended by a transfer."""
        self._player = player
        self._music = music
        self._on_joined = on_joined
        self._over: asyncio.Future[EndedBy] = asyncio.get_running_loop().create_future()

    async def run(self) -> EndedBy:
        """Join the legs and wait until one is over; then they are apart, and the peer is hung up.

        A transfer leaves the legs to whoever ended the conversation by `release`.
        """
        self.join()
        try:
            for leg in (self.peer, self.caller):
                if leg.ended:
                    self.ended(leg)
            return await self._over
        finally:
            if not self.transferred:
                if not self.caller.ended:
                    self.caller.media.unbridge()
                self.peer.hangup("normal")

    @property
    def lost(self) -> bool:
        """True when the peer's leg died."""
        return not self.transferred and self.peer.end_cause in DEATHS

    @property
    def over(self) -> bool:
        """True once somebody has left."""
        return self._over.done()

    def other(self, leg: Leg) -> Leg:
        """The one of the two that is not `leg`."""
        return self.peer if leg is self.caller else self.caller

    def ended(self, leg: Leg) -> None:
        """One of the two is over. Who has asked for a transfer may go before it is done."""
        if self.parted and leg is self.peer:
            self.release(leg.ended_by)
        elif not self._over.done():
            self._over.set_result(leg.ended_by)

    def release(self, by: EndedBy) -> None:
        """The conversation is over by a transfer, which has the legs now."""
        if not self._over.done():
            self.transferred = True
            self._over.set_result(by)

    def swap(self, player: Player) -> None:
        """Caller and peer change places; `player` plays to the new caller."""
        self.caller, self.peer = self.peer, self.caller
        self._player = player
        self.caller.media.stop_playing()  # what it heard as the peer, the player does not know
        self.join()

    def part(self) -> None:
        """A transfer begins: take the two apart. Music to the one that stays goes on if it played."""
        self.parted = True
        self.caller.media.unbridge()
        if not self.peer.ended:
            self.peer.media.stop_playing()

    def rejoin(self) -> None:
        """The transfer failed: all is as before it."""
        self.parted = False
        self.join()

    def join(self) -> None:
        """Bridge the two legs, or give music to each one that waits for the other."""
        caller, peer = self.caller, self.peer
        if caller.ended or peer.ended or self.parted:
            return
        if not (caller.held or peer.held or caller.on_hold or peer.on_hold):
            self._player.stop()
            peer.media.stop_playing()
            caller.media.bridge(peer.media)
            self._on_joined()
            return
        caller.media.unbridge()
        if not caller.held:
            self._player.start(self._music(), loop=True, shared=True)
        if not peer.held:
            peer.media.play(self._music(), loop=True, shared=True)

    async def relay_refresh(self, leg: Leg) -> None:
        """Answer the session refresh of `leg`, after the other leg was asked for a sign of life."""
        other = self.other(leg)
        status = await other.refresh()
        leg.answer_refresh(200)
        if status in {408, 481}:
            other.hangup("network_out_of_order")
