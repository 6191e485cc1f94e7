"""Processes of the running daemon are killed under many bridged calls (reliability P1, P2, P4, P13).

The calls that live, the longest gap and the packets lost are printed (``-s``). ``KILL_CALLS=200``, as
``make faults`` has it, is so many calls.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.rtp_crowd import Crowd
from tests.faults.rtp_probe import IN_HAND
from tests.interop.centre import SWITCH, Centre
from tests.interop.family import Family
from tests.interop.lines import Line, bridge_calls
from tests.interop.programs import free_port, wait_until
from tests.interop.test_kill import CALLEE, TRUNK

CALLS = int(os.environ.get("KILL_CALLS", "20"))


class Stage:
    """A daemon with two media workers, and bridged calls with audio both ways."""

    def __init__(self, folder: Path) -> None:
        port = free_port(CALLEE)
        self.centre = Centre(folder, workers=2, extra=TRUNK.format(port=port), ports=8 * CALLS + 100)
        self.family = Family(self.centre.config)
        self.crowd = Crowd(2 * CALLS)
        switch = (SWITCH, self.centre.port)
        self.caller, self.callee = Line("127.0.0.2", 0, switch), Line(CALLEE, port, switch)
        bridge_calls(self.caller, self.callee, self.crowd.seats, "4008220040")
        self.crowd.start([seat.to for seat in self.crowd.seats])
        time.sleep(2.5)

    def strike(self, who: str, what: str) -> None:
        """Kill somebody, and judge what was heard until another has worked for a while."""
        family = self.family
        old = family.workers[0] if who == "workers" else getattr(family, who)
        self.crowd.forget()
        time.sleep(0.5)
        os.kill(old, signal.SIGKILL)
        if who == "workers":
            wait_until(lambda: len(family.workers) == 2 and old not in family.workers, 10, "another worker")
        else:
            wait_until(lambda: getattr(family, who) not in (0, old), 10, "another one")
        time.sleep(2.0)
        heard = self.crowd.heard()
        sys.stdout.write(
            f"kill -9 of {what}: {heard.alive // 2} of {CALLS} calls live, "
            f"longest gap {heard.gap_s * 1000:.0f} ms, {heard.lost} of {heard.packets} packets lost, "
            f"the probe itself paused for {heard.paused_s * 1000:.0f} ms\n"
        )
        assert heard.alive == 2 * CALLS
        assert heard.lost <= (IN_HAND if who == "workers" else 0)
        assert heard.unbroken >= 2 * CALLS - heard.lost

    def close(self) -> None:
        self.crowd.close()
        for line in (self.caller, self.callee):
            line.socket.close()
        self.centre.program.end(2)
        self.family.end()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.mark.timeout(120)
def test_all_calls_live_whoever_is_killed(stage: Stage) -> None:
    stage.strike("workers", "a media worker")
    stage.strike("control", "control")
    stage.strike("keeper", "the keeper")
    stage.strike("workers", "a media worker under the new keeper")
