"""Session timers (RFC 4028) of whole calls, on both legs, to the second; no audio ends these calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.faults.rogue import DESCRIPTION, TRUNK, Rogue
from tests.flow.centre import CONFIG, Centre

from sipcc.testing.party import FakeParty
from sipcc.testing.phone import Answer

SLACK = 2.0
INTERVAL = 120


def timed(folder: Path, *, interval: int = INTERVAL) -> Centre:
    """A centre that has session timers, and waits for no sound."""
    timers = f'[sip]\nsession_timer = "supported"\nsession_expires = {interval}\nmin_se = 90'
    config = CONFIG.replace("[sip]", timers, 1).replace("timeout = 20", "timeout = 100000")
    assert config.count("session_timer") == config.count("100000") == 1
    return Centre(folder, config=config, extra=TRUNK)


def now() -> float:
    return asyncio.get_running_loop().time()


def refreshes(party: FakeParty, since: float) -> list[float]:
    """When the switch has sent a re-INVITE or an UPDATE to a party, in seconds after `since`."""
    seen = [trace for method in ("INVITE", "UPDATE") for trace in party.seen(method, "in")]
    return sorted(trace.at - since for trace in seen if trace.at - since > 1.0)


async def test_both_legs_are_refreshed_at_half_of_the_interval(tmp_path: Path) -> None:
    async with timed(tmp_path) as centre:
        phone = await centre.phone("1001", Answer(after=0.2))
        caller = await centre.carrier.call("4008000005")
        await caller.answered()
        began = now()
        await asyncio.sleep(2 * INTERVAL)
        for party in (centre.carrier, phone):
            times = refreshes(party, began)
            assert len(times) >= 3, party.name
            for before, after in zip([0.0, *times], times, strict=False):
                assert after - before == pytest.approx(INTERVAL / 2, abs=SLACK), party.name
        assert caller.state == "answered"
        await caller.hangup()
        await asyncio.sleep(40.0)
        assert centre.switch.endpoint.sessions == 0


@pytest.mark.parametrize("interval", [90, 120, 600])
async def test_a_carrier_that_does_not_refresh_as_promised_is_hung_up(tmp_path: Path, interval: int) -> None:
    async with timed(tmp_path, interval=interval) as centre:
        phone = await centre.phone("1001", Answer(after=0.2))
        rogue = await Rogue(centre.network, "udp").open()
        place = rogue.place("4008000005")
        promise = f"Supported: timer\r\nSession-Expires: {interval};refresher=uac\r\n".encode()
        invite = place.request("INVITE", body=DESCRIPTION)
        rogue.post(invite.replace(b"Content-Type:", promise + b"Content-Type:"))
        theirs = await phone.next_call()
        await theirs.answered()
        await asyncio.sleep(0.1)
        place.kept = True
        await rogue.settle()
        began = now()
        due = interval - min(32.0, interval / 3)
        await asyncio.sleep(due - SLACK)
        assert theirs.state == "answered"
        assert not [data for data in rogue.requests if data.startswith(b"BYE")]
        await asyncio.sleep(2 * SLACK)
        [bye, *again] = [data for data in rogue.requests if data.startswith(b"BYE")]
        assert again == []
        assert bye.split(b" ", 2)[1].startswith(b"sip:rogue@")
        assert theirs.state == "ended"
        [hung_up] = phone.seen("BYE", "in")
        assert hung_up.at - began == pytest.approx(due, abs=SLACK)
        await asyncio.sleep(40.0)
        assert centre.switch.endpoint.sessions == 0


async def test_the_caller_of_a_phone_that_is_gone_is_freed_by_the_refresh(tmp_path: Path) -> None:
    async with timed(tmp_path) as centre:
        phone = await centre.phone("1001", Answer(after=0.2))
        caller = await centre.carrier.call("4008000005")
        await caller.answered()
        began = now()
        await asyncio.sleep(10.0)
        await phone.vanish()
        await caller.ended(timeout=INTERVAL)
        assert now() - began <= INTERVAL - 32.0 + SLACK
        await asyncio.sleep(40.0)
        assert centre.switch.endpoint.sessions == 0
