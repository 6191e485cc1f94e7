from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.unit.sip.certificates import tls_settings

from sipcc.clock import LoopClock
from sipcc.errors import CallRejected
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InboundRequest, NameAddr, SessionEvents, SipSettings, SipUri
from sipcc.sip.transport.base import Address, TransportName
from sipcc.testing import audio
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.fakecall import NotSeenError
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork
from sipcc.testing.phone import Answer, Deaf, Decline, FakePhone, Ignore

NOWHERE = Address("10.0.0.99", 5060)


class Pair:
    """A carrier that calls a phone without anybody between them."""

    def __init__(self, network: MemoryNetwork, transport: TransportName = "udp") -> None:
        self.network = network
        self.phone = FakePhone(
            "1001",
            "secret",
            server=NOWHERE,
            host="10.0.0.2",
            network=network.host("10.0.0.2"),
            transport=transport,
            tone_hz=700,
            seed=1,
        )
        self.carrier = FakeCarrier(
            "carrier",
            "10.0.0.1",
            server=NOWHERE,
            network=network.host("10.0.0.1"),
            transport=transport,
            tone_hz=400,
            seed=2,
        )

    async def start(self) -> None:
        await self.phone.start()
        await self.carrier.start()
        self.carrier.server = self.phone.address


Make = Callable[..., Pair]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Pair] = []

    def build(link: Link = Link(delay=0.01), transport: TransportName = "udp") -> Pair:  # noqa: B008
        made.append(Pair(MemoryNetwork(link=link), transport))
        return made[-1]

    yield build
    for pair in made:
        await pair.carrier.stop()
        await pair.phone.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_call_is_answered_heard_and_hung_up(make: Make, transport: TransportName) -> None:
    pair = make(transport=transport)
    await pair.start()
    call = await pair.carrier.call("4008123456", caller="13800138000")
    await call.ringing()
    await call.answered()
    rung = await pair.phone.next_call()
    await call.hears(700)
    await rung.hears(400)
    await call.press("12#")
    await rung.gets_digits("12#")
    assert rung.request is not None
    assert rung.request.from_.uri.user == "13800138000"
    assert call.media.breaks() == rung.media.breaks() == []
    await call.hangup()
    assert await rung.ended() == "peer"
    assert [moment.what for moment in call.moments] == ["invite", "ringing", "answered", "ended"]
    assert call.moments[2].at - call.moments[1].at == pytest.approx(0.5, abs=0.05)
    assert pair.carrier.seen("INVITE", "out")
    assert pair.phone.seen("BYE", "in")
    await asyncio.sleep(1)
    assert pair.carrier.endpoint.sessions == pair.phone.endpoint.sessions == 0


async def test_the_callee_can_hang_up(make: Make) -> None:
    pair = make()
    await pair.start()
    call = await pair.carrier.call("1001")
    await call.answered()
    rung = await pair.phone.next_call()
    await rung.hangup()
    assert await call.ended() == "peer"
    await call.hangup()  # nothing is left to hang up


async def test_refusals_come_as_told_and_the_last_behaviour_stays(make: Make) -> None:
    pair = make()
    pair.phone.behaviours = [Decline(486), Decline(603, after=1.0), Answer(0)]
    await pair.start()
    for status in (486, 603):
        call = await pair.carrier.call("1001")
        with pytest.raises(CallRejected) as refusal:
            await call.answered()
        assert refusal.value.status == status
    for _ in range(2):
        await (await pair.carrier.call("1001")).answered()


@pytest.mark.parametrize("behaviour", [Ignore(), Deaf()])
async def test_the_caller_gives_up(make: Make, behaviour: Ignore | Deaf) -> None:
    pair = make()
    pair.phone.behaviours = [behaviour]
    await pair.start()
    call = await pair.carrier.call("1001")
    rung = await pair.phone.next_call()
    if isinstance(behaviour, Deaf):
        with pytest.raises(NotSeenError, match="no ringing within 2 s; trying"):
            await call.ringing(2)
    else:
        await call.ringing()
    with pytest.raises(NotSeenError, match="no answered within 5 s"):
        await call.answered(5)
    await call.hangup()
    assert (call.status, await rung.ended()) == (487, "cancelled")


async def test_hold_and_resume(make: Make) -> None:
    pair = make()
    await pair.start()
    call = await pair.carrier.call("1001")
    await call.answered()
    rung = await pair.phone.next_call()
    await call.hears(700)
    assert await call.hold() == 200
    await call.hears_silence()
    assert rung.theirs is not None
    assert rung.theirs.direction == "sendonly"
    await rung.hears(400)
    assert await rung.resume() == 200
    await asyncio.sleep(0.1)  # the ACK of that one is still on its way
    assert await call.resume() == 200
    await call.hears(700)
    assert call.media.breaks() == []


