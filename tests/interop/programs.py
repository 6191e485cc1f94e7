"""Foreign programs as bounded subprocesses: started, watched, and ended by their own pid.

A program that is not installed skips its tests with the reason; with ``CI=true`` in the environment that
is a failure instead, so that nothing is ever skipped quietly where it counts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]


def need(program: str) -> None:
    """Skip the test, or fail it in CI, when a program or Python package is not there."""
    there = shutil.which(program) or (program == "pjsua2" and importlib.util.find_spec("pjsua2"))
    if not there:
        reason = f"{program} is not installed (make foreign)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def wait_until(reached: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> None:
    """Look every 20 ms until `reached`; AssertionError with `what` after `seconds`."""
    give_up_at = time.monotonic() + seconds
    pause = threading.Event()
    while not reached():
        if time.monotonic() > give_up_at:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        pause.wait(0.02)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP on `host` now."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((host, 0))
            port: int = udp.getsockname()[1]
            with contextlib.suppress(OSError):
                tcp.bind((host, port))
                return port
    raise OSError(f"no free port on {host}")


class Program:
    """One subprocess with its output in files; it does not outlive its test."""

    prefix: ClassVar[list[str]] = []
    """Words before every command, such as the way into a network namespace."""

    def __init__(
        self,
        name: str,
        command: list[str],
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        talks: bool = False,
    ) -> None:
        self.name = name
        self.folder = folder
        self.out_path = folder / f"{name}.out"
        with self.out_path.open("wb") as out:
            self.process = subprocess.Popen(
                [*self.prefix, *command],
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return self.out_path.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for its end; the exit code. AssertionError when it does not come."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds:g} s:\n{self.tail()}") from None

    def tail(self, count: int = 2500) -> str:
        """The end of its output."""
        return self.output[-count:]

    def end(self, seconds: float = 10.0) -> int:
        """Ask it to end, by SIGTERM, and make sure; the exit code."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # with those that would start it again
                self.process.wait(5)
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        return int(self.process.returncode)


class Softphone(Program):
    """The PJSUA2 phone of `pjsua_phone.py`."""

    def __init__(
        self, folder: Path, *, user: str, host: str, server: str, name: str = "", **settings: Any
    ) -> None:
        need("pjsua2")
        name = name or f"pjsua-{user}"
        self.record_path = folder / f"{name}.wav"
        arguments = {
            "user": user,
            "host": host,
            "server": server,
            "port": free_port(host),
            "record": str(self.record_path),
            "log": str(folder / f"{name}.log"),
            **settings,
        }
        script = str(Path(__file__).with_name("pjsua_phone.py"))
        super().__init__(name, [sys.executable, script, json.dumps(arguments)], folder, talks=True)
        wait_until(lambda: bool(self.events("started")), 10, lambda: f"softphone started\n{self.tail()}")

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What it told, all or by name."""
        lines = [
            line for line in self.output.splitlines() if line.startswith('{"event"') and line.endswith("}")
        ]
        told = [json.loads(line) for line in lines]
        return [event for event in told if name in ("", event["event"])]

    def tell(self, command: str) -> None:
        """Give it a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def wait_event(self, name: str, seconds: float = 10.0, **values: object) -> dict[str, Any]:
        """Wait for an event with these values, and return it."""

        def matching() -> list[dict[str, Any]]:
            return [e for e in self.events(name) if all(e.get(key) == value for key, value in values.items())]

        wait_until(
            lambda: bool(matching()), seconds, lambda: f"{name} {values} of {self.name}:\n{self.tail()}"
        )
        return matching()[0]

    def quit(self) -> None:
        """End it in order, so that its recording is complete."""
        if self.running:
            with contextlib.suppress(BrokenPipeError):
                self.tell("quit")
            with contextlib.suppress(AssertionError):
                self.wait(8)
        self.end()


class Capture(Program):
    """What goes over the loopback of this machine, captured by dumpcap and read by tshark.

    Args:
        folder: where the file is kept.
        what: a capture filter, such as ``udp and host 127.0.0.3``.
        name: of the file.
    """

    def __init__(self, folder: Path, what: str, *, name: str = "capture") -> None:
        need("tshark")
        need("dumpcap")
        self.path = folder / f"{name}.pcapng"
        command = ["dumpcap", "-q", "-i", "lo", "-f", what, "-s", "2000", "-w", str(self.path)]
        super().__init__(name, command, folder)
        wait_until(lambda: "File:" in self.output or not self.running, 5, self.tail)
        if not self.running:
            reason = f"nothing can be captured here: {self.tail(200).strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)

    def stop(self) -> None:
        """End it in order; all that was seen before is in the file."""
        self.end(5)

    def rows(self, wanted: str, *fields: str, rtp: Iterable[int] = ()) -> list[list[str]]:
        """The fields of each packet that a display filter passes; ports in `rtp` are read as RTP, their
        odd neighbours as RTCP."""
        options = [option for port in rtp for option in ("-d", f"udp.port=={port},rtp")]
        options += [option for port in rtp for option in ("-d", f"udp.port=={port + 1},rtcp")]
        options += [option for field in fields for option in ("-e", field)]
        command = ["tshark", "-n", "-r", str(self.path), "-Y", wanted, *options, "-T", "fields"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


@contextlib.contextmanager
def ended(*programs: Program) -> Iterator[None]:
    """End the programs when the block is left, however it is left."""
    try:
        yield
    finally:
        for program in programs:
            program.end()
