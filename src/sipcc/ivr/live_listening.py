"""The caller's voice in a question: when it begins to speak, and what a recogniser makes of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sipcc.call.message import save_sound
from sipcc.errors import SipccError
from sipcc.ivr.live_coding import recoded
from sipcc.ivr.services import Understood
from sipcc.ivr.steps import Coding, Listen
from sipcc.log import get_logger

if TYPE_CHECKING:
    from sipcc.call import Call
    from sipcc.call.tapping import AudioTap
    from sipcc.ivr.live import LiveSession
    from sipcc.ivr.live_prompts import Score

_log = get_logger("sipcc.ivr.live")

MESSAGES = "messages"
"""The folder, within that of the recordings, of what callers have said, where nobody gave a path."""

SILENCE = bytes(320)
"""20 ms in which nothing was said."""

LEAD_FRAMES = 15
"""So much is kept of the time before the voice was heard: 300 ms."""

MAX_FRAMES = 3000
"""A minute of what was said is kept, and no more."""

Listener = Callable[[Callable[[], None]], Coroutine[Any, Any, Understood]]


def listener(session: LiveSession, step: Listen, score: Score, *, secret: bool) -> Listener | None:
    """What listens to the caller for `step`; None when nobody here understands speech.

    A `secret` is kept in no file.
    """
    recogniser = session.services.recogniser
    if recogniser is None:
        return None
    language = step.language or session.language

    async def listen(on_speech: Callable[[], None]) -> Understood:
        while True:
            with session.call.tap() as tap, _onset(session.call, on_speech):
                said = _Said() if step.record and not secret else None
                frames = _frames(tap, on_speech, said)
                try:
                    understood = await recogniser.recognise(
                        frames, step, language=language, on_speech=on_speech
                    )
                except SipccError as error:
                    _log.warning("ivr.not_understood", call_id=session.id, error=str(error))
                    understood = Understood(outcome="nomatch")
            if understood.outcome == "match" or not score.hotword:
                return (
                    understood if said is None else await _with_file(session, understood, said, step.coding)
                )

    return listen


class _Said:
    """What the caller has said, from a little before it began."""

    def __init__(self) -> None:
        self._before: deque[bytes] = deque(maxlen=LEAD_FRAMES)
        self.frames: list[bytes] = []

    def push(self, frame: bytes, *, began: bool) -> None:
        """Take 20 ms; `began` says that it speaks, or has spoken."""
        if not began:
            self._before.append(frame)
            return
        if not self.frames:
            self.frames += self._before
        if len(self.frames) < MAX_FRAMES:
            self.frames.append(frame)


async def _with_file(session: LiveSession, understood: Understood, said: _Said, coding: Coding) -> Understood:
    """Keep what was said as a file, unless the recogniser has done so."""
    if not understood.recording and not said.frames:
        return understood

    def keep() -> str:
        path = understood.recording
        if not path:
            path = str(Path(context.recordings) / MESSAGES / f"{name}.wav")
            save_sound(path, b"".join(said.frames))
        return recoded(path, coding)

    context = session.call.context
    name = context.ids.uid("said")
    try:
        path = await asyncio.get_running_loop().run_in_executor(None, keep)
    except (OSError, RuntimeError) as error:
        _log.warning("ivr.not_kept", call_id=session.id, error=str(error))
        return understood
    return msgspec.structs.replace(understood, recording=path)


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


async def _frames(tap: AudioTap, on_speech: Callable[[], None], kept: _Said | None) -> AsyncIterator[bytes]:
    """What the caller says; its onset is told here of those whose port cannot know it."""
    from sipcc.rtp.vad import VoiceDetector  # numpy, for who listens

    detector, told = VoiceDetector(), False
    async for frame in tap:
        said = frame.said or SILENCE
        if not told and detector.push(said):
            told = True
            on_speech()
        if kept is not None:
            kept.push(said, began=told)
        yield said
    await asyncio.Event().wait()  # the call is over, which cancels whoever reads here
