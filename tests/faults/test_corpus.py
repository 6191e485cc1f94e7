"""The shapes of `corpus.py` (reliability.md §1.3, B09, B10) over all transports, in each state of a call.

What each is answered stands in its table. After each one an OPTIONS is answered and nothing has crashed; at
the end the call in which they came, and another one, take a re-INVITE and a BYE (an early one gets its 200
first), and nothing is left: no transaction, session, call, media port or connection.

Rows that are not here, and why:

| row | where |
|---|---|
| C05, C08, C10; C11 | as whole flows in test_bad_peers.py; in test_guard.py |
| C12-C15, C23; media of C22, C24, C25 | RTP, SRTP, DTLS, ICE are no signalling; SDP and STUN are here |
| C20 | tests/unit/sip/test_transport_ws.py: the network in memory has no WebSocket frames |
| C28 | tests/unit/sip/test_dns.py |
| C29, C30 | WAV and web pages are no signalling; names and agents that somebody may show are here |
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from tests.faults.corpus import SHAPES, SITUATIONS, Shape
from tests.faults.rogue import DESCRIPTION, EVERYWHERE, TRUNK, Place, Rogue
from tests.flow.centre import CARRIER, Centre

from sipcc import Call
from sipcc.sip.transport.base import TransportName

TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"]
GUARDED = "\n[sip.guard]\ntrusted = []\n"
_SPLIT = re.compile(rb"\r(?!\n)|(?<!\r)\n|\r\n(?:Route|Subject|X-Internal|P-Asserted-Identity)")
"""What an answer that repeats broken headers could be made to hold."""

RINGS, ANSWERS = "4008000002", "4008000001"


class Scene:
    """A switch, a rogue with a place in it, and a call of somebody else."""

    def __init__(self, folder: Path, transport: TransportName, situation: str) -> None:
        self.transport: TransportName = transport
        self.situation = situation
        self._answer = asyncio.Event()
        guard = GUARDED if situation == "stranger" else ""
        self.centre = Centre(folder, config=EVERYWHERE, extra=TRUNK + guard, apps={"bench": self._handle})

    async def _handle(self, call: Call) -> None:
        await call.ring()
        await call.unless_ended(self._answer.wait())
        await call.answer()
        await call.wait(100000)

    async def __aenter__(self) -> Scene:
        await self.centre.__aenter__()
        network = self.centre.network
        self.other = (await Rogue(network, "udp", CARRIER).open()).place(ANSWERS)
        self.other.kept = True
        assert await self.other.send("INVITE", body=DESCRIPTION) == 200
        self.rogue = await Rogue(network, self.transport).open()
        self.place = self.rogue.place(RINGS if self.in_call else ANSWERS)
        self.place.kept = True
        if self.in_call:
            assert await self.place.send("INVITE", body=DESCRIPTION) == 180
        if self.situation == "confirmed":
            await self._pick_up()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.centre.__aexit__(*exc)

    @property
    def in_call(self) -> bool:
        return self.situation in ("early", "confirmed")

    async def _pick_up(self) -> None:
        self._answer.set()
        statuses, _ = await self.rogue.throw(b"\r\n\r\n")
        assert set(statuses) == {200}
        await self.rogue.settle()

    async def say(self, shape: Shape, number: int) -> str:
        """Send a shape; what is said to it, or what is wrong afterwards."""
        rogue = self.rogue
        if self.situation == "stranger":
            rogue = await Rogue(self.centre.network, self.transport, f"198.51.100.{number}").open()
        data = shape.make(self.place if self.in_call else rogue.place(ANSWERS))
        statuses, closed = await rogue.throw(data)
        said = [str(status) for status in statuses if status >= 200]
        if not said and not closed:
            said = ["-"]
            if self.transport in ("tcp", "tls"):
                _, closed = await rogue.throw(b"", wait=21.0)  # half a message is waited for, but not longer
        said += ["closed"] * closed
        await rogue.settle()
        if rogue is not self.rogue:
            if self.transport == "udp" and rogue.heard_bytes > 1.3 * len(data):
                said.append("and that is much")
            await rogue.leave()
        said += ["and lines of another's"] * any(_SPLIT.search(answer) for answer in rogue.answers)
        alive = await self.rogue.throw(self.rogue.place(ANSWERS).request("OPTIONS"))
        if alive != ([200], False):
            said.append(f"and OPTIONS {alive}")
        said += [f"and {request!r}" for request in self.rogue.requests]
        counters = self.centre.switch.endpoint.counters
        crashes = counters.pop("crashes", 0) + counters.pop("handler_crashes", 0)
        return " ".join([*said, *["and a crash"] * bool(crashes)])

    async def close(self, seconds: float = 40.0, offer: bytes = DESCRIPTION) -> dict[str, int]:
        """End all calls by the rules, and count what is left some time later."""
        if self.situation == "early":
            await self._pick_up()
        calls: list[Place] = [self.other, *[self.place] * self.in_call]
        for call in calls:
            assert await call.send("INVITE", body=offer) == 200
            assert await call.send("BYE") == 200
        await self.rogue.leave()
        await asyncio.sleep(seconds)
        switch = self.centre.switch
        return {
            "transactions": len(switch.endpoint.layer),
            "sessions": switch.endpoint.sessions,
            "calls": len(switch.calls),
            "ports": switch.engine.open_ports,
            "connections": switch.endpoint.manager.open_streams,
        }


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_each_shape_gets_its_answer(tmp_path: Path, transport: TransportName, situation: str) -> None:
    async with Scene(tmp_path, transport, situation) as scene:
        said = {shape.name: await scene.say(shape, number) for number, shape in enumerate(SHAPES)}
        left = await scene.close()
    assert said == {shape.name: shape.verdict(situation, transport) for shape in SHAPES}
    assert set(left.values()) == {0}, left
