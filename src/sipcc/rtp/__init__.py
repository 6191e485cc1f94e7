"""Media: RTP, RTCP, prompts, keys, recording, and the engines that carry them.

`LocalEngine` carries media in this process, `WorkerPool` in one process per core; both are a
`sipcc.rtp.flow.MediaEngine` and take `MediaSettings`.
"""

from __future__ import annotations

import os

# Before numpy is loaded: its BLAS threads spin, and eat the core that the clock needs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from sipcc.rtp.flow import (  # noqa: E402
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
from sipcc.rtp.local import LocalEngine  # noqa: E402
from sipcc.rtp.pool import WorkerPool  # noqa: E402
from sipcc.rtp.settings import MediaSettings  # noqa: E402

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
