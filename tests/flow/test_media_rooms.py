"""Conferences and supervisors, proved by the tones that each party hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from tests.flow.stage import Leg, Stage

from sipcc.rtp import AudioTapped, PlayTone
from sipcc.rtp.tones import measure_tone
from sipcc.testing import audio

TONES = (440, 620, 870, 1130)
SILENT_DBM0 = -50.0
"""A voice below this in what somebody hears is not there (media M23)."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


def hears(leg: Leg, seconds: float = 0.5, *, before: float = 0.0) -> set[int]:
    """Which of `TONES` a party hears, each on its own."""
    sound = leg.party.heard(seconds, before=before)
    return {tone for tone in TONES if measure_tone(sound, tone) > SILENT_DBM0}


async def parties(stage: Stage, *codecs: str) -> list[Leg]:
    return [
        await stage.join("PCMU" if codec == "PCMU" else "PCMA", tone=tone)
        for codec, tone in zip(codecs, TONES, strict=False)
    ]


@pytest.mark.parametrize("codecs", [("PCMU",) * 3, ("PCMU", "PCMA", "PCMU"), ("PCMA",) * 4])
async def test_everybody_in_a_conference_hears_all_others_and_not_itself(
    stage: Stage, codecs: tuple[str, ...]
) -> None:
    legs = await parties(stage, *codecs)
    for leg in legs:
        leg.port.join("sales")
    await asyncio.sleep(2)
    everybody = set(TONES[: len(legs)])
    for leg, own in zip(legs, TONES, strict=False):
        assert hears(leg, 1.0) == everybody - {own}
        assert leg.party.breaks() == []


async def test_a_sum_that_is_too_loud_is_clipped_and_does_not_wrap(stage: Stage) -> None:
    legs = await parties(stage, "PCMU", "PCMU", "PCMU", "PCMU")
    for leg in legs[1:]:
        leg.party.say_tone(500, level_dbfs=-1.0)
    for leg in legs:
        leg.port.join("loud")
    await asyncio.sleep(1.5)
    sound = legs[0].party.heard(0.5).astype(np.float64)
    # three tones of one frequency and phase, three times too loud: the wave stays at the rail, and a step of
    # the whole range, as a sum that wraps makes one, is nowhere
    assert np.abs(sound).max() > 30_000
    assert np.abs(np.diff(sound)).max() < 45_000
    assert audio.find_tones(legs[0].party.heard(0.5))[0] == pytest.approx(500, abs=2)


async def test_who_leaves_a_conference_is_neither_heard_nor_hears(stage: Stage) -> None:
    legs = await parties(stage, "PCMU", "PCMA", "PCMU")
    for leg in legs:
        leg.port.join("sales")
    await asyncio.sleep(1)
    legs[1].port.unbridge()
    await asyncio.sleep(1)
    assert hears(legs[1]) == set()
    assert hears(legs[0]) == {TONES[2]}
    await legs[2].port.close()
    await asyncio.sleep(1)
    assert hears(legs[0]) == set()


async def test_a_muted_member_hears_and_is_not_heard(stage: Stage) -> None:
    legs = await parties(stage, "PCMU", "PCMU", "PCMA")
    for leg in legs:
        leg.port.join("sales")
    legs[0].port.mute(True)
    await asyncio.sleep(1)
    assert hears(legs[0]) == {TONES[1], TONES[2]}
    assert hears(legs[1]) == {TONES[2]}
    legs[0].port.mute(False)
    await asyncio.sleep(1)
    assert hears(legs[1]) == {TONES[0], TONES[2]}


async def conversation(stage: Stage) -> tuple[Leg, Leg, Leg]:
    """A customer and an agent who talk, and a supervisor."""
    customer, agent, supervisor = await parties(stage, "PCMU", "PCMU", "PCMA")
    customer.port.bridge(agent.port)
    await asyncio.sleep(1)
    return customer, agent, supervisor


CUSTOMER, AGENT, SUPERVISOR = TONES[:3]


async def test_a_supervisor_listens_whispers_and_barges_in(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "listen")
    await asyncio.sleep(1)
    assert hears(supervisor) == {CUSTOMER, AGENT}
    assert (hears(customer), hears(agent)) == ({AGENT}, {CUSTOMER})
    supervisor.port.supervise(agent.port, "whisper")
    await asyncio.sleep(1)
    assert hears(supervisor) == {CUSTOMER, AGENT}
    assert (hears(customer), hears(agent)) == ({AGENT}, {CUSTOMER, SUPERVISOR})
    supervisor.port.supervise(agent.port, "talk")
    await asyncio.sleep(1)
    assert hears(supervisor) == {CUSTOMER, AGENT}
    assert (hears(customer), hears(agent)) == ({AGENT, SUPERVISOR}, {CUSTOMER, SUPERVISOR})
    supervisor.port.unbridge()
    await asyncio.sleep(1)
    assert hears(supervisor) == set()
    assert (hears(customer), hears(agent)) == ({AGENT}, {CUSTOMER})
    for leg in (customer, agent, supervisor):
        assert leg.party.breaks() == []


