"""Somebody on the memory network who is up to no good: raw datagrams, and what comes back."""

from __future__ import annotations

import asyncio

from tests.flow.centre import SWITCH, Centre

from sipcc.sip.auth import Challenge, Credentials, authorization, challenges
from sipcc.sip.message import Request, Response
from sipcc.sip.parser import parse_datagram

STRANGER = "203.0.113.66"
GUARDED = "\n[sip.guard]\ntrusted = []\nban = 60\n"


class Attacker:
    """One UDP socket of one host."""

    def __init__(self, centre: Centre, host: str = STRANGER, port: int = 6666) -> None:
        self._sockets = centre.network.sockets(host)
        self._handle = self._sockets.open(host, port)
        self._centre = centre
        self.host, self.port = host, port
        self.sent_bytes = 0

    def throw(self, data: bytes) -> None:
        """Send one datagram and do not wait."""
        self.sent_bytes += len(data)
        self._sockets.send(self._handle, data, (SWITCH, 5060))

    async def answers(self, seconds: float = 0.05) -> list[bytes]:
        """What has come back, after a moment of the virtual clock."""
        await asyncio.sleep(seconds)
        return [data for _, data, _ in self._sockets.drain()]

    async def ask(self, data: bytes) -> Response | None:
        """Send one datagram; the only answer, or None."""
        self.throw(data)
        found = [parse_datagram(each) for each in await self.answers()]
        assert len(found) <= 1
        if not found:
            return None
        assert isinstance(found[0], Response)
        return found[0]

    async def status(self, data: bytes) -> int:
        """Send one datagram, broken or not; the status of the only answer, or 0."""
        self.throw(data)
        found = await self.answers()
        assert len(found) <= 1
        return int(found[0].split(b" ", 2)[1]) if found else 0

    def request(self, method: str, *, user: str = "1001", number: int = 1, extra: str = "") -> bytes:
        """A request of a stranger, about as short as they come."""
        return (
            f"{method} sip:{user}@{SWITCH} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{self.port}{method}{number}\r\n"
            f"From: <sip:{user}@pbx.example.com>;tag=f{number}\r\nTo: <sip:{user}@pbx.example.com>\r\n"
            f"Call-ID: {self.host}-{self.port}-{number}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{user}@{self.host}:{self.port}>\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode()

    async def guess(self, user: str, password: str, number: int = 1) -> Response | None:
        """One try to register as `user`: the challenge, then the answer to it."""
        data = self.request("REGISTER", user=user, number=2 * number)
        challenge = await self.ask(data)
        if challenge is None or challenge.status != 401:
            return challenge
        request = parse_datagram(self.request("REGISTER", user=user, number=2 * number + 1))
        assert isinstance(request, Request)
        request.headers.add("Authorization", prove(challenges(challenge)[0], request, user, password))
        return await self.ask(bytes(request))


def prove(challenge: Challenge, request: Request, user: str, password: str) -> str:
    """The Authorization that answers a challenge."""
    return authorization(challenge, request, Credentials(user, password), 1, "cnonce")
