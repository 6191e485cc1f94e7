"""Webhooks over a real database, with a receiver in memory that does what receivers do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks

from sipcc.bus import Bus
from sipcc.call.events import CallAnswered, CallEndedEvent, CallRinging, CallStarted
from sipcc.clock import LoopClock
from sipcc.errors import LocalProtocolError
from sipcc.events import Event
from sipcc.records import hookstore, webhooks
from sipcc.records.events import AlertCleared, AlertRaised
from sipcc.records.keeper import RecordKeeper
from sipcc.records.settings import RecordSettings, WebhookSettings
from sipcc.records.webhooks import key_of

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes or more").decode()
URL = "http://127.0.0.1:9/hook"


class Receiver:
    """Keeps what it gets; `behave` is asked for the status of each request, or raises."""

    def __init__(self, behave: Callable[[dict[str, Any]], int] = lambda body: 200) -> None:
        self.behave = behave
        self.requests: list[httpx.Request] = []
        self.taken: list[dict[str, Any]] = []

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        body = json.loads(request.content)
        status = self.behave(body)
        if status < 300:
            self.taken.append(body)
        return httpx.Response(status)

    @property
    def unique(self) -> list[dict[str, Any]]:
        """What it has, each once, in the order of its first coming."""
        return list({body["id"]: body for body in self.taken}.values())


def down(body: dict[str, Any]) -> int:
    raise httpx.ConnectError("nobody listens")


class Station:
    """A keeper with one webhook."""

    def __init__(self, keeper: RecordKeeper, bus: Bus, receiver: Receiver) -> None:
        self.keeper = keeper
        self.bus = bus
        self.receiver = receiver

    def tell(self, *events: Event) -> None:
        for event in events:
            self.bus.emit(event)

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    async def settled(self) -> None:
        """Wait until nothing is left to send."""
        await self.keeper.flush()
        while True:
            await asyncio.sleep(1.0)
            (state,) = await self.keeper.webhooks.states()
            if not state.waiting:
                return


def settings(**more: Any) -> WebhookSettings:
    events = more.pop("events", ("AlertRaised", "AlertCleared", "CallRinging", "CallAnswered"))
    return WebhookSettings(name="crm", url=URL, secret=SECRET, events=events, **more)


@asynccontextmanager
async def station(
    path: Path, receiver: Receiver, *hooks: WebhookSettings, crash: bool = False
) -> AsyncIterator[Station]:
    bus = Bus()
    keeper = RecordKeeper(
        RecordSettings(database=str(path / "sipcc.db")), bus, LoopClock(), webhooks=hooks or (settings(),)
    )
    keeper.webhooks.transport = receiver.transport()
    await keeper.start()
    try:
        yield Station(keeper, bus, receiver)
    finally:
        if crash:  # nothing is flushed; what lies in the spool is there for the next one
            await keeper._writer._scope.close()  # type: ignore[union-attr]
            await keeper.webhooks.stop()
            await keeper._engine.dispose()  # type: ignore[union-attr]
        else:
            await keeper.stop()


def raised(at: float, name: str = "low") -> AlertRaised:
    return AlertRaised(at=at, alert=name, queue="sales", metric="answer_rate", value=70.0, threshold=80.0)


def cleared(at: float, name: str = "low") -> AlertCleared:
    return AlertCleared(at=at, alert=name, queue="sales", metric="answer_rate", value=86.0, threshold=80.0)


async def test_an_alert_is_told_once_signed_as_the_standard_has_it(tmp_path: Path) -> None:
    receiver = Receiver()
    async with station(tmp_path, receiver) as there:
        there.tell(
            raised(1.0), CallEndedEvent(at=1.0, call="c", cause="normal", sip_status=200, ended_by="us")
        )
        await there.settled()
        (request,) = receiver.requests
        stamp = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        text, key = request.content.decode(), request.headers["webhook-id"]
        signed = standardwebhooks.Webhook(SECRET).sign(msg_id=key, timestamp=stamp, data=text)
        assert request.headers["webhook-signature"] == signed
        body = json.loads(text)
        assert (body["id"], body["type"]) == (key, "AlertRaised")
        assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
        assert (body["data"]["alert"], body["data"]["value"]) == ("low", 70.0)
        assert (request.url, request.method) == (URL, "POST")


async def test_a_receiver_that_was_down_has_all_of_it_once_by_key(tmp_path: Path) -> None:
    receiver = Receiver(down)
    async with station(tmp_path, receiver) as there:
        for number in range(20):
            call = f"c{number % 5}"
            there.tell(CallRinging(at=float(number), call=call), CallAnswered(at=float(number), call=call))
            there.tell(raised(float(number)), cleared(float(number)))
            await asyncio.sleep(60.0)
        assert receiver.taken == []
        assert len(receiver.requests) < 20  # it is not hammered
        (state,) = await there.keeper.webhooks.states()
        assert (state.waiting, state.dead) == (80, 0)
        assert "nobody listens" in state.error
        receiver.behave = lambda body: 200
        await there.settled()
    assert Counter(body["id"] for body in receiver.taken) == Counter(body["id"] for body in receiver.unique)
    assert len(receiver.unique) == 80
    for line in {body["data"].get("call") for body in receiver.taken}:
        told = [body["data"] for body in receiver.taken if body["data"].get("call") == line]
        assert [each["at"] for each in told] == sorted(each["at"] for each in told)
        kinds = [each["type"] for each in told]
        assert kinds == kinds[:2] * (len(kinds) // 2)


async def test_an_answer_that_is_lost_makes_a_double_that_has_the_same_key(tmp_path: Path) -> None:
    receiver = Receiver()
    lost = iter([True, False, True])

    def forget(body: dict[str, Any]) -> int:
        if next(lost, False):
            receiver.taken.append(body)
            raise httpx.ReadError("cut")
        return 200

    receiver.behave = forget
    async with station(tmp_path, receiver) as there:
        there.tell(raised(1.0), cleared(2.0))
        await there.settled()
        assert there.keeper.webhooks.failures == {"crm": 2}
    assert [body["type"] for body in receiver.unique] == ["AlertRaised", "AlertCleared"]
    assert len(receiver.taken) == 4


@pytest.mark.parametrize("crash", [False, True])
async def test_what_was_not_taken_outlives_the_process(tmp_path: Path, crash: bool) -> None:
    receiver = Receiver(down)
    async with station(tmp_path, receiver, crash=crash) as there:
        there.tell(raised(1.0))
        await there.until(lambda: len(receiver.requests) > 2)
        there.tell(cleared(2.0))  # not in the database yet when it dies
    keys = {request.headers["webhook-id"] for request in receiver.requests}
    receiver.behave = lambda body: 200
    async with station(tmp_path, receiver) as there:
        await there.settled()
        there.tell(raised(3.0))
        await there.settled()
    assert [body["type"] for body in receiver.taken] == ["AlertRaised", "AlertCleared", "AlertRaised"]
    assert receiver.taken[0]["id"] in keys
    async with station(tmp_path, receiver) as there:
        await there.settled()
    assert len(receiver.taken) == 3


async def test_what_is_refused_is_given_up_and_can_be_replayed(tmp_path: Path) -> None:
    receiver = Receiver(lambda body: 400 if body["data"].get("alert") == "bad" else 200)
    async with station(tmp_path, receiver) as there:
        there.tell(raised(1.0, "bad"), raised(2.0))
        hooks = there.keeper.webhooks
        await there.until(lambda: len(receiver.taken) == 1)
        (dead,) = await hooks.dead("crm", limit=10)
        assert (dead.kind, dead.attempts, dead.error) == ("AlertRaised", 3, "400 Bad Request")
        assert receiver.taken[0]["data"]["alert"] == "low"
        assert await hooks.replay("crm", ["msg_of_nobody"]) == 0
        receiver.behave = lambda body: 204
        assert await hooks.replay("crm", [dead.key]) == 1
        await there.settled()
        assert receiver.taken[1]["id"] == dead.key
        assert await hooks.dead("crm", limit=10) == []
        with pytest.raises(LocalProtocolError, match="no webhook 'erp'; known: crm"):
            await hooks.replay("erp")


async def test_what_is_not_taken_within_the_time_is_given_up(tmp_path: Path) -> None:
    receiver = Receiver(lambda body: 503)
    async with station(tmp_path, receiver, settings(give_up_after=600.0)) as there:
        there.tell(raised(1.0))
        await there.settled()
        (dead,) = await there.keeper.webhooks.dead("crm", limit=10)
        assert (dead.error, dead.attempts > 5) == ("503 Service Unavailable", True)


async def test_a_receiver_that_never_answers_costs_its_time_and_no_more(tmp_path: Path) -> None:
    async def silent(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(1000.0)
        return httpx.Response(200)

    receiver = Receiver()
    receiver.transport = lambda: httpx.MockTransport(silent)  # type: ignore[method-assign]
    async with station(tmp_path, receiver, settings(timeout=2.0)) as there:
        there.tell(raised(1.0))
        await there.keeper.flush()
        await asyncio.sleep(10.0)
        (state,) = await there.keeper.webhooks.states()
        assert (state.waiting, state.error) == (1, "no answer within 2 s")


async def test_the_record_of_a_call(tmp_path: Path) -> None:
    receiver = Receiver()
    async with station(tmp_path, receiver, settings(events=("CallRecord",))) as there:
        names = {"caller": "13800138000", "called": "4008123456", "sip_call_id": "x", "source": "x"}
        there.tell(CallStarted(at=1.0, call="c1", trunk="carrier", **names), CallAnswered(at=2.0, call="c1"))
        there.tell(CallEndedEvent(at=9.0, call="c1", cause="normal", sip_status=200, ended_by="caller"))
        await there.settled()
    (body,) = receiver.taken
    assert (body["type"], body["data"]["id"], body["data"]["called"]) == ("CallRecord", "c1", "4008123456")
    assert body["id"].startswith("rec_")


async def test_a_new_one_hears_nothing_of_the_past_and_settings_change_while_it_runs(tmp_path: Path) -> None:
    receiver = Receiver()
    quiet = settings(events=("CallRinging",))
    async with station(tmp_path, receiver, quiet) as there:
        there.tell(raised(1.0))
        await there.settled()
        assert receiver.taken == []
        hooks = there.keeper.webhooks
        other = WebhookSettings(name="erp", url=URL, secret=SECRET, events=("*",))
        hooks.load([settings(), other])
        await there.until(lambda: len(hooks._hooks) == 2)
        await asyncio.sleep(1.0)
        there.tell(raised(2.0))
        await there.until(lambda: len(receiver.taken) == 2)
        assert len({body["id"] for body in receiver.taken}) == 2
        hooks.load([settings()])
        await asyncio.sleep(1.0)
        there.tell(cleared(3.0))
        await there.settled()
        assert [body["data"]["at"] for body in receiver.taken] == [2.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("c2VjcmV0", "does not begin with whsec_"),
        ("whsec_!!", "no Base64"),
        ("whsec_c2VjcmV0", "has 6 bytes"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "has 65 bytes"),
    ],
)
def test_secrets_that_sign_nothing(secret: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        key_of(secret)
    assert len(key_of(SECRET.rstrip("="))) == 25


async def test_a_long_backlog_stays_in_the_database_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_IN_MEMORY", 20)
    monkeypatch.setattr(hookstore, "PAGE", 10)
    receiver = Receiver(down)
    async with station(tmp_path, receiver) as there:
        for number in range(100):
            there.tell(CallRinging(at=float(number), call=f"c{number % 7}"), raised(float(number)))
        await there.keeper.flush()
        await asyncio.sleep(20.0)
        assert len(there.keeper.webhooks._hooks["crm"].box) <= 30
        receiver.behave = lambda body: 200
        await there.settled()
    assert len(receiver.taken) == len(receiver.unique) == 200
    alerts = [body["data"]["at"] for body in receiver.taken if body["type"] == "AlertRaised"]
    assert alerts == sorted(alerts)


@pytest.mark.realtime
async def test_over_sockets_to_a_receiver_that_comes_late(tmp_path: Path) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head)}
                got.append((headers, await reader.readexactly(int(headers["content-length"]))))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = WebhookSettings(name="crm", url=f"http://127.0.0.1:{port}/in", secret=SECRET)
    bus = Bus()
    keeper = RecordKeeper(
        RecordSettings(database=str(tmp_path / "sipcc.db")), bus, LoopClock(), webhooks=[hook]
    )
    await keeper.start()
    bus.emit(raised(1.0))
    while not keeper.webhooks.failures:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    bus.emit(cleared(2.0))
    while len(got) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await keeper.stop()
    server.close()
    verify = standardwebhooks.Webhook(SECRET).verify
    assert [verify(body, headers)["type"] for headers, body in got] == ["AlertRaised", "AlertCleared"]
