"""Tone in, tone out: what the media engine does with audio, on memory sockets and a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.flow.stage import Stage

from sipcc.rtp import (
    DigitBegan,
    DigitEnded,
    Law,
    MediaEvent,
    PlayEnded,
    PlayTone,
)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


@pytest.mark.parametrize("codecs", [("PCMU", "PCMU"), ("PCMU", "PCMA"), ("PCMA", "PCMU"), ("PCMA", "PCMA")])
async def test_bridge_carries_both_ways(stage: Stage, codecs: tuple[Law, Law]) -> None:
    one, two = await stage.join(codecs[0], tone=500), await stage.join(codecs[1], tone=900)
    one.port.bridge(two.port)
    await asyncio.sleep(2)
    assert one.party.tones() == [900]
    assert two.party.tones() == [500]
    assert one.party.breaks() == two.party.breaks() == []
    assert one.party.received[-1].payload_type == (0 if codecs[0] == "PCMU" else 8)


async def test_one_line_from_prompt_to_the_second_agent(stage: Stage) -> None:
    caller, agent, other = await stage.join(), await stage.join(tone=700), await stage.join("PCMA", tone=900)
    caller.port.play([PlayTone((440,), 1000)], token=1)
    await asyncio.sleep(1.5)
    assert caller.events == [PlayEnded(caller.port.id, 1, "done", 1000)]
    caller.port.play([PlayTone((523,), 1000)], loop=True, shared=True, token=2)
    await asyncio.sleep(2)
    assert caller.party.tones() == [523]
    caller.port.stop_playing()
    caller.port.bridge(agent.port)
    await asyncio.sleep(2)
    assert caller.party.tones() == [700]
    caller.port.bridge(other.port)
    await asyncio.sleep(2)
    assert caller.party.tones() == [900]
    assert agent.party.longest_gap() < 0.05
    heard = len(agent.party.received)
    caller.port.unbridge()
    await asyncio.sleep(1)
    assert len(agent.party.received) == heard
    assert caller.party.breaks() == []
    first, last = caller.party.received[0], caller.party.received[-1]
    seconds = (last.timestamp - first.timestamp) % 2**32 / 8000
    assert seconds == pytest.approx(last.at - first.at, abs=0.03)
    assert [item.marker for item in caller.party.received].count(True) >= 2


async def test_keys_are_reported_and_pass_the_bridge(stage: Stage) -> None:
    for codec in ("PCMU", "PCMA"):
        one, two = await stage.join("PCMU", tone=500), await stage.join(codec, tone=900, events=97)
        one.port.bridge(two.port)
        await asyncio.sleep(0.5)
        one.party.press("5#", duration_ms=120)
        await asyncio.sleep(1.5)
        assert two.party.digits == "5#"
        assert one.party.digits == ""
        assert one.events == [
            DigitBegan(one.port.id, "5"),
            DigitEnded(one.port.id, "5", 120),
            DigitBegan(one.port.id, "#"),
            DigitEnded(one.port.id, "#", 120),
        ]
        assert two.party.breaks() == []
        assert two.party.tones() == [500]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_the_last_packets_of_a_key_from_before_the_bridge_do_not_pass_it(
    stage: Stage, codec: Law
) -> None:
    one, two = await stage.join("PCMU", tone=500), await stage.join(codec, tone=900)

    def bridge_when_over(event: MediaEvent) -> None:
        # as a queue does whose agent answers at once: two more end packets of the key are on their way
        if isinstance(event, DigitEnded) and event.digit == "1":
            one.port.bridge(two.port)

    one.port.on_event = bridge_when_over
    one.party.press("1", duration_ms=120)
    await asyncio.sleep(0.5)
    assert two.party.digits == ""
    one.party.press("2")
    await asyncio.sleep(1)
    assert two.party.digits == "2"
    assert two.party.breaks() == []


async def test_send_digits_within_the_stream(stage: Stage) -> None:
    one, two = await stage.join(tone=500), await stage.join(tone=900)
    one.port.bridge(two.port)
    await asyncio.sleep(0.5)
    two.port.send_digits("42")
    await asyncio.sleep(1.5)
    assert two.party.digits == "42"
    assert two.party.breaks() == []
    assert two.party.tones() == [500]


async def test_echo(stage: Stage) -> None:
    one = await stage.join(tone=620)
    one.port.echo()
    await asyncio.sleep(1)
    assert one.party.tones() == [620]
    one.port.unbridge()
    await asyncio.sleep(0.1)
    count = len(one.party.received)
    await asyncio.sleep(0.5)
    assert len(one.party.received) == count


async def test_close_gives_figures(stage: Stage) -> None:
    one = await stage.join(tone=620)
    one.port.echo()
    await asyncio.sleep(10)
    stats = await one.port.close()
    assert stats.packets_received == pytest.approx(500, abs=2)
    assert stats.packets_sent == pytest.approx(500, abs=2)
    assert stats.lost == 0
    assert stats.mos is not None
    assert stats.mos > 4.3
    assert one.port.read_stats() == stats
    one.port.play([PlayTone((440,), 100)])  # nothing, and no error
