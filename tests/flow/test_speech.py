"""Texts that callers hear, and speech that is understood, on a whole centre: proof by tones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, MUSIC_HZ, Centre
from tests.flow.tone_voice import ToneVoice

from sipcc import Call
from sipcc.errors import ConfigError
from sipcc.ivr.events import NodeEntered
from sipcc.ivr.speech.recognise import Said, ScriptedRecogniser

WORDS = {
    "We are open.": 800.0,
    "营业中。": 950.0,
    "Good day.": 1150.0,
    "one waits": 1250.0,
    "no callers wait": 1450.0,
    "A long story.": 1550.0,
}

FALLBACK_HZ = 520.0

TABLE = '[hours]\nen = "We are open."\nzh = "营业中。"\n\n[broken]\nen = "???"\n'

MENUS = """
[[menus]]
name = "texts"
prompt = ["hours", "silence:1000"]
options = { "1" = "queue:sales", "2" = "play:text:Good day.", "3" = "play:broken" }
then = "queue:sales"
[[numbers]]
number = "4008100001"
to = "menu:texts"
[[numbers]]
number = "4008100002"
to = "menu:texts"
language = "zh-CN"
"""


def write_table(folder: Path, table: str = TABLE) -> None:
    (folder / "prompts" / "prompts.toml").write_text(table)


async def test_a_text_is_heard_in_the_language_of_the_number_and_changes_with_a_reload(
    tmp_path: Path,
) -> None:
    async with Centre(tmp_path, extra=MENUS, voice=ToneVoice(WORDS)) as centre:
        write_table(tmp_path)
        await centre.switch.reload()
        for number, hz in (("4008100001", 800.0), ("4008100002", 950.0)):
            caller = await centre.carrier.call(number)
            await caller.answered()
            await caller.hears(hz)
            await caller.hangup()
        write_table(tmp_path, TABLE.replace("We are open.", "Good day."))
        await centre.switch.reload()
        caller = await centre.carrier.call("4008100001")
        await caller.answered()
        await caller.hears(1150.0)
        await caller.hangup()
        write_table(tmp_path, "[hours\n")
        with pytest.raises(ConfigError, match=r"prompts\.toml:1"):
            await centre.switch.reload()
        caller = await centre.carrier.call("4008100001")
        await caller.answered()
        await caller.hears(1150.0)  # a table that is wrong changes nothing
        await caller.hangup()


async def test_a_text_by_itself_and_one_that_cannot_be_said(tmp_path: Path) -> None:
    async with Centre(tmp_path, extra=MENUS, voice=ToneVoice(WORDS)) as centre:
        write_table(tmp_path)
        await centre.switch.reload()
        for key, hz in (("2", 1150.0), ("3", FALLBACK_HZ)):
            caller = await centre.carrier.call("4008100001")
            await caller.answered()
            await caller.press(key)
            await caller.hears(hz)
            await caller.hangup()
        assert centre.switch.prompts.misses.keys() == {("broken", "en")}
        status = centre.switch.status()
        assert status["prompts_missing"] == 1
        assert status["texts_spoken"] == 4  # two of the table, and one of the menu in two languages


async def test_a_menu_tells_how_many_wait(tmp_path: Path) -> None:
    table = '[line]\nen = "{queue:sales:length} waits"\n'
    extra = MENUS.replace('"hours", ', '"line", ')
    async with Centre(tmp_path, extra=extra, voice=ToneVoice(WORDS)) as centre:
        write_table(tmp_path, table)
        await centre.switch.reload()
        first = await centre.carrier.call("4008000006")
        await first.hears(MUSIC_HZ)
        caller = await centre.carrier.call("4008100001")
        await caller.answered()
        await caller.hears(WORDS["one waits"])
        await caller.hangup()
        await first.hangup()


async def test_a_program_plays_speech_as_it_is_made(tmp_path: Path) -> None:
    async def story(call: Call) -> None:
        await call.answer()
        speaker = centre.switch.speaking.speaker
        async with await speaker.stream("A long story.", language="en") as speech:
            await call.play_stream(speech, rate_hz=speech.rate_hz)
        await call.play("text:We are open.")

    extra = '[[numbers]]\nnumber = "4008100009"\nto = "app:story"\n'
    async with Centre(tmp_path, extra=extra, apps={"story": story}, voice=ToneVoice(WORDS)) as centre:
        caller = await centre.carrier.call("4008100009")
        await caller.answered()
        await caller.hears(1550.0)
        await caller.hears(800.0)
        assert caller.media.breaks() == []
        await caller.ended()


FLOW = """
[[flows]]
name = "ask"
fallback = "queue:sales"
[flows.nodes.which]
type = "menu"
prompt = "We are open."
options = { "1" = "tell", "2" = "dial:1001" }
words = { "1" = ["opening hours"], "2" = ["a person", "agent"] }
[flows.nodes.tell]
type = "say"
prompt = "Good day."
then = "hangup"
[[numbers]]
number = "4008100003"
to = "flow:ask"
"""


async def test_what_callers_say_leads_on(tmp_path: Path) -> None:
    ears = ScriptedRecogniser(Said("opening hours", after=0.3), "mumble", Said("a person", after=1.0))
    async with Centre(tmp_path, extra=FLOW, voice=ToneVoice(WORDS), recogniser=ears) as centre:
        await centre.phone("1001")
        caller = await centre.carrier.call("4008100003")
        await caller.answered()
        await caller.hears(WORDS["Good day."])
        assert await caller.ended()
        caller = await centre.carrier.call("4008100003")
        await caller.answered()
        await caller.hears(AGENT_HZ["1001"], timeout=20)  # at the second try
        await caller.hangup()
        await asyncio.sleep(1)
        nodes = [event.node for event in centre.events if isinstance(event, NodeEntered)]
        assert nodes == ["which", "tell", "which"]
        assert [language for _, language in ears.asked] == ["en"] * 3
