from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.flow import Law
from sipcc.rtp.frame import SILENCE_FRAME, Coding
from sipcc.rtp.player import Clip, Player

SILENCE = b"\xff"
MU: Coding = ("PCMU", 8000)
A: Coding = ("PCMA", 8000)
OPUS: Coding = ("opus", 48000)


def player_of(items: list[bytes], *, law: Law = "PCMU", **options: object) -> Player:
    return Player([Clip(item) for item in items], coding=(law, 8000), **options)  # type: ignore[arg-type]


def packed(frames: int, name: str, *, short: int = 0) -> Clip:
    """A clip of that many frames for a leg of another codec."""
    packets = tuple(f"{name}{index}".encode() for index in range(frames))
    return Clip(numbered(160 * frames - short).ljust(160 * frames, b"\xff"), packets)


def packets_of(player: Player, limit: int = 1000) -> list[str]:
    found: list[str] = []
    while len(found) < limit and player.pull() is not None:
        found.append((player.packet or b"-").decode())
    return found


def pull_all(player: Player, limit: int = 1000) -> list[bytes]:
    frames: list[bytes] = []
    while len(frames) < limit and (frame := player.pull()) is not None:
        frames.append(frame)
    return frames


def numbered(count: int, first: int = 0) -> bytes:
    return bytes((first + index) % 251 for index in range(count))


@pytest.mark.parametrize(
    "lengths", [(160,), (320, 160), (100, 60), (100, 200, 20), (1,), (159, 1), (161,), (7,) * 50]
)
def test_items_follow_each_other_without_gap_or_padding(lengths: tuple[int, ...]) -> None:
    whole = numbered(sum(lengths))
    items, start = [], 0
    for length in lengths:
        items.append(whole[start : start + length])
        start += length
    player = player_of(items, law="PCMU")
    frames = pull_all(player)
    assert {len(frame) for frame in frames} == {160}
    played = b"".join(frames)
    assert played[: len(whole)] == whole
    assert played[len(whole) :] == SILENCE * (len(played) - len(whole))
    assert len(played) - len(whole) < 160
    assert player.done
    assert player.played_ms == len(whole) // 8


def test_a_play_is_done_with_its_last_frame() -> None:
    player = player_of([numbered(320)], law="PCMA")
    assert not player.done
    player.pull()
    assert (player.done, player.played_ms) == (False, 20)
    player.pull()
    assert (player.done, player.played_ms) == (True, 40)
    assert player.pull() is None


@pytest.mark.parametrize("items", [[], [b""], [b"", b""]])
@pytest.mark.parametrize("loop", [False, True])
def test_nothing_to_play_is_done_at_once(items: list[bytes], loop: bool) -> None:
    player = player_of(items, law="PCMU", loop=loop, shared=loop)
    assert player.done
    assert player.pull() is None


def test_the_end_is_padded_with_the_silence_of_the_codec() -> None:
    assert pull_all(player_of([b"\x01"], law="PCMA")) == [b"\x01" + b"\xd5" * 159]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=5), st.integers(1, 40))