async def test_the_customer_never_hears_a_whisper(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    for role in ("whisper", "listen", "whisper"):
        supervisor.port.supervise(agent.port, role)  # type: ignore[arg-type]
        await asyncio.sleep(1)
    assert measure_tone(customer.party.heard(3.5), SUPERVISOR) < SILENT_DBM0


async def test_a_supervisor_takes_the_conversation_over(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "talk")
    agent.port.unbridge()
    await asyncio.sleep(1)
    assert hears(customer) == {SUPERVISOR}
    assert hears(supervisor) == {CUSTOMER}
    assert hears(agent) == set()


async def test_a_whisper_to_somebody_who_has_gone_is_heard_by_nobody(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "whisper")
    await asyncio.sleep(0.5)
    await agent.port.close()
    await asyncio.sleep(1)
    assert hears(customer) == set()
    assert hears(supervisor) == {CUSTOMER}


async def test_a_hold_of_the_conversation_keeps_its_supervisor(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "listen")
    await asyncio.sleep(0.5)
    customer.port.unbridge()
    customer.port.play([PlayTone((1800,), 500)], loop=True)
    await asyncio.sleep(1)
    assert hears(supervisor) == {AGENT}
    customer.port.stop_playing()
    customer.port.bridge(agent.port)
    await asyncio.sleep(1)
    assert hears(supervisor) == {CUSTOMER, AGENT}
    assert (hears(customer), hears(agent)) == ({AGENT}, {CUSTOMER})


@pytest.mark.parametrize("role", ["whisper", "talk"])
async def test_a_change_of_role_takes_effect_within_40_ms_and_without_a_click(
    stage: Stage, role: str
) -> None:
    _, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "listen")
    await asyncio.sleep(1)
    supervisor.port.supervise(agent.port, role)  # type: ignore[arg-type]
    await asyncio.sleep(0.06)
    assert measure_tone(agent.party.heard(0.02), SUPERVISOR) > -30
    await asyncio.sleep(0.44)
    assert click(agent.party.heard(0.6)) < -30.0
    supervisor.port.unbridge()
    await asyncio.sleep(0.5)
    assert click(agent.party.heard(0.6)) < -30.0


def click(sound: audio.Samples) -> float:
    """The loudest 2 ms, in dBFS, of what lies above 2 kHz, where the tones of the parties have nothing."""
    taps = np.arange(-31, 32)
    low_pass = 0.5 * np.sinc(0.5 * taps) * np.hamming(len(taps))
    high_pass = (taps == 0) - low_pass / low_pass.sum()
    high = np.convolve(sound.astype(np.float64) / 32768, high_pass, mode="valid")
    energies = np.convolve(high**2, np.ones(16) / 16, mode="valid")
    return float(10 * np.log10(energies.max() + 1e-12))


async def test_a_tap_tells_what_is_said_and_heard(stage: Stage) -> None:
    customer, agent, _ = await conversation(stage)
    customer.port.tap(True)
    await asyncio.sleep(1)
    customer.port.tap(False)
    await asyncio.sleep(0.1)
    told = [event for event in customer.events if isinstance(event, AudioTapped)]
    assert 48 <= len(told) <= 51
    for sound, tone in (("said", CUSTOMER), ("heard", AGENT)):
        pcm = np.frombuffer(b"".join(getattr(event, sound) for event in told[5:]), dtype="<i2")
        assert audio.find_tones(pcm.astype(np.int16))[0] == pytest.approx(tone, abs=2)
    assert (hears(customer), hears(agent)) == ({AGENT}, {CUSTOMER})


async def test_a_supervisor_who_takes_a_call_brings_nobody_to_those_it_listened_to(stage: Stage) -> None:
    _, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "listen")
    friend = await stage.join("PCMU", tone=TONES[3])
    supervisor.port.bridge(friend.port)
    await asyncio.sleep(1)
    assert hears(supervisor) == {TONES[3]}
    assert hears(friend) == {SUPERVISOR}
    assert hears(agent) == {CUSTOMER}


async def test_who_talks_to_another_of_a_supervised_call_leaves_the_last_one(stage: Stage) -> None:
    customer, agent, supervisor = await conversation(stage)
    supervisor.port.supervise(agent.port, "listen")
    second = await stage.join("PCMU", tone=TONES[3])
    customer.port.bridge(second.port)
    await asyncio.sleep(1)
    assert hears(customer) == {TONES[3]}
    assert hears(second) == {CUSTOMER}
    assert hears(agent) == set()
    assert hears(supervisor) == {CUSTOMER, TONES[3]}


async def test_a_member_who_is_called_away_brings_nobody_into_the_conference(stage: Stage) -> None:
    member, listener, other = await parties(stage, "PCMU", "PCMU", "PCMU")
    member.port.join("sales")
    listener.port.join("sales", role="listen")
    member.port.bridge(other.port)
    await asyncio.sleep(1)
    assert hears(listener) == set()
    assert (hears(member), hears(other)) == ({SUPERVISOR}, {CUSTOMER})


async def test_a_whisper_does_not_leave_its_room(stage: Stage) -> None:
    legs = await parties(stage, "PCMU", "PCMU", "PCMU", "PCMU")
    for leg in legs[:2]:
        leg.port.join("sales")
    spare = [await stage.join("PCMU") for _ in range(2)]
    for leg in (*spare, legs[2]):
        leg.port.join("board")
    legs[3].port.join("sales", role="whisper", coached=legs[2].port)
    await asyncio.sleep(1)
    assert hears(legs[2]) == set()
    assert hears(legs[3]) == {TONES[0], TONES[1]}
    legs[2].port.join("sales")
    await asyncio.sleep(1)
    assert hears(legs[2]) == {TONES[0], TONES[1], TONES[3]}
