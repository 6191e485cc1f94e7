"""Senders that leap, pause and change their packets in mid-call, and what the far side hears of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.flow.stage import Leg, Stage
from tests.unit.rtp.traces import Arrival, jittered, steady

from sipcc.rtp import tones
from sipcc.rtp.codec import g711
from sipcc.rtp.line import TIMESTAMP_MASK
from sipcc.rtp.packet import HEADER, PLAIN

RATE = 8000
NOISE = 13


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


def speech(seconds: float, ptime_ms: int = 20) -> list[Arrival]:
    """A tone of 400 Hz from time 0, in packets."""
    coded = g711.encode(tones.make_tone((400,), seconds * 1000), "PCMU")
    return steady(
        seconds, ptime_ms=ptime_ms, start=0.0, payload=lambda n, size: coded[n * size : (n + 1) * size]
    )


def later(trace: list[Arrival], packets: int) -> list[Arrival]:
    """The same, so many packets later in the stream."""
    return [
        replace(packet, sequence=packet.sequence + packets, timestamp=packet.timestamp + packets * 160)
        for packet in trace
    ]


async def send(leg: Leg, trace: list[Arrival]) -> None:
    """Have the party of `leg` send just this."""
    leg.party.muted = True
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for packet in trace:
        wait = begin + packet.at - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        kind = NOISE if packet.kind == "noise" else 0
        data = HEADER.pack(PLAIN, kind | 0x80 * packet.marker, packet.sequence, packet.timestamp, packet.ssrc)
        # from the socket of the party itself: anybody else would not be believed
        leg.party._sockets.send(leg.party._rtp, data + packet.payload, (leg.port.host, leg.port.port))


def is_one_line(leg: Leg) -> bool:
    """True when all that a party received has one SSRC, one sequence and timestamps that follow wall time."""
    got = leg.party.received
    if len({item.ssrc for item in got}) != 1:
        return False
    for one, two in pairwise(got):
        if (two.sequence - one.sequence) & 0xFFFF != 1:
            return False
        passed = ((two.timestamp - one.timestamp) & TIMESTAMP_MASK) / RATE
        if passed > 1e6 / RATE or abs(passed - (two.at - one.at)) > 0.1:
            return False
    return True


LEAPS = {
    "source": {"ssrc": 9, "sequence": 30000, "timestamp": 1 << 31},
    "restart": {"sequence": -20000, "timestamp": 77777},
    "time": {"timestamp": 1 << 30},
    "wrap": {},
}


def leaping(name: str, trace: list[Arrival]) -> list[Arrival]:
    """The sender makes a leap in the middle, or passes the ends of all its numbers."""
    base = 65400 if name == "wrap" else 100
    zero = TIMESTAMP_MASK - 20000 if name == "wrap" else 5000
    changed = []
    for index, packet in enumerate(trace):
        leap = LEAPS[name] if index >= len(trace) // 2 else {}
        changed.append(
            Arrival(
                packet.at,
                (base + index + leap.get("sequence", 0)) & 0xFFFF,
                (zero + index * len(packet.payload) + leap.get("timestamp", 0)) & TIMESTAMP_MASK,
                packet.payload,
                7 + leap.get("ssrc", 0),
                index == 0,
            )
        )
    return changed


@pytest.mark.parametrize("way", ["relayed", "anchored"])
@pytest.mark.parametrize("name", list(LEAPS))
async def test_the_far_side_sees_one_line_whatever_the_sender_does(stage: Stage, way: str, name: str) -> None:
    one, two = await stage.join(), await stage.join("PCMU" if way == "relayed" else "PCMA")
    one.port.bridge(two.port)
    await send(one, leaping(name, speech(6)))
    await asyncio.sleep(0.1)
    assert is_one_line(two)
    assert two.party.longest_gap() <= (0.14 if name == "restart" else 0.08)
    assert two.party.tones(4.0) == [400]


@pytest.mark.parametrize("out_ms", [20, 30, 40, 60])
@pytest.mark.parametrize("in_ms", [10, 20, 30, 40, 60])
async def test_packets_leave_in_the_length_agreed(stage: Stage, in_ms: int, out_ms: int) -> None:
    one, two = await stage.join(), await stage.join("PCMA")
    two.configure(ptime_ms=out_ms)
    one.port.bridge(two.port)
    trace = speech(6, in_ms)
    await send(one, trace)
    await asyncio.sleep(0.2)
    assert {len(item.payload) for item in two.party.received} == {out_ms * 8}
    heard = sum(len(item.payload) for item in two.party.received)
    assert abs(heard - 6 * RATE) <= 160 + out_ms * 8 + 480  # what is made up after the last packet
    assert is_one_line(two)


async def test_a_sender_that_breaks_its_word_is_cut_to_length_and_relayed_again(stage: Stage) -> None:
    one, two = await stage.join(), await stage.join()
    one.port.bridge(two.port)
    whole = speech(14)
    coded = b"".join(packet.payload for packet in whole)
    trace: list[Arrival] = []
    place, number = 0, 0
    while place < len(coded):
        size = 240 if 2 * RATE <= place < 4 * RATE else 160
        trace.append(Arrival(place / RATE, number, 5000 + place, coded[place : place + size], 7, number == 0))
        place += size
        number += 1
    await send(one, trace)
    assert {len(item.payload) for item in two.party.received} == {160}
    assert is_one_line(two)
    assert two.party.longest_gap() <= 0.12
    assert two.party.tones(12.0) == [400]
    late = [item for item in two.party.received if item.at > two.party.received[-1].at - 2.0]
    sent = {packet.payload for packet in trace}
    assert all(item.payload in sent for item in late)


async def test_comfort_noise_reaches_who_agreed_and_is_played_for_who_did_not(stage: Stage) -> None:
    one, agreed, other = await stage.join(), await stage.join(), await stage.join("PCMA")
    trace = [*speech(2), Arrival(2.0, 200, 5000 + 16000, b"\x1e", kind="noise")]
    one.configure(noise_payload_type=NOISE)
    agreed.configure(noise_payload_type=NOISE)
    one.port.bridge(agreed.port)
    await send(one, trace)
    await asyncio.sleep(0.1)
    last = agreed.party.received[-1]
    assert (last.payload_type, last.payload) == (NOISE, b"\x1e")
    one.port.bridge(other.port)
    await send(one, later(trace, 300))
    await asyncio.sleep(1.0)
    heard = other.party.heard(0.8)
    assert other.party.longest_gap() <= 0.08
    assert tones.measure_level(np.asarray(heard)) == pytest.approx(-30 + 6.2, abs=2)


async def test_a_hold_leaves_no_delay_behind(stage: Stage) -> None:
    one, two = await stage.join(), await stage.join("PCMA", tone=900)
    one.port.bridge(two.port)
    await send(one, speech(2))
    one.configure(receive=False)
    await asyncio.sleep(3)
    await send(one, later(speech(2), 100))
    one.configure()
    count = len(two.party.received)
    begin = asyncio.get_running_loop().time()
    await send(one, later(jittered(speech(3), sigma_s=0.002), 200))
    assert two.party.received[count].at - begin <= 0.08
    assert two.party.tones(2.0) == [400]


async def test_what_the_ear_did_is_told(stage: Stage) -> None:
    one, two = await stage.join(), await stage.join("PCMA")
    one.port.bridge(two.port)
    trace = [packet for index, packet in enumerate(speech(4)) if index not in {60, 90, 120}]
    await send(one, trace)
    assert one.port.read_stats().concealed_ms in {60, 80}
    assert one.port.read_stats().lost == 3
    assert two.port.read_stats().concealed_ms == 0


@pytest.mark.parametrize("way", ["relayed", "anchored", "alone"])
async def test_packets_of_other_types_are_no_audio_and_no_loss(stage: Stage, way: str) -> None:
    one, two = await stage.join(), await stage.join("PCMA" if way == "anchored" else "PCMU")
    if way != "alone":
        one.port.bridge(two.port)
    one.configure(noise_payload_type=NOISE)
    trace = [
        replace(packet, kind="noise", payload=b"\x28") if 100 <= index < 103 else packet
        for index, packet in enumerate(speech(4))
    ]
    await send(one, trace)
    assert NOISE not in {item.payload_type for item in two.party.received}
    assert one.port.read_stats().concealed_ms <= 20
    assert one.port.read_stats().lost == 0
    if way != "alone":
        assert is_one_line(two)
        assert two.party.tones(1.5) == [400]
    one.configure(noise_payload_type=NOISE, receive=False)
    count = len(two.party.received)
    await send(one, later(trace, 200))
    assert len(two.party.received) == count