async def test_a_late_offer_is_answered_in_the_ack(make: Make) -> None:
    pair = make()
    await pair.start()
    call = await pair.carrier.call("1001", late_offer=True)
    await call.answered()
    rung = await pair.phone.next_call()
    await call.hears(700)
    await rung.hears(400)


async def test_what_is_not_heard_is_told_with_what_was_heard(make: Make) -> None:
    pair = make()
    await pair.start()
    call = await pair.carrier.call("1001", tone_hz=1000)
    await call.answered()
    await call.hears(700)
    with pytest.raises(NotSeenError, match=r"no 900 Hz within 1 s; answered  200.*tones \[700\]"):
        await call.hears(900, 1)
    with pytest.raises(NotSeenError, match="no silence"):
        await call.hears_silence(1)
    assert call.tones() == [700]
    audio.assert_tone(call.heard(), 700)
    audio.assert_tone((await pair.phone.next_call()).heard(), 1000)
    with pytest.raises(NotSeenError, match="phone 1001: no call"):
        await pair.phone.next_call(1)


async def test_a_call_survives_a_bad_network(make: Make) -> None:
    pair = make(Link(loss=0.2, delay=0.02, jitter=0.01, duplicate=0.1, reorder=0.1))
    await pair.start()
    call = await pair.carrier.call("1001")
    await call.answered(40)
    rung = await pair.phone.next_call()
    assert rung.theirs is not None
    await asyncio.sleep(1)
    assert audio.tone_share(call.heard(), 700) > 0.4  # a fifth of the frames is silence
    await call.hangup()
    assert await rung.ended(40) == "peer"


async def test_a_phone_that_vanishes_says_nothing(make: Make) -> None:
    pair = make()
    await pair.start()
    call = await pair.carrier.call("1001")
    await call.answered()
    await call.hears(700)
    before = len(pair.network.captured)
    await pair.phone.vanish()
    await call.hears_silence()
    assert not [p for p in list(pair.network.captured)[before:] if p.source.host == "10.0.0.2"]


@pytest.mark.realtime
async def test_the_same_on_real_sockets() -> None:
    phone = FakePhone("1001", "secret", server=NOWHERE, host="127.0.0.3", tone_hz=700, behaviour=Answer(0))
    await phone.start()
    carrier = FakeCarrier("carrier", "127.0.0.2", server=phone.address, tone_hz=400)
    await carrier.start()
    call = await carrier.call("1001")
    await call.answered()
    rung = await phone.next_call()
    await call.hears(700)
    await rung.hears(400)
    await call.hangup()
    await rung.ended()
    await carrier.stop()
    await phone.stop()


@pytest.mark.realtime
@pytest.mark.parametrize("transport", ["tls", "ws", "wss"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_phone_registers_and_is_called_on_the_connection_that_it_opened(
    tmp_path: Path, transport: TransportName, host: str
) -> None:
    tls = tls_settings(tmp_path, host)
    listen = f"{transport}:{Address(host, 0)}"
    server = Endpoint(SipSettings(listen=(listen,), tls=tls), clock=LoopClock(), ids=Ids())
    bound: list[InboundRequest] = []

    def register(inbound: InboundRequest) -> None:
        bound.append(inbound)
        inbound.reply(200)

    server.on_request["REGISTER"] = register
    await server.start()
    phone = FakePhone(
        "1001",
        "secret",
        server=server.listeners[0].local,
        host=host,
        transport=transport,
        tls=tls_settings(tmp_path, bare=True),
        behaviour=Answer(0),
    )
    await phone.start()
    assert await phone.register() == 200
    contact = bound[0].request.contacts[0].uri
    assert contact.param("transport") == ("tls" if transport == "tls" else "ws")
    assert contact.host.endswith(".invalid") == (transport != "tls")
    caller = SessionEvents()
    session = server.invite(
        contact,
        from_=NameAddr(SipUri(user="bob", host="example.com")),
        body=SDP,
        listener=caller,
        route=bound[0].flow,
    )
    rung = await phone.next_call()
    await rung.answered()
    await rung.hangup()
    assert session.flow is bound[0].flow
    assert len(phone.seen("INVITE", "in")) == 1
    await phone.stop()
    await server.stop()


SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
