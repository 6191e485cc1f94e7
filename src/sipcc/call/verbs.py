"""The verbs of a call that are signalling: ring, answer, refuse, hold, transfer, and requests in the dialog.

They are about the caller's leg; `sipcc.call.leg.Leg` has the same for any party.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.call.calllegs import CallLegs
from sipcc.call.consulting import Consultation, consult
from sipcc.call.leg import Leg
from sipcc.call.legowner import LegState
from sipcc.call.transfer import Transfer, bare_transfer
from sipcc.errors import LocalProtocolError
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call.legverbs import DigitMethod
    from sipcc.call.negotiate import Hold
    from sipcc.call.ringing import Target
    from sipcc.rtp.flow import PlayItem
    from sipcc.sip import InboundRequest, Request, Response, SipUri
    from sipcc.sip.refer import Replaces
    from sipcc.sip.session_api import HeaderList

_log = get_logger("sipcc.call")


class CallVerbs(CallLegs):
    """Signalling verbs; `sipcc.call.call.Call` inherits them."""

    async def ring(
        self,
        status: int = 180,
        *,
        early: bool = False,
        reliable: bool | None = None,
        headers: HeaderList = (),
    ) -> None:
        """Send a provisional answer, 180 Ringing by default, to a caller that was not answered yet.

        Args:
            status: 101 to 199; 183 for progress.
            early: True sends our description too: what is played then is heard before the answer.
            reliable: True demands a PRACK (RFC 3262), False wants none; None goes by policy and by what
                the caller supports.
            headers: more headers of the response.
        """
        self._check()
        leg = self.leg
        if leg.state in (LegState.TRYING, LegState.RINGING):
            first = leg.state is LegState.TRYING
            leg.ring(status, early=early, reliable=reliable, headers=headers)
            if first:
                self._emit(events.CallRinging(at=self._now(), call=self.id))

    def sound_until_answered(self, items: Sequence[PlayItem]) -> None:
        """Let a caller who hears our early audio (`ring` with `early`) hear `items` until somebody answers.

        They are played again and again, in place of the ringing and of what those who ring have to say.
        """
        self._check()

        def over() -> None:
            self.early_sound = False

        self.player.start(items, loop=True, on_end=over)
        self.early_sound = True

    async def answer(self, *, headers: HeaderList = ()) -> None:
        """Send 200 OK; prompts may follow at once. Answering twice does nothing."""
        self._check()
        if self.answered:
            return
        if self.early_sound:
            self.player.stop()
        self._emit(events.CallAnswered(at=self._now(), call=self.id))
        self.leg.accept(headers=headers)
        _log.info("call.answered", call_id=self.id)

    async def reject(self, status: int = 486, reason: str | None = None, *, headers: HeaderList = ()) -> None:
        """Refuse the call with a final SIP status of 300 or more."""
        self._check()
        if self.answered:
            raise LocalProtocolError("an answered call is hung up, not rejected")
        self.leg.hangup(
            "busy" if status == 486 else "declined", status=status, reason=reason, headers=headers
        )

    async def redirect(self, *contacts: SipUri | str, status: int = 302, headers: HeaderList = ()) -> None:
        """Refuse the call with a 3xx that names other places, in the order of preference."""
        if not 300 <= status < 400 or not contacts:
            raise LocalProtocolError("a redirection is a 3xx with a contact")
        places = [("Contact", f"<{contact}>") for contact in contacts]
        await self.reject(status, headers=[*places, *headers])

    async def hangup(self, cause: str = "normal", *, headers: HeaderList = ()) -> None:
        """End the call; `cause` is a name of `sipcc.call.cause`. On an ended call nothing happens."""
        if not self.ended:
            self.leg.hangup(cause, headers=headers)

    # -- hold -----------------------------------------------------------------------------------

    async def hold(self, how: Hold = "sendonly") -> bool:
        """Put the caller on hold by re-INVITE; True when it agreed. Both sides of a talk hear music.

        ``sendonly`` lets the caller hear it, ``inactive`` and ``null`` are the other two spellings.
        """
        self._check()
        return await self.leg.hold(how)

    async def resume(self) -> bool:
        """Take the caller back from hold; True when it agreed."""
        self._check()
        return await self.leg.resume()

    # -- transfer -------------------------------------------------------------------------------

    async def transfer(
        self, target: Target | str, *, timeout: float | None = None, by: Leg | None = None
    ) -> int:
        """Let `target` take the place of whoever the caller talks to, who is hung up then.

        `target` is a user, a number, a SIP URI, or something of ours: ``agent:NAME``, ``queue:NAME``,
        ``menu:NAME`` and other destinations. Those are reached at once, and have the caller then; where
        nobody takes it there, it comes back. `by` is the party that goes, if it is the caller's own side.
        Without a conversation the caller hears the ringing, and talks when `target` answers. Returns
        when that is decided; the talk goes on by itself, and the next verb that sounds waits for its end.

        Returns:
            200, or the status of the failure; then all is as before.

        Raises:
            LocalProtocolError: a transfer is under way, or there is no such agent, queue or menu.
        """
        self._check()
        return await bare_transfer(self.call, target, timeout=timeout, by=by)

    async def consult(
        self, target: str, *, timeout: float | None = None, by: Leg | None = None
    ) -> Consultation:
        """Let the agent of the conversation talk to `target` while the caller waits, and then decide.

        `by` is the agent's side, if that cannot be known. What is returned completes, merges, or goes back.

        Raises:
            LocalProtocolError: nobody talks, a transfer is under way, there is no such agent, or `target` did
                not answer.
        """
        self._check()
        return await consult(self.call, target, by=by, timeout=timeout)

    async def give_to(self, leg: Leg) -> None:
        """Let `leg`, a party of this call, take the agent's place, who is released; for supervisors."""
        self._check()
        agent = self.agent_leg
        transfer = Transfer(self.call, "takeover", leg.user or leg.id, by=agent)
        transfer.begin()
        self.context.scope.spawn(transfer.see_through(transfer.hand_to(leg)), name=f"{self.id}/takeover")
        await asyncio.shield(transfer.decided)

    async def refer(
        self, target: str, *, replaces: Leg | Replaces | None = None, timeout: float = 60.0, carry: str = ""
    ) -> int:
        """Send the caller to `target` by REFER, and out of our hands; if it does not take that, by us.

        `carry` are headers of the INVITE that the caller's phone shall send, as a URI has them.

        A caller that knows no REFER (no such method in its Allow, 405, 501, 603 ...) is connected with
        `target` by `transfer`, so the result is the same but for our staying in between.

        Returns:
            200 when the caller talks to `target`, or the status of the failure.
        """
        self._check()
        leg = self.leg
        if leg.state is LegState.ANSWERED and leg.allows("REFER"):
            uri = target if ":" in target else f"sip:{target}@{self.context.domain}"
            if carry:
                uri += f"{'&' if '?' in uri else '?'}{carry}"
            status = await leg.refer(uri, replaces=replaces, timeout=timeout)
            if 200 <= status < 300:
                leg.hangup("transferred")
                return 200
            if status in {403, 404, 408, 480, 486, 487, 600, 604} or self.ended:
                return status  # it has tried, or was forbidden to: we would come to the same
        return await self.transfer(target)

    # -- requests -------------------------------------------------------------------------------

    async def send_info(self, content_type: str, body: bytes, *, headers: HeaderList = ()) -> int:
        """Send an INFO to the caller; its final status, 0 when none came."""
        self._check()
        return await self.leg.send_info(content_type, body, headers=headers)

    async def send_message(self, text: str, *, headers: HeaderList = ()) -> int:
        """Send a MESSAGE to the caller; its final status, 0 when none came."""
        self._check()
        return await self.leg.send_message(text, headers=headers)

    async def ping(self) -> int:
        """Send an OPTIONS to the caller; its final status, 0 when none came."""
        self._check()
        return await self.leg.ping()

    def send_digits(self, digits: str, *, method: DigitMethod | None = None) -> None:
        """Send keys to the caller as it takes them: RFC 4733 events, tones or INFO requests."""
        self._check()
        self.leg.send_digits(digits, method=method)

    # -- what the far sides ask for ---------------------------------------------------------------

    def leg_offered(self, leg: Leg, request: Request) -> Awaitable[int] | None:
        """A re-INVITE or UPDATE: `on_offer` may decide, and take its time; video and fax are passed on."""
        if self.on_offer is not None:
            return self.on_offer(leg, request)
        return None if self.passing is None else self.passing.offered(leg, request)

    def leg_request(self, leg: Leg, inbound: InboundRequest) -> None:
        """A REFER asks for a transfer; a MESSAGE or INFO is for the other side of the conversation."""
        if self.on_request is not None and self.on_request(leg, inbound):
            return
        method = inbound.request.method
        talk = self._conversation
        if method == "SUBSCRIBE" and leg.report is not None:
            leg.report.subscribed(inbound)
        elif method == "REFER":
            Transfer.requested(self.call, leg, inbound)
        elif method in ("MESSAGE", "INFO") and talk is not None and leg in (talk.caller, talk.peer):
            relayed = method == "MESSAGE" or self.context.settings.relay_info
            other = talk.other(leg)
            if relayed and other.state is LegState.ANSWERED and other.allows(method):
                self.context.scope.spawn(_relay(other, inbound), name=f"{self.id}/relay")
            else:
                inbound.reply(200 if method == "INFO" else 405, headers=_allow(leg, method))
        elif method == "NOTIFY":
            inbound.reply(481)  # of no subscription of ours (RFC 6665 §4.1.3)
        else:
            inbound.reply(200 if method == "INFO" else 405, headers=_allow(leg, method))


def _allow(leg: Leg, method: str) -> HeaderList:
    return () if method == "INFO" else [("Allow", leg.session.host.allow)]


async def _relay(other: Leg, inbound: InboundRequest) -> None:
    """Pass a request to the other side, and its answer back."""
    request = inbound.request
    try:
        response: Response | None = await other.request(
            request.method,
            body=request.body,
            content_type=request.headers.get("Content-Type") or "",
        )
    except LocalProtocolError:
        response = None
    except asyncio.CancelledError:
        inbound.reply(503)
        raise
    inbound.reply(408 if response is None else response.status)
