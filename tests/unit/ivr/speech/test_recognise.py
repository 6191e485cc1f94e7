"""Recognition: when an answer is complete, the scripted engine, and one that asks a server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sipcc.errors import ConfigError
from sipcc.ivr.services import Understood
from sipcc.ivr.speech import SpeechError
from sipcc.ivr.speech.recognise import Endpointer, Said, ScriptedRecogniser, judged, make_recogniser
from sipcc.ivr.speech.settings import RecogniserSettings
from sipcc.ivr.speech.vosk import VoskRecogniser
from sipcc.ivr.steps import Heard, Listen

YES_NO = Listen(accepts=lambda text: text in ("yes", "no"), hints=("yes", "no"))


async def silence() -> AsyncIterator[bytes]:
    """A caller who says nothing, for as long as somebody listens."""
    while True:
        await asyncio.sleep(0.02)
        yield bytes(320)


# -- when an answer is complete ----------------------------------------------------------------------------


def test_silence_after_an_answer_and_after_half_of_one() -> None:
    ending = Endpointer(YES_NO)
    assert (ending.deadline, ending.speaking) == (None, False)
    assert not ending.understood(" ", now=1.0)
    assert ending.understood("ye", now=2.0)
    assert ending.deadline == 2.0 + YES_NO.incomplete_timeout
    assert not ending.understood("yes", now=2.5)
    assert ending.deadline == 2.5 + YES_NO.complete_timeout
    assert not ending.understood("yes", now=3.0)  # nothing new
    assert ending.deadline == 2.5 + YES_NO.complete_timeout
    assert ending.text == "yes"


def test_speech_without_an_end() -> None:
    ending = Endpointer(Listen(max_time=5.0))
    ending.understood("one", now=10.0)
    ending.understood("one two", now=14.9)
    assert ending.deadline == 15.0
    assert not ending.too_long(now=14.99)
    assert ending.too_long(now=15.0)


@pytest.mark.parametrize(
    ("listen", "heard", "outcome", "texts"),
    [
        (YES_NO, [Heard("yes")], "match", ["yes"]),
        (YES_NO, [Heard("maybe"), Heard("no", 0.4)], "match", ["no"]),
        (YES_NO, [Heard("maybe")], "nomatch", ["maybe"]),
        (Listen(), [Heard("anything", 0.1)], "match", ["anything"]),
        (Listen(confidence=0.5), [Heard("mumble", 0.4)], "nomatch", []),
        (Listen(best=2), [Heard("a"), Heard("b", 0.5), Heard("c", 0.4)], "match", ["a", "b"]),
        (Listen(), [Heard("")], "nomatch", []),
    ],
)
def test_what_counts(listen: Listen, heard: list[Heard], outcome: str, texts: list[str]) -> None:
    understood = judged(listen, heard)
    assert (understood.outcome, [one.text for one in understood.heard]) == (outcome, texts)
    assert judged(listen, heard, too_long=True).outcome == "toolong"


# -- the script --------------------------------------------------------------------------------------------


async def asked(engine: ScriptedRecogniser, listen: Listen) -> tuple[Understood, float, list[float]]:
    """What was understood, when, and when speech began."""
    loop, began = asyncio.get_running_loop(), list[float]()
    start = loop.time()
    understood = await engine.recognise(
        silence(), listen, language="en", on_speech=lambda: began.append(round(loop.time() - start, 3))
    )
    return understood, round(loop.time() - start, 3), began


async def test_a_script_takes_the_time_that_speech_takes() -> None:
    engine = ScriptedRecogniser("yes", Said("no idea", after=1.0, seconds=2.0), Said("no", confidence=0.2))
    understood, took, began = await asked(engine, YES_NO)
    assert (understood.outcome, took, began) == ("match", 0.5 + 1.0 + 0.0, [0.5])
    understood, took, _ = await asked(engine, YES_NO)
    assert understood.outcome == "nomatch"
    assert took == 1.0 + 2.0
    understood, _, _ = await asked(engine, Listen(confidence=0.5))
    assert understood.outcome == "nomatch"
    assert [step for step, _ in engine.asked] == [YES_NO, YES_NO, Listen(confidence=0.5)]


async def test_a_script_that_is_over_is_silence() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asked(ScriptedRecogniser(), YES_NO)


async def test_a_script_may_be_too_long() -> None:
    engine = ScriptedRecogniser(Said("one two three four", seconds=40.0))
    understood, took, _ = await asked(engine, Listen(max_time=20.0))
    assert understood.outcome == "toolong"
    assert took == 20.5


# -- a server ----------------------------------------------------------------------------------------------

Replies = Callable[[int], list[dict[str, Any]]]
"""What the server answers to its n-th message of samples."""


@asynccontextmanager
async def server(replies: Replies, last: list[dict[str, Any]]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A server that answers so; and what it was told."""
    told: dict[str, Any] = {"bytes": 0}

    async def talk(socket: ServerConnection) -> None:
        messages = 0
        async for message in socket:
            if isinstance(message, str):
                told.update(json.loads(message))
                if "eof" in told:
                    for reply in last:
                        await socket.send(json.dumps(reply))
                    return
                continue
            told["bytes"] += len(message)
            for reply in replies(messages):
                await socket.send(json.dumps(reply))
            messages += 1

    async with serve(talk, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}", told


