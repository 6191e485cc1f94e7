"""Notifier and subscriber against each other and against hand-written peers, on the memory network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Address,
    Admitted,
    Endpoint,
    NameAddr,
    Request,
    Response,
    SipSettings,
    SipUri,
)
from sipcc.sip.notifications import Subscriber
from sipcc.sip.notifier import PER_DIALOG, Notifier
from sipcc.sip.packages import DialogPackage, Mailboxes, WatchedDialog, parse_dialog_info, parse_summary
from sipcc.sip.parser import parse_datagram
from sipcc.sip.subscriber import Notification, SubscriberState
from sipcc.sip.subscription import SubscriptionSettings
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

SERVER = Address("127.0.0.1", 5060)
SETTINGS = SubscriptionSettings(per_user=3, total=5)
ME = NameAddr(SipUri(user="1002", host="example.com"))


class Pair:
    """A notifier and an endpoint that subscribes."""

    def __init__(self, network: MemoryNetwork, server: Endpoint, client: Endpoint) -> None:
        self.network = network
        self.server = server
        self.client = client

        def known(uri: SipUri) -> str | None:
            return uri.user if uri.user and uri.user.startswith("10") else None

        self.dialogs = DialogPackage(known, lambda name: f"sip:{name}@example.com", partial=True)
        self.boxes = Mailboxes(known, lambda name: f"sip:{name}@vm.example.com")
        server.admit = lambda request, flow: Admitted(user=request.from_.uri.user)
        self.notifier = Notifier(server, [self.dialogs, self.boxes], settings=SETTINGS)

    def subscribe(self, user: str = "1001", event: str = "dialog", **more: Any) -> Subscriber:
        target = SipUri(user=user, host="127.0.0.1", port=5060)
        return self.client.subscribe(target, event=event, **{"from_": ME, **more})

    def ring(self, state: str, name: str = "c1") -> None:
        self.dialogs.update("1001", WatchedDialog(id=name, direction="recipient", state=state))  # type: ignore[arg-type]

    def sent(self, start: bytes, host: str) -> list[Request | Response]:
        return [parse_datagram(packet.data) for packet in self.network.sent(start, source=host)]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    network = MemoryNetwork(seed=7)
    made = []
    for host in ("127.0.0.1", "127.0.0.2"):
        settings = SipSettings(listen=(f"udp:{host}:5060",), domain="example.com")
        endpoint = Endpoint(
            settings, network=network.host(host), clock=LoopClock(), ids=Ids(random.Random(host))
        )
        await endpoint.start()
        made.append(endpoint)
    yield Pair(network, *made)
    for endpoint in made:
        await endpoint.stop()
        assert endpoint.counters["crashes"] == 0
        assert endpoint.counters["handler_crashes"] == 0


async def next_of(subscriber: Subscriber) -> Notification:
    async with asyncio.timeout(5000):
        return await anext(subscriber)


def states(notification: Notification) -> dict[str, str]:
    return {dialog.id: dialog.state for dialog in parse_dialog_info(notification.body).dialogs}


async def test_a_lamp_is_watched_from_idle_to_idle(pair: Pair) -> None:
    watching = pair.subscribe()
    first = await next_of(watching)
    assert str(first.state) == "active;expires=3600"
    assert states(first) == {"1001": "terminated"}
    for version, state in enumerate(("early", "confirmed", "terminated"), 1):
        await asyncio.sleep(3)
        pair.ring(state)
        told = await next_of(watching)
        assert states(told) == {"c1": state}
        assert parse_dialog_info(told.body).version == version
    assert pair.notifier.watchers("dialog", "1001") == ["1002"]
    assert await watching.stop() == "unsubscribed"
    assert len(pair.notifier) == 0
    assert [n.state.reason async for n in watching] == ["timeout"]
    await asyncio.sleep(64)
    assert (pair.server.sessions, pair.client.sessions) == (0, 0)


async def test_the_answer_comes_before_the_first_notify(pair: Pair) -> None:
    await next_of(pair.subscribe())
    sent = [packet.data.split(b"\r\n")[0] for packet in pair.network.sent(source="127.0.0.1")]
    assert sent[0] == b"SIP/2.0 200 OK"
    assert sent[1].startswith(b"NOTIFY sip:1002@127.0.0.2:5060 ")
    (answer,) = pair.sent(b"SIP/2.0 200", "127.0.0.1")
    assert answer.headers.get("Expires") == "3600"
    assert answer.contacts[0].uri.host == "127.0.0.1"


async def test_many_changes_at_once_are_one_notify(pair: Pair) -> None:
    watching = pair.subscribe()
    await next_of(watching)
    await asyncio.sleep(5)
    for name in "abcd":
        for state in ("trying", "early", "confirmed"):
            pair.ring(state, name)
    await asyncio.sleep(5)
    pair.ring("terminated", "a")
    await asyncio.sleep(5)
    assert states(await next_of(watching)) == {"a": "trying"}
    assert states(await next_of(watching)) == dict.fromkeys("abcd", "confirmed")
    assert states(await next_of(watching)) == {"a": "terminated"}


async def test_it_is_refreshed_in_time_for_as_long_as_it_is_wanted(pair: Pair) -> None:
    watching = pair.subscribe(expires=100)
    await asyncio.sleep(1000)
    assert len(pair.notifier) == 1
    assert watching.state is SubscriberState.ACTIVE
    refreshes = pair.sent(b"SUBSCRIBE", "127.0.0.2")
    assert 12 <= len(refreshes) <= 20
    assert [request.cseq.number for request in refreshes] == list(range(1, len(refreshes) + 1))
    assert len({request.call_id for request in refreshes}) == 1


async def test_one_that_nobody_refreshes_ends(pair: Pair) -> None:
    watching = pair.subscribe(expires=100)
    await next_of(watching)
    watching.subscription._due.pop("refresh")
    pair.network.partition("127.0.0.1", "127.0.0.2")
    await asyncio.sleep(100)
    assert len(pair.notifier) == 1  # its last NOTIFY is on its way
    await asyncio.sleep(33)
    assert len(pair.notifier) == 0
    assert pair.server.sessions == 0


async def test_a_watcher_that_is_gone_is_forgotten_at_the_first_change(pair: Pair) -> None:
    await next_of(pair.subscribe())
    pair.network.partition("127.0.0.1", "127.0.0.2")
    await asyncio.sleep(2)
    pair.ring("early")
    await asyncio.sleep(33)
    assert len(pair.notifier) == 0


async def test_a_fetch_tells_the_state_once(pair: Pair) -> None:
    pair.ring("confirmed")
    fetched = pair.subscribe(expires=0)
    (told,) = [notification async for notification in fetched]
    assert (str(told.state), states(told)) == ("terminated;reason=timeout", {"c1": "confirmed"})
    assert fetched.reason == "timeout"
    assert len(pair.notifier) == 0


async def test_a_short_wish_is_asked_for_again_as_long_as_it_must_be(pair: Pair) -> None:
    watching = pair.subscribe(expires=5)
    told = await next_of(watching)
    assert told.state.expires == 60
    (refused,) = pair.sent(b"SIP/2.0 423", "127.0.0.1")
    assert refused.headers.get("Min-Expires") == "60"


@pytest.mark.parametrize(
    ("more", "status", "header"),
    [
        ({"event": "presence"}, 489, ("Allow-Events", "dialog, message-summary")),
        ({"user": "2001"}, 404, None),
        ({"accept": "application/pidf+xml"}, 406, ("Accept", "application/dialog-info+xml")),
        ({"from_": NameAddr(SipUri(host="example.com"))}, 403, None),
    ],
)
async def test_refusals(
    pair: Pair, more: dict[str, str], status: int, header: tuple[str, str] | None
) -> None:
    watching = pair.subscribe(**more)
    assert [notification async for notification in watching] == []
    assert watching.reason == str(status)
    (refused,) = pair.sent(b"SIP/2.0", "127.0.0.1")
    assert header is None or refused.headers.get(header[0]) == header[1]
    assert (len(pair.notifier), pair.server.sessions, pair.client.sessions) == (0, 0, 0)


async def test_who_may_watch_whom(pair: Pair) -> None:
    pair.notifier.may_watch = lambda watcher, package, resource: watcher == resource
    watching = pair.subscribe("1001")
    assert [notification async for notification in watching] == []
    assert watching.reason == "403"
    await next_of(pair.subscribe("1002"))


async def test_subscriptions_are_bounded_for_each_user_and_in_all(pair: Pair) -> None:
    held = [pair.subscribe(event=f"dialog;id={number}") for number in range(4)]
    await asyncio.sleep(1)
    assert [subscriber.reason for subscriber in held] == ["", "", "", "403"]
    others = [pair.subscribe(from_=NameAddr(SipUri(user="1003", host="example.com"))) for _ in range(3)]
    await asyncio.sleep(1)
    assert [subscriber.state for subscriber in others] == ["active", "active", "paused"]
    (refused,) = pair.sent(b"SIP/2.0 503", "127.0.0.1")
    assert refused.headers.get("Retry-After") == "60"
    await held[0].stop()
    await asyncio.sleep(62)
    assert others[2].state is SubscriberState.ACTIVE
    assert len(pair.notifier) == 5


async def test_message_counts(pair: Pair) -> None:
    watching = pair.subscribe(event="message-summary")
    assert not parse_summary((await next_of(watching)).body).waiting
    pair.boxes.set("1001", new=3)
    told = await next_of(watching)
    assert told.content_type == "application/simple-message-summary"
    assert parse_summary(told.body).new == 3


async def test_when_we_stop_watchers_come_back_later(pair: Pair) -> None:
    watching = pair.subscribe()
    await next_of(watching)
    pair.notifier.close()
    told = await next_of(watching)
    assert str(told.state) == "terminated;reason=probation;retry-after=5"
    assert watching.state == "paused"
    await next_of(watching)
    assert watching.state == "active"
    assert len({request.call_id for request in pair.sent(b"SUBSCRIBE", "127.0.0.2")}) == 2


async def test_what_is_gone_is_not_asked_for_again(pair: Pair) -> None:
    watching = pair.subscribe()
    await next_of(watching)
    pair.notifier.end("dialog", "1001")
    assert [str(told.state) async for told in watching] == ["terminated;reason=noresource"]
    assert watching.reason == "noresource"


@pytest.mark.parametrize("seed", range(8))
async def test_on_a_bad_line_nothing_is_left_at_the_end(pair: Pair, seed: int) -> None:
    pair.network.set_link(Link(loss=0.2, duplicate=0.1, delay=0.02, jitter=0.05), source="127.0.0.1")
    pair.network.set_link(Link(loss=0.2, duplicate=0.1, delay=0.02, jitter=0.05), source="127.0.0.2")
    dice = random.Random(seed)
    watching = pair.subscribe(expires=90)
    last = "terminated"
    for _ in range(20):
        await asyncio.sleep(dice.uniform(0.1, 20))
        last = dice.choice(["early", "confirmed", "terminated"])
        pair.ring(last)
    await asyncio.sleep(40)
    known: dict[str, str] = {}
    while not watching._waiting.empty():
        info = parse_dialog_info((await next_of(watching)).body)
        known = {} if info.full else known
        known |= {dialog.id: dialog.state for dialog in info.dialogs}
    assert known.get("c1", "terminated") == last
    await watching.stop()
    await asyncio.sleep(70)
    assert (len(pair.notifier), pair.server.sessions, pair.client.sessions) == (0, 0, 0)
    assert len(pair.server.layer) == len(pair.client.layer) == 0


# -- peers that are written by hand ---------------------------------------------------------------------


class Phone:
    """A socket that says what it is told to say."""

    def __init__(self, network: MemoryNetwork, host: str) -> None:
        self.address = network.bind(Address(host, 5060), self._take)
        self.network = network
        self.inbox: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.cseq = 0

    def _take(self, data: bytes, source: Address) -> None:
        self.inbox.put_nowait(parse_datagram(data))

    async def next(self) -> Request | Response:
        async with asyncio.timeout(600):
            return await self.inbox.get()

    def say(self, method: str = "SUBSCRIBE", uri: str = "sip:1001@example.com", **headers: str) -> None:
        self.cseq += 1
        given = {
            "To": "<sip:1001@example.com>",
            "From": "<sip:1002@example.com>;tag=f",
            "Call_ID": "c1",
            "Contact": f"<sip:1002@{self.address}>",
            "Event": "dialog",
            "Expires": "600",
            **headers,
        }
        lines = [
            ("Via", f"SIP/2.0/UDP {self.address};branch=z9hG4bK{self.cseq}"),
            ("Max-Forwards", "70"),
            ("CSeq", f"{self.cseq} {method}"),
            *((name.replace("_", "-"), value) for name, value in given.items() if value),
        ]
        self.send(bytes(Request.build(method, uri, headers=lines)))

    def send(self, data: bytes) -> None:
        self.network.send_datagram(self.address, SERVER, data)

    async def answered(self) -> Response:
        answer = await self.next()
        assert isinstance(answer, Response)
        return answer

    async def notified(self, status: int = 200, *headers: tuple[str, str]) -> Request:
        request = await self.next()
        assert isinstance(request, Request)
        assert request.method == "NOTIFY"
        copied = [
            (name, raw)
            for name, raw in request.headers.items
            if name in {"Via", "From", "To", "Call-ID", "CSeq"}
        ]
        lines = [b"SIP/2.0 %d x" % status, *(b"%b: %b" % (name.encode(), raw) for name, raw in copied)]
        lines += [f"{name}: {value}".encode() for name, value in headers]
        self.send(b"\r\n".join([*lines, b"Content-Length: 0", b"", b""]))
        return request


@pytest.fixture
async def phone(pair: Pair) -> Phone:
    return Phone(pair.network, "127.0.0.3")


async def test_several_subscriptions_share_a_dialog(pair: Pair, phone: Phone) -> None:
    pair.notifier.settings = SubscriptionSettings()
    phone.say(Event="dialog;id=1")
    answer = await phone.answered()
    to = f"<sip:1001@example.com>;tag={answer.to.tag}"
    first = await phone.notified()
    assert first.headers.get("Event") == "dialog;id=1"
    phone.say(Event="message-summary", To=to)
    assert (await phone.answered()).status == 200
    other = await phone.notified()
    assert (other.headers.get("Event"), other.call_id) == ("message-summary", first.call_id)
    assert other.cseq.number > first.cseq.number
    assert pair.server.sessions == 1
    phone.say(Event="dialog;id=1", To=to, Expires="0")
    assert (await phone.answered()).headers.get("Expires") == "0"
    assert (await phone.notified()).headers.get("Subscription-State") == "terminated;reason=timeout"
    await asyncio.sleep(1)
    assert (len(pair.notifier), pair.server.sessions) == (1, 1)
    for number in range(2, PER_DIALOG + 1):
        phone.say(Event=f"dialog;id={number}", To=to)
        assert (await phone.answered()).status == 200
        await phone.notified()
    phone.say(Event="dialog;id=99", To=to)
    assert (await phone.answered()).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Event": ""}, 489),
        ({"Event": "dialog;id=1;id=2"}, 489),
        ({"Contact": ""}, 400),
        ({"Contact": "<tel:4008123456>"}, 400),
        ({"Contact": "<mailto:a@example.com>"}, 400),
        ({"To": "<sip:1001@example.com>;tag=none"}, 481),
        ({"Require": "eventlist"}, 420),
        ({"Expires": "1_0"}, 200),
    ],
)
async def test_odd_requests(pair: Pair, phone: Phone, headers: dict[str, str], status: int) -> None:
    phone.say(**headers)
    assert (await phone.answered()).status == status
    assert len(pair.notifier) == (status == 200)


async def test_requests_of_the_dialog_that_are_no_subscribe(pair: Pair, phone: Phone) -> None:
    phone.say()
    to = f"<sip:1001@example.com>;tag={(await phone.answered()).to.tag}"
    await phone.notified()
    for method, status in (("BYE", 481), ("NOTIFY", 481), ("INFO", 405), ("MESSAGE", 405)):
        phone.say(method, To=to)
        assert (await phone.answered()).status == status
    phone.cseq = 1
    phone.say(To=to)
    assert (await phone.answered()).status == 500  # a number that came before (RFC 3261 §12.2.2)
    assert len(pair.notifier) == 1


async def test_a_refresh_that_comes_after_the_end_finds_nothing(pair: Pair, phone: Phone) -> None:
    phone.say()
    to = f"<sip:1001@example.com>;tag={(await phone.answered()).to.tag}"
    await phone.notified()
    pair.notifier.end("dialog", "1001")
    last = await phone.next()
    phone.say(To=to)
    assert (await phone.answered()).status == 481
    assert isinstance(last, Request)


@pytest.mark.parametrize(("status", "kept"), [(481, 0), (404, 0), (500, 0), (200, 1), (202, 1)])
async def test_a_notify_that_is_refused_ends_it(pair: Pair, phone: Phone, status: int, kept: int) -> None:
    phone.say()
    await phone.answered()
    await phone.notified(status)
    await asyncio.sleep(1)
    assert (len(pair.notifier), pair.server.sessions) == (kept, kept)


async def test_a_watcher_that_is_busy_is_told_later(pair: Pair, phone: Phone) -> None:
    phone.say()
    await phone.answered()
    await phone.notified(503, ("Retry-After", "7"))
    began = asyncio.get_running_loop().time()
    await phone.notified()
    assert 6.9 < asyncio.get_running_loop().time() - began < 7.1
    assert len(pair.notifier) == 1


async def test_strangers_make_no_state(pair: Pair, phone: Phone) -> None:
    pair.server.admit = lambda request, flow: Admitted()
    phone.say()
    assert (await phone.answered()).status == 403
    assert (len(pair.notifier), pair.server.sessions) == (0, 0)


class Switchboard(Phone):
    """A notifier that is written by hand."""

    async def subscribed(self, status: int = 200, *, tag: str = "s", **headers: str) -> Request:
        request = await self.next()
        assert isinstance(request, Request)
        self.answer(request, status, tag=tag, **headers)
        return request

    def answer(self, request: Request, status: int, *, tag: str = "s", **headers: str) -> None:
        lines = [f"SIP/2.0 {status} x".encode()]
        for name, raw in request.headers.items:
            if name in {"Via", "From", "Call-ID", "CSeq"}:
                lines.append(b"%b: %b" % (name.encode(), raw))
            elif name == "To":
                lines.append(b"To: %b%b" % (raw, b"" if b";tag=" in raw else b";tag=" + tag.encode()))
        lines += [f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items()]
        self.to_client(b"\r\n".join([*lines, b"Content-Length: 0", b"", b""]))

    def notify(self, request: Request, *, tag: str = "s", **headers: str) -> None:
        self.cseq += 1
        given = {"Event": "dialog", "Subscription_State": "active;expires=600", **headers}
        lines = [
            ("Via", f"SIP/2.0/UDP {self.address};branch=z9hG4bKn{self.cseq}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:1001@example.com>;tag={tag}"),
            ("To", request.headers.get("From") or ""),
            ("Call-ID", request.call_id),
            ("CSeq", f"{self.cseq} NOTIFY"),
            ("Contact", f"<sip:{self.address}>"),
            *((name.replace("_", "-"), value) for name, value in given.items() if value),
        ]
        self.to_client(bytes(Request.build("NOTIFY", "sip:1002@127.0.0.2", headers=lines)))

    def to_client(self, data: bytes) -> None:
        self.network.send_datagram(self.address, Address("127.0.0.2", 5060), data)


@pytest.fixture
async def board(pair: Pair) -> Switchboard:
    return Switchboard(pair.network, "127.0.0.4")


def watch(pair: Pair) -> Subscriber:
    return pair.subscribe(destination=Address("127.0.0.4", 5060))


async def test_a_notify_may_overtake_the_answer(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    request = await board.next()
    assert isinstance(request, Request)
    board.notify(request)
    assert (await board.answered()).status == 200
    assert watching.state is SubscriberState.ACTIVE
    board.answer(request, 202, Expires="600")
    await asyncio.sleep(570)
    again = await board.subscribed()
    assert (again.to.tag, again.cseq.number) == ("s", 2)


async def test_the_second_branch_of_a_fork_is_refused(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    request = await board.subscribed(Expires="600")
    board.notify(request, tag="s")
    assert (await board.answered()).status == 200
    board.notify(request, tag="t")
    assert (await board.answered()).status == 481
    board.notify(request, tag="s")
    assert (await board.answered()).status == 200
    assert len([await next_of(watching), await next_of(watching)]) == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Event": "presence"}, 481), ({"Event": "dialog;id=2"}, 481), ({"Event": ""}, 481),
        ({"Subscription_State": ""}, 400), ({"Subscription_State": "\x00"}, 400),
        ({"Subscription_State": "pending"}, 200), ({"Subscription_State": "odd;expires=x"}, 200),
    ],
)  # fmt: skip
async def test_odd_notifies(pair: Pair, board: Switchboard, headers: dict[str, str], status: int) -> None:
    watch(pair)
    request = await board.subscribed(Expires="600")
    board.notify(request, **headers)
    assert (await board.answered()).status == status


async def test_without_a_notify_there_is_no_subscription(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    await board.subscribed(Expires="600")
    await asyncio.sleep(33)
    assert watching.state is SubscriberState.PAUSED
    later = await board.subscribed(404)
    assert isinstance(later, Request)
    assert [notification async for notification in watching] == []
    assert watching.reason == "404"


async def test_a_refresh_that_finds_nothing_begins_anew(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    first = await board.subscribed(Expires="100")
    board.notify(first, Subscription_State="active;expires=100")
    await board.answered()
    await asyncio.sleep(60)
    await board.subscribed(481)
    second = await board.subscribed(Expires="100")
    assert second.call_id != first.call_id
    board.notify(second)
    assert (await board.answered()).status == 200
    assert watching.state is SubscriberState.ACTIVE


async def test_a_refresh_that_fails_is_tried_again_while_there_is_time(
    pair: Pair, board: Switchboard
) -> None:
    watching = watch(pair)
    board.notify(await board.subscribed(Expires="100"), Subscription_State="active;expires=100")
    await board.answered()
    await board.subscribed(500)
    assert watching.state is SubscriberState.ACTIVE
    again = await board.subscribed(Expires="100")
    assert again.to.tag == "s"
    assert watching.state is SubscriberState.ACTIVE


async def test_a_notifier_that_ends_each_one_at_once_is_left_alone(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    count = 0
    while watching.state is not SubscriberState.TERMINATED:
        request = await board.next()
        if isinstance(request, Request):
            count += 1
            board.answer(request, 200, Expires="600")
            board.notify(request, Subscription_State="terminated;reason=timeout")
            await board.answered()
    assert count == 8
    assert watching.reason == "timeout"


async def test_leaving_before_the_first_notify(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    request = await board.subscribed(Expires="600")
    leaving = asyncio.ensure_future(watching.stop())
    await asyncio.sleep(1)
    board.notify(request)
    assert (await board.answered()).status == 200
    goodbye = await board.subscribed(Expires="0")
    assert goodbye.headers.get("Expires") == "0"
    board.notify(request, Subscription_State="terminated;reason=timeout")
    assert await leaving == "unsubscribed"
    assert pair.client.sessions == 0


async def test_leaving_when_nobody_answers(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    board.notify(await board.subscribed(Expires="600"))
    await board.answered()
    assert await watching.stop() == "unsubscribed"


async def test_a_reader_who_is_slow_gets_the_newest(pair: Pair, board: Switchboard) -> None:
    watching = watch(pair)
    request = await board.subscribed(Expires="600")
    for _ in range(300):
        board.notify(request)
        await board.answered()
    assert watching.lost == 300 - 256
    newest = [await next_of(watching) for _ in range(256)][-1]
    assert newest.request.cseq.number == 300
