"""An endpoint on a clock that jumps and a network of its own, which takes whatever a fuzzer makes."""

from __future__ import annotations

import asyncio
import random

from tests.fuzz import seeds

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, InboundRequest, InviteSession, SessionState, SipSettings
from sipcc.sip.transport.base import Flow
from sipcc.testing.loop import VirtualClockLoop
from sipcc.testing.network import MemoryNetwork

HOST = "10.0.0.2"
SETTLE_EVERY = 256
"""Inputs after which time passes until nothing may be left of them."""
SETTLE_S = 400.0


class _Peer:
    """Who sends; it only counts what comes back."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def blocked(self, host: str) -> bool:
        return False

    def datagram_received(self, data: bytes, flow: Flow) -> None:
        self.answers.append(data[:12])

    def stream_received(self, data: bytes, flow: Flow) -> None: ...

    def flow_closed(self, flow: Flow, error: Exception | None) -> None: ...


class FuzzedEndpoint:
    """Takes inputs one after the other and checks that nothing of them stays."""

    def __init__(self) -> None:
        self._loop = VirtualClockLoop()
        self._count = 0
        self._sessions: list[InviteSession] = []
        self._peer = _Peer()
        self._loop.run_until_complete(self._start())

    async def _start(self) -> None:
        network = MemoryNetwork()
        settings = SipSettings(listen=(f"udp:{HOST}:5060",), session_timer="supported")
        self.endpoint = Endpoint(
            settings, network=network.host(HOST), clock=LoopClock(wall=0.0), ids=Ids(random.Random(1))
        )
        self.endpoint.overload = None
        self.endpoint.on_invite = self._on_invite
        for method in ("REGISTER", "MESSAGE", "SUBSCRIBE", "PUBLISH"):
            self.endpoint.on_request[method] = self._on_request
        await self.endpoint.start()
        listener = await network.listen("udp", Address("192.0.2.2", 5060), self._peer)
        self._to_us = listener.flow_to(Address(HOST, 5060))

    def _on_invite(self, session: InviteSession) -> None:
        self._sessions.append(session)
        kind = len(session.request.body) % 4
        if kind == 0:
            session.ring(180)
        elif kind == 1:
            session.reject(486)
        elif kind == 2:
            session.accept(seeds.SDP)
        else:
            session.ring(183, body=seeds.SDP)
            session.accept(seeds.SDP)

    def _on_request(self, inbound: InboundRequest) -> None:
        inbound.reply(200)

    def take(self, data: bytes) -> None:
        """One input: its datagrams are parted by four NULs."""
        for piece in data.split(b"\0\0\0\0")[:8]:
            self._to_us.send(piece)
        self._count += 1
        self._loop.run_until_complete(asyncio.sleep(0.5))
        self._check()
        if self._count % SETTLE_EVERY == 0:
            self.settle()

    def _check(self) -> None:
        counters = self.endpoint.counters
        assert not counters["crashes"], "something escaped inside of the endpoint"
        assert not counters["handler_crashes"]

    def settle(self) -> None:
        """Let time pass: no transaction, session or timer may stay, and OPTIONS must be answered."""
        self._loop.run_until_complete(asyncio.sleep(SETTLE_S))
        self._check()
        sessions, self._sessions = self._sessions, []
        for session in sessions:
            # what rings, and what was taken and acknowledged, lives until the application ends it
            if session.state is SessionState.CONFIRMED:
                session.bye()
            elif session.state in (SessionState.TRYING, SessionState.EARLY):
                session.reject(480)
        self._loop.run_until_complete(asyncio.sleep(SETTLE_S))
        self._check()
        assert self.endpoint.sessions == 0, "sessions stay"
        assert len(self.endpoint.layer) == 0, "transactions stay"
        self._peer.answers.clear()
        self._to_us.send(seeds.request("OPTIONS", extra=f"X-Count: {self._count}\r\n"))
        self._loop.run_until_complete(asyncio.sleep(1.0))
        assert self._peer.answers == [b"SIP/2.0 200 "], self._peer.answers

    def close(self) -> None:
        """Stop the endpoint and its loop."""
        self._loop.run_until_complete(self.endpoint.stop())
        self._loop.close()
