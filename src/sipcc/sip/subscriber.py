"""The subscribing side (RFC 6665 §4.1): one subscription with a peer, kept up until it is over for good.

The dialog is made by the first NOTIFY, which may overtake the answer to SUBSCRIBE. Where a proxy forked the
SUBSCRIBE, the first NOTIFY wins and those of other tags get 481, which ends their subscriptions
(RFC 6665 §4.1.4, §4.5.2). A subscription that its notifier ended is asked for again when the reason allows.

A core: time, sending and timers are the endpoint's. `sipcc.sip.notifications` is its face for coroutines.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipcc.errors import LocalProtocolError, RemoteProtocolError
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.fields import delta_seconds
from sipcc.sip.message import Request, Response
from sipcc.sip.subscription import MAX_RETRY_S, RETRY_LATER_S, EventType, SubscriptionState
from sipcc.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from sipcc.sip.auth import Credentials
    from sipcc.sip.endpoint import Endpoint
    from sipcc.sip.launching import Route
    from sipcc.sip.session_api import HeaderList
    from sipcc.sip.transaction.machine import ServerTransaction
    from sipcc.sip.transport.base import Flow

LONGEST_S = 86400 * 30
"""The longest subscription that a notifier can talk us into."""

SHORTEST_S = 1.0
"""Seconds from one beginning to the next at least, whatever the notifier says."""

MAX_TRIES = 8
"""Attempts in a row without a NOTIFY, after which it is over."""


class SubscriberState(StrEnum):
    """Where a subscription of ours stands (RFC 6665 Figure 1)."""

    WAITING = "notify_wait"
    """SUBSCRIBE is out, no NOTIFY came yet."""
    PENDING = "pending"
    """The notifier has not decided."""
    ACTIVE = "active"
    PAUSED = "paused"
    """The notifier ended it; it is asked for again later."""
    TERMINATED = "terminated"


class Notification(NamedTuple):
    """One NOTIFY."""

    state: SubscriptionState
    content_type: str
    """``type/subtype`` in lower case, or ``""`` when there is no body."""
    body: bytes
    request: Request


class SubscriberListener(Protocol):
    """Told of what happens to a subscription; called in the loop, must not block."""

    def on_notify(self, notification: Notification) -> None:
        """A NOTIFY came and was answered with 200."""
        ...

    def on_terminated(self, reason: str) -> None:
        """It is over for good: a reason (RFC 6665 §4.1.3), or what we have to say about it.

        That is ``unsubscribed``, ``no answer``, a status, or ``stopped`` when the endpoint was.
        """
        ...


class ClientSubscription:
    """One subscription of ours; a `Usage` of the endpoint, made by `Endpoint.subscribe`."""

    def __init__(
        self,
        endpoint: Endpoint,
        target: SipUri,
        *,
        event: str,
        from_: NameAddr,
        to: NameAddr | None,
        accept: str,
        expires: int,
        headers: HeaderList,
        route: Callable[[], Route],
        credentials: Credentials | None,
        listener: SubscriberListener,
    ) -> None:
        parsed = EventType.parse(event.encode("utf-8", "surrogateescape"))
        if parsed is None:
            raise LocalProtocolError(f"no event: {event!r}")
        self.event = parsed
        self.state = SubscriberState.PAUSED
        self.listener = listener
        self.credentials = credentials
        self.contact_user = from_.uri.user or ""
        self.call_id = ""
        self.local_tag = ""
        self.heaped: float | None = None
        self.flow: Flow
        self._endpoint = endpoint
        self._outbound = endpoint.outbound
        self._target = target
        self._from = from_
        self._to = to or NameAddr(target)
        self._accept = accept
        self._wish = expires
        self._headers = headers
        self._find_route = route
        self._dialog: Dialog | None = None
        self._cseq = 0
        self._tries = 0
        self._began_at = 0.0
        self._asking = False
        self._leaving = False
        self._due: dict[str, float] = {}

    # -- verbs ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Send SUBSCRIBE, in a new dialog."""
        outbound = self._outbound
        if self.state is not SubscriberState.PAUSED:
            outbound.close_usage(self)
        self.call_id, self.local_tag = outbound.ids.call_id(), outbound.ids.tag()
        self._dialog = None
        self._cseq = 1
        self._tries += 1
        self._began_at = outbound.now()
        self.state = SubscriberState.WAITING
        # RFC 6665 §4.1.2.4, Timer N: without a NOTIFY there is no subscription, whatever the answer said
        self._due = {"notify": outbound.now() + outbound.timers.timeout}
        request = Request.build(
            "SUBSCRIBE",
            self._target,
            headers=[
                ("Max-Forwards", "70"),
                ("From", str(self._from.with_tag(self.local_tag))),
                ("To", str(self._to)),
                ("Call-ID", self.call_id),
                ("CSeq", "1 SUBSCRIBE"),
                *self._own_headers(self._wish),
            ],
        )
        route = self._find_route()
        if route.flow is not None:
            self.flow = route.flow
        outbound.open_usage(self)
        outbound.routes[self] = route
        self._asking = True
        outbound.send(
            self, request, self._answered_of(self.call_id), self._failed_of(self.call_id), dialog=None
        )
        outbound.changed(self)

    def stop(self) -> None:
        """Unsubscribe; the listener is told when the notifier has confirmed, or does not answer."""
        if self._leaving or self.state is SubscriberState.TERMINATED:
            return
        self._leaving = True
        if self._dialog is None:
            if self.state is SubscriberState.PAUSED:
                self._finish("unsubscribed")
            return  # else: the first NOTIFY brings the dialog in which we can leave
        self._due = {"notify": self._outbound.now() + self._outbound.timers.timeout}
        self._ask(0)

    def abandon(self) -> None:
        """It is over without a word to the notifier, whose time runs out."""
        self._finish("stopped")

    # -- what the endpoint calls ----------------------------------------------------------------------

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a NOTIFY."""
        request = transaction.request
        status, headers = self._verdict(request)
        answer = build_response(
            request, status, to_tag=self.local_tag, headers=[*headers, *self._outbound.response_headers]
        )
        if status == 200:
            self.flow = transaction.source
        self._outbound.respond(transaction, answer)
        state = SubscriptionState.parse(request.headers.get_raw("Subscription-State"))
        if status == 200 and state is not None:
            self._take(request, state)

    @property
    def deadline(self) -> float | None:
        """When the endpoint shall call `expire`."""
        return min(self._due.values()) if self._due else None

    def expire(self, *, now: float) -> None:
        """Refresh, begin again, or give up."""
        for name in [name for name, at in self._due.items() if at <= now]:
            if self._due.pop(name, None) is None:
                continue  # what came before it has changed the plan
            if name == "notify":
                self._lost("no answer")
            elif name == "again":
                self.start()
            elif name == "refresh":
                self._ask(self._wish)
            elif name == "end":
                self._again(0.0, "timeout")
            if self.state is SubscriberState.TERMINATED:
                return

    # -- NOTIFY ---------------------------------------------------------------------------------------

    def _verdict(self, request: Request) -> tuple[int, HeaderList]:
        """Status and headers of the answer to a request; the first NOTIFY makes the dialog."""
        if request.method != "NOTIFY":
            return 405, [("Allow", self._outbound.allow)]
        event = EventType.parse(request.headers.get_raw("Event"))
        if self.state is SubscriberState.TERMINATED or event is None or event.key != self.event.key:
            return 481, ()
        if SubscriptionState.parse(request.headers.get_raw("Subscription-State")) is None:
            return 400, ()
        if self._dialog is None:
            self._dialog = Dialog(
                call_id=self.call_id,
                local=self._from.with_tag(self.local_tag),
                remote=request.from_,
                remote_target=request.contacts[0].uri if request.contacts else self._target,
                route_set=request.record_routes,
                local_cseq=self._cseq,
            )
        if request.from_.tag != self._dialog.remote_tag:
            return 481, ()
        try:
            self._dialog.receive(request)
        except RemoteProtocolError as error:
            return error.status_hint, ()
        self._dialog.refresh(request)
        return 200, ()

    def _take(self, request: Request, state: SubscriptionState) -> None:
        first = self.state is SubscriberState.WAITING
        if not state.terminated:
            self._tries = 0
        if not self._leaving:
            self._due.pop("notify", None)
        self.listener.on_notify(Notification(state, request.content_type, request.body, request))
        if self.state is SubscriberState.TERMINATED:
            return
        if state.terminated:
            self._ended(state)
            return
        self.state = SubscriberState.PENDING if state.state == "pending" else SubscriberState.ACTIVE
        if state.expires is not None:
            self._lasts(state.expires)
        elif first:
            self._lasts(self._wish)
        if first and self._leaving:
            self._leaving = False
            self.stop()

    def _ended(self, state: SubscriptionState) -> None:
        if self._leaving:
            self._finish("unsubscribed")
            return
        pause = state.resubscribe_after()
        if pause is None or self._wish == 0:
            self._finish(state.reason or "terminated")
        else:
            self._again(pause, state.reason or "terminated")

    # -- SUBSCRIBE ------------------------------------------------------------------------------------

    def _own_headers(self, expires: int) -> list[tuple[str, str]]:
        found = [("Event", str(self.event)), ("Expires", str(expires))]
        if self._accept:
            found.append(("Accept", self._accept))
        return [*found, ("Allow", self._outbound.allow), *self._headers, *self._outbound.request_headers]

    def _ask(self, expires: int) -> None:
        """Send SUBSCRIBE in the dialog."""
        dialog = self._dialog
        if dialog is None or (self._asking and expires):
            return
        self._asking = True
        headers = [("Contact", self._outbound.contact(self)), *self._own_headers(expires)]
        request = dialog.request("SUBSCRIBE", headers=headers)
        call_id = self.call_id
        self._outbound.send(
            self, request, self._answered_of(call_id), self._failed_of(call_id), dialog=dialog
        )
        self._outbound.changed(self)

    def _answered_of(self, call_id: str) -> Callable[[Response], None]:
        def answered(response: Response) -> None:
            if response.status >= 200 and call_id == self.call_id:
                self._asking = False
                self._answered(response)

        return answered

    def _failed_of(self, call_id: str) -> Callable[[Exception], None]:
        def failed(_error: Exception) -> None:
            if call_id == self.call_id:
                self._asking = False
                self._refused(None)

        return failed

    def _answered(self, response: Response) -> None:
        self._cseq = max(self._cseq, response.cseq.number)
        if self._dialog is not None:
            self._dialog.local_cseq = max(self._dialog.local_cseq, self._cseq)
        if self.state in (SubscriberState.TERMINATED, SubscriberState.PAUSED):
            return
        if response.status < 300:
            granted = delta_seconds(response.headers.get_raw("Expires"))
            if not self._leaving and granted is not None:
                self._lasts(granted)
        elif response.status == 423 and self._longer(response):
            if self._dialog is None:
                self.start()
            else:
                self._ask(self._wish)
        else:
            self._refused(response)

    def _longer(self, response: Response) -> bool:
        """Take the interval that a 423 demands; False when it makes no sense."""
        least = delta_seconds(response.headers.get_raw("Min-Expires"))
        if least is None or not self._wish < least <= LONGEST_S or self._tries >= MAX_TRIES:
            return False
        self._wish = least
        return True

    def _refused(self, response: Response | None) -> None:
        """SUBSCRIBE was refused, or not answered at all."""
        if self._leaving:
            self._finish("unsubscribed")
            return
        status = response.status if response is not None else 408
        reason = "no answer" if response is None else str(status)
        pause = delta_seconds(response.headers.get_raw("Retry-After")) if response is not None else None
        if self._dialog is not None and status == 481:
            self._again(0.0, reason)
        elif self._dialog is not None and "end" in self._due:
            # RFC 6665 §4.1.2.2: a refresh that fails leaves the subscription as it was, until its time ends
            self._due["refresh"] = self._outbound.now() + max(self._left() / 2, 1.0)
            self._outbound.changed(self)
        elif pause is not None or response is None or status in (408, 480, 500, 503, 504):
            self._again(float(pause) if pause is not None else RETRY_LATER_S, reason)
        else:
            self._finish(reason)

    def _lost(self, reason: str) -> None:
        if self._leaving:
            self._finish("unsubscribed")
        else:
            self._again(RETRY_LATER_S, reason)

    def _lasts(self, seconds: int) -> None:
        """It is good for that long: refresh well before."""
        now = self._outbound.now()
        seconds = min(seconds, LONGEST_S)
        if self._leaving or seconds == 0:
            return
        self._due["end"] = now + seconds
        self._due["refresh"] = now + max(seconds - 32.0, seconds / 2)
        self._outbound.changed(self)

    def _left(self) -> float:
        return self._due.get("end", 0.0) - self._outbound.now()

    def _again(self, pause: float, reason: str) -> None:
        """Begin anew after `pause` seconds, unless that has been tried too often."""
        if self._tries >= MAX_TRIES or self._leaving or self._wish == 0:
            self._finish(reason)
            return
        self.state = SubscriberState.PAUSED
        self._outbound.close_usage(self)
        self._dialog = None
        now = self._outbound.now()
        # a notifier that ends each subscription as it begins must not turn us into a mill
        pause = max(min(pause, MAX_RETRY_S), float(self._tries), SHORTEST_S - (now - self._began_at))
        self._due = {"again": now + pause}
        self._outbound.changed(self)

    def _finish(self, reason: str) -> None:
        if self.state is not SubscriberState.TERMINATED:
            self.state = SubscriberState.TERMINATED
            self._due = {}
            self._outbound.close_usage(self)
            self._outbound.at_stop.pop(self, None)
            self.listener.on_terminated(reason)
