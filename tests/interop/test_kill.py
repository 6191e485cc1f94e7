"""Processes of the running daemon are killed under bridged calls (reliability P1, P2, P4, P13, H05).

The longest gap and the packets lost are printed (``-s``).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.rtp_probe import IN_HAND, Traffic
from tests.interop.centre import SWITCH, Centre
from tests.interop.family import Family
from tests.interop.lines import Line, bridge_calls
from tests.interop.programs import free_port, wait_until

from sipcc.keeper import HEALTHY_S

CALLS = 5
ROUNDS = min(int(os.environ.get("KILL_ROUNDS", "1")), 8)
REST_S = 1.5 if ROUNDS == 1 else HEALTHY_S + 0.2
"""Between two kills of control, which must not look like a crash loop."""
CALLEE = "127.0.2.40"
TRUNK = """
[[trunks]]
name = "callee"
addresses = ["127.0.2.40"]
port = {port}
[[numbers]]
number = "4008220040"
to = "dial:callee/13800138040"
"""


class Stage:
    """A daemon with media workers, and bridged calls with audio both ways."""

    def __init__(self, folder: Path) -> None:
        port = free_port(CALLEE)
        self.centre = Centre(folder, workers=2, extra=TRUNK.format(port=port))
        self.family = Family(self.centre.config)
        self.traffic = Traffic(2 * CALLS)
        switch = (SWITCH, self.centre.port)
        self.caller, self.callee = Line("127.0.0.2", 0, switch), Line(CALLEE, port, switch)
        bridge_calls(self.caller, self.callee, self.traffic.parties, "4008220040")
        self.traffic.start()
        self.traffic.wait(0.6)

    def measure(self, what: str, seconds: float = 1.5) -> None:
        """Let audio flow, then print and judge it: nothing lost, one stream for each party."""
        self.traffic.wait(seconds)
        gap, lost = self.traffic.figures()
        sys.stdout.write(f"{what}: longest gap {gap * 1000:.0f} ms, {lost} packets lost in {CALLS} calls\n")
        assert lost <= IN_HAND
        assert self.traffic.unbroken() >= len(self.traffic.parties) - lost

    def starts(self) -> int:
        """How often control has come up."""
        return self.centre.program.output.count("switch.ready")

    def close(self) -> None:
        self.traffic.close()
        for line in (self.caller, self.callee):
            line.socket.close()
        self.centre.program.end(2)
        self.family.end()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def replaced(stage: Stage, who: str, old: int) -> None:
    """Wait until somebody else fills a place."""
    wait_until(lambda: getattr(stage.family, who) not in (0, old), 10, f"another {who}")


def test_bridged_audio_does_not_notice_that_control_dies(stage: Stage) -> None:
    for number in range(ROUNDS):
        stage.traffic.forget()
        old = stage.family.control
        os.kill(old, signal.SIGKILL)
        replaced(stage, "control", old)
        wait_until(lambda: stage.starts() > number + 1, 10, "ready again")  # noqa: B023
        stage.measure(f"kill -9 of control, round {number + 1}", REST_S)


def test_calls_go_on_when_the_keeper_dies_and_another_one_collects(stage: Stage) -> None:
    for number in range(ROUNDS):
        stage.traffic.forget()
        old = stage.family.keeper
        os.kill(old, signal.SIGKILL)
        replaced(stage, "keeper", old)
        replaced(stage, "standby", 0)
        stage.measure(f"kill -9 of the keeper, round {number + 1}", 1.0)
    stage.traffic.forget()
    workers = stage.family.workers
    os.kill(workers[0], signal.SIGKILL)  # the new keeper holds the sockets, and brings up another
    wait_until(lambda: len(stage.family.workers) == 2 and stage.family.workers != workers, 5, "a worker")
    stage.measure("then kill -9 of a worker")


def test_calls_go_on_when_a_worker_dies_while_control_is_away(stage: Stage) -> None:
    stage.traffic.forget()
    workers = stage.family.workers
    os.kill(stage.family.control, signal.SIGKILL)
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(stage.family.workers) == 2 and stage.family.workers != workers, 5, "a worker")
    stage.measure("kill -9 of control and of a worker")


def test_everybody_ends_with_the_daemon(stage: Stage) -> None:
    everybody = stage.family.all()
    assert len(everybody) == 5
    stage.traffic.wait(0.1)
    stage.centre.program.process.send_signal(signal.SIGTERM)
    stage.centre.wait_output("switch.draining")
    stage.centre.program.process.send_signal(signal.SIGTERM)  # ends the calls at once
    assert stage.centre.program.wait(15) == 0
    assert stage.family.all() == []
