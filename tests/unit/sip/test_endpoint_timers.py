"""What an endpoint tells of its timers."""

from __future__ import annotations

import asyncio
import random

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, Flow, InviteSession, NameAddr, SipSettings, SipUri
from sipcc.testing.network import MemoryNetwork


async def endpoint(network: MemoryNetwork, host: str) -> Endpoint:
    made = Endpoint(
        SipSettings(listen=(f"udp:{host}:5060",)),
        network=network.host(host),
        clock=LoopClock(wall=0.0),
        ids=Ids(random.Random(host)),
    )
    await made.start()
    return made


async def test_timers_of_transactions_and_of_sessions_are_told() -> None:
    network = MemoryNetwork()
    caller, called = await endpoint(network, "10.0.0.1"), await endpoint(network, "10.0.0.2")
    told: list[tuple[str, str, float, str]] = []

    def tell(call_id: str, name: str, at: float, flow: Flow) -> None:
        told.append((call_id, name, at, str(flow.remote)))

    caller.watch_timers(tell)
    called.watch_timers(tell)
    began = caller.clock.now()

    async def place(host: str, body: bytes) -> InviteSession:
        uri = SipUri(user="1001", host=host)
        session = caller.invite(
            uri, from_=NameAddr(SipUri(user="a", host="10.0.0.1")), listener=None, body=body
        )
        await asyncio.sleep(1.0)
        return session

    nowhere = await place("10.0.0.9", b"v=0\r\n")
    assert [(entry[0], entry[1], round(entry[2] - began, 3), entry[3]) for entry in told] == [
        (nowhere.call_id, "A INVITE", 0.5, "10.0.0.9:5060")
    ]
    told.clear()
    called.on_invite = lambda session: session.accept(b"v=0\r\n")
    session = await place("10.0.0.2", b"")  # the answer would go with the ACK, and nobody gives one
    assert (session.call_id, "ack") in [entry[:2] for entry in told]
    for each in (caller, called):
        await each.stop()


async def test_without_a_watcher_nothing_is_told() -> None:
    network = MemoryNetwork()
    caller = await endpoint(network, "10.0.0.1")
    assert caller.layer._out.on_timer is None
    caller.invite(
        SipUri(user="1", host="10.0.0.9"), from_=NameAddr(SipUri(user="a", host="10.0.0.1")), listener=None
    )
    await asyncio.sleep(1.0)
    assert caller.counters["sent"] == 2
    assert caller.listeners[0].local == Address("10.0.0.1", 5060)
    await caller.stop()
