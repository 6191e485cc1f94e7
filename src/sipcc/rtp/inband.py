"""Keys and fax tones within the audio, found for all legs of one tick at once.

Each frame of 160 samples brings two blocks of 128, one every 10 ms. One product of matrices gives the power
of all ten tones in all blocks of all legs; only blocks in which a row and a column of the key pad stand out
are looked at further: twist, relative peaks, share of the energy, second harmonics, and how far each tone
is off its frequency, told by the turn of its phase since the block before. A speaking voice passes a block
now and then, but not `HITS` in a row.

How long a tone must last follows from the blocks: one counts when 60 % of it are tone, so 40 ms make three
blocks or more wherever they lie, and 23 ms two at most (ITU-T Q.24). Four blocks without end a key, so a
hole of 10 ms does not, and a pause of 40 ms does. What `sipcc.rtp.keyear` is told was lost is judged there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.frame import FRAME_SAMPLES, SAMPLE_RATE_HZ
from sipcc.rtp.keyear import BLOCK, HOP, KeyEar
from sipcc.rtp.tones import HIGH_HZ, KEYPAD, LOW_HZ

CNG_HZ = 1100.0
CED_HZ = 2100.0

FAX_HITS = 40
"""Blocks of a fax tone that make one: 0.4 s of the 0.5 s that CNG sounds (T.30 §4.2)."""
FAX_MISSES = 4
"""Blocks without that end one: ANSam turns its phase each 0.45 s, which spoils two."""

_TAIL = BLOCK - HOP
_MARGIN = 48
"""How far before the first block that passed, and behind the last, the tone may reach, in samples."""
_FLOOR_DBM0 = -34.0  # per tone: what must work ends at -25, less 2.3 dB of a tone 1.5 % off, and noise
_FULL_SCALE = 32768.0
_HEADROOM_DB = 3.14
_FLOOR = np.float32(BLOCK * _FULL_SCALE**2 / 2 * 10 ** ((_FLOOR_DBM0 - _HEADROOM_DB) / 10))
# 4 and 8 dB must work. Wider limits, or a share that forgives tones off their frequency, let through pairs
# of flutes that happen to play a key.
_TWIST_HIGH = np.float32(10 ** (5.5 / 10))  # high group stronger
_TWIST_LOW = np.float32(10 ** (9.5 / 10))  # low group stronger
_PEAK = np.float32(10 ** (6.5 / 10))
_SHARE = np.float32(0.6)
_HOLED = np.float32(0.5)  # the same of a block about a hole: two of them must do for a key
_GLANCE = np.float32(0.3)  # share below which a block is not looked at: a dial tone may hold the rest
_HARMONIC = np.float32(0.3)
_OFF_TUNE = np.float32(0.025)  # of the frequency: 1.5 % must work, 3.5 % must not
_FAX_SHARE = np.float32(0.8)
_FAX_GLANCE = np.float32(0.18)  # of a tone 38 Hz off (T.30 §4.2) a block shows no more than 24 %
_FAX_OFF_HZ = 42.0

_TONES_HZ = (*LOW_HZ, *HIGH_HZ, CNG_HZ, CED_HZ)
_DIAL_HZ = (350.0, 400.0, 440.0)
_CHECKS_HZ = (*(2 * tone for tone in (*LOW_HZ, *HIGH_HZ)), *_DIAL_HZ)
_CNG, _CED = 8, 9

Floats = npt.NDArray[np.float32]
Hole = tuple[int, int]
_Ints = npt.NDArray[np.intp]


def _basis(frequencies_hz: Sequence[float]) -> Floats:
    """Cosines, then sines, scaled so that c² + s² is the energy that a tone has in a block."""
    angles = 2 * np.pi * np.outer(np.arange(BLOCK), frequencies_hz) / SAMPLE_RATE_HZ
    basis: Floats = (np.hstack([np.cos(angles), np.sin(angles)]) * np.sqrt(2 / BLOCK)).astype(np.float32)
    return basis


_BASIS = _basis(_TONES_HZ)
_CHECKS = _basis(_CHECKS_HZ)
_TURN = np.array([2 * np.pi * hz * HOP / SAMPLE_RATE_HZ for hz in _TONES_HZ], dtype=np.float32)
_MOST_TURN = np.array(
    [2 * np.pi * hz * float(_OFF_TUNE) * HOP / SAMPLE_RATE_HZ for hz in _TONES_HZ[:8]]
    + [2 * np.pi * _FAX_OFF_HZ * HOP / SAMPLE_RATE_HZ] * 2,
    dtype=np.float32,
)


class ToneBegan(msgspec.Struct, frozen=True):
    """A key went down, or a fax machine speaks; `name` is a key of `KEYPAD`, ``CNG`` or ``CED``."""

    slot: int
    name: str


class ToneEnded(msgspec.Struct, frozen=True):
    """Its end; exactly one per `ToneBegan`."""

    slot: int
    name: str
    duration_ms: int


ToneEvent = ToneBegan | ToneEnded


class _Ear:
    """What one leg's tones have come to. Places count the samples since the slot was added."""

    __slots__ = ("fax", "hole_from", "hole_to", "key", "place")

    def __init__(self) -> None:
        self.place = 0
        self.key = KeyEar()
        self.fax: _Fax | None = None
        self.hole_from = self.hole_to = -BLOCK
        """The last stretch of which nothing has come."""

    def lose(self, start: int, end: int) -> None:
        """Nothing has come from sample `start` to `end` of this frame."""
        if self.place + start != self.hole_to:
            self.hole_from = self.place + start
        self.hole_to = self.key.hole_to = self.place + end

    def is_blind(self, start: int) -> bool:
        """Whether a block overlaps that."""
        return start < self.hole_to and start + BLOCK > self.hole_from


