"""The bank of the examples: its menu, its service and its bot, called as its page says."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.examples.stage import CALLER_HZ, EXAMPLES, Stage, load_example

from sipcc.config import check, load
from sipcc.ivr.events import ContextGiven, NodeEntered
from sipcc.ivr.speech import SpeechStream
from sipcc.switch import Switch

EXAMPLE = EXAMPLES / "18_bank.toml"
SECRETS = {"SIPCC_1001": "correct-horse-1001", "SIPCC_1002": "correct-horse-1002"}
HTTP_PORT, BOT_PORT = 39018, 39019


class QuickVoice:
    """Says everything in a fifth of a second."""

    key = "quick"

    def __init__(self) -> None:
        self.said: list[str] = []

    def voice_of(self, language: str, voice: str) -> str:
        return voice or language

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        self.said.append(text)
        return SpeechStream(8000, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield struct.pack("<h", 1000) * 1600

    async def close(self) -> None:
        pass


def test_the_bank_is_at_most_sixty_lines_and_has_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    assert check(EXAMPLE, SECRETS) == []


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not reached():  # noqa: ASYNC110  # what a service has sent is seen nowhere else
            await asyncio.sleep(0.02)


@pytest.mark.realtime
async def test_a_customer_comes_to_a_person(tmp_path: Path) -> None:
    card, balance = "6222020200112230", "Your balance is 1250.5 yuan."
    service = load_example("bank_service")
    async with service.services(cards=HTTP_PORT, talks=BOT_PORT):
        text = EXAMPLE.read_text().replace(":9018/", f":{HTTP_PORT}/").replace(":9019/", f":{BOT_PORT}/")
        extra = '[media]\nclock_ms = 20\n[[trunks]]\nname = "carrier"\naddresses = ["127.0.0.2"]\n'
        (tmp_path / "sipcc.toml").write_text(text.replace("[[numbers]]", f"{extra}[[numbers]]"))
        switch = Switch(load(tmp_path / "sipcc.toml", SECRETS))
        voice = QuickVoice()
        switch.use(voice=voice)
        async with Stage(switch) as stage:
            agent = await stage.phone("1001")
            caller = await stage.carrier.call("4008123456")
            await caller.answered()
            await caller.press(card, duration_ms=50, gap_ms=50)
            await until(lambda: bool(voice.said) and voice.said[-1].startswith("Good day, Li Wei."))
            await caller.press("1")
            await until(lambda: balance in voice.said)
            await caller.press("0")
            talk = await agent.next_call()
            await talk.answered()
            await talk.hears(CALLER_HZ)
            assert [event.node for event in stage.events if isinstance(event, NodeEntered)] == [
                "card",
                "verify",
                "bot",
                "agent",
            ]
            await caller.hangup()
        assert card not in str(stage.events)
        [context] = [event for event in stage.events if isinstance(event, ContextGiven)]
        assert context.context == {"customer": "Li Wei", "talk": "Li Wei wants to speak with a person."}
