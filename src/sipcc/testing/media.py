"""The media of a fake party: sends a tone in real time, and remembers every packet that came.

This is on purpose not the media engine of `sipcc.rtp`, so that a fault of the engine cannot hide itself by
being on both sides. What arrived is kept with its time, sequence, timestamp and SSRC: tests prove by it
that the line was unbroken (`FakeMedia.breaks`) and what was heard when (`FakeMedia.heard`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import msgspec
import numpy as np

from sipcc.rtp import dtmf, packet
from sipcc.rtp.codec import Encoder, g711, make_decoder, make_encoder
from sipcc.rtp.flow import CodecName, PacketSockets
from sipcc.rtp.formats import spec
from sipcc.rtp.udp import UdpSockets
from sipcc.testing import audio
from sipcc.testing.audio import RATE_HZ, Samples
from sipcc.testing.srtp import Secret
from sipcc.testing.wires import MemorySockets

FRAME = 160
FRAME_S = 0.02
WARM_UP = 4000
"""Samples before those that are asked for, by which decoders come to their state."""
PAYLOAD_TYPES: dict[CodecName, int] = {
    "PCMU": 0, "PCMA": 8, "G722": 9, "G729": 18, "opus": 111, "L16": 119,
}  # fmt: skip
"""The numbers under which fake parties receive codecs."""
_CODECS = {number: name for name, number in PAYLOAD_TYPES.items()}

HEARD_LIMIT = 50 * 900
"""Packets remembered: a quarter of an hour."""

_bases = itertools.cycle(range(30000, 40000, 100))


class Received(msgspec.Struct, frozen=True):
    """One RTP packet that came."""

    at: float
    source: tuple[str, int]
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the other side wants its audio, and how."""

    host: str
    port: int
    codec: CodecName
    payload_type: int
    event_payload_type: int | None = None
    send: bool = True
    """False when the other side does not want to hear us now."""


