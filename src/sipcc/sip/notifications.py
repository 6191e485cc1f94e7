"""What a subscription of ours tells, for coroutines: ``async for notification in subscriber``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Required, TypedDict

from sipcc.sip.subscriber import ClientSubscription, SubscriberState
from sipcc.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from sipcc.sip.auth import Credentials
    from sipcc.sip.endpoint import Endpoint
    from sipcc.sip.launching import Route
    from sipcc.sip.session_api import HeaderList
    from sipcc.sip.subscriber import Notification
    from sipcc.sip.transport.base import Address, Flow, TransportName

MAX_WAITING = 256
"""Notifications that wait for their reader; beyond that the oldest falls out, the newest says most."""


class Subscriber:
    """A subscription of ours as `Endpoint.subscribe` returns it.

    Iteration ends when the subscription is over for good; `reason` says why. It may be left at any time;
    `stop` then takes the subscription back.
    """

    def __init__(self) -> None:
        self.subscription: ClientSubscription
        self.reason = ""
        """Why it is over, ``""`` while it is not."""
        self.lost = 0
        """Notifications that nobody read in time."""
        self._waiting: asyncio.Queue[Notification | None] = asyncio.Queue()
        self._over = asyncio.Event()

    @property
    def state(self) -> SubscriberState:
        """Where the subscription stands."""
        return self.subscription.state

    def on_notify(self, notification: Notification) -> None:
        """`SubscriberListener`: keep it for the reader."""
        if self._waiting.qsize() >= MAX_WAITING:
            self._waiting.get_nowait()
            self.lost += 1
        self._waiting.put_nowait(notification)

    def on_terminated(self, reason: str) -> None:
        """`SubscriberListener`: let the reader come to its end."""
        self.reason = reason
        self._over.set()
        self._waiting.put_nowait(None)

    async def stop(self) -> str:
        """Unsubscribe and wait until it is over, 64*T1 at most; why it is."""
        self.subscription.stop()
        await self._over.wait()
        return self.reason

    def __aiter__(self) -> Subscriber:
        return self

    async def __anext__(self) -> Notification:
        found = None if self._over.is_set() and self._waiting.empty() else await self._waiting.get()
        if found is None:
            raise StopAsyncIteration
        return found


class SubscribeOptions(TypedDict, total=False):
    """What `Endpoint.subscribe` takes besides its target."""

    event: Required[str]
    """The event package with its parameters: ``dialog``, ``message-summary``, ``reg`` ..."""
    from_: Required[NameAddr]
    to: NameAddr | None
    accept: str
    """Value of the Accept header; absent for the usual type of the package."""
    expires: int
    """Seconds, 3600 by default; 0 fetches the state once."""
    headers: HeaderList
    route: Flow | None
    destination: Address | None
    transport: TransportName | None
    credentials: Credentials | None


def subscribe(
    endpoint: Endpoint, target: SipUri, find_route: Callable[[], Route], options: SubscribeOptions
) -> Subscriber:
    """Begin a subscription; see `Endpoint.subscribe`."""
    subscriber = Subscriber()
    subscriber.subscription = ClientSubscription(
        endpoint,
        target,
        event=options["event"],
        from_=options["from_"],
        to=options.get("to"),
        accept=options.get("accept", ""),
        expires=options.get("expires", 3600),
        headers=options.get("headers", ()),
        route=find_route,
        credentials=options.get("credentials"),
        listener=subscriber,
    )
    endpoint.outbound.at_stop[subscriber.subscription] = subscriber.subscription.abandon
    with endpoint.pumping():
        subscriber.subscription.start()
    return subscriber
