"""The notifier: takes SUBSCRIBE, keeps the dialogs of subscriptions, and sends their NOTIFYs (RFC 6665 §4.2).

Nothing is kept for anybody who is not admitted as a watcher, and what is kept is bounded for each watcher
and in all. All time comes from the endpoint, and so do its timers; there are no tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sipcc.errors import RemoteProtocolError
from sipcc.sip.admission import Admitted
from sipcc.sip.build import response as build_response
from sipcc.sip.dialog import Dialog
from sipcc.sip.fields import delta_seconds
from sipcc.sip.incoming import InboundRequest
from sipcc.sip.message import Request, Response
from sipcc.sip.subscription import EventPackage, EventType, SubscriptionSettings, Watch, granted

if TYPE_CHECKING:
    from sipcc.sip.endpoint import Endpoint
    from sipcc.sip.session_api import HeaderList
    from sipcc.sip.transaction.machine import ServerTransaction

PER_DIALOG = 16
"""Subscriptions that share one dialog."""
FULL_RETRY_AFTER = "60"
"""Seconds that a watcher is told to wait when there are too many subscriptions in all."""
CLOSE_RETRY_AFTER = 5
"""Seconds that watchers are told to wait when we stop."""

WatcherOf = Callable[[InboundRequest], str | None]
MayWatch = Callable[[str, EventPackage, str], bool]


def proven_user(inbound: InboundRequest) -> str | None:
    """Who subscribes: the user whom admission found; None, which earns 403, for anybody else."""
    admitted = inbound.admitted
    return admitted.user if isinstance(admitted, Admitted) else None


class Notifier:
    """All subscriptions that peers hold with this endpoint.

    `watcher_of` names who sent a SUBSCRIBE, or None for nobody who may; `may_watch` decides about
    (watcher, package, resource).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        packages: Iterable[EventPackage],
        *,
        settings: SubscriptionSettings | None = None,
        watcher_of: WatcherOf = proven_user,
        may_watch: MayWatch = lambda watcher, package, resource: True,
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings or SubscriptionSettings()
        self.packages = {package.name: package for package in packages}
        self.watcher_of = watcher_of
        self.may_watch = may_watch
        self.held: Counter[str] = Counter()
        """Subscriptions by watcher."""
        self._of_resource: dict[tuple[str, str], dict[Subscription, None]] = {}
        for package in self.packages.values():
            package.changed = self._follow(package.name)
        endpoint.on_request["SUBSCRIBE"] = self._on_subscribe
        endpoint.outbound.allow_also("SUBSCRIBE", "NOTIFY")

    def __len__(self) -> int:
        """How many subscriptions there are."""
        return sum(len(held) for held in self._of_resource.values())

    @property
    def allow_events(self) -> str:
        """Value of the Allow-Events header."""
        return ", ".join(sorted(self.packages))

    def watchers(self, package: str, resource: str) -> list[str]:
        """Who watches `resource`, one entry for each subscription."""
        return [held.usage.watcher for held in self._of_resource.get((package, resource), ())]

    def end(self, package: str, resource: str, reason: str = "noresource") -> None:
        """End all subscriptions to `resource`."""
        with self.endpoint.pumping():
            for held in list(self._of_resource.get((package, resource), ())):
                held.end(reason)

    def close(self) -> None:
        """End all subscriptions, to be taken up again in a moment; nobody waits for the answers."""
        with self.endpoint.pumping():
            for subscriptions in list(self._of_resource.values()):
                for held in list(subscriptions):
                    held.end("probation", retry_after=CLOSE_RETRY_AFTER)

    # -- what comes in --------------------------------------------------------------------------------

    def _on_subscribe(self, inbound: InboundRequest) -> None:
        request = inbound.request
        if not request.contacts or request.contacts[0].uri.scheme not in {"sip", "sips"}:
            inbound.reply(400, "Missing Contact")  # NOTIFY would have nowhere to go (RFC 6665 §4.1.3)
            return
        watcher = self.watcher_of(inbound)
        if not watcher:
            inbound.reply(403)
            return
        usage = WatchDialog(self, inbound, watcher)
        refused = usage.subscribe(request, inbound.respond)
        if refused is not None:
            inbound.reply(refused[0], refused[1] or None, headers=refused[2])

    def judge(
        self, request: Request, watcher: str
    ) -> tuple[EventPackage, EventType, str, int] | tuple[int, str, HeaderList]:
        """Package, event, resource and seconds of a new subscription; or status, reason and headers."""
        event = EventType.parse(request.headers.get_raw("Event"))
        package = self.packages.get(event.package) if event is not None else None
        if event is None or package is None:
            return 489, "", [("Allow-Events", self.allow_events)]
        if not _accepts(request, package.content_type):
            return 406, "", [("Accept", package.content_type)]
        resource = package.resource_of(request.uri)
        if resource is None:
            return 404, "", []
        if not self.may_watch(watcher, package, resource):
            return 403, "", []
        seconds = self.seconds(request, package)
        if seconds is None:
            return 423, "", [("Min-Expires", str(self.settings.min_expires))]
        if self.held[watcher] >= self.settings.per_user:
            return 403, "Too Many Subscriptions", []
        if self.held.total() >= self.settings.total:
            return 503, "", [("Retry-After", FULL_RETRY_AFTER)]
        return package, event, resource, seconds

    def seconds(self, request: Request, package: EventPackage) -> int | None:
        """What a SUBSCRIBE gets, or None for 423."""
        settings = self.settings
        return granted(
            delta_seconds(request.headers.get_raw("Expires")),
            default=package.default_expires,
            shortest=settings.min_expires,
            longest=settings.max_expires,
        )

    # -- what changes ---------------------------------------------------------------------------------

    def opened(self, held: Subscription) -> None:
        """A subscription began."""
        self.held[held.usage.watcher] += 1
        self._of_resource.setdefault((held.package.name, held.resource), {})[held] = None

    def closed(self, held: Subscription) -> None:
        """A subscription is over."""
        key = held.package.name, held.resource
        same = self._of_resource.get(key, {})
        if held in same:
            del same[held]
            self.held[held.usage.watcher] -= 1
            if not self.held[held.usage.watcher]:
                del self.held[held.usage.watcher]
        if not same:
            self._of_resource.pop(key, None)

    def _follow(self, package: str) -> Callable[[str], None]:
        def changed(resource: str) -> None:
            watching = self._of_resource.get((package, resource))
            if watching:
                with self.endpoint.pumping():
                    for held in list(watching):
                        held.change()

        return changed


