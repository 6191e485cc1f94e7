"""What a caller hears before the answer, for each way in which a far side may ring: proof by tones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre

from sipcc import Call
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Deaf

RINGING_HZ = 450.0
FAR_HZ = AGENT_HZ["1001"]

Step = tuple[str, int]
"""What the far side sends: ``sdp`` with a description and audio, ``mute`` with one but no audio, ``""``
without one; and the status."""

MATRIX: list[tuple[list[Step], str]] = [
    ([("", 180)], "own"),
    ([("sdp", 180)], "far"),
    ([("mute", 180)], "own"),
    ([("", 183)], "nothing"),
    ([("sdp", 183)], "far"),
    ([("mute", 183)], "nothing"),
    ([("mute", 183), ("", 180)], "own"),  # the mobile network that promises and rings: FreeSWITCH #2490
    ([("sdp", 183), ("", 180)], "far"),
    ([("", 180), ("sdp", 183)], "far"),
    ([("", 180), ("", 183)], "own"),
]
"""Whatever the far side sends, and what the caller has of it: the ringing of its own phone (180 and no
description), the far side's audio, or nothing yet."""


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path) as centre:
        yield centre
        await emptied(centre)


async def emptied(centre: Centre) -> None:
    await asyncio.sleep(3)
    left = len(centre.switch.calls), centre.switch.endpoint.sessions, centre.switch.engine.open_ports
    assert left == (0, 0, 0)


async def play_steps(far: FakeCall, steps: list[Step], *, reliable: bool | None = None) -> None:
    for kind, status in steps:
        if kind:
            far.media.muted = kind == "mute"
        far.ring(status, early=bool(kind), reliable=reliable)
        await asyncio.sleep(1)


def provisional(caller: FakeCall) -> tuple[int, bool]:
    """The last provisional that the caller got, and whether any had a description."""
    return caller.provisionals[-1].status, any(response.body for response in caller.provisionals)


@pytest.mark.parametrize(("steps", "heard"), MATRIX)
async def test_a_caller_that_was_not_answered_yet(centre: Centre, steps: list[Step], heard: str) -> None:
    alice = await centre.phone("1001", Deaf())
    caller = await centre.carrier.call("4008000005")
    far = await alice.next_call()
    await play_steps(far, steps)
    status, described = provisional(caller)
    if heard == "far":
        await caller.hears(FAR_HZ)
        await far.hears(CALLER_HZ)
        assert described
    else:
        await caller.hears_silence()
        assert not described
        assert status == (180 if heard == "own" else 183)
    far.media.muted = False
    far.answer()
    await caller.answered()
    await caller.hears(FAR_HZ)
    await far.hears(CALLER_HZ)
    assert caller.media.breaks() == []
    await caller.hangup()
    await far.ended()


@pytest.mark.parametrize(("steps", "heard"), MATRIX)
async def test_a_caller_who_was_answered_by_a_program(tmp_path: Path, steps: list[Step], heard: str) -> None:
    async def handler(call: Call) -> None:
        await call.answer()
        await call.bridge(await call.dial("1001", timeout=60))

    config = CONFIG.replace('number = "4008000001"\nto = "echo"', 'number = "4008000001"\nto = "app:bench"')
    async with Centre(tmp_path, config=config, apps={"bench": handler}) as centre:
        alice = await centre.phone("1001", Deaf())
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        far = await alice.next_call()
        await play_steps(far, steps)
        if heard == "far":
            await caller.hears(FAR_HZ)
        elif heard == "own":
            await caller.hears(RINGING_HZ)
        else:
            await caller.hears_silence()
        far.media.muted = False
        far.answer()
        await caller.hears(FAR_HZ)
        await far.hears(CALLER_HZ)
        assert caller.media.breaks() == []
        await far.hangup()
        await caller.ended()
        await emptied(centre)


@pytest.mark.parametrize("caller_wants", ["off", "supported", "required"])
@pytest.mark.parametrize("far_does", [False, True])
async def test_reliable_or_not_on_either_leg(tmp_path: Path, caller_wants: str, far_does: bool) -> None:
    config = CONFIG.replace("[sip]\n", '[sip]\nreliable = "supported"\n')
    async with Centre(tmp_path, config=config) as centre:
        alice = await centre.phone("1001", Deaf())
        headers = {"off": [], "supported": [("Supported", "100rel")], "required": [("Require", "100rel")]}
        caller = await centre.carrier.call("4008000005", headers=headers[caller_wants])
        far = await alice.next_call()
        await play_steps(far, [("sdp", 183)], reliable=far_does or None)
        await caller.hears(FAR_HZ)
        await far.hears(CALLER_HZ)
        far.answer()
        await caller.answered()
        await caller.hears(FAR_HZ)
        assert bool(alice.seen("PRACK", "in")) == far_does
        await caller.hangup()
        await far.ended()
        await emptied(centre)


