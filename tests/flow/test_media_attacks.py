"""What strangers send to media ports (reliability D01, D02, D03, D06, D08): nobody hears it or gets any."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.flow.test_media_faults import HOST, Stage

from sipcc.rtp import DigitEnded, MediaAlarm, MediaPort, packet, rtcp
from sipcc.rtp.codec import g711
from sipcc.testing import audio
from sipcc.testing.media import FakeMedia

STRANGER = "10.6.6.6"
STRANGER_HZ = 1000


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    for party in stage.parties:
        party.close()
    await stage.engine.stop()


class Stranger:
    """A host that sends what it likes to any port, and sees all that is sent to it."""

    def __init__(self, stage: Stage, host: str = STRANGER) -> None:
        self.sockets = stage.network.sockets(host)
        self.handle = self.sockets.open(host, 40000)
        self.sequence = 0

    def rtp(self, port: int, *, ssrc: int = 0xBAD, payload: bytes = b"", payload_type: int = 0) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        data = packet.build(
            payload or bytes(160),
            payload_type=payload_type,
            sequence=self.sequence,
            timestamp=160 * self.sequence,
            ssrc=ssrc,
        )
        self.send(data, port)

    def send(self, data: bytes, port: int) -> None:
        self.sockets.send(self.handle, data, (HOST, port))

    @property
    def got(self) -> int:
        return len(list(self.sockets.drain()))


async def talk(stage: Stage, number: int) -> tuple[MediaPort, MediaPort, FakeMedia, FakeMedia]:
    """Two parties that talk, relayed."""
    one = stage.party(f"10.1.{number}.1", ssrc=2 * number + 1)
    two = stage.party(f"10.1.{number}.2", ssrc=2 * number + 2)
    first, second = await stage.port(one), await stage.port(two)
    one.say_tone(500)
    two.say_tone(800)
    stage.start(one, first)
    stage.start(two, second)
    first.bridge(second)
    return first, second, one, two


async def test_d01_a_spray_over_all_ports_gets_nothing(stage: Stage) -> None:
    """50 calls; the whole range is sprayed from their first moment on, and again in the middle."""
    stranger = Stranger(stage)
    calls = [await talk(stage, number) for number in range(50)]
    for moment in (0.0, 1.0):
        await asyncio.sleep(moment)
        for _ in range(10):
            for port in range(20000, 20200):
                stranger.rtp(port)
            await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    assert stranger.got == 0
    for first, _, one, two in calls:
        assert two.tones() == [500]
        assert one.tones() == [800]
        assert one.breaks() == []
        assert first.read_stats().foreign_packets >= 20


async def test_d01_a_steady_stream_at_one_port_gets_nothing_once_the_party_speaks(stage: Stage) -> None:
    """It comes before the party does, and is learned; the address of the description takes all back."""
    caller, stranger = stage.party("10.0.1.1", ssrc=1), Stranger(stage)
    port = await stage.port(caller)
    port.echo()
    for count in range(100):
        if count == 3:
            caller.say_tone(500)
            stage.start(caller, port)
        stranger.rtp(port.port)
        await asyncio.sleep(0.02)
    assert stranger.got <= 5
    assert caller.tones(0.5) == [500]


async def test_a_phone_behind_nat_is_believed_within_a_fifth_of_a_second(stage: Stage) -> None:
    """While strangers spray its port."""
    phone, stranger = stage.party("192.168.1.9", ssrc=1), Stranger(stage)
    stage.network.add_nat("10.9.9.9", "192.168.1.9")
    port = await stage.port(phone)
    port.echo()
    for _ in range(20):
        stranger.sequence += 7  # not in order: nobody's audio
        stranger.rtp(port.port)
        await asyncio.sleep(0.02)
    begun = asyncio.get_running_loop().time()
    phone.say_tone(500)
    stage.start(phone, port)
    await asyncio.sleep(1)
    assert phone.received[0].at - begun <= 0.2
    assert phone.tones() == [500]
    assert stranger.got == 0


async def test_d01_a_flood_is_told_to_the_operator_once(stage: Stage) -> None:
    first, _, _, two = await talk(stage, 1)
    stranger = Stranger(stage)
    for _ in range(100):
        for _ in range(20):
            stranger.rtp(first.port)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    alarms = [event for event in stage.events if isinstance(event, MediaAlarm)]
    assert [(alarm.port, alarm.kind, alarm.active) for alarm in alarms] == [(first.id, "flood", True)]
    assert two.tones() == [500]
    assert first.read_stats().alarms == ("flood",)


def share(samples: audio.Samples, hz: float) -> float:
    """How much of what was heard is that tone: the correlation with it, 0..1."""
    if not len(samples) or not np.any(samples):
        return 0.0
    return audio.tone_share(samples, hz)


@pytest.mark.parametrize("same_ssrc", [True, False])
async def test_d02_a_foreign_tone_is_heard_by_nobody(stage: Stage, tmp_path: Path, same_ssrc: bool) -> None:
    """Beside the party, in 30 s of its silence, and while it is on hold and taken back."""
    first, _, one, two = await talk(stage, 1)
    stranger = Stranger(stage)
    tone = g711.encode(audio.tone(STRANGER_HZ, 0.02), "PCMU")
    path = tmp_path / "call.wav"
    first.record(str(path))
    heard = []

    async def attack(seconds: float) -> None:
        for _ in range(int(seconds * 50)):
            stranger.rtp(first.port, ssrc=1 * 2 + 1 if same_ssrc else 0xBAD, payload=tone)
            await asyncio.sleep(0.02)
        heard.append(share(two.heard(seconds), STRANGER_HZ))

    await attack(3)
    one.muted = True
    await asyncio.sleep(20)
    await attack(10)
    stage.configure(first, one, send=False, receive=False)  # on hold
    await attack(6)
    stage.configure(first, one)
    await asyncio.sleep(0.1)
    one.muted = False
    await attack(3)
    assert two.tones() == [500]
    await first.close()
    left, _, _ = audio.read_stereo(path)
    assert max(heard) < 0.01
    assert share(left[: 3 * 8000], STRANGER_HZ) < 0.01
    assert share(left[3 * 8000 :], STRANGER_HZ) < 0.01
    assert stranger.got == 0


async def test_d02_on_hold_a_stranger_does_not_become_the_party(stage: Stage) -> None:
    """A phone behind NAT, whose SDP address never speaks, is silent on hold: its place is kept."""
    phone = stage.party("192.168.1.9", ssrc=1)
    stage.network.add_nat("10.9.9.9", "192.168.1.9")
    port = await stage.port(phone)
    stranger = Stranger(stage)
    phone.say_tone(500)
    stage.start(phone, port)
    port.echo()
    await asyncio.sleep(1)
    phone.muted = True
    stage.configure(port, phone, send=False)
    for _ in range(300):
        stranger.rtp(port.port)
        await asyncio.sleep(0.02)
    stage.configure(port, phone)
    for count in range(100):
        stranger.rtp(port.port)
        if count == 30:
            phone.muted = False
        await asyncio.sleep(0.02)
    assert stranger.got == 0
    assert phone.tones(0.5) == [500]


async def test_d03_keys_of_a_stranger_are_no_keys(stage: Stage) -> None:
    first, _, one, two = await talk(stage, 1)
    stranger = Stranger(stage)
    for digit in range(10):
        for _ in range(5):
            stranger.rtp(first.port, payload=bytes((digit, 0x8A, 3, 32)), payload_type=101)
        await asyncio.sleep(0.02)
    assert stage.events == []
    one.press("7")
    await asyncio.sleep(0.5)
    assert [event.digit for event in stage.events if isinstance(event, DigitEnded)] == ["7"]
    assert two.digits == "7"


async def test_d03_one_press_is_one_digit_however_often_it_comes(stage: Stage) -> None:
    first, _, one, two = await talk(stage, 1)
    one.muted = True
    press = bytes((5, 0x8A, 3, 32))
    for count in range(40):  # the same event for 0.8 s, with numbers that go on
        data = packet.build(press, payload_type=101, sequence=9000 + count, timestamp=77, ssrc=3)
        one._sockets.send(one._rtp, data, (HOST, first.port))
        await asyncio.sleep(0.02)
    assert [event.digit for event in stage.events if isinstance(event, DigitEnded)] == ["5"]
    assert two.digits == "5"


BYE = struct.pack("!BBHI", 0x81, 203, 1, 3)
BAD_REPORTS = {
    "four bytes": b"\x80\xc9\x00\x00",
    "four bytes of another protocol": b"\x00\x01\x02\x03",
    "a length beyond the end": b"\x81\xc9\xff\xff" + bytes(28),
    "31 blocks in one": b"\x9f\xc9\x00\x01" + bytes(4),
    "padding longer than itself": b"\xa0\xc9\x00\x01\x00\x00\x00\xff",
    "an XR block that never ends": b"\x80\xcf\x00\x02" + bytes(4) + b"\x07\x00\xff\xff",
    "300 empty reports": b"\x80\xc9\x00\x00" * 300,
    "an SDES without its end": b"\x81\xca\x00\x02" + bytes(4) + b"\x01\xff\x41\x41",
    "feedback": b"\x81\xce\x00\x02" + bytes(8),
}


@pytest.mark.parametrize("source", ["stranger", "party"])
@pytest.mark.parametrize("name", sorted(BAD_REPORTS))
async def test_d06_bad_reports_change_nothing(stage: Stage, name: str, source: str) -> None:
    first, _, one, two = await talk(stage, 1)
    stranger = Stranger(stage)
    await asyncio.sleep(1)
    before = first.read_stats()
    data = BAD_REPORTS[name]
    for port in (first.port, first.port + 1):
        for _ in range(200):
            if source == "stranger":
                stranger.send(data, port)
            else:
                handle = one._rtp if port == first.port else one._rtcp
                one._sockets.send(handle, data, (HOST, port))
    await asyncio.sleep(1)
    core = stage.engine._core
    assert core is not None
    assert core.crashes == 0, repr(core.last_crash)
    after = first.read_stats()
    assert (after.rtt_ms, after.remote_lost, after.lost) == (before.rtt_ms, before.remote_lost, 0)
    assert two.tones() == [500]
    assert one.tones() == [800]
    assert stranger.got == 0
    if source == "stranger":
        assert after.foreign_packets > before.foreign_packets


@pytest.mark.parametrize("source", ["stranger", "party"])
async def test_d06_a_forged_bye_ends_nothing(stage: Stage, source: str) -> None:
    first, _, one, two = await talk(stage, 1)
    stranger = Stranger(stage)
    for _ in range(10):
        for port in (first.port, first.port + 1):
            if source == "stranger":
                stranger.send(rtcp.build_bye(3, "x") + BYE, port)
            else:
                one._sockets.send(one._rtcp, BYE, (HOST, port))
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    assert two.tones() == [500]
    assert one.tones() == [800]
    assert stage.events == []


def shaped(first: int, payload: bytes, *, sequence: int = 9, extra: bytes = b"") -> bytes:
    """A packet with a first byte that promises things, and what it then holds."""
    return struct.pack("!BBHII", first, 0, sequence, 160 * sequence, 3) + extra + payload


SHAPES = {
    "15 CSRCs that are not there": shaped(0x8F, b"x" * 20),
    "15 CSRCs that are": shaped(0x8F, bytes(160), extra=bytes(60)),
    "an extension of 65535 words": shaped(0x90, b"\xbe\xde\xff\xff" + bytes(40)),
    "an extension without a head": shaped(0x90, b"\xbe"),
    "padding longer than the packet": shaped(0xA0, b"\xff" * 10),
    "padding of zero": shaped(0xA0, bytes(160)),
    "all of them": shaped(0xBF, b"\xff" * 80),
    "a header alone": shaped(0x80, b""),
    "one sample": shaped(0x80, b"\x7f"),
    "a second in one packet": shaped(0x80, bytes(8000)),
    "version 0": b"\x00" + shaped(0x80, bytes(160))[1:],
    "version 3": b"\xc0" + shaped(0x80, bytes(160))[1:],
    "one byte": b"\x80",
    "nothing": b"",
}


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("name", sorted(SHAPES))
async def test_d08_odd_shapes_harm_no_call(stage: Stage, name: str, codec: str) -> None:
    """From the party itself, into a relay and into an anchored bridge."""
    one, two = stage.party("10.0.1.1", ssrc=3), stage.party("10.0.1.2", ssrc=4)
    first, second = await stage.port(one), await stage.port(two, codec)  # type: ignore[arg-type]
    one.say_tone(500)
    stage.start(one, first)
    stage.start(two, second, codec)  # type: ignore[arg-type]
    first.bridge(second)
    await asyncio.sleep(1)
    for count in range(50):
        data = bytearray(SHAPES[name])
        if len(data) >= 12:
            data[2:4] = ((one.sequence + count) & 0xFFFF).to_bytes(2, "big")
        one._sockets.send(one._rtp, bytes(data), (HOST, first.port))
    await asyncio.sleep(2)
    core = stage.engine._core
    assert core is not None
    assert core.crashes == 0, repr(core.last_crash)
    assert two.tones(0.5) == [500]
    assert len(two.received) < 250  # a second in one packet does not become fifty frames a packet
