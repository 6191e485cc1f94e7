"""The daemon: one switch on uvloop under a keeper (`sipcc.keeper`), run until it is told to go."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import msgspec
import uvloop

from sipcc.config import Config, load, load_keeper
from sipcc.kept import Kept
from sipcc.log import configure
from sipcc.rtp import WorkerPool
from sipcc.sip import SocketNetwork
from sipcc.switch import Switch
from sipcc.switch.serving import DRAIN_TIMEOUT

GC_THRESHOLDS = (5_000, 10, 100)
"""The young are looked at often, so that no look takes long; all that lives rarely, since an ended call
leaves nothing for the collector."""


def tune_collector() -> None:
    """Spare the collector what was made at start: looking at it again and again costs a tenth of a call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def run(config_path: Path, *, drain_timeout: float = DRAIN_TIMEOUT) -> None:
    """Run a switch until SIGTERM or SIGINT, then drain; SIGHUP reloads it.

    Without a keeper, and unless the configuration wants none, this process becomes one, and starts itself
    again under it.

    Raises:
        ConfigError: the file is wrong; nothing was started.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the switch listens for it: it would end us
    kept = Kept.of_environment(os.environ)
    if kept is None and load_keeper(config_path):
        become_keeper()
    config = read(config_path)
    configure(level=config.log.level, style=config.log.style)
    switch = Switch(config, read=lambda: read(config_path))
    if kept is not None:
        switch.use(network=SocketNetwork(config.sip, holder=kept))
        if config.media.worker_count:
            switch.use(engine=WorkerPool(config.media, ids=switch.ids, workers=kept))
    uvloop.run(_serve(switch, kept, drain_timeout))


def read(config_path: Path) -> Config:
    """The configuration of the file, with as many workers as the daemon takes by itself."""
    config = load(config_path)
    if config.media.workers == "auto":
        config = msgspec.structs.replace(config, media=msgspec.structs.replace(config.media, workers=-1))
    return config


def become_keeper() -> NoReturn:
    """Put a keeper in the place of this process, which starts this very command again."""
    address = Path(tempfile.mkdtemp(prefix="sipccd-"), "keeper")
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execv(sys.executable, [sys.executable, "-m", "sipcc.keeper", str(address), "--", *command])


async def _serve(switch: Switch, kept: Kept | None, drain_timeout: float) -> None:
    def announce() -> None:
        tune_collector()
        if kept is not None:
            # Ctrl-C reaches the whole group; the keeper makes one SIGTERM of it
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: None)
            kept.ready()
        # for whoever started us and waits for this line, whatever the log level is
        print(f"sipccd is ready on {switch.addresses}", file=sys.stderr, flush=True)

    if kept is not None:
        kept.start()
    try:
        await switch.serve(drain_timeout=drain_timeout, on_ready=announce)
    finally:
        if kept is not None:
            kept.close()
