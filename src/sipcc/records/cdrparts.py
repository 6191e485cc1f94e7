"""What a call record has lists of."""

from __future__ import annotations

from typing import Literal

import msgspec


class CdrDigits(msgspec.Struct, frozen=True):
    """One answer of the caller to a prompt; secret digits are masked already in the event."""

    prompt: str
    digits: str
    outcome: str


class CdrRecording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording of a call; `reason` is empty while it runs."""

    path: str
    """The file that has the audio."""
    seconds: float = 0.0
    reason: str = ""
    sha256: str = ""
    """The digest of that file, which stays when it is deleted."""

    @property
    def settled(self) -> bool:
        """True when nothing more will be told of it."""
        return bool(self.reason and (self.sha256 or not self.seconds))


class CdrConsent(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller was told of the recording, before anything was recorded."""

    outcome: Literal["announced", "given", "blocked"]
    """As in `sipcc.call.events.RecordingConsent`: ``blocked`` is that nothing was recorded."""
    announced: float | None = None
    """Unix time at which it had heard the prompt to its end, and pressed the key if one was asked for."""
    prompt: str = ""
    why: str = ""
