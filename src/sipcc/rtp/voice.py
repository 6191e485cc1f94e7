"""What a leg hears, coded and cut into packets of the length that its peer asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.base import Encoder, make_encoder
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.flow import CodecName, Law
from sipcc.rtp.formats import COMPLEXITY, spec
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ, law_of, samples_of_ms

SILENCE: Pcm = np.zeros(0, dtype=np.int16)


def samples_of(frame: bytes | Pcm | None, law: Law | None) -> Pcm:
    """The samples of a frame, of which bytes are in `law`; none for None."""
    if frame is None:
        return SILENCE
    return g711.decode(frame, law or "PCMU") if isinstance(frame, bytes) else frame


def decode_rows(
    frames: Sequence[tuple[int, bytes | Pcm, Law | None]], out: npt.NDArray[np.int16] | npt.NDArray[np.int32]
) -> None:
    """Put frames, as (row, frame, law of its bytes), into rows of `out`; a law is decoded in one go."""
    coded: dict[Law, tuple[list[int], list[bytes]]] = {"PCMU": ([], []), "PCMA": ([], [])}
    for row, frame, law in frames:
        if isinstance(frame, bytes):
            rows, payloads = coded[law or "PCMU"]
            rows.append(row)
            payloads.append(frame)
        else:
            out[row] = frame
    for law, (rows, payloads) in coded.items():
        if rows:
            matrix = np.frombuffer(b"".join(payloads), dtype=np.uint8).reshape(len(rows), FRAME_SAMPLES)
            out[rows] = g711.DECODER[law].take(matrix)


RAMP = np.arange(40, 0, -1, dtype=np.int32)
"""5 ms over which a step in the wave is spread."""


def join_to(last: bytes, payload: bytes, law: Law) -> bytes:
    """`payload` without the step, and so the click, from the end of `last` to its beginning.

    Both are in `law`; an empty `last` is silence.
    """
    pcm = g711.decode(payload, law).astype(np.int32)
    step = (int(g711.decode(last[-1:], law)[0]) if last else 0) - int(pcm[0])
    pcm[: len(RAMP)] += step * RAMP[: len(pcm)] // len(RAMP)
    return g711.encode(np.clip(pcm, -32768, 32767).astype(np.int16), law)


class Voice:
    """The packets of one leg: give it frames of 20 ms, take packets."""

    def __init__(
        self,
        codec: CodecName,
        clock_rate_hz: int,
        *,
        fmtp: str = "",
        ptime_ms: int = 20,
        complexity: int = COMPLEXITY,
    ) -> None:
        """`fmtp` is what the peer says of the codec. A codec that cannot be coded makes no packets."""
        self.law = law_of(codec)
        known = spec(codec, clock_rate_hz)
        packet_ms = known.packet_ms(ptime_ms)
        self.samples = samples_of_ms(packet_ms)
        """Samples of 8 kHz in each packet."""
        self.units = self.samples * clock_rate_hz // SAMPLE_RATE_HZ
        """How far the RTP timestamp moves with each packet."""
        self._encoder: Encoder | None = None
        if self.law is None and known.encodes:
            self._encoder = make_encoder(codec, clock_rate_hz, fmtp, packet_ms, complexity)
        self.rest = b""
        """What waits to fill a packet of G.711."""
        self._pcm = SILENCE

    @property
    def waiting(self) -> int:
        """Samples that wait to fill a packet."""
        return len(self.rest) or len(self._pcm)

    def carry_on(self, before: Voice) -> None:
        """Take what waits in `before`: who asks for packets of another length misses nothing."""
        if before.law is self.law:
            self.rest, self._pcm = before.rest, before._pcm

    def push(self, frame: bytes | Pcm) -> list[bytes]:
        """Take a frame, as bytes in the leg's own law or as samples; returns the packets that are full."""
        if self.law is None:
            return self._push_samples(samples_of(frame, None))
        waiting = self.rest + (frame if isinstance(frame, bytes) else g711.encode(frame, self.law))
        size = self.samples
        packets = [waiting[start : start + size] for start in range(0, len(waiting) - size + 1, size)]
        self.rest = waiting[size * len(packets) :]
        return packets

    def _push_samples(self, frame: Pcm) -> list[bytes]:
        if self._encoder is None:
            return []
        size = self.samples
        waiting = np.concatenate([self._pcm, frame]) if len(self._pcm) else frame
        packets = [
            self._encoder.encode(waiting[start : start + size])
            for start in range(0, len(waiting) - size + 1, size)
        ]
        self._pcm = waiting[size * len(packets) :]
        return packets

    def clear(self) -> None:
        """Drop what waits to fill a packet."""
        self.rest = b""
        self._pcm = self._pcm[:0]
