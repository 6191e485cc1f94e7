"""Every test here is `interop`: it needs a foreign program, and runs in real time on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.interop import pcap
from tests.interop.centre import AGENT_HZ, CALLER_HZ, PASSWORDS, Centre
from tests.interop.programs import Program, free_port, wait_until
from tests.interop.sipp import Sipp, register

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, with a limit that fits real time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
            item.add_marker(pytest.mark.timeout(90))


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """What a test started; all of it is ended afterwards, the last one first."""
    started: list[Program] = []
    yield started
    for program in reversed(started):
        program.end()


@pytest.fixture
def start(tmp_path: Path, programs: list[Program]) -> Callable[..., Centre]:
    """Start a daemon with a configuration of its own."""

    def begin(**options: object) -> Centre:
        centre = Centre(tmp_path, **options)  # type: ignore[arg-type]
        programs.append(centre.program)
        return centre

    return begin


class Cast:
    """Starts the carriers and agents of one test."""

    def __init__(self, folder: Path, programs: list[Program]) -> None:
        self.folder = folder
        self._programs = programs

    def carrier(
        self, centre: Centre, scenario: str, *, key_at: float | None = 1.0, **options: object
    ) -> Sipp:
        """A SIPp carrier that calls now; it presses 1 `key_at` seconds into its sound."""
        codec = "PCMA" if scenario.endswith("pcma") else "PCMU"
        sound = self.folder / f"caller-{codec}-{key_at}.pcap"
        keys = () if key_at is None else ((key_at, "1"),)
        pcap.write(sound, tone_hz=CALLER_HZ, seconds=20, codec=codec, keys=keys)
        settings = {"host": "127.0.0.2", "target": centre.target, "audio": sound, **options}
        return self._add(Sipp(self.folder, scenario, **settings))  # type: ignore[arg-type]

    def agent(
        self,
        centre: Centre,
        scenario: str,
        *,
        user: str = "1001",
        host: str = "127.0.0.3",
        transport: str = "udp",
        **options: object,
    ) -> Sipp:
        """A SIPp agent that has registered and waits for its call."""
        codec = "PCMA" if scenario.endswith("pcma") else "PCMU"
        sound = pcap.write(
            self.folder / f"agent-{codec}.pcap", tone_hz=AGENT_HZ, seconds=20, codec=codec, ssrc=0x777
        )
        port = free_port(host)
        self.register(centre, user, host, port, transport=transport)
        settings = {"host": host, "port": port, "audio": sound, "transport": transport, **options}
        run = self._add(Sipp(self.folder, scenario, **settings))  # type: ignore[arg-type]
        # a call offered before it listens is lost, or leaves its agent offline until it registers again
        wait_until(run.listens, 10, lambda: f"{run.name} listens:\n{run.tail()}")
        return run

    def register(
        self, centre: Centre, user: str, host: str, port: int, *, transport: str = "udp", expires: int = 300
    ) -> None:
        """Register a user at an address by SIPp, or with `expires` 0 take it back."""
        register(
            self.folder,
            user=user,
            password=PASSWORDS[user],
            host=host,
            port=port,
            target=centre.target,
            transport=transport,
            expires=expires,
        )

    def add(self, program: Program) -> None:
        """Have a program ended with the test."""
        self._programs.append(program)

    def _add(self, run: Sipp) -> Sipp:
        self._programs.append(run)
        return run


@pytest.fixture
def cast(tmp_path: Path, programs: list[Program]) -> Cast:
    """The carriers and agents."""
    return Cast(tmp_path, programs)
