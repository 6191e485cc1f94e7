"""A whole call centre in memory: the switch, a carrier and phones, on one network and a clock that jumps."""

from __future__ import annotations

import atexit
from asyncio import to_thread
from collections.abc import Mapping
from pathlib import Path
from shutil import copy, rmtree
from tempfile import mkdtemp

from sipcc import Event, Switch
from sipcc.call import Handler
from sipcc.ids import Ids
from sipcc.ivr.services import Recogniser
from sipcc.ivr.speech import Voice
from sipcc.records.database import migrate, open_engine
from sipcc.rtp import LocalEngine
from sipcc.sip.transport.base import Address
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.network import MemoryNetwork
from sipcc.testing.phone import Answer, Behaviour, FakePhone

SWITCH = "127.0.0.1"
CARRIER = "127.0.0.2"

WELCOME_HZ = 700.0
MUSIC_HZ = 350.0
CALLER_HZ = 1000.0
AGENT_HZ = {"1001": 1300.0, "1002": 1600.0, "1003": 1900.0}

CONFIG = """
[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
domain = "pbx.example.com"

[media]
address = "127.0.0.1"
clock_ms = 20
timeout = 20

[ivr]
prompts = "{folder}/prompts"

[records]
database = "{folder}/sipcc.db"
recordings = "{folder}/recordings"

[[trunks]]
name = "carrier"
addresses = ["127.0.0.2"]

[[users]]
name = "1001"
password = "secret-one-1"
media = "rtp"
[[users]]
name = "1002"
password = "secret-two-2"
media = "rtp"
[[users]]
name = "1003"
password = "secret-three-3"
media = "rtp"

[[agents]]
name = "alice"
user = "1001"
queues = ["sales"]
[[agents]]
name = "bob"
user = "1002"
queues = ["sales"]
[[agents]]
name = "carol"
user = "1003"
queues = ["sales", "help"]

[[queues]]
name = "sales"
strategy = "linear"
ring_timeout = 10
wrap_up = 5
max_wait = 60
record = true
[[queues]]
name = "help"
strategy = "ring-all"

[[menus]]
name = "main"
prompt = "welcome"
options = {{ "1" = "queue:sales", "2" = "queue:help", "3" = "dial:1001" }}
then = "queue:help"

[[numbers]]
number = "4008123456"
to = "menu:main"
[[numbers]]
number = "4008000001"
to = "echo"
[[numbers]]
number = "4008000002"
to = "ring"
[[numbers]]
number = "4008000003"
to = "busy"
[[numbers]]
number = "4008000004"
to = "play:welcome"
[[numbers]]
number = "4008000005"
to = "dial:1001"
[[numbers]]
number = "4008000006"
to = "queue:sales"
[[numbers]]
number = "4008000009"
to = "dial:1002"
[[numbers]]
number = "4008000010"
to = "dial:1003"
"""

_migrated = Path(mkdtemp()) / "empty.db"
atexit.register(rmtree, _migrated.parent)


async def put_database(path: Path) -> None:
    """Lay an empty database there, made by the migrations once for all centres of this process."""
    if not await to_thread(_migrated.exists):
        engine = open_engine(str(_migrated))
        await migrate(engine)
        await engine.dispose()
    await to_thread(copy, _migrated, path)


class Centre:
    """The switch and everybody around it; an async context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        extra: str = "",
        config: str = CONFIG,
        apps: Mapping[str, Handler] | None = None,
        voice: Voice | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        self.folder = folder
        self.network = MemoryNetwork()
        self.events: list[Event] = []
        self.phones: dict[str, FakePhone] = {}
        self._config = config.format(folder=folder) + extra
        self._apps = dict(apps or {})
        self._voice, self._recogniser = voice, recogniser

    async def __aenter__(self) -> Centre:
        prompts = self.folder / "prompts"
        prompts.mkdir()
        (self.folder / "recordings").mkdir()
        write_wav(prompts / "welcome.wav", tone(WELCOME_HZ, 2.0))
        write_wav(prompts / "hold.wav", tone(MUSIC_HZ, 4.0))
        await put_database(self.folder / "sipcc.db")
        path = self.folder / "sipcc.toml"
        path.write_text(self._config)
        self.switch = Switch.from_toml(path)
        host = self.network.host(SWITCH)
        self.switch.use(
            network=host,
            engine=LocalEngine(self.switch.config.media, sockets=host.sockets()),
            ids=Ids(),
            voice=self._voice,
            recogniser=self._recogniser,
        )
        for number, handler in self._apps.items():
            self.switch.route(number)(handler)
        self.switch.bus.on_all(self.events.append)
        await self.switch.start()
        self.server = Address(SWITCH, 5060)
        self.carrier = FakeCarrier(
            "carrier", CARRIER, server=self.server, network=self.network.host(CARRIER), tone_hz=CALLER_HZ
        )
        await self.carrier.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.carrier.stop()
        for phone in self.phones.values():
            await phone.stop()
        await self.switch.stop()

    async def phone(self, user: str, behaviour: Behaviour | None = None, **options: object) -> FakePhone:
        """A registered phone of `user`."""
        password = {"1001": "secret-one-1", "1002": "secret-two-2", "1003": "secret-three-3"}[user]
        host = f"127.0.1.{user[-1]}"
        phone = FakePhone(
            user,
            password,
            server=self.server,
            host=host,
            domain="pbx.example.com",
            network=self.network.host(host),
            tone_hz=AGENT_HZ[user],
            behaviour=behaviour or Answer(after=1.0),
            **options,  # type: ignore[arg-type]
        )
        await phone.start()
        assert await phone.register() == 200
        self.phones[user] = phone
        return phone

    async def outside(
        self, name: str, host: str, *, tone_hz: float, behaviour: Behaviour | None = None
    ) -> FakePhone:
        """Whoever is behind a trunk at `host`: no user of ours, and started; the test stops it."""
        phone = FakePhone(
            name,
            "none",
            server=self.server,
            host=host,
            port=5060,
            network=self.network.host(host),
            tone_hz=tone_hz,
            behaviour=behaviour,
        )
        await phone.start()
        return phone

    def told(self, kind: str) -> list[Event]:
        """The events of one class, by its name, oldest first."""
        return [event for event in self.events if type(event).__name__ == kind]
