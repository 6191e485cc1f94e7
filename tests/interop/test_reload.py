"""A hundred reloads of the running daemon by SIGHUP, under calls of SIPp that talk and wait (G5).

``RELOAD_CALLS=500`` is so many calls. The duration of the reloads is printed (``-s``).
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.interop.field import Field
from tests.interop.programs import wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp

TALKS = int(os.environ.get("RELOAD_CALLS", "40")) // 2
"""So many calls talk with agents, and as many wait in a queue without any."""
RELOADS = 100
RATE = 25
STAY_MS = 1000 * (45 + 2 * TALKS // RATE)

DESK, HALL = "4008333333", "4008444444"

QUEUES = """
[[queues]]
name = "desk"
strategy = "linear"
music = ""
max_wait = 0
ring_timeout = 25
bound = [{bound}]
[[queues]]
name = "hall"
max_wait = 0
music = "music"
[[agents]]
name = "carol"
user = "1003"
queues = ["hall"]
"""


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    bound = ", ".join(f'"cells/13800138{index:03}"' for index in range(TALKS))
    field = Field(
        tmp_path,
        callers={"outside": {}},
        callees={"cells": {}},
        numbers={DESK: "queue:desk", HALL: "queue:hall"},
        extra=QUEUES.format(bound=bound),
        media="timeout = 300",
        ports=12 * TALKS + 100,
    )
    yield field
    field.close()


def _agent() -> Script:
    script = callee("an agent").recv("INVITE").answer(180, "Ringing").answer(200, body=sdp(), wait=True)
    return script.recv("ACK").hung_up()


def _stays() -> Script:
    script = caller("stays").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    return script.pause(STAY_MS).bye()


def _calls(field: Field) -> int:
    rows = [line.split() for line in field.centre.ask("status").splitlines()]
    return int(next(row[1] for row in rows if row[0] == "calls"))


class Configurations:
    """What the file says in each turn: names, a strategy and an agent change."""

    def __init__(self, field: Field) -> None:
        self._path = field.centre.config
        self._text = self._path.read_text()

    def write(self, turn: int) -> None:
        """Write the file of a turn; an odd one has other names than an even one."""
        text = self._text
        for name, other in (("desk", "counter"), ("hall", "lobby")):
            old, new = (name, other) if turn % 2 else (other, name)
            text = text.replace(f'name = "{name}"', f'name = "{new}"\nwas = "{old}"')
            text = text.replace(f'queues = ["{name}"]', f'queues = ["{new}"]')
            text = text.replace(f'"queue:{name}"', f'"queue:{new}"')
        if turn % 3:
            text = text.replace('strategy = "linear"', 'strategy = "round-robin"')
            text += '[[agents]]\nname = "dave"\nuser = "1002"\nqueues = ["sales"]\n'
        self._path.write_text(text)


@pytest.mark.timeout(180)
def test_a_hundred_reloads_under_calls_that_talk_and_wait(field: Field) -> None:
    centre = field.centre
    size: dict[str, int] = {"calls": TALKS, "at_once": TALKS, "rate": RATE, "limit_s": 120}
    agents = field.take(_agent(), at="cells", **size)  # type: ignore[arg-type]
    talking = field.call(_stays(), by="outside", number=DESK, **size)  # type: ignore[arg-type]
    waiting = _waiters(field, size)
    wait_until(lambda: _calls(field) == 2 * TALKS, 60, lambda: f"{_calls(field)} calls")
    wait_until(lambda: len(agents.all("ACK", "received")) >= TALKS, 30, "all agents talk")

    files = Configurations(field)
    began = time.monotonic()
    for turn in range(1, RELOADS + 1):
        files.write(turn)
        os.kill(centre.program.process.pid, signal.SIGHUP)
        wait_until(lambda turn=turn: _reloads(field) >= turn, 10, "a reload")  # type: ignore[misc]
        if turn % 50 == 0:
            assert _calls(field) == 2 * TALKS
    took = time.monotonic() - began
    sys.stdout.write(f"{RELOADS} reloads under {2 * TALKS} calls, {took * 1000 / RELOADS:.0f} ms each\n")

    for run in (talking, waiting, agents):
        run.succeed(120)
    assert len(centre.cdrs(2 * TALKS, 30.0)) == 2 * TALKS
    exits = centre.exits()
    assert (exits.count("answered"), exits.count("abandoned"), len(exits)) == (TALKS, TALKS, 2 * TALKS)
    told = _reloads_told(field)
    assert len(told) == RELOADS
    assert all(any("renamed from" in change for change in event["changes"]) for event in told)
    assert {queue for event in told for queue in event["kept"]} == set()

    centre.config.write_text(centre.config.read_text().replace('strategy = "', 'strategy = "un', 1))
    os.kill(centre.program.process.pid, signal.SIGHUP)
    wait_until(lambda: "unknown strategy" in centre.program.output, 5, "a refusal")
    files.write(RELOADS)
    assert centre.ask("reload").splitlines()[0] == "nothing has changed"
    assert f"configuration {told[-1]['digest']} is in force" in centre.ask("reload")


def _waiters(field: Field, size: dict[str, int]) -> Sipp:
    return field.call(_stays(), by="outside", number=HALL, **size)  # type: ignore[arg-type]


def _reloads(field: Field) -> int:
    return field.centre.program.output.count("switch.reloaded")


def _reloads_told(field: Field) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{field.folder / 'sipcc.db'}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT json FROM event_log WHERE type = 'ConfigReloaded' ORDER BY seq"
        ).fetchall()
    database.close()
    return [json.loads(event) for (event,) in rows]
