"""A party that speaks any codec: says tones, and decodes what it hears."""

from __future__ import annotations

import asyncio

import numpy as np

from sipcc.rtp import CodecName, MediaPort, StreamParams, packet
from sipcc.rtp.codec import make_decoder, make_encoder, spec
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.tones import find_tones, make_tone
from sipcc.testing.network import MemoryNetwork

RATE_HZ = 8000
DYNAMIC = 100


class CodedParty:
    """One RTP stream each way in one codec, and our port for it."""

    def __init__(
        self,
        network: MemoryNetwork,
        port: MediaPort,
        host: str,
        codec: CodecName,
        *,
        clock_rate_hz: int = 0,
        ptime_ms: int = 20,
        sends_under: int | None = None,
        fmtp: str = "",
        payloads: list[bytes] | None = None,
    ) -> None:
        """`sends_under` is its number for what it sends, if another; `payloads` takes the place of a tone."""
        known = spec(codec, clock_rate_hz)
        self.port, self.host = port, host
        self.clock_rate_hz = known.clock_rate_hz
        self.payload_type = DYNAMIC if known.payload_type is None else known.payload_type
        self.sends_under = self.payload_type if sends_under is None else sends_under
        self.payloads = payloads or []
        self.received: list[packet.RtpPacket] = []
        self.codec, self.ptime_ms, self.fmtp = codec, ptime_ms, fmtp
        self._decoder = make_decoder(codec, clock_rate_hz)
        self._encoder = make_encoder(codec, clock_rate_hz, fmtp, ptime_ms) if known.encodes else None
        self._said: Pcm = np.zeros(RATE_HZ, np.int16)
        self._heard: list[Pcm] = []
        self._sockets = network.sockets(host)
        self._handle = self._sockets.open(host, 40000)
        self._sockets.on_arrival = self._drain
        self._sequence, self._timestamp, self._at, self._sent = 7, 1000, 0, 0
        self._timer: asyncio.TimerHandle | None = None
        self.configure()

    def configure(self, **changes: object) -> None:
        values: dict[str, object] = {
            "remote_host": self.host,
            "remote_port": 40000,
            "remote_rtcp_port": 40001,
            "codec": self.codec,
            "payload_type": self.payload_type,
            "receive_payload_type": None if self.sends_under == self.payload_type else self.sends_under,
            "clock_rate_hz": self.clock_rate_hz,
            "ptime_ms": self.ptime_ms,
            "fmtp": self.fmtp,
            "keys": "off",
        }
        self.port.configure(StreamParams(**{**values, **changes}))  # type: ignore[arg-type]

    def say_tone(self, frequency_hz: float) -> None:
        self._said = make_tone((frequency_hz,), 1000, level_dbm0=-12.0)
        if self._timer is None:
            self._tick()

    def hear_nothing_of_the_past(self) -> None:
        self._heard.clear()
        self.received.clear()

    def tones(self) -> set[int]:
        """What was heard, rounded to 50 Hz, for 200 ms or more."""
        heard = np.concatenate([*self._heard, np.zeros(0, np.int16)])
        found = find_tones(heard, floor_dbm0=-30.0)
        return {round(tone.frequency_hz / 50) * 50 for tone in found if tone.duration_ms >= 200}

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._sockets.close(self._handle)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.ptime_ms / 1000, self._tick)
        size = self.ptime_ms * RATE_HZ // 1000
        samples = np.take(self._said, range(self._at, self._at + size), mode="wrap")
        self._at += size
        if self._encoder is not None and not self.payloads:
            payload = self._encoder.encode(samples)
        else:
            payload = self.payloads[self._sent % len(self.payloads)]
        data = packet.build(
            payload,
            payload_type=self.sends_under,
            sequence=self._sequence,
            timestamp=self._timestamp,
            ssrc=0xABCD,
        )
        self._sockets.send(self._handle, data, (self.port.host, self.port.port))
        self._sequence += 1
        self._sent += 1
        self._timestamp += self.ptime_ms * self.clock_rate_hz // 1000

    def _drain(self) -> None:
        for _, data, _ in self._sockets.drain():
            rtp = packet.parse(data)
            assert not isinstance(rtp, packet.Flaw)
            self.received.append(rtp)
            self._heard.append(self._decoder.decode(bytes(rtp.payload)))
