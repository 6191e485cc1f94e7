"""A trunk that we register at: a registrar of the library stands in for the carrier."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flow.centre import Centre

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import (
    Admission,
    Endpoint,
    InboundRequest,
    Registrar,
    SipSettings,
    TrunkTable,
    UserSettings,
)

TRUNK = """
[[trunks]]
name = "registered"
host = "127.0.2.9"
port = 5060
username = "4008123456"
password = "{password}"
register = true
expires = 60
"""


class Carrier:
    """A registrar at 127.0.2.9 with one account."""

    def __init__(self, centre: Centre) -> None:
        settings = SipSettings(listen=("udp:127.0.2.9:5060",), domain="127.0.2.9", min_expires=30)
        clock = LoopClock()
        self.registrar = Registrar(settings)
        self.requests: list[InboundRequest] = []
        self._clock = clock
        network = centre.network.host("127.0.2.9")
        self.endpoint = Endpoint(settings, network=network, clock=clock, ids=Ids())
        admission = Admission(
            trunks=TrunkTable([]),
            users=[UserSettings(name="4008123456", password="right-one")],
            realm="carrier.example.com",
            secret=b"secret",
        )
        self.endpoint.admit = lambda request, flow: admission.check(request, flow, now=clock.now())
        self.endpoint.on_request["REGISTER"] = self._on_register

    def _on_register(self, inbound: InboundRequest) -> None:
        self.requests.append(inbound)
        inbound.respond(
            self.registrar.receive(
                inbound.request,
                "4008123456",
                flow=inbound.flow,
                received=inbound.flow.remote,
                now=self._clock.now(),
            )
        )

    def contacts(self) -> list[str]:
        """Where the carrier would send calls now."""
        return [str(found.uri) for found in self.registrar.bindings("4008123456", now=self._clock.now())]


async def test_we_register_refresh_and_take_it_back(tmp_path: Path) -> None:
    centre = Centre(tmp_path, extra=TRUNK.format(password="right-one"))
    carrier = Carrier(centre)
    await carrier.endpoint.start()
    async with centre:
        await asyncio.sleep(2)
        assert centre.switch.trunk_registrations.registered("registered")
        assert carrier.contacts() == ["sip:4008123456@127.0.0.1:5060"]
        await asyncio.sleep(300)
        assert len(carrier.requests) >= 5  # refreshed before each end
        assert carrier.contacts() != []
    assert carrier.contacts() == []
    await carrier.endpoint.stop()


async def test_a_wrong_password_is_not_tried_again_and_again(tmp_path: Path) -> None:
    centre = Centre(tmp_path, extra=TRUNK.format(password="wrong-one"))
    carrier = Carrier(centre)
    await carrier.endpoint.start()
    async with centre:
        await asyncio.sleep(60)
        assert not centre.switch.trunk_registrations.registered("registered")
        assert (
            len(centre.network.sent(b"REGISTER", source="127.0.0.1")) == 3
        )  # no proof, and two with a new nonce
    await carrier.endpoint.stop()


async def test_a_carrier_that_is_away_is_tried_until_it_comes(tmp_path: Path) -> None:
    centre = Centre(tmp_path, extra=TRUNK.format(password="right-one"))
    carrier = Carrier(centre)
    async with centre:
        await asyncio.sleep(50)
        caller = await centre.carrier.call("4008000001")  # calls do not mind
        await caller.answered()
        await caller.hangup()
        await carrier.endpoint.start()
        await asyncio.sleep(120)
        assert centre.switch.trunk_registrations.registered("registered")
    await carrier.endpoint.stop()
