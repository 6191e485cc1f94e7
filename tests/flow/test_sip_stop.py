"""An endpoint that stops in the middle of everything: nobody waits for ever, and no task is left."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from sipcc.clock import LoopClock
from sipcc.errors import ConfigError, LocalProtocolError, ResolveError, TransportError
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, NameAddr, Response, SessionEvents, SipSettings, SipUri
from sipcc.sip.dns import DnsResolver
from sipcc.sip.settings import DnsSettings
from sipcc.testing.network import MemoryNetwork

OFFER = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ALICE = NameAddr.parse("<sip:alice@example.com>")
BOB = NameAddr.parse("<sip:bob@example.com>")
NOBODY = SipUri.parse("sip:bob@10.0.0.9")


class Restless(SessionEvents):
    """Hangs up as soon as something fails, also in the middle of a stop."""

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        with suppress(LocalProtocolError):
            session.bye()

    def on_offer(self, session: InviteSession, request: object) -> None:
        """Never answers."""


def make(network: MemoryNetwork, host: str) -> Endpoint:
    settings = SipSettings(listen=(f"udp:{host}:5060", f"tcp:{host}:5060"))
    clock, ids = LoopClock(wall=0.0), Ids(random.Random(host))
    return Endpoint(settings, network=network.host(host), clock=clock, ids=ids)


@pytest.fixture
async def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
async def alice(network: MemoryNetwork) -> AsyncIterator[Endpoint]:
    endpoint = make(network, "10.0.0.1")
    await endpoint.start()
    yield endpoint
    await endpoint.stop()


def others() -> set[asyncio.Task[Any]]:
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


async def test_who_waits_for_an_answer_is_told(alice: Endpoint) -> None:
    waiting = asyncio.ensure_future(alice.request("OPTIONS", NOBODY, from_=ALICE, to=BOB))
    await asyncio.sleep(1.0)
    await alice.stop()
    with pytest.raises(TransportError, match="has stopped"):
        await waiting
    assert not alice.outbound.at_stop


async def test_who_waits_for_a_stream_is_told_and_not_cancelled(alice: Endpoint) -> None:
    waiting = asyncio.ensure_future(alice.connect(SipUri.parse("sip:bob@10.0.0.9;transport=tcp")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await alice.stop()
    with pytest.raises(TransportError, match="has stopped"):
        await waiting
    with pytest.raises(TransportError, match="has stopped"):
        await alice.connect(SipUri.parse("sip:bob@10.0.0.9;transport=tcp"))


async def test_who_waits_for_a_stream_can_still_be_cancelled(alice: Endpoint) -> None:
    waiting = asyncio.ensure_future(alice.connect(SipUri.parse("sip:bob@10.0.0.9;transport=tcp")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await alice.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_stream_that_fails_when_nobody_waits_any_more_is_no_news(alice: Endpoint) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    waiting = asyncio.ensure_future(alice.connect(SipUri.parse("sip:bob@10.0.0.9;transport=tcp")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(1.0)
    gc.collect()
    assert not told


@pytest.mark.parametrize("after", [0.1, 40.0], ids=["asking", "between two attempts"])
async def test_a_subscription_comes_to_its_end(alice: Endpoint, after: float) -> None:
    subscriber = alice.subscribe(NOBODY, event="dialog", from_=ALICE)
    reading = asyncio.ensure_future(anext(subscriber))
    await asyncio.sleep(after)
    await alice.stop()
    with pytest.raises(StopAsyncIteration):
        await reading
    assert subscriber.reason == "stopped"
    assert not alice.outbound.at_stop


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("after", [0.0, 0.0005, 0.002, 0.01])
async def test_no_task_is_left(network: MemoryNetwork, transport: str, after: float) -> None:
    alice, bob = make(network, "10.0.0.2"), make(network, "10.0.0.3")
    bob.on_invite = lambda session: (setattr(session, "listener", Restless()), session.accept(OFFER))[0]
    await alice.start()
    await bob.start()
    target = SipUri.parse(f"sip:bob@10.0.0.3;transport={transport}")
    calls = [alice.invite(target, from_=ALICE, body=OFFER, listener=Restless()) for _ in range(3)]
    await asyncio.sleep(0.1)
    calls[0].reinvite(OFFER)
    calls[1].bye()
    calls.append(alice.invite(target, from_=ALICE, body=OFFER, listener=Restless()))
    nowhere = SipUri.parse("sip:bob@10.0.0.9;transport=tcp")
    calls.append(alice.invite(nowhere, from_=ALICE, body=OFFER, listener=Restless()))
    await asyncio.sleep(after)
    for endpoint in (alice, bob):
        await endpoint.stop()
        assert endpoint.counters["crashes"] == 0
        assert endpoint.scope.crashes == 0
    await asyncio.sleep(0)  # those that a closing stream has set off find everything closed
    await asyncio.sleep(0)
    assert not others()


@pytest.mark.realtime
async def test_who_waits_for_a_name_is_told_and_not_cancelled() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = DnsSettings(servers=(f"127.0.0.1:{silent.getsockname()[1]}",), timeout=30)
        resolver = DnsResolver(settings, clock=LoopClock(), chance=lambda: 0.5)
        waiting = asyncio.ensure_future(resolver.hops("sip.example.com", None, None))
        await asyncio.get_running_loop().run_in_executor(None, silent.recv, 512)
        await resolver.close()
        with pytest.raises(ResolveError, match="any more"):
            await waiting
        with pytest.raises(ResolveError, match="any more"):
            await resolver.hops("sip.example.net", None, None)


@pytest.mark.realtime
async def test_a_listener_that_cannot_open_leaves_none_open() -> None:
    settings = SipSettings(listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0"))
    endpoint = Endpoint(settings, clock=LoopClock(), ids=Ids())
    with pytest.raises(ConfigError, match="certificate"):
        await endpoint.start()
    assert endpoint.listeners == []
