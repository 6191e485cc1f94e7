"""What may be asked of the far side of one leg while it lasts: holds, changes, transfers, requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sipcc.call.infokeys import RELAY, write_key
from sipcc.errors import LocalProtocolError
from sipcc.sip.refer import Replaces, is_over, refer_to, status_of

if TYPE_CHECKING:
    from sipcc.call.legowner import LegState
    from sipcc.call.negotiate import MediaNegotiation
    from sipcc.rtp.flow import MediaPort
    from sipcc.sip import InboundRequest, InviteSession, Response, SipUri
    from sipcc.sip.session_api import HeaderList

DigitMethod = Literal["rfc4733", "info"]


class Referring:
    """A REFER of ours under way: what its NOTIFYs tell."""

    def __init__(self, on_progress: Callable[[int], None] | None) -> None:
        self.status = 0
        """The last status that was told."""
        self.over = asyncio.Event()
        self._on_progress = on_progress

    def notified(self, inbound: InboundRequest) -> None:
        """Take a NOTIFY of the subscription."""
        inbound.reply(200)
        status = status_of(inbound.request.body)
        if status:
            self.status = status
            if self._on_progress is not None:
                self._on_progress(status)
        if status >= 200 or is_over(inbound.request.headers.get("Subscription-State")):
            self.over.set()


class LegVerbs:
    """The verbs of a leg that wait for the far side; `sipcc.call.leg.Leg` inherits them."""

    id: str
    state: LegState
    media: MediaPort
    negotiation: MediaNegotiation
    response: Response | None
    secret_keys: bool
    """True while the keys of this party are for the application alone."""
    _referring: Referring | None

    @property
    def session(self) -> InviteSession:
        """The INVITE session."""
        raise NotImplementedError

    @property
    def ended(self) -> bool:
        """True once the leg is over."""
        raise NotImplementedError

    @property
    def dialog(self) -> Replaces:
        """The name of this leg's dialog, as its far side would find it in a Replaces header."""
        session = self.session
        return Replaces(session.call_id, session.remote_tag, session.local_tag)

    def allows(self, method: str) -> bool:
        """False when the far side has said what it takes, and `method` is not among it."""
        message = self.response if self.response is not None else self.session.request
        named = [value.upper() for value in message.headers.values("Allow")]
        return not named or method in named

    # -- requests -------------------------------------------------------------------------------

    async def request(
        self, method: str, *, body: bytes = b"", content_type: str = "", headers: HeaderList = ()
    ) -> Response | None:
        """Send any request in the dialog, early or not; its final answer, or None when none came.

        Raises:
            LocalProtocolError: there is no dialog yet, or it is over.
        """
        done: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def answered(response: Response | None) -> None:
            if not done.done():
                done.set_result(response)

        self.session.send_request(
            method, body=body, content_type=content_type, headers=headers, on_response=answered
        )
        return await done

    async def send_info(self, content_type: str, body: bytes, *, headers: HeaderList = ()) -> int:
        """Send an INFO (RFC 6086); its final status, 0 when none came."""
        return _status(await self.request("INFO", body=body, content_type=content_type, headers=headers))

    async def send_message(
        self, text: str | bytes, *, content_type: str = "text/plain", headers: HeaderList = ()
    ) -> int:
        """Send a MESSAGE in the dialog (RFC 3428); its final status, 0 when none came."""
        body = text.encode("utf-8") if isinstance(text, str) else text
        return _status(await self.request("MESSAGE", body=body, content_type=content_type, headers=headers))

    async def ping(self, *, headers: HeaderList = ()) -> int:
        """Send an OPTIONS in the dialog; its final status, 0 when none came."""
        return _status(await self.request("OPTIONS", headers=headers))

    @property
    def takes_key_events(self) -> bool:
        """True when telephone-event was agreed (RFC 4733)."""
        params = self.negotiation.params
        return params is not None and params.event_payload_type is not None

    @property
    def keys_only_by_info(self) -> bool:
        """True when keys shall travel by INFO alone (``dtmf = "info"``)."""
        params = self.negotiation.params
        return params is not None and params.keys == "off"

    def secure_keys(self, on: bool) -> None:
        """Keep the keys of this party from the other one and from recordings, or no more."""
        self.secret_keys = on
        self.media.secure_keys(on)

    def send_digits(self, digits: str, *, method: DigitMethod | None = None, duration_ms: int = 100) -> None:
        """Send keys and return at once, as this party takes them: by INFO, or by the media.

        Those send RFC 4733 events where they were agreed, else tones. One after the other in either case; an
        INFO waits for the answer to the one before.
        """
        if method is None:
            method = "info" if self.keys_only_by_info else "rfc4733"
        if method == "rfc4733":
            self.media.send_digits(digits, duration_ms=duration_ms)
        elif digits:
            self._send_key(digits, duration_ms)

    def _send_key(self, digits: str, duration_ms: int) -> None:
        def answered(response: Response | None) -> None:
            if response is not None and len(digits) > 1 and not self.ended:
                self._send_key(digits[1:], duration_ms)

        body = write_key(digits[0], duration_ms)
        self.session.send_request("INFO", body=body, content_type=RELAY, on_response=answered)

    # -- transfer -------------------------------------------------------------------------------

    async def refer(
        self,
        target: SipUri | str,
        *,
        replaces: LegVerbs | Replaces | None = None,
        headers: HeaderList = (),
        on_progress: Callable[[int], None] | None = None,
        timeout: float = 60.0,
    ) -> int:
        """Ask the far side to call `target` (RFC 3515), and wait for what comes of it.

        Args:
            target: a SIP URI.
            replaces: a leg of ours, or its dialog, that the new call shall take the place of.
            headers: more headers of the REFER, such as Referred-By.
            on_progress: told each status that a NOTIFY brings.
            timeout: seconds to wait for the last NOTIFY.

        Returns:
            The refusal of the REFER, or the last status that was told; 202 when none was.
        """
        session = self.session
        if self._referring is not None:
            raise LocalProtocolError("a REFER is under way")
        dialog = replaces.dialog if isinstance(replaces, LegVerbs) else replaces
        referring = self._referring = Referring(on_progress)
        session.hold_dialog()
        try:
            asked = [("Refer-To", refer_to(target, dialog)), *headers]
            response = await self.request("REFER", headers=asked)
            if response is None or response.status >= 300:
                return _status(response) or 408
            async with asyncio.timeout(timeout):
                await referring.over.wait()
        except TimeoutError:
            return referring.status or 202
        finally:
            self._referring = None
            session.release_dialog()
        return referring.status or 202


def _status(response: Response | None) -> int:
    return 0 if response is None else response.status
