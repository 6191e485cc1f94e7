"""Transfers at the worst moments, at random: whatever crosses what, nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
import tests.flow.centre as centre_module
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CARRIER, SWITCH, Centre
from tests.flow.test_transfer import hear_each_other, nothing_left, talk_to_alice

from sipcc.errors import LocalProtocolError
from sipcc.rtp import LocalEngine
from sipcc.rtp.flow import MediaPort, PacketSockets
from sipcc.testing.fakecall import FakeCall, NotSeenError
from sipcc.testing.link import Link
from sipcc.testing.phone import Answer, Decline, Ignore

MISHAPS = (LocalProtocolError, NotSeenError, TimeoutError)
"""What a party may meet that acts while the other side ends the call."""


async def act(dice: random.Random, calls: list[FakeCall], consult: FakeCall) -> None:
    """One party does one thing, now or a moment later."""
    await asyncio.sleep(dice.random() * 3)
    call = dice.choice(calls)
    if call.state != "answered":
        return
    what = dice.choice(("hangup", "blind", "blind", "attended", "hold", "resume", "message"))
    with contextlib.suppress(*MISHAPS):
        if what == "hangup":
            await call.hangup()
        elif what == "blind":
            await call.refer(f"sip:{dice.choice(('1002', '1003', 'nobody'))}@pbx.example.com")
        elif what == "attended":
            await call.refer("sip:x@pbx.example.com", replaces=consult)
        elif what == "message":
            await call.send("MESSAGE", body=b"x", content_type="text/plain")
        else:
            await call.reinvite("sendonly" if what == "hold" else "sendrecv")


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_crosses_nothing_stays_behind(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    async with Centre(tmp_path) as centre:
        for end in ({"source": CARRIER}, {"target": CARRIER}):
            centre.network.set_link(Link(delay=0.02, jitter=0.03, loss=0.05 * (seed % 2)), **end)
        alice = await centre.phone("1001")
        for user in ("1002", "1003"):
            after = dice.random() * 3
            await centre.phone(user, dice.choice((Answer(after=after), Decline(486, after=after), Ignore())))
        caller, talk = await talk_to_alice(centre, alice)
        consult = await alice.call("4008000009")
        await asyncio.sleep(dice.random() * 2)
        acts = [act(dice, [caller, talk, talk, consult], consult) for _ in range(6)]
        await asyncio.gather(*acts)
        await asyncio.sleep(dice.random() * 5)
        for party in (centre.carrier, *centre.phones.values()):
            for call in list(party.calls):
                with contextlib.suppress(*MISHAPS):
                    await call.hangup()
        await asyncio.sleep(200)  # the longest that a lost BYE or an Ignore may keep anything
        assert nothing_left(centre) == {}
        assert centre.switch._scope.crashes == 0


class TwoEngines:
    """Two engines whose ports cannot be bridged, as two worker processes are."""

    def __init__(self, settings: Any, *sockets: PacketSockets) -> None:
        self.engines = [LocalEngine(settings, sockets=each) for each in sockets]
        self._turn = 0

    async def start(self) -> None:
        for engine in self.engines:
            await engine.start()

    async def stop(self) -> None:
        for engine in self.engines:
            await engine.stop()

    async def open(self, *, near: MediaPort | None = None) -> MediaPort:
        for engine in self.engines:
            if near is not None and getattr(near, "commander", None) is engine:
                return await engine.open(near=near)
        self._turn += 1
        return await self.engines[self._turn % 2].open()

    @property
    def open_ports(self) -> int:
        return sum(engine.open_ports for engine in self.engines)


@pytest.mark.parametrize("rings", [False, True])
async def test_parties_of_two_workers_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rings: bool
) -> None:
    centre = Centre(tmp_path)

    def engine(settings: Any, *, sockets: PacketSockets) -> TwoEngines:
        return TwoEngines(settings, sockets, centre.network.host(SWITCH).sockets())

    monkeypatch.setattr(centre_module, "LocalEngine", engine)
    async with centre:
        alice, bob = (
            await centre.phone("1001"),
            await centre.phone("1002", Answer(after=4.0 if rings else 0.5)),
        )
        caller, talk = await talk_to_alice(centre, alice)
        consult = await alice.call("4008000009")
        other = await bob.next_call()
        await (consult.ringing() if rings else consult.answered())
        assert await talk.refer("sip:x@pbx.example.com", replaces=consult) == 202
        await talk.ended()
        await other.answered()
        await hear_each_other(caller, CALLER_HZ, other, AGENT_HZ["1002"])
        await caller.hangup()
        await other.ended()
        await asyncio.sleep(3)
        assert nothing_left(centre) == {}
