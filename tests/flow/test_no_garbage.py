"""Ended calls are freed at once, by reference counting: nothing of them waits for the garbage collector.

Its looks at hundreds of thousands of live objects stop the loop for a tenth of a second and more.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.flow.centre import Centre

from sipcc.call import Call
from sipcc.errors import CallRejected
from sipcc.testing.phone import Answer, Decline, Ignore

CALLS = 3

FORGOTTEN_S = 40.0
"""Seconds after which no transaction keeps anything of a call: 64*T1 and more."""


@contextmanager
def no_collector() -> Iterator[Counter[str]]:
    """The collector is off; at the end the counter holds which objects of ours it would have had to free."""
    found: Counter[str] = Counter()
    enabled, flags = gc.isenabled(), gc.get_debug()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = (type(each) for each in gc.garbage)
        found.update(f"{kind.__module__}.{kind.__name__}" for kind in kinds if "sipcc." in kind.__module__)
    finally:
        gc.set_debug(flags)
        gc.garbage.clear()
        if enabled:
            gc.enable()


async def dialled(centre: Centre) -> None:
    """The caller reaches a phone, and hangs up."""
    caller = await centre.carrier.call("4008000005")
    talk = await centre.phones["1001"].next_call()
    await caller.answered()
    await asyncio.sleep(3)
    await caller.hangup()
    await talk.ended()


async def hung_up_by_the_callee(centre: Centre) -> None:
    """The phone hangs up."""
    caller = await centre.carrier.call("4008000005")
    talk = await centre.phones["1001"].next_call()
    await caller.answered()
    await asyncio.sleep(3)
    await talk.hangup()
    await caller.ended()


async def refused(centre: Centre) -> None:
    """The phone is busy."""
    caller = await centre.carrier.call("4008000009")
    with pytest.raises(CallRejected):
        await caller.answered()


async def given_up(centre: Centre) -> None:
    """The caller hangs up while the phone rings."""
    caller = await centre.carrier.call("4008000010")
    await caller.ringing()
    await asyncio.sleep(1)
    await caller.hangup()


async def played_to(centre: Centre) -> None:
    """The caller hangs up while a prompt plays."""
    caller = await centre.carrier.call("4008000004")
    await caller.answered()
    await asyncio.sleep(1)
    await caller.hangup()


async def queued(centre: Centre) -> None:
    """A recorded call of a queue: the caller presses a key, waits, and talks to an agent, who wraps up."""
    caller = await centre.carrier.call("4008123456")
    await caller.answered()
    await asyncio.sleep(1)
    await caller.press("1")
    talk = await centre.phones["1001"].next_call()
    await talk.answered()
    await asyncio.sleep(3)
    await talk.hangup()
    await caller.ended()
    await asyncio.sleep(6)


async def rung_at_once(centre: Centre) -> None:
    """Several phones ring, and one answers."""
    caller = await centre.carrier.call("4008000020")
    talk = await centre.phones["1001"].next_call()
    await caller.answered()
    await asyncio.sleep(3)
    await caller.hangup()
    await talk.ended()


async def transferred(centre: Centre) -> None:
    """The phone sends its caller on by REFER, to one that refuses, and has it back."""
    caller = await centre.carrier.call("4008000005")
    talk = await centre.phones["1001"].next_call()
    await caller.answered()
    await asyncio.sleep(1)
    assert await talk.refer("sip:1002@pbx.example.com") == 202
    await asyncio.sleep(3)
    await talk.hangup()
    await caller.ended()


async def sent_on(centre: Centre) -> None:
    """The phone sends its caller on by REFER, to one that answers."""
    centre.phones["1002"].behaviours = [Answer(after=0.5)]
    caller = await centre.carrier.call("4008000009")
    talk = await centre.phones["1002"].next_call()
    await caller.answered()
    await asyncio.sleep(1)
    assert await talk.refer("sip:1001@pbx.example.com") == 202
    second = await centre.phones["1001"].next_call()
    await second.answered()
    await talk.ended()
    await asyncio.sleep(3)
    await second.hangup()
    await caller.ended()


async def sent_on_by_the_caller(centre: Centre) -> None:
    """A phone that calls another one transfers it: the one that was called is the caller from then on."""
    centre.phones["1003"].behaviours = [Answer(after=0.5)]
    first = await centre.phones["1002"].call("4008000005")
    talk = await centre.phones["1001"].next_call()
    await first.answered()
    await asyncio.sleep(1)
    assert await first.refer("sip:1003@pbx.example.com") == 202
    second = await centre.phones["1003"].next_call()
    await second.answered()
    await first.ended()
    await asyncio.sleep(3)
    await second.hangup()
    await talk.ended()


async def ring_all(call: Call) -> None:
    """What `rung_at_once` calls."""
    await call.bridge(await call.dial("1001", "1002", "1003"))


KINDS = [
    dialled,
    hung_up_by_the_callee,
    sent_on,
    sent_on_by_the_caller,
    refused,
    given_up,
    played_to,
    queued,
    rung_at_once,
    transferred,
]


@pytest.fixture
async def centre(tmp_path: Path) -> AsyncIterator[Centre]:
    async with Centre(tmp_path, apps={"4008000020": ring_all}) as centre:
        await centre.phone("1001", Answer(after=0.5))
        await centre.phone("1002", Decline(486))
        await centre.phone("1003", Ignore())
        yield centre


@pytest.mark.parametrize("kind", KINDS)
async def test_an_ended_call_leaves_no_ring_of_objects(
    centre: Centre, kind: Callable[[Centre], Awaitable[None]]
) -> None:
    with no_collector() as garbage:
        for _ in range(CALLS):
            await kind(centre)
        await asyncio.sleep(FORGOTTEN_S)
    assert not garbage
