"""Prompts to 500 listeners at once on one core: what they cost, how late packets leave, when the first comes.

    python -m benchmarks.prompts [--smoke] [--json FILE]

Callers come one after the other; each is told where to send and given a prompt of its own at once, as after
an ACK, from a file that all of them hear. `first` is from then to the arrival of the first packet, `late` how
far packets stray behind the steady rhythm of their leg. In `talking` the callers send audio as well, which
nobody listens to. The floor is a bare relay that receives and sends as many packets.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median

import soundfile

from benchmarks._load import (
    FRAME_S,
    SUBJECT_CORE,
    Plan,
    bare_relay,
    measure_process,
    params_for,
    per_frame_us,
    settings_for,
)
from benchmarks._probe import Probe, Trace
from benchmarks._report import cpu_seconds, pin, show
from benchmarks.delay import share
from sipcc.rtp import PlayFile, WorkerPool
from sipcc.rtp.flow import MediaPort
from sipcc.rtp.frame import SAMPLE_RATE_HZ
from sipcc.rtp.tones import make_tone

AIM = "no packet more than 10 ms late, at most 35 % of a core, first packet within 40 ms"
LATE_MS = 10.0
PROMPT_MS = 4000


def lateness_ms(trace: Trace) -> list[float]:
    """How far each packet of a leg lies behind where the median one says that it belongs."""
    offsets = [at - timestamp / SAMPLE_RATE_HZ for at, timestamp, _ in trace.heard]
    usual = median(offsets) if offsets else 0.0
    return [1000 * (offset - usual) for offset in offsets]


async def listen(
    plan: Plan, folder: Path, *, talking: bool, seconds: float
) -> tuple[float, list[Trace], list[float]]:
    """Let all of a plan hear a prompt: share of the core, what came, and when each play was asked for."""
    loop = asyncio.get_running_loop()
    path = folder / "prompt.wav"
    soundfile.write(path, make_tone((440,), PROMPT_MS), SAMPLE_RATE_HZ)
    probe = await loop.run_in_executor(None, lambda: Probe(plan, speaking=talking))
    pool = WorkerPool(settings_for(plan.legs))
    await pool.start()
    pid = pool.pids[0]
    pin(pid, SUBJECT_CORE)
    ports: list[MediaPort] = [await pool.open() for _ in range(plan.legs)]
    probe.begin([port.port for port in ports])
    probe.watch()
    asked: list[float] = []
    for leg, port in enumerate(ports):
        asked.append(time.time())
        port.configure(params_for(plan, leg, probe.ports[leg]))
        port.play([PlayFile(str(path))], loop=True)
        await asyncio.sleep(0.004)
    began, cpu = time.monotonic(), cpu_seconds(pid)
    await asyncio.sleep(seconds)
    share_of_core = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    traces = await loop.run_in_executor(None, probe.tell)
    if pool.pids != [pid]:
        raise SystemExit("the worker did not live: the machine is too busy")
    probe.stop()
    await pool.stop()
    return share_of_core, traces, asked


def measure(listeners: int, *, seconds: float) -> list[dict[str, object]]:
    plan = Plan(listeners + listeners % 2)
    floor_us = per_frame_us(plan)(measure_process(bare_relay, plan, seconds=min(4.0, seconds)))
    rows: list[dict[str, object]] = [
        {"listeners": plan.legs, "subject": "floor", "us/leg and tick": floor_us, "of floor": 1.0}
    ]
    for subject in ("silent", "talking"):
        with tempfile.TemporaryDirectory() as folder:
            core, traces, asked = asyncio.run(
                listen(plan, Path(folder), talking=subject == "talking", seconds=seconds)
            )
        late = [ms for trace in traces for ms in lateness_ms(trace)]
        first = [
            1000 * (trace.heard[0].at - at) for trace, at in zip(traces, asked, strict=True) if trace.heard
        ]
        us = core * 1e6 / (plan.legs / FRAME_S)
        rows.append(
            {
                "listeners": plan.legs,
                "subject": subject,
                "us/leg and tick": us,
                "of floor": us / floor_us,
                "core %": 100 * core,
                "late p99 ms": share(late, 0.99),
                "late max ms": share(late, 1.0),
                f"over {LATE_MS:.0f} ms": sum(ms > LATE_MS for ms in late),
                "first p50 ms": share(first, 0.5),
                "first max ms": share(first, 1.0),
                "unheard": plan.legs - len(first),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.listeners, options.seconds = 6, 0.2
    rows = measure(options.listeners, seconds=options.seconds)
    show(f"prompts: listeners of one core (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
