"""Runs one target under atheris: ``python -m tests.fuzz message --seconds 10``.

What is found is written to `--folder` (a temporary one by default) and can be tried again by
``python -m tests.fuzz message --input FILE``.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

SLOW_S = 1.0
"""Processor time that one input may take."""


def main() -> None:
    """Read the arguments and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=3261)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--input", type=Path, default=None)
    options = parser.parse_args()

    import atheris

    with atheris.instrument_imports(include=["sipcc.sip", "sipcc.rtp"]):
        from tests.fuzz.targets import TARGETS

    if options.target not in TARGETS:
        parser.error(f"unknown target {options.target!r}; known: {', '.join(TARGETS)}")
    check, make_seeds = TARGETS[options.target]
    if options.input is not None:
        check(options.input.read_bytes())
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix=f"fuzz-{options.target}-"))
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(make_seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    progress = _Progress(options.target)

    def one(data: bytes) -> None:
        began = time.process_time()
        check(data)
        assert time.process_time() - began < SLOW_S, "this input takes too long"
        progress.count += 1

    flags = [
        sys.argv[0], str(corpus), f"-artifact_prefix={folder}/", f"-max_total_time={options.seconds}",
        f"-runs={options.runs}", f"-seed={options.seed}", "-max_len=8192", "-timeout=10",
        "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup(flags, one)
    progress.begin()
    atheris.Fuzz()


class _Progress:
    """Prints how many inputs there were, and how much memory they took, each minute and at the end."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.count = 0

    def begin(self) -> None:
        """Print a line at the end; libFuzzer leaves without unwinding, so a thread prints on the way."""
        import threading

        def report() -> None:
            while True:
                time.sleep(30)
                rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                sys.stderr.write(f"{self.target}: {self.count} inputs, {rss} MiB at most\n")

        threading.Thread(target=report, daemon=True).start()


main()
