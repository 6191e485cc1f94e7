from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from sipcc.call.openstream import StreamNews
from sipcc.call.playing import PIECE_BYTES, Player
from sipcc.rtp.events import PlayCleared, PlayEnded, PlayFlow, PlayMarked
from sipcc.rtp.flow import PlayFile, PlayItem, PlayStream

WELCOME = [PlayFile("welcome.wav")]
MUSIC = [PlayFile("hold.wav")]


class Port:
    """The part of a media port that a player uses."""

    id = "port-1"

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.fed: list[int | str] = []
        self.on_feed: Callable[[], None] = lambda: None
        self.token = 0

    def play(
        self, items: Iterable[PlayItem], *, loop: bool = False, shared: bool = False, token: int = 0
    ) -> None:
        self.calls.append((getattr(next(iter(items)), "path", "stream"), token))
        self.token = token

    def feed(self, token: int, audio: bytes, *, last: bool = False) -> None:
        assert token == self.token
        self.fed.append("last" if last else len(audio))
        self.on_feed()

    def mark_playing(self, token: int, mark: str) -> None:
        self.fed.append(mark)

    def clear_playing(self, token: int) -> None:
        self.fed.append("clear")

    def pause_playing(self, paused: bool) -> None:
        self.calls.append(("pause", int(paused)))

    def seek_playing(self, position_ms: int) -> None:
        self.calls.append(("seek", position_ms))

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


def test_when_nothing_plays_stop_pause_and_seek_do_nothing() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    player.stop()
    player.pause(True)
    player.seek(3.0)
    assert port.calls == []


def test_pause_and_seek_go_to_the_port() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    player.start(WELCOME)
    player.pause(True)
    player.seek(1.5)
    player.pause(False)
    assert port.calls[1:] == [("pause", 1), ("seek", 1500), ("pause", 0)]


async def test_a_stream_is_fed_in_pieces_and_waits_while_the_port_is_full() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]

    async def speech() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(2 * PIECE_BYTES)

    task = asyncio.ensure_future(player.play_stream(speech()))

    def two_are_enough() -> None:
        if len(port.fed) == 2:
            player.on_event(PlayFlow("port-1", port.token, True))

    port.on_feed = two_are_enough
    for _ in range(20):
        await asyncio.sleep(0)
    assert port.fed == [PIECE_BYTES] * 2
    player.on_event(PlayFlow("port-1", port.token - 1, False))  # of another play
    for _ in range(20):
        await asyncio.sleep(0)
    assert port.fed == [PIECE_BYTES] * 2
    player.on_event(PlayFlow("port-1", port.token, False))
    for _ in range(20):
        await asyncio.sleep(0)
    assert port.fed == [PIECE_BYTES] * 6 + ["last"]
    assert not task.done()
    player.on_event(ended(port.token))
    await task


async def test_a_stream_that_is_replaced_is_not_fed_any_more() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]
    asked = []

    async def speech() -> AsyncIterator[bytes]:
        while True:
            asked.append(1)
            yield bytes(640)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(player.play_stream(speech(), rate_hz=16000))
    for _ in range(10):
        await asyncio.sleep(0)
    player.start(MUSIC)
    await task
    fed = len(port.fed)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(port.fed) == fed
    assert player.playing


async def test_a_producer_that_breaks_ends_the_sound() -> None:
    port = Port()
    player = Player(port)  # type: ignore[arg-type]

    async def speech() -> AsyncIterator[bytes]:
        yield bytes(640)
        raise OSError("the voice is gone")

    with pytest.raises(OSError, match="voice"):
        await player.play_stream(speech())
    assert port.calls[-1] == ("stop", 0)
    assert not player.playing
    with pytest.raises(ValueError, match="resample"):
        await player.play_stream(speech(), rate_hz=17)


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


def test_an_open_stream_goes_on_until_it_is_closed_or_something_else_plays() -> None:
    port, other = Port(), Port()
    player = Player(port)  # type: ignore[arg-type]
    news: list[StreamNews] = []
    ends: list[str] = []
    stream = player.open_stream(PlayStream(), on_news=news.append, on_end=lambda: ends.append("end"))
    stream.feed(b"1234")
    stream.mark("m")
    stream.clear()
    assert port.fed == [4, "m", "clear"]
    told: list[StreamNews] = [
        PlayFlow("port-1", stream.token, True),
        PlayMarked("port-1", stream.token, "m", True, 10),
        PlayCleared("port-1", stream.token, 10, 0),
    ]
    for event in told:
        player.on_event(event)
    player.on_event(PlayMarked("port-1", stream.token - 1, "m", True, 10))  # of another play
    assert news == told
    player.start(MUSIC)
    assert ends == ["end"]
    player.close_stream(stream)
    assert player.playing
    player.on_event(PlayMarked("port-1", stream.token, "late", False, 10))
    assert news == told
    again = player.open_stream(PlayStream(), on_news=news.append, on_end=lambda: ends.append("moved"))
    player.move(other)  # type: ignore[arg-type]
    assert ends == ["end", "moved"]
    assert other.calls == []
    player.close_stream(again)
    assert port.calls[-1] == ("stop", 0)
