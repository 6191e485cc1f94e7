"""The shell of `sipcc.call.early`: lets the caller hear what the parties that ring have to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.call.early import NOTHING, EarlyAudio, Heard
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.errors import LocalProtocolError
from sipcc.rtp.events import RtpBegan, RtpPaused
from sipcc.rtp.toneplan import RINGBACK

if TYPE_CHECKING:
    from sipcc.call.call import Call
    from sipcc.sip import Response


class Hearing:
    """What one caller hears while parties ring for it, from `progress` to `close`."""

    def __init__(self, call: Call, *, early: bool, replace: bool = False) -> None:
        """With `early` False the caller gets 180 at most; `replace` lets ringing cut what plays."""
        self._call = call
        self._early = early
        self._replace = replace
        far = early and not call.early_sound
        self._audio = EarlyAudio(call.context.settings.early_media if far else "off")
        self._legs: dict[str, Leg] = {}
        self._noticed: set[str] = set()
        self._heard = NOTHING
        self._ringing = False

    def progress(self, leg: Leg, response: Response) -> None:
        """A party sent an 18x."""
        self._legs[leg.id] = leg
        gate = ",".join(response.headers.get_all("P-Early-Media")).lower()
        self._audio.progress(leg.id, response.status, described=leg.early, gate=gate)
        caller = self._call.leg
        if caller.state is LegState.TRYING and self._audio.decide() == NOTHING:
            self._tell(183)  # progress, and nothing to hear yet
        self._apply()
        if self._audio.policy == "pass" and leg.early and leg.id not in self._noticed:
            self._noticed.add(leg.id)
            leg.media.notice(True)

    def asked(self, leg: Leg) -> None:
        """A party has answered and is asked first whether it takes the call: to the caller it rings on."""
        self._legs[leg.id] = leg
        self._audio.gone(leg.id)  # what it sends now is not for the caller
        self._audio.progress(leg.id, 180, described=False)
        self._apply()

    def gone(self, leg: Leg) -> None:
        """A party is over."""
        if self._legs.pop(leg.id, None) is not None:
            self._audio.gone(leg.id)
            self._apply()

    def moved(self) -> None:
        """Another party took the caller's place: it hears what its predecessor heard."""
        self._heard = NOTHING
        self._ringing = False
        self._apply()

    def close(self) -> None:
        """Nobody rings any more: the caller hears nothing of this."""
        for leg in self._legs.values():
            if not leg.ended:
                leg.media.notice(False)
        self._legs.clear()
        self._change(NOTHING)

    def sounds(self, leg: Leg, event: RtpBegan | RtpPaused) -> None:
        """Audio of a party begins or pauses."""
        self._audio.sounds(leg.id, isinstance(event, RtpBegan))
        self._apply()

    def _apply(self) -> None:
        self._change(self._audio.decide())

    def _change(self, wanted: Heard) -> None:
        call = self._call
        if wanted == self._heard or call.ended:
            return
        before, self._heard = self._heard, wanted
        if before.sound == "far":
            call.leg.media.unbridge()
        if wanted.sound == "far":
            if self._open_early():
                self._ringing = False
                call.player.stop()
                call.leg.media.bridge(self._legs[wanted.leg].media)
            else:
                self._tell(180)
        elif wanted.sound == "ringback":
            self._ring()
        else:
            self._stop_tone()

    def _ring(self) -> None:
        """Ringing: the caller's own, or our tone where that one hears us already."""
        call = self._call
        waits = call.leg.state in (LegState.TRYING, LegState.RINGING)
        if waits and call.context.settings.early_media == "tone" and self._early:
            self._open_early()
        if waits and not call.leg.early:
            self._tell(180)
        elif self._early and (self._replace or not call.player.playing):
            self._ringing = True
            call.player.start(RINGBACK[call.context.settings.tones].items(), loop=True)

    def _stop_tone(self) -> None:
        if self._ringing:
            self._ringing = False
            self._call.player.stop()

    def _open_early(self) -> bool:
        """Let a caller that was not answered yet hear us; False when its INVITE does not allow that."""
        leg = self._call.leg
        if leg.state is LegState.ANSWERED or leg.early:
            return True
        try:
            self._first(lambda: leg.ring(183, early=True))
        except LocalProtocolError:
            return False
        return True

    def _tell(self, status: int) -> None:
        """Send a provisional without a description."""
        leg = self._call.leg
        if leg.state in (LegState.TRYING, LegState.RINGING):
            self._first(lambda: leg.ring(status))

    def _first(self, ring: Callable[[], None]) -> None:
        call = self._call
        first = call.leg.state is LegState.TRYING
        ring()
        if first:
            call.context.bus.emit(events.CallRinging(at=self._now(), call=call.id))

    def _now(self) -> float:
        return self._call.context.clock.now()
