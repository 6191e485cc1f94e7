"""Parties that speak different codecs hear each other, and those of one codec are passed on untouched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from tests.flow.coded import CodedParty

from sipcc.ids import Ids
from sipcc.rtp import CodecName, LocalEngine, MediaSettings, PlayTone
from sipcc.rtp.formats import spec
from sipcc.testing.network import MemoryNetwork

KINDS: list[tuple[CodecName, int]] = [
    ("PCMU", 8000),
    ("PCMA", 8000),
    ("G722", 8000),
    ("opus", 48000),
    ("L16", 8000),
    ("L16", 16000),
]


class Codecs:
    """An engine, and parties of all codecs."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        settings = MediaSettings(address="10.0.0.1", ports=(20000, 20099), clock_ms=10)
        self.engine = LocalEngine(
            settings, sockets=self.network.sockets("10.0.0.1"), ids=Ids(random.Random(7))
        )
        self.parties: list[CodedParty] = []

    async def join(self, codec: CodecName, clock_rate_hz: int = 0, **changes: object) -> CodedParty:
        host = f"10.0.1.{len(self.parties) + 1}"
        port = await self.engine.open()
        party = CodedParty(
            self.network,
            port,
            host,
            codec,
            clock_rate_hz=clock_rate_hz,
            **changes,  # type: ignore[arg-type]
        )
        self.parties.append(party)
        return party

    async def close(self) -> None:
        for party in self.parties:
            party.close()
        await self.engine.stop()


@pytest.fixture
async def codecs() -> AsyncIterator[Codecs]:
    codecs = Codecs()
    yield codecs
    await codecs.close()


@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("other", KINDS)
async def test_every_two_codecs_hear_each_other(
    codecs: Codecs, one: tuple[CodecName, int], other: tuple[CodecName, int]
) -> None:
    left, right = await codecs.join(*one), await codecs.join(*other)
    left.say_tone(500)
    right.say_tone(900)
    left.port.bridge(right.port)
    await asyncio.sleep(1.5)
    assert left.tones() == {900}
    assert right.tones() == {500}
    for party in (left, right):
        steps = {
            (b.timestamp - a.timestamp) % 2**32
            for a, b in zip(party.received[5:], party.received[6:], strict=False)
        }
        assert steps == {party.clock_rate_hz // 50}
        assert {rtp.payload_type for rtp in party.received} == {party.payload_type}


@pytest.mark.parametrize(("codec", "rate"), KINDS)
async def test_a_prompt_is_heard_in_every_codec(codecs: Codecs, codec: CodecName, rate: int) -> None:
    caller = await codecs.join(codec, rate)
    caller.port.play([PlayTone((650,), 1000)])
    await asyncio.sleep(1.5)
    assert caller.tones() == {650}


async def test_of_one_codec_no_payload_is_touched(codecs: Codecs) -> None:
    said = [bytes([0x08, number]) + bytes(20) for number in range(40)]
    left, right = await codecs.join("opus", payloads=said), await codecs.join("opus")
    left.port.bridge(right.port)
    left.say_tone(500)
    await asyncio.sleep(1)
    assert {bytes(rtp.payload) for rtp in right.received} == set(said)


async def test_g729_passes_although_we_cannot_make_it(codecs: Codecs) -> None:
    said = [bytes([number]) * 20 for number in range(40)]
    left, right = await codecs.join("G729", payloads=said), await codecs.join("G729", payloads=said)
    left.port.bridge(right.port)
    left.say_tone(0)
    right.say_tone(0)
    await asyncio.sleep(1)
    assert {bytes(rtp.payload) for rtp in right.received} == set(said)
    assert {bytes(rtp.payload) for rtp in left.received} == set(said)
    left.port.play([PlayTone((650,), 200)])
    left.hear_nothing_of_the_past()
    await asyncio.sleep(0.15)
    assert left.received == []  # a prompt that cannot be coded is silence, and no fault


@pytest.mark.parametrize("kinds", [("PCMU", "PCMU"), ("PCMU", "opus"), ("opus", "opus"), ("G722", "PCMA")])
async def test_each_side_sends_under_the_numbers_of_the_other(
    codecs: Codecs, kinds: tuple[CodecName, CodecName]
) -> None:
    left, right = await codecs.join(kinds[0], sends_under=111), await codecs.join(kinds[1], sends_under=96)
    left.say_tone(500)
    right.say_tone(900)
    left.port.bridge(right.port)
    await asyncio.sleep(1)
    assert left.tones() == {900}
    assert right.tones() == {500}
    assert {rtp.payload_type for rtp in right.received} == {right.payload_type}
    assert {rtp.payload_type for rtp in left.received} == {left.payload_type}


@pytest.mark.parametrize(("left_ms", "right_ms"), [(60, 20), (10, 40), (30, 60), (50, 20)])
@pytest.mark.parametrize("codec", ["opus", "G722", "PCMU"])
async def test_packet_times_mix(codecs: Codecs, codec: CodecName, left_ms: int, right_ms: int) -> None:
    left = await codecs.join("PCMA", ptime_ms=left_ms)
    right = await codecs.join(codec, ptime_ms=spec(codec).packet_ms(right_ms))
    left.say_tone(500)
    right.say_tone(900)
    left.port.bridge(right.port)
    await asyncio.sleep(2)
    assert left.tones() == {900}
    assert right.tones() == {500}


@pytest.mark.parametrize(("before", "after"), [(30, 60), (60, 30), (20, 60), (40, 10), (60, 20)])
@pytest.mark.parametrize("codec", ["G722", "PCMU"])
async def test_a_change_of_the_packet_time_leaves_no_gap(
    codecs: Codecs, codec: CodecName, before: int, after: int
) -> None:
    left, right = await codecs.join("PCMA"), await codecs.join(codec, ptime_ms=before)
    left.say_tone(500)
    left.port.bridge(right.port)
    await asyncio.sleep(1.02)
    right.configure(ptime_ms=after)
    await asyncio.sleep(1)
    length = {rtp.timestamp: len(rtp.payload) for rtp in right.received}
    assert set(length.values()) == {before * 8, after * 8}
    starts = list(length)
    assert [later - earlier for earlier, later in pairwise(starts)] == [
        length[start] for start in starts[:-1]
    ]
    assert right.tones() == {500}


async def test_a_leg_changes_its_codec_in_the_middle(codecs: Codecs) -> None:
    left, right = await codecs.join("PCMU"), await codecs.join("PCMU")
    left.say_tone(500)
    right.say_tone(900)
    left.port.bridge(right.port)
    await asyncio.sleep(1)
    left.close()
    later = CodedParty(codecs.network, left.port, "10.0.1.9", "opus")
    codecs.parties[0] = later
    later.say_tone(700)
    right.hear_nothing_of_the_past()
    await asyncio.sleep(1.5)
    assert later.tones() == {900}
    assert 700 in right.tones()
