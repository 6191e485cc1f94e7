from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.player import Player

SILENCE = b"\xff"


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
    player = Player(items, codec="PCMU")
    frames = pull_all(player)
    assert {len(frame) for frame in frames} == {160}
    played = b"".join(frames)
    assert played[: len(whole)] == whole
    assert played[len(whole) :] == SILENCE * (len(played) - len(whole))
    assert len(played) - len(whole) < 160
    assert player.done
    assert player.played_ms == len(whole) // 8


def test_a_play_is_done_with_its_last_frame() -> None:
    player = Player([numbered(320)], codec="PCMA")
    assert not player.done
    player.pull()
    assert (player.done, player.played_ms) == (False, 20)
    player.pull()
    assert (player.done, player.played_ms) == (True, 40)
    assert player.pull() is None


@pytest.mark.parametrize("items", [[], [b""], [b"", b""]])
@pytest.mark.parametrize("loop", [False, True])
def test_nothing_to_play_is_done_at_once(items: list[bytes], loop: bool) -> None:
    player = Player(items, codec="PCMU", loop=loop, shared=loop)
    assert player.done
    assert player.pull() is None


def test_the_end_is_padded_with_the_silence_of_the_codec() -> None:
    assert pull_all(Player([b"\x01"], codec="PCMA")) == [b"\x01" + b"\xd5" * 159]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=5), st.integers(1, 40))
def test_a_loop_has_no_seam(lengths: list[int], count: int) -> None:
    items = [numbered(length, 17 * index) for index, length in enumerate(lengths)]
    whole = b"".join(items)
    player = Player(items, codec="PCMU", loop=True)
    played = b"".join(pull_all(player, count))
    if whole:
        assert played == (whole * (160 * count // len(whole) + 1))[: 160 * count]
        assert player.played_ms == 20 * count
    else:
        assert played == b""


def test_stop() -> None:
    player = Player([numbered(800)], codec="PCMU", loop=True)
    player.pull()
    player.stop()
    assert player.done
    assert player.pull() is None
    assert player.played_ms == 20


def test_shared_players_are_where_the_clock_is() -> None:
    items = [numbered(16000), numbered(8000, 5)]
    whole = b"".join(items)
    early = Player(items, codec="PCMU", loop=True, shared=True, now=100.0)
    for tick in range(50):
        early.pull(now=100.0 + 0.02 * tick)
    late = Player(items, codec="PCMU", loop=True, shared=True, now=101.0)
    expected = (101 * 8000) % 24000
    frame = late.pull(now=101.0)
    assert frame == early.pull(now=101.0) == (whole + whole)[expected : expected + 160]


def test_n_listeners_do_not_slow_the_music() -> None:
    items = [numbered(80000)]
    listeners = [Player(items, codec="PCMU", loop=True, shared=True, now=5.0) for _ in range(20)]
    for tick in range(10):
        frames = {listener.pull(now=5.0 + 0.02 * tick) for listener in listeners}
        assert frames == {items[0][40000 + 160 * tick : 40160 + 160 * tick]}


def test_a_shared_player_does_not_stutter_with_its_ticks() -> None:
    items = [numbered(80000)]
    player = Player(items, codec="PCMU", loop=True, shared=True, now=5.0)
    late = [0.0, 0.004, 0.03, 0.001, -0.01, 0.02]
    played = b"".join(player.pull(now=5.0 + 0.02 * tick + late[tick % 6]) or b"" for tick in range(200))
    assert played == items[0][40000:72000]


def test_a_shared_player_catches_up_after_ticks_were_left_out() -> None:
    items = [numbered(80000)]
    player = Player(items, codec="PCMU", loop=True, shared=True, now=5.0)
    player.pull(now=5.0)
    assert player.pull(now=6.0) == items[0][48000:48160]
    assert player.pull(now=15.01) == items[0][40080:40240]


def test_shared_means_nothing_without_a_loop() -> None:
    player = Player([numbered(160)], codec="PCMU", shared=True, now=77.7)
    assert player.pull(now=77.7) == numbered(160)


def test_recode_goes_on_at_the_same_place() -> None:
    player = Player([numbered(200), numbered(200)], codec="PCMU")
    player.pull()
    player.recode([b"a" * 200, b"", b"b" * 200], "PCMA")
    assert player.pull() == b"a" * 40 + b"b" * 120
    assert player.pull() == b"b" * 80 + b"\xd5" * 80


def test_recode_refuses_other_items() -> None:
    player = Player([numbered(200)], codec="PCMU")
    with pytest.raises(ValueError, match="lengths"):
        player.recode([numbered(201)], "PCMA")
