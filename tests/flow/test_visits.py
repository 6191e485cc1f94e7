"""What belongs to one visit of a caller: also the call by which it is called back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.flow.test_callback import CUSTOMER_HZ, of, office
from tests.flow.test_transfer_accounts import chain, records_of

from sipcc.call.events import CallStarted, RecordingStarted


async def test_a_callback_is_one_visit_with_the_call_in_which_it_was_booked(tmp_path: Path) -> None:
    async with office(tmp_path) as (centre, customer):
        caller = await centre.carrier.call("4008000006")
        await caller.answered()
        await asyncio.sleep(3.0)
        await caller.press("1")
        await caller.ended(timeout=20.0)
        phone = await centre.phone("1001")
        agent = await phone.next_call()
        rung = await customer.next_call()
        await agent.hears(CUSTOMER_HZ, timeout=15.0)
        [live] = centre.switch.calls.live()
        taped = of(centre, RecordingStarted)[-1]
        assert taped.call == live.id
        assert live.interaction == taped.interaction == of(centre, CallStarted)[0].call != live.id
        await rung.hangup()
        await agent.ended(timeout=5.0)
        await asyncio.sleep(8.0)
        first, second = records_of(centre)
        assert first.interaction == second.interaction == first.id
        assert (first.segments, chain(second)) == ((), [("alice", "sales", "caller")])
