"""The tutorial, step by step: its commands as they stand there, on real sockets of loopback.

Only the ports are others, by the environment, so that nothing else on the machine is in the way.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipcc.sip import Address
from sipcc.testing.audio import assert_tone, read_stereo
from sipcc.testing.phone import Answer, FakePhone

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(60)]

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
(MENU,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
HZ = {"1001": 1300.0, "1002": 1600.0}


class Desk:
    """A folder in which commands are typed, and two phones beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environ = os.environ | {
            "SIPCC__SIP__LISTEN": f"udp:127.0.0.1:{self.port}",
            "SIPCC__MEDIA__PORTS": "[41000, 41199]",
            "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        }
        self.phones: list[FakePhone] = []
        self.switch: asyncio.subprocess.Process | None = None

    async def start(self, command: str) -> asyncio.subprocess.Process:
        """Begin a command of the page."""
        name, *words = shlex.split(command)
        assert name == "sipccd"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sipcc.cli.main",
            *words,
            cwd=self.folder,
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def type(self, command: str) -> str:
        """Run a command of the page to its end; what it wrote."""
        assert command in COMMANDS
        process = await self.start(command)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def run(self) -> None:
        """``sipccd run``, until it says that it is ready."""
        assert "sipccd run" in COMMANDS
        self.switch = await self.start("sipccd run")
        assert self.switch.stdout is not None
        async with asyncio.timeout(15):
            while b"sipccd is ready" not in (line := await self.switch.stdout.readline()):
                assert line, "sipccd has ended"

    async def leave(self) -> None:
        """Ctrl-C."""
        if self.switch is not None:
            self.switch.terminate()
            await asyncio.wait_for(self.switch.communicate(), 15)
            assert self.switch.returncode == 0
            self.switch = None

    async def phone(self, user: str) -> FakePhone:
        """A registered phone, with the password of the file."""
        config = tomllib.loads((self.folder / "sipcc.toml").read_text())
        (password,) = [entry["password"] for entry in config["users"] if entry["name"] == user]
        server = Address("127.0.0.1", self.port)
        phone = FakePhone(user, password, server=server, tone_hz=HZ[user], behaviour=Answer(after=0.2))
        await phone.start()
        self.phones.append(phone)
        assert await phone.register() == 200
        return phone


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    for phone in desk.phones:
        await phone.stop()
    await desk.leave()


async def test_from_nothing_to_the_first_heard_call(desk: Desk) -> None:
    await desk.type("sipccd init --yes --address 127.0.0.1 --carrier 127.0.0.2")
    assert "all is well" in await desk.type("sipccd check")
    await desk.run()
    call = await (await desk.phone("1001")).call("600")
    await call.answered()
    await call.hears(HZ["1001"])
    await call.hangup()
    assert "BYE" in await desk.type("sipccd ladder")
    await desk.leave()
    assert "1001" in await desk.type("sipccd cdr list")
    await desk.type("sipccd cdr export --format csv --output calls.csv")
    assert len((desk.folder / "calls.csv").read_text().splitlines()) == 2


async def test_a_menu_a_queue_and_a_recording(desk: Desk) -> None:
    await desk.type("sipccd init --yes --address 127.0.0.1 --carrier 127.0.0.2")
    file = desk.folder / "sipcc.toml"
    text = file.read_text()
    assert text.count("record = false") == 1
    file.write_text(text.replace("record = false", "record = true") + MENU)
    assert "all is well" in await desk.type("sipccd check")
    await desk.run()
    caller = await (await desk.phone("1001")).call("700")
    other = await desk.phone("1002")
    await caller.answered()
    await caller.press("1")
    talk = await other.next_call()
    await talk.answered()
    await talk.hears(HZ["1001"])
    await caller.hears(HZ["1002"], seconds=0.5)
    await talk.hears(HZ["1001"], seconds=0.5)
    await caller.hangup()
    await talk.ended()
    await desk.leave()
    assert "1002" in await desk.type("sipccd cdr list --queue main --answered")
    [recording] = (desk.folder / "recordings").glob("*.wav")
    left, right, rate_hz = read_stereo(recording)
    assert_tone(left[: rate_hz // 2], HZ["1001"])
    assert_tone(right[: rate_hz // 2], HZ["1002"])


def test_every_command_of_the_page_is_typed_here() -> None:
    typed = Path(__file__).read_text("utf-8")
    assert [command for command in COMMANDS if command not in typed] == []
