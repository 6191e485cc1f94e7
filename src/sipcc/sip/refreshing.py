"""Keeping a session alive: drives the session timer of RFC 4028 with UPDATE or re-INVITE.

A core that belongs to one `InviteSession` and works through it; `sipcc.sip.session_timer` has the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.sip.message import Request, Response
from sipcc.sip.part import SessionPart
from sipcc.sip.session_api import HeaderList, SessionState

if TYPE_CHECKING:
    from sipcc.sip.modify import Change
    from sipcc.sip.session import InviteSession


class Refreshing(SessionPart):
    """The refreshes of one session."""

    def __init__(self, session: InviteSession) -> None:
        super().__init__(session)

    def promise(self, request: Request) -> HeaderList:
        """Start the timer that our 2xx to `request` promises; returns the headers that say so."""
        session = self._session
        headers = session.timer.accept(request, now=session.host.now(), jitter=self._jitter())
        self._rearm()
        return headers

    def take(self, response: Response) -> None:
        """Start the timer that the peer's 2xx promises."""
        session = self._session
        session.timer.take_answer(response, now=session.host.now(), jitter=self._jitter())
        self._rearm()

    def due(self, now: float) -> None:
        """The session timer fired: refresh, or end a session that nobody refreshed."""
        session = self._session
        step = session.timer.expire(now=now)
        if step == "expired":
            session.ending.unanswered()
            return
        if step == "refresh" and not session.modification.refresh():
            session.timer.postpone(now=now)
        self._rearm()

    def answered(self, change: Change, response: Response) -> None:
        """A re-INVITE or UPDATE of ours has its final answer.

        To a refresh, only 408 and 481 end the call; whatever else keeps it (RFC 4028 §10).
        """
        session, status = self._session, response.status
        if session.state is not SessionState.CONFIRMED:
            return
        if status < 300:
            self.take(response)
        elif not change.refresh:
            return
        elif status in (408, 481):
            session.ending.unanswered()
        elif status in (405, 501) and change.method == "UPDATE" and session.timer.peer_updates:
            session.timer.peer_updates = False
            if not session.modification.refresh():
                self._later()
        else:
            self._later()

    def _later(self) -> None:
        self._session.timer.postpone(now=self._session.host.now())
        self._rearm()

    def _rearm(self) -> None:
        session, deadline = self._session, self._session.timer.deadline
        if deadline is not None and session.state is not SessionState.TERMINATED:
            session.set_due("timer", deadline)
        else:
            session.clear_due("timer")

    def _jitter(self) -> float:
        """A random number from 0 to 1."""
        session = self._session
        return session.host.ids.bits(8) / 255 if session.timer.enabled else 0.0
