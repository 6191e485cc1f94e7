"""The one `MediaPort`: turns verbs into commands; who executes them is the engine's matter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from sipcc.log import get_logger
from sipcc.rtp import wire
from sipcc.rtp.dtmf import DIGITS
from sipcc.rtp.events import MediaEvent
from sipcc.rtp.flow import MediaPort, PlayItem, PlayStream, RawPort, Role, RtpStats, StreamParams

_log = get_logger("sipcc.rtp")


class Commander(Protocol):
    """What a port needs of its engine."""

    def submit(self, command: wire.Command) -> None:
        """Execute or send `command`; order is kept."""
        ...

    def stats_of(self, port: str) -> RtpStats:
        """The figures of a port as last known."""
        ...


class EnginePort:
    """A `sipcc.rtp.flow.MediaPort` of either engine."""

    def __init__(self, commander: Commander, port_id: str, host: str, port: int) -> None:
        self.id = port_id
        self.host = host
        self.port = port
        self.on_event: Callable[[MediaEvent], None] | None = None
        self.commander = commander
        self._final: asyncio.Future[RtpStats] | None = None

    def __repr__(self) -> str:
        return f"<EnginePort {self.id} {self.host}:{self.port}>"

    def configure(self, params: StreamParams) -> None:
        """Set or replace how the audio travels; opens the learning window for the source anew."""
        self._submit(wire.Configure(self.id, params))

    def aim(self, host: str, port: int, rtcp_port: int) -> None:
        """For a raw port: where the party receives and sends from."""
        self._submit(wire.Aim(self.id, host, port, rtcp_port))

    def notice(self, on: bool) -> None:
        """Tell whether audio comes, or no more."""
        self._submit(wire.Notice(self.id, on))

    def listen_voice(self, on: bool) -> None:
        """Tell when somebody begins to speak, or no more."""
        self._submit(wire.ListenVoice(self.id, on))

    def play(
        self, items: Iterable[PlayItem], *, loop: bool = False, shared: bool = False, token: int = 0
    ) -> None:
        """Play `items` without a gap, replacing what plays.

        Raises:
            ValueError: a stream is not the only item.
        """
        playlist = tuple(items)
        if len(playlist) > 1 and any(isinstance(item, PlayStream) for item in playlist):
            raise ValueError("a stream plays alone")
        self._submit(wire.Play(self.id, playlist, loop, shared, token))

    def stop_playing(self) -> None:
        """End the play; the last packet leaves within 20 ms."""
        self._submit(wire.StopPlaying(self.id))

    def pause_playing(self, paused: bool) -> None:
        """Let what plays be silent, or go on where it was."""
        self._submit(wire.PausePlaying(self.id, paused))

    def seek_playing(self, position_ms: int) -> None:
        """Go to a place in what plays, counted from the beginning of its first item."""
        self._submit(wire.SeekPlaying(self.id, position_ms))

    def feed(self, token: int, audio: bytes, *, last: bool = False) -> None:
        """Give the next 16-bit samples of 8 kHz to the `PlayStream` that was played with `token`."""
        self._submit(wire.Feed(self.id, token, audio, last))

    def mark_playing(self, token: int, mark: str) -> None:
        """Have `PlayMarked` tell when all that was fed so far has been sent, or was cleared."""
        self._submit(wire.MarkPlaying(self.id, token, mark))

    def clear_playing(self, token: int) -> None:
        """Drop what was fed and has not sounded; `PlayCleared` tells how much has. The stream goes on."""
        self._submit(wire.ClearPlaying(self.id, token))

    def bridge(self, other: MediaPort | RawPort) -> None:
        """Join two ports of one engine.

        Raises:
            ValueError: the other port lives in another engine or worker (`open` it with `near`).
        """
        self._check_near(other)
        self._submit(wire.Bridge(self.id, other.id))

    def _check_near(self, other: MediaPort | RawPort) -> None:
        if not self.is_near(other):
            raise ValueError(
                f"ports {self.id} and {other.id} cannot reach each other: open one near the other"
            )

    def unbridge(self) -> None:
        """Take this port and its peer apart; both fall silent until told otherwise."""
        self._submit(wire.Unbridge(self.id))

    def join(self, room: str, *, role: Role = "talk", coached: MediaPort | None = None) -> None:
        """Enter the conference of that name, or change the role in it.

        Raises:
            ValueError: `coached` lives in another engine or worker.
        """
        if coached is not None:
            self._check_near(coached)
        self._submit(wire.Join(self.id, room, role, coached.id if coached is not None else ""))

    def supervise(self, other: MediaPort, role: Role) -> None:
        """Listen to the conversation of `other`, whisper to it, or talk with all.

        Raises:
            ValueError: the other port lives in another engine or worker.
        """
        self._check_near(other)
        self._submit(wire.Supervise(self.id, other.id, role))

    def is_near(self, other: MediaPort | RawPort) -> bool:
        """True when the two ports live where they can be bridged."""
        return getattr(other, "commander", None) is self.commander

    def mute(self, muted: bool) -> None:
        """Let the others in the room not hear this party, until told otherwise."""
        self._submit(wire.Mute(self.id, muted))

    def tap(self, on: bool, *, coded: bool = False) -> None:
        """Tell what this party says and hears as `AudioTapped` events, 50 a second; `coded` as it is."""
        self._submit(wire.Tap(self.id, on, coded))

    def echo(self) -> None:
        """Send back what arrives, until `unbridge`."""
        self._submit(wire.Echo(self.id))

    def record(self, path: str) -> None:
        """Record to a stereo WAV: left what this party says, right what it hears."""
        self._submit(wire.Record(self.id, path))

    def stop_recording(self) -> None:
        """End the recording; a RecordingEnded event follows when the file is complete."""
        self._submit(wire.StopRecording(self.id))

    def pause_recording(self, paused: bool, *, mark: bool = False) -> None:
        """Keep what is said out of the recording, or take it in again; the time goes on."""
        self._submit(wire.PauseRecording(self.id, paused, mark))

    def consent_tone(self, period_s: float) -> None:
        """Let this party and those who talk to it hear the consent tone in every `period_s`; 0 ends it."""
        self._submit(wire.SetConsentTone(self.id, period_s))

    def send_digits(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Send keys as the leg takes them: RFC 4733 events within the unbroken stream, or tones.

        Raises:
            ValueError: a character is not one of ``0-9*#A-D``.
        """
        if strange := set(digits.upper()) - set(DIGITS):
            raise ValueError(f"not DTMF digits: {''.join(sorted(strange))!r}")
        self._submit(wire.SendDigits(self.id, digits, duration_ms, gap_ms))

    def secure_keys(self, on: bool) -> None:
        """Keep the keys of this party from all who hear or record it, until told otherwise."""
        self._submit(wire.SecureKeys(self.id, on))

    def read_stats(self) -> RtpStats:
        """The statistics as last known (for a worker process: at most a second old)."""
        if self._final is not None and self._final.done():
            return self._final.result()
        return self.commander.stats_of(self.id)

    async def close(self) -> RtpStats:
        """End everything on this port, free the sockets, and return the final statistics."""
        if self._final is None:
            self._final = asyncio.get_running_loop().create_future()
            self.commander.submit(wire.Close(self.id))
        return await asyncio.shield(self._final)

    @property
    def closing(self) -> bool:
        """True once `close` was called or the worker died."""
        return self._final is not None

    def finish(self, stats: RtpStats, *, last: MediaEvent | None = None) -> None:
        """The engine's word that the port is gone: `last` is told, and then nothing more to nobody.

        So the port and whoever holds it are no ring that waits for the garbage collector.
        """
        if self._final is None:
            self._final = asyncio.get_running_loop().create_future()
        if not self._final.done():
            self._final.set_result(stats)
        if last is not None:
            self.deliver(last)
        self.on_event = None

    def deliver(self, event: MediaEvent) -> None:
        """Hand an event to whoever holds the port; its crash is logged and goes no further."""
        if self.on_event is None:
            return
        try:
            self.on_event(event)
        except Exception:
            _log.exception("media.handler_crashed", port=self.id, media_event=type(event).__name__)

    def _submit(self, command: wire.Command) -> None:
        if self._final is None:  # a verb on a closed port is nothing: the call is already over
            self.commander.submit(command)
