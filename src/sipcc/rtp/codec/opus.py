"""Opus by libopus, decoded straight to 8 kHz mono and coded from it (RFC 6716, RFC 7587).

libopus decodes any packet, stereo and fullband too, to the rate and channels of its decoder, at about a
fifth of the cost of 48 kHz and without a resampler of ours. What we send is narrowband speech.
"""

from __future__ import annotations

import ctypes

import numpy as np

from sipcc.rtp.codec import libopus
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.toc import units_of
from sipcc.rtp.formats import COMPLEXITY, MAX_PAYLOAD_MS

RATE_HZ = 8000
_MAX_SAMPLES = 960  # 120 ms
_MAX_BYTES = 1275  # of one frame (RFC 6716 §3.2.1); ours have one
_STEP = 20  # 2.5 ms: concealment is made in steps of it

BIT_RATE = 24000
"""What we send at most: narrowband speech of full quality with room for its in-band copies (RFC 7587 §3.1.1
puts speech at 8 to 12 kbit/s for narrowband)."""
_LEAST_BIT_RATE = 6000

EXPECTED_LOSS_PERCENT = 10
"""The loss that in-band copies are made for: without an expectation the encoder makes none."""

_NONE: Pcm = np.zeros(0, np.int16)


class OpusDecoder:
    """Packets of one stream to samples at 8 kHz."""

    __slots__ = ("_decode", "_out", "_out_at", "_state", "_state_at")

    def __init__(self) -> None:
        library = libopus.load()
        self._state = ctypes.create_string_buffer(library.opus_decoder_get_size(1))
        self._state_at = ctypes.addressof(self._state)
        self._decode = library.opus_decode
        self._out: Pcm = np.empty(_MAX_SAMPLES, np.int16)
        self._out_at = self._out.ctypes.data
        library.opus_decoder_init(self._state_at, RATE_HZ, 1)

    def decode(self, payload: bytes) -> Pcm:
        """Samples of one packet; none for one that libopus refuses."""
        return self._run(payload, _MAX_SAMPLES) if units_of(payload) else _NONE

    def conceal(self, samples: int, following: bytes | None) -> Pcm | None:
        """What was lost, guessed from the past and, for its end, from the copy that `following` may hold."""
        wanted = -(-samples // _STEP) * _STEP
        if not 0 < wanted <= MAX_PAYLOAD_MS * 8:
            return None
        parts = []
        for left in range(wanted, 0, -_MAX_SAMPLES):
            # libopus itself guesses what comes before the copy, or all when there is no copy after all
            copied = following if left <= _MAX_SAMPLES and following and units_of(following) else None
            parts.append(self._run(copied, min(left, _MAX_SAMPLES), copy=True))
        pcm = np.concatenate(parts)
        return pcm[:samples] if len(pcm) == wanted else None

    def units_of(self, payload: bytes) -> int:
        """Units of 48 kHz by the first bytes of the packet."""
        return units_of(payload)

    def _run(self, payload: bytes | None, samples: int, *, copy: bool = False) -> Pcm:
        """At most `samples` samples of a packet, or of the copy in it of the one before; None is a guess."""
        data = b"" if payload is None else bytes(payload)
        copied = int(copy and bool(data))
        count = self._decode(self._state_at, data or None, len(data), self._out_at, samples, copied)
        return self._out[:count].copy() if count > 0 else _NONE


class OpusEncoder:
    """Samples at 8 kHz to packets.

    Of the peer's parameters (RFC 7587 §6.1) these count: ``useinbandfec=1`` adds copies of each frame to the
    next packet, ``maxaveragebitrate`` is kept, ``cbr=1`` too, and ``usedtx=1`` lets silence go unsent.
    """

    __slots__ = ("_encode", "_library", "_out", "_state", "_state_at")

    def __init__(self, fmtp: str = "", *, complexity: int = COMPLEXITY) -> None:
        library = self._library = libopus.load()
        self._state = ctypes.create_string_buffer(library.opus_encoder_get_size(1))
        self._state_at = ctypes.addressof(self._state)
        self._encode = library.opus_encode
        self._out = ctypes.create_string_buffer(_MAX_BYTES)
        library.opus_encoder_init(self._state_at, RATE_HZ, 1, libopus.APPLICATION_VOIP)
        wishes = parameters(fmtp)
        limit = wishes.get("maxaveragebitrate", "")
        bit_rate = min(BIT_RATE, int(limit)) if limit.isdecimal() and len(limit) < 8 else BIT_RATE
        self._set(libopus.SET_BITRATE, max(bit_rate, _LEAST_BIT_RATE))
        self._set(libopus.SET_VBR, int(wishes.get("cbr") != "1"))
        self._set(libopus.SET_COMPLEXITY, min(max(complexity, 0), 10))
        self._set(libopus.SET_SIGNAL, libopus.SIGNAL_VOICE)
        self._set(libopus.SET_DTX, int(wishes.get("usedtx") == "1"))
        if wishes.get("useinbandfec") == "1":
            self._set(libopus.SET_INBAND_FEC, 1)
            self.expect_loss(EXPECTED_LOSS_PERCENT)

    def encode(self, pcm: Pcm) -> bytes:
        """One packet of 10, 20, 40 or 60 ms; nothing for silence that need not be sent."""
        samples = np.ascontiguousarray(pcm, np.int16)
        size = self._encode(self._state_at, samples.ctypes.data, len(samples), self._out, _MAX_BYTES)
        # "2 bytes or less" need not be sent, says opus_encode of DTX
        return ctypes.string_at(self._out, size) if size > 2 else b""

    def expect_loss(self, percent: int) -> None:
        """How much of what we send gets lost, as the peer reports it: more copies for more loss."""
        self._set(libopus.SET_PACKET_LOSS_PERC, min(max(percent, 0), 100))

    def _set(self, request: int, value: int) -> None:
        self._library.opus_encoder_ctl(self._state_at, request, ctypes.c_int32(value))


def parameters(fmtp: str) -> dict[str, str]:
    """The parameters of an fmtp line, by their names in small letters."""
    pairs = (part.partition("=") for part in fmtp.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}
