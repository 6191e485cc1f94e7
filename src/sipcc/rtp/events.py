"""What happens on a media port, as it is told to whoever holds the port."""

from __future__ import annotations

from typing import Literal

import msgspec


class DigitBegan(msgspec.Struct, frozen=True, tag="digit_began"):
    """A key went down: the moment for barge-in. `digit` is one of ``0-9*#A-D``."""

    port: str
    digit: str


class DigitEnded(msgspec.Struct, frozen=True, tag="digit_ended"):
    """A key came up: the moment for collecting. Exactly one per press (RFC 4733)."""

    port: str
    digit: str
    duration_ms: int


class FaxHeard(msgspec.Struct, frozen=True, tag="fax_heard"):
    """A fax machine speaks: ``calling`` by CNG, 1100 Hz, or ``answering`` by CED, 2100 Hz (T.30 §4)."""

    port: str
    role: Literal["calling", "answering"]


class PlayEnded(msgspec.Struct, frozen=True, tag="play_ended"):
    """A play is over. `token` is the one given to `MediaPort.play`."""

    port: str
    token: int
    reason: Literal["done", "stopped", "replaced", "closed"]
    played_ms: int


class PlayFlow(msgspec.Struct, frozen=True, tag="play_flow"):
    """A stream that plays has more waiting than it likes, or may be fed again."""

    port: str
    token: int
    full: bool


class PlayMarked(msgspec.Struct, frozen=True, tag="play_marked"):
    """A place in a stream that plays was passed, or will not be, since it was cleared."""

    port: str
    token: int
    mark: str
    heard: bool
    """True when everything before the mark has been sent to the party."""
    at_ms: int
    """Where the mark is in what was sent of this stream, or how much had been sent when it was cleared."""


class PlayCleared(msgspec.Struct, frozen=True, tag="play_cleared"):
    """What waited in a stream was dropped."""

    port: str
    token: int
    played_ms: int
    """How much of the stream has been sent to the party so far."""
    dropped_ms: int
    """How much was dropped now."""


class PromptMissing(msgspec.Struct, frozen=True, tag="prompt_missing"):
    """A file could not be played; a fallback tone took its place."""

    port: str
    path: str
    error: str


class MediaTimedOut(msgspec.Struct, frozen=True, tag="media_timed_out"):
    """Neither RTP nor RTCP came for `silent_s` seconds on a port that should receive."""

    port: str
    silent_s: float


class RtpBegan(msgspec.Struct, frozen=True, tag="rtp_began"):
    """The first packet came on a port that was told to `notice`, or the first after a pause."""

    port: str


class RtpPaused(msgspec.Struct, frozen=True, tag="rtp_paused"):
    """No packet has come for two seconds on such a port; `RtpBegan` tells when they come again."""

    port: str


class VoiceBegan(msgspec.Struct, frozen=True, tag="voice_began"):
    """Somebody begins to speak on a port that was told to `listen_voice`; once for each time it was told."""

    port: str


AlarmKind = Literal["one_way_in", "one_way_out", "loss", "jitter", "flood"]
"""``one_way_in``: the party sends and nothing arrives here; ``one_way_out``: what we send does not arrive;
``flood``: strangers send more than 250 packets a second to a port, which is told once."""


class MediaAlarm(msgspec.Struct, frozen=True, tag="media_alarm"):
    """The audio of a port is bad, or is well again."""

    port: str
    kind: AlarmKind
    active: bool
    value: float
    """Seconds of audio in one direction only, the fraction lost, the jitter in ms, or packets a second."""


class RecordingEnded(msgspec.Struct, frozen=True, tag="recording_ended"):
    """A recording is closed and readable. `reason` is ``stopped``, ``closed`` or ``error: ...``."""

    port: str
    path: str
    seconds: float
    reason: str


class WorkerLost(msgspec.Struct, frozen=True, tag="worker_lost"):
    """The process behind this port died; the port is gone."""

    port: str


class AudioTapped(msgspec.Struct, frozen=True, tag="audio_tapped"):
    """20 ms of a tapped port, as signed 16-bit little-endian samples at 8 kHz; ``b""`` is silence."""

    port: str
    said: bytes
    heard: bytes
    law: Literal["", "PCMU", "PCMA"] = ""
    """Set when the port was tapped as it is, and both are G.711 of this law."""


MediaEvent = (
    AudioTapped
    | DigitBegan
    | DigitEnded
    | FaxHeard
    | PlayCleared
    | PlayEnded
    | PlayFlow
    | PlayMarked
    | PromptMissing
    | MediaTimedOut
    | RtpBegan
    | RtpPaused
    | VoiceBegan
    | MediaAlarm
    | RecordingEnded
    | WorkerLost
)