class WatchDialog:
    """One dialog with a watcher, and the subscriptions in it; a `Usage` of the endpoint."""

    def __init__(self, notifier: Notifier, inbound: InboundRequest, watcher: str) -> None:
        outbound = notifier.endpoint.outbound
        self.notifier = notifier
        self.outbound = outbound
        self.watcher = watcher
        self.call_id = inbound.request.call_id
        self.local_tag = outbound.ids.tag()
        self.flow = inbound.flow
        self.contact_user = inbound.request.uri.user or ""
        self.credentials = None
        self.dialog = Dialog.of_request(inbound.request, self.local_tag)
        self.subscriptions: dict[tuple[str, str], Subscription] = {}

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the dialog: SUBSCRIBE again, or another one."""
        request = transaction.request

        def respond(answer: Response) -> None:
            self.outbound.respond(transaction, answer)

        try:
            self.dialog.receive(request)
        except RemoteProtocolError as error:
            respond(self._answer(request, error.status_hint))
            return
        if request.method != "SUBSCRIBE":
            status = 481 if request.method in ("BYE", "NOTIFY") else 405
            respond(self._answer(request, status, headers=[("Allow", self.outbound.allow)]))
            return
        self.flow = transaction.source
        refused = self.subscribe(request, respond)
        if refused is not None:
            respond(self._answer(request, refused[0], refused[1], refused[2]))

    def subscribe(
        self, request: Request, respond: Callable[[Response], None]
    ) -> tuple[int, str, HeaderList] | None:
        """Begin, refresh or end the subscription that `request` means; the refusal if it is refused."""
        event = EventType.parse(request.headers.get_raw("Event"))
        known = self.subscriptions.get(event.key) if event is not None else None
        if known is None:
            if len(self.subscriptions) >= PER_DIALOG:
                return 403, "Too Many Subscriptions", []
            judged = self.notifier.judge(request, self.watcher)
            if len(judged) == 3:
                return judged
            package, asked, resource, seconds = judged
            known = Subscription(self, package, asked, resource)
        elif known.watch.ending:
            return 481, "", []
        else:
            wanted = self.notifier.seconds(request, known.package)
            if wanted is None:
                return 423, "", [("Min-Expires", str(self.notifier.settings.min_expires))]
            seconds = wanted
            self.dialog.refresh(request)
        if known.event.key not in self.subscriptions:
            self._open(known)
        headers = [("Expires", str(seconds)), ("Contact", self.outbound.contact(self))]
        # the answer first: RFC 6665 §4.2.1.2 has the NOTIFY follow it
        respond(self._answer(request, 200, headers=headers))
        known.subscribe(seconds)
        return None

    def release(self, held: Subscription) -> None:
        """A subscription is over; the dialog goes with its last one."""
        if self.subscriptions.get(held.event.key) is held:
            del self.subscriptions[held.event.key]
            self.notifier.closed(held)
        if not self.subscriptions:
            self.outbound.close_usage(self)

    def _open(self, held: Subscription) -> None:
        if not self.subscriptions:
            self.outbound.open_usage(self)
        self.subscriptions[held.event.key] = held
        self.notifier.opened(held)

    def _answer(self, request: Request, status: int, reason: str = "", headers: HeaderList = ()) -> Response:
        headers = [*headers, *self.outbound.response_headers]
        return build_response(request, status, reason or None, to_tag=self.local_tag, headers=headers)


class Subscription:
    """One subscription: its `Watch`, and the NOTIFYs that it wants."""

    def __init__(self, usage: WatchDialog, package: EventPackage, event: EventType, resource: str) -> None:
        self.usage = usage
        self.package = package
        self.event = event
        self.resource = resource
        self.watch = Watch(interval=package.interval)
        self.heaped: float | None = None
        self._revision: int | None = None

    def subscribe(self, seconds: int) -> None:
        """SUBSCRIBE was answered."""
        self.watch.subscribe(seconds, now=self._now())
        self._step()

    def change(self) -> None:
        """What is watched changed."""
        self.watch.change(now=self._now())
        self._step()

    def end(self, reason: str, *, retry_after: int | None = None) -> None:
        """End it; the last NOTIFY says why."""
        self.watch.end(reason, now=self._now(), retry_after=retry_after)
        self._step()

    @property
    def deadline(self) -> float | None:
        """When the endpoint shall call `expire`."""
        return self.watch.deadline

    def expire(self, *, now: float) -> None:
        """A NOTIFY may be due, or the time over."""
        self.watch.expire(now=now)
        self._step()

    def _now(self) -> float:
        return self.usage.outbound.now()

    def _step(self) -> None:
        now = self._now()
        notice = self.watch.to_send(now=now)
        if notice is not None:
            since = None if notice.full else self._revision
            document = self.package.document(self.resource, version=notice.version, since=since, now=now)
            self._revision = document.revision
            self._notify(str(notice.state), document.body)
        if self.watch.over:
            self.usage.release(self)
        else:
            self.usage.outbound.changed(self)

    def _notify(self, state: str, body: bytes) -> None:
        usage = self.usage
        outbound = usage.outbound
        event = EventType(self.event.package, self.event.id)
        request = usage.dialog.request(
            "NOTIFY",
            headers=[
                ("Contact", outbound.contact(usage)),
                ("Event", str(event)),
                ("Subscription-State", state),
                ("Allow-Events", usage.notifier.allow_events),
                *outbound.request_headers,
                ("Content-Type", self.package.content_type),
            ],
            body=body,
        )
        outbound.send(usage, request, self._answered, self._failed, dialog=usage.dialog)

    def _answered(self, response: Response) -> None:
        if response.status >= 200:
            self.watch.answered(response, now=self._now())
            self._step()

    def _failed(self, _error: Exception) -> None:
        self.watch.failed()
        self._step()


def _accepts(request: Request, content_type: str) -> bool:
    """True when the body of our NOTIFYs is one that the watcher reads; all are without Accept."""
    accept = request.headers.values("Accept")
    kinds = {value.partition(";")[0].strip(" \t").lower() for value in accept}
    return not kinds or bool(kinds & {content_type, "*/*", content_type.partition("/")[0] + "/*"})
