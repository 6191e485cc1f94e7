"""What the media engine does when parties, strangers and networks misbehave."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.ids import Ids
from sipcc.rtp import (
    DigitEnded,
    Law,
    LocalEngine,
    MediaEvent,
    MediaPort,
    MediaSettings,
    MediaTimedOut,
    PlayTone,
    StreamParams,
    packet,
    rtcp,
)
from sipcc.testing import audio
from sipcc.testing.link import Link
from sipcc.testing.media import FakeMedia, Peer
from sipcc.testing.network import MemoryNetwork

HOST = "10.0.0.1"


class Stage:
    def __init__(self, **changes: object) -> None:
        self.network = MemoryNetwork()
        values: dict[str, object] = {"address": HOST, "ports": (20000, 20199), "clock_ms": 10}
        self.engine = LocalEngine(
            MediaSettings(**{**values, **changes}),  # type: ignore[arg-type]
            sockets=self.network.sockets(HOST),
            ids=Ids(random.Random(3)),
        )
        self.events: list[MediaEvent] = []
        self.parties: list[FakeMedia] = []

    def party(self, host: str, *, ssrc: int) -> FakeMedia:
        party = FakeMedia(self.network.sockets(host), host, ssrc=ssrc)
        self.parties.append(party)
        return party

    async def port(self, party: FakeMedia, codec: Law = "PCMU", **changes: object) -> MediaPort:
        port = await self.engine.open()
        port.on_event = self.events.append
        self.configure(port, party, codec, **changes)
        return port

    @staticmethod
    def configure(port: MediaPort, party: FakeMedia, codec: Law = "PCMU", **changes: object) -> None:
        values: dict[str, object] = {
            "remote_host": party.host,
            "remote_port": party.port,
            "remote_rtcp_port": party.port + 1,
            "codec": codec,
            "payload_type": 0 if codec == "PCMU" else 8,
            "event_payload_type": 101,
        }
        port.configure(StreamParams(**{**values, **changes}))  # type: ignore[arg-type]

    @staticmethod
    def start(party: FakeMedia, port: MediaPort, codec: Law = "PCMU") -> None:
        party.start(
            Peer(
                host=HOST,
                port=port.port,
                codec=codec,
                payload_type=0 if codec == "PCMU" else 8,
                event_payload_type=101,
            )
        )


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    for party in stage.parties:
        party.close()
    await stage.engine.stop()


async def test_an_attacker_gets_nothing_and_is_not_heard(stage: Stage) -> None:
    caller, attacker = stage.party("10.0.1.1", ssrc=1), stage.party("10.6.6.6", ssrc=2)
    port = await stage.port(caller)
    caller.say_tone(500)
    attacker.say_tone(900)
    stage.start(caller, port)
    stage.start(attacker, port)
    port.echo()
    await asyncio.sleep(6)
    assert attacker.received == []
    assert caller.tones() == [500]
    caller.muted = True  # and after the window it does not help that the caller is silent
    await asyncio.sleep(4)
    assert attacker.received == []
    assert port.read_stats().foreign_packets > 300


async def test_a_phone_behind_nat_is_learned(stage: Stage) -> None:
    phone = stage.party("192.168.1.9", ssrc=1)
    stage.network.add_nat("10.9.9.9", "192.168.1.9")
    port = await stage.port(phone)
    phone.say_tone(500)
    stage.start(phone, port)
    port.echo()
    await asyncio.sleep(1)
    assert phone.tones() == [500]


async def test_silence_times_out_once_and_reports_count_as_life(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    port = await stage.port(caller)
    stage.start(caller, port)
    await asyncio.sleep(10)
    caller.muted = True
    await asyncio.sleep(29)
    assert stage.events == []
    await asyncio.sleep(60)
    assert [type(event) for event in stage.events] == [MediaTimedOut]
    stage.events.clear()
    stage.configure(port, caller)
    sockets = stage.network.sockets("10.0.1.1")
    handle = sockets.open("10.0.1.1", 9999)
    for _ in range(20):
        sockets.send(handle, rtcp.build_report(1, "phone"), (HOST, port.port + 1))
        await asyncio.sleep(5)
    assert stage.events == []


async def test_a_held_leg_has_its_own_time_out(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    port = await stage.port(caller, send=False)
    port.play([PlayTone((440,), 1000)], loop=True)
    await asyncio.sleep(299)
    assert caller.received == []
    assert stage.events == []
    await asyncio.sleep(3)
    assert [type(event) for event in stage.events] == [MediaTimedOut]


async def test_a_leg_that_may_not_speak_is_not_heard(stage: Stage) -> None:
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one, receive=False), await stage.port(two)
    one.say_tone(500)
    stage.start(one, first)
    stage.start(two, second)
    first.bridge(second)
    one.press("5")
    await asyncio.sleep(2)
    assert two.received == []
    assert stage.events == []
    stage.configure(first, one)
    await asyncio.sleep(1)
    assert two.tones() == [500]


async def test_codec_change_in_mid_call_moves_between_relay_and_clock(stage: Stage) -> None:
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one), await stage.port(two)
    one.say_tone(500)
    two.say_tone(900)
    stage.start(one, first)
    stage.start(two, second)
    first.bridge(second)
    for codec in ("PCMU", "PCMA", "PCMU", "PCMA"):
        stage.configure(second, two, codec)
        stage.start(two, second, codec)
        await asyncio.sleep(2)
        assert two.tones(1.0) == [500]
        assert one.tones(1.0) == [900]
    assert one.breaks() == two.breaks() == []
    assert two.longest_gap() < 0.1


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
async def test_other_packet_times(stage: Stage, ptime: int) -> None:
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one), await stage.port(two, ptime_ms=ptime)
    one.say_tone(500)
    stage.start(one, first)
    stage.start(two, second)
    first.bridge(second)
    await asyncio.sleep(3)
    assert {len(item.payload) for item in two.received} == {ptime * 8}
    assert two.tones(1.0) == [500]
    assert two.breaks() == []


async def test_jitter_and_disorder_leave_clean_audio(stage: Stage) -> None:
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one), await stage.port(two, "PCMA")
    one.say_tone(500)
    stage.network.set_link(Link(delay=0.03, jitter=0.015), source="10.0.1.1")
    stage.start(one, first)
    stage.start(two, second, "PCMA")
    first.bridge(second)
    await asyncio.sleep(10)
    assert two.tones(2.0) == [500]
    assert two.breaks() == []
    assert audio.tone_share(two.heard(2.0), 500) > 0.9
    assert len(two.received) > 480


async def test_recording_of_a_relayed_call(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rec") / "call.wav"
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one), await stage.port(two)
    one.say_tone(500)
    two.say_tone(900)
    stage.start(one, first)
    stage.start(two, second)
    first.bridge(second)
    first.record(str(path))
    await asyncio.sleep(3)
    await first.close()
    left, right, _ = audio.read_stereo(path)
    assert len(left) == pytest.approx(3 * 8000, abs=200)
    audio.assert_tone(left[4000:20000], 500)
    audio.assert_tone(right[4000:20000], 900)


async def test_reports_flow_and_end_with_bye(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    sockets = stage.network.sockets("10.0.1.1")
    watch = sockets.open("10.0.1.1", 7001)
    port = await stage.port(caller, remote_rtcp_port=7001)
    stage.start(caller, port)
    port.echo()
    await asyncio.sleep(30)
    await port.close()
    await asyncio.sleep(0.1)
    compounds = [rtcp.parse(data).packets for handle, data, _ in sockets.drain() if handle == watch]
    assert 4 <= len(compounds) <= 14
    sender = compounds[2][0]
    assert isinstance(sender, rtcp.SenderReport)
    assert sender.packets > 100
    assert sender.blocks[0].ssrc == 1
    assert isinstance(compounds[-1][-1], rtcp.Goodbye)


async def test_a_name_or_zero_address_is_never_sent_to(stage: Stage) -> None:
    caller = stage.party("10.0.1.1", ssrc=1)
    for host in ("0.0.0.0", "phone.example.com", ""):
        port = await stage.port(caller, remote_host=host)
        port.play([PlayTone((440,), 100)])
        await asyncio.sleep(1)
        assert port.read_stats().packets_sent == 0


async def test_a_flood_of_keys_does_not_grow_anything(stage: Stage) -> None:
    one, two = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(one), await stage.port(two, "PCMA")
    first.bridge(second)
    sockets = one._sockets
    for count in range(500):
        data = packet.build(
            bytes([count % 10, 0x8A, 0x03, 0x20]),
            payload_type=101,
            sequence=count,
            timestamp=count * 1000,
            ssrc=1,
        )
        sockets.send(one._rtp, data, (HOST, first.port))
        if count % 50 == 0:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    assert len([event for event in stage.events if isinstance(event, DigitEnded)]) > 100
    await asyncio.sleep(5)
    sent = second.read_stats().packets_sent
    await asyncio.sleep(5)
    assert second.read_stats().packets_sent == sent  # three seconds of keys, no more


async def test_random_datagrams_leave_memory_flat(stage: Stage) -> None:
    caller, other = stage.party("10.0.1.1", ssrc=1), stage.party("10.0.1.2", ssrc=2)
    first, second = await stage.port(caller), await stage.port(other, "PCMA")
    first.bridge(second)
    core = stage.engine._core
    assert core is not None
    dice = random.Random(5)
    handles = list(core._receivers)

    def throw(count: int, now: float) -> None:
        batch = []
        for _ in range(count):
            data = bytearray(dice.randbytes(dice.choice((0, 1, 11, 12, 16, 40, 172, 200))))
            if data and dice.random() < 0.8:
                data[0] = dice.choice((0x80, 0x80, 0x81, 0x90, 0xA0, 0xBF))
            if len(data) > 1 and dice.random() < 0.8:
                data[1] = dice.choice((0, 8, 101, 200, 201, 203, 13))
            source = (
                (caller.host, caller.port) if dice.random() < 0.7 else (caller.host, dice.randrange(1, 65536))
            )
            batch.append((dice.choice(handles), bytes(data), source))
        core._sockets.drain = lambda: batch  # type: ignore[method-assign]
        core.tick(now=now)
        core.events(now=now)

    now = asyncio.get_running_loop().time()
    for step in range(20):
        throw(1000, now + step * 0.01)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for step in range(20, 100):
        throw(1000, now + step * 0.01)
    stage.network.captured.clear()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del core._sockets.drain
    assert core.crashes == 0, repr(core.last_crash)
    assert grown < 500_000


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=64)), max_size=30))
def test_no_datagram_raises(datagrams: list[tuple[int, bytes]]) -> None:
    from sipcc.testing.loop import run_virtual

    async def run() -> None:
        stage = Stage()
        caller = stage.party("10.0.1.1", ssrc=1)
        port = await stage.port(caller)
        port.echo()
        core = stage.engine._core
        assert core is not None
        for kind, data in datagrams:
            body = (b"", b"\x80\x00", b"\x80\x65", b"\x81\xc9")[kind] + data
            for receive in list(core._receivers.values()):
                receive(body, (caller.host, caller.port), 1.0)
        caller.close()
        await stage.engine.stop()

    run_virtual(run())


async def test_a_fault_of_ours_in_one_leg_leaves_the_clock_to_the_others() -> None:
    stage = Stage(clock_ms=20)  # all in one phase
    parties = [stage.party(f"10.0.1.{number}", ssrc=number) for number in range(1, 5)]
    ports = [await stage.port(party, "PCMU" if party.host[-1] in "13" else "PCMA") for party in parties]
    for party, port, codec in zip(parties, ports, ("PCMU", "PCMA") * 2, strict=True):
        party.say_tone(500)
        party.start(Peer(host=HOST, port=port.port, codec=codec, payload_type=0 if codec == "PCMU" else 8))
    ports[0].bridge(ports[1])
    ports[2].bridge(ports[3])
    await asyncio.sleep(0.5)
    core = stage.engine._core
    assert core is not None
    broken = core.session_of(ports[0].id)
    assert broken is not None
    broken.consent = object()  # type: ignore[assignment]
    broken.watch = SimpleNamespace(raised=(), look=None)  # type: ignore[assignment]
    ports[0].tap(True)  # so its frames go the long way
    await asyncio.sleep(5)
    assert core.crashes > 200
    assert core.load_now(now=0.0).crashes == core.crashes
    for party in parties[2:]:
        assert len(party.heard(4.0)) == 32_000
        audio.assert_tone(party.heard(4.0), 500)
        assert party.breaks() == []
    parties[0].muted = True
    await asyncio.sleep(60)
    assert [event.port for event in stage.events if isinstance(event, MediaTimedOut)] == [ports[0].id]
    for party in parties:
        party.close()
    await stage.engine.stop()
