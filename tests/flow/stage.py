"""A media engine on memory sockets and a virtual clock, and the parties that talk to it."""

from __future__ import annotations

import random

from sipcc.ids import Ids
from sipcc.rtp import Law, LocalEngine, MediaEvent, MediaPort, MediaSettings, StreamParams
from sipcc.testing.media import FakeMedia, Peer
from sipcc.testing.network import MemoryNetwork

EVENTS = 101


class Leg:
    """A party and our port for it."""

    def __init__(self, port: MediaPort, party: FakeMedia, codec: Law, events: int | None) -> None:
        self.port = port
        self.party = party
        self.codec: Law = codec
        self.event_type = events
        self.events: list[MediaEvent] = []
        port.on_event = self.events.append

    def configure(self, **changes: object) -> None:
        values: dict[str, object] = {
            "remote_host": self.party.host,
            "remote_port": self.party.port,
            "remote_rtcp_port": self.party.port + 1,
            "codec": self.codec,
            "payload_type": 0 if self.codec == "PCMU" else 8,
            "event_payload_type": self.event_type,
        }
        self.port.configure(StreamParams(**{**values, **changes}))  # type: ignore[arg-type]


class Stage:
    """An engine and the parties that talk to it."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        settings = MediaSettings(address="10.0.0.1", ports=(20000, 20199), clock_ms=10)
        self.engine = LocalEngine(
            settings, sockets=self.network.sockets("10.0.0.1"), ids=Ids(random.Random(7))
        )
        self.legs: list[Leg] = []

    async def join(self, codec: Law = "PCMU", *, tone: float = 0, events: int | None = EVENTS) -> Leg:
        host = f"10.0.1.{len(self.legs) + 1}"
        party = FakeMedia(self.network.sockets(host), host, ssrc=0x1000 + len(self.legs))
        leg = Leg(await self.engine.open(), party, codec, events)
        leg.configure()
        if tone:
            party.say_tone(tone)
        party.start(
            Peer(
                host=leg.port.host,
                port=leg.port.port,
                codec=codec,
                payload_type=0 if codec == "PCMU" else 8,
                event_payload_type=events,
            )
        )
        self.legs.append(leg)
        return leg

    async def close(self) -> None:
        """End all parties and the engine."""
        for leg in self.legs:
            leg.party.close()
        await self.engine.stop()
