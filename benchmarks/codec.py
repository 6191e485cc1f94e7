"""What do 20 ms of audio cost in each codec, and in G.711 also in a batch of legs?

Each figure is the best of several runs, in microseconds per frame of 160 samples, and as a ratio to the floor
of the same run: copying the 160 bytes of the frame, which nothing that touches a frame can undercut. Codecs
with a memory run over four seconds of something like a voice, again and again.

    python -m benchmarks.codec
    python -m benchmarks.codec --smoke --json codec.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy comes in: idle BLAS threads spin

import numpy as np

from sipcc.rtp.codec import (
    decode,
    decode_into,
    encode,
    encode_into,
    make_decoder,
    make_encoder,
    translate,
)
from sipcc.rtp.codec.g711 import Pcm
from sipcc.rtp.codec.noise import NoiseMaker, describe
from sipcc.rtp.flow import CodecName
from sipcc.rtp.frame import FRAME_SAMPLES
from sipcc.rtp.player import Clip, Player

BATCHES = (1, 10, 100, 500, 1000)
LAWS: tuple[CodecName, ...] = ("PCMU", "PCMA")
CODED: tuple[tuple[CodecName, int], ...] = (("G722", 8000), ("L16", 8000), ("L16", 16000), ("opus", 48000))


def microseconds(work: Callable[[], object], *, run_s: float, repeat: int) -> float:
    """Least time of one call of `work`, over `repeat` runs of about `run_s` seconds."""
    timer = timeit.Timer(work)
    timer.timeit(3)  # warm
    calls = max(1, round(3 * run_s / timer.timeit(3)))
    return min(timer.repeat(repeat, calls)) / calls * 1e6


def measure(*, run_s: float, repeat: int) -> list[dict[str, Any]]:
    """All rows: what, legs at once, microseconds per frame, ratio to the floor."""
    rng = np.random.default_rng(1)
    source = memoryview(bytes(FRAME_SAMPLES))
    floor = microseconds(lambda: bytes(source), run_s=run_s, repeat=repeat)
    rows: list[dict[str, Any]] = []

    def add(what: str, legs: int, work: Callable[[], object]) -> None:
        per_frame = microseconds(work, run_s=run_s, repeat=repeat) / legs
        rows.append({"what": what, "legs": legs, "us_per_frame": per_frame, "of_floor": per_frame / floor})

    rows.append({"what": "copy of 160 bytes (floor)", "legs": 1, "us_per_frame": floor, "of_floor": 1.0})
    payload = rng.integers(0, 256, FRAME_SAMPLES).astype(np.uint8).tobytes()
    frame = rng.integers(-32768, 32768, FRAME_SAMPLES).astype(np.int16)
    for law in LAWS:
        other: CodecName = "PCMA" if law == "PCMU" else "PCMU"
        add(f"{law} to {other}, translated", 1, lambda law=law, other=other: translate(payload, law, other))
        add(f"{law} encode to bytes", 1, lambda law=law: encode(frame, law))
        add(f"{law} decode from bytes", 1, lambda law=law: decode(payload, law))
    for legs in BATCHES:
        pcm = rng.integers(-8000, 8000, (legs, FRAME_SAMPLES)).astype(np.int16)
        coded = np.empty(pcm.shape, dtype=np.uint8)
        add("PCMU encode, batched", legs, lambda pcm=pcm, coded=coded: encode_into(pcm, "PCMU", coded))
        add("PCMU decode, batched", legs, lambda pcm=pcm, coded=coded: decode_into(coded, "PCMU", pcm))
    clips = [Clip(payload * 50), Clip(payload * 70)]
    player = Player(clips, coding=("PCMU", 8000), loop=True)
    add("player, one frame", 1, player.pull)
    shared = Player(clips, coding=("PCMU", 8000), loop=True, shared=True)
    add("shared player, one frame", 1, lambda: shared.pull(now=0.0))
    measure_coded(add)
    return rows


def voice() -> list[Pcm]:
    """Four seconds of something like a voice, in frames: a gliding pitch, syllables, and some noise."""
    times = np.arange(4 * 8000) / 8000
    phase = 2 * np.pi * (130 * times + 8 * np.sin(2 * np.pi * 0.7 * times))
    wave = sum(np.sin(n * phase) / n for n in range(1, 20)) * (0.55 + 0.45 * np.sin(2 * np.pi * 3.5 * times))
    noisy = 3000 * wave + np.random.default_rng(2).normal(0, 60, len(times))
    return list(noisy.astype(np.int16).reshape(-1, FRAME_SAMPLES))


def measure_coded(add: Callable[[str, int, Callable[[], object]], None]) -> None:
    """The codecs that are no look-up: encode and decode of one frame, and what fills a gap."""
    frames = voice()

    def over(items: list[Any], work: Callable[[Any], object]) -> Callable[[], object]:
        turn = itertools.cycle(items)
        return lambda: work(next(turn))

    for name, rate in CODED:
        label = f"{name}/{rate}"
        encoder = make_encoder(name, rate)
        packets = [encoder.encode(frame) for frame in frames]
        add(f"{label} encode", 1, over(frames, make_encoder(name, rate).encode))
        add(f"{label} decode", 1, over(packets, make_decoder(name, rate).decode))
    for complexity in (0, 10):
        encoder = make_encoder("opus", complexity=complexity)
        add(f"opus encode, complexity {complexity}", 1, over(frames, encoder.encode))
    mending = make_encoder("opus", fmtp="useinbandfec=1")
    mended = [mending.encode(frame) for frame in frames]
    add("opus encode with copies", 1, over(frames, mending.encode))
    decoder = make_decoder("opus")

    def lose(packet: bytes) -> None:
        decoder.decode(packet)
        decoder.conceal(FRAME_SAMPLES, packet)

    add("opus decode and mend a loss", 1, over(mended, lose))
    random = np.random.default_rng(3)
    add("G729 decode", 1, over([random.bytes(20) for _ in range(200)], make_decoder("G729").decode))
    noise = NoiseMaker(describe(frames[3], order=10))
    add("comfort noise, order 10", 1, lambda: noise.take(FRAME_SAMPLES))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as text."""
    head = f"{'':<30}{'legs':>6}{'us/frame':>10}{'x floor':>9}"
    body = [
        f"{row['what']:<30}{row['legs']:>6}{row['us_per_frame']:>10.3f}{row['of_floor']:>9.1f}"
        for row in rows
    ]
    return "\n".join([head, *body])


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="a second in all: only to see that it runs")
    parser.add_argument("--json", type=Path, help="write the results there as JSON")
    options = parser.parse_args()
    rows = measure(run_s=0.005, repeat=2) if options.smoke else measure(run_s=0.1, repeat=7)
    print(table(rows))
    if options.json:
        machine = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
            "processors": os.cpu_count(),
        }
        options.json.write_text(json.dumps({"machine": machine, "results": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
