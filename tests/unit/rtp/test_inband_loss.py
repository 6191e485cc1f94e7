"""Bursts of keys in the sound, 50 ms on and 50 ms off, of which packets are lost.

``SIPCC_LOSSY_BURSTS`` says how many bursts are typed at 5 % loss.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection

import numpy as np
import pytest
from tests.unit.rtp.q24_sets import key_wave, to_pcm

from sipcc.rtp.codec import g711
from sipcc.rtp.ear import Ear
from sipcc.rtp.inband import ToneBank, ToneBegan
from sipcc.rtp.tones import KEYPAD
from sipcc.rtp.voice import decode_rows

BURSTS = int(os.environ.get("SIPCC_LOSSY_BURSTS", "60"))
ON_MS, LEAD_MS, PACKET_MS = 50, 200, 20
ENOUGH_MS = 26
"""So much of a key in one piece, or of both pieces about a hole, is always enough."""


def burst(keys: str, shift_ms: float, on_ms: int = ON_MS) -> np.ndarray:
    """A burst that begins `shift_ms` after the beginning of a packet."""
    parts = [np.zeros(round((LEAD_MS + shift_ms) * 8))]
    for key in keys:
        parts += [key_wave(key, on_ms), np.zeros(ON_MS * 8)]
    wave = np.concatenate([*parts, np.zeros(2400)])
    return to_pcm(wave[: len(wave) // 160 * 160])


def heard(pcm: np.ndarray, lost: Collection[int]) -> str:
    """The keys that are heard when packets of these numbers are lost."""
    ear, bank = Ear(), ToneBank()
    slot, keys = bank.add(), ""
    for number in range(len(pcm) // 160 + 3):
        now = number * 0.02
        frame = pcm[number * 160 : number * 160 + 160]
        if number not in lost and len(frame) == 160:
            ear.put(7, number, number * 160, number == 0, g711.encode(frame, "PCMU"), now=now)
        said = ear.take(now=now + 0.001)
        said = said if ear.bare is None else ear.bare
        row = np.zeros((1, 160), dtype=np.int16)
        decode_rows([(0, said, "PCMU")] if said is not None else [], row)
        holes = {} if ear.hole is None else {0: ear.hole}
        for event in bank.hear([slot], row, holes):
            keys += event.name if isinstance(event, ToneBegan) else ""
    return keys


def left_ms(begin_ms: float, end_ms: float, lost: Collection[int]) -> list[float]:
    """The stretches between two times that were not lost."""
    edges = [begin_ms]
    for number in sorted(lost):
        edges += [min(max(edge, begin_ms), end_ms) for edge in (number * PACKET_MS, (number + 1) * PACKET_MS)]
    edges.append(end_ms)
    return [stop - start for start, stop in zip(edges[::2], edges[1::2], strict=True) if stop > start]


def is_decidable(keys: str, shift_ms: float, lost: Collection[int]) -> bool:
    """Whether enough of each key is left, and of each pause between two equal ones."""
    at = LEAD_MS + shift_ms
    for index, key in enumerate(keys):
        if sum(left_ms(at, at + ON_MS, lost)) < ENOUGH_MS:
            return False
        pause = sum(left_ms(at + ON_MS, at + 2 * ON_MS, lost))
        if keys[index + 1 : index + 2] == key and pause < ENOUGH_MS and index == 0:
            return False
        at += 2 * ON_MS
    return True


@pytest.mark.parametrize("keys", ["159D", "5555"])
@pytest.mark.parametrize("shift_ms", [0, 4, 7, 10, 13, 17])
def test_one_lost_packet_anywhere_changes_no_key(keys: str, shift_ms: int) -> None:
    pcm = burst(keys, shift_ms)
    for number in range(LEAD_MS // PACKET_MS - 1, (LEAD_MS + 500) // PACKET_MS):
        assert heard(pcm, {number}) == keys, number


@pytest.mark.parametrize("shift_ms", [0, 7, 13])
def test_two_in_a_row_that_hide_a_pause_are_judged_by_the_length_of_the_keys_before(shift_ms: int) -> None:
    keys = "1555"
    pcm = burst(keys, shift_ms)
    for number in range(LEAD_MS // PACKET_MS, (LEAD_MS + 400) // PACKET_MS):
        lost = {number, number + 1}
        if is_decidable(keys, shift_ms, lost):
            assert heard(pcm, lost) == keys, number


def test_a_long_key_is_one_key_whatever_two_packets_are_lost() -> None:
    for shift_ms in (0, 7, 13):
        pcm = burst("5", shift_ms, on_ms=200)
        for number in range(8, 22):
            assert heard(pcm, {number, number + 1}) == "5", number


@pytest.mark.timeout(600)
def test_bursts_at_5_percent_loss_are_read_as_typed_where_that_can_be_decided() -> None:
    wrong, undecided = [], 0
    for seed in range(BURSTS):
        chance = random.Random(seed)
        keys = "".join(chance.choice(KEYPAD) for _ in range(10))
        shift_ms = chance.uniform(0, 20)
        pcm = burst(keys, shift_ms)
        lost = {number for number in range(1, len(pcm) // 160) if chance.random() < 0.05}
        if heard(pcm, lost) == keys:
            continue
        if is_decidable(keys, shift_ms, lost):
            wrong.append(seed)
        else:
            undecided += 1
    assert wrong == []
    assert undecided <= BURSTS // 20
