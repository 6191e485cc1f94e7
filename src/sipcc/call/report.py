"""The subscription that a REFER makes (RFC 3515): NOTIFYs of how the transfer goes, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.errors import LocalProtocolError
from sipcc.sip.refer import SIPFRAG, refer_event, sipfrag, subscription_state

if TYPE_CHECKING:
    from sipcc.call.leg import Leg
    from sipcc.sip import InboundRequest, Response

LIFE_S = 180
"""Seconds that the subscription is promised for: longer than any transfer rings."""


class Report:
    """Tells one transferor. The dialog is kept for it, also after a BYE, until the last word was taken."""

    def __init__(self, leg: Leg, number: int, *, first: bool) -> None:
        """`number` is the CSeq of the REFER; `first` says that it is the first one in the dialog."""
        self._session = leg.session  # not the leg, which keeps its report
        self._event = refer_event(number, first=first)
        self._waiting: int | None = None
        self._sending = False
        self._told = 0
        self._open = True
        self._session.hold_dialog()

    @property
    def over(self) -> bool:
        """True once the last word was sent, or nobody wants to hear it."""
        return not self._open

    def tell(self, status: int) -> None:
        """Tell a status; a final one ends the subscription. What is overtaken by a newer one is left out.

        The final one waits for nothing: the BYE comes right behind it, and phones forget with their call
        who wanted to know.
        """
        if not self._open or status == self._told or self._told >= 200:
            return
        if self._sending and status < 200:
            self._waiting = status
        else:
            self._send(status)

    def subscribed(self, inbound: InboundRequest) -> None:
        """The transferor refreshes the subscription, or ends it with ``Expires: 0``."""
        wanted = (inbound.request.headers.get("Expires") or "").strip()
        if not self._open:
            inbound.reply(481)
            return
        inbound.reply(200, headers=[("Expires", "0" if wanted == "0" else str(LIFE_S))])
        if wanted == "0":
            self._close()

    def _send(self, status: int) -> None:
        self._sending = True
        self._told = status
        final = status >= 200
        headers = [
            ("Event", self._event),
            ("Subscription-State", subscription_state(over=final, expires=LIFE_S)),
        ]
        try:
            self._session.send_request(
                "NOTIFY",
                body=sipfrag(status),
                content_type=SIPFRAG,
                headers=headers,
                on_response=lambda response: self._answered(response, final=final),
            )
        except LocalProtocolError:
            self._close()

    def _answered(self, response: Response | None, *, final: bool) -> None:
        if self._told >= 200 and not final:
            return
        self._sending = False
        waiting, self._waiting = self._waiting, None
        if final or response is None or response.status in (481, 405, 489, 501):
            self._close()
        elif waiting is not None:
            self._send(waiting)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._session.release_dialog()
