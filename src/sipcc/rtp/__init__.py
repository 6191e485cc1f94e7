"""Media: RTP, RTCP, prompts, keys, recording, and the engines that carry them.

`LocalEngine` carries media in this process, `WorkerPool` in one process per core; both are a
`sipcc.rtp.flow.MediaEngine` and take `MediaSettings`. These two load when they are first named, and numpy
and soundfile with them: who only speaks of media does not wait for them.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before numpy is loaded: its BLAS threads spin, and eat the core that the clock needs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sipcc.rtp.events import (
    AlarmKind,
    AudioTapped,
    DigitBegan,
    DigitEnded,
    FaxHeard,
    MediaAlarm,
    MediaEvent,
    MediaTimedOut,
    PlayCleared,
    PlayEnded,
    PlayFlow,
    PlayMarked,
    PromptMissing,
    RecordingEnded,
    RtpBegan,
    RtpPaused,
    VoiceBegan,
    WorkerLost,
)
from sipcc.rtp.flow import (
    BrowserParams,
    CodecName,
    Identity,
    KeyMethod,
    Law,
    MediaEngine,
    MediaPort,
    PacketSockets,
    PlayFile,
    PlayItem,
    PlaySilence,
    PlayStream,
    PlayTone,
    RawPort,
    Role,
    RtpStats,
    SrtpKeys,
    StreamParams,
)
from sipcc.rtp.settings import MediaSettings, RecordingSettings

if TYPE_CHECKING:
    from sipcc.rtp.local import LocalEngine as LocalEngine
    from sipcc.rtp.pool import WorkerPool as WorkerPool

_HOMES = {"LocalEngine": "sipcc.rtp.local", "WorkerPool": "sipcc.rtp.pool"}

__all__ = [
    "AlarmKind",
    "AudioTapped",
    "BrowserParams",
    "CodecName",
    "DigitBegan",
    "DigitEnded",
    "FaxHeard",
    "Identity",
    "KeyMethod",
    "Law",
    "LocalEngine",
    "MediaAlarm",
    "MediaEngine",
    "MediaEvent",
    "MediaPort",
    "MediaSettings",
    "MediaTimedOut",
    "PacketSockets",
    "PlayCleared",
    "PlayEnded",
    "PlayFile",
    "PlayFlow",
    "PlayItem",
    "PlayMarked",
    "PlaySilence",
    "PlayStream",
    "PlayTone",
    "PromptMissing",
    "RawPort",
    "RecordingEnded",
    "RecordingSettings",
    "Role",
    "RtpBegan",
    "RtpPaused",
    "RtpStats",
    "SrtpKeys",
    "StreamParams",
    "VoiceBegan",
    "WorkerLost",
    "WorkerPool",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sipcc.rtp' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
