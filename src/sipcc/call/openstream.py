"""A stream that a program keeps open on a port: it feeds it, marks places in it, and clears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sipcc.rtp.events import PlayCleared, PlayFlow, PlayMarked

if TYPE_CHECKING:
    from sipcc.rtp.flow import MediaPort

StreamNews: TypeAlias = PlayMarked | PlayCleared | PlayFlow
"""What a port tells of a stream while it plays."""

OnNews: TypeAlias = Callable[[StreamNews], None]


class OpenStream:
    """One play of a stream; its verbs do nothing once something else plays."""

    def __init__(self, port: MediaPort, token: int) -> None:
        self.token = token
        self._port = port

    def feed(self, audio: bytes) -> None:
        """Let this be heard behind what waits."""
        self._port.feed(self.token, audio)

    def mark(self, name: str) -> None:
        """Have it told when all that was fed so far has been sent, or was cleared."""
        self._port.mark_playing(self.token, name)

    def clear(self) -> None:
        """Drop what waits, and have it told how much has been sent."""
        self._port.clear_playing(self.token)
