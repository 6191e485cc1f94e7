"""G.729 decoded for recording and mixing; we have no encoder, so it is only ever passed on.

A payload is any number of frames of 10 bytes for 10 ms, at its end perhaps a silence descriptor of 2 bytes
(Annex B; RFC 3551 §4.5.6). libav decodes; a descriptor, which it does not know, is silence here.
"""

from __future__ import annotations

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.formats import MAX_PAYLOAD_MS

_FRAME_BYTES = 10
_FRAME_SAMPLES = 80
_DESCRIPTOR_BYTES = 2
_ERASED = bytes(_FRAME_BYTES)  # libav takes a frame of zeros for a lost one and conceals it (§4.4)

_NONE: Pcm = np.zeros(0, np.int16)


def units_of(payload: bytes) -> int:
    """80 units for each frame; 0 for a payload that is not of frames."""
    frames, rest = divmod(len(payload), _FRAME_BYTES)
    if rest not in {0, _DESCRIPTOR_BYTES}:
        return 0
    units = (frames + (rest > 0)) * _FRAME_SAMPLES
    return units if units <= MAX_PAYLOAD_MS * 8 else 0


class G729Decoder:
    """8 kbit/s to samples at 8 kHz."""

    __slots__ = ("_codec",)

    def __init__(self) -> None:
        codec = av.CodecContext.create("g729", "r")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate = 8000
        codec.layout = "mono"
        codec.thread_count = 1
        self._codec = codec

    def decode(self, payload: bytes) -> Pcm:
        """80 samples for each frame."""
        units = units_of(payload)
        whole = len(payload) // _FRAME_BYTES * _FRAME_BYTES
        pcm = self._run(bytes(payload[:whole])) if units and whole else _NONE
        if len(pcm) == units:
            return pcm
        return np.concatenate((pcm, np.zeros(units - len(pcm), np.int16)))

    def conceal(self, samples: int, following: bytes | None) -> Pcm | None:
        """What the decoder makes of erased frames (§4.4)."""
        if not 0 < samples <= MAX_PAYLOAD_MS * 8:
            return None
        pcm = self._run(_ERASED * -(-samples // _FRAME_SAMPLES))
        return pcm[:samples] if len(pcm) >= samples else None

    def units_of(self, payload: bytes) -> int:
        """80 units for each frame."""
        return units_of(payload)

    def _run(self, frames: bytes) -> Pcm:
        try:
            decoded = self._codec.decode(av.Packet(frames))
        except av.FFmpegError:
            return _NONE
        if not decoded:
            return _NONE
        return np.concatenate([frame.to_ndarray()[0] for frame in decoded]).astype(np.int16, copy=False)
