"""The same calls over all five transports, by a trunk, an agent and a browser (an agent over WSS)."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CARRIER, CONFIG, MUSIC_HZ, WELCOME_HZ, Centre
from tests.unit.sip.certificates import tls_settings

from sipcc.errors import CallRejected
from sipcc.sip import TrunkTable
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.transport.tls import TlsLayer, client_context, server_context
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import FakePhone

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


# -- the matrix: a trunk over each calls an agent over each --------------------------------------------

NAMED = """
[[trunks]]
name = "named"
host = "127.0.0.8"
tls_names = ["carrier.example.net"]
"""
ELSEWHERE = "127.0.0.9"
"""An address that is no trunk's."""


async def trunk_over(
    centre: Centre, transport: TransportName, host: str = CARRIER, name: str = "named"
) -> FakeCarrier:
    """Another carrier than the one of the centre, over `transport`."""
    trunk = FakeCarrier(
        name,
        host,
        server=Address("127.0.0.1", PORTS[transport]),
        network=centre.network.host(host),
        transport=transport,
        tone_hz=CALLER_HZ,
    )
    await trunk.start()
    return trunk


async def agent_over(centre: Centre, transport: TransportName) -> FakePhone:
    centre.server = Address(centre.server.host, PORTS[transport])
    return await centre.phone("1001", transport=transport)


async def call_hold_and_end(caller: FakeCall, agent: FakePhone, *, by_agent: bool) -> None:
    """Both hear each other; the agent holds, and takes back; one of them hangs up, the other is told."""
    talk = await agent.next_call()
    await caller.answered()
    await caller.hears(AGENT_HZ["1001"])
    await talk.hears(CALLER_HZ)
    assert await talk.hold() == 200
    await caller.hears(MUSIC_HZ)
    await talk.hears_silence()
    assert await talk.resume() == 200
    await caller.hears(AGENT_HZ["1001"])
    await talk.hears(CALLER_HZ)
    first, second = (talk, caller) if by_agent else (caller, talk)
    await first.hangup()
    assert await second.ended() == "peer"


async def nothing_is_left(centre: Centre) -> None:
    await asyncio.sleep(40)
    switch = centre.switch
    assert (len(switch.calls), switch.endpoint.sessions, switch.engine.open_ports) == (0, 0, 0)
    assert len(switch.endpoint.layer) == 0


@pytest.mark.parametrize("of_agent", TRANSPORTS)
@pytest.mark.parametrize("of_trunk", TRANSPORTS)
async def test_a_trunk_calls_an_agent(
    tmp_path: Path, of_trunk: TransportName, of_agent: TransportName
) -> None:
    async with everywhere(tmp_path) as centre:
        trunk, agent = await trunk_over(centre, of_trunk), await agent_over(centre, of_agent)
        for by_agent in (True, False):
            call = await trunk.call("4008000005")
            await call_hold_and_end(call, agent, by_agent=by_agent)
        assert f"SIP/2.0/{of_trunk.upper()} ".encode() in trunk.seen("INVITE", "out")[0].data
        assert f"SIP/2.0/{of_agent.upper()} ".encode() in agent.seen("INVITE", "in")[0].data
        await nothing_is_left(centre)
        await trunk.stop()


OUTWARD = """
[[trunks]]
name = "outward"
host = "127.0.0.8"
transport = "{transport}"
[[numbers]]
number = "4008000011"
to = "dial:outward/13800138001"
"""
FAR_HZ = 2200.0


@pytest.mark.parametrize("of_agent", TRANSPORTS)
@pytest.mark.parametrize("of_trunk", ["udp", "tcp", "tls"])
async def test_an_agent_calls_out_over_a_trunk(
    tmp_path: Path, of_trunk: TransportName, of_agent: TransportName
) -> None:
    """Nobody calls a carrier over WebSocket: such a trunk would have to open the connection itself."""
    extra = OUTWARD.format(transport=of_trunk)
    async with Centre(tmp_path, config=CONFIG.replace(LISTEN, ALL), extra=extra) as centre:
        agent = await agent_over(centre, of_agent)
        far = FakePhone(
            "13800138001",
            "",
            server=Address("127.0.0.1", PORTS[of_trunk]),
            host="127.0.0.8",
            network=centre.network.host("127.0.0.8"),
            transport=of_trunk,
            tone_hz=FAR_HZ,
            port=PORTS[of_trunk],
        )
        await far.start()
        for by_agent in (True, False):
            out = await agent.call("4008000011")
            talk = await far.next_call()
            await out.answered()
            await out.hears(FAR_HZ)
            await talk.hears(AGENT_HZ["1001"])
            assert await out.hold() == 200
            await talk.hears(MUSIC_HZ)
            assert await out.resume() == 200
            await talk.hears(AGENT_HZ["1001"])
            first, second = (out, talk) if by_agent else (talk, out)
            await first.hangup()
            assert await second.ended() == "peer"
        assert f"SIP/2.0/{of_trunk.upper()} ".encode() in far.seen("INVITE", "in")[0].data
        await nothing_is_left(centre)
        await far.stop()


@pytest.mark.parametrize("transport", ["tls", "wss"])
async def test_a_trunk_is_known_by_its_certificate(tmp_path: Path, transport: TransportName) -> None:
    config = CONFIG.replace(LISTEN, ALL)
    async with Centre(tmp_path, config=config, extra=NAMED) as centre:
        agent = await agent_over(centre, "wss")
        centre.network.certify(ELSEWHERE, "Carrier.example.net")
        trunk = await trunk_over(centre, transport, ELSEWHERE)
        await call_hold_and_end(await trunk.call("4008000005"), agent, by_agent=True)
        assert centre.switch.endpoint.counters["crashes"] == 0
        await nothing_is_left(centre)
        await trunk.stop()


@pytest.mark.parametrize("names", [(), ("other.example.net",)])
async def test_a_stranger_of_another_certificate_is_no_trunk(tmp_path: Path, names: tuple[str, ...]) -> None:
    async with Centre(tmp_path, config=CONFIG.replace(LISTEN, ALL), extra=NAMED) as centre:
        centre.network.certify(ELSEWHERE, *names)
        stranger = await trunk_over(centre, "tls", ELSEWHERE)
        call = await stranger.call("4008000005")
        with pytest.raises(CallRejected):
            await call.answered()
        await nothing_is_left(centre)
        await stranger.stop()


def test_mutual_tls_is_1_3_and_its_names_make_the_trunk(tmp_path: Path) -> None:
    """The memory network encrypts nothing; here are the contexts that real sockets use."""
    ours = TlsLayer(
        client_context(tls_settings(tmp_path, "carrier.example.net")), server=False, name="pbx.example.com"
    )
    theirs = TlsLayer(
        server_context(tls_settings(tmp_path, "pbx.example.com", verify="required")), server=True
    )
    ours.start()
    theirs.start()
    while there := ours.to_send():
        theirs.receive(there, now=0.0)
        ours.receive(theirs.to_send(), now=0.0)
    assert (ours.open, theirs.open) == (True, True)
    assert [layer._tls.version() for layer in (ours, theirs)] == ["TLSv1.3", "TLSv1.3"]
    assert ssl.HAS_TLSv1_3

    class Proved:
        transport, remote, peer_names = "tls", Address(ELSEWHERE, 40000), theirs.names

    named = TrunkSettings(name="named", tls_names=("carrier.example.net",))
    assert TrunkTable((named,)).match(Proved()) is named  # type: ignore[arg-type]
