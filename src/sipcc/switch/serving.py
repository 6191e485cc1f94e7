"""A switch as a program of its own: started, run until a signal, drained, stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sipcc.errors import ConfigError, LocalProtocolError
from sipcc.log import get_logger
from sipcc.switch.console import Console, must_be_free
from sipcc.tasks import TaskScope

if TYPE_CHECKING:
    from sipcc.switch.switch import Switch

_log = get_logger("sipcc.switch")

DRAIN_TIMEOUT = 3600.0
"""Seconds that live calls may go on after SIGTERM; a second signal ends them at once."""


async def serve(
    switch: Switch, *, drain_timeout: float = DRAIN_TIMEOUT, on_ready: Callable[[], None] | None = None
) -> None:
    """Start `switch`, wait for SIGTERM or SIGINT, drain, stop. A second signal cuts the drain short.

    SIGHUP reloads it.

    Raises:
        ConfigError: it could not be started, or another daemon of this configuration runs.
    """
    if switch.config.daemon.socket:
        must_be_free(Path(switch.config.daemon.socket))
    stopping = asyncio.Event()
    reloads = TaskScope("reloads")

    def on_signal() -> None:
        if stopping.is_set():
            switch.calls.give_up()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, lambda: reloads.spawn(_reload(switch), name="reload"))
    console = None
    try:
        await switch.start()
        console = await _open_console(switch)
        _log.info("switch.ready", listen=switch.addresses)
        if on_ready is not None:
            on_ready()
        await stopping.wait()
        _log.info("switch.draining", calls=len(switch.calls))
        cut = await switch.drain(drain_timeout)
        _log.info("switch.drained", cut=cut)
    finally:
        await reloads.close()
        if console is not None:
            await console.stop()
        if switch.running:
            await switch.stop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _reload(switch: Switch) -> None:
    try:
        await switch.reload()
    except ConfigError:
        return  # told in the log and as an event
    except LocalProtocolError as error:
        _log.warning("switch.not_reloaded", error=str(error))


async def _open_console(switch: Switch) -> Console | None:
    """The control socket; without it the switch serves calls all the same."""
    if not switch.config.daemon.socket:
        return None
    path = Path(switch.config.daemon.socket)
    console = Console(path, switch.tracing.trace, switch.desk(), reload=switch.reload)
    try:
        await console.start()
    except ConfigError as error:
        _log.warning("switch.no_console", error=str(error))
        return None
    return console