@pytest.mark.parametrize("reliable", [False, True])
async def test_a_caller_without_an_offer(tmp_path: Path, reliable: bool) -> None:
    config = CONFIG.replace("[sip]\n", '[sip]\nreliable = "supported"\n') if reliable else CONFIG
    async with Centre(tmp_path, config=config) as centre:
        alice = await centre.phone("1001", Deaf())
        headers = [("Supported", "100rel")] if reliable else []
        caller = await centre.carrier.call("4008000005", late_offer=True, headers=headers)
        far = await alice.next_call()
        await play_steps(far, [("sdp", 183)])
        assert provisional(caller) == (183 if reliable else 180, reliable)
        far.answer()
        await caller.answered()
        await caller.hears(FAR_HZ)
        await far.hears(CALLER_HZ)
        await caller.hangup()
        await far.ended()
        await emptied(centre)


async def test_audio_that_ends_while_it_rings_gives_way_to_our_ringing(centre: Centre) -> None:
    alice = await centre.phone("1001", Deaf())
    caller = await centre.carrier.call("4008000005")
    far = await alice.next_call()
    await play_steps(far, [("sdp", 183)])
    await caller.hears(FAR_HZ)
    far.ring(180)
    far.media.muted = True
    await asyncio.sleep(3)
    await caller.hears(RINGING_HZ)  # its phone hears us already, so 180 alone would be silence
    far.media.muted = False
    await caller.hears(FAR_HZ)
    await caller.hangup()
    await far.ended()


async def test_the_network_forbids_early_audio(centre: Centre) -> None:
    alice = await centre.phone("1001", Deaf())
    caller = await centre.carrier.call("4008000005")
    far = await alice.next_call()
    far.ring(183, early=True, gate="inactive")
    await asyncio.sleep(1)
    await caller.hears_silence()
    await caller.hangup()
    await far.ended()


async def test_one_of_several_that_ring_is_heard(tmp_path: Path) -> None:
    async def handler(call: Call) -> None:
        await call.bridge(await call.dial("1001", "1002", timeout=60))

    config = CONFIG.replace('number = "4008000001"\nto = "echo"', 'number = "4008000001"\nto = "app:bench"')
    async with Centre(tmp_path, config=config, apps={"bench": handler}) as centre:
        alice, bob = await centre.phone("1001", Deaf()), await centre.phone("1002", Deaf())
        caller = await centre.carrier.call("4008000001")
        first, second = await alice.next_call(), await bob.next_call()
        second.ring(183, early=True)
        await asyncio.sleep(1)
        first.ring(183, early=True)
        await asyncio.sleep(1)
        assert caller.tones(0.5) == [round(AGENT_HZ["1002"])]
        second.decline(486)
        await caller.hears(AGENT_HZ["1001"])
        first.answer()
        await caller.answered()
        await caller.hears(AGENT_HZ["1001"])
        await caller.hangup()
        await emptied(centre)


@pytest.mark.parametrize(("policy", "heard"), [("tone", "tone"), ("off", "own")])
async def test_the_settings_choose_another_sound(tmp_path: Path, policy: str, heard: str) -> None:
    async with Centre(tmp_path, extra=f'[calls]\nearly_media = "{policy}"\n') as centre:
        alice = await centre.phone("1001", Deaf())
        caller = await centre.carrier.call("4008000005")
        far = await alice.next_call()
        await play_steps(far, [("sdp", 183), ("", 180)])
        if heard == "tone":
            await caller.hears(RINGING_HZ)
        else:
            await caller.hears_silence()
            assert provisional(caller) == (180, False)
        far.answer()
        await caller.answered()
        await caller.hears(FAR_HZ)
        await caller.hangup()
        await far.ended()
        await emptied(centre)


async def test_the_answer_has_another_to_tag(centre: Centre) -> None:
    alice = await centre.phone("1001", Deaf())
    caller = await centre.carrier.call("4008000005")
    far = await alice.next_call()
    await play_steps(far, [("sdp", 183)])
    await caller.hears(FAR_HZ)
    session = far._session_now
    alice.endpoint.outbound.close_usage(session)
    session.local_tag = "another"  # a hunt group: who answers is not who was announced (baresip #2819)
    assert session.dialog is not None
    session.dialog.local_tag = "another"
    alice.endpoint.outbound.open_usage(session)
    far.answer()
    await caller.answered()
    await caller.hears(FAR_HZ)
    await far.hears(CALLER_HZ)
    assert b"tag=another" in alice.seen("ACK", "in")[0].data
    await caller.hangup()
    await far.ended()
