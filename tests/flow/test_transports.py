"""The main job over all five transports: register, be called through a queue, call, and hang up."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CONFIG, WELCOME_HZ, Centre

from sipcc.sip.transport.base import Address, TransportName
from sipcc.testing.carrier import FakeCarrier

TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"]
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 8080, "wss": 8443}

LISTEN = 'listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]'
ALL = """listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:127.0.0.1:5061",
  "ws:127.0.0.1:8080", "wss:127.0.0.1:8443"]
tls = {{ certificate = "pbx.pem" }}"""


def everywhere(folder: Path) -> Centre:
    """The switch on all transports; in memory it needs no certificate, but its configuration names one."""
    config = CONFIG.replace(LISTEN, ALL)
    assert config != CONFIG
    return Centre(folder, config=config)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_agent_is_called_and_calls(tmp_path: Path, transport: TransportName) -> None:
    async with everywhere(tmp_path) as centre:
        centre.server = Address(centre.server.host, PORTS[transport])
        phone = await centre.phone("1001", transport=transport)
        call = await centre.carrier.call("4008000005")
        await call.answered()
        theirs = await phone.next_call()
        await theirs.answered()
        assert {trace.data.split()[0] for trace in phone.trace} >= {b"REGISTER", b"INVITE", b"ACK"}
        via = phone.seen("INVITE", "in")[0].data
        assert f"SIP/2.0/{transport.upper()} ".encode() in via
        await call.hangup()
        await theirs.ended()
        other = await centre.phone("1002", transport=transport)
        out = await other.call("4008000005")
        await out.answered()
        theirs = await phone.next_call()
        await out.hears(AGENT_HZ["1001"])
        await theirs.hears(AGENT_HZ["1002"])
        await theirs.hangup()
        await out.ended()
        assert other.seen("BYE", "in")
        assert await phone.unregister() == 200


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_carrier_calls(tmp_path: Path, transport: TransportName) -> None:
    async with everywhere(tmp_path) as centre:
        carrier = FakeCarrier(
            "other",
            "127.0.0.2",
            server=Address("127.0.0.1", PORTS[transport]),
            network=centre.network.host("127.0.0.2"),
            transport=transport,
        )
        await carrier.start()
        call = await carrier.call("4008000004")
        await call.answered()
        await call.hears(WELCOME_HZ)
        await call.hangup()
        assert carrier.seen("SIP/2.0 200", "in")
        await carrier.stop()


@pytest.mark.parametrize("transport", TRANSPORTS[1:])
async def test_a_stream_that_breaks_in_a_call(tmp_path: Path, transport: TransportName) -> None:
    """Whatever becomes of the call, nothing is left of it, and the next one goes through."""
    async with everywhere(tmp_path) as centre:
        centre.server = Address(centre.server.host, PORTS[transport])
        phone = await centre.phone("1001", transport=transport)
        call = await centre.carrier.call("4008000005")
        await call.answered()
        await phone.vanish()
        await call.hangup()
        again = await centre.phone("1001", transport=transport)
        call = await centre.carrier.call("4008000005")
        await call.answered()
        await (await again.next_call()).hangup()
        await call.ended()
