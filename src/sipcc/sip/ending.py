"""How a session ends: who is told, the BYE and when it may leave, and what keeps the dialog after it.

A core that belongs to one `InviteSession` and works through it. A dialog may have other usages than the
session, such as the subscription that a REFER makes (RFC 5057): they outlive its BYE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.errors import LocalProtocolError
from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Request, Response
from sipcc.sip.part import SessionPart
from sipcc.sip.session_api import EndedBy, HeaderList, SessionState

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession


class Ending(SessionPart):
    """The end of one session."""

    def __init__(self, session: InviteSession) -> None:
        super().__init__(session)
        self._told = False
        self._bye_sent = False
        self._held_bye: HeaderList | None = None
        self._usages = 0
        self._finishing = False
        self._finished = False

    @property
    def held(self) -> bool:
        """True while another usage keeps the dialog."""
        return self._usages > 0

    @property
    def bye_waits(self) -> bool:
        """True while our BYE waits for the ACK to our 2xx."""
        return self._held_bye is not None

    def hold(self) -> None:
        """Another usage of the dialog begins."""
        self._usages += 1

    def release(self) -> None:
        """Another usage of the dialog is over."""
        if not self._usages:
            raise LocalProtocolError("the dialog is not held")
        self._usages -= 1
        if self._finished and not self._usages:
            self._session.host.finished(self._session)

    def end(self, by: EndedBy, request: Request | None) -> None:
        """Go to TERMINATED and tell the listener, once."""
        session = self._session
        session.terminate()
        if not self._told:
            self._told = True
            if session.listener is not None:
                session.listener.on_ended(session, by, request)

    def by_us(self, headers: HeaderList, *, after_ack: bool) -> None:
        """End by BYE, at once or as soon as the ACK to our 2xx has come (RFC 3261 §15)."""
        try:
            self.end("us", None)
        finally:  # a listener that raises must not leave the peer in the call
            if after_ack:
                self._held_bye = headers
            else:
                self.send_bye(headers)

    def by_peer(self, request: Request) -> None:
        """The peer's BYE came, and was answered."""
        self._held_bye = None
        try:
            self.end("peer", request)
        finally:
            self.finish()

    def lost(self) -> None:
        """The peer does not know the dialog any more."""
        if self._session.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            try:
                self.end("network", None)
            finally:
                self._session.unacked.clear()
                self.finish()

    def unanswered(self) -> None:
        """A request without an answer ends the dialog, with a BYE all the same (RFC 3261 §12.2.1.2)."""
        if self._session.state is SessionState.CONFIRMED:
            try:
                self.end("network", None)
            finally:
                self.send_bye()

    def unacknowledged(self) -> None:
        """No ACK came to our 2xx within 64*T1: end with a BYE (RFC 3261 §13.3.1.4)."""
        if self._finishing:
            self._session.unacked.clear()
            self.finish()
            return
        try:
            self.end("network", None)
        finally:
            self.release_bye()

    def release_bye(self) -> None:
        """Send the BYE that waited for an ACK."""
        headers, self._held_bye = self._held_bye, None
        self._session.stop_timers()
        self.send_bye(headers or ())

    def send_bye(self, headers: HeaderList = (), dialog: Dialog | None = None) -> None:
        """Send a BYE, by default in the dialog of the session; there only once."""
        session = self._session
        main = dialog is None or dialog is session.dialog
        if main and self._bye_sent:
            return
        self._bye_sent = self._bye_sent or main

        def done(response: Response | None) -> None:
            if main and (response is None or response.status >= 200):
                self.finish()

        session.send_in_dialog("BYE", done, lambda _error: done(None), headers=headers, dialog=dialog)

    def finish(self) -> None:
        """The session needs the dialog no more; it goes unless another usage holds it.

        A 2xx of either side is owed its ACK also after a BYE: ours is repeated until it comes (RFC 3261
        §13.3.1.4), and the final answer to a re-INVITE of ours is waited for.
        """
        session = self._session
        if len(session.unacked):
            self._finishing = True
            return
        session.stop_timers()
        self._finishing = session.modification.lingers()
        if self._finishing:
            return
        self._finished = True
        if not self._usages:
            session.host.finished(session)

    def go_on(self) -> None:
        """What `finish` waited for is over."""
        if self._finishing:
            self.finish()
