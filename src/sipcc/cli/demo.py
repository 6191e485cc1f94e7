"""`sipccd demo`: a whole call centre on loopback, without account, softphone or network.

With a terminal it is a live wallboard with keys; without one a fixed script runs and its outcomes are
checked, so that CI can run it: exit code 0 only when all of them came true.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from sipcc.cli import wallboard
from sipcc.cli.demo_script import Check, play_script, verify
from sipcc.cli.keys import Keys
from sipcc.cli.report import table_of
from sipcc.cli.stored import PIPE_WIDTH
from sipcc.log import configure

if TYPE_CHECKING:
    from sipcc.cli.demo_world import DemoWorld

REFRESH_S = 0.25
CALLER_EVERY_S = 6.0
"""With a terminal a caller comes by itself this often, so that the board lives from the start."""


@click.command()
@click.option("--script", is_flag=True, help="Run the fixed script even on a terminal.")
@click.option("--day", is_flag=True, help="Live through a whole day, and check its report.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="With --day: another number, another day."
)
@click.option(
    "--scale",
    type=click.FloatRange(0.02, 10.0),
    default=1.0,
    help="With --day: so many times the 650 callers.",
)
def demo(*, script: bool, day: bool, seed: int, scale: float) -> None:
    """Show a call centre at work: real SIP and RTP on loopback, nothing to install or register.

    With --day a switch lives through twelve hours on a clock that jumps, with every SIP message but without
    audio; the figures of its report are then counted once more, from what carrier and phones saw.
    """
    interactive = (
        not script and sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    )
    with tempfile.TemporaryDirectory(prefix="sipccd-demo-") as folder:
        log_path = Path(folder) / "demo.log"
        with log_path.open("w", encoding="utf-8") as log:
            configure(level="info", stream=log)
            if day:
                code = _live_a_day(Path(folder), seed, scale)
            else:
                code = asyncio.run(_show(Path(folder)) if interactive else _check(Path(folder)))
        if code:
            click.echo(f"The end of the log:\n{log_path.read_text(encoding='utf-8')[-4000:]}", err=True)
    sys.exit(code)


async def _check(folder: Path) -> int:
    from sipcc.cli.demo_world import DemoWorld

    console = Console()
    world = DemoWorld(folder, seed=1)
    began = time.monotonic()
    try:
        await world.start()
        console.print(f"The switch listens on {world.switch.addresses}; three agents have registered.")
        console.print(wallboard.guest_hint(world), highlight=False)
        await play_script(world)
        checks = await verify(world)
        _summarise(console, world, checks, time.monotonic() - began)
    finally:
        await world.stop()
    return 0 if all(check.good for check in checks) else 1


def _summarise(console: Console, world: DemoWorld, checks: list[Check], seconds: float) -> None:
    visits = Table("caller", "manner", "outcome", "agent", "seconds", title="Callers")
    for visit in world.visits:
        visits.add_row(
            visit.caller,
            visit.manner,
            visit.problem or visit.stage,
            visit.agent,
            f"{visit.ended - visit.began:.1f}",
        )
    console.print(visits)
    numbers = Table("figure", "value", title="The queue's figures")
    for words, value in wallboard.figures(world.snapshot().queues[0]):
        numbers.add_row(words, value)
    console.print(numbers)
    console.print("The SIP ladder of the last call that an agent answered:", style="bold")
    console.print(world.ladder(world.tallies.last_answered), highlight=False, markup=False, soft_wrap=True)
    results = Table("expected", "found", "", title="What had to come true")
    for check in checks:
        results.add_row(check.what, check.found, "yes" if check.good else "NO")
    console.print(results)
    verdict = "All came true" if all(check.good for check in checks) else "NOT all came true"
    console.print(f"{verdict}, in {seconds:.1f} s.", style="bold")


def _live_a_day(folder: Path, seed: int, scale: float) -> int:
    from sipcc.cli.demo_day import Day
    from sipcc.testing.loop import run_virtual

    console, began = Console(), time.monotonic()
    verdict = run_virtual(Day(folder, seed=seed, scale=scale).run())
    for title, rows in (
        ("half hour", verdict.rows),
        ("day", verdict.totals),
        ("day, by agent", verdict.agents),
    ):
        console.print(f"The report, by {title}:", style="bold")
        (console if console.is_terminal else Console(width=PIPE_WIDTH)).print(table_of(rows))
    console.print(
        f"{verdict.callers} callers in twelve hours, lived in {time.monotonic() - began:.1f} s. "
        f"The carrier and the phones saw {verdict.messages} SIP messages; "
        f"{verdict.compared} figures were counted from them."
    )
    for each in verdict.differences:
        console.print(f"{each.where}: {each.figure} is reported as {each.reported}, counted {each.counted}")
    good = bool(verdict.compared) and not verdict.differences
    console.print("The messages confirm every figure." if good else "NOT all are confirmed.", style="bold")
    return 0 if good else 1


async def _show(folder: Path) -> int:
    from sipcc.cli.demo_world import DemoWorld

    world = DemoWorld(folder)
    await world.start()
    try:
        await _Screen(world).run()
    finally:
        await world.stop()
    served = sum(1 for visit in world.visits if visit.stage == "served")
    click.echo(f"{len(world.visits)} callers came, {served} were served.")
    return 0


class _Screen:
    """The wallboard with its keys, until `q` or a signal."""

    def __init__(self, world: DemoWorld) -> None:
        self._world = world
        self._console = Console()
        self._quit = asyncio.Event()
        self._message = ""
        self._ladder = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._quit.set)
        next_caller = loop.time()
        try:
            with Keys(self._on_key), Live(console=self._console, screen=True, auto_refresh=False) as live:
                while not self._quit.is_set():
                    if loop.time() >= next_caller:
                        self._world.add_caller()
                        next_caller += CALLER_EVERY_S
                    live.update(self._picture(), refresh=True)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(REFRESH_S):
                            await self._quit.wait()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _picture(self) -> RenderableType:
        if self._ladder:
            return wallboard.draw_ladder(self._ladder, self._console.height)
        return wallboard.draw(self._world, message=self._message)

    def _on_key(self, key: str) -> None:
        if self._ladder and key != "q":
            self._ladder = ""
            return
        if key == "c":
            self._world.add_caller()
            self._message = "one more caller"
        elif key == "b":
            self._world.burst()
            self._message = "a burst of 20 callers"
        elif key == "k":
            task = asyncio.get_running_loop().create_task(self._kill())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif key == "l":
            self._ladder = self._world.ladder()
        elif key == "q":
            self._quit.set()

    async def _kill(self) -> None:
        self._message = await self._world.kill_agent()
