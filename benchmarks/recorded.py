"""CPU of anchored calls that are all recorded in stereo to disk, against the same without recording.

    python -m benchmarks.recorded [--smoke] [--json FILE]

The legs are those of `benchmarks.anchored` with keys in band: one in PCMU, one in PCMA, and the audio of both
is searched for tones. Each call has a recording of its own, left one party and right the other. `off` is how
far the length of the worst file is from the time that its recording was on, in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks._load import Plan, Window, bare_relay, compare, measure_process, measure_worker, per_frame_us
from benchmarks._report import show
from sipcc.rtp.events import MediaEvent, RecordingEnded
from sipcc.rtp.flow import MediaPort
from sipcc.rtp.frame import SAMPLE_RATE_HZ
from sipcc.rtp.recorder import HEADER_BYTES

AIM = "500 calls on one core, each file within 40 ms"
PATIENCE_S = 20.0


class Recordings:
    """A recording on the first leg of each call, from before the window to behind it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun: dict[str, float] = {}
        self._left = 0
        self._done = asyncio.Event()
        self.off_ms: list[float] = []
        """Of each file, how much longer or shorter it is than its recording was."""
        self.failed = 0

    async def begin(self, ports: list[MediaPort]) -> None:
        """Start them one after the other."""
        for port in ports[::2]:
            port.on_event = self._hear
            port.record(str(self._folder / f"{port.id}.wav"))
            self._begun[port.id] = time.monotonic()
            await asyncio.sleep(0.001)

    async def end(self, ports: list[MediaPort]) -> None:
        """Stop them, and measure the files once they are complete."""
        lasted: dict[str, float] = {}
        self._left = len(ports[::2])
        for port in ports[::2]:
            port.stop_recording()
            lasted[port.id] = time.monotonic() - self._begun[port.id]
            await asyncio.sleep(0.001)
        await asyncio.wait_for(self._done.wait(), PATIENCE_S)
        for name, seconds in lasted.items():
            size = (self._folder / f"{name}.wav").stat().st_size - HEADER_BYTES
            self.off_ms.append(1000 * (size / 2 / SAMPLE_RATE_HZ - seconds))

    def _hear(self, event: MediaEvent) -> None:
        if isinstance(event, RecordingEnded):
            self.failed += event.reason != "stopped"
            self._left -= 1
            if not self._left:
                self._done.set()


def measure(calls: int, *, seconds: float, runs: int, folder: str | None) -> list[dict[str, object]]:
    plan = Plan(2 * calls, codecs=("PCMU", "PCMA"), keys="inband")
    subjects: dict[str, list[Window]] = {"floor": [], "anchored": [], "recorded": []}
    off_ms: list[float] = []
    failed = 0
    for _ in range(runs):
        subjects["floor"].append(measure_process(bare_relay, plan, seconds=seconds))
        subjects["anchored"].append(measure_worker(plan, seconds=seconds))
        with tempfile.TemporaryDirectory(dir=folder) as files:
            work = Recordings(Path(files))
            subjects["recorded"].append(measure_worker(plan, seconds=seconds, work=work))
        off_ms += work.off_ms
        failed += work.failed
    rows = compare(plan, {"calls": calls}, "us/leg and tick", per_frame_us(plan), subjects)
    rows[-1] |= {"files": len(off_ms), "failed": failed, "off ms": max(off_ms, key=abs)}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[200, 500])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="where the files go for as long as it runs (default: TMPDIR)")
    parser.add_argument("--smoke", action="store_true", help="one short run, to see that it works")
    parser.add_argument("--json", help="also write the JSON here")
    options = parser.parse_args()
    if options.smoke:
        options.calls, options.seconds, options.runs = [10], 0.1, 1
    rows = [
        row
        for calls in options.calls
        for row in measure(calls, seconds=options.seconds, runs=options.runs, folder=options.folder)
    ]
    show(f"recorded: CPU per leg and 20 ms (aim: {AIM})", rows, json_path=options.json)


if __name__ == "__main__":
    main()
