"""A tree of ten levels over SIP: walked by keys as events, by INFO and in the sound, at 5 % loss.

Each node has a prompt of its own, a tone, so that what a caller hears tells where it is; the way that was
gone is in the events. ``SIPCC_TREE_CALLS`` says how many calls type their keys in one burst.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from tests.flow.centre import CARRIER, CONFIG, SWITCH, Centre
from tests.flow.test_media_keys import key_sound

from sipcc.ivr.events import NodeEntered
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

LEVELS = 10
LANES = "123"
NUMBER = "4008120010"
BURSTS = int(os.environ.get("SIPCC_TREE_CALLS", "60"))
AT_ONCE = 20


def hz_of(node: str) -> int:
    """The tone of a node's prompt."""
    level, lane = int(node[1:-1]), int(node[-1])
    return 400 + 60 * (3 * level + lane)


def nodes() -> list[str]:
    return ["n01"] + [f"n{level}{lane}" for level in range(1, LEVELS + 1) for lane in LANES]


def tree() -> str:
    """A flow in which each key leads to another node of the next level; the last level ends the call."""
    parts = [
        f'[[numbers]]\nnumber = "{NUMBER}"\nto = "flow:tree"\n',
        '[[flows]]\nname = "tree"\nfallback = "queue:help"\nstart = "n01"\n',
    ]
    for node in nodes():
        level = int(node[1:-1]) + 1
        parts.append(f"[flows.nodes.{node}]")
        if level > LEVELS:
            parts.append('type = "hangup"\n')
            continue
        options = ", ".join(f'"{lane}" = "n{level}{lane}"' for lane in LANES)
        parts.append(f'type = "menu"\nprompt = "{node}"\noptions = {{ {options} }}\ntimeout = 2\n')
    return "\n".join(parts)


def way_of(keys: str) -> tuple[str, ...]:
    """The nodes on the way that `keys` lead."""
    return ("n01", *[f"n{level}{key}" for level, key in enumerate(keys, start=1)])


class Tree(Centre):
    """A centre with the tree behind a number."""

    def __init__(self, folder: Path, *, seed: int = 1, dtmf: str = "auto") -> None:
        trunk = f'addresses = ["127.0.0.2"]\ndtmf = "{dtmf}"'
        config = CONFIG.replace('addresses = ["127.0.0.2"]', trunk)
        super().__init__(folder, extra=tree(), config=config)
        self.network = MemoryNetwork(seed=seed)

    async def __aenter__(self) -> Tree:
        await super().__aenter__()
        for node in nodes():
            write_wav(self.folder / "prompts" / f"{node}.wav", tone(hz_of(node), 3.0))
        return self

    def ways(self) -> Counter[tuple[str, ...]]:
        """The ways that calls have gone, and how often."""
        found: dict[str, list[str]] = {}
        for event in self.events:
            if isinstance(event, NodeEntered):
                found.setdefault(event.call, []).append(event.node)
        return Counter(tuple(way) for way in found.values())

    def lose(self, share: float) -> None:
        """Lose so much of what the carrier sends."""
        self.network.set_link(Link(loss=share), source=CARRIER, target=SWITCH)


def some_keys(chance: random.Random) -> str:
    return "".join(chance.choice(LANES) for _ in range(LEVELS))


async def type_by(way: str, caller: FakeCall, keys: str) -> None:
    """Type `keys`; each of them is over when the call returns."""
    if way == "events":
        caller.media.press(keys, duration_ms=60, gap_ms=60)
        await asyncio.sleep(0.12 * len(keys))
    elif way == "info":
        for key in keys:
            body = f"Signal={key}\r\nDuration=100\r\n".encode()
            assert await caller.send("INFO", body=body, content_type="application/dtmf-relay") == 200
    else:
        caller.media.say(key_sound(keys, duration_ms=80, gap_ms=80))
        await asyncio.sleep(0.5 + 0.16 * len(keys))


@pytest.mark.parametrize("way", ["events", "info", "inband"])
async def test_a_tree_of_ten_levels_is_walked_and_each_prompt_is_the_right_one(
    tmp_path: Path, way: str
) -> None:
    keys = some_keys(random.Random(way))
    async with Tree(tmp_path, dtmf=way) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        centre.lose(0.05)
        for node, key in zip(way_of(keys), keys, strict=False):
            await asyncio.sleep(0.6)
            assert any(abs(heard - hz_of(node)) <= 10 for heard in caller.tones(0.3)), node
            await type_by(way, caller, key)
        assert await caller.ended(40) == "peer"
        assert centre.ways() == Counter([way_of(keys)])


# Keys in the sound survive any lost packet; tests/unit/rtp/test_inband_loss.py has what two may hide.
@pytest.mark.parametrize("way", ["info", "inband"])
@pytest.mark.parametrize("seed", range(3))
async def test_a_burst_by_other_ways_reaches_its_leaf(tmp_path: Path, way: str, seed: int) -> None:
    keys = some_keys(random.Random(seed))
    async with Tree(tmp_path, seed=seed, dtmf=way) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        centre.lose(0.05)
        await type_by(way, caller, keys)
        assert await caller.ended(40) == "peer"
        assert centre.ways() == Counter([way_of(keys)])


@pytest.mark.parametrize("seed", range(4))
async def test_a_phone_that_sends_each_key_in_all_three_ways_at_once_presses_it_once(
    tmp_path: Path, seed: int
) -> None:
    keys = some_keys(random.Random(f"all {seed}"))
    async with Tree(tmp_path, seed=seed) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        centre.lose(0.05)
        caller.media.say(key_sound(keys, duration_ms=50, gap_ms=50))
        caller.media.press(keys, duration_ms=50, gap_ms=50)
        infos = asyncio.ensure_future(type_by("info", caller, keys))
        assert await caller.ended(40) == "peer"
        infos.cancel()
        await asyncio.gather(infos, return_exceptions=True)
        assert centre.ways() == Counter([way_of(keys)])


async def test_bursts_of_ten_keys_at_5_percent_loss_reach_their_leaves(tmp_path: Path) -> None:
    chance = random.Random("bursts")
    async with Tree(tmp_path) as centre:
        centre.lose(0.05)
        wanted: Counter[tuple[str, ...]] = Counter()

        async def one(keys: str) -> None:
            caller = await centre.carrier.call(NUMBER)
            await caller.answered(40)
            caller.media.press(keys, duration_ms=50, gap_ms=50)
            await caller.ended(60)

        for first in range(0, BURSTS, AT_ONCE):
            batch = [some_keys(chance) for _ in range(min(AT_ONCE, BURSTS - first))]
            wanted.update(map(way_of, batch))
            await asyncio.gather(*map(one, batch))
        assert centre.network.counts["lost"] > BURSTS
        assert centre.ways() == wanted
