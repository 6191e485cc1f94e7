"""A carrier gone mad: it speaks raw bytes over any transport, in and out of dialogs of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from tests.flow.centre import CONFIG, SWITCH

from sipcc.sip.message import BadMessage, Response
from sipcc.sip.parser import parse_datagram
from sipcc.sip.transport.base import Address, Flow, Listener, TransportName
from sipcc.testing.network import MemoryNetwork

ROGUE = "127.0.0.7"
STRANGER = "203.0.113.66"
PORTS: Mapping[str, int] = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 8080, "wss": 8443}

_LISTEN = 'listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]'
_LISTEN_ALL = """listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", "tls:127.0.0.1:5061",
  "ws:127.0.0.1:8080", "wss:127.0.0.1:8443"]
tls = {{ certificate = "pbx.pem" }}"""
EVERYWHERE = (
    CONFIG.replace(_LISTEN, _LISTEN_ALL)
    .replace("[sip]\n", "[sip]\nprobe_phones = 0\n")
    .replace("timeout = 20", "timeout = 100000")
    .replace('number = "4008000002"\nto = "ring"', 'number = "4008000002"\nto = "app:bench"')
)
"""The configuration of `Centre` with listeners of all five transports, for calls that last without sound;
nobody asks phones whether they live, so that what is counted at the end is what the test has caused."""
TRUNK = f'\n[[trunks]]\nname = "rogue"\naddresses = ["{ROGUE}"]\n'

DESCRIPTION = (
    f"v=0\r\no=- 1 1 IN IP4 {ROGUE}\r\ns=-\r\nc=IN IP4 {ROGUE}\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
).encode()

_REPEATED = frozenset({"Via", "From", "To", "Call-ID"})
_START = re.compile(rb"(?m)^SIP/2\.0 ([1-6][0-9]{2}) ")


class Speaker(Protocol):
    """Whoever sends from an address."""

    transport: str
    host: str
    port: int


class Place:
    """Where a request is sent: in a dialog of the rogue's, or in none (`their_tag` is empty)."""

    def __init__(self, sender: Speaker, number: str, call_id: str) -> None:
        self.sender = sender
        self.number = number
        self.call_id = call_id
        self.tag = f"t{call_id}"
        self.their_tag = ""
        self.cseq = 1
        self.branch = 0
        self.kept = False
        """True for a call that `Rogue.settle` does not leave."""

    def request(self, method: str, *, body: bytes = b"", cseq: int | None = None, branch: str = "") -> bytes:
        """The next request of this place, correct in all its parts."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self.branch += 1
        branch = branch or f"{self.call_id}n{self.branch}"
        sender = self.sender
        protocol = sender.transport.upper()
        at = f"{sender.host}:{sender.port}"
        tag = f";tag={self.their_tag}" if self.their_tag else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        return (
            f"{method} sip:{self.number}@{SWITCH} SIP/2.0\r\n"
            f"Via: SIP/2.0/{protocol} {at};rport;branch=z9hG4bK{branch}\r\n"
            f"From: <sip:13800138000@{sender.host}>;tag={self.tag}\r\n"
            f"To: <sip:{self.number}@pbx.example.com>{tag}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:rogue@{at}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def send(self, method: str, *, body: bytes = b"") -> int:
        """Send a correct request; the last status that came. Finals of INVITEs are acknowledged."""
        rogue = self.sender
        assert isinstance(rogue, Rogue)
        statuses, _ = await rogue.throw(self.request(method, body=body))
        if method == "INVITE":
            await rogue.settle()
        return statuses[-1] if statuses else 0


class Rogue:
    """One socket or connection of one host, and every byte that came on it."""

    def __init__(self, network: MemoryNetwork, transport: TransportName, host: str = ROGUE) -> None:
        self.network = network
        self.transport: TransportName = transport
        self.host = host
        self.port = 5060
        self.closed = False
        self.requests: list[bytes] = []
        """What the switch has asked us."""
        self.places: dict[str, Place] = {}
        self._heard: list[tuple[bytes, int]] = []
        self._known: set[bytes] = set()
        self._finals: list[Response] = []
        self._flow: Flow | None = None
        self.callable = transport in ("udp", "tcp", "tls")
        """False for a peer to whom nobody can open a connection."""
        self._listener: Listener | None = None
        self._calls = 0

    # -- sipcc.sip.transport.base.Receiver --------------------------------------------------------------

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow, waited: float | None = None) -> None:
        self._hear(data)

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self._hear(data)

    def message_received(self, data: bytes, flow: Flow) -> None:
        self._hear(data)

    def flow_closed(self, flow: Flow, error: Exception | None) -> None:
        if flow is self._flow:
            self.closed = True

    # -- what a test does -------------------------------------------------------------------------------

    async def open(self) -> Rogue:
        """Open the socket, or a new connection. Over TCP and TLS we can be called back, as carriers can."""
        far = Address(SWITCH, PORTS[self.transport])
        self.closed = False
        if self._listener is None and self.callable:
            self._listener = await self.network.listen(self.transport, Address(self.host, self.port), self)
        if self.transport != "udp":
            self._flow = await self.network.connect(far, self, transport=self.transport, local_host=self.host)
        elif self._listener is not None:
            self._flow = self._listener.flow_to(far)
        return self

    def drop(self) -> None:
        """Close the connection that we have opened."""
        if self._flow is not None:
            self._flow.close()

    async def leave(self) -> None:
        """Close the socket and all connections."""
        self.drop()
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    def post(self, data: bytes) -> None:
        """Send and do not wait."""
        assert self._flow is not None
        self._flow.send(data)

    @property
    def answers(self) -> list[bytes]:
        """All that came, copies left out, oldest first."""
        return [data for data, _ in self._heard]

    @property
    def heard_bytes(self) -> int:
        """The size of all that came, copies left out."""
        return sum(len(data) for data, _ in self._heard)

    async def throw(self, data: bytes, *, wait: float = 0.05) -> tuple[list[int], bool]:
        """Send; the statuses of what came back, copies left out, and whether the stream was closed.

        A closed stream is replaced by a new one. Nothing is acknowledged (see `settle`).
        """
        first = len(self._heard)
        self.post(data)
        await asyncio.sleep(wait)
        statuses = [status for _, status in self._heard[first:]]
        closed = self.closed
        if closed:
            await self.open()
        return [status for status in statuses if status], closed

    async def settle(self) -> None:
        """Acknowledge the final answers to INVITEs since the last time, and leave new calls."""
        finals, self._finals = self._finals, []
        for answer in finals:
            place = self.places.get(answer.call_id)
            if answer.status >= 300:
                await self.throw(_ack_of(answer))
            elif place is not None:
                # with an answer, in case that the offer was theirs
                await self.throw(place.request("ACK", cseq=answer.cseq.number, body=DESCRIPTION))
                if not place.kept:
                    assert await place.send("BYE") == 200

    def forget(self) -> None:
        """Forget all that was heard."""
        self._heard.clear()
        self._known.clear()
        self._finals.clear()

    def place(self, number: str) -> Place:
        """A new place for requests, with a Call-ID of its own."""
        self._calls += 1
        place = Place(self, number, f"c{self._calls}-{self.transport}-{self.host}")
        self.places[place.call_id] = place
        return place

    def _hear(self, data: bytes) -> None:
        if data.strip(b"\r\n") and data not in self._known:
            self._known.add(data)
            self._heard.append((data, self._note(data)))

    def _note(self, data: bytes) -> int:
        """The status of an answer, broken or not; its To tag is noted if it begins a dialog."""
        start = _START.match(data)
        if start is None:
            self.requests.append(data)
            return 0
        status = int(start[1])
        with suppress(BadMessage):  # an answer to a broken request repeats what was broken
            answer = parse_datagram(data)
            assert isinstance(answer, Response)
            if answer.cseq.method == "INVITE" and status > 100:
                place = self.places.get(answer.call_id)
                if place is not None and status < 300:
                    place.their_tag = place.their_tag or answer.to.tag
                if status >= 200:
                    self._finals.append(answer)
        return status


def _ack_of(answer: Response) -> bytes:
    """The ACK to a refusal (RFC 3261 §17.1.1.3)."""
    kept = [b"%b: %b" % (name.encode(), raw) for name, raw in answer.headers if name in _REPEATED]
    cseq = b"CSeq: %d ACK" % answer.cseq.number
    return b"\r\n".join(
        [b"ACK sip:%b SIP/2.0" % SWITCH.encode(), *kept, cseq, b"Content-Length: 0", b"", b""]
    )
