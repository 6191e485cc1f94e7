"""The daemon: one switch on uvloop, run until it is told to go."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import uvloop

from sipcc.config import load
from sipcc.log import configure
from sipcc.switch import Switch
from sipcc.switch.switch import DRAIN_TIMEOUT

GC_THRESHOLDS = (5_000, 10, 100)
"""The young are looked at often, so that no look takes long; all that lives rarely, since an ended call
leaves nothing for the collector."""


def tune_collector() -> None:
    """Spare the collector what was made at start: looking at it again and again costs a tenth of a call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def run(config_path: Path, *, drain_timeout: float = DRAIN_TIMEOUT) -> None:
    """Run a switch until SIGTERM or SIGINT, then drain.

    Raises:
        ConfigError: the file is wrong; nothing was started.
    """
    config = load(config_path)
    configure(level=config.log.level, style=config.log.style)
    switch = Switch(config)

    def announce() -> None:
        tune_collector()
        # for whoever started us and waits for this line, whatever the log level is
        print(f"sipccd is ready on {switch.addresses}", file=sys.stderr, flush=True)

    uvloop.run(switch.serve(drain_timeout=drain_timeout, on_ready=announce))
