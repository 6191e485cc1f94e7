"""Agents behind a symmetric NAT for a day of virtual time: it forgets all that it knows, again and again.

The phones do what RFC 5626 asks of them: STUN on the SIP port every 29 s over UDP, a double CRLF every
100 s over streams, and whoever finds his way lost registers again at once. So a phone can be out of reach
for `LONGEST` seconds after the NAT has rebooted, and at no other time.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.flow.test_transports import PORTS, everywhere
from tests.samples import so_many
from tests.unit.sip.test_transport_stun import mapped, message

from sipcc.errors import TransactionTimeout
from sipcc.sip.transport.base import Address, Flow, TransportName
from sipcc.tasks import TaskScope
from sipcc.testing.phone import Answer, FakePhone

INSIDE = "192.168.7.20"
OUTSIDE = "198.51.100.7"
STUN_EVERY, PING_EVERY, PATIENCE = 29.0, 100.0, 10.0
REGISTERED_FOR = 600
LONGEST: dict[TransportName, float] = {"udp": STUN_EVERY + 1.0, "tcp": PING_EVERY + PATIENCE + 1.0,
                                       "wss": PING_EVERY + PATIENCE + 1.0}  # fmt: skip
"""Seconds to the next keep-alive, to see that it is not answered, and to register."""
HOURS = so_many(24, 10)


class HomeWorker:
    """A phone that watches over its way to the switch."""

    def __init__(self, phone: FakePhone) -> None:
        self.phone = phone
        self.moved = 0
        self._seen: Address | None = None
        self._answered: Address | None = None
        self._scope = TaskScope("home")
        take = phone.endpoint.inbound.datagram_received

        def first(data: bytes, flow: Flow, waited: float | None = None) -> None:
            self._answered = mapped(data) if data[:1] == b"\x01" else self._answered
            if data[:1] != b"\x01":
                take(data, flow, waited)

        phone.endpoint.inbound.datagram_received = first  # type: ignore[method-assign]

    def begin(self) -> None:
        """Register, and keep the way open."""
        self._scope.spawn(self._keep(), name="keep")

    async def end(self) -> None:
        """Go home, where one is already."""
        await self._scope.close()

    async def _keep(self) -> None:
        alive = self._stun if self.phone.transport == "udp" else self._ping
        registered = await self._register()
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + (STUN_EVERY if self.phone.transport == "udp" else PING_EVERY)
            lost = not await alive()
            self.moved += lost
            if lost or loop.time() - registered > REGISTERED_FOR / 2:
                registered = await self._register()
            await asyncio.sleep(due - loop.time())

    async def _register(self) -> float:
        try:
            status = await self.phone.register(REGISTERED_FOR, keep=False)
        except TransactionTimeout:  # the way was lost just before a refresh was due
            self.moved += 1
            self._drop(self._flow())
            status = await self.phone.register(REGISTERED_FOR, keep=False)
        assert status == 200
        return asyncio.get_running_loop().time()

    async def _stun(self) -> bool:
        """Ask from where we are seen: is it still the same?"""
        self._answered = None
        self._flow().send(message())
        await asyncio.sleep(0.5)
        before, self._seen = self._seen, self._answered
        assert self._seen is not None
        return before in (None, self._seen)

    async def _ping(self) -> bool:
        """A double CRLF; without the one that answers it the connection is dead."""
        flow, before = self._flow(), self.phone.endpoint.counters["keepalives"]
        flow.send(b"\r\n\r\n")
        await asyncio.sleep(PATIENCE)
        if self.phone.endpoint.counters["keepalives"] > before:
            return True
        self._drop(flow)
        return False

    def _drop(self, flow: Flow) -> None:
        self.phone.endpoint.manager.forget(flow)
        flow.close()

    def _flow(self) -> Flow:
        flow = self.phone.endpoint.manager.open_flow(self.phone.transport, self.phone.server)
        assert flow is not None
        return flow


async def called(centre: Centre, phone: FakePhone) -> None:
    """A call of the carrier gets through to the phone, is heard on both sides, and ends."""
    caller = await centre.carrier.call("4008000005")
    await caller.answered(timeout=5.0)
    theirs = await phone.next_call()
    await theirs.answered()
    await caller.hears(AGENT_HZ["1001"])
    await theirs.hears(CALLER_HZ)
    await caller.hangup()
    assert await theirs.ended() == "peer"


def at_home(centre: Centre, transport: TransportName) -> FakePhone:
    """The phone of 1001 behind the NAT."""
    return FakePhone(
        "1001",
        "secret-one-1",
        server=Address(centre.server.host, PORTS[transport]),
        host=INSIDE,
        domain="pbx.example.com",
        network=centre.network.host(INSIDE),
        transport=transport,
        instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128",
        tone_hz=AGENT_HZ["1001"],
        behaviour=Answer(after=0.2),
    )


@pytest.mark.parametrize("transport", ["udp", "tcp", "wss"])
async def test_a_day_behind_a_symmetric_nat_that_reboots(tmp_path: Path, transport: TransportName) -> None:
    async with everywhere(tmp_path) as centre:
        dice = random.Random(transport)
        nat = centre.network.add_nat(OUTSIDE, INSIDE, life=60.0, symmetric=True)
        phone = at_home(centre, transport)
        await phone.start()
        worker = HomeWorker(phone)
        worker.begin()
        await asyncio.sleep(5.0)
        ports = set()
        for _ in range(HOURS):
            hour_ends = asyncio.get_running_loop().time() + 3600.0
            await asyncio.sleep(dice.uniform(0.0, 1500.0))
            await called(centre, phone)  # at any time
            await asyncio.sleep(dice.uniform(0.0, 1500.0))
            nat.forget()
            await asyncio.sleep(LONGEST[transport])
            await called(centre, phone)  # as soon as the NAT's reboot must have been seen
            [binding] = centre.switch.registrar.bindings("1001", now=centre.switch.clock.now())
            assert binding.received.host == OUTSIDE
            ports.add(binding.received.port)
            await asyncio.sleep(hour_ends - asyncio.get_running_loop().time())
        assert worker.moved == HOURS
        assert len(ports) == HOURS
        endpoint = centre.switch.endpoint
        assert (endpoint.counters["crashes"], endpoint.counters["malformed"]) == (0, 0)
        assert endpoint.counters["stun" if transport == "udp" else "keepalives"] > HOURS * 30
        await worker.end()
        await phone.stop()
        await centre.switch.liveness.stop()
        await asyncio.sleep(40.0)  # 64*T1, for the last question whether the phone lives
        assert (len(endpoint.layer), endpoint.sessions) == (0, 0)


@pytest.mark.parametrize("transport", ["udp", "tcp", "wss"])
async def test_a_call_outlives_the_reboot_of_the_nat(tmp_path: Path, transport: TransportName) -> None:
    async with everywhere(tmp_path) as centre:
        nat = centre.network.add_nat(OUTSIDE, INSIDE, life=60.0, symmetric=True)
        phone = at_home(centre, transport)
        await phone.start()
        worker = HomeWorker(phone)
        worker.begin()
        await asyncio.sleep(5.0)
        caller = await centre.carrier.call("4008000005")
        await caller.answered(timeout=5.0)
        theirs = await phone.next_call()
        await theirs.answered()
        nat.forget()
        await asyncio.sleep(LONGEST[transport])
        await caller.hears(AGENT_HZ["1001"])
        await theirs.hears(CALLER_HZ)
        await caller.hangup()
        assert await theirs.ended() == "peer"  # our BYE took the new way
        assert worker.moved == 1
        await worker.end()
        await phone.stop()
