"""Recording what the caller alone says, into a file of its own: a message, a name, an answer.

The file is mono, 16-bit, 8 kHz, and valid at any time: what was said is appended every few seconds, never in
the loop. Time is counted in frames of 20 ms, as they come from the caller's port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import wave
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from sipcc import private
from sipcc.log import get_logger
from sipcc.rtp.events import DigitBegan, DigitEnded

if TYPE_CHECKING:
    from sipcc.call.call import Call

MessageEnd = Literal["key", "told", "silence", "max_time", "noinput", "hangup", "failed"]
"""``told``: who asked for it wants an end; ``noinput``: nothing was said; ``failed``: the disk refused it."""

FRAME_S = 0.02
SILENCE = bytes(320)
APPEND_FRAMES = 250
"""So much is kept in memory before it goes to the disk: five seconds."""

_log = get_logger("sipcc.call")


class MessageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What ends a message besides the caller; seconds."""

    max_time: float = 60.0
    final_silence: float | None = None
    """Silence after speech; None for no end by it."""
    timeout: float | None = None
    """Silence at the beginning; None for no end by it."""
    terminators: str = "#"
    """Keys that end it."""
    speech: bool = False
    """Whether nothing is kept, however it ends, when nobody has spoken."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded."""

    ended_by: MessageEnd
    seconds: float
    key: str = ""


class MessageClock:
    """Decides when a message is over; a core that is given, frame by frame, whether somebody speaks."""

    def __init__(self, limits: MessageLimits) -> None:
        self.frames = 0
        """How many frames the message has so far."""
        self.spoken = False
        self._limits = limits
        self._quiet = 0

    def push(self, speaking: bool) -> MessageEnd | None:
        """Count a frame; the reason when it was the last one."""
        self.frames += 1
        self._quiet = 0 if speaking else self._quiet + 1
        self.spoken = self.spoken or speaking
        limits, quiet_s = self._limits, self._quiet * FRAME_S
        if not self.spoken and limits.timeout is not None and quiet_s >= limits.timeout:
            return "noinput"
        if self.spoken and limits.final_silence is not None and quiet_s >= limits.final_silence:
            return "silence"
        return "max_time" if self.frames * FRAME_S >= limits.max_time else None


async def record_message(
    call: Call, path: str, limits: MessageLimits, *, over: Callable[[], bool] = lambda: False
) -> Message:
    """Record the caller of `call` to `path` from now on; hanging up is an end like any other.

    It ends as well once `over` is true, which is asked with every 20 ms of sound.

    The key that ends it is not heard in the file, however it comes. What was typed before is forgotten. Of
    a message without sound no file is left; with `speech`, of one without speech neither.
    """
    taking = _Taking(call, path, limits, over)
    call.digits.flush()
    call.listen_keys(taking.on_key)
    try:
        with call.secure_keys() if limits.terminators else contextlib.nullcontext():
            return await taking.run()
    finally:
        call.unlisten_keys(taking.on_key)


def save_sound(path: str, samples: bytes) -> None:
    """Write 16-bit mono samples of 8 kHz to a file of the same form. Blocks.

    Raises:
        OSError: the disk refuses it.
    """
    file = _open(Path(path))
    try:
        file.writeframes(samples)
    finally:
        _close(file)


class _Taking:
    def __init__(self, call: Call, path: str, limits: MessageLimits, over: Callable[[], bool]) -> None:
        self._call = call
        self._over = over
        self._path = Path(path)
        self._limits = limits
        self._clock = MessageClock(limits)
        self._key = ""
        self._waiting: list[bytes] = []

    def on_key(self, event: DigitBegan | DigitEnded) -> None:
        """A key of the caller; one that begins is enough."""
        if not self._key and event.digit in self._limits.terminators:
            self._key = event.digit
            if isinstance(event, DigitBegan):  # its end is nobody's answer
                self._call.digits.key_began(event.digit, now=self._call.context.clock.now())
                self._call.digits.flush()

    async def run(self) -> Message:
        loop = asyncio.get_running_loop()
        try:
            file = await loop.run_in_executor(None, _open, self._path)
        except OSError as error:
            return self._failed(error)
        try:
            ended_by = await self._listen(file)
            await loop.run_in_executor(None, self._append, file)
        except OSError as error:
            return self._failed(error)
        finally:
            await loop.run_in_executor(None, _close, file)
        seconds = round(self._clock.frames * FRAME_S, 2)
        silent = self._limits.speech and not self._clock.spoken
        if ended_by == "noinput" or silent or not self._clock.frames:
            self._path.unlink(missing_ok=True)
            seconds = 0.0
        return Message(ended_by=ended_by, seconds=seconds, key=self._key)

    async def _listen(self, file: wave.Wave_write) -> MessageEnd:
        from sipcc.rtp.vad import VoiceDetector  # numpy, for who records

        loop, detector = asyncio.get_running_loop(), VoiceDetector()
        with self._call.tap() as tap:
            async for frame in tap:
                if self._key:
                    return "key"
                if self._over():
                    return "told"
                said = frame.said or SILENCE
                self._waiting.append(said)
                ended_by = self._clock.push(detector.push(said))
                if ended_by is not None:
                    return ended_by
                if len(self._waiting) >= APPEND_FRAMES:
                    await loop.run_in_executor(None, self._append, file)
        return "hangup"

    def _append(self, file: wave.Wave_write) -> None:
        waiting, self._waiting = self._waiting, []
        file.writeframes(b"".join(waiting))

    def _failed(self, error: OSError) -> Message:
        _log.warning("message.not_stored", call_id=self._call.id, path=str(self._path), error=str(error))
        with contextlib.suppress(OSError):
            if self._path.is_file():
                os.unlink(self._path)
        return Message(ended_by="failed", seconds=0.0)


def _open(path: Path) -> wave.Wave_write:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = open(path, "wb", opener=private.opener)  # noqa: SIM115  # closed with the wave
    file = wave.open(raw, "wb")  # noqa: SIM115
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate(8000)
    return file


def _close(file: wave.Wave_write) -> None:
    raw = file._file  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        file.close()
        raw.close()
