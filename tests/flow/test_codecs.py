"""Codecs through the whole switch: phones of different codecs talk, and agree on one where they can."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, WELCOME_HZ, Centre

from sipcc.rtp import CodecName
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Ignore

EVERY = 'codecs = ["PCMU", "PCMA", "G722", "opus", "L16", "G729"]'


def config(media: str = EVERY, *, trunk: str = "") -> str:
    changed = CONFIG.replace("[media]\n", f"[media]\n{media}\n")
    return changed.replace('name = "carrier"\n', f'name = "carrier"\n{trunk}\n')


def spoken(call: FakeCall) -> set[int]:
    """The payload types that a party received."""
    return {packet.payload_type for packet in call.media.received}


CODECS: list[CodecName] = ["PCMA", "G722", "opus", "L16"]


@pytest.mark.parametrize("callers", CODECS)
@pytest.mark.parametrize("agents", CODECS)
async def test_phones_of_any_two_codecs_talk(tmp_path: Path, callers: CodecName, agents: CodecName) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=(callers,))
        agent = await centre.phone("1001", codecs=(agents,))
        call = await caller.call("4008000005")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        await agent.calls[-1].hears(AGENT_HZ["1002"])
        await call.hangup()


@pytest.mark.parametrize("codec", CODECS)
async def test_a_menu_is_heard_in_every_codec(tmp_path: Path, codec: CodecName) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=(codec,))
        call = await caller.call("4008123456")
        await call.answered()
        await call.hears(WELCOME_HZ)
        await call.hangup()


async def test_the_caller_takes_the_codec_of_whom_it_talks_to(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=("opus", "G722", "PCMU", "PCMA"))
        agent = await centre.phone("1001", codecs=("PCMA",))
        call = await caller.call("4008000005")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        assert call.theirs is not None
        assert [name for _, name in call.theirs.codecs] == ["PCMA"]
        assert spoken(call) == spoken(agent.calls[-1]) == {8}
        await call.hangup()


async def test_the_agent_is_offered_the_callers_codec_first(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=("G722",))
        agent = await centre.phone("1001", codecs=("PCMU", "PCMA", "opus", "G722"))
        call = await caller.call("4008000005")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        theirs = agent.calls[-1].theirs
        assert theirs is not None
        assert theirs.codecs[0] == (9, "G722")
        assert "G729" not in [name for _, name in theirs.codecs]
        assert spoken(agent.calls[-1]) == {9}
        await call.hangup()


async def test_a_trunk_has_its_own_codecs_and_numbers_while_phones_have_more(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config(trunk='codecs = ["PCMA"]')) as centre:
        agent = await centre.phone("1001", codecs=("opus",))
        call = await centre.carrier.call("4008000005")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        await agent.calls[-1].hears(CALLER_HZ)
        assert spoken(call) == {8}
        assert spoken(agent.calls[-1]) == {111}  # the phone's own number, which is not that of our offer
        await call.hangup()


async def test_keys_reach_the_menu_from_an_opus_phone(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=("opus",))
        await centre.phone("1001", codecs=("PCMU",))
        call = await caller.call("4008123456")
        await call.answered()
        await call.press("3")
        await call.hears(AGENT_HZ["1001"], timeout=10.0)
        await call.hangup()


async def test_a_phone_changes_its_codec_in_mid_call(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        caller = await centre.phone("1002", codecs=("PCMU",))
        agent = await centre.phone("1001", codecs=("PCMU",))
        call = await caller.call("4008000005")
        await call.answered()
        await call.hears(AGENT_HZ["1001"])
        for codec in CODECS:
            assert await call.reinvite("sendrecv", codecs=(codec,)) == 200
            await call.hears(AGENT_HZ["1001"])
            await agent.calls[-1].hears(AGENT_HZ["1002"])
        assert agent.calls[-1].media.breaks() == []
        await call.hangup()


async def test_what_the_configuration_does_not_name_is_refused(tmp_path: Path) -> None:
    async with Centre(tmp_path) as centre:
        caller = await centre.phone("1002", codecs=("opus",))
        call = await caller.call("4008123456")
        await call.ended()
        assert call.status == 488


async def test_who_picks_a_call_up_speaks_the_codec_of_the_caller(tmp_path: Path) -> None:
    async with Centre(tmp_path, config=config()) as centre:
        alice = await centre.phone("1001", Ignore(), codecs=("PCMU", "PCMA"))
        bob = await centre.phone("1002", codecs=("opus", "G722", "PCMU", "PCMA"))
        caller = await centre.carrier.call("4008000005")
        ringing = await alice.next_call()
        await caller.ringing()
        pickup = await bob.call("1001", headers=[("Replaces", f"{ringing.dialog};early-only")])
        await pickup.answered()
        await caller.answered()
        await caller.hears(AGENT_HZ["1002"])
        await pickup.hears(CALLER_HZ)
        assert pickup.theirs is not None
        assert [name for _, name in pickup.theirs.codecs] == ["PCMU"]
        await caller.hangup()
