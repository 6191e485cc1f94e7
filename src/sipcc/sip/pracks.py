"""The PRACKs that one session sends (RFC 3262 §4).

A core that belongs to one `InviteSession` and works through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.sip.dialog import Dialog
from sipcc.sip.message import Response
from sipcc.sip.part import SessionPart

if TYPE_CHECKING:
    from sipcc.sip.session import InviteSession


class Pracks(SessionPart):
    """The PRACKs of one session."""

    def __init__(self, session: InviteSession) -> None:
        super().__init__(session)
        self.pending = 0
        """PRACKs without a final answer; what follows them must not overtake them."""

    def send(self, dialog: Dialog, response: Response, rseq: int, body: bytes = b"") -> None:
        """Acknowledge a reliable provisional response. Whatever comes back, the INVITE decides."""
        headers = [("RAck", f"{rseq} {response.cseq}")]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        self.pending += 1
        self._session.send_in_dialog(
            "PRACK", self._answered, self._failed, headers=headers, body=body, dialog=dialog
        )

    def _answered(self, response: Response) -> None:
        if response.status >= 200:
            self._done()

    def _failed(self, _error: Exception) -> None:
        self._done()

    def _done(self) -> None:
        self.pending -= 1
        if not self.pending:
            self._session.modification.resume()
