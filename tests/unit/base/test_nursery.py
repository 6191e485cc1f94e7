"""A nursery of processes that are no media workers: it does not know the difference."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipcc.nursery import HANG_S, WATCH_S, Nursery

pytestmark = pytest.mark.realtime

SCRIPT = """
import mmap, os, select, signal, socket, struct, sys, time
from sipcc.lifeline import Lifeline

def live(index, body, lifeline, memory):
    view = mmap.mmap(memory, 0)
    lifeline.send("here", f"{index} {os.getpid()}", body)
    if body == b"slow":
        time.sleep(0.25)
    while not lifeline.lost:
        struct.pack_into("<d", view, 0, time.monotonic())
        select.select([lifeline], [], [], 0.05)
        while (message := lifeline.receive()) is not None:
            if message.kind == "give":
                view[100:101] = b"G"
            if message.kind == "link":
                lifeline.send("hold", "link", descriptors=message.descriptors)
            if body == b"told to end":
                lifeline.send("leaving")
            if message.kind == "quit" or body in (b"sick", b"told to end"):
                return

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
standby = Lifeline(socket.socket(fileno=int(sys.argv[1])))
standby.send("ready")
while not standby.lost:
    select.select([standby], [], [])
    message = standby.receive()
    if message is None:
        continue
    if message.kind == "quit":
        break
    if message.body == b"slow":
        time.sleep(0.5)
    if os.fork() == 0:
        own, memory = message.descriptors
        live(message.name, message.body, Lifeline(socket.socket(fileno=own)), memory)
        os._exit(0)
"""


class Stage:
    def __init__(self, folder: Path) -> None:
        self.script = folder / "standby.py"
        self.script.write_text(SCRIPT)
        self.told: list[str] = []
        self.links: list[socket.socket] = []
        self.nursery = Nursery(
            environment={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            on_link=lambda index, link: self.links.append(link),
            tell=lambda event, values: self.told.append(event),
        )

    def begin(self, *bodies: bytes) -> None:
        places = [(body, 8192) for body in bodies]
        command = [sys.executable, str(self.script)]
        self.nursery.begin(places, command=command, now=time.monotonic())

    def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        give_up_at = time.monotonic() + seconds
        ready = select.poll()  # select() takes only numbers below 1024, and this process may have more
        ready.register(self.nursery, select.POLLIN)
        while not condition():
            assert time.monotonic() < give_up_at
            ready.poll(WATCH_S * 1000)
            self.nursery.work(now=time.monotonic())
            self.nursery.watch(now=time.monotonic())


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.nursery.quit(now=time.monotonic())
    stage.until(lambda: stage.nursery.empty)
    stage.nursery.close()
    for link in stage.links:
        link.close()


def test_who_dies_is_replaced_and_gets_what_was_held(stage: Stage) -> None:
    stage.begin(b"one", b"two")
    stage.until(lambda: len(stage.nursery.pids) == 2)
    stage.until(lambda: len(stage.links) == 2)
    stage.until(lambda: all(ward.held for ward in stage.nursery._wards))
    old = stage.nursery.pids
    os.kill(old[0], signal.SIGKILL)
    stage.until(lambda: len(stage.nursery.pids) == 2 and stage.nursery.pids != old)
    stage.until(lambda: stage.nursery._wards[0].view[:1] and len(stage.links) == 3)
    assert stage.nursery.pids[1] == old[1]
    assert stage.told == ["media.worker_lost"]
    assert stage.nursery.restarts == 1


def test_who_hangs_is_killed_and_replaced(stage: Stage) -> None:
    stage.begin(b"one")
    stage.until(lambda: stage.nursery.pids)
    [old] = stage.nursery.pids
    os.kill(old, signal.SIGSTOP)
    stage.until(lambda: stage.nursery.pids not in ([], [old]), 20 * HANG_S)
    assert stage.told[:2] == ["media.worker_hung", "media.worker_lost"]


def test_the_standby_is_replaced_and_the_workers_do_not_notice(stage: Stage) -> None:
    stage.begin(b"one")
    stage.until(lambda: stage.nursery.pids)
    worker, standby = stage.nursery.pids, stage.nursery.standby_pid
    os.kill(standby, signal.SIGKILL)
    stage.until(lambda: stage.nursery.standby_pid not in (0, standby))
    assert stage.nursery.pids == worker


def test_who_was_told_to_end_is_neither_replaced_nor_reported(stage: Stage) -> None:
    stage.begin(b"told to end")
    stage.until(lambda: stage.links)
    stage.until(lambda: not stage.nursery.pids)
    assert stage.nursery._wards[0].due is None
    assert stage.told == []
    assert stage.nursery.restarts == 0


def test_who_dies_again_and_again_rests_longer_and_longer(stage: Stage) -> None:
    stage.begin(b"sick")
    stage.until(lambda: stage.nursery.restarts == 2)
    lost_at = time.monotonic()
    stage.until(lambda: stage.nursery.restarts == 4)
    assert time.monotonic() - lost_at > 0.25


def test_places_that_are_told_otherwise_are_filled_anew(stage: Stage) -> None:
    stage.begin(b"one", b"two")
    stage.until(lambda: len(stage.nursery.pids) == 2)
    stage.until(lambda: len(stage.links) == 2)
    old = stage.nursery.pids
    stage.begin(b"one", b"other")
    stage.until(lambda: len(stage.nursery.pids) == 2 and stage.nursery.pids[1] != old[1])
    assert stage.nursery.pids[0] == old[0]
    assert stage.nursery.places == [b"one", b"other"]


def test_a_birth_that_takes_its_time_is_no_silence(stage: Stage) -> None:
    """On a machine that is loaded the standby comes late to its fork, and the worker to its first beat."""
    stage.begin(b"slow")
    stage.until(lambda: stage.nursery.pids and stage.nursery._wards[0].beat > 0)
    assert stage.told == []
    assert stage.nursery.restarts == 0
