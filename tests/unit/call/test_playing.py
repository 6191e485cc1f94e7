from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from sipcc.call.playing import Player
from sipcc.rtp.flow import PlayEnded, PlayFile, PlayItem, PromptMissing

WELCOME = [PlayFile("welcome.wav")]
MUSIC = [PlayFile("hold.wav")]


class Port:
    """The part of a media port that a player uses."""

    id = "port-1"

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def play(
        self, items: Iterable[PlayItem], *, loop: bool = False, shared: bool = False, token: int = 0
    ) -> None:
        self.calls.append((next(iter(items)).path, token))  # type: ignore[union-attr]

    def stop_playing(self) -> None:
        self.calls.append(("stop", 0))


def ended(token: int) -> PlayEnded:
    return PlayEnded("port-1", token, "done", 1000)


async def test_play_returns_when_the_port_says_that_it_is_over() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    task = asyncio.ensure_future(player.play(WELCOME))
    await asyncio.sleep(1)
    assert not task.done()
    [(path, token)] = port.calls
    player.on_event(ended(token))
    await task
    assert path == "welcome.wav"


async def test_the_end_of_a_play_that_was_replaced_is_not_the_end_of_the_next() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    first = asyncio.ensure_future(player.play(WELCOME))
    await asyncio.sleep(0)
    player.start(MUSIC, loop=True)
    await first  # replaced: nobody waits for it any more
    (_, old), (_, new) = port.calls
    player.on_event(ended(old))
    assert player.playing
    player.on_event(ended(new))
    assert not player.playing


async def test_cancelling_stops_the_sound() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    task = asyncio.ensure_future(player.play(WELCOME))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert port.calls[-1] == ("stop", 0)


async def test_cancelling_a_play_that_was_replaced_leaves_the_other_alone() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    task = asyncio.ensure_future(player.play(WELCOME))
    await asyncio.sleep(0)
    player.start(MUSIC)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert player.playing
    assert ("stop", 0) not in port.calls


def test_stop_when_nothing_plays_does_nothing_and_missing_prompts_are_remembered() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    player.stop()
    player.on_event(PromptMissing("port-1", "nowhere.wav", "no such file"))
    assert port.calls == []
    assert player.missing == ["nowhere.wav"]


async def test_what_plays_moves_to_the_port_of_another_party() -> None:
    port, other = Port(), Port()
    player = Player(port)  # type: ignore[arg-type]
    player.start(MUSIC, loop=True)
    player.move(other)  # type: ignore[arg-type]
    assert port.calls[-1] == ("stop", 0)
    player.on_event(ended(port.calls[0][1]))  # the end that came of the stop
    assert player.playing
    player.on_event(ended(other.calls[0][1]))
    assert not player.playing


async def test_two_players_of_one_port_do_not_take_each_others_ends() -> None:
    port = Port()
    before, after = Player(port), Player(port)  # type: ignore[arg-type]
    before.start(WELCOME)
    after.start(MUSIC)
    after.on_event(ended(port.calls[0][1]))
    assert after.playing
