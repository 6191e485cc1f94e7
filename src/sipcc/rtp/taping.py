"""How a recording's end travels from the writer's thread back to the engine."""

from __future__ import annotations

import threading

from sipcc.rtp.events import RecordingEnded
from sipcc.rtp.recorder import RecordingResult
from sipcc.rtp.wire import Closed

PATIENCE_S = 11.0
"""So long the end of a port waits for a disk that stands still; then it goes on without."""


class Taping:
    """One recording of one port, from `record` to its RecordingEnded event."""

    def __init__(self, port: str, path: str) -> None:
        self.port = port
        self.path = path
        self.give_up_at = float("inf")
        """Set when it was told to stop."""
        self.closed: Closed | None = None
        """The end of the port, which waits for the end of the recording."""
        self._result: RecordingResult | None = None
        self._done = threading.Event()

    def finish(self, result: RecordingResult) -> None:
        """The file is complete, or will never be; called in the writer's thread."""
        self._result = result
        self._done.set()

    def wait(self) -> None:
        """Block until the file is complete, for `PATIENCE_S` at most: for threads only."""
        self._done.wait(PATIENCE_S)

    def outcome(self, *, now: float) -> RecordingEnded | None:
        """What to tell, or None while the file is not complete."""
        result = self._result
        if result is not None:
            return RecordingEnded(self.port, self.path, result.seconds, result.reason)
        if now >= self.give_up_at:
            return RecordingEnded(self.port, self.path, 0.0, "error: the disk does not answer")
        return None
