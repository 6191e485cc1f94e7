"""The caller's voice in a question: when it begins to speak, and what a recogniser makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sipcc.errors import SipccError
from sipcc.ivr.services import Understood
from sipcc.ivr.steps import Listen
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call import Call
    from sipcc.call.tapping import AudioTap
    from sipcc.ivr.live import LiveSession
    from sipcc.ivr.live_prompts import Score

_log = get_logger("sipcc.ivr.live")

SILENCE = bytes(320)
"""20 ms in which nothing was said."""

Listener = Callable[[Callable[[], None]], Coroutine[Any, Any, Understood]]


def listener(session: LiveSession, step: Listen, score: Score) -> Listener | None:
    """What listens to the caller for `step`; None when nobody here understands speech."""
    recogniser = session.services.recogniser
    if recogniser is None:
        return None
    language = step.language or session.language

    async def listen(on_speech: Callable[[], None]) -> Understood:
        while True:
            with session.call.tap() as tap, _onset(session.call, on_speech):
                frames = _frames(tap, on_speech)
                try:
                    understood = await recogniser.recognise(
                        frames, step, language=language, on_speech=on_speech
                    )
                except SipccError as error:
                    _log.warning("ivr.not_understood", call_id=session.id, error=str(error))
                    understood = Understood(outcome="nomatch")
            if understood.outcome == "match" or not score.hotword:
                return understood

    return listen


@contextmanager
def _onset(call: Call, on_speech: Callable[[], None]) -> Iterator[None]:
    """Have the onset told by the caller's port, which knows of it before its jitter buffer gives it out."""
    leg = call.leg
    leg.on_voice = on_speech
    leg.media.listen_voice(True)
    try:
        yield
    finally:
        leg.on_voice = None
        if not leg.ended:
            leg.media.listen_voice(False)


async def _frames(tap: AudioTap, on_speech: Callable[[], None]) -> AsyncIterator[bytes]:
    """What the caller says; its onset is told here of those whose port cannot know it."""
    from sipcc.rtp.vad import VoiceDetector  # numpy, for who listens

    detector, told = VoiceDetector(), False
    async for frame in tap:
        said = frame.said or SILENCE
        if not told and detector.push(said):
            told = True
            on_speech()
        yield said
    await asyncio.Event().wait()  # the call is over, which cancels whoever reads here
