from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sipcc.rtp import wire
from sipcc.rtp.events import PlayCleared, PlayEnded, PlayFlow, PlayMarked, PromptMissing
from sipcc.rtp.files import ClipStore
from sipcc.rtp.flow import PlayFile, PlayItem, PlayStream, PlayTone
from sipcc.rtp.frame import Coding
from sipcc.rtp.player import Player
from sipcc.rtp.plays import Plays
from sipcc.testing import audio

MU: Coding = ("PCMU", 8000)
A: Coding = ("PCMA", 8000)
OPUS: Coding = ("opus", 48000)


class Stage:
    """Plays of one leg, whose clips are read when the test says so."""

    def __init__(self, coding: Coding) -> None:
        self.events: list[Any] = []
        self.clips = ClipStore()
        self.plays = Plays(self.clips, self.events.append, codec="PCMU")
        self.leg: Any = SimpleNamespace(
            id="port-1", coding=coding, params=object(), player=None, loading=False, play_serial=0
        )

    def play(self, *items: PlayItem, token: int = 1, loop: bool = False) -> None:
        self.plays.play(self.leg, wire.Play("port-1", items, loop, False, token), 0.0)

    async def read(self) -> list[Coding]:
        """Do what is wanted; in which codecs."""
        wants, self.plays.wants = self.plays.wants, []
        for want in wants:
            clips = [await self.clips.load(item, want.codec, now=0.0) for item in want.items]
            self.plays.supply(self.leg, want, clips, now=0.0)
        return [want.codec for want in wants]


@pytest.fixture
def prompt(tmp_path: Path) -> PlayFile:
    audio.write_wav(tmp_path / "a.wav", audio.tone(440, 1.0))
    return PlayFile(str(tmp_path / "a.wav"))


async def test_a_leg_of_another_codec_begins_with_g711_and_goes_on_with_packets(prompt: PlayFile) -> None:
    stage = Stage(OPUS)
    stage.play(prompt)
    assert stage.leg.loading
    assert await stage.read() == [MU]
    assert (stage.leg.loading, stage.leg.player.coding) == (False, MU)
    stage.leg.player.pull()
    assert stage.leg.player.packet is None
    assert await stage.read() == [OPUS]
    stage.leg.player.pull()
    assert stage.leg.player.packet is not None
    assert stage.leg.player.played_ms == 40
    stage.play(prompt, token=2)  # now they are at hand
    assert stage.leg.player.coding == OPUS
    assert stage.plays.wants == []


async def test_a_leg_whose_codec_changed_while_clips_were_read_plays_what_is_at_hand(
    prompt: PlayFile,
) -> None:
    stage = Stage(A)
    await stage.clips.load(prompt, OPUS, now=0.0)
    stage.play(prompt)
    stage.leg.coding = OPUS
    (want,) = stage.plays.wants
    clip = await stage.clips.load(prompt, A, now=0.0)
    assert stage.plays.supply(stage.leg, want, [clip], now=0.0)  # so the leg is settled, and the clock plays
    assert stage.leg.player.coding == OPUS


async def test_tones_for_other_codecs_are_not_made_in_the_loop() -> None:
    stage = Stage(OPUS)
    stage.play(PlayTone((440.0,), 1000))
    assert stage.leg.player.coding == MU  # at once
    assert await stage.read() == [OPUS]
    assert stage.leg.player.coding == OPUS


async def test_the_codec_changes_while_clips_are_read(prompt: PlayFile) -> None:
    stage = Stage(A)
    stage.play(prompt)
    stage.leg.coding = OPUS
    stage.plays.recode(stage.leg, 0.0)
    assert await stage.read() == [A]  # which nobody wants any more
    assert stage.leg.player is None
    assert await stage.read() == [MU]
    assert await stage.read() == [OPUS]
    assert stage.leg.player.coding == OPUS


async def test_clips_for_a_play_that_was_replaced_are_nothing(prompt: PlayFile) -> None:
    stage = Stage(MU)
    stage.play(prompt, token=1)
    stage.play(prompt, token=2)
    stage.plays.end(stage.leg, "stopped")
    assert await stage.read() == [MU, MU]
    assert stage.leg.player is None
    assert stage.events == [PlayEnded("port-1", 1, "replaced", 0), PlayEnded("port-1", 2, "stopped", 0)]


