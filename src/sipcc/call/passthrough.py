"""Video and fax (T.38) between the two legs of a conversation, passed on without a look.

An offer of one leg that adds or ends such a line is answered only after the other leg was asked by a
re-INVITE, and with what that one said. A fax that the other leg does not take is refused with 488, and the
audio goes on; a video that it does not take is refused in its line. What a caller offered before there was
anybody to pass it to is offered to both when they talk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipcc.call.extralines import address_of, carried, passable
from sipcc.call.legowner import LegState
from sipcc.errors import LocalProtocolError, ParseError, PortsExhausted
from sipcc.log import get_logger
from sipcc.sip.multipart import body_of
from sipcc.sip.sdp import SessionDescription

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sipcc.call.context import CallContext
    from sipcc.call.conversation import Conversation
    from sipcc.call.leg import Leg
    from sipcc.rtp.flow import RawPort
    from sipcc.sip import Request
    from sipcc.sip.sdp import MediaDescription

SDP = "application/sdp"

LINGER_S = 0.5
"""So long after a conversation a leg is asked to end its video, if it was not hung up by then."""

_log = get_logger("sipcc.call")


class Passthrough:
    """What two legs send each other besides audio."""

    def __init__(self, context: CallContext, talk: Conversation) -> None:
        self._context = context
        self._talk = talk
        policies = (("video", context.media.video), ("image", context.media.t38))
        self._kinds = frozenset(kind for kind, policy in policies if policy == "pass")
        self._ports: dict[str, dict[Leg, RawPort]] = {}
        self._busy = False
        self._begun = False
        self._closed = False

    def joined(self) -> None:
        """The two talk: offer each what the other one offered at its beginning."""
        if self._begun or "video" not in self._kinds:
            return
        self._begun = True
        for leg in (self._talk.caller, self._talk.peer):
            remote = leg.negotiation.remote
            wanted = passable(remote, frozenset({"video"})) if remote is not None else {}
            if remote is not None and wanted and self._can_pass(leg):
                self._context.scope.spawn(self._introduce(leg, remote, wanted), name=f"{leg.id}/video")
                return

    def offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """A re-INVITE or UPDATE of `leg`: None when it is a matter of audio alone, else a status to await."""
        if not self._kinds or not self._can_pass(leg):
            return None
        try:
            offer = SessionDescription.parse(body_of(request, SDP) or b"")
        except ParseError:
            return None
        wanted = passable(offer, self._kinds)
        if wanted.keys() != self._ports.keys():
            return self._relay(leg, offer, wanted)
        for kind, line in wanted.items():
            self._ports[kind][leg].aim(*address_of(offer, line))
        return None

    def close(self) -> None:
        """The conversation is over: nothing is passed on any more."""
        self._closed = True
        if not self._ports:
            return
        for leg in (self._talk.caller, self._talk.peer):
            for kind in self._ports:
                leg.negotiation.extra.pop(kind, None)
            leg.negotiation.audio_off = False
            if not leg.ended:
                self._context.scope.spawn(self._end_lines(leg), name=f"{leg.id}/lines")
        for kind in list(self._ports):
            self._shut(kind)

    # -- inside -----------------------------------------------------------------------------------

    def _can_pass(self, leg: Leg) -> bool:
        talk = self._talk
        if talk.parted or leg not in (talk.caller, talk.peer):
            return False
        return all(
            party.state is LegState.ANSWERED
            and party.negotiation.params is not None
            and party.negotiation.params.browser is None
            for party in (talk.caller, talk.peer)
        )

    async def _relay(self, leg: Leg, offer: SessionDescription, wanted: dict[str, MediaDescription]) -> int:
        if self._busy:
            return 491
        self._busy = True
        try:
            return await self._ask_other(leg, offer, wanted)
        finally:
            self._busy = False

    async def _introduce(
        self, leg: Leg, remote: SessionDescription, wanted: dict[str, MediaDescription]
    ) -> None:
        """Offer to the other leg, and then to `leg` itself, what `leg` had offered and was refused."""
        await self._relay(leg, remote, wanted)
        if "video" not in self._ports or self._closed:
            return
        agreed = await _reinvite(leg)
        line = _line_of(leg, "video") if agreed else None
        if line is not None and leg.negotiation.remote is not None:
            self._ports["video"][leg].aim(*address_of(leg.negotiation.remote, line))
            return
        other = self._talk.other(leg)
        self._forget("video")
        if not other.ended:
            await _reinvite(other)

    async def _ask_other(
        self, leg: Leg, offer: SessionDescription, wanted: dict[str, MediaDescription]
    ) -> int:
        """Have the other leg answer an offer of `leg`; the status for `leg`."""
        other = self._talk.other(leg)
        added = {kind: line for kind, line in wanted.items() if kind not in self._ports}
        dropped = [kind for kind in self._ports if kind not in wanted]
        fax = offer.audio is None
        try:
            for kind in added:
                await self._open(kind, leg, other)
        except PortsExhausted as error:
            _log.warning("call.no_raw_port", leg=leg.id, error=str(error))
            self._forget(*added)
            return 488 if fax else 200
        before = dict(other.negotiation.extra), other.negotiation.audio_off
        for kind, line in added.items():
            self._ports[kind][leg].aim(*address_of(offer, line))
            other.negotiation.extra[kind] = carried(line, self._ports[kind][other].port)
        for kind in dropped:
            other.negotiation.extra.pop(kind, None)
        other.negotiation.audio_off = fax
        if not await _reinvite(other):
            other.negotiation.extra, other.negotiation.audio_off = before
            self._forget(*added)
            return 488 if fax or dropped else 200
        self._forget(*dropped)
        self._take(leg, other, added)
        if fax and "image" not in self._ports:
            other.negotiation.audio_off = False
            await _reinvite(other)  # it agreed to nothing at all: the audio comes back
            return 488
        leg.negotiation.audio_off = fax
        return 200

    def _take(self, leg: Leg, other: Leg, added: dict[str, MediaDescription]) -> None:
        """Give `leg` the lines that `other` has answered with."""
        answer = other.negotiation.remote
        for kind in added:
            line = _line_of(other, kind)
            if line is None or answer is None or kind not in self._ports:
                self._forget(kind)
            else:
                self._ports[kind][other].aim(*address_of(answer, line))
                leg.negotiation.extra[kind] = carried(line, self._ports[kind][leg].port)

    async def _open(self, kind: str, leg: Leg, other: Leg) -> None:
        ports = self._ports.setdefault(kind, {})
        for party in (leg, other):
            ports[party] = await self._context.engine.open_raw(beside=party.media)
        ports[leg].bridge(ports[other])

    def _forget(self, *kinds: str) -> None:
        """These kinds are not passed on any more."""
        for kind in kinds:
            for leg in (self._talk.caller, self._talk.peer):
                leg.negotiation.extra.pop(kind, None)
            self._shut(kind)

    def _shut(self, kind: str) -> None:
        for leg, port in self._ports.pop(kind, {}).items():
            self._context.scope.spawn(_close(port), name=f"{leg.id}/raw")

    async def _end_lines(self, leg: Leg) -> None:
        await asyncio.sleep(LINGER_S)
        if not leg.ended:
            await _reinvite(leg)


async def _reinvite(leg: Leg) -> bool:
    """Offer `leg` what we have for it now; True when it agreed."""
    try:
        response = await leg.reinvite()
    except LocalProtocolError:
        return False  # it is over, or an offer is under way
    return response is not None and response.status < 300 and not leg.ended


async def _close(port: RawPort) -> None:
    await port.close()


def _line_of(leg: Leg, kind: str) -> MediaDescription | None:
    """What `leg` said of a kind of media, if it takes it."""
    remote = leg.negotiation.remote
    return passable(remote, frozenset({kind})).get(kind) if remote is not None else None
