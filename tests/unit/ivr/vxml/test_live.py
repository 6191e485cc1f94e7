"""VoiceXML on a session that takes its time: sounds while a document is fetched, answering, and the log."""
# documents stand in lines of their own

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.unit.ivr.vxml.documents import BASE, vxml

from sipcc.ivr.fetch import Fetched, FetchRequest, FolderFetcher
from sipcc.ivr.flows.script import keys
from sipcc.ivr.sim import SimSession
from sipcc.ivr.steps import Audio, Played, Prompt
from sipcc.ivr.vxml.documents import Library
from sipcc.ivr.vxml.live import run
from sipcc.ivr.vxml.settings import VxmlSettings


class SlowSession(SimSession):
    """Plays each sound for four seconds of the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.played: list[tuple[float, str]] = []
        self.began = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def play(self, prompts: Sequence[Prompt]) -> Played:
        for item in prompts[0].items:
            assert isinstance(item, Audio)
            self.played.append((round(self.now() - self.began, 3), item.source))
        await asyncio.sleep(4)
        return Played(complete=True, seconds=4.0)


class SlowFetcher:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def fetch(self, request: FetchRequest) -> Fetched:
        if request.target.endswith("next.vxml"):
            await asyncio.sleep(self.seconds)
            return Fetched(
                url=request.target, body=vxml("<form><block><log>done</log></block></form>").encode()
            )
        body = (
            "<form><block><goto next='next.vxml' fetchaudio='music.wav' fetchtimeout='60s'/></block></form>"
        )
        return Fetched(url=request.target, body=vxml(body).encode())


async def fetched(seconds: float) -> tuple[SlowSession, float]:
    """A document whose next one comes after some time; when it came."""
    session = SlowSession()
    session.began = asyncio.get_running_loop().time()
    settings = VxmlSettings(language="zh-CN")
    ended = await run(session, SlowFetcher(seconds), BASE + "start.vxml", settings, Library())
    assert ended.reason == "done"
    return session, round(session.now() - session.began, 3)


async def test_a_quick_fetch_is_silent() -> None:
    session, took = await fetched(1.5)
    assert (session.played, took) == ([], 1.5)
    assert session.language == "zh-CN"
    assert session.answered
    assert session.lines[-1].text == "vxml.log text=done"


async def test_a_slow_fetch_has_its_sound_again_and_again() -> None:
    session, took = await fetched(11)
    assert [at for at, _ in session.played] == [2.0, 6.0, 10.0]
    assert session.played[0][1] == BASE + "music.wav"
    assert took == 11


async def test_a_sound_that_began_is_heard_for_a_while() -> None:
    _, took = await fetched(3)
    assert took == 7, "two seconds of delay, and five at least"


async def test_what_was_typed_in_secret_is_in_no_log() -> None:
    """Neither in what a document logs, nor in messages of errors, nor in how the session ended."""
    body = (
        '<form><property name="sipcc.secret" value="true"/><field name="pin" type="digits?length=4"><filled>'
        '<log>pin is <value expr="pin"/></log><throw event="error.made.up" messageexpr="\'no \' + pin"/>'
        "</filled></field></form>"
    )
    session = SimSession(script=keys("4321"))
    fetcher = FolderFetcher({BASE + "start.vxml": vxml(body)})
    ended = await run(session, fetcher, BASE + "start.vxml", VxmlSettings(), Library())
    assert ended.message.endswith("no ****")
    assert any("vxml.log text=pin is ****" in line.text for line in session.lines), session.lines
    assert any("vxml.error" in line.text for line in session.lines)
    assert not [line for line in session.lines if "4321" in line.text]
