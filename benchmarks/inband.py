"""What does it cost to listen for keys and fax tones in the audio of a leg?

    python -m benchmarks.inband [--smoke] [--json FILE]

One `ToneBank` hears 1, 3, 25, 60 and 500 legs at once; 60 is what one phase of the clock holds with 600
calls. "speech" is noise shaped like a voice, in which a block now and then needs the closer look; "keys" is
a key on every leg all the time, the worst case. Microseconds per leg and frame of 20 ms, the best of several
runs; the floor of the same run only copies the frames of all legs into the matrix.
"""

from __future__ import annotations

import argparse
import os
import timeit
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy comes in: idle BLAS threads spin

import numpy as np

from benchmarks._report import show
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.inband import ToneBank
from sipcc.rtp.keytones import sound_key
from sipcc.rtp.tones import KEYPAD

LEGS = (1, 3, 25, 60, 500)
FRAMES = 50


def voices(legs: int) -> Pcm:
    """Harmonics of a wandering pitch: (legs, samples)."""
    random = np.random.default_rng(1)
    times = np.arange(FRAMES * 160) / 8000
    rows = np.zeros((legs, len(times)))
    for row in rows:
        pitch = random.uniform(90, 260) * (1 + 0.1 * np.sin(2 * np.pi * random.uniform(1, 4) * times))
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        for number in range(1, 16):
            row += random.uniform(0, 1) / number * np.sin(number * phase)
    return (rows / np.abs(rows).max() * 12000).astype(np.int16)


def keys(legs: int) -> Pcm:
    """A key on each leg, all the time."""
    return np.array([sound_key(KEYPAD[row % 16], 400, FRAMES * 160, length=None) for row in range(legs)])


def microseconds(work: Callable[[], object], *, run_s: float, runs: int) -> float:
    """Least time of one call of `work`, over `runs` runs of about `run_s` seconds."""
    timer = timeit.Timer(work)
    calls = max(1, round(run_s / (timer.timeit(2) / 2)))
    return min(timer.repeat(runs, calls)) / calls * 1e6


def measure(legs: int, *, run_s: float, runs: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    floor = 0.0
    for what, pcm in (("silence", np.zeros_like(keys(legs))), ("speech", voices(legs)), ("keys", keys(legs))):
        bank = ToneBank()
        slots = [bank.add() for _ in range(legs)]
        frames = [np.ascontiguousarray(pcm[:, start : start + 160]) for start in range(0, FRAMES * 160, 160)]
        room = np.zeros((legs, 160), dtype=np.float32)

        def copy(frames: list[Pcm] = frames, room: object = room) -> None:
            for frame in frames:
                np.copyto(room, frame)  # type: ignore[arg-type]

        def hear(frames: list[Pcm] = frames, bank: ToneBank = bank, slots: list[int] = slots) -> None:
            for frame in frames:
                bank.hear(slots, frame)

        share = FRAMES * legs
        floor = floor or microseconds(copy, run_s=run_s / 4, runs=runs) / share
        cost = microseconds(hear, run_s=run_s, runs=runs) / share
        rows.append(
            {"legs": legs, "audio": what, "us/leg-frame": cost, "floor": floor, "ratio": cost / floor}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--legs", type=int, nargs="+", default=list(LEGS))
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    run_s, runs = (0.02, 1) if options.smoke else (0.3, 5)
    if options.smoke:
        options.legs = [1, 60]
    rows = [row for legs in options.legs for row in measure(legs, run_s=run_s, runs=runs)]
    show("inband: listening for keys, per leg and 20 ms", rows, json_path=options.json)


if __name__ == "__main__":
    main()
