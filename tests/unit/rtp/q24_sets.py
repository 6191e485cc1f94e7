"""Signals for key detectors, made by code: what ITU-T Q.24 says must work, and what must not.

Every set is a batch of rows (rows, samples) of int16 at 8 kHz, one key each unless said, and the key of each
row. Where a tone begins differs from row to row by less than a frame, so that no grid is favoured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec import g711
from sipcc.rtp.codec.base import make_decoder, make_encoder
from sipcc.rtp.flow import CodecName
from sipcc.rtp.inband import ToneBank, ToneBegan, ToneEnded, ToneEvent
from sipcc.rtp.tones import HIGH_HZ, KEYPAD, LOW_HZ

Pcm = npt.NDArray[np.int16]
Wave = npt.NDArray[np.float64]
RATE = 8000
LEAD = 400
"""Samples of silence before the first row's tone."""
STEP = 23
"""How much later each row begins than the one before, modulo a frame."""


def amplitude(dbm0: float) -> float:
    """Peak of a sine of `dbm0`."""
    return float(32768.0 * 10 ** ((dbm0 - 3.14) / 20))


def key_wave(
    key: str, ms: float, *, low_dbm: float = -9.0, high_dbm: float = -7.0, off: tuple[float, float] = (0, 0)
) -> Wave:
    """The two tones of a key, cut off hard; `off` is how far each is off its frequency, as a share."""
    index = KEYPAD.index(key)
    times = np.arange(round(ms * RATE / 1000)) / RATE
    low, high = LOW_HZ[index // 4] * (1 + off[0]), HIGH_HZ[index % 4] * (1 + off[1])
    return amplitude(low_dbm) * np.sin(2 * np.pi * low * times + 0.3 * index) + amplitude(high_dbm) * np.sin(
        2 * np.pi * high * times + 1.1 * index
    )


def rows_of(make: Callable[[str], Wave], *, times: int = 2, tail: int = 1200) -> tuple[Wave, list[str]]:
    """All keys, `times` each, begun at different places of the frame."""
    keys = [key for _ in range(times) for key in KEYPAD]
    waves = [make(key) for key in keys]
    length = LEAD + 160 + max(map(len, waves)) + tail
    batch = np.zeros((len(keys), length - length % 160))
    for row, wave in enumerate(waves):
        start = start_of(row)
        batch[row, start : start + len(wave)] = wave
    return batch, keys


def start_of(row: int) -> int:
    """Where the tone of a row begins."""
    return LEAD + (STEP * row) % 160


def to_pcm(batch: Wave) -> Pcm:
    """As a line carries it: what is too loud is cut."""
    return np.clip(np.rint(batch), -32768, 32767).astype(np.int16)


def with_noise(batch: Wave, *, snr_db: float, seed: int = 1, power_of: Wave | None = None) -> Wave:
    """White noise, `snr_db` under the power of the tones."""
    source = batch if power_of is None else power_of
    rows = []
    for row in source:
        loud = row[np.abs(row) > 0]
        rows.append(np.sqrt(np.mean(loud**2)) if len(loud) else 0.0)
    noise = np.random.default_rng(seed).standard_normal(batch.shape)
    return batch + noise * np.array(rows)[:, None] * 10 ** (-snr_db / 20)


def through_law(pcm: Pcm, law: str) -> Pcm:
    """Coded and decoded."""
    coded = g711.ENCODER[law].take(pcm.view(np.uint16))  # type: ignore[index]
    return g711.DECODER[law].take(coded)  # type: ignore[index]


def through_codec(pcm: Pcm, name: CodecName, clock_rate_hz: int, fmtp: str = "") -> Pcm:
    """Coded and decoded frame by frame, with one codec for each row."""
    rows = []
    for row in pcm:
        encoder, decoder = make_encoder(name, clock_rate_hz, fmtp), make_decoder(name, clock_rate_hz)
        frames = [row[start : start + 160] for start in range(0, len(row) - 159, 160)]
        rows.append(np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames]))
    return np.array(rows)


def listen(pcm: Pcm) -> list[list[tuple[int, ToneEvent]]]:
    """Let a bank hear all rows frame by frame; per row (samples heard, event)."""
    bank = ToneBank()
    slots = [bank.add() for _ in range(len(pcm))]
    for slot in slots:
        bank.listen_for_fax(slot, True)
    row_of = {slot: row for row, slot in enumerate(slots)}
    heard: list[list[tuple[int, ToneEvent]]] = [[] for _ in slots]
    for start in range(0, pcm.shape[1] - 159, 160):
        for event in bank.hear(slots, pcm[:, start : start + 160]):
            heard[row_of[event.slot]].append((start + 160, event))
    return heard


def names(events: list[tuple[int, ToneEvent]]) -> str:
    """The keys and tones that began, fax tones as ``<CNG>``."""
    found = [event.name for _, event in events if isinstance(event, ToneBegan)]
    return "".join(name if len(name) == 1 else f"<{name}>" for name in found)


def durations(events: list[tuple[int, ToneEvent]]) -> list[int]:
    """How long each lasted, in ms."""
    return [event.duration_ms for _, event in events if isinstance(event, ToneEnded)]