def test_a_loop_has_no_seam(lengths: list[int], count: int) -> None:
    items = [numbered(length, 17 * index) for index, length in enumerate(lengths)]
    whole = b"".join(items)
    player = player_of(items, law="PCMU", loop=True)
    played = b"".join(pull_all(player, count))
    if whole:
        assert played == (whole * (160 * count // len(whole) + 1))[: 160 * count]
        assert player.played_ms == 20 * count
    else:
        assert played == b""


def test_stop() -> None:
    player = player_of([numbered(800)], law="PCMU", loop=True)
    player.pull()
    player.stop()
    assert player.done
    assert player.pull() is None
    assert player.played_ms == 20


def test_shared_players_are_where_the_clock_is() -> None:
    items = [numbered(16000), numbered(8000, 5)]
    whole = b"".join(items)
    early = player_of(items, law="PCMU", loop=True, shared=True, now=100.0)
    for tick in range(50):
        early.pull(now=100.0 + 0.02 * tick)
    late = player_of(items, law="PCMU", loop=True, shared=True, now=101.0)
    expected = (101 * 8000) % 24000
    frame = late.pull(now=101.0)
    assert frame == early.pull(now=101.0) == (whole + whole)[expected : expected + 160]


def test_n_listeners_do_not_slow_the_music() -> None:
    items = [numbered(80000)]
    listeners = [player_of(items, law="PCMU", loop=True, shared=True, now=5.0) for _ in range(20)]
    for tick in range(10):
        frames = {listener.pull(now=5.0 + 0.02 * tick) for listener in listeners}
        assert frames == {items[0][40000 + 160 * tick : 40160 + 160 * tick]}


def test_a_shared_player_does_not_stutter_with_its_ticks() -> None:
    items = [numbered(80000)]
    player = player_of(items, law="PCMU", loop=True, shared=True, now=5.0)
    late = [0.0, 0.004, 0.03, 0.001, -0.01, 0.02]
    played = b"".join(player.pull(now=5.0 + 0.02 * tick + late[tick % 6]) or b"" for tick in range(200))
    assert played == items[0][40000:72000]


def test_a_shared_player_catches_up_after_ticks_were_left_out() -> None:
    items = [numbered(80000)]
    player = player_of(items, law="PCMU", loop=True, shared=True, now=5.0)
    player.pull(now=5.0)
    assert player.pull(now=6.0) == items[0][48000:48160]
    assert player.pull(now=15.01) == items[0][40080:40240]


def test_shared_means_nothing_without_a_loop() -> None:
    player = player_of([numbered(160)], law="PCMU", shared=True, now=77.7)
    assert player.pull(now=77.7) == numbered(160)


# -- another codec in mid-play ------------------------------------------------------------------------


def test_recode_goes_on_at_the_same_place() -> None:
    player = player_of([numbered(200), numbered(200)])
    player.pull()
    player.recode([Clip(b"a" * 200), Clip(b"b" * 200)], A)
    assert player.pull() == b"a" * 40 + b"b" * 120
    assert player.pull() == b"b" * 80 + b"\xd5" * 80
    assert player.played_ms == 50


def test_from_g711_to_packets_and_back() -> None:
    player = player_of([numbered(400), numbered(800)])
    player.pull()
    player.recode([packed(3, "a", short=80), packed(5, "b")], OPUS)
    assert packets_of(player, 3) == ["a1", "a2", "b0"]
    player.recode([Clip(numbered(400)), Clip(numbered(800))], MU)
    assert player.pull() == numbered(800)[160:320]
    assert player.packet is None


def test_a_place_that_the_other_codec_has_not_got_is_the_next_item() -> None:
    player = Player([packed(2, "a", short=100), packed(2, "b")], coding=OPUS, loop=True)
    player.pull()
    player.recode([Clip(numbered(160)), Clip(numbered(320, 9))], MU)
    assert player.pull() == numbered(320, 9)[:160]
    player.seek(40)
    player.recode([Clip(b""), Clip(b"")], MU)
    assert (player.done, player.pull()) == (True, None)


def test_recode_refuses_other_items() -> None:
    player = player_of([numbered(200)])
    with pytest.raises(ValueError, match="items"):
        player.recode([], A)


# -- ready packets ------------------------------------------------------------------------------------


def test_packets_come_with_the_frames_that_they_hold() -> None:
    player = Player([packed(2, "a"), packed(3, "b", short=30)], coding=OPUS)
    assert player.pull() == numbered(160)
    assert player.packet == b"a0"
    assert packets_of(player) == ["a1", "b0", "b1", "b2"]
    assert player.packet is None
    assert player.played_ms == 100


@pytest.mark.parametrize("now", [0.0, 100.0, 101.013, 7e5 + 0.009])
def test_shared_packets_are_where_the_clock_is(now: float) -> None:
    clips = [packed(70, "a"), packed(30, "b")]
    expected = [f"a{index}" for index in range(70)] + [f"b{index}" for index in range(30)]
    listeners = [Player(clips, coding=OPUS, loop=True, shared=True, now=now) for _ in range(3)]
    at = int(now * 8000) // 160
    for tick in range(120):
        for listener in listeners:
            listener.pull(now=now + 0.02 * tick)
            assert listener.packet is not None
            assert listener.packet.decode() == expected[(at + tick) % 100]


# -- pause and seek -----------------------------------------------------------------------------------


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_a_pause_is_silence_and_loses_nothing(law: Law) -> None:
    player = player_of([numbered(480)], law=law)
    player.pull()
    player.paused = True
    assert {player.pull() for _ in range(50)} == {SILENCE_FRAME[law]}
    assert not player.done
    player.paused = False
    assert pull_all(player) == [numbered(480)[160:320], numbered(480)[320:]]
    assert player.played_ms == 60


def test_shared_music_goes_on_during_a_pause() -> None:
    items = [numbered(80000)]
    player = player_of(items, loop=True, shared=True, now=5.0)
    player.paused = True
    player.pull(now=5.0)
    player.paused = False
    assert player.pull(now=6.0) == items[0][48000:48160]


@pytest.mark.parametrize(
    ("position_ms", "first"), [(0, 0), (-50, 0), (10, 80), (50, 400), (62, 496), (100, 800)]
)
def test_seek(position_ms: int, first: int) -> None:
    whole = numbered(1200)
    player = player_of([whole[:500], b"", whole[500:]])
    player.pull()
    player.seek(position_ms)
    assert player.position_ms == max(0, position_ms)
    assert player.pull() == whole[first : first + 160]


def test_seek_beyond_the_end() -> None:
    player = player_of([numbered(480)])
    player.seek(60)
    assert (player.done, player.position_ms) == (True, 60)
    loop = player_of([numbered(480)], loop=True)
    loop.seek(70)
    assert loop.pull() == numbered(480)[80:240]


def test_seek_among_packets_goes_to_a_whole_frame() -> None:
    player = Player([packed(2, "a"), packed(3, "b")], coding=OPUS)
    player.seek(73)
    assert packets_of(player) == ["b1", "b2"]


def test_a_shared_play_stays_with_the_others_and_a_stopped_one_stopped() -> None:
    items = [numbered(80000)]
    player = player_of(items, loop=True, shared=True, now=5.0)
    player.seek(0)
    assert player.pull(now=5.0) == items[0][40000:40160]
    player.stop()
    player.seek(0)
    assert player.pull(now=5.02) is None
