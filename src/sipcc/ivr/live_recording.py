"""The step `Record`: prompts, a beep, and then the caller alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sipcc.call.asking import Question, ask_for
from sipcc.call.digits import CollectSettings, LengthMatcher
from sipcc.call.message import MessageLimits, record_message
from sipcc.errors import CallEnded
from sipcc.ivr.live_coding import recoded
from sipcc.ivr.live_listening import MESSAGES as MESSAGES
from sipcc.ivr.live_listening import listener
from sipcc.ivr.live_prompts import Score
from sipcc.ivr.services import Understood
from sipcc.ivr.steps import Coding, Record, Recorded
from sipcc.rtp.toneplan import BEEP

if TYPE_CHECKING:
    from sipcc.ivr.live import LiveSession

_ANY_KEY = LengthMatcher(1, allowed="0123456789*#ABCD")


async def record(session: LiveSession, step: Record) -> Recorded:
    """Carry out `step`; a caller who hangs up has left what it had said by then."""
    call = session.call
    try:
        await call.free()
        await call.answer()
        if key := await _announce(session, step):
            return Recorded(ended_by="key", key=key)
    except CallEnded:
        return Recorded(ended_by="hangup")
    path = step.path or str(
        Path(call.context.recordings) / MESSAGES / f"{call.context.ids.uid('message')}.wav"
    )
    limits = MessageLimits(
        max_time=step.max_time,
        final_silence=step.final_silence,
        timeout=step.timeout,
        terminators=step.terminators,
        speech=step.speech,
    )
    told: list[Understood] = []
    with _ear(session, step, told):
        message = await record_message(call, path, limits, over=lambda: bool(told))
    path, size = await asyncio.get_running_loop().run_in_executor(None, _finish, path, step.coding)
    return Recorded(
        ended_by="speech" if message.ended_by == "told" else message.ended_by,
        path=path if size else "",
        seconds=message.seconds,
        size_bytes=size,
        key=message.key,
        heard=told[0].heard if message.ended_by == "told" else (),
    )


@contextmanager
def _ear(session: LiveSession, step: Record, told: list[Understood]) -> Iterator[None]:
    """Listen meanwhile to words that end the recording, which are put into `told`."""
    ear = None
    if step.listen is not None:
        ear = listener(session, step.listen, Score(hotword=True), secret=False)
    if ear is None:
        yield
        return

    async def hear() -> None:
        told.append(await ear(lambda: None))

    hearing = asyncio.create_task(hear())
    try:
        yield
    finally:
        hearing.cancel()


async def _announce(session: LiveSession, step: Record) -> str:
    """Play the prompts, which a key may cut where they allow it, and the beep right behind them.

    Returns the key that ended the recording before it began, or nothing.
    """
    call = session.call
    score = await session.compose(step.prompts)
    beep = list(BEEP.items()) if step.beep else []
    if not score.items:
        if beep:
            await call.unless_ended(call.player.play(beep))
        return ""
    call.digits.flush()
    question: Question[None] = Question(
        items=[*score.items, *beep],
        matcher=_ANY_KEY,
        settings=CollectSettings(timeout=0.0, terminators=""),
        keys_turns=score.keys_turns,
    )
    asked = await call.unless_ended(ask_for(call, question))
    if asked.barged and step.early and asked.collected is not None:
        key = asked.collected.digits
        if key and key in step.terminators:
            return key
    if asked.barged and beep:
        await call.unless_ended(call.player.play(beep))
    return ""


def _finish(path: str, coding: Coding) -> tuple[str, int]:
    """The recording in the wanted coding, and its size; 0 when there is none."""
    written = Path(path)
    try:
        if written.exists():
            written = Path(recoded(path, coding))
        return str(written), written.stat().st_size
    except (OSError, RuntimeError):
        return path, 0