class _Fax:
    __slots__ = ("code", "hits", "misses", "sounding")

    def __init__(self, code: int) -> None:
        self.code = code
        self.hits = 0
        self.misses = 0
        self.sounding = False


class ToneBank:
    """The ears of many legs. A leg has a slot from `add` to `remove`; both may be called at any time.

    `hear` is told once per tick of 20 ms what the legs say; a leg that said nothing is given silence, so
    that its keys end.
    """

    def __init__(self, capacity: int = 64) -> None:
        self._tails: Floats = np.zeros((capacity, _TAIL), dtype=np.float32)
        self._before: Floats = np.zeros((capacity, 2 * len(_TONES_HZ)), dtype=np.float32)
        self._alert: npt.NDArray[np.bool_] = np.zeros(capacity, dtype=np.bool_)
        self._faxes: npt.NDArray[np.bool_] = np.zeros(capacity, dtype=np.bool_)
        self._ears: list[_Ear | None] = [None] * capacity
        self._holed: set[int] = set()
        """Slots of which a frame was lost of late."""
        self._free = list(range(capacity - 1, -1, -1))
        self._room: Floats = np.zeros((0, FRAME_SAMPLES + _TAIL), dtype=np.float32)
        self._blocks: Floats = np.zeros((0, 2, BLOCK), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._ears) - len(self._free)

    def add(self) -> int:
        """A slot for a leg."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._tails[slot] = 0.0
        self._before[slot] = 0.0
        self._alert[slot] = self._faxes[slot] = False
        self._ears[slot] = _Ear()
        return slot

    def listen_for_fax(self, slot: int, on: bool) -> None:
        """Let fax tones in a slot be told too, or only keys."""
        self._faxes[slot] = on

    def remove(self, slot: int) -> list[ToneEvent]:
        """Give a slot back; the end of a key that sounds there."""
        ear = self._ears[slot]
        if ear is None:
            return []
        self._ears[slot] = None
        self._free.append(slot)
        key = ear.key
        return [ToneEnded(slot, KEYPAD[key.code], key.duration_ms)] if key.sounding else []

    def key(self, slot: int) -> str | None:
        """The key that sounds in a slot now."""
        ear = self._ears[slot]
        return KEYPAD[ear.key.code] if ear is not None and ear.key.sounding else None

    def stirs(self, slot: int) -> bool:
        """True while a key sounds in a slot, or something that may become one."""
        ear = self._ears[slot]
        return ear is not None and ear.key.code >= 0

    def span(self, slot: int, *, suspected: bool = False) -> tuple[int, int] | None:
        """From and to which sample of the slot the key reaches that sounds now, with a margin.

        With `suspected` also what may become a key, and what was too short for one.
        """
        ear = self._ears[slot]
        if ear is None:
            return None
        key = ear.key
        if suspected:
            last = key.last if key.fresh is None else key.fresh.last
            return (key.stirred - _MARGIN, last + _MARGIN) if last > 0 else None
        return (key.first - _MARGIN, key.last + _MARGIN) if key.sounding else None

    def place(self, slot: int) -> int:
        """Samples that a slot has heard."""
        ear = self._ears[slot]
        return ear.place if ear is not None else 0

    def hear(
        self, slots: Sequence[int], frames: Pcm, holes: Mapping[int, Hole] | None = None
    ) -> list[ToneEvent]:
        """Take one frame of each of `slots`, the rows of `frames` (n, 160); what began and ended.

        `holes` says by row from and to which sample of a frame nothing has come: there it is silent.
        """
        count = len(slots)
        if not count:
            return []
        for row, (start, end) in (holes or {}).items():
            if (ear := self._ears[slots[row]]) is not None:
                ear.lose(start, end)
                self._holed.add(slots[row])
        rows = np.asarray(slots, dtype=np.intp)
        blocks = self._cut(rows, frames)
        flat = blocks.reshape(2 * count, BLOCK)
        energy = np.einsum("ij,ij->i", flat, flat).reshape(count, 2)
        sums = (flat @ _BASIS).reshape(count, 2, -1)
        squares = sums * sums
        power = squares[:, :, : len(_TONES_HZ)] + squares[:, :, len(_TONES_HZ) :]
        low, high = power[:, :, :4].max(axis=2), power[:, :, 4:8].max(axis=2)
        keyed = (np.minimum(low, high) > _FLOOR) & (low + high > _GLANCE * energy)
        look = keyed.any(axis=1) | self._alert[rows]
        if (fax := self._faxes[rows]).any():
            faxed = (power[:, :, _CNG:].max(axis=2) > _FAX_GLANCE * energy) & (energy > _FLOOR)
            look |= faxed.any(axis=1) & fax
        events: list[ToneEvent] = []
        chosen = np.flatnonzero(look)
        if len(chosen):
            before = self._before[rows[chosen]]
            unsure = self._unsure(rows[chosen].tolist()) if self._holed else None
            seen = _Look(
                power[chosen], energy[chosen], sums[chosen], before, blocks[chosen], keyed[chosen], unsure
            )
            self._judge(rows[chosen].tolist(), seen.keys().tolist(), seen.faxes().tolist(), events)
        self._before[rows] = sums[:, 1]
        for slot in slots:
            ear = self._ears[slot]
            if ear is not None:
                ear.place += FRAME_SAMPLES
        return events

    def _unsure(self, slots: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Of which blocks (n, 2) it is not known how far the phase has turned: there is a hole in it."""
        unsure = np.zeros((len(slots), 2), dtype=np.bool_)
        for row, slot in enumerate(slots):
            if slot in self._holed and (ear := self._ears[slot]) is not None:
                start = ear.place - _TAIL
                before, first, second = (ear.is_blind(start + step * HOP) for step in (-1, 0, 1))
                unsure[row] = before or first, first or second
                if start > ear.hole_to + BLOCK:
                    self._holed.discard(slot)
        return unsure

    def _cut(self, rows: _Ints, frames: Pcm) -> Floats:
        """The two blocks of each row (n, 2, 128), and remember the tails."""
        count = len(rows)
        if count > len(self._room):
            self._room = np.zeros((2 * count, FRAME_SAMPLES + _TAIL), dtype=np.float32)
            self._blocks = np.zeros((2 * count, 2, BLOCK), dtype=np.float32)
        room, blocks = self._room[:count], self._blocks[:count]
        room[:, :_TAIL] = self._tails[rows]
        room[:, _TAIL:] = frames
        self._tails[rows] = room[:, FRAME_SAMPLES:]
        blocks[:, 0] = room[:, :BLOCK]
        blocks[:, 1] = room[:, HOP:]
        return blocks

    def _judge(
        self, slots: list[int], keys: list[list[int]], faxes: list[list[int]], events: list[ToneEvent]
    ) -> None:
        for slot, codes, fax_codes in zip(slots, keys, faxes, strict=True):
            ear = self._ears[slot]
            if ear is None:
                continue
            alert = False
            for index in (0, 1):
                start = ear.place - _TAIL + index * HOP
                alert = self._hear_key(slot, codes[index], start, events)
                ear = self._ears[slot]
                assert ear is not None
                alert |= self._hear_fax(slot, ear, fax_codes[index] if self._faxes[slot] else -1, events)
            self._alert[slot] = alert

    def _hear_key(self, slot: int, code: int, start: int, events: list[ToneEvent]) -> bool:
        ear = self._ears[slot]
        assert ear is not None
        key, blind = ear.key, code < 0 and ear.is_blind(start)
        if not blind and key.parts(code, start):
            key = ear.key = _next(slot, key, KeyEar(), events)
        alert = key.hear(code, start, blind=blind)
        if key.sounding and key.is_over:
            key = ear.key = _next(slot, key, key.fresh or KeyEar(), events)
            alert = key.code >= 0
        if not key.sounding and key.is_key:
            key.sounding = True
            events.append(ToneBegan(slot, KEYPAD[key.code]))
        return alert

    @staticmethod
    def _hear_fax(slot: int, ear: _Ear, code: int, events: list[ToneEvent]) -> bool:
        fax = ear.fax
        if fax is None:
            if code < 0:
                return False
            fax = ear.fax = _Fax(code)
        if code == fax.code:
            fax.hits += 1
            fax.misses = 0
        else:
            fax.misses += 1
        name = "CNG" if fax.code == _CNG else "CED"
        if fax.misses >= FAX_MISSES:
            ear.fax = None
            if fax.sounding:
                events.append(ToneEnded(slot, name, fax.hits * HOP * 1000 // SAMPLE_RATE_HZ))
            return False
        if not fax.sounding and fax.hits >= FAX_HITS:
            fax.sounding = True
            events.append(ToneBegan(slot, name))
        return True

    def _grow(self) -> None:
        old = len(self._ears)
        self._tails = np.vstack([self._tails, np.zeros_like(self._tails)])
        self._before = np.vstack([self._before, np.zeros_like(self._before)])
        self._alert = np.concatenate([self._alert, np.zeros_like(self._alert)])
        self._faxes = np.concatenate([self._faxes, np.zeros_like(self._faxes)])
        self._ears += [None] * old
        self._free = list(range(2 * old - 1, old - 1, -1))


def _next(slot: int, before: KeyEar, key: KeyEar, events: list[ToneEvent]) -> KeyEar:
    """The key before is over."""
    events.append(ToneEnded(slot, KEYPAD[before.code], before.duration_ms))
    key.follow(before)
    return key


class _Look:
    """The closer look at the blocks of a few legs, (n, 2) of them."""

    def __init__(
        self,
        power: Floats,
        energy: Floats,
        sums: Floats,
        before: Floats,
        blocks: Floats,
        keyed: npt.NDArray[np.bool_],
        unsure: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        count = len(_TONES_HZ)
        self._power, self._energy, self._keyed, self._blocks = power, energy, keyed, blocks
        waves = sums[:, :, :count] - 1j * sums[:, :, count:]
        ahead = np.empty_like(waves)
        ahead[:, 0] = before[:, :count] - 1j * before[:, count:]
        ahead[:, 1] = waves[:, 0]
        # The turn of the phase since the block before, less what the true frequency would have turned.
        turns = np.angle(waves * np.conj(ahead)) - _TURN
        self._turns: Floats = np.abs(np.remainder(turns + np.pi, 2 * np.pi) - np.pi)
        self._tuned: npt.NDArray[np.bool_] = self._turns <= _MOST_TURN
        # Nothing to compare with: the tone begins in this block.
        earlier = np.abs(ahead) ** 2
        self._new: npt.NDArray[np.bool_] = earlier < 0.1 * power
        if unsure is not None:
            self._new |= unsure[:, :, None]
        self._share: Floats | np.float32 = _SHARE if unsure is None else np.where(unsure, _HOLED, _SHARE)

    def keys(self) -> npt.NDArray[Any]:
        """The key of each block (n, 2), -1 for none."""
        power, energy = self._power, self._energy
        rows, columns = power[:, :, :4].argmax(axis=2), power[:, :, 4:8].argmax(axis=2)
        low = np.take_along_axis(power, rows[:, :, None], axis=2)[:, :, 0]
        high = np.take_along_axis(power, columns[:, :, None] + 4, axis=2)[:, :, 0]
        both = low + high
        checks = (self._blocks.reshape(-1, BLOCK) @ _CHECKS).reshape(*energy.shape, -1)
        checks *= checks
        extra = checks[:, :, : len(_CHECKS_HZ)] + checks[:, :, len(_CHECKS_HZ) :]
        harmonics = (
            np.take_along_axis(extra, rows[:, :, None], axis=2)[:, :, 0]
            + np.take_along_axis(extra, columns[:, :, None] + 4, axis=2)[:, :, 0]
        )
        dial = extra[:, :, 8:].max(axis=2)
        peaks = (power[:, :, :4] * _PEAK > low[:, :, None]).sum(axis=2) + (
            power[:, :, 4:8] * _PEAK > high[:, :, None]
        ).sum(axis=2)
        tuned = self._tuned | self._new
        good = (
            self._keyed
            & (high < low * _TWIST_HIGH)
            & (low < high * _TWIST_LOW)
            & (peaks == 2)
            & (both > self._share * (energy - dial))
            & (harmonics < _HARMONIC * both)
            & np.take_along_axis(tuned, rows[:, :, None], axis=2)[:, :, 0]
            & np.take_along_axis(tuned, columns[:, :, None] + 4, axis=2)[:, :, 0]
        )
        return np.where(good, rows * 4 + columns, -1)

    def faxes(self) -> npt.NDArray[Any]:
        """The fax tone of each block (n, 2) as its index among the tones, -1 for none."""
        power = self._power[:, :, _CNG:]
        best = power.argmax(axis=2)
        turn = np.take_along_axis(self._turns[:, :, _CNG:], best[:, :, None], axis=2)[:, :, 0]
        # What a block shows of a tone that is off by so much: turn / 2 pi is the cycles off in one hop.
        shown = np.sinc(turn * (BLOCK / HOP / (2 * np.pi))) ** 2
        loud = power.max(axis=2) > _FAX_SHARE * shown * self._energy
        tuned = np.take_along_axis(self._tuned[:, :, _CNG:], best[:, :, None], axis=2)[:, :, 0]
        return np.where(loud & tuned & (self._energy > _FLOOR), best + _CNG, -1)
