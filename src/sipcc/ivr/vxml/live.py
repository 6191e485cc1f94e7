"""VoiceXML on a live call: sounds while a document is fetched, and what is logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from sipcc.ivr.fetch import Fetched, Fetcher
from sipcc.ivr.session import Session
from sipcc.ivr.steps import Prompt
from sipcc.ivr.vxml.documents import Library
from sipcc.ivr.vxml.interpreter import Setup, interpret
from sipcc.ivr.vxml.settings import VxmlSettings
from sipcc.ivr.vxml.signals import Exit, Note


async def run(session: Session, fetcher: Fetcher, url: str, settings: VxmlSettings, library: Library) -> Exit:
    """Run a document on a call; the caller is not hung up at its end.

    Raises:
        ConfigError: the ECMAScript engine is not installed.
    """
    if settings.language:
        session.language = settings.language
    await session.answer()

    def note(what: Note) -> None:
        if what.what == "log":
            session.log("vxml.log", text=what.text, **what.details)
        elif what.what == "event" and what.text.startswith("error."):
            session.log("vxml.error", error=what.text, **what.details)

    async def wait(
        fetching: Awaitable[Fetched], prompts: Sequence[Prompt], delay: float, least: float
    ) -> Fetched:
        return await _wait(session, fetching, prompts, delay, least)

    setup = Setup(
        library=library,
        limits=settings.limits,
        properties=settings.properties,
        note=note,
        waiter=wait,
        languages=tuple(settings.languages),
    )
    return await interpret(session, fetcher, url, setup)


async def _wait(
    session: Session, fetching: Awaitable[Fetched], prompts: Sequence[Prompt], delay: float, least: float
) -> Fetched:
    """Wait for a fetch; when it takes longer than `delay`, play a sound meanwhile, for `least` at least."""
    task = asyncio.ensure_future(fetching)
    playing: asyncio.Task[None] | None = None
    try:
        done, _ = await asyncio.wait({task}, timeout=delay)
        if not done:
            playing = asyncio.create_task(_again_and_again(session, prompts))
            began = session.now()
            await asyncio.wait({task, playing}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not playing.done():
                await asyncio.wait({playing}, timeout=max(began + least - session.now(), 0.0))
        return await task
    finally:
        task.cancel()
        if playing is not None:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def _again_and_again(session: Session, prompts: Sequence[Prompt]) -> None:
    while (await session.play(prompts)).seconds > 0:
        pass
