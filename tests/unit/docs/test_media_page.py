"""The page about the media engine: its functions run as they stand there, and it names what is there."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipcc import Call
from sipcc.rtp import LocalEngine, MediaPort, MediaSettings, StreamParams
from sipcc.rtp.tones import make_tone
from sipcc.testing import MemoryNetwork
from sipcc.testing.audio import find_tones, read_stereo, tone, write_wav
from sipcc.testing.media import FakeMedia, Peer

PAGE = (Path(__file__).parents[3] / "docs" / "media.md").read_text("utf-8")
PROGRAMS, IN_A_CALL = re.split(r"^## In a call$", PAGE, flags=re.MULTILINE)


def functions() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PROGRAMS, re.DOTALL):
        exec(code, names)
    return names


class Stage:
    """An engine in memory, and parties that each say a tone."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.engine = LocalEngine(MediaSettings(clock_ms=20), sockets=self.network.sockets("127.0.0.1"))
        self.parties: list[FakeMedia] = []

    def party(self, hz: float) -> tuple[FakeMedia, StreamParams]:
        host = f"127.0.1.{len(self.parties) + 1}"
        media = FakeMedia(self.network.sockets(host), host, ssrc=len(self.parties) + 1)
        media.say_tone(hz)
        self.parties.append(media)
        params = StreamParams(
            remote_host=host,
            remote_port=media.port,
            remote_rtcp_port=media.port + 1,
            codec="PCMU",
            payload_type=0,
            event_payload_type=101,
        )
        return media, params

    async def send_to_opened(self, count: int) -> None:
        """Let parties send to the ports that the program opened, in their order."""
        while self.engine.open_ports < count:  # noqa: ASYNC110  # a test looks on from outside
            await asyncio.sleep(0.02)
        for party, port in zip(self.parties, self.engine._ports.values(), strict=True):
            self.start(party, port)

    def start(self, party: FakeMedia, port: MediaPort) -> None:
        party.start(
            Peer(host=port.host, port=port.port, codec="PCMU", payload_type=0, event_payload_type=101)
        )

    async def leg(self, hz: float) -> tuple[FakeMedia, MediaPort]:
        media, params = self.party(hz)
        port = await self.engine.open()
        port.configure(params)
        self.start(media, port)
        return media, port

    async def close(self) -> None:
        for party in self.parties:
            party.close()
        await self.engine.stop()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


async def test_a_port(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "welcome.wav", tone(700, 2.0))
    monkeypatch.chdir(tmp_path)
    party, params = stage.party(400)
    asking = asyncio.create_task(functions()["first_key"](stage.engine, params))
    await stage.send_to_opened(1)
    await asyncio.sleep(1)
    assert party.tones() == [700]
    party.press("5")
    assert await asking == "5"


async def test_two_parties(stage: Stage, tmp_path: Path) -> None:
    (one, of_one), (two, of_two) = stage.party(500), stage.party(900)
    talk = functions()["talk"]
    talking = asyncio.create_task(talk(stage.engine, of_one, of_two, str(tmp_path / "talk.wav")))
    await stage.send_to_opened(2)
    await asyncio.sleep(5)
    assert (one.tones(), two.tones()) == ([900], [500])
    ended = await talking
    assert ended.reason == "stopped"
    left, right, _ = read_stereo(tmp_path / "talk.wav")
    assert [find_tones(side[8000:16000])[0] for side in (left, right)] == [
        pytest.approx(500, abs=2),
        pytest.approx(900, abs=2),
    ]


async def test_more_than_two(stage: Stage) -> None:
    names = functions()
    legs = [await stage.leg(hz) for hz in (500, 900, 1300)]
    names["meet"]([port for _, port in legs])
    await asyncio.sleep(2)
    assert [media.tones() for media, _ in legs] == [[900], [500], [500, 900]]
    for _, port in legs:
        port.unbridge()
    (customer, first), (agent, second), (_, third) = legs
    first.bridge(second)
    names["coach"](third, second)
    await asyncio.sleep(2)
    assert (customer.tones(), agent.tones()) == ([900], [500, 1300])


async def test_audio_in_and_out(stage: Stage) -> None:
    names = functions()
    party, port = await stage.leg(500)

    async def speech() -> AsyncIterator[bytes]:
        for _ in range(200):
            await asyncio.sleep(0.01)  # ten times as fast as it is heard
            yield make_tone((700,), 100).tobytes()

    speaking = asyncio.create_task(names["speak"](port, speech()))
    await asyncio.sleep(4)
    assert party.tones() == [700]
    assert not speaking.done(), "20 s of speech are not taken at once"
    await speaking
    frames: list[Any] = []
    names["listen"](port, frames)
    await asyncio.sleep(1)
    assert find_tones(np.frombuffer(b"".join(frame.said for frame in frames), np.int16))[0] == pytest.approx(
        500, abs=2
    )


def test_verbs_and_events_are_there() -> None:
    rtp = importlib.import_module("sipcc.rtp")
    cells = re.findall(r"^\| (`[^|]+) \|", PAGE.split("| verbs |")[1].split("\n\n")[0], re.MULTILINE)
    verbs = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert len(verbs) > 20
    assert [verb for verb in verbs if not hasattr(MediaPort, verb)] == []
    public = {
        name for name in vars(MediaPort) if not name.startswith("_") and callable(getattr(MediaPort, name))
    }
    assert public - set(verbs) <= {"configure", "is_near"}
    events = re.findall(r"`([A-Z][a-z]+[A-Z]\w+)`", PROGRAMS.replace("`PortsExhausted`", ""))
    assert len(events) > 12
    assert [name for name in events if not hasattr(rtp, name)] == []
    for verb in re.findall(r"call\.(\w+)\(", IN_A_CALL):
        assert hasattr(Call, verb)


def test_parts_that_are_used_alone_are_there() -> None:
    table = PAGE.split("## Without an engine")[1]
    modules = [
        re.match(r"(sipcc\.rtp\.[a-z]+)(?:\.([A-Z]\w+))?$", name) for name in re.findall(r"`([^`]+)`", table)
    ]
    found = [match for match in modules if match]
    assert len(found) > 6
    for match in found:
        module = importlib.import_module(match[1])
        assert match[2] is None or hasattr(module, match[2])
