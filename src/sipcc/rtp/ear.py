"""What one party says, a frame for each tick of the 20 ms clock, whatever came how from the network.

`sipcc.rtp.jitter` puts packets in order and in time. Here they become frames: packets of any length are cut
and joined, losses concealed, silence filled with comfort noise when the sender describes one, and a frame is
cut or repeated when the delay is to change. G.711 stays as it is, byte for byte: samples are looked at only
where something is missing. Other codecs are decoded, by a decoder that is made with the first packet.

A pure relay does not pass through here: it adds no delay.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.conceal import MAX_SAMPLES, Concealer
from sipcc.rtp.flow import CodecName, Law
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, SILENCE_BYTE
from sipcc.rtp.jitter import MAX_DELAY_S, JitterBuffer, Piece
from sipcc.rtp.stats import Playout
from sipcc.rtp.transit import MARGIN_S

if TYPE_CHECKING:
    from sipcc.rtp.codec.base import Decoder
    from sipcc.rtp.codec.noise import NoiseMaker

Frame = bytes | Pcm

QUIET_RMS = 100.0
"""-44 dBm0: a frame below this may be cut or repeated unheard."""
PATIENCE_S = 3.0
"""So long a frame that need not be is waited with for silence; then one is blended away in speech."""
HASTE_S = 0.4
"""The same for one frame more, since packets come late already."""
LONG_DELAY_S = 0.070
"""With more delay than this nobody waits for silence."""

MAX_DELAY_MS = round(MAX_DELAY_S * 1000)

_NOTHING = np.zeros(0, dtype=np.int16)
_RISING = ((np.arange(FRAME_SAMPLES) + 0.5) / FRAME_SAMPLES).astype(np.float32)


class Ear:
    """The receiving end of one leg's audio."""

    __slots__ = (
        "_as_sent",
        "_buffer",
        "_codec",
        "_concealed",
        "_concealer",
        "_decoder",
        "_law",
        "_lost",
        "_noise",
        "_pending",
        "_plain",
        "_rate",
        "_ratio",
        "_recent",
        "bare",
        "hole",
        "put",
    )

    def __init__(self) -> None:
        self._buffer = JitterBuffer()
        self.put = self._buffer.put
        """Take a packet: `put(ssrc, sequence, timestamp, marker, payload, *, now)`."""
        self._codec: CodecName = "PCMU"
        self._rate = SAMPLE_RATE_HZ
        self._ratio = 1
        self._law: Law | None = "PCMU"
        self._decoder: Decoder | None = None
        self._noise: NoiseMaker | None = None
        self._concealer: Concealer | None = None
        self._concealed = 0
        self._lost = 0
        self._pending: Frame = b""
        self._recent: deque[Frame] = deque(maxlen=3)
        self._plain = False
        self.hole: tuple[int, int] | None = None
        """From and to which sample the last frame is of what was lost,"""
        self.bare: Frame | None = None
        """and what it is without all that was made up or blended; None where nothing was."""
        self._as_sent: Frame | None = None

    def configure(self, codec: CodecName, clock_rate_hz: int = SAMPLE_RATE_HZ) -> None:
        """Set what the payloads are; a change drops what is queued in the old codec."""
        if (codec, clock_rate_hz) == (self._codec, self._rate):
            return
        self._codec, self._rate = codec, clock_rate_hz
        self._ratio = clock_rate_hz // SAMPLE_RATE_HZ
        self._decoder = None
        if codec == "PCMU" or codec == "PCMA":
            self._law = codec
            self._buffer.configure(clock_rate_hz, None)
        else:
            from sipcc.rtp.codec.base import units_of

            self._law = None
            self._buffer.configure(clock_rate_hz, partial(units_of, codec, clock_rate_hz))
        self.clear()

    def put_noise(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, *, now: float) -> None:
        """Take a packet of comfort noise (RFC 3389)."""
        self._buffer.put_noise(ssrc, sequence, timestamp, payload, now=now)

    def skip(self, sequence: int) -> None:
        """Note a packet that is no audio, such as a telephone event: it is not a loss."""
        self._buffer.skip(sequence)

    def clear(self) -> None:
        """Forget all that is queued, and what it would be joined to."""
        self._buffer.clear()
        self._recent.clear()
        self._pending = self._empty
        self._concealer = self._noise = None
        self._lost = 0
        self._plain = False

    def take(self, *, now: float) -> Frame | None:
        """The frame of the tick at `now`: bytes of a leg in G.711, else samples; None for nothing said."""
        if self._plain:
            payload = self._buffer.whole(now)
            if payload is not None:
                self._recent.append(payload)
                self.hole = self.bare = None
                return payload
        return self._take_slowly(now)

    def playout(self) -> Playout:
        """The figures, for reports and statistics."""
        return Playout(
            self.delay_ms, self.concealed_ms, self.late + self.discarded, self._buffer.plays, MAX_DELAY_MS
        )

    @property
    def delay_ms(self) -> float:
        """How long the buffer holds the packets that travel fastest."""
        return self._buffer.delay_s * 1000.0

    @property
    def spare_s(self) -> float:
        """By how much the delay is more than is needed; 0 while that is not known."""
        buffer = self._buffer
        return max(buffer.excess_s, 0.0) if buffer.plays and not buffer.want else 0.0

    @property
    def concealed_ms(self) -> int:
        """How much was made up in place of what was lost or late."""
        return self._concealed * 1000 // SAMPLE_RATE_HZ

    @property
    def late(self) -> int:
        """Packets that came too late to be played."""
        return self._buffer.late

    @property
    def discarded(self) -> int:
        """Packets that were dropped: too many, or of no honest length."""
        return self._buffer.discarded

    @property
    def resyncs(self) -> int:
        """How often the source changed, restarted or leapt."""
        return self._buffer.resyncs

    # -- the frame ----------------------------------------------------------------------------------------

    @property
    def _empty(self) -> Frame:
        return b"" if self._law else _NOTHING

    def _take_slowly(self, now: float) -> Frame | None:
        buffer = self._buffer
        self.hole = self.bare = None
        frame: Frame | None
        if not buffer.begin(now):
            frame = self._wait()
        else:
            want = 0 if self._concealer else buffer.want
            if want < 0:
                frame = self._cut(now)
            elif want > 0:
                frame = self._repeat(now)
            else:
                frame = self._gather()
            held = len(self._pending)
            buffer.end(now, held * self._ratio)
            self._plain = bool(self._law) and not held and not self._concealer and not self._noise
        if frame is None:
            self._recent.clear()
        else:
            self._recent.append(frame)
        return frame

    def _wait(self) -> Frame | None:
        """A frame while the first packets of a stream are gathered."""
        if self._noise is not None:
            return self._make_noise(FRAME_SAMPLES)
        if self._concealer is not None:
            self._lose()
            return self._conceal(FRAME_SAMPLES, b"", [])
        return None

    def _lose(self) -> None:
        """Nothing of this frame has come."""
        self.hole, self.bare = (0, FRAME_SAMPLES), self._silence(FRAME_SAMPLES)

    def _gather(self) -> Frame | None:
        """The next 160 samples of the line; None when there is nothing in them."""
        parts: list[Frame] = []
        bare: list[Frame] = []
        self.hole = self.bare = None
        have = len(self._pending)
        sounds = have > 0
        marred = False
        if have:
            parts.append(self._pending)
            bare.append(self._pending)
        while have < FRAME_SAMPLES:
            piece = self._buffer.advance((FRAME_SAMPLES - have) * self._ratio)
            if piece.kind == "lost":
                end = min(have + piece.units // self._ratio, FRAME_SAMPLES)
                self.hole = (self.hole[0] if self.hole is not None else have, end)
            self._as_sent = None
            samples = self._render(piece, parts)
            if samples is None:
                samples = self._silence(piece.units // self._ratio)
            else:
                sounds = True
            parts.append(samples)
            as_sent = self._silence(len(samples)) if piece.kind == "lost" else self._as_sent
            bare.append(samples if as_sent is None else as_sent)
            marred = marred or as_sent is not None
            have += len(samples)
        if marred:
            self.bare = self._join(bare)[:FRAME_SAMPLES]
        joined = self._join(parts)
        self._pending = joined[FRAME_SAMPLES:]
        return joined[:FRAME_SAMPLES] if sounds else None

    def _render(self, piece: Piece, parts: list[Frame]) -> Frame | None:
        """The samples of a piece, of which `parts` came before in this frame; None for silence."""
        count = piece.units // self._ratio
        match piece.kind:
            case "audio":
                samples = self._open(piece, count)
                if samples is not None:
                    return samples
                return self._conceal(count - piece.skip // self._ratio, b"", parts)
            case "noise":
                from sipcc.rtp.codec.noise import NoiseMaker

                if self._noise is None:
                    self._noise = NoiseMaker(piece.payload)
                else:
                    self._noise.put(piece.payload)
                self._concealer = None
                return self._empty
            case "lost" if self._noise is None:
                return self._conceal(count, piece.payload, parts)
            case _:
                return self._make_noise(count) if self._noise is not None else None

    def _open(self, piece: Piece, count: int) -> Frame | None:
        """The samples of a packet; None when it cannot be decoded."""
        law = self._law
        samples: Frame
        if law:
            samples = piece.payload[piece.skip :]
            if self._concealer is not None:
                self._as_sent = samples
                samples = g711.encode(self._concealer.rejoin(g711.decode(samples, law)), law)
        else:
            decoded = self._decode(piece.payload)
            if not len(decoded):
                return None
            if len(decoded) < count:
                decoded = np.append(decoded, np.zeros(count - len(decoded), dtype=np.int16))
            samples = decoded[piece.skip // self._ratio : count]
            if self._concealer is not None:
                self._as_sent = samples
                samples = self._concealer.rejoin(samples)
        self._concealer = self._noise = None
        self._lost = 0
        return samples

    def _decode(self, payload: bytes) -> Pcm:
        if self._decoder is None:
            from sipcc.rtp.codec.base import make_decoder

            self._decoder = make_decoder(self._codec, self._rate)
        return self._decoder.decode(payload)

    def _conceal(self, count: int, following: bytes, parts: list[Frame]) -> Frame | None:
        """`count` samples in place of what was lost; None when they are silence."""
        if self._lost >= MAX_SAMPLES and not following:
            return None
        if self._decoder is not None and self._concealer is None:
            own = self._decoder.conceal(count, following or None)
            if own is not None:
                self._lost += count
                self._concealed += count
                return own
        if self._concealer is None:
            history = [*self._recent, *parts]
            if not any(len(part) for part in history):
                return None
            self._concealer = Concealer(self._samples(self._join(history)))
        if self._concealer.spent:
            return None
        self._lost += count
        self._concealed += count
        return self._coded(self._concealer.fill(count))

    # -- shorter and longer -------------------------------------------------------------------------------

    def _cut(self, now: float) -> Frame | None:
        """A frame, with the one before it left out if that is quiet, or if it was waited for long enough."""
        buffer = self._buffer
        haste = buffer.delay_s > LONG_DELAY_S
        frame = self._gather()
        if buffer.queued < FRAME_SAMPLES * self._ratio and frame is not None:
            return frame
        quiet = frame is None or self._is_quiet(frame)
        if not quiet and not haste and now - buffer.wanted_at < PATIENCE_S:
            return frame
        second = self._gather()
        buffer.adjusted(now)
        if quiet or frame is None or second is None:
            return second
        blend = self._samples(frame) * (1.0 - _RISING) + self._samples(second) * _RISING
        return self._coded(np.rint(blend).astype(np.int16))

    def _repeat(self, now: float) -> Frame | None:
        """The last frame once more if it is quiet, or one made up if it was waited for long enough."""
        buffer = self._buffer
        last = self._recent[-1] if self._recent else None
        if last is None or self._is_quiet(last):
            buffer.adjusted(now)
            return last
        patience = HASTE_S if buffer.excess_s < -MARGIN_S / 2 else PATIENCE_S
        if now - buffer.wanted_at < patience:
            return self._gather()
        buffer.adjusted(now)
        self._lose()
        return self._conceal(FRAME_SAMPLES, b"", [])

    def _is_quiet(self, frame: Frame) -> bool:
        wave = self._samples(frame).astype(np.float32)
        return float(wave @ wave) < QUIET_RMS * QUIET_RMS * len(wave)

    # -- bytes or samples ---------------------------------------------------------------------------------

    def _samples(self, frame: Frame) -> Pcm:
        if isinstance(frame, bytes):
            return g711.decode(frame, self._law or "PCMU")
        return frame

    def _coded(self, pcm: Pcm) -> Frame:
        return g711.encode(pcm, self._law) if self._law else pcm

    def _join(self, parts: list[Frame]) -> Frame:
        if len(parts) == 1:
            return parts[0]
        if self._law:
            return b"".join(cast("list[bytes]", parts))
        return np.concatenate(cast("list[Pcm]", parts))

    def _silence(self, count: int) -> Frame:
        if self._law:
            return bytes([SILENCE_BYTE[self._law]]) * count
        return np.zeros(count, dtype=np.int16)

    def _make_noise(self, count: int) -> Frame:
        assert self._noise is not None
        return self._coded(self._noise.take(count))