class FakeMedia:
    """One RTP stream each way, on sockets of its own."""

    def __init__(self, sockets: PacketSockets, host: str, *, ssrc: int = 0x51BCC) -> None:
        self.host = host
        self.received: list[Received] = []
        self.digits = ""
        """Keys that came by RFC 4733."""
        self.sent = 0
        """Packets sent."""
        self.muted = False
        """True: send nothing at all, as a phone that vanished; from `start` on it is not even tried."""
        self.peer: Peer | None = None
        self.secret: Secret | None = None
        """Protects the packets, once both keys are known."""
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._rtp, self._rtcp, self.port = self._open(host)
        self._ssrc = ssrc
        self.sequence = (ssrc * 7919) & 0xFFFF
        """Number of the next packet."""
        self._timestamp = (ssrc * 104729) & 0xFFFFFFFF
        self._samples: Samples = audio.silence(1.0)
        self._at = 0
        self._keys = dtmf.DigitSender()
        self._presses = dtmf.DigitReceiver()
        self._next = 0.0
        self._encoder: tuple[CodecName, Encoder] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch = _watch(sockets, self._drain)

    def start(self, peer: Peer) -> None:
        """Send to `peer` from now on; the line goes on unbroken when it changes."""
        self.peer = peer
        if self._timer is None and not self.muted:
            self._next = self._loop.time()
            self._tick()

    def say(self, samples: Samples) -> None:
        """Say this again and again, in place of what was said before."""
        if len(samples) < FRAME:
            raise ValueError("at least one frame of 160 samples is needed")
        self._samples = samples
        self._at = 0

    def say_tone(self, frequency_hz: float, *, level_dbfs: float = -12.0) -> None:
        """Say a tone without a seam; the frequency is rounded to whole waves per second."""
        self.say(audio.tone(round(frequency_hz), 1.0, level_dbfs=level_dbfs))

    def be_silent(self) -> None:
        """Send silence, as packets."""
        self.say(audio.silence(1.0))

    def press(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Queue keys to be sent by RFC 4733."""
        self._keys.send(digits, duration_ms=duration_ms, gap_ms=gap_ms)

    @property
    def pressing(self) -> bool:
        """True until the last queued key has gone."""
        return self._keys.busy

    def heard(self, seconds: float = 1.0, *, before: float = 0.0) -> Samples:
        """What was heard in the `seconds` that ended `before` seconds ago, gaps as silence."""
        end = self._loop.time() - before
        begin = end - seconds
        sound = audio.silence(seconds)
        anchor: Received | None = None
        decoders = {number: make_decoder(name) for number, name in _CODECS.items() if name != "G729"}
        for item in self.received:
            decoder = decoders.get(item.payload_type)
            if decoder is None:
                continue
            if anchor is None or (anchor.ssrc, anchor.payload_type) != (item.ssrc, item.payload_type):
                anchor = item
            ahead = (item.timestamp - anchor.timestamp + 0x80000000) % 0x100000000 - 0x80000000
            ahead = ahead * RATE_HZ // spec(_CODECS[item.payload_type]).clock_rate_hz
            start = round((anchor.at - begin) * RATE_HZ) + ahead
            if start < -WARM_UP:
                continue
            samples = decoder.decode(item.payload)
            first, last = max(start, 0), min(start + len(samples), len(sound))
            if first < last:
                sound[first:last] = samples[first - start : last - start]
        return sound

    def tones(self, seconds: float = 0.5, *, before: float = 0.0) -> list[int]:
        """The tones heard, strongest first, in whole Hz."""
        return [round(hz) for hz in audio.find_tones(self.heard(seconds, before=before))]

    def breaks(self) -> list[str]:
        """Where the line that came was broken, in words: another SSRC, a gap or a step back.

        Telephone events keep the timestamp of their start, so only audio is held to the clock.
        """
        found: list[str] = []
        audio_before: Received | None = None
        for before, item in itertools.pairwise(self.received):
            if item.ssrc != before.ssrc:
                found.append(f"at {item.at:.3f}: SSRC {before.ssrc:#x} became {item.ssrc:#x}")
            elif (item.sequence - before.sequence) % 0x10000 != 1:
                found.append(f"at {item.at:.3f}: sequence {before.sequence} was followed by {item.sequence}")
        for item in self.received:
            if item.payload_type not in _CODECS:
                continue
            if audio_before is not None and audio_before.ssrc == item.ssrc:
                step = (item.timestamp - audio_before.timestamp) % 0x100000000
                if not 0 < step < 0x80000000:
                    found.append(f"at {item.at:.3f}: the timestamp went back")
            audio_before = item
        return found

    def longest_gap(self) -> float:
        """The longest time, in seconds, between two packets that came; 0.0 with less than two."""
        return max((b.at - a.at for a, b in itertools.pairwise(self.received)), default=0.0)

    def close(self) -> None:
        """Fall silent and free the sockets."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._unwatch()
        self._sockets.close(self._rtp)
        self._sockets.close(self._rtcp)

    def _open(self, host: str) -> tuple[int, int, int]:
        for _ in range(100):
            base = next(_bases)
            for port in range(base, base + 100, 2):
                try:
                    rtp = self._sockets.open(host, port)
                except OSError:
                    continue
                try:
                    return rtp, self._sockets.open(host, port + 1), port
                except OSError:
                    self._sockets.close(rtp)
        raise OSError("no pair of UDP ports is free from 30000 to 39999")

    def _tick(self) -> None:
        self._send_frame()
        self._next += FRAME_S
        # After a stall of the process: do not catch up with a burst, phones do not either.
        now = self._loop.time()
        if self._next < now - 0.1:
            self._next = now
        self._timer = self._loop.call_at(self._next, self._tick)

    def _send_frame(self) -> None:
        peer = self.peer
        event = self._keys.tick(self._timestamp)
        if peer is not None and peer.send and not self.muted:
            if event is not None and peer.event_payload_type is not None:
                data = self._build(event.payload, peer.event_payload_type, event.timestamp, event.marker)
            else:
                coded = self._code(self._take_frame(), peer.codec)
                data = self._build(coded, peer.payload_type, self._timestamp, self.sent == 0)
            if self.secret is not None:
                data = self.secret.protect(data)
            self._sockets.send(self._rtp, data, (peer.host, peer.port))
            self.sequence = (self.sequence + 1) & 0xFFFF
            self.sent += 1
        step = FRAME if peer is None else FRAME * spec(peer.codec).clock_rate_hz // RATE_HZ
        self._timestamp = (self._timestamp + step) & 0xFFFFFFFF

    def _code(self, frame: Samples, codec: CodecName) -> bytes:
        if codec == "PCMU" or codec == "PCMA":
            return g711.encode(frame, codec)
        if self._encoder is None or self._encoder[0] != codec:
            self._encoder = codec, make_encoder(codec)
        return self._encoder[1].encode(frame)

    def _build(self, payload: bytes, payload_type: int, timestamp: int, marker: bool) -> bytes:
        return packet.build(
            payload,
            payload_type=payload_type,
            sequence=self.sequence,
            timestamp=timestamp,
            ssrc=self._ssrc,
            marker=marker,
        )

    def _take_frame(self) -> Samples:
        frame: Samples = np.take(self._samples, range(self._at, self._at + FRAME), mode="wrap")
        self._at = (self._at + FRAME) % len(self._samples)
        return frame

    def _drain(self) -> None:
        now = self._loop.time()
        for handle, data, source in self._sockets.drain():
            if handle != self._rtp:
                continue
            opened = data if self.secret is None else self.secret.open(data)
            if opened is None:
                continue
            rtp = packet.parse(opened)
            if isinstance(rtp, packet.Flaw):
                continue
            if self.peer is not None and rtp.payload_type == self.peer.event_payload_type:
                for event in self._presses.receive(rtp.ssrc, rtp.timestamp, rtp.payload, now=now):
                    if isinstance(event, dtmf.KeyBegan):
                        self.digits += event.digit
            if len(self.received) < HEARD_LIMIT:
                self.received.append(
                    Received(
                        now,
                        source,
                        rtp.payload_type,
                        rtp.sequence,
                        rtp.timestamp,
                        rtp.ssrc,
                        rtp.marker,
                        rtp.payload,
                    )
                )


def _watch(sockets: PacketSockets, callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` when something arrives; the result ends that."""
    if isinstance(sockets, MemorySockets):
        sockets.on_arrival = callback
        return lambda: setattr(sockets, "on_arrival", None)
    if isinstance(sockets, UdpSockets):
        loop, descriptor = asyncio.get_running_loop(), sockets.fileno()
        loop.add_reader(descriptor, callback)

        def unwatch() -> None:
            loop.remove_reader(descriptor)

        return unwatch
    raise TypeError(f"cannot watch {type(sockets).__name__}")
