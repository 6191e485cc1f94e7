"""What is known of one recording: a pure fold of the events that name it.

`begun` makes a `Recording` of the first event, `folded` brings it up to date with each later one. The index
of all recordings (`sipcc.records.archive`) keeps the result, so that a replay of the log gives the same.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

import msgspec

from sipcc.call.events import (
    InteractionJoined,
    RecordingFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStored,
)
from sipcc.events import Event
from sipcc.records.events import RecordingHeld

DAY_S = 86400.0


class Mask(msgspec.Struct, frozen=True):
    """A span in which what was said is not in the file, in seconds from its beginning."""

    begin: float
    end: float | None
    """None while it lasts."""
    reason: str = ""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One recording. Times are Unix seconds."""

    id: str
    call: str
    interaction: str
    """The call that the caller's visit began with."""
    caller: str = ""
    called: str = ""
    queue: str = ""
    number: str = ""
    started: float
    seconds: float = 0.0
    reason: str = ""
    """How it ended; empty while it runs."""
    path: str
    """The file that has the audio now."""
    stored: bool = False
    """True once the file has its final form."""
    size_bytes: int = 0
    sha256: str = ""
    waveform: str = ""
    consent: Literal["", "announced", "given"] = ""
    retention_days: int = 90
    held: bool = False
    """True keeps it whatever its age."""
    masks: tuple[Mask, ...] = ()

    @property
    def expires(self) -> float:
        """When it goes, unless it is held."""
        return self.started + self.retention_days * DAY_S

    @property
    def running(self) -> bool:
        """True while it is recorded, or waits for its final form."""
        return not self.reason or (self.seconds > 0 and not self.stored)


def begun(event: RecordingStarted, wall: float, *, held: bool = False) -> Recording:
    """A recording that begins; `held` if another one of its call is."""
    return Recording(
        id=event.recording or PurePath(event.path).stem,
        call=event.call,
        interaction=event.interaction or event.call,
        caller=event.caller,
        called=event.called,
        queue=event.queue,
        number=event.number,
        started=wall,
        path=event.path,
        consent=event.consent,
        retention_days=event.retention_days,
        held=held,
    )


def folded(recording: Recording, event: Event, wall: float) -> Recording:
    """`recording` after `event`, which is about it."""
    replace = msgspec.structs.replace
    match event:
        case RecordingPaused():
            begin = round(wall - recording.started, 3)
            return replace(recording, masks=(*recording.masks, Mask(begin, None, event.reason)))
        case RecordingResumed():
            return replace(recording, masks=_ended(recording.masks, round(wall - recording.started, 3)))
        case RecordingFinished():
            seconds = round(event.seconds, 3)
            masks = _ended(recording.masks, seconds)
            return replace(recording, seconds=seconds, reason=event.reason or "stopped", masks=masks)
        case RecordingStored():
            return replace(
                recording,
                path=event.stored,
                stored=True,
                size_bytes=event.size_bytes,
                sha256=event.sha256,
                waveform=event.waveform,
            )
        case InteractionJoined():
            return replace(recording, interaction=event.interaction)
        case RecordingHeld():
            return replace(recording, held=event.held)
        case _:
            return recording


def _ended(masks: tuple[Mask, ...], end: float) -> tuple[Mask, ...]:
    if not masks or masks[-1].end is not None:
        return masks
    return (*masks[:-1], msgspec.structs.replace(masks[-1], end=end))