@pytest.mark.parametrize("coding", [MU, OPUS, ("G729", 8000)])
async def test_what_cannot_be_played_is_told_once(coding: Coding) -> None:
    stage = Stage(coding)
    stage.play(PlayFile("/nowhere/a.wav"), PlayTone((440.0,), 100), PlayFile("/nowhere/b.wav"))
    for _ in range(3):
        await stage.read()
    told = [event.path for event in stage.events if isinstance(event, PromptMissing)]
    assert sorted(told) == (
        ["", "/nowhere/a.wav", "/nowhere/b.wav"]
        if coding[0] == "G729"
        else [
            "/nowhere/a.wav",
            "/nowhere/b.wav",
        ]
    )


async def test_pause_and_seek_wait_for_the_clips(prompt: PlayFile) -> None:
    stage = Stage(MU)
    stage.play(prompt)
    stage.plays.pause(stage.leg, True)
    stage.plays.seek(stage.leg, 500)
    await stage.read()
    player = stage.leg.player
    assert isinstance(player, Player)
    assert (player.paused, player.position_ms) == (True, 500)
    stage.plays.pause(stage.leg, False)
    stage.plays.seek(stage.leg, 100)
    assert (player.paused, player.position_ms) == (False, 100)


def test_verbs_without_a_play_are_nothing() -> None:
    stage = Stage(MU)
    stage.plays.pause(stage.leg, True)
    stage.plays.seek(stage.leg, 100)
    stage.plays.feed(stage.leg, wire.Feed("port-1", 1, bytes(2), True))
    stage.plays.recode(stage.leg, 0.0)
    stage.plays.tend(stage.leg)
    stage.plays.end(stage.leg, "closed")
    assert stage.events == []


def test_a_stream_tells_that_it_is_full_and_ends() -> None:
    stage = Stage(MU)
    stage.play(PlayStream(), token=4)
    stage.plays.feed(stage.leg, wire.Feed("port-1", 3, bytes(200_000), False))
    stage.plays.tend(stage.leg)
    assert stage.events == []
    stage.plays.feed(stage.leg, wire.Feed("port-1", 4, bytes(200_000), True))
    stage.plays.tend(stage.leg)
    stage.plays.tend(stage.leg)
    stage.plays.recode(stage.leg, 0.0)
    assert stage.events == [PlayFlow("port-1", 4, True)]
    while stage.leg.player.pull() is not None:
        pass
    stage.plays.tend(stage.leg)
    assert stage.events[-1] == PlayEnded("port-1", 4, "done", 12_500)
    assert stage.leg.player is None


def test_marks_and_clearing_are_told_in_order_and_the_end_lets_no_mark_wait() -> None:
    stage = Stage(MU)
    stage.play(PlayStream(law="PCMU", lead_ms=20), token=4)
    stage.plays.feed(stage.leg, wire.Feed("port-1", 4, bytes(320), False))
    stage.plays.mark(stage.leg, wire.MarkPlaying("port-1", 4, "a"))
    stage.plays.feed(stage.leg, wire.Feed("port-1", 4, bytes(1600), False))
    stage.plays.mark(stage.leg, wire.MarkPlaying("port-1", 4, "b"))
    stage.leg.player.pull()
    stage.leg.player.pull()
    stage.plays.tend(stage.leg)
    assert stage.events == [PlayMarked("port-1", 4, "a", True, 40)]
    stage.plays.clear(stage.leg, wire.ClearPlaying("port-1", 3))
    stage.plays.clear(stage.leg, wire.ClearPlaying("port-1", 4))
    assert stage.events[1:] == [PlayMarked("port-1", 4, "b", False, 40), PlayCleared("port-1", 4, 40, 200)]
    stage.plays.feed(stage.leg, wire.Feed("port-1", 4, bytes(1600), False))
    stage.plays.mark(stage.leg, wire.MarkPlaying("port-1", 4, "c"))
    stage.plays.end(stage.leg, "stopped")
    stage.plays.mark(stage.leg, wire.MarkPlaying("port-1", 4, "d"))
    assert stage.events[3:] == [
        PlayMarked("port-1", 4, "c", False, 40),
        PlayEnded("port-1", 4, "stopped", 40),
        PlayMarked("port-1", 4, "d", False, 0),
    ]
