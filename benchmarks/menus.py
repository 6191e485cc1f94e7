"""How do menus hold up with 500 callers in them at once, on one core, over real SIP and RTP?

    python -m benchmarks.menus [--callers N] [--smoke] [--json FILE]

The whole daemon with one media worker stays on one core; the callers are on the other. Each of them speaks
(silence, as packets) and types a key every few seconds into a prompt of four seconds, which leads to the next
menu with another prompt. `late` is how far packets stray behind the steady rhythm of their call. The floor is
a bare relay that receives and sends as many packets.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from benchmarks._callers import Callers, Told, Walk
from benchmarks._load import LOST, SUBJECT_CORE, Plan, bare_relay, measure_process, per_frame_us
from benchmarks._process import cpu_seconds, tree
from benchmarks._report import TooBusyError, show
from benchmarks._server import OurServer
from benchmarks.delay import share
from sipcc.rtp.codec.g711 import encode

AIM = "500 callers, no packet more than 20 ms late"
LATE_MS = 20.0
NUMBER = "4008120001"
LEVELS = (6000, -6000, 12000, -12000)
"""The constant samples of the prompts, which tell them apart."""
PROMPT_S = 4
KEY_EVERY_S = 3.0
UNREFUSED = "max_busy = 1.0\nmax_late_ms = 1000.0"
"""No call is refused for the load: what becomes of those in menus is what is measured."""


def settings(folder: Path) -> str:
    """Menus in a circle, and their prompts."""
    for index, level in enumerate(LEVELS):
        sound = np.full(8000 * PROMPT_S, level, np.int16)
        soundfile.write(folder / f"m{index}.wav", sound, 8000)
    parts = [f'\n[ivr]\nprompts = "{folder}"\n[[numbers]]\nnumber = "{NUMBER}"\nto = "menu:m0"\n']
    for index in range(len(LEVELS)):
        following = (index + 1) % len(LEVELS)
        parts.append(
            f'[[menus]]\nname = "m{index}"\nprompt = "m{index}"\nthen = "busy"\ntimeout = 30\n'
            f'options = {{ "1" = "menu:m{following}" }}\n'
        )
    return "".join(parts)


def walked(calls: int, *, seconds: float, workers: int = 1) -> tuple[Told, float]:
    """What so many callers heard, and the share of one core that the daemon took."""
    sounds = tuple(encode(np.array([level], np.int16), "PCMU")[0] for level in LEVELS)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        extra = settings(Path(folder))
        os.sched_setaffinity(0, {cores[SUBJECT_CORE]})
        try:
            server = OurServer(workers=workers, extra=extra, media=UNREFUSED)
        finally:
            os.sched_setaffinity(0, cores)
        walk = Walk(calls, server.address, NUMBER, min(50.0, 1 + calls), KEY_EVERY_S, sounds)
        callers = Callers(walk)
        try:
            deadline = time.monotonic() + calls / walk.rate + 20
            while callers.up() < calls:
                if time.monotonic() > deadline:
                    raise TooBusyError(f"only {callers.up()} of {calls} calls were answered")
                time.sleep(0.2)
            time.sleep(min(seconds, 2.0))
            callers.watch()
            began, cpu, processes = time.monotonic(), cpu_seconds(server.pid), set(tree(server.pid))
            time.sleep(seconds)
            core = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - began)
            told = callers.tell()
            if set(tree(server.pid)) != processes:
                raise TooBusyError(LOST)
        finally:
            callers.stop()
            server.close()
    if told.ended or told.calls < calls:
        raise SystemExit(
            f"of {calls} calls {told.calls} were heard, and {told.ended} were ended by the switch"
        )
    return told, core


def main() -> int:
    """Run and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--callers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--smoke", action="store_true", help="a few callers only, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.callers, options.seconds = 4, 5.0
    plan = Plan(options.callers + options.callers % 2)
    floor_us = per_frame_us(plan)(measure_process(bare_relay, plan, seconds=min(4.0, options.seconds)))
    told, core = walked(options.callers, seconds=options.seconds)
    us = core * 1e6 / (told.calls * 50)
    row: dict[str, object] = {
        "callers": told.calls,
        "us/leg and tick": us,
        "floor": floor_us,
        "of floor": us / floor_us,
        "core %": 100 * core,
        "packets": told.packets,
        "holes": told.holes,
        "keys": told.keys,
        "lost keys": told.lost_keys,
        "late p99 ms": share(told.late_ms, 0.99),
        "late p99.9 ms": share(told.late_ms, 0.999),
        "late max ms": share(told.late_ms, 1.0),
        f"over {LATE_MS:.0f} ms": sum(ms > LATE_MS for ms in told.late_ms),
        "start p99 ms": share(told.start_ms, 0.99),
        "cut p99 ms": share(told.cut_ms, 0.99),
    }
    show(f"menus: callers of one core (aim: {AIM})", [row], json_path=options.json)
    return 0 if told.keys and (options.smoke or not told.lost_keys) else 1


if __name__ == "__main__":
    sys.exit(main())
