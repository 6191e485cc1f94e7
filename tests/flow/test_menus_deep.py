"""Nine levels of menus: walked by one burst of keys, over a lossy line too, and left by silence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import CARRIER, SWITCH, WELCOME_HZ, Centre

from sipcc.acd.events import QueueJoined
from sipcc.call import Call, Destination, Route
from sipcc.ivr.events import MenuLeft
from sipcc.testing.audio import is_silent, tone_share
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.link import Link
from sipcc.testing.network import MemoryNetwork

KEYS = "314159265"
"""One key for each level; any other key, and silence, ends in the queue `help`."""
NUMBER = "4008120009"
FRAME_S = 0.02


def deep_menus() -> str:
    """Menus ``m1`` to ``m9``, each with one option, that lead to the queue `sales`."""
    parts = [f'[[numbers]]\nnumber = "{NUMBER}"\nto = "menu:m1"\n']
    for level, key in enumerate(KEYS, start=1):
        further = "queue:sales" if level == len(KEYS) else f"menu:m{level + 1}"
        parts.append(
            f'[[menus]]\nname = "m{level}"\nprompt = "welcome"\noptions = {{ "{key}" = "{further}" }}\n'
            'then = "queue:help"\ntimeout = 3\nnoinput = 1\n'
        )
    return "".join(parts)


def deep_centre(folder: Path, *, seed: int = 1) -> Centre:
    centre = Centre(folder, extra=deep_menus())
    centre.network = MemoryNetwork(seed=seed)
    return centre


async def dial_and_type(centre: Centre, keys: str = KEYS, number: str = NUMBER) -> FakeCall:
    """A caller who types all keys in one go, 50 ms on and 50 ms off, as soon as it is answered."""
    caller = await centre.carrier.call(number)
    await caller.answered()
    await caller.press(keys, duration_ms=50, gap_ms=50)
    return caller


def keys_of(centre: Centre) -> list[str]:
    """The option chosen in each menu that was left, in order."""
    return [event.keys for event in centre.told("MenuLeft") if isinstance(event, MenuLeft)]


def joined(centre: Centre) -> tuple[list[str], float]:
    """The queues that were entered, and when the last one was."""
    events = [event for event in centre.told("QueueJoined") if isinstance(event, QueueJoined)]
    return [event.queue for event in events], events[-1].at if events else 0.0


def prompt_frames(caller: FakeCall, until: float) -> int:
    """How many frames of 20 ms with the tone of the menu prompt came before `until`."""
    now = asyncio.get_running_loop().time()
    sound = caller.heard(now - caller.moments[0].at)
    sound = sound[: len(sound) - round((now - until) * 8000)]
    frames = [sound[at : at + 160] for at in range(0, len(sound) - 159, 160)]
    return sum(
        not is_silent(frame) and tone_share(frame, WELCOME_HZ, width_hz=100.0) > 0.5 for frame in frames
    )


async def test_keys_that_came_before_the_first_menu_walk_all_of_them_without_a_sound(tmp_path: Path) -> None:
    async with deep_centre(tmp_path) as centre:
        menus = centre.switch.handler_of(Destination.parse("menu:m1"))

        async def first_wait(call: Call) -> None:
            await call.answer()
            await call.wait(1.5)
            await menus(call)

        centre.switch.calls._routes.add(Route("4008120008", first_wait))
        caller = await dial_and_type(centre, number="4008120008")
        await asyncio.sleep(1.0)
        queues, at = joined(centre)
        assert keys_of(centre) == list(KEYS)
        assert queues == ["sales"]
        assert prompt_frames(caller, at) == 0
        await caller.hangup()


async def test_keys_typed_into_the_menus_cut_each_prompt_at_its_beginning(tmp_path: Path) -> None:
    async with deep_centre(tmp_path) as centre:
        caller = await dial_and_type(centre)
        await asyncio.sleep(0.5)
        queues, at = joined(centre)
        assert keys_of(centre) == list(KEYS)
        assert queues == ["sales"]
        # A menu speaks from a key's end to the next key's beginning: 60 ms on the phone's grid of 20 ms, and
        # up to two periods of the engine's clock, which the tests run at 20 ms.
        assert prompt_frames(caller, at) * FRAME_S <= len(KEYS) * 0.1
        assert at - caller.moments[0].at < 1.5
        await caller.hangup()


@pytest.mark.parametrize("seed", range(10))
async def test_a_lossy_line_loses_no_key_and_doubles_none(tmp_path: Path, seed: int) -> None:
    async with deep_centre(tmp_path, seed=seed) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        centre.network.set_link(Link(loss=0.05), source=CARRIER, target=SWITCH)
        await caller.press(KEYS, duration_ms=50, gap_ms=50)
        await asyncio.sleep(0.5)
        assert centre.network.counts["lost"] > 0
        assert keys_of(centre) == list(KEYS)
        assert joined(centre)[0] == ["sales"]
        centre.network.set_link(Link(), source=CARRIER, target=SWITCH)
        await caller.hangup()


@pytest.mark.parametrize("typed", [0, 1, 5, 8])
async def test_a_caller_who_falls_silent_goes_where_then_leads(tmp_path: Path, typed: int) -> None:
    async with deep_centre(tmp_path) as centre:
        caller = await dial_and_type(centre, KEYS[:typed])
        await asyncio.sleep(20)
        assert keys_of(centre) == [*KEYS[:typed], ""]
        [*_, last] = centre.told("MenuLeft")
        assert isinstance(last, MenuLeft)
        assert (last.reason, last.destination, last.retries) == ("noinput", "queue:help", 1)
        assert joined(centre)[0] == ["help"]
        await caller.hangup()


async def test_a_wrong_key_on_the_way_ends_where_then_leads_too(tmp_path: Path) -> None:
    async with deep_centre(tmp_path) as centre:
        caller = await dial_and_type(centre, "314000")
        await asyncio.sleep(20)
        assert keys_of(centre) == ["3", "1", "4", ""]
        assert joined(centre)[0] == ["help"]
        await caller.hangup()
