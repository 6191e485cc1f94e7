"""Media: RTP, RTCP, prompts, keys, recording, and the engines that carry them.

`LocalEngine` carries media in this process, `WorkerPool` in one process per core; both are a
`sipcc.rtp.flow.MediaEngine` and take `MediaSettings`.
"""

from __future__ import annotations

import os

# Before numpy is loaded: its BLAS threads spin, and eat the core that the clock needs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sipcc.rtp.flow import (
    CodecName,
    DigitBegan,
    DigitEnded,
    MediaEngine,
    MediaEvent,
    MediaPort,
    MediaTimedOut,
    PacketSockets,
    PlayEnded,
    PlayFile,
    PlayItem,
    PlaySilence,
    PlayTone,
    PromptMissing,
    RecordingEnded,
    RtpStats,
    StreamParams,
    WorkerLost,
)
from sipcc.rtp.local import LocalEngine
from sipcc.rtp.pool import WorkerPool
from sipcc.rtp.settings import MediaSettings

__all__ = [
    "CodecName",
    "DigitBegan",
    "DigitEnded",
    "LocalEngine",
    "MediaEngine",
    "MediaEvent",
    "MediaPort",
    "MediaSettings",
    "MediaTimedOut",
    "PacketSockets",
    "PlayEnded",
    "PlayFile",
    "PlayItem",
    "PlaySilence",
    "PlayTone",
    "PromptMissing",
    "RecordingEnded",
    "RtpStats",
    "StreamParams",
    "WorkerLost",
    "WorkerPool",
]
