"""Lamps, message counts, registrations and text messages of a whole centre, seen from its phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, SWITCH, Centre

from sipcc.sip import Address, Credentials, InboundRequest, NameAddr, Response, SipUri
from sipcc.sip.multipart import Part, build
from sipcc.sip.notifications import Subscriber
from sipcc.sip.packages import WatchedDialog, parse_dialog_info, parse_summary
from sipcc.switch.messages import TextMessage
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.phone import Answer, Decline, FakePhone, Ignore

DOMAIN = "pbx.example.com"
SERVER = Address(SWITCH, 5060)
PASSWORDS = {"1001": "secret-one-1", "1002": "secret-two-2", "1003": "secret-three-3"}


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path) as made:
        yield made
        assert made.switch.bus.handler_errors == 0
        assert made.switch.endpoint.counters["crashes"] == 0
        assert made.switch.endpoint.counters["handler_crashes"] == 0
        if not made.switch.calls.live():
            lamps = made.switch.lamps
            await asyncio.sleep(1)
            assert len(lamps.dialogs) == 0
            assert not any((lamps._placed, lamps._rung, lamps._keys, lamps._called))


def uri(user: str) -> SipUri:
    return SipUri(user=user, host=DOMAIN)


def watch(phone: FakePhone, target: str, event: str = "dialog", *, known: bool = True) -> Subscriber:
    return phone.endpoint.subscribe(
        uri(target),
        event=event,
        from_=NameAddr(uri(phone.user)),
        destination=SERVER,
        transport=phone.transport,
        credentials=Credentials(phone.user, PASSWORDS[phone.user]) if known else None,
    )


async def lamp(watching: Subscriber) -> WatchedDialog:
    """The one call that the next NOTIFY tells of."""
    async with asyncio.timeout(60):
        notification = await anext(watching)
    (dialog,) = parse_dialog_info(notification.body).dialogs
    return dialog


async def say(
    phone: FakePhone | FakeCarrier, to: str, text: str | bytes, *, known: bool = True, **headers: str
) -> Response:
    user = phone.user if isinstance(phone, FakePhone) else "13800138000"
    body = text.encode() if isinstance(text, str) else text
    return await phone.endpoint.request(
        "MESSAGE",
        uri(to),
        from_=NameAddr(uri(user), "Somebody Else"),
        to=NameAddr(uri(to)),
        headers=[
            (name.replace("_", "-"), value)
            for name, value in {"Content_Type": "text/plain", **headers}.items()
        ],
        body=body,
        destination=SERVER,
        transport=phone.transport,
        credentials=Credentials(user, PASSWORDS[user]) if known and user in PASSWORDS else None,
    )


def take(phone: FakePhone, status: int = 200) -> list[InboundRequest]:
    """Let `phone` answer MESSAGEs; what it got."""
    got: list[InboundRequest] = []

    def on_message(inbound: InboundRequest) -> None:
        got.append(inbound)
        inbound.reply(status)

    phone.endpoint.on_request["MESSAGE"] = on_message
    return got


async def test_a_lamp_follows_a_call_to_its_user(centre: Centre) -> None:
    await centre.phone("1001", Answer(after=3.0))
    watching = watch(await centre.phone("1002"), "1001")
    assert (await lamp(watching)).state == "terminated"
    call = await centre.carrier.call("4008000005", caller="13800138000")
    rung = await lamp(watching)
    while rung.state == "trying":
        rung = await lamp(watching)
    assert (rung.state, rung.direction) == ("early", "recipient")
    assert rung.remote is not None
    assert rung.remote.uri == "sip:13800138000@pbx.example.com"
    assert all((rung.call_id, rung.local_tag, rung.remote_tag))
    talking = await lamp(watching)
    assert (talking.state, talking.id) == ("confirmed", rung.id)
    await call.hangup()
    ended = await lamp(watching)
    assert (ended.state, ended.id) == ("terminated", "1001")  # the whole state: no call is left
    assert await watching.stop() == "unsubscribed"


async def test_a_lamp_has_the_names_of_its_agent_and_ends_with_a_refusal(centre: Centre) -> None:
    await centre.phone("1001", Decline(after=5.0))
    watching = watch(await centre.phone("1002"), "alice")
    assert (await lamp(watching)).state == "terminated"
    await centre.carrier.call("4008000005", caller="13800138000")
    assert (await lamp(watching)).state == "early"  # trying was over within the second
    assert (await lamp(watching)).state == "terminated"


async def test_a_lamp_shows_the_calls_that_its_user_places(centre: Centre) -> None:
    phone = await centre.phone("1001")
    watching = watch(await centre.phone("1002"), "1001")
    await lamp(watching)
    await asyncio.sleep(2)
    call = await phone.call("4008000004")
    first = await lamp(watching)
    assert first.direction == "initiator"
    assert first.remote is not None
    assert first.remote.uri == "sip:4008000004@pbx.example.com"
    await asyncio.sleep(1.5)
    assert (await lamp(watching)).state == "confirmed"
    await call.hangup()
    assert (await lamp(watching)).state == "terminated"


async def test_a_ringing_call_is_picked_up_by_its_lamp(centre: Centre) -> None:
    rung_phone, other = await centre.phone("1001", Ignore()), await centre.phone("1002")
    watching, own = watch(other, "1001"), watch(rung_phone, "1002")
    await lamp(watching)
    await lamp(own)
    caller = await centre.carrier.call("4008000005", caller="13800138000")
    rung = await lamp(watching)
    while rung.state == "trying":
        rung = await lamp(watching)
    replaces = f"{rung.call_id};to-tag={rung.local_tag};from-tag={rung.remote_tag}"
    pick_up = other.make_call("caller", what="picks up")
    session = other.endpoint.invite(
        uri("1001"),
        from_=NameAddr(uri("1002")),
        body=pick_up.offer(),
        listener=pick_up,
        headers=[("Replaces", replaces), ("Require", "replaces")],
        destination=SERVER,
        credentials=Credentials("1002", PASSWORDS["1002"]),
        contact_user="1002",
    )
    pick_up.attach(session)
    await pick_up.answered()
    await caller.answered()
    await caller.hears(AGENT_HZ["1002"])
    assert (await lamp(watching)).id == "1001"  # idle again
    busy = await lamp(own)
    while busy.state == "trying":
        busy = await lamp(own)
    assert (busy.state, busy.direction) == ("confirmed", "initiator")
    await caller.hangup()
    assert (await lamp(own)).state == "terminated"


async def test_message_lamps(centre: Centre) -> None:
    watching = watch(await centre.phone("1001"), "1001", "message-summary")
    first = await anext(watching)
    assert not parse_summary(first.body).waiting
    centre.switch.mailboxes.set("1001", new=2, old=1, new_urgent=1)
    summary = parse_summary((await anext(watching)).body)
    assert (summary.new, summary.old, summary.new_urgent) == (2, 1, 1)
    assert summary.account == "sip:1001@pbx.example.com"


async def test_registrations_are_told_to_their_user_alone(centre: Centre) -> None:
    phone, other = await centre.phone("1001"), await centre.phone("1002")
    watching = watch(phone, "1001", "reg")
    first = await anext(watching)
    assert b'state="active" event="registered"' in first.body
    await phone.unregister()
    assert b'event="unregistered"' in (await anext(watching)).body
    refused = watch(other, "1001", "reg")
    assert [notification async for notification in refused] == []
    assert refused.reason == "403"


@pytest.mark.parametrize(("policy", "own", "others"), [("own", "", "403"), ("none", "403", "403")])
async def test_who_may_watch_whom_is_a_setting(tmp_path: Path, policy: str, own: str, others: str) -> None:
    async with Centre(tmp_path, extra=f'\n[sip.subscriptions]\nwatch = "{policy}"\n') as centre:
        phone = await centre.phone("1001")
        mine, theirs = watch(phone, "1001"), watch(phone, "1002")
        await asyncio.sleep(1)
        assert (mine.reason, theirs.reason) == (own, others)


async def test_strangers_and_carriers_watch_nobody(centre: Centre) -> None:
    phone = await centre.phone("1001")
    stranger = watch(phone, "1002", known=False)
    assert [notification async for notification in stranger] == []
    assert stranger.reason == "401"
    carrier = centre.carrier.endpoint.subscribe(
        uri("1001"), event="dialog", from_=NameAddr(uri("x")), destination=SERVER
    )
    assert [notification async for notification in carrier] == []
    assert carrier.reason == "403"
    assert len(centre.switch.lamps.notifier) == 0
    assert centre.switch.endpoint.sessions == 0


async def test_watchers_are_told_when_the_switch_stops(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        phone = await centre.phone("1002")
        watching = watch(phone, "1001")
        await anext(watching)
        centre.switch.lamps.close()
        last = await anext(watching)
        assert str(last.state) == "terminated;reason=probation;retry-after=5"


# -- text messages --------------------------------------------------------------------------------------


async def test_a_message_goes_to_all_phones_of_its_target(centre: Centre) -> None:
    sender, target = await centre.phone("1001"), await centre.phone("1002")
    got = take(target)
    answer = await say(sender, "1002", "Hallo 你好 🐉", Subject="tea")
    assert answer.status == 200
    (request,) = [inbound.request for inbound in got]
    assert request.body.decode() == "Hallo 你好 🐉"
    assert request.content_type == "text/plain"
    assert request.headers.get("Subject") == "tea"
    assert request.from_.uri == uri("1001")
    assert request.from_.display == ""  # what the account says, not what From said
    assert request.uri.host == target.host
    assert request.max_forwards == 69


@pytest.mark.parametrize(("one", "other", "status"), [(486, 202, 202), (200, 486, 200), (603, 486, 486)])
async def test_the_first_phone_that_takes_it_answers(
    centre: Centre, one: int, other: int, status: int
) -> None:
    sender, first = await centre.phone("1001"), await centre.phone("1002")
    host = "127.0.1.22"
    second = FakePhone(
        "1002", PASSWORDS["1002"], server=SERVER, host=host, domain=DOMAIN, network=centre.network.host(host)
    )
    await second.start()
    assert await second.register() == 200
    got = [take(first, one), take(second, other)]
    assert (await say(sender, "1002", "x")).status == status
    await asyncio.sleep(1)
    assert [len(each) for each in got] == [1, 1]
    await second.stop()


async def test_a_watcher_on_tcp_is_told_on_its_stream(centre: Centre) -> None:
    phone = await centre.phone("1002", transport="tcp")
    await centre.phone("1001", Answer(after=3.0))
    watching = watch(phone, "1001")
    assert (await lamp(watching)).state == "terminated"
    await asyncio.sleep(2)
    call = await centre.carrier.call("4008000005", caller="13800138000")
    assert (await lamp(watching)).state == "trying"
    assert (await lamp(watching)).state == "early"
    await call.hangup()
    assert (await lamp(watching)).state == "terminated"
    assert {packet.transport for packet in centre.network.sent(b"NOTIFY", source=SWITCH)} == {"tcp"}
    assert await watching.stop() == "unsubscribed"


async def test_whoever_proved_to_be_1001_speaks_as_1001(centre: Centre) -> None:
    sender, target = await centre.phone("1001"), await centre.phone("1002")
    got = take(target)
    answer = await sender.endpoint.request(
        "MESSAGE",
        uri("1002"),
        from_=NameAddr(uri("1003")),
        to=NameAddr(uri("1002")),
        headers=[("Content-Type", "text/plain")],
        body=b"x",
        destination=SERVER,
        credentials=Credentials("1001", PASSWORDS["1001"]),
    )
    assert answer.status in (200, 403)
    assert all(inbound.request.from_.uri == uri("1001") for inbound in got)


@pytest.mark.parametrize(
    ("to", "body", "headers", "status"),
    [
        ("1003", "x", {}, 480),
        ("2001", "x", {}, 404),
        ("1002", "x" * 1300, {}, 413),
        ("1002", "x", {"Content_Type": ""}, 400),
        ("1002", "x", {"Max_Forwards": "0"}, 483),
        ("1002", "x", {}, 488),
        ("1002", b"\xff\x00", {"Content_Type": "application/octet-stream"}, 488),
    ],
)
async def test_messages_that_do_not_arrive(
    centre: Centre, to: str, body: str | bytes, headers: dict[str, str], status: int
) -> None:
    sender, target = await centre.phone("1001"), await centre.phone("1002")
    take(target, 488)
    assert (await say(sender, to, body, **headers)).status == status


async def test_a_phone_that_says_nothing_is_not_waited_for_too_long(centre: Centre) -> None:
    sender, target = await centre.phone("1001"), await centre.phone("1002")
    centre.network.partition(SWITCH, target.host)
    began = asyncio.get_running_loop().time()
    assert (await say(sender, "1002", "x")).status == 480
    assert asyncio.get_running_loop().time() - began < 25


async def test_the_application_sees_messages_first(centre: Centre) -> None:
    seen: list[TextMessage] = []

    async def bot(message: TextMessage) -> bool:
        seen.append(message)
        if message.text == "crash":
            raise ValueError("on purpose")
        return message.target == "help"

    centre.switch.messages.handler = bot
    sender, target = await centre.phone("1001"), await centre.phone("1002")
    got = take(target)
    assert (await say(sender, "help", "open hours?")).status == 200
    assert (await say(sender, "1002", "hi")).status == 200
    assert (await say(sender, "1002", "crash")).status == 500
    assert (await say(centre.carrier, "help", "from outside")).status == 200
    assert len(got) == 1
    assert [(message.sender, message.trunk, message.target) for message in seen] == [
        ("1001", "", "help"), ("1001", "", "1002"), ("1001", "", "1002"), ("13800138000", "carrier", "help"),
    ]  # fmt: skip


async def test_the_application_sends(centre: Centre) -> None:
    target = await centre.phone("1002")
    got = take(target)
    assert await centre.switch.messages.send("1002", "你好", sender="desk", display="Desk") == 200
    assert await centre.switch.messages.send("1003", "x") == 480
    assert await centre.switch.messages.send("9", "x") == 404
    assert await centre.switch.messages.send("1002", "x" * 1400) == 413
    assert str(got[0].request.from_).startswith('"Desk" <sip:desk@pbx.example.com>')


@pytest.mark.parametrize(
    ("method", "statuses"),
    [
        ("SUBSCRIBE", {401, 403}), ("MESSAGE", {401, 403}), ("REGISTER", {401, 403}),
        ("INVITE", {401, 403, 415}), ("REFER", {401, 403, 405, 481}),
        ("OPTIONS", {200, 401, 403}), ("PUBLISH", {405}), ("NOTIFY", {481}),
        ("BYE", {481}), ("INFO", {481}), ("UPDATE", {481}), ("PRACK", {481}), ("ORDER", {405, 501}),
    ],
)  # fmt: skip
async def test_strangers_are_sent_away_and_nothing_is_kept(
    centre: Centre, method: str, statuses: set[int]
) -> None:
    seen: list[TextMessage] = []

    async def bot(message: TextMessage) -> bool:
        seen.append(message)
        return True

    centre.switch.messages.handler = bot
    target = await centre.phone("1002")
    got = take(target)
    stranger = await centre.phone("1003")
    tasks = len(centre.switch.messages._scope)
    answer = await stranger.endpoint.request(
        method,
        uri("1002"),
        from_=NameAddr(uri("1001")),
        to=NameAddr(uri("1002")),
        headers=[("Event", "dialog"), ("Contact", "<sip:x@127.0.0.9>"), ("Content-Type", "text/plain")],
        body=b"originate PJSIP/1001 application System reboot",
        destination=SERVER,
    )
    assert answer.status in statuses
    assert (seen, got, len(centre.switch.messages._scope)) == ([], [], tasks)
    assert len(centre.switch.lamps.notifier) == 0
    assert centre.switch.endpoint.sessions == 0


async def test_publish_without_a_content_type(centre: Centre) -> None:
    phone = await centre.phone("1001")
    answer = await phone.endpoint.request(
        "PUBLISH",
        uri("1001"),
        from_=NameAddr(uri("1001")),
        to=NameAddr(uri("1001")),
        headers=[("Event", "presence"), ("Content-Type", "")],
        body=b"<x/>",
        destination=SERVER,
        credentials=Credentials("1001", PASSWORDS["1001"]),
    )
    assert answer.status in (405, 501)


# -- bodies of several parts ----------------------------------------------------------------------------


async def test_a_carrier_may_wrap_its_sdp(centre: Centre) -> None:
    def wrap(data: bytes) -> bytes:
        head, _, body = data.partition(b"\r\n\r\n")
        kind, wrapped = build(
            [
                Part("application/isup;version=itu-t92+", b"\x01\x00I\x00", "signal;handling=optional"),
                Part("application/sdp", body),
            ],
            boundary="unique-boundary-1",
        )
        lines = [
            line
            for line in head.split(b"\r\n")
            if not line.lower().startswith((b"content-type", b"content-length"))
        ]
        lines += [b"Content-Type: " + kind.encode(), b"Content-Length: %d" % len(wrapped)]
        return b"\r\n".join(lines) + b"\r\n\r\n" + wrapped

    network = centre.network
    send = network.send_datagram

    def rewrite(source: Address, target: Address, data: bytes) -> None:
        send(source, target, wrap(data) if data.startswith(b"INVITE sip:4008") else data)

    network.send_datagram = rewrite  # type: ignore[method-assign]
    call = await centre.carrier.call("4008000004", caller="13800138000")
    await call.answered()
    await call.hangup()
    assert centre.carrier.seen("SIP/2.0 200", "in")
