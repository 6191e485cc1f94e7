"""The recording of one call: started, stopped, and waited for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.rtp.flow import MediaPort, RecordingEnded

if TYPE_CHECKING:
    from sipcc.call.context import CallContext

PATIENCE = 5.0
"""Seconds that the end of a call waits for its recording to be complete."""


class CallRecording:
    """What is recorded of a call; at most one file at a time."""

    def __init__(self, call_id: str, context: CallContext) -> None:
        self.path: str | None = None
        """The file that is being written."""
        self._call_id = call_id
        self._context = context
        self._complete: asyncio.Future[None] | None = None
        self._port: MediaPort | None = None

    def start(self, port: MediaPort, path: str) -> str:
        """Record at `port`; when a recording runs already, nothing changes. Returns its path."""
        if self.path is None:
            self.path, self._port = path, port
            self._complete = asyncio.get_running_loop().create_future()
            port.record(path)
            at = self._context.clock.now()
            self._context.bus.emit(events.RecordingStarted(at=at, call=self._call_id, path=path))
        return self.path

    async def stop(self) -> None:
        """End the recording and wait until its file is complete."""
        if self.path is not None and self._complete is not None and self._port is not None:
            self._port.stop_recording()
            await asyncio.shield(self._complete)

    async def settle(self) -> None:
        """The port is closed: wait for the file, but not for ever."""
        if self._complete is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._complete), PATIENCE)

    def on_ended(self, event: RecordingEnded) -> None:
        """The file is complete, or the recording failed."""
        self._context.bus.emit(
            events.RecordingFinished(
                at=self._context.clock.now(),
                call=self._call_id,
                path=event.path,
                seconds=event.seconds,
                reason=event.reason,
            )
        )
        self.path = None
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
