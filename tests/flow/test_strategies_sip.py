"""Whom callers reach, as their phones see it: the order of INVITEs follows the documentation.

The phones' own INVITEs and BYEs tell who is free, since when, and after how many calls; nothing of the
switch is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from tests.flow.centre import CONFIG, Centre

from sipcc.testing.phone import Answer, FakePhone

CALLS = 60
USERS = [f"20{number:02}" for number in range(8)]

EXTRA = "".join(
    f"""
[[users]]
name = "{user}"
password = "secret-number-{user}"
media = "rtp"
[[agents]]
name = "{user}"
user = "{user}"
queues = ["order"]
"""
    for user in USERS
)
EXTRA += """
[[queues]]
name = "order"
strategy = "{strategy}"
wrap_up = 0
[[numbers]]
number = "4008123457"
to = "queue:order"
"""


class Seen:
    """What the phones have seen so far."""

    def __init__(self) -> None:
        self.last = -1
        self.idle = [0.0] * len(USERS)
        self.calls = [0] * len(USERS)


LEAST: dict[str, Callable[[Seen, int], tuple[float, ...]]] = {
    "linear": lambda seen, place: (place,),
    "round-robin": lambda seen, place: (place <= seen.last, place),
    "longest-idle": lambda seen, place: (seen.idle[place], place),
    "fewest-calls": lambda seen, place: (seen.calls[place], seen.idle[place], place),
}


async def phones(centre: Centre) -> list[FakePhone]:
    """The registered phones of all agents."""
    found = []
    for number, user in enumerate(USERS):
        host = f"127.0.2.{number + 1}"
        phone = FakePhone(
            user,
            f"secret-number-{user}",
            server=centre.server,
            host=host,
            domain="pbx.example.com",
            network=centre.network.host(host),
            behaviour=Answer(after=0.5),
        )
        phone.silent = True
        await phone.start()
        centre.phones[user] = phone
        found.append(phone)
    # all at one moment: nobody has been idle for longer than another
    assert set(await asyncio.gather(*(phone.register() for phone in found))) == {200}
    return found


@pytest.mark.parametrize("strategy", sorted(LEAST))
async def test_invites_come_in_the_documented_order(tmp_path: Path, strategy: str) -> None:
    draw = Random(strategy)
    async with Centre(tmp_path, extra=EXTRA.replace("{strategy}", strategy), config=CONFIG) as centre:
        centre.carrier.silent = True
        team = await phones(centre)

        async def talk() -> None:
            call = await centre.carrier.call("4008123457")
            await call.answered(timeout=60.0)
            await asyncio.sleep(draw.choice([2.0, 3.0, 5.0, 8.0]) + draw.random())
            await call.hangup()

        talks = []
        for _ in range(CALLS):
            talks.append(asyncio.ensure_future(talk()))
            await asyncio.sleep(draw.choice([0.6, 1.0, 3.0]) + draw.random())
        await asyncio.gather(*talks)
        await asyncio.sleep(1.0)
    begun = [(trace.at, place, "begun") for place, p in enumerate(team) for trace in p.seen("INVITE", "in")]
    over = [(trace.at, place, "over") for place, p in enumerate(team) for trace in p.seen("BYE")]
    assert len(begun) == len(over) == CALLS
    seen, free, choices = Seen(), set(range(len(USERS))), 0
    for at, place, what in sorted(begun + over):
        if what == "begun":
            assert place == min(free, key=lambda each: LEAST[strategy](seen, each)), at
            choices += len(free) > 1
            free.remove(place)
            seen.last = place
        else:
            free.add(place)
            seen.idle[place] = at
            seen.calls[place] += 1
    assert choices > CALLS // 2
