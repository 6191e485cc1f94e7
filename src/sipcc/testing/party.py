"""What fake phones and fake carriers share: an endpoint of the library, and media of their own."""

from __future__ import annotations

import random
from typing import Literal

import msgspec

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.rtp.flow import CodecName, PacketSockets
from sipcc.rtp.udp import UdpSockets
from sipcc.sip import Endpoint, SipSettings, SocketNetwork
from sipcc.sip.settings import TlsSettings
from sipcc.sip.transport.base import Address, Flow, Network, TransportName
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.media import FakeMedia
from sipcc.testing.network import HostNetwork
from sipcc.testing.srtp import Secret, Srtp


class Trace(msgspec.Struct, frozen=True):
    """One SIP message as a party saw it; `at` is the loop's clock."""

    at: float
    direction: Literal["in", "out"]
    data: bytes

    @property
    def start(self) -> str:
        """The first line."""
        return self.data.split(b"\r\n", 1)[0].decode("utf-8", "replace")


class FakeParty:
    """A party with one address: its endpoint, its calls, and what it saw on the wire.

    On a `HostNetwork` it lives in memory; without a network it uses real sockets on loopback. Over
    WebSocket it is a browser: it opens a connection, and nobody can open one to it. So it is over TLS on
    real sockets when `tls` has no certificate.
    """

    def __init__(
        self,
        name: str,
        host: str,
        *,
        server: Address,
        network: HostNetwork | None = None,
        transport: TransportName = "udp",
        codecs: tuple[CodecName, ...] = ("PCMU", "PCMA"),
        tone_hz: float = 0.0,
        port: int = 0,
        seed: int | None = None,
        tls: TlsSettings = TlsSettings(),  # noqa: B008  # frozen
    ) -> None:
        self.name = name
        self.host = host
        self._port = port
        self.server = server
        self.transport: TransportName = transport
        self.codecs = codecs
        self.tone_hz = tone_hz
        """The tone that this party says in its calls; 0 for silence."""
        self.srtp: Srtp | None = None
        """How the next calls protect their audio; None leaves it in the clear."""
        self.silent = False
        """True: the next calls send no audio, for many that last long on a virtual clock."""
        self.calls: list[FakeCall] = []
        """All calls, those that are over included, oldest first."""
        self.trace: list[Trace] = []
        """Every SIP message, in both directions."""
        self._network = network
        self._bits = random.Random(f"{name}/{seed}") if seed is not None else random.SystemRandom()
        self._ids = Ids(self._bits)
        self._sockets: dict[FakeCall, PacketSockets] = {}
        self._endpoint: Endpoint | None = None
        self._gone = False
        self._tls = tls

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint; only between `start` and `stop`."""
        if self._endpoint is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._endpoint

    @property
    def address(self) -> Address:
        """Where this party listens; port 0 when it does not."""
        listeners = self.endpoint.listeners
        return listeners[0].local if listeners else Address(self.host, 0)

    @property
    def _listens(self) -> bool:
        if self.transport == "tls":
            return self._network is not None or bool(self._tls.certificate)
        return self.transport in ("udp", "tcp")

    async def start(self) -> None:
        """Open the SIP socket, on a free port if none was given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        settings = SipSettings(
            listen=(f"{self.transport}:{host}:{self._port}",) if self._listens else (),
            tls=self._tls,
            domain=self.host,
            user_agent=f"sipcc-test {self.name}",
        )
        self._endpoint = Endpoint(settings, network=self._make_network(), clock=LoopClock(), ids=self._ids)
        self._endpoint.on_message = self._saw
        self._endpoint.outbound.allow_also("MESSAGE", "NOTIFY")
        await self._endpoint.start()

    async def stop(self) -> None:
        """Hang up what is left and close the sockets."""
        for call in self.calls:
            if call.state == "answered" and not self._gone:
                await call.hangup()
            call.media.close()
        for sockets in self._sockets.values():
            _close_all(sockets)
        self._sockets.clear()
        if self._endpoint is not None:
            await self._endpoint.stop()
            self._endpoint = None

    async def vanish(self) -> None:
        """Be gone without a word: no BYE, no unregistering, and nothing is answered any more."""
        self._gone = True
        for call in self.calls:
            call.vanish()
        await self.stop()

    def seen(self, start: str, direction: Literal["in", "out"] | None = None) -> list[Trace]:
        """The messages whose first line begins with `start`, such as ``"INVITE"`` or ``"SIP/2.0 180"``."""
        return [
            trace
            for trace in self.trace
            if trace.start.startswith(start) and direction in (None, trace.direction)
        ]

    def make_call(
        self, role: Literal["caller", "callee"], *, late_offer: bool = False, what: str = ""
    ) -> FakeCall:
        """A call with media of its own, not yet tied to a session."""
        sockets: PacketSockets = self._network.sockets() if self._network is not None else UdpSockets()
        media = FakeMedia(sockets, self.host, ssrc=self._bits.getrandbits(32))
        media.muted = self.silent
        if self.tone_hz:
            media.say_tone(self.tone_hz)
        call = FakeCall(
            media, role=role, codecs=self.codecs, name=f"{self.name} {what}".rstrip(), late_offer=late_offer
        )
        if self.srtp is not None:
            call.secret = Secret(self.srtp, self._bits.getrandbits(352).to_bytes(44, "big"))
        self._sockets[call] = sockets
        call.on_end = self._release
        self.calls.append(call)
        return call

    def _release(self, call: FakeCall) -> None:
        sockets = self._sockets.pop(call, None)
        if sockets is not None:
            _close_all(sockets)

    def _make_network(self) -> Network:
        if self._network is not None:
            return self._network
        return SocketNetwork(SipSettings(tls=self._tls))

    def _saw(self, direction: Literal["in", "out"], data: bytes, flow: Flow, at: float) -> None:
        self.trace.append(Trace(at, direction, data))


def _close_all(sockets: PacketSockets) -> None:
    if isinstance(sockets, UdpSockets):
        sockets.close_all()
