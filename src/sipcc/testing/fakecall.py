"""One call of a fake party, read in a test from top to bottom.

    call = await carrier.call("4008123456", caller="13800138000")
    await call.answered()
    await call.hears(440)
    await call.press("1")
    await call.hangup()

Each verb that waits has a limit of its own and fails with `NotSeenError`, which tells what was seen instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc.errors import CallRejected
from sipcc.rtp.flow import CodecName
from sipcc.sip import SessionEvents
from sipcc.sip.refer import Replaces, refer_to, status_of
from sipcc.testing import audio, sdp
from sipcc.testing.audio import Samples
from sipcc.testing.media import FakeMedia
from sipcc.testing.sdp import Description, Direction
from sipcc.testing.srtp import Secret

if TYPE_CHECKING:
    from sipcc.sip import InboundRequest, InviteSession, Request, Response

State = Literal["trying", "ringing", "answered", "ended"]

POLL_S = 0.02
"""How often a condition on sound is looked at: once per packet."""


class NotSeenError(AssertionError):
    """What a test waited for did not happen in time."""


class Moment(msgspec.Struct, frozen=True):
    """Something that happened to a call, and when (seconds of the loop's clock)."""

    at: float
    what: str


class FakeCall(SessionEvents):
    """A call of a `FakePhone` or `FakeCarrier`; it is the listener of its session."""

    def __init__(
        self,
        media: FakeMedia,
        *,
        role: Literal["caller", "callee"],
        codecs: tuple[CodecName, ...],
        name: str,
        late_offer: bool = False,
    ) -> None:
        self.name = name
        self.media = media
        self.role = role
        self.state: State = "trying"
        self.moments: list[Moment] = []
        """What happened, in order: ``invite``, ``ringing``, ``answered``, ``hold`` ... ``ended``."""
        self.ended_by: Literal["peer", "us", "network", "rejected", "cancelled", ""] = ""
        self.status = 0
        """The final status of the INVITE; 0 as long as there is none."""
        self.request: Request | None = None
        """The INVITE; the one received when we are the callee."""
        self.theirs: Description | None = None
        """The last description from the other side."""
        self.infos: list[Request] = []
        self.requests: list[Request] = []
        """All requests within the call, oldest first, but for offers and BYE."""
        self.provisionals: list[Response] = []
        """The responses above 100 that came before the final one."""
        self.progress: list[int] = []
        """What the NOTIFYs of our REFERs have told."""
        self.takes: Callable[[InboundRequest], None] = lambda inbound: inbound.reply(405)
        """What becomes of a REFER or another request that phones do not all know."""
        self._referred = False
        self.on_end: Callable[[FakeCall], None] = lambda call: None
        self.secret: Secret | None = None
        """The keys of the call, for a party that does SRTP."""
        self._codecs = codecs
        self._late_offer = late_offer
        self._session: InviteSession | None = None
        self._version = 1
        self._direction: Direction = "sendrecv"
        self._reinvited: asyncio.Future[int] | None = None
        self._changed: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._note("invite")

    # -- what a test waits for ------------------------------------------------------------------------

    async def ringing(self, timeout: float = 10.0) -> FakeCall:
        """Wait for 180 or 183; an answer counts as well."""
        await self._until(lambda: self.state != "trying", timeout, "ringing")
        self._raise_if_rejected()
        return self

    async def answered(self, timeout: float = 10.0) -> FakeCall:
        """Wait until the call is answered.

        Raises:
            CallRejected: it was refused instead.
        """
        await self._until(lambda: self.state in ("answered", "ended"), timeout, "answered")
        self._raise_if_rejected()
        return self

    async def ended(self, timeout: float = 10.0) -> str:
        """Wait until the call is over; who ended it, as in `ended_by`."""
        await self._until(lambda: self.state == "ended", timeout, "ended")
        return self.ended_by

    async def hears(self, frequency_hz: float, timeout: float = 5.0, *, seconds: float = 0.2) -> None:
        """Wait until a tone makes up most of what was heard in the last `seconds`."""
        await self._poll(
            lambda: audio.tone_share(self.media.heard(seconds), frequency_hz) >= 0.8,
            timeout,
            f"{frequency_hz:g} Hz",
        )

    async def hears_silence(self, timeout: float = 5.0, *, seconds: float = 0.2) -> None:
        """Wait until nothing was heard for `seconds`."""
        await self._poll(lambda: audio.is_silent(self.media.heard(seconds)), timeout, "silence")

    async def gets_digits(self, digits: str, timeout: float = 5.0) -> None:
        """Wait until exactly these keys came by RFC 4733."""
        await self._poll(lambda: self.media.digits == digits, timeout, f"the keys {digits!r}")

    # -- what a test does -----------------------------------------------------------------------------

    def heard(self, seconds: float = 1.0) -> Samples:
        """What was heard in the last `seconds`."""
        return self.media.heard(seconds)

    def tones(self, seconds: float = 0.5) -> list[int]:
        """The tones of the last `seconds` in whole Hz, strongest first."""
        return self.media.tones(seconds)

    async def press(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Press keys by RFC 4733, and return when the last one has been sent."""
        self.media.press(digits, duration_ms=duration_ms, gap_ms=gap_ms)
        limit = 1.0 + len(digits) * (duration_ms + gap_ms + 200) / 1000
        await self._poll(lambda: not self.media.pressing, limit, "the keys to be sent")

    async def hold(self) -> int:
        """Put the other side on hold by re-INVITE; the final status."""
        return await self.reinvite("sendonly")

    async def resume(self) -> int:
        """Take the other side back; the final status."""
        return await self.reinvite("sendrecv")

    async def reinvite(
        self, direction: Direction, *, codecs: tuple[CodecName, ...] | None = None, timeout: float = 10.0
    ) -> int:
        """Offer the audio anew and return the final status; 0 when none came."""
        self._direction = direction
        self._codecs = codecs or self._codecs
        self._version += 1
        self._reinvited = self._loop.create_future()
        self._session_now.reinvite(self._describe())
        async with asyncio.timeout(timeout):
            return await self._reinvited

    async def hangup(self) -> None:
        """End the call by BYE, CANCEL or 486, as its state asks for; does nothing when it is over."""
        if self.state == "ended":
            return
        if self.state == "answered":
            self._session_now.bye()
            self._end("us", 200)
        elif self.role == "caller":
            self._session_now.cancel()
            await self.ended()
        else:
            self.decline(486)

    def ring(
        self, status: int = 180, *, early: bool = False, reliable: bool | None = None, gate: str = ""
    ) -> None:
        """Callee: send a provisional answer; with `early` our description too, and our audio begins.

        `gate` is a P-Early-Media header (RFC 5009).
        """
        body = b""
        if early and self.theirs is not None:
            body = self._describe(answer=True)
            self._start_media(self.theirs)
        headers = [("P-Early-Media", gate)] if gate else []
        self._session_now.ring(status, body=body, headers=headers, reliable=reliable)
        self.state = "ringing"
        self._note("ringing")

    def answer(self) -> None:
        """Callee: send 200; does nothing when the caller has gone."""
        if self.state == "ended":
            return
        self.state = "answered"
        self.status = 200
        if self.theirs is not None:
            self._start_media(self.theirs)
        self._session_now.accept(self._describe(answer=self.theirs is not None))
        self._note("answered")

    def decline(self, status: int = 603) -> None:
        """Callee: refuse."""
        if self.state != "ended":
            self._session_now.reject(status)
            self._end("us", status)

    def redirect(self, *contacts: str, status: int = 302) -> None:
        """Callee: refuse with other places to try."""
        headers = [("Contact", f"<{contact}>") for contact in contacts]
        self._session_now.reject(status, headers=headers)
        self._end("us", status)

    async def send(
        self,
        method: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
        timeout: float = 40.0,
    ) -> int:
        """Send any request in the dialog; its final status, 0 when none came."""
        answered: asyncio.Future[int] = self._loop.create_future()

        def done(response: Response | None) -> None:
            if not answered.done():
                answered.set_result(0 if response is None else response.status)

        self._session_now.send_request(
            method, headers=headers, body=body, content_type=content_type, on_response=done
        )
        async with asyncio.timeout(timeout):
            return await answered

    async def refer(self, target: str, *, replaces: FakeCall | None = None) -> int:
        """Ask the other side to call `target`, in place of the call `replaces`; the status of the REFER.

        What comes of it stands in `progress`, as a phone sees it that subscribes by the REFER.
        """
        if not self._referred:
            self._referred = True
            self._session_now.hold_dialog()
        dialog = replaces.dialog if replaces is not None else None
        return await self.send("REFER", headers=[("Refer-To", refer_to(target, dialog))])

    async def told(self, status: int, timeout: float = 40.0) -> None:
        """Wait until a NOTIFY of our REFER has told `status`."""
        await self._until(lambda: status in self.progress, timeout, f"NOTIFY of {status}")

    @property
    def dialog(self) -> Replaces:
        """The name of this call's dialog, as the other side would find it in a Replaces header."""
        session = self._session_now
        return Replaces(session.call_id, session.remote_tag, session.local_tag)

    def vanish(self) -> None:
        """Send nothing any more, neither audio nor signalling, as a phone without power."""
        self.media.muted = True

    # -- for the party that makes the call ------------------------------------------------------------

    def offer(self) -> bytes:
        """The body of our INVITE; empty for a late offer."""
        return b"" if self._late_offer else self._describe()

    def attach(self, session: InviteSession) -> None:
        """Tie the call to its session."""
        self._session = session
        self.request = session.request
        session.listener = self
        if self.role == "callee" and session.request.body:
            self.theirs = sdp.read(session.request.body)

    # -- sipcc.sip.SessionListener ----------------------------------------------------------------------

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        """180 or 183; early media is heard."""
        if response.status > 100 and self.state == "trying":
            self.state = "ringing"
            self._note("ringing")
        self.provisionals.append(response)
        if response.body and self.theirs is None:
            self.theirs = sdp.read(response.body)
            self._start_media(self.theirs)
        if session.owes_prack(response):
            session.acknowledge_provisional(response, self._describe(answer=True))

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        """200 to our INVITE."""
        self.state = "answered"
        self.status = response.status
        if response.body:  # else a reliable 18x has brought the answer
            self.theirs = sdp.read(response.body)
        if self._late_offer and session.owes_ack:
            session.acknowledge(self._describe(answer=True) if response.body else b"")
        if self.theirs is not None:
            self._start_media(self.theirs)
        self._note("answered")

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        """A final refusal, or no answer at all."""
        self._end("rejected" if response is not None else "network", response.status if response else 0)

    def on_cancelled(self, session: InviteSession) -> None:
        """The caller gave up before we answered."""
        self._end("cancelled", 487)

    def on_acknowledged(self, session: InviteSession, body: bytes) -> None:
        """ACK to our 200; it carries the answer when the offer was ours."""
        if body and self.theirs is None:
            self.theirs = sdp.read(body)
            self._start_media(self.theirs)
        self._note("acknowledged")

    def on_offer(self, session: InviteSession, request: Request) -> None:
        """A re-INVITE: agree to whatever is offered."""
        self._version += 1
        if request.body:
            self.theirs = sdp.read(request.body)
            self._start_media(self.theirs)
        session.answer_offer(self._describe(answer=bool(request.body)))
        self._note("offered")

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        """The answer to our re-INVITE."""
        if response is not None and response.status < 300 and response.body:
            self.theirs = sdp.read(response.body)
            self._start_media(self.theirs)
        if self._reinvited is not None and not self._reinvited.done():
            self._reinvited.set_result(response.status if response is not None else 0)

    def on_ended(
        self, session: InviteSession, by: Literal["peer", "us", "network"], request: Request | None
    ) -> None:
        """BYE, or the dialog was lost."""
        self._end(by, self.status or 200)

    def on_request(self, session: InviteSession, inbound: InboundRequest) -> None:
        """INFO, MESSAGE and NOTIFY are taken and noted; `takes` decides about anything else."""
        request = inbound.request
        self.requests.append(request)
        if request.method == "INFO":
            self.infos.append(request)
        status = status_of(request.body) if request.method == "NOTIFY" else 0
        if status:
            self.progress.append(status)
        if request.method in ("INFO", "MESSAGE", "NOTIFY"):
            inbound.reply(200)
        else:
            self.takes(inbound)
        self._note(request.method.lower())

    # -- inside ---------------------------------------------------------------------------------------

    @property
    def _session_now(self) -> InviteSession:
        if self._session is None:
            raise RuntimeError("the call has no session yet")
        return self._session

    def _describe(self, *, answer: bool = False) -> bytes:
        codecs, direction = self._codecs, self._direction
        event_type = sdp.EVENT_PAYLOAD_TYPE
        if answer and self.theirs is not None:
            peer = sdp.peer_of(self.theirs, self._codecs)
            codecs = (peer.codec,) if peer is not None else self._codecs
            direction = sdp.answer_direction(self.theirs.direction, self._direction)
            event_type = self.theirs.event_payload_type or event_type
        body = sdp.write(
            self.media.host,
            self.media.port,
            codecs=codecs,
            direction=direction,
            version=self._version,
            event_payload_type=event_type,
        )
        if self.secret is None:
            return body
        return self.secret.write(body, answer=self.theirs.protocol if answer and self.theirs else "")

    def _start_media(self, theirs: Description) -> None:
        peer = sdp.peer_of(theirs, self._codecs)
        if peer is None:
            raise RuntimeError(f"{self.name}: no codec in common with {theirs.codecs}")
        if self.secret is not None:
            self.secret.learn(theirs.crypto)
            self.media.secret = self.secret
        self.media.start(peer)

    def _end(self, by: Literal["peer", "us", "network", "rejected", "cancelled"], status: int) -> None:
        if self.state == "ended":
            return
        self.state = "ended"
        self.ended_by = by
        self.status = status
        self.media.close()
        self._note("ended")
        self.on_end(self)

    def _note(self, what: str) -> None:
        self.moments.append(Moment(self._loop.time(), what))
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def _raise_if_rejected(self) -> None:
        if self.state == "ended" and self.ended_by in ("rejected", "network"):
            raise CallRejected(self.status)

    async def _until(self, reached: Callable[[], bool], timeout: float, what: str) -> None:
        try:
            async with asyncio.timeout(timeout):
                while not reached():
                    self._changed = self._loop.create_future()
                    await self._changed
        except TimeoutError:
            raise NotSeenError(self._report(what, timeout)) from None

    async def _poll(self, reached: Callable[[], bool], timeout: float, what: str) -> None:
        give_up_at = self._loop.time() + timeout
        while not reached():
            if self._loop.time() >= give_up_at or self.state == "ended":
                raise NotSeenError(self._report(what, timeout))
            await asyncio.sleep(POLL_S)  # sound has no event to wait for

    def _report(self, what: str, timeout: float) -> str:
        story = ", ".join(f"{moment.what} {moment.at - self.moments[0].at:+.3f}" for moment in self.moments)
        return (
            f"{self.name}: no {what} within {timeout:g} s; {self.state} {self.ended_by} {self.status or ''}; "
            f"moments: {story}; {len(self.media.received)} packets came, {self.media.sent} went, "
            f"tones {self.media.tones(0.5)}, keys {self.media.digits!r}"
        )
