"""What a media engine is told and what it tells, as structs: the same in this process and over a socket.

A `MediaPort` turns each verb into one `Command`; the in-process engine executes it at once, the pool writes
it to the worker's socket. On the socket each message is a msgpack map behind its length; order is
kept per worker and so per port.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import msgspec

from sipcc.rtp.events import (
    AudioTapped,
    DigitBegan,
    DigitEnded,
    FaxHeard,
    MediaAlarm,
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
from sipcc.rtp.flow import PlayItem, Role, RtpStats, StreamParams

HEAD = struct.Struct(">II")
"""Length of a message, and the same under `_MASK`: bytes that are not ours are told by the first eight."""
_MASK = 0x5CC1A5A5
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Nothing of ours is near this; more means that the stream is out of step, and the worker is given up."""


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Open a port; `Opened` or `OpenFailed` answers."""

    port: str
    beside: str = ""
    """For a raw port: the port that carries the audio of the same party."""
    joins: bool = False
    """True for a port of a call that is there already: a worker at its limit opens that too."""


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """`MediaPort.configure`."""

    port: str
    params: StreamParams


class Aim(msgspec.Struct, frozen=True, tag="aim"):
    """`RawPort.aim`."""

    port: str
    host: str
    number: int
    rtcp_number: int


class Notice(msgspec.Struct, frozen=True, tag="notice"):
    """`MediaPort.notice`."""

    port: str
    on: bool


class ListenVoice(msgspec.Struct, frozen=True, tag="listen_voice"):
    """`MediaPort.listen_voice`."""

    port: str
    on: bool


class Play(msgspec.Struct, frozen=True, tag="play"):
    """`MediaPort.play`."""

    port: str
    items: tuple[PlayItem, ...]
    loop: bool
    shared: bool
    token: int


class StopPlaying(msgspec.Struct, frozen=True, tag="stop_playing"):
    """`MediaPort.stop_playing`."""

    port: str


class PausePlaying(msgspec.Struct, frozen=True, tag="pause_playing"):
    """`MediaPort.pause_playing`."""

    port: str
    paused: bool


class SeekPlaying(msgspec.Struct, frozen=True, tag="seek_playing"):
    """`MediaPort.seek_playing`."""

    port: str
    position_ms: int


class Feed(msgspec.Struct, frozen=True, tag="feed"):
    """`MediaPort.feed`."""

    port: str
    token: int
    audio: bytes
    last: bool


class MarkPlaying(msgspec.Struct, frozen=True, tag="mark_playing"):
    """`MediaPort.mark_playing`."""

    port: str
    token: int
    mark: str


class ClearPlaying(msgspec.Struct, frozen=True, tag="clear_playing"):
    """`MediaPort.clear_playing`."""

    port: str
    token: int


class Bridge(msgspec.Struct, frozen=True, tag="bridge"):
    """`MediaPort.bridge`."""

    port: str
    other: str


class Unbridge(msgspec.Struct, frozen=True, tag="unbridge"):
    """`MediaPort.unbridge`."""

    port: str


class Echo(msgspec.Struct, frozen=True, tag="echo"):
    """`MediaPort.echo`."""

    port: str


class Join(msgspec.Struct, frozen=True, tag="join"):
    """`MediaPort.join`; `coached` is a port id, or empty."""

    port: str
    room: str
    role: Role
    coached: str = ""


class Supervise(msgspec.Struct, frozen=True, tag="supervise"):
    """`MediaPort.supervise`."""

    port: str
    other: str
    role: Role


class Mute(msgspec.Struct, frozen=True, tag="mute"):
    """`MediaPort.mute`."""

    port: str
    muted: bool


class Tap(msgspec.Struct, frozen=True, tag="tap"):
    """`MediaPort.tap`."""

    port: str
    on: bool
    coded: bool = False


class Record(msgspec.Struct, frozen=True, tag="record"):
    """`MediaPort.record`."""

    port: str
    path: str


class StopRecording(msgspec.Struct, frozen=True, tag="stop_recording"):
    """`MediaPort.stop_recording`."""

    port: str


class PauseRecording(msgspec.Struct, frozen=True, tag="pause_recording"):
    """`MediaPort.pause_recording`."""

    port: str
    paused: bool
    mark: bool


class SetConsentTone(msgspec.Struct, frozen=True, tag="consent_tone"):
    """`MediaPort.consent_tone`."""

    port: str
    period_s: float


class SendDigits(msgspec.Struct, frozen=True, tag="send_digits"):
    """`MediaPort.send_digits`."""

    port: str
    digits: str
    duration_ms: int
    gap_ms: int


class SecureKeys(msgspec.Struct, frozen=True, tag="secure_keys"):
    """`MediaPort.secure_keys`."""

    port: str
    on: bool


class Close(msgspec.Struct, frozen=True, tag="close"):
    """`MediaPort.close`; `Closed` answers."""

    port: str


class Quit(msgspec.Struct, frozen=True, tag="quit"):
    """Close all and end the process."""


Command = (
    Configure
    | Aim
    | Notice
    | ListenVoice
    | Play
    | StopPlaying
    | PausePlaying
    | SeekPlaying
    | Feed
    | MarkPlaying
    | ClearPlaying
    | Bridge
    | Unbridge
    | Echo
    | Join
    | Supervise
    | Mute
    | Tap
    | Record
    | StopRecording
    | PauseRecording
    | SetConsentTone
    | SendDigits
    | SecureKeys
    | Close
)
ToWorker = Open | Command | Quit


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The port stands; `host` and `number` are for the ``c=`` and ``m=`` lines."""

    port: str
    host: str
    number: int


class OpenFailed(msgspec.Struct, frozen=True, tag="open_failed"):
    """No port pair was free, or the address is not ours."""

    port: str
    error: str


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The port is gone; these are its last figures."""

    port: str
    stats: RtpStats


class StatsNow(msgspec.Struct, frozen=True, tag="stats"):
    """Figures of all ports of a worker, once a second."""

    ports: dict[str, RtpStats]


Event = (
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
FromWorker = Opened | OpenFailed | Closed | StatsNow | Event

Message = TypeVar("Message")

_encoder = msgspec.msgpack.Encoder()


def frame(message: object) -> bytes:
    """One message as it goes over the socket."""
    body = _encoder.encode(message)
    return HEAD.pack(len(body), len(body) ^ _MASK) + body


class Framing:
    """Cuts a byte stream into messages of one union type."""

    def __init__(self, kind: object) -> None:
        self._decoder: msgspec.msgpack.Decoder[object] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[object]:
        """The messages that `data` completes, in order.

        Raises:
            ValueError: the stream is out of step; msgspec's errors are ValueErrors too.
        """
        buffer = self._buffer
        buffer += data
        messages = []
        start = 0
        while len(buffer) - start >= HEAD.size:
            size, masked = HEAD.unpack_from(buffer, start)
            if size ^ masked != _MASK or size > MAX_MESSAGE_BYTES:
                raise ValueError(f"no message of ours, or one of {size} bytes")
            end = start + HEAD.size + size
            if len(buffer) < end:
                break
            messages.append(self._decoder.decode(bytes(buffer[start + HEAD.size : end])))
            start = end
        del buffer[:start]
        return messages
