"""The recording of one call: started, paused, stopped, waited for, and brought into its final form."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.errors import LocalProtocolError
from sipcc.log import get_logger
from sipcc.rtp.events import RecordingEnded

if TYPE_CHECKING:
    from sipcc.call.context import CallContext
    from sipcc.call.leg import Leg

PATIENCE = 12.0
"""Seconds that the end of a call waits for its recording to be complete."""

_log = get_logger("sipcc.call")


class Finisher:
    """Compresses finished recordings and draws their waveforms, one at a time and never in the loop."""

    def __init__(self) -> None:
        self._turn: asyncio.Semaphore | None = None

    async def finish(self, call_id: str, path: str, context: CallContext) -> None:
        """Bring a recording into the form that ``[media.recording]`` asks for, and tell of it."""
        from sipcc.rtp.finishing import finish  # soundfile, for who records

        settings = context.media.recording
        if settings.format == "wav" and not settings.waveform:
            return
        self._turn = self._turn or asyncio.Semaphore(1)
        async with self._turn:
            done = await asyncio.get_running_loop().run_in_executor(
                None, lambda: finish(path, format=settings.format, peaks=settings.waveform)
            )
        if done.error:
            _log.warning("recording.not_stored", call_id=call_id, path=path, error=done.error)
        context.bus.emit(
            events.RecordingStored(
                at=context.clock.now(),
                call=call_id,
                path=path,
                stored=done.path,
                size_bytes=done.size_bytes,
                waveform=done.peaks,
                error=done.error,
            )
        )


class CallRecording:
    """What is recorded of a call; at most one file at a time."""

    def __init__(self, call_id: str, context: CallContext) -> None:
        self.path: str | None = None
        """The file that is being written."""
        self.paused = False
        self._call_id = call_id
        self._context = context
        self._complete: asyncio.Future[None] | None = None
        self._leg: Leg | None = None
        self._consent = False
        self._count = 0

    def next_path(self) -> str:
        """Where the next recording goes that was given no path: each of a call has a file of its own."""
        name = self._call_id if not self._count else f"{self._call_id}-{self._count + 1}"
        return str(Path(self._context.recordings) / f"{name}.wav")

    @property
    def leg_id(self) -> str:
        """The leg that is recorded at, or an empty text."""
        return self._leg.id if self._leg is not None else ""

    def start(self, leg: Leg, path: str, *, consent: bool | None = None) -> str:
        """Record at `leg`; when a recording runs already, nothing changes. Returns its path."""
        if self.path is None:
            self.path, self._leg = path, leg
            self._count += 1
            self.paused = False
            self._complete = asyncio.get_running_loop().create_future()
            leg.on_recorded = self.on_ended
            period_s = self._context.media.recording.consent_tone
            self._consent = consent if consent is not None else period_s > 0
            leg.media.record(path)
            if self._consent:
                leg.media.consent_tone(period_s or DEFAULT_CONSENT_S)
            self._context.disk.begin(self._context)
            self._context.bus.emit(events.RecordingStarted(at=self._now(), call=self._call_id, path=path))
        return self.path

    def go_on(self, leg: Leg, path: str, *, paused: bool) -> None:
        """A recording runs that another process began."""
        self.path, self._leg, self.paused = path, leg, paused
        self._complete = asyncio.get_running_loop().create_future()
        leg.on_recorded = self.on_ended
        self._context.disk.begin(self._context)

    def pause(self, reason: str, *, mark: bool) -> None:
        """Keep what is said out of the file; the time goes on. Pausing twice does nothing."""
        if self.path is None or self._leg is None:
            raise LocalProtocolError("there is no recording to pause")
        if not self.paused:
            self.paused = True
            self._leg.media.pause_recording(True, mark=mark)
            self._context.bus.emit(
                events.RecordingPaused(at=self._now(), call=self._call_id, path=self.path, reason=reason)
            )

    def resume(self) -> None:
        """End a pause; without one nothing happens."""
        if self.path is not None and self._leg is not None and self.paused:
            self.paused = False
            self._leg.media.pause_recording(False)
            self._context.bus.emit(
                events.RecordingResumed(at=self._now(), call=self._call_id, path=self.path)
            )

    async def stop(self) -> None:
        """End the recording and wait until its file is complete."""
        if self.path is not None and self._complete is not None and self._leg is not None:
            self._leg.media.stop_recording()
            await asyncio.shield(self._complete)

    async def settle(self) -> None:
        """The port is closed: wait for the file, but not for ever."""
        if self._complete is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._complete), PATIENCE)

    def on_ended(self, event: RecordingEnded) -> None:
        """The file is complete, or the recording failed."""
        context, leg = self._context, self._leg
        context.bus.emit(
            events.RecordingFinished(
                at=self._now(),
                call=self._call_id,
                path=event.path,
                seconds=event.seconds,
                reason=event.reason,
            )
        )
        if self.path is not None:
            context.disk.end()
        self.path = self._leg = None
        if leg is not None:
            leg.on_recorded = None
            if self._consent and not leg.ended:
                leg.media.consent_tone(0)
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
        if event.reason.startswith("error"):
            self._failed(event, leg)
        if event.seconds > 0:
            finishing = context.finisher.finish(self._call_id, event.path, context)
            context.scope.spawn(finishing, name=f"{self._call_id}/finish-recording")

    def _failed(self, event: RecordingEnded, leg: Leg | None) -> None:
        """The call goes on unrecorded, or not at all."""
        _log.warning("recording.failed", call_id=self._call_id, path=event.path, error=event.reason)
        policy = self._context.media.recording.unrecorded
        if (
            leg is not None
            and not leg.ended
            and (policy == "end" or (policy == "refuse" and not event.seconds))
        ):
            leg.hangup("unrecorded")

    def _now(self) -> float:
        return self._context.clock.now()


DEFAULT_CONSENT_S = 14.0
"""Seconds between consent tones where the settings have them off, but the call wants them."""
