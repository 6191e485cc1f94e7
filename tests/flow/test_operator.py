"""What an operator sees of a whole switch: bans, trunks and registrations."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.faults.attacker import GUARDED, STRANGER, Attacker
from tests.flow.centre import Centre
from tests.flow.test_trunk_registration import TRUNK, Carrier


async def test_the_desk_of_a_switch(tmp_path: Path) -> None:
    extra = TRUNK.format(password="right-one") + "health = {ping = 30}\n" + GUARDED
    async with Centre(tmp_path, extra=extra) as centre:
        carrier = Carrier(centre)
        await carrier.endpoint.start()
        await centre.phone("1001")
        attacker = Attacker(centre)
        for number in range(1000):
            attacker.throw(attacker.request("REGISTER", number=number + 1))
        await asyncio.sleep(1.0)
        await attacker.answers()
        desk = centre.switch.desk()
        [ban] = desk.bans()
        assert (ban.source, ban.offence, ban.times) == (STRANGER, "rate", 1)
        assert ban.left + ban.since == pytest.approx(60.0)
        assert desk.unban("all") == [STRANGER]
        answer = await attacker.ask(attacker.request("OPTIONS", number=2000))
        assert answer is not None
        assert answer.status == 401
        [bound], total = desk.registrations(limit=10)
        assert (bound.user, bound.open, total) == ("1001", True, 1)
        assert bound.flow.startswith("udp:127.0.1.1:")
        await asyncio.sleep(40.0)  # an REGISTER that nobody was there for is sent again by then
        call = await centre.carrier.call("4008000001")
        await call.answered()
        plain, registered = desk.trunks()
        assert (plain.name, plain.up, plain.calls, plain.registration) == ("carrier", True, 1, "")
        assert (registered.registration, registered.where) == ("registered", "127.0.2.9:5060")
        assert registered.registered_for is not None
        assert 0 < registered.registered_for <= 60
        assert registered.ping_in is not None
        await call.hangup()
        await carrier.endpoint.stop()