def vosk(url: str) -> VoskRecogniser:
    return VoskRecogniser(RecogniserSettings(engine="vosk", urls={"*": url}, timeout=2.0))


async def quick() -> AsyncIterator[bytes]:
    """Samples faster than they are spoken."""
    while True:
        await asyncio.sleep(0.002)
        yield bytes(320)


QUICK = Listen(
    complete_timeout=0.1,
    incomplete_timeout=0.2,
    accepts=lambda text: text == "yes please",
    hints=("yes please",),
)


@pytest.mark.realtime
async def test_partial_words_and_the_end_of_a_phrase() -> None:
    def replies(n: int) -> list[dict[str, Any]]:
        return [{"partial": ["", "", "yes", "yes please"][min(n, 3)]}]

    words = [{"word": "yes", "conf": 0.9}, {"word": "please", "conf": 0.7}]
    began: list[int] = []
    async with server(replies, [{"text": "yes please", "result": words}]) as (url, told):
        understood = await vosk(url).recognise(
            quick(), QUICK, language="en", on_speech=lambda: began.append(1)
        )
    assert understood == Understood(outcome="match", heard=(Heard("yes please", 0.8),))
    assert began == [1]
    assert told["config"] == {"sample_rate": 8000, "words": True, "phrase_list": ["yes please", "[unk]"]}
    assert told["bytes"] % 1600 == 0


@pytest.mark.realtime
async def test_a_wrong_answer_is_waited_for_longer_and_is_none() -> None:
    async with server(lambda n: [{"text": "well"}] if n == 1 else [{"partial": ""}], [{"text": ""}]) as (
        url,
        _,
    ):
        understood = await vosk(url).recognise(quick(), QUICK, language="zh-CN", on_speech=lambda: None)
    assert understood == Understood(outcome="nomatch", heard=(Heard("well"),))


@pytest.mark.realtime
async def test_alternatives() -> None:
    rows = [{"text": " yes", "confidence": 200.0}, {"text": "yes please", "confidence": 150.0}]
    listen = Listen(best=2, complete_timeout=0.1)
    async with server(lambda n: [{"partial": "yes"}], [{"alternatives": rows}]) as (url, told):
        understood = await vosk(url).recognise(quick(), listen, language="en", on_speech=lambda: None)
    assert understood.heard == (Heard("yes", 1.0), Heard("yes please", 0.75))
    assert told["config"]["max_alternatives"] == 2


@pytest.mark.realtime
async def test_a_recording_ends_before_the_answer_is_judged() -> None:
    async def file() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(320)

    last = [{"text": "please call"}, {"text": "me back"}]
    async with server(lambda n: [], last) as (url, told):
        understood = await vosk(url).recognise(file(), Listen(), language="en", on_speech=lambda: None)
    assert understood.heard == (Heard("please call me back"),)
    assert told["bytes"] == 3200


@pytest.mark.realtime
@pytest.mark.parametrize(("reply", "cause"), [({"partial": 5}, "partial"), ([], "object")])
async def test_a_server_that_talks_nonsense(reply: Any, cause: str) -> None:
    async with server(lambda n: [reply], []) as (url, _):
        with pytest.raises(SpeechError, match=cause):
            await vosk(url).recognise(quick(), QUICK, language="en", on_speech=lambda: None)


@pytest.mark.realtime
async def test_a_server_that_is_not_there_and_a_language_without_one() -> None:
    with pytest.raises(SpeechError, match=r"127\.0\.0\.1:1"):
        await vosk("ws://127.0.0.1:1").recognise(quick(), QUICK, language="en", on_speech=lambda: None)
    only = VoskRecogniser(RecogniserSettings(engine="vosk", urls={"zh": "ws://127.0.0.1:1"}))
    with pytest.raises(SpeechError, match="no recogniser understands 'en'"):
        await only.recognise(quick(), QUICK, language="en", on_speech=lambda: None)


@pytest.mark.realtime
async def test_who_gives_up_leaves_nothing_behind() -> None:
    async with server(lambda n: [{"partial": ""}], []) as (url, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await vosk(url).recognise(quick(), QUICK, language="en", on_speech=lambda: None)


def test_engines_by_name() -> None:
    assert make_recogniser(RecogniserSettings()) is None
    for settings, cause in (
        (RecogniserSettings(engine="ears"), "known: vosk"),
        (RecogniserSettings(engine="vosk"), "no server"),
        (RecogniserSettings(engine="vosk", urls={"en": "http://x"}), r"urls\.en"),
    ):
        with pytest.raises(ConfigError, match=cause):
            make_recogniser(settings)
