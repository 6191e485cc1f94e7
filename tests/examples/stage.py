"""Runs an example on a network in memory, with a carrier and phones around it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from sipcc import Event, Switch
from sipcc.rtp import LocalEngine
from sipcc.sip import Address
from sipcc.testing import MemoryNetwork
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.phone import Answer, FakePhone

EXAMPLES = Path(__file__).parents[2] / "examples"

SERVER = Address("127.0.0.1", 5060)
CALLER_HZ = 1000.0
PROMPT_HZ = {
    "welcome": 700.0,
    "enter_number": 500.0,
    "record_notice": 600.0,
    "hold": 350.0,
    "thank_you": 800.0,
}
PASSWORDS = {"1001": "correct-horse-1001", "1002": "correct-horse-1002"}
AGENT_HZ = {"1001": 1300.0, "1002": 1600.0}

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:5060"]
domain = "pbx.example.com"
[media]
clock_ms = 20
[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]
[[users]]
name = "1001"
password = "correct-horse-1001"
[[users]]
name = "1002"
password = "correct-horse-1002"
[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
skills = { english = 3 }
[[agents]]
name = "bob"
user = "1002"
queues = ["sales", "helpdesk"]
skills = { english = 9 }
[[queues]]
name = "sales"
[[queues]]
name = "helpdesk"
"""


def load_example(name: str) -> ModuleType:
    """The module of `examples/NAME.py`; it reads `sipcc.toml` of the working directory."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_world(folder: Path, config: str = CONFIG) -> None:
    """A configuration and prompts that are tones."""
    (folder / "sipcc.toml").write_text(config)
    (folder / "prompts").mkdir()
    for name, frequency_hz in PROMPT_HZ.items():
        write_wav(folder / "prompts" / f"{name}.wav", tone(frequency_hz, 1.0))


class Stage:
    """A switch that an example has made, on a network in memory; an async context manager."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.network = MemoryNetwork()
        self.events: list[Event] = []
        self.phones: list[FakePhone] = []

    async def __aenter__(self) -> Stage:
        host = self.network.host(SERVER.host)
        engine = LocalEngine(self.switch.config.media, sockets=host.sockets())
        self.switch.use(network=host, engine=engine)
        self.switch.bus.on_all(self.events.append)
        await self.switch.start()
        self.carrier = FakeCarrier(
            "carrier",
            "127.0.0.2",
            server=SERVER,
            network=self.network.host("127.0.0.2"),
            tone_hz=CALLER_HZ,
        )
        await self.carrier.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.carrier.stop()
        for phone in self.phones:
            await phone.stop()
        await self.switch.stop()

    async def phone(self, user: str) -> FakePhone:
        """A registered phone of `user` that answers after a second."""
        host = f"127.0.1.{user[-1]}"
        phone = FakePhone(
            user,
            PASSWORDS[user],
            server=SERVER,
            host=host,
            domain="pbx.example.com",
            network=self.network.host(host),
            tone_hz=AGENT_HZ[user],
            behaviour=Answer(after=1.0),
        )
        await phone.start()
        assert await phone.register() == 200
        self.phones.append(phone)
        return phone

    def told(self, kind: str) -> list[Event]:
        """The events of one class, by its name."""
        return [event for event in self.events if type(event).__name__ == kind]
